use std::time::{Duration, Instant};

use crate::raw::{Request, Signer};
use crate::support::{Server, Setup};

const ALICE: &str = r#"
[[access_key]]
id = "AKIAALICE00000000001"
secret = "alice-secret-alice-secret-alice-secret-1"
principal = "arn:aws:iam::111122223333:user/alice"
"#;

fn configured() -> Server {
    Setup::new().config("[iam]\ncredentials = [\"credentials.toml\"]\n").file("credentials.toml", "").start()
}

/// The code that alice's request gets.
fn alice(server: &Server) -> String {
    let signer = Signer::new("AKIAALICE00000000001", "alice-secret-alice-secret-alice-secret-1");
    Request::aws(server.gateway, "ListKeys", "{}").signed(&signer).send(server.gateway).code()
}

pub(crate) fn reload(server: &Server, metric: &str) {
    let count =
        |text: &str| text.lines().find_map(|line| line.strip_prefix(metric)?.trim().parse::<u64>().ok()).unwrap_or(0);
    let before = count(&server.admin("GET", "/metrics", "").1);
    server.signal("HUP");
    let deadline = Instant::now() + Duration::from_secs(10);
    while count(&server.admin("GET", "/metrics", "").1) == before {
        assert!(Instant::now() < deadline, "no reload: {}", server.said());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_reload_brings_new_identities_and_takes_old_ones_away() {
    let server = configured();
    assert_eq!(alice(&server), "UnrecognizedClientException");
    server.write("credentials.toml", ALICE);
    reload(&server, "keystile_reloads_total ");
    assert_eq!(alice(&server), "AccessDeniedException");
    server.write("credentials.toml", "");
    reload(&server, "keystile_reloads_total ");
    assert_eq!(alice(&server), "UnrecognizedClientException");
}

#[test]
fn a_reload_that_fails_changes_nothing_and_names_the_place() {
    let server = configured();
    server.write("credentials.toml", ALICE);
    reload(&server, "keystile_reloads_total ");
    server.write("credentials.toml", &format!("{ALICE}\nprincipl = \"x\"\n"));
    reload(&server, "keystile_failed_reloads_total ");
    assert_eq!(alice(&server), "AccessDeniedException");
    let said = server.said();
    assert!(said.contains("credentials.toml:7") && said.contains("principl"), "{said}");
}

#[test]
fn what_a_running_server_cannot_change_is_an_error() {
    let server = configured();
    server.write("keystile.toml", "[iam]\ncredentials = [\"credentials.toml\"]\n[audit]\nfile = \"elsewhere.jsonl\"\n");
    server.write("credentials.toml", ALICE);
    reload(&server, "keystile_failed_reloads_total ");
    assert_eq!(alice(&server), "UnrecognizedClientException");
    assert!(server.said().contains("audit.file"), "{}", server.said());
}

#[test]
fn limits_hold_from_a_reload_on() {
    let server = configured();
    let body = format!("{{\"x\":\"{}\"}}", "x".repeat(100_000));
    let status =
        || Request::aws(server.gateway, "ListKeys", &body).signed(&server.signer()).send(server.gateway).status;
    assert_eq!(status(), 200);
    server
        .write("keystile.toml", "[iam]\ncredentials = [\"credentials.toml\"]\n[limits]\nmax_body_bytes = \"64KiB\"\n");
    reload(&server, "keystile_reloads_total ");
    assert_eq!(status(), 413);
}
