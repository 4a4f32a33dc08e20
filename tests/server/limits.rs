//! One client that takes too much, and the others that go on.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use crate::raw::{Request, Response, Signer, connect};
use crate::reload::reload;
use crate::support::{Server, Setup};

const KEYS: &str = r#"
[[access_key]]
id = "AKIAALICE00000000001"
secret = "alice-secret-alice-secret-alice-secret-1"
principal = "arn:aws:iam::111122223333:user/alice"

[[access_key]]
id = "ASIAROTATOR000000001"
secret = "first-secret-first-secret-first-secret-1"
session_token = "first"
principal = "arn:aws:sts::111122223333:assumed-role/Rotator/first"
expires = "2100-01-01T00:00:00Z"

[[access_key]]
id = "ASIAROTATOR000000002"
secret = "other-secret-other-secret-other-secret-1"
session_token = "other"
principal = "arn:aws:sts::111122223333:assumed-role/Rotator/other"
expires = "2100-01-01T00:00:00Z"

[[access_key]]
id = "AKIABOBOFTHEOTHER001"
secret = "bobby-secret-bobby-secret-bobby-secret-1"
principal = "arn:aws:iam::444455556666:user/bob"
"#;

fn alice(server: &Server) -> Request {
    let signer = Signer::new("AKIAALICE00000000001", "alice-secret-alice-secret-alice-secret-1");
    Request::aws(server.gateway, "ListKeys", "{}").signed(&signer)
}

fn bob(server: &Server) -> Request {
    let signer = Signer::new("AKIABOBOFTHEOTHER001", "bobby-secret-bobby-secret-bobby-secret-1");
    Request::aws(server.gateway, "ListKeys", "{}").signed(&signer)
}

fn session(server: &Server, number: u8, name: &str) -> Request {
    let id = format!("ASIAROTATOR00000000{number}");
    let signer = Signer::new(&id, &format!("{name}-secret-{name}-secret-{name}-secret-1"));
    Request::aws(server.gateway, "ListKeys", "{}").header("X-Amz-Security-Token", name).signed(&signer)
}

fn team(limits: &str) -> Server {
    let config = format!("[iam]\ncredentials = [\"keys.toml\"]\n{limits}");
    Setup::new().config(&config).file("keys.toml", KEYS).start()
}

/// The code of the answer; empty for success.
fn code(server: &Server, request: &Request) -> String {
    request.send(server.gateway).code()
}

fn is_throttled(answer: &Response) -> bool {
    let waits = answer.header("retry-after").and_then(|seconds| seconds.parse::<u64>().ok());
    assert_eq!(answer.code() == "ThrottlingException", waits.is_some_and(|seconds| seconds > 0), "{}", answer.text());
    waits.is_some()
}

#[test]
fn a_flood_from_one_address_leaves_the_others_be() {
    let limits =
        "[limits.source]\nrequests_per_second = 1\nburst = 3\n[trusted_forwarders]\naddresses = [\"127.0.0.1\"]\n";
    let server = Setup::new().config(limits).start();
    let good = Request::aws(server.gateway, "ListKeys", "{}").signed(&server.signer());
    let bad = Request::aws(server.gateway, "ListKeys", "{}").signed(&Signer::new("AKIANOBODY0000000001", "no"));
    let from =
        |request: &Request, address: &str| request.clone().header("X-Forwarded-For", address).send(server.gateway);
    for _ in 0..3 {
        assert_eq!(from(&bad, "192.0.2.7").code(), "UnrecognizedClientException");
    }
    let refused = from(&bad, "192.0.2.7");
    assert_eq!((refused.status, is_throttled(&refused)), (400, true));
    assert!(is_throttled(&from(&good, "192.0.2.7")), "nothing is known yet of who asks");
    assert_eq!(from(&good, "192.0.2.8").status, 200);
    for last in 1..=3 {
        assert_eq!(from(&good, &format!("2001:db8::{last}")).status, 200);
    }
    assert!(is_throttled(&from(&good, "2001:db8::ffff:1")), "a network counts as one");
    assert_eq!(from(&good, "2001:db8:0:1::1").status, 200);
    // What is refused before anybody is known fills no log.
    let records = server.audit(8);
    assert_eq!((records.len(), &records[0]["sourceIPAddress"]), (8, &"192.0.2.7".into()));
    let (_, metrics) = server.admin("GET", "/metrics", "");
    for counted in [
        r#"keystile_limited_requests_total{limit="source"} 3"#,
        r#"keystile_requests_total{operation="ListKeys",outcome="throttled"} 3"#,
    ] {
        assert!(metrics.contains(counted), "{metrics}");
    }
}

#[test]
fn each_protocol_says_so_in_its_own_words() {
    let config =
        "[limits.source]\nrequests_at_once = 1\n[[upstream]]\nservice = \"s3\"\nurl = \"http://127.0.0.1:1\"\n";
    let server = Setup::new().config(config).start();
    let _under_way = begun(&server, 100, 50);
    let bad = Signer::new("AKIANOBODY0000000001", "no");
    let request = Request::aws(server.gateway, "ListKeys", "{}");
    let s3 = Request::aws(server.gateway, "X", "").without("x-amz-target").without("content-type").method("GET");
    let s3 = s3.target("/bucket/key").signed(&bad.of_service("s3")).send(server.gateway);
    assert_eq!((s3.status, s3.header("retry-after")), (503, Some("1")), "{}", s3.text());
    assert!(s3.text().contains("<Code>SlowDown</Code>"), "{}", s3.text());
    let sts = Signer::new("AKIANOBODY0000000001", "no").of_service("sts");
    let sts = request.without("x-amz-target").signed(&sts).send(server.gateway);
    assert_eq!(sts.status, 400);
    assert!(sts.text().contains("<Code>Throttling</Code>"), "{}", sts.text());
}

/// A request of which the body is begun and not ended.
fn begun(server: &Server, length: usize, sent: usize) -> (TcpStream, Vec<u8>) {
    let body = format!("{{{}}}", " ".repeat(length - 2));
    let bytes = Request::aws(server.gateway, "ListKeys", &body).signed(&server.signer()).bytes();
    let mut stream = connect(server.gateway);
    let (first, rest) = bytes.split_at(bytes.len() - length + sent);
    stream.write_all(first).unwrap();
    // Until the server has read it.
    std::thread::sleep(Duration::from_millis(300));
    (stream, rest.to_vec())
}

#[test]
fn an_address_has_no_more_under_way_than_it_may() {
    let server = Setup::new().config("[limits.source]\nrequests_at_once = 2\n").start();
    let (mut first, rest) = begun(&server, 100, 50);
    let (second, _) = begun(&server, 100, 50);
    let answer = server.call("ListKeys", "{}");
    assert_eq!((answer.code().as_str(), answer.header("retry-after")), ("ThrottlingException", Some("1")));
    first.write_all(&rest).unwrap();
    assert_eq!(Response::read(&mut first).unwrap().status, 200);
    assert_eq!(server.call("ListKeys", "{}").status, 200);
    // Who goes away gives back its place.
    let (_third, _) = begun(&server, 100, 50);
    assert!(is_throttled(&server.call("ListKeys", "{}")));
    drop(second);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(server.call("ListKeys", "{}").status, 200);
}

#[test]
fn an_address_has_no_more_connections_than_it_may() {
    let server = Setup::new().config("[limits.source]\nconnections_at_once = 2\n").start();
    let request = Request::aws(server.gateway, "ListKeys", "{}").signed(&server.signer()).bytes();
    let ask = |stream: &mut TcpStream| {
        let _ = stream.write_all(&request);
        Response::read(stream).map(|answer| answer.status)
    };
    let (mut first, mut second) = (connect(server.gateway), connect(server.gateway));
    assert_eq!((ask(&mut first), ask(&mut second)), (Some(200), Some(200)));
    let mut third = connect(server.gateway);
    assert_eq!(ask(&mut third), None, "closed without an answer");
    drop(first);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(ask(&mut connect(server.gateway)), Some(200));
    let (_, metrics) = server.admin("GET", "/metrics", "");
    assert!(metrics.contains(r#"keystile_limited_requests_total{limit="source_connections"} 1"#), "{metrics}");
}

#[test]
fn a_role_is_counted_with_all_its_sessions() {
    let server = team("[limits.caller]\neach = \"principal\"\nrequests_per_second = 1\nburst = 2\n");
    assert_eq!(code(&server, &session(&server, 1, "first")), "AccessDeniedException");
    assert_eq!(code(&server, &session(&server, 2, "other")), "AccessDeniedException");
    assert!(is_throttled(&session(&server, 1, "first").send(server.gateway)));
    assert_eq!(code(&server, &alice(&server)), "AccessDeniedException");
    let records = server.audit(4);
    assert_eq!(records[2]["errorCode"], "ThrottlingException");
    assert_eq!(records[2]["eventName"], "ListKeys");
    assert_eq!(records[2]["userIdentity"]["arn"], "arn:aws:sts::111122223333:assumed-role/Rotator/first");
    let (_, metrics) = server.admin("GET", "/metrics", "");
    for counted in [
        r#"keystile_limited_requests_total{limit="caller"} 1"#,
        r#"keystile_requests_total{operation="ListKeys",outcome="throttled"} 1"#,
    ] {
        assert!(metrics.contains(counted), "{metrics}");
    }
}

#[test]
fn an_account_is_counted_with_all_its_principals_and_a_reload_changes_that() {
    let limits = "[limits.caller]\nrequests_per_second = 1\nburst = 2\n";
    let server = team(limits);
    // A signature that does not hold is nobody's.
    let forged = Signer::new("AKIAALICE00000000001", "wrong");
    let forged = Request::aws(server.gateway, "ListKeys", "{}").signed(&forged);
    for _ in 0..3 {
        assert_eq!(code(&server, &forged), "InvalidSignatureException");
    }
    assert_eq!(code(&server, &session(&server, 1, "first")), "AccessDeniedException");
    assert_eq!(code(&server, &alice(&server)), "AccessDeniedException");
    assert!(is_throttled(&alice(&server).send(server.gateway)));
    assert_eq!(code(&server, &bob(&server)), "AccessDeniedException");
    server.write("keystile.toml", "[iam]\ncredentials = [\"keys.toml\"]\n");
    reload(&server, "keystile_reloads_total ");
    for _ in 0..3 {
        assert_eq!(code(&server, &alice(&server)), "AccessDeniedException");
    }
}

#[test]
fn bodies_that_nobody_has_signed_yet_have_one_budget() {
    let server = Setup::new().config("[limits]\nmax_body_bytes = \"64KiB\"\nmax_buffered_bytes = \"64KiB\"\n").start();
    // The last byte of the budget is there for who comes last.
    let (mut first, rest) = begun(&server, 65_536, 65_535);
    let (mut second, _) = begun(&server, 100, 50);
    let refused = Response::read(&mut second).unwrap();
    assert_eq!((refused.status, refused.code().as_str()), (503, "ServiceUnavailableException"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    // What comes in one piece does not wait in memory, and is served.
    assert_eq!(server.call("ListKeys", "{}").status, 200);
    first.write_all(&rest).unwrap();
    assert_eq!(Response::read(&mut first).unwrap().status, 200);
    assert_eq!(server.call("ListKeys", "{}").status, 200);
    // Who goes away takes nothing with it; who announces much has none of it yet.
    let (gone, _) = begun(&server, 65_536, 65_535);
    drop(gone);
    std::thread::sleep(Duration::from_millis(300));
    let (_announced, _) = begun(&server, 65_536, 0);
    let (mut last, rest) = begun(&server, 65_536, 65_535);
    last.write_all(&rest).unwrap();
    assert_eq!(Response::read(&mut last).unwrap().status, 200);
    let (_, metrics) = server.admin("GET", "/metrics", "");
    assert!(metrics.contains(r#"keystile_limited_requests_total{limit="buffered_bytes"} 1"#), "{metrics}");
}
