//! HTTP proxies in front, whose `X-Forwarded-` headers are believed or not.

use crate::raw::{Request, Signer};
use crate::reload::reload;
use crate::support::Setup;
use crate::upstream::Fake;

const TRUSTING: &str = "[trusted_forwarders]\naddresses = [\"127.0.0.1\", \"10.0.0.0/8\"]\n";

fn upstream(fake: &Fake) -> String {
    format!(
        "[[upstream]]\nservice = \"thing\"\nurl = \"http://{}\"\nprotocol = \"json\"\nresources = {{ \"*\" = \"*\" }}\n",
        fake.address
    )
}

/// A request that was signed for another host than the one that the forwarder asks.
fn forwarded(host: &str, to: std::net::SocketAddr, signer: &Signer) -> Request {
    let request = Request::aws(to, "X", "{}").without("host").header("Host", host).without("x-amz-target");
    let request = request.header("X-Amz-Target", "Thing_1.DoIt").signed(signer);
    request.without("host").header("Host", &to.to_string())
}

#[test]
fn a_trusted_forwarder_tells_address_protocol_and_host() {
    let fake = Fake::start();
    let server = Setup::new().config(&format!("{TRUSTING}{}", upstream(&fake))).start();
    let signer = server.signer().of_service("thing");
    let answer = forwarded("thing.example.com", server.gateway, &signer)
        .header("X-Forwarded-For", "203.0.113.5, 192.0.2.7")
        .header("X-Forwarded-For", "10.0.0.3")
        .header("X-Forwarded-Proto", "https")
        .header("X-Forwarded-Host", "thing.example.com")
        .send(server.gateway);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = fake.next();
    for (name, value) in [
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "thing.example.com"),
        ("host", "thing.example.com"),
    ] {
        assert_eq!(seen.header(name), Some(value), "{name}");
    }
    assert_eq!(seen.head.matches("203.0.113.5").count(), 0, "{}", seen.head);
    assert_eq!(server.audit(1)[0]["sourceIPAddress"], "192.0.2.7");
}

#[test]
fn nobody_else_is_believed() {
    let fake = Fake::start();
    let server = Setup::new().config(&upstream(&fake)).start();
    let signer = server.signer().of_service("thing");
    let claim = |request: Request| {
        request
            .header("X-Forwarded-For", "192.0.2.7")
            .header("X-Forwarded-Proto", "https")
            .header("X-Forwarded-Host", "thing.example.com")
            .send(server.gateway)
    };
    let answer = claim(forwarded("thing.example.com", server.gateway, &signer));
    assert_eq!(answer.code(), "InvalidSignatureException");
    assert_eq!(claim(forwarded(&server.gateway.to_string(), server.gateway, &signer)).status, 200);
    let seen = fake.next();
    assert_eq!((seen.header("x-forwarded-for"), seen.header("x-forwarded-proto")), (Some("127.0.0.1"), Some("http")));
    // A reload makes it trusted; then what it says must have one reading.
    server.write("keystile.toml", &format!("{TRUSTING}{}", upstream(&fake)));
    reload(&server, "keystile_reloads_total ");
    assert_eq!(claim(forwarded("thing.example.com", server.gateway, &signer)).status, 200);
    for (name, value) in
        [("X-Forwarded-For", "192.0.2.7, unknown"), ("X-Forwarded-Proto", "ftp"), ("X-Forwarded-Host", "a b")]
    {
        let request = forwarded(&server.gateway.to_string(), server.gateway, &signer).header(name, value);
        assert_eq!(request.send(server.gateway).status, 400, "{name}");
    }
    let told: Vec<_> = server.audit(3).iter().map(|record| record["sourceIPAddress"].clone()).collect();
    assert_eq!(told, ["127.0.0.1", "127.0.0.1", "192.0.2.7"]);
}
