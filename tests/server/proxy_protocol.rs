//! Connections through a proxy that says, before anything else, where they come from.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ppp::v2::{Builder, Command, Protocol, Version};

use crate::raw::{Request, Response, connect};
use crate::reload::reload;
use crate::support::{Server, Setup};

const LINE: &[u8] = b"PROXY TCP4 192.0.2.7 10.0.0.2 4711 443\r\n";

fn trusting(more: &str) -> String {
    format!("[proxy_protocol]\naddresses = [\"127.0.0.0/8\"]\n{more}")
}

fn listing(server: &Server) -> Vec<u8> {
    Request::aws(server.gateway, "ListKeys", "{}").signed(&server.signer()).bytes()
}

/// The status of the answer; none where the connection is closed without one.
fn exchange(server: &Server, bytes: &[u8]) -> Option<u16> {
    let mut stream = connect(server.gateway);
    let _ = stream.write_all(bytes);
    Response::read(&mut stream).map(|answer| answer.status)
}

fn binary(command: Command, from: &str) -> Vec<u8> {
    let (from, to): (SocketAddr, SocketAddr) = (from.parse().unwrap(), "[2001:db8::1]:443".parse().unwrap());
    Builder::with_addresses(Version::Two | command, Protocol::Stream, (from, to)).build().unwrap()
}

#[test]
fn the_address_that_a_trusted_proxy_tells_is_the_one_that_counts() {
    let server = Setup::new().config(&trusting("")).start();
    let request = listing(&server);
    let headers = [
        LINE.to_vec(),
        binary(Command::Proxy, "[2001:db8::7]:4711"),
        binary(Command::Local, "[2001:db8::7]:4711"),
        b"PROXY UNKNOWN\r\n".to_vec(),
    ];
    for header in &headers {
        assert_eq!(exchange(&server, &[header.as_slice(), &request].concat()), Some(200));
    }
    let told: Vec<_> = server.audit(4).iter().map(|record| record["sourceIPAddress"].clone()).collect();
    assert_eq!(told, ["192.0.2.7", "2001:db8::7", "127.0.0.1", "127.0.0.1"]);
    // In as many pieces as there are bytes, and for all requests of the connection.
    let mut stream = connect(server.gateway);
    for byte in LINE {
        stream.write_all(&[*byte]).unwrap();
    }
    for _ in 0..2 {
        stream.write_all(&request).unwrap();
        assert_eq!(Response::read(&mut stream).unwrap().status, 200);
    }
    assert_eq!(server.audit(6)[5]["sourceIPAddress"], "192.0.2.7");
}

#[test]
fn a_proxy_that_does_not_say_so_is_not_served() {
    let server = Setup::new().config(&trusting("[limits]\nheader_timeout = \"500ms\"\n")).start();
    let request = listing(&server);
    assert_eq!(exchange(&server, &request), None, "no header");
    assert_eq!(exchange(&server, &[b"PROXY TCP4 192.0.2.7\r\n", request.as_slice()].concat()), None, "malformed");
    let mut foreign = binary(Command::Proxy, "[2001:db8::7]:4711");
    foreign[12] = 0x11;
    assert_eq!(exchange(&server, &[foreign.as_slice(), &request].concat()), None, "another version");
    let began = Instant::now();
    let mut stream = connect(server.gateway);
    stream.write_all(&LINE[..20]).unwrap();
    assert_eq!(stream.read(&mut [0; 16]).unwrap_or(0), 0, "half a header");
    let waited = began.elapsed();
    assert!(waited >= Duration::from_millis(400) && waited < Duration::from_secs(5), "{waited:?}");
    assert_eq!(exchange(&server, &[LINE, LINE, &request].concat()), Some(400), "a second header is no HTTP");
    assert_eq!(exchange(&server, &[LINE, &request].concat()), Some(200));
    let (_, metrics) = server.admin("GET", "/metrics", "");
    assert!(metrics.contains("keystile_unproxied_connections_total 4"), "{metrics}");
}

#[test]
fn who_is_no_trusted_proxy_is_refused_unless_it_may_come_directly() {
    let strangers = |others: &str| format!("[proxy_protocol]\naddresses = [\"10.0.0.0/8\"]\nothers = \"{others}\"\n");
    let server = Setup::new().config(&strangers("refused")).start();
    let request = listing(&server);
    assert_eq!(exchange(&server, &request), None);
    assert_eq!(exchange(&server, &[LINE, &request].concat()), None);
    server.write("keystile.toml", &strangers("direct"));
    reload(&server, "keystile_reloads_total ");
    assert_eq!(exchange(&server, &request), Some(200));
    assert_eq!(exchange(&server, &[LINE, &request].concat()), Some(400), "what it says is not asked for");
    assert_eq!(server.audit(1)[0]["sourceIPAddress"], "127.0.0.1");
}

#[test]
fn headers_of_http_are_believed_from_who_the_proxy_says_is_there() {
    let server = Setup::new().config(&trusting("[trusted_forwarders]\naddresses = [\"10.0.0.0/8\"]\n")).start();
    let request = Request::aws(server.gateway, "ListKeys", "{}").signed(&server.signer());
    let request = request.header("X-Forwarded-For", "198.51.100.1").bytes();
    assert_eq!(exchange(&server, &[LINE, &request].concat()), Some(200));
    let forwarder = b"PROXY TCP4 10.0.0.9 10.0.0.2 4711 443\r\n";
    assert_eq!(exchange(&server, &[forwarder, request.as_slice()].concat()), Some(200));
    let told: Vec<_> = server.audit(2).iter().map(|record| record["sourceIPAddress"].clone()).collect();
    assert_eq!(told, ["192.0.2.7", "198.51.100.1"]);
}
