use std::io::Write;
use std::time::{Duration, Instant};

use crate::raw::{Request, Response, connect};
use crate::support::{Server, Setup};

#[test]
fn a_request_under_way_is_answered_before_the_server_stops() {
    let mut server = Server::start();
    let request = Request::aws(server.gateway, "ListKeys", "{}").signed(&server.signer());
    let mut stream = connect(server.gateway);
    stream.write_all(&request.head()).unwrap();
    // The head is in, the body is not: the request is under way.
    std::thread::sleep(Duration::from_millis(200));
    let idle = connect(server.gateway);
    server.signal("TERM");
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(server.admin("GET", "/readyz", "").0, 503);
    assert_eq!(server.admin("GET", "/healthz", "").0, 200);
    assert!(std::net::TcpStream::connect(server.gateway).is_err(), "nobody new gets in");
    stream.write_all(&request.body).unwrap();
    let answer = Response::read(&mut stream).expect("an answer");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("connection"), Some("close"));
    drop(idle);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_drain_that_takes_too_long_ends() {
    let mut server = Setup::new().config("[limits]\ndrain_timeout = \"500ms\"\n").start();
    let request = Request::aws(server.gateway, "ListKeys", "{}").signed(&server.signer());
    let mut stream = connect(server.gateway);
    stream.write_all(&request.head()).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let begun = Instant::now();
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(5));
}
