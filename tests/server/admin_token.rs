//! The admin listener on an address that others reach.

use crate::backup::{ok, text};
use crate::raw::exchange;
use crate::reload::reload;
use crate::support::{Server, Setup, keystile};

const TOKEN: &str = "operators-token-operators-token-1234";
const CONFIG: &str = "admin_token_file = \"admin.token\"\n";

/// The status of a request with one more header.
fn status(server: &Server, method: &str, path: &str, header: &str) -> u16 {
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\nconnection: close\r\n{header}\r\n");
    let answer = exchange(server.admin, request.as_bytes());
    let asks = answer.header("www-authenticate") == Some("Bearer");
    assert_eq!(answer.status == 401, asks, "{method} {path}: {}", answer.text());
    answer.status
}

#[test]
fn without_a_token_it_stays_on_this_machine() {
    let setup = Setup::new().listen("127.0.0.1:0", "0.0.0.0:0");
    let (code, said) = setup.fails();
    assert!(code == Some(2) && said.contains("admin_listen: `0.0.0.0:0` can be reached from other machines"), "{said}");
    assert!(said.contains("admin_token_file"), "{said}");
    let setup = setup.file("check.toml", "admin_listen = \"10.0.0.1:4600\"\n");
    std::fs::rename(setup.path("check.toml"), setup.path("keystile.toml")).unwrap();
    let (code, said) = keystile(&["check", text(&setup.path("keystile.toml"))]);
    assert!(code == Some(1) && said.contains("keystile.toml:1:1") && said.contains("other machines"), "{said}");
}

#[test]
fn a_token_opens_it_and_health_needs_none() {
    let server = Setup::new()
        .config(CONFIG)
        .file("admin.token", &format!("{TOKEN}\n"))
        .listen("127.0.0.1:0", "0.0.0.0:0")
        .start();
    let bearer = format!("authorization: Bearer {TOKEN}\r\n");
    let wrong = format!("authorization: Bearer {}x\r\n", &TOKEN[1..]);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(status(&server, "GET", path, ""), 200);
    }
    for (method, path) in [("GET", "/metrics"), ("GET", "/root-key/rotation"), ("POST", "/backup"), ("GET", "/nothing")]
    {
        for header in ["", wrong.as_str(), "authorization: Bearer \r\n", "authorization: Basic eDp5\r\n"] {
            assert_eq!(status(&server, method, path, header), 401, "{method} {path} {header}");
        }
    }
    assert_eq!(status(&server, "GET", "/metrics", &bearer), 200);
    assert_eq!(status(&server, "GET", "/root-key/rotation", &bearer), 200);
    // The question is about a request whose Authorization is the client's own.
    assert_eq!(status(&server, "GET", "/auth", &bearer), 401);
    assert_eq!(status(&server, "GET", "/auth", &format!("x-keystile-admin-token: {TOKEN}\r\n")), 400);
    // The program's own commands show what the data directory has.
    ok(&["backup", text(&server.path("b")), "--data-dir", text(&server.path("data"))]);
}

#[test]
fn a_reload_takes_up_another_token_and_nothing_that_is_none() {
    let server = Setup::new().config(CONFIG).file("admin.token", TOKEN).start();
    let bearer = |token: &str| format!("authorization: Bearer {token}\r\n");
    let other = TOKEN.replace("operators", "somebodys");
    server.write("admin.token", &other);
    server.signal("HUP");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while status(&server, "GET", "/metrics", &bearer(&other)) != 200 {
        assert!(std::time::Instant::now() < deadline, "{}", server.said());
    }
    assert_eq!(status(&server, "GET", "/metrics", &bearer(TOKEN)), 401);
    server.write("keystile.toml", "");
    server.signal("HUP");
    while status(&server, "GET", "/metrics", "") != 200 {
        assert!(std::time::Instant::now() < deadline, "{}", server.said());
    }
    server.write("admin.token", "short");
    server.write("keystile.toml", CONFIG);
    reload(&server, "keystile_failed_reloads_total ");
    assert!(server.said().contains("admin.token: holds no token"), "{}", server.said());
    let setup = server.into_setup();
    let (code, said) = keystile(&["check", text(&setup.path("keystile.toml"))]);
    assert!(code == Some(1) && said.contains("holds no token"), "{said}");
}
