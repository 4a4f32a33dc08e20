//! The attacks that a gateway stands against before a signature is looked at, by their numbers in
//! the threat table (`docs/`): each sends bytes that no SDK would.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::raw::{Request, Response, Signer, connect, exchange};
use crate::support::{Server, Setup};

struct Bench {
    server: Server,
    signer: Signer,
}

impl Bench {
    fn new() -> Self {
        let server = Server::start();
        let signer = server.signer();
        Self { server, signer }
    }

    fn request(&self) -> Request {
        Request::aws(self.server.gateway, "ListKeys", "{}")
    }

    fn signed(&self) -> Request {
        self.request().signed(&self.signer)
    }

    fn send(&self, request: &Request) -> Response {
        request.send(self.server.gateway)
    }

    /// The status that each request gets, and after them all that the server still serves.
    fn expect(&self, status: u16, requests: impl IntoIterator<Item = (&'static str, Request)>) {
        for (name, request) in requests {
            let answer = self.send(&request);
            assert_eq!(answer.status, status, "{name}: {}", answer.text());
        }
        self.still_serves();
    }

    fn still_serves(&self) {
        let answer = self.send(&self.signed());
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

#[test]
fn a26_a27_only_one_path_is_served() {
    let bench = Bench::new();
    // The signature is over `/`, which is what the first three normalise to.
    let at = |target| (target, bench.signed().target(target));
    bench.expect(400, ["/a/../", "//", "/./", "/%2e%2e/", "/%2F", "/\\", "/%zz", "/%", "/?%zz", "/?a=%"].map(at));
}

#[test]
fn a28_a_target_that_names_another_host() {
    let bench = Bench::new();
    bench.expect(400, [("other host", bench.signed().target("http://kms.us-east-1.amazonaws.com/"))]);
    let same = format!("http://{}/", bench.server.gateway);
    assert_eq!(bench.send(&bench.signed().target(&same)).status, 200);
}

#[test]
fn a29_targets_of_other_forms() {
    let bench = Bench::new();
    bench.expect(
        400,
        [
            ("GET foo", bench.signed().method("GET").target("foo")),
            ("POST foo", bench.signed().target("foo")),
            ("OPTIONS *", bench.signed().method("OPTIONS").target("*")),
            ("CONNECT", bench.signed().method("CONNECT").target("127.0.0.1:22")),
        ],
    );
}

#[test]
fn a30_there_is_one_host() {
    let bench = Bench::new();
    let host = bench.server.gateway.to_string();
    bench.expect(
        400,
        [
            ("none", bench.signed().without("host")),
            ("two", bench.signed().header("Host", &host)),
            ("user information", bench.request().without("host").header("Host", "u@a").signed(&bench.signer)),
            ("empty", bench.request().without("host").header("Host", "").signed(&bench.signer)),
        ],
    );
}

#[test]
fn a32_methods_are_case_sensitive() {
    let bench = Bench::new();
    bench.expect(
        400,
        [
            ("post", bench.request().method("post").signed(&bench.signer)),
            ("GET", bench.request().method("GET").signed(&bench.signer)),
        ],
    );
}

#[test]
fn a33_a_fragment_is_never_part_of_what_is_served() {
    let bench = Bench::new();
    // hyper drops it: what is served is the path that was verified.
    assert!([200, 400].contains(&bench.send(&bench.signed().target("/#frag")).status));
    bench.expect(400, [("a path before it", bench.signed().target("/x#frag"))]);
}

#[test]
fn a34_bytes_that_are_no_text() {
    let bench = Bench::new();
    bench.expect(
        400,
        [
            ("raw UTF-8 path", bench.signed().target("/é")),
            ("raw UTF-8 query", bench.signed().target("/?é")),
            ("a header that is not UTF-8", bench.signed().header_bytes("X-Other", b"\xff\xfe")),
            ("a target that is not ASCII", bench.request().header("X-Amz-Foo", "é").signed(&bench.signer)),
        ],
    );
}

#[test]
fn a35_header_names_with_an_underscore() {
    let bench = Bench::new();
    bench.expect(400, [("x_amz_date", bench.signed().header("X_Amz_Date", "20260101T000000Z"))]);
}

#[test]
fn a36_no_second_request_is_smuggled() {
    let bench = Bench::new();
    bench.expect(400, [("gzip, chunked", bench.signed().header("Transfer-Encoding", "gzip, chunked"))]);
    let smuggled = bench.signed().bytes();
    for first in ["Content-Length", "Transfer-Encoding"] {
        let outer = bench.request().signed(&bench.signer);
        let length = smuggled.len() + 5;
        let outer = if first == "Content-Length" {
            outer.header("Content-Length", &length.to_string()).header("Transfer-Encoding", "chunked")
        } else {
            outer.header("Transfer-Encoding", "chunked").header("Content-Length", &length.to_string())
        };
        let mut bytes = outer.head();
        bytes.extend_from_slice(b"0\r\n\r\n");
        bytes.extend_from_slice(&smuggled);
        let mut stream = connect(bench.server.gateway);
        stream.write_all(&bytes).unwrap();
        let answer = Response::read(&mut stream).unwrap();
        assert_ne!(answer.status, 200, "the body is not the one that was signed");
        assert!(Response::read(&mut stream).is_none(), "{first} first: a second request was served");
    }
    bench.still_serves();
}

#[test]
fn a37_framing_that_has_two_readings() {
    let bench = Bench::new();
    let framed = |value| bench.signed().header("Content-Length", value);
    bench.expect(
        400,
        [
            ("differing lengths", framed("2").header("Content-Length", "3")),
            ("a list", framed("2, 2")),
            ("a sign", framed("+2")),
            ("obs-fold", bench.signed().header("X-Other", "a\r\n b")),
            ("a space before the colon", bench.signed().header("X-Other ", "a")),
            ("transfer coding on HTTP/1.0", bench.signed().version("HTTP/1.0").header("Transfer-Encoding", "chunked")),
            ("NUL", bench.signed().header_bytes("X-Other", b"a\0b")),
            ("a bare CR", bench.signed().header_bytes("X-Other", b"a\rb")),
        ],
    );
}

#[test]
fn a38_lenient_spellings_have_one_reading() {
    let bench = Bench::new();
    let text = String::from_utf8(bench.signed().bytes()).unwrap().replace("\r\n", "\n");
    assert_eq!(exchange(bench.server.gateway, text.as_bytes()).status, 200);
    let twice = bench.signed().header("Content-Length", "2").header("Content-Length", "2");
    assert_eq!(bench.send(&twice).status, 200);
}

#[test]
fn a39_trailers_are_dropped() {
    let bench = Bench::new();
    let request = bench.signed().header("Transfer-Encoding", "chunked").header("Trailer", "x-amz-target");
    let mut bytes = request.head();
    bytes.extend_from_slice(b"2\r\n{}\r\n0\r\nX-Amz-Target: TrentService.CreateKey\r\n\r\n");
    let answer = exchange(bench.server.gateway, &bytes);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.json()["Keys"].is_array());
}

#[test]
fn a40_no_header_is_declared_hop_by_hop() {
    let bench = Bench::new();
    bench.expect(
        400,
        [
            ("a signed one", bench.signed().header("Connection", "close, X-Amz-Date")),
            ("authorization", bench.signed().header("Connection", "authorization")),
            ("te", bench.signed().header("Connection", "TE")),
        ],
    );
}

#[test]
fn a41_a_client_cannot_say_where_it_comes_from() {
    let bench = Bench::new();
    let request = bench.signed().header("X-Forwarded-For", "10.1.2.3").header("Forwarded", "for=10.1.2.3");
    assert_eq!(bench.send(&request.header("X-Keystile-Principal", "root")).status, 200);
    assert_eq!(bench.server.audit(1)[0]["sourceIPAddress"], "127.0.0.1");
}

#[test]
fn a42_no_other_protocol() {
    let bench = Bench::new();
    bench.expect(
        400,
        [
            ("h2c", bench.signed().header("Connection", "Upgrade, HTTP2-Settings").header("Upgrade", "h2c")),
            ("websocket", bench.signed().header("Upgrade", "websocket")),
        ],
    );
    let mut stream = connect(bench.server.gateway);
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 2"), "{answer:?}");
    bench.still_serves();
}

#[test]
fn a43_a_body_is_not_decompressed() {
    let bench = Bench::new();
    let answer = bench.send(&bench.signed().header("Content-Encoding", "gzip"));
    assert_eq!((answer.status, answer.code().as_str()), (400, "SerializationException"));
    assert_eq!(bench.send(&bench.signed().header("Content-Encoding", "identity")).status, 200);
}

#[test]
fn a44_a46_a47_a_body_has_one_reading() {
    let bench = Bench::new();
    let deep = |depth: usize| format!("{{\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    for (name, body) in [
        ("duplicate member", r#"{"KeyId":"a","KeyId":"b"}"#.to_owned()),
        ("duplicate member by escape", r#"{"KeyId":"a","Key\u0049d":"b"}"#.to_owned()),
        (
            "duplicate member inside",
            r#"{"EncryptionContext":{"a":"b","a":"c"},"KeyId":"a","Plaintext":"QQ=="}"#.to_owned(),
        ),
        ("NaN", r#"{"Limit":NaN}"#.to_owned()),
        ("1e999", r#"{"Limit":1e999}"#.to_owned()),
        ("lone surrogate", r#"{"Marker":"\ud800"}"#.to_owned()),
        ("byte order mark", "\u{feff}{}".to_owned()),
        ("trailing bytes", "{} {}".to_owned()),
        ("not an object", "[]".to_owned()),
        ("too deep", deep(200)),
        ("far too deep", deep(100_000)),
    ] {
        let operation = if name == "duplicate member inside" { "Encrypt" } else { "ListKeys" };
        let answer =
            Request::aws(bench.server.gateway, operation, &body).signed(&bench.signer).send(bench.server.gateway);
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "SerializationException"),
            "{name}: {}",
            answer.text()
        );
    }
    bench.still_serves();
}

#[test]
fn a48_a_target_has_one_spelling() {
    let bench = Bench::new();
    let with = |target: &str| bench.request().without("x-amz-target").header("X-Amz-Target", target);
    for (name, request) in [
        ("unknown", with("TrentService.Nonsense")),
        ("another service", with("DynamoDB_20120810.ListTables")),
        ("lower-case", with("trentservice.listkeys")),
        ("lower-case operation", with("TrentService.listKeys")),
        ("none", bench.request().without("x-amz-target")),
    ] {
        let answer = bench.send(&request.signed(&bench.signer));
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "UnknownOperationException"),
            "{name}: {}",
            answer.text()
        );
    }
    let twice = bench.request().header("X-Amz-Target", "TrentService.ListKeys").signed(&bench.signer);
    assert_eq!(bench.send(&twice).status, 400);
    bench.still_serves();
}

#[test]
fn a51_a_body_past_the_limit_is_refused_at_the_limit() {
    const LIMIT: usize = 1 << 20;
    let bench = Bench::new();
    let body = |length: usize| format!("{{\"x\":\"{}\"}}", "x".repeat(length - 8));
    let sized = |length| Request::aws(bench.server.gateway, "ListKeys", &body(length)).signed(&bench.signer);
    assert_eq!(bench.send(&sized(LIMIT)).status, 200, "at the limit");
    // Only the head is sent: the answer comes without the body having been asked for.
    for length in [(LIMIT + 1).to_string(), (4u64 << 30).to_string(), u64::MAX.to_string()] {
        let head = bench.signed().header("Content-Length", &length).header("Expect", "100-continue").head();
        let answer = exchange(bench.server.gateway, &head);
        // A length that no integer holds is refused by hyper, as too large a head.
        assert!([413, 431].contains(&answer.status), "{length}: {}", answer.status);
    }
    let mut chunked = bench.signed().header("Transfer-Encoding", "chunked").head();
    for _ in 0..33 {
        chunked.extend_from_slice(format!("8000\r\n{}\r\n", "x".repeat(0x8000)).as_bytes());
    }
    assert_eq!(exchange(bench.server.gateway, &chunked).status, 413);
    bench.still_serves();
}

#[test]
fn a52_slow_clients_are_cut_off_and_others_served() {
    let server = Setup::new()
        .config("[limits]\nheader_timeout = \"300ms\"\nbody_timeout = \"300ms\"\nidle_timeout = \"1s\"\n")
        .start();
    let request = || Request::aws(server.gateway, "ListKeys", "{}").signed(&server.signer());

    let begun = Instant::now();
    let mut slow_head = connect(server.gateway);
    slow_head.write_all(b"POST / HTTP/1.1\r\nHost:").unwrap();
    let mut slow_body = connect(server.gateway);
    slow_body.write_all(&request().head()).unwrap();
    let mut idle = connect(server.gateway);
    idle.write_all(&request().bytes()).unwrap();
    assert_eq!(Response::read(&mut idle).unwrap().status, 200);

    assert_eq!(request().send(server.gateway).status, 200, "others are served");
    assert_eq!(Response::read(&mut slow_body).unwrap().status, 408);
    assert!(ended(&mut slow_head), "a head that does not end is cut off");
    assert!(begun.elapsed() < Duration::from_millis(900), "before the time for idle ones: {:?}", begun.elapsed());
    // Idle for longer than a head may take, and still welcome.
    idle.write_all(&request().bytes()).unwrap();
    assert_eq!(Response::read(&mut idle).unwrap().status, 200);
    assert!(ended(&mut idle), "an idle connection is closed silently");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

/// Whether the server closed a connection, without a word.
fn ended(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => rest.is_empty(),
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn a53_heads_past_the_limits() {
    let bench = Bench::new();
    let many = (0..150).fold(bench.signed(), |request, n| request.header(&format!("X-Other-{n}"), "x"));
    let long_target = bench.signed().target(&format!("/?{}", "a".repeat(64 << 10)));
    let long_header = bench.signed().header("X-Other", &"x".repeat(400 << 10));
    for (name, request) in [("many", many), ("long target", long_target), ("long header", long_header)] {
        let status = bench.send(&request).status;
        assert!((400..500).contains(&status), "{name}: {status}");
    }
    bench.still_serves();
}

#[test]
fn connections_past_the_limit_wait_for_a_place() {
    let server = Setup::new().config("[limits]\nmax_connections = 2\n").start();
    let request = Request::aws(server.gateway, "ListKeys", "{}").signed(&server.signer()).bytes();
    let (first, second) = (connect(server.gateway), connect(server.gateway));
    std::thread::sleep(Duration::from_millis(200));
    let mut third = connect(server.gateway);
    third.write_all(&request).unwrap();
    third.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(third.read(&mut [0]).is_err(), "nobody is served past the limit");
    drop(first);
    third.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert_eq!(Response::read(&mut third).unwrap().status, 200);
    drop(second);
}

#[test]
fn curl_may_ask_before_it_sends_a_large_body() {
    let bench = Bench::new();
    let request = bench.signed().header("Expect", "100-continue");
    let mut stream = connect(bench.server.gateway);
    stream.write_all(&request.head()).unwrap();
    let mut answer = [0; 25];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(&request.body).unwrap();
    assert_eq!(Response::read(&mut stream).unwrap().status, 200);
}
