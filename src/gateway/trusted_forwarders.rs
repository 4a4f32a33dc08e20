//! What an HTTP proxy in front says in `X-Forwarded-` headers of the client that it asks for.

use std::net::{IpAddr, SocketAddr};

use http::header::HOST;
use http::request::Parts;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};

use super::admission::Rejection;
use super::origin::Origin;
use super::server::Peer;
use crate::config::TrustedAddresses;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

const fn bad(why: &'static str) -> Rejection {
    Rejection::Bare(StatusCode::BAD_REQUEST, why)
}

/// Who asks, as a trusted forwarder tells it; as the connection tells it where nobody is trusted. The
/// host that the client named, and signed, takes the place of the one that the forwarder asked.
///
/// # Errors
/// A header that has no reading: the forwarder would have to be guessed at.
pub(super) fn told(trusted: Option<&TrustedAddresses>, peer: &mut Peer, parts: &mut Parts) -> Result<(), Rejection> {
    let Some(trusted) = trusted.filter(|trusted| peer.origin.is_among(trusted)) else { return Ok(()) };
    if let Some(client) = client(trusted, &parts.headers)? {
        peer.origin = client;
    }
    if let Some(proto) = only(&parts.headers, &PROTO, "there are several X-Forwarded-Proto")? {
        peer.is_secure = match proto.as_bytes() {
            proto if proto.eq_ignore_ascii_case(b"https") => true,
            proto if proto.eq_ignore_ascii_case(b"http") => false,
            _ => return Err(bad("X-Forwarded-Proto is neither http nor https")),
        };
    }
    if let Some(host) = only(&parts.headers, &FORWARDED_HOST, "there are several X-Forwarded-Host")? {
        let host = host.clone();
        rename(&mut parts.uri, &host)?;
        parts.headers.insert(HOST, host);
    }
    Ok(())
}

/// The last address that is not a trusted forwarder's own: what stands before it may be the client's
/// invention, and is not looked at. Where all are trusted, the first; none where the header is missing.
fn client(trusted: &TrustedAddresses, headers: &HeaderMap) -> Result<Option<Origin>, Rejection> {
    let mut last = None;
    for value in headers.get_all(FOR).iter().rev() {
        for item in value.as_bytes().rsplit(|&byte| byte == b',') {
            let Some(address) = address(item) else {
                return Err(bad("X-Forwarded-For has no address where the client's should be"));
            };
            last = Some(Origin::of_ip(address));
            if !trusted.contain(address) {
                return Ok(last);
            }
        }
    }
    Ok(last)
}

/// `192.0.2.7`, `192.0.2.7:4711`, `2001:db8::7`, `[2001:db8::7]`, `[2001:db8::7]:4711`: as proxies
/// write them.
fn address(item: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(item).ok()?.trim_matches([' ', '\t']);
    let plain = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match plain {
        Some(plain) => plain.parse::<std::net::Ipv6Addr>().ok().map(IpAddr::V6),
        None => text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip())),
    }
}

fn only<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    several: &'static str,
) -> Result<Option<&'a HeaderValue>, Rejection> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(bad(several)),
    }
}

/// A request target that names a host names the client's, too.
fn rename(uri: &mut Uri, host: &HeaderValue) -> Result<(), Rejection> {
    if uri.authority().is_none() {
        return Ok(());
    }
    let wrong = || bad("X-Forwarded-Host is not a host");
    let mut parts = std::mem::take(uri).into_parts();
    parts.authority = Some(Authority::try_from(host.as_bytes()).map_err(|_| wrong())?);
    parts.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
    *uri = Uri::from_parts(parts).map_err(|_| wrong())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::config::{Config, Overrides};

    fn trusted() -> TrustedAddresses {
        let text = "[trusted_forwarders]\naddresses = [\"10.0.0.0/8\", \"unix\"]";
        Config::from_text(None, text, &Overrides::default()).unwrap().trusted_forwarders.unwrap()
    }

    fn from(address: &str) -> Origin {
        Origin::of_ip(address.parse().unwrap())
    }

    /// Origin, whether by TLS, host and target of a request in the clear.
    fn told_by(origin: Origin, uri: &str, given: &[(&str, &str)]) -> Result<(String, bool, String, String), Rejection> {
        let builder = Request::builder().uri(uri).header("host", "keystile:4599");
        let builder = given.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
        let (mut parts, ()) = builder.body(()).unwrap().into_parts();
        let mut peer = Peer { origin, is_secure: false, bodies: None };
        told(Some(&trusted()), &mut peer, &mut parts)?;
        let host = parts.headers[HOST].to_str().unwrap().to_owned();
        Ok((peer.origin.to_string(), peer.is_secure, host, parts.uri.to_string()))
    }

    #[test]
    fn the_last_address_that_is_no_forwarders_is_the_clients() {
        let origin = |values: &[&str]| {
            let given: Vec<_> = values.iter().map(|value| ("x-forwarded-for", *value)).collect();
            told_by(from("10.0.0.1"), "/", &given).map(|told| told.0)
        };
        for (values, expected) in [
            (&[][..], "10.0.0.1"),
            (&["192.0.2.7"], "192.0.2.7"),
            // What the client sends stands to the left of what is added.
            (&["10.9.9.9, 192.0.2.7"], "192.0.2.7"),
            (&["nonsense, 192.0.2.7,10.0.0.2 , 10.0.0.3"], "192.0.2.7"),
            (&["203.0.113.1", "192.0.2.7", "10.0.0.2"], "192.0.2.7"),
            (&["10.0.0.5, 10.0.0.6"], "10.0.0.5"),
            (&["192.0.2.7:4711"], "192.0.2.7"),
            (&["2001:db8::7"], "2001:db8::7"),
            (&["[2001:db8::7]"], "2001:db8::7"),
            (&["[2001:db8::7]:4711"], "2001:db8::7"),
            (&["::ffff:10.0.0.2, ::ffff:192.0.2.7"], "192.0.2.7"),
        ] {
            assert_eq!(origin(values), Ok(expected.to_owned()), "{values:?}");
        }
        for values in [&["unknown"][..], &[""], &["192.0.2.7, "], &["192.0.2.7", "_hidden"], &["[192.0.2.7]"], &["é"]]
        {
            assert!(origin(values).is_err(), "{values:?}");
        }
    }

    #[test]
    fn protocol_and_host_are_the_clients() {
        let given = [("x-forwarded-proto", "HTTPS"), ("x-forwarded-host", "kms.example.com")];
        let (_, is_secure, host, target) = told_by(from("10.0.0.1"), "/a?b", &given).unwrap();
        assert_eq!((is_secure, host.as_str(), target.as_str()), (true, "kms.example.com", "/a?b"));
        let (.., host, target) = told_by(from("10.0.0.1"), "https://keystile:4599/a?b", &given).unwrap();
        assert_eq!((host.as_str(), target.as_str()), ("kms.example.com", "https://kms.example.com/a?b"));
        for wrong in [
            &[("x-forwarded-proto", "https, http")][..],
            &[("x-forwarded-proto", "wss")],
            &[("x-forwarded-proto", "https"), ("x-forwarded-proto", "https")],
            &[("x-forwarded-host", "a"), ("x-forwarded-host", "b")],
        ] {
            assert!(told_by(from("10.0.0.1"), "/", wrong).is_err(), "{wrong:?}");
        }
        assert!(told_by(from("10.0.0.1"), "https://k/", &[("x-forwarded-host", "a, b")]).is_err());
    }

    #[test]
    fn nobody_else_is_believed() {
        let given = [("x-forwarded-for", "192.0.2.7"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "other")];
        let unmoved = |origin: Origin| (origin.to_string(), false, "keystile:4599".to_owned(), "/".to_owned());
        for origin in [from("11.0.0.1"), Origin::Untold] {
            assert_eq!(told_by(origin, "/", &given), Ok(unmoved(origin)));
        }
        let told = told_by(Origin::Unix, "/", &given).unwrap();
        assert_eq!((told.0.as_str(), told.1, told.2.as_str()), ("192.0.2.7", true, "other"));
    }
}
