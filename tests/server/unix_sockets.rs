//! Both listeners on Unix-domain sockets.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::backup::{ok, text};
use crate::raw::{Request, Response, Signer};
use crate::support::{Server, Setup};

const DETAILS: &str = r#"{"UserDetailList": [
  {"Path": "/", "UserName": "near", "UserId": "AIDANEAR000000000000", "Arn": "arn:aws:iam::111122223333:user/near",
   "UserPolicyList": [{"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
     "Action": "kms:ListKeys", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": ["127.0.0.0/8", "192.0.2.0/24"]}}}]}}]},
  {"Path": "/", "UserName": "far", "UserId": "AIDAFAR0000000000000", "Arn": "arn:aws:iam::111122223333:user/far",
   "UserPolicyList": [{"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
     "Action": "kms:ListKeys", "Resource": "*", "Condition": {"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}}]}}]}],
  "GroupDetailList": [], "RoleDetailList": [], "Policies": []}"#;
const KEYS: &str = r#"
[[access_key]]
id = "AKIANEAR000000000001"
secret = "near"
principal = "arn:aws:iam::111122223333:user/near"
[[access_key]]
id = "AKIAFAR0000000000001"
secret = "far"
principal = "arn:aws:iam::111122223333:user/far"
"#;

fn setup(config: &str) -> Setup {
    let setup = Setup::new().file("details.json", DETAILS).file("keys.toml", KEYS);
    let (gateway, admin) = (socket(&setup.path("gateway.sock")), socket(&setup.path("admin.sock")));
    let iam = "[iam]\nauthorization_details = [\"details.json\"]\ncredentials = [\"keys.toml\"]\n";
    setup.config(&format!("{config}{iam}")).listen(&gateway, &admin)
}

fn socket(path: &Path) -> String {
    format!("unix:{}", path.display())
}

fn exchange(path: &Path, bytes: &[u8]) -> Response {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(bytes).unwrap();
    Response::read(&mut stream).expect("an answer")
}

fn listing(name: &str) -> Request {
    let signer = Signer::new(&format!("AKIA{:0<10}000001", name.to_uppercase()), name);
    Request::aws("127.0.0.1:80".parse().unwrap(), "ListKeys", "{}").signed(&signer)
}

fn list(server: &Server, request: &Request) -> String {
    exchange(&server.path("gateway.sock"), &request.bytes()).code()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn requests_come_from_no_address_and_policies_that_ask_for_one_see_none() {
    let server = setup("").start();
    // As AWS has it of a key that a request does not have: what is positive fails, what is negated holds.
    assert_eq!(list(&server, &listing("near")), "AccessDeniedException");
    assert_eq!(list(&server, &listing("far")), "");
    let records = server.audit(2);
    assert!(records.iter().all(|record| record["sourceIPAddress"].is_null()), "{records:?}");
    // Headers are nobody's: who connects is not trusted to tell.
    assert_eq!(list(&server, &listing("near").header("X-Forwarded-For", "192.0.2.7")), "AccessDeniedException");
}

#[test]
fn who_connects_may_be_trusted_to_tell() {
    let server = setup("[trusted_forwarders]\naddresses = [\"unix\"]\n").start();
    assert_eq!(list(&server, &listing("near").header("X-Forwarded-For", "192.0.2.7")), "");
    assert_eq!(list(&server, &listing("far").header("X-Forwarded-For", "192.0.2.7")), "AccessDeniedException");
    let server = setup("[proxy_protocol]\naddresses = [\"unix\"]\n").start();
    let line = b"PROXY TCP4 192.0.2.7 10.0.0.2 4711 443\r\n";
    let answer = exchange(&server.path("gateway.sock"), &[line, listing("near").bytes().as_slice()].concat());
    assert_eq!((answer.status, &server.audit(1)[0]["sourceIPAddress"]), (200, &"192.0.2.7".into()));
}

#[test]
fn the_sockets_come_and_go_with_the_server() {
    let server = setup("listen_mode = \"0666\"\n").start();
    let (gateway, admin) = (server.path("gateway.sock"), server.path("admin.sock"));
    assert_eq!((mode(&gateway), mode(&admin)), (0o666, 0o600));
    assert_eq!(list(&server, &listing("far")), "");
    let health = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    assert_eq!(exchange(&admin, health).status, 200);
    ok(&["backup", text(&server.path("b")), "--data-dir", text(&server.path("data"))]);
    // A live one is not taken over.
    let (status, said) = Setup::new().listen(&socket(&gateway), "127.0.0.1:0").fails();
    assert!(status == Some(2) && said.contains("gateway.sock (listen): another process listens there"), "{said}");
    // What a killed one leaves is.
    let mut server = server.restart_after("KILL");
    assert_eq!(list(&server, &listing("far")), "");
    assert!(server.stop("TERM").success());
    assert!(!gateway.exists() && !admin.exists());
    // Nor is any other file.
    let other = Setup::new().file("file", "data");
    let path = other.path("file");
    let other = other.listen(&socket(&path), "127.0.0.1:0");
    let (status, said) = other.fails();
    assert!(status == Some(2) && said.contains("no socket"), "{said}");
    assert_eq!(std::fs::read_to_string(path).unwrap(), "data");
}
