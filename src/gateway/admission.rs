use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE, EXPECT, HOST, TRANSFER_ENCODING,
    UPGRADE,
};
use http::request::Parts;
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};

use super::respond::Failure;

/// Why a request does not get in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rejection {
    /// The HTTP itself is not what is served here: a bare status with a line for people.
    Bare(StatusCode, &'static str),
    /// The HTTP is fine, and AWS has an error for what it holds.
    Aws(Failure),
}

const fn bad(why: &'static str) -> Rejection {
    Rejection::Bare(StatusCode::BAD_REQUEST, why)
}

/// Gives a request of HTTP/2 the `Host` of HTTP/1.1, which is signed as it: `:authority` stands in
/// its place (RFC 9113, section 8.3.1).
pub(super) fn name_host(parts: &mut Parts) {
    if parts.version == Version::HTTP_2
        && !parts.headers.contains_key(HOST)
        && let Some(authority) = parts.uri.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        parts.headers.insert(HOST, host);
    }
}

/// Lets in only requests that have one reading: one method, one path, one host, one framing.
///
/// What stands here is what hyper 1.12 lets through and a verifier, or a proxy in front, could
/// read otherwise than we do. Malformed HTTP that hyper refuses itself does not come this far.
pub(super) fn admit(parts: &Parts, max_headers: usize) -> Result<(), Rejection> {
    request_line(parts)?;
    // HTTP/1.1 was held to it while it was read.
    if parts.headers.len() > max_headers {
        return Err(Rejection::Bare(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "there are too many headers"));
    }
    host(parts)?;
    let headers = &parts.headers;
    for (name, value) in headers {
        header(name, value)?;
    }
    framing(headers)?;
    hop_by_hop(headers)
}

/// What the KMS endpoint and the STS endpoint ask for beyond that: the path `/`, one of their methods, a
/// body that is as it was written.
pub(super) fn admit_to_root(parts: &Parts, methods: &[Method]) -> Result<(), Rejection> {
    if !methods.contains(&parts.method) {
        return Err(bad("the service does not take this method"));
    }
    if parts.uri.path() != "/" {
        return Err(bad("the path must be exactly /"));
    }
    let codings = parts.headers.get_all(CONTENT_ENCODING);
    if codings.iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Rejection::Aws(Failure::client("SerializationException", "Content-Encoding is not supported")));
    }
    Ok(())
}

/// Refuses a body that says itself that it is too long, before any of it is read.
pub(super) fn admit_length(headers: &HeaderMap, max_body_bytes: usize) -> Result<(), Rejection> {
    if declared_length(headers).is_some_and(|length| length > max_body_bytes as u64) {
        return Err(Rejection::Aws(Failure::too_large(max_body_bytes)));
    }
    Ok(())
}

fn request_line(parts: &Parts) -> Result<(), Rejection> {
    const METHODS: [Method; 6] = [Method::POST, Method::GET, Method::PUT, Method::DELETE, Method::HEAD, Method::PATCH];
    if ![Version::HTTP_10, Version::HTTP_11, Version::HTTP_2].contains(&parts.version) {
        return Err(Rejection::Bare(StatusCode::HTTP_VERSION_NOT_SUPPORTED, "only HTTP/1.1 and HTTP/2 are served"));
    }
    // HTTP/2 is spoken over TLS alone, so no other scheme can be meant (RFC 9113, section 8.3.1).
    if parts.version == Version::HTTP_2 && parts.uri.scheme() != Some(&Scheme::HTTPS) {
        return Err(bad("the scheme must be https"));
    }
    // A method is case-sensitive (RFC 9110, section 9.1): `post` is another one.
    if !METHODS.contains(&parts.method) {
        return Err(bad("the method must be one of POST, GET, PUT, DELETE, HEAD and PATCH"));
    }
    let path = parts.uri.path();
    if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(bad("the path must be absolute and ASCII"));
    }
    if !parts.uri.query().unwrap_or_default().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(bad("the query must be ASCII"));
    }
    Ok(())
}

/// Exactly one host, without user information; an absolute request target names the same.
fn host(parts: &Parts) -> Result<(), Rejection> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err(bad("there must be exactly one Host header"));
    };
    let bytes = host.as_bytes();
    let plain = !bytes.is_empty()
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:[]".contains(byte))
        && Authority::try_from(bytes).is_ok_and(|authority| !authority.host().is_empty());
    if !plain {
        return Err(bad("the Host header is not a host"));
    }
    match parts.uri.authority() {
        Some(authority) if !authority.as_str().as_bytes().eq_ignore_ascii_case(bytes) => {
            Err(bad("the request target names another host than the Host header"))
        }
        _ => Ok(()),
    }
}

/// A header's name and value have one spelling.
fn header(name: &HeaderName, value: &HeaderValue) -> Result<(), Rejection> {
    // Gateways of the CGI kind can't tell `x_amz_date` from `x-amz-date`.
    if name.as_str().contains('_') {
        return Err(bad("header names with _ are not accepted"));
    }
    let bytes = value.as_bytes();
    if bytes.is_ascii() {
        return Ok(());
    }
    if std::str::from_utf8(bytes).is_err() {
        return Err(bad("a header's value is not UTF-8"));
    }
    let decides = [AUTHORIZATION, CONTENT_TYPE, DATE].contains(name) || name.as_str().starts_with("x-amz-");
    if decides { Err(bad("a header that decides has a value that is not ASCII")) } else { Ok(()) }
}

/// One way to tell where the body ends. (hyper drops a Content-Length beside a
/// Transfer-Encoding and closes the connection after the answer.)
fn framing(headers: &HeaderMap) -> Result<(), Rejection> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return Ok(()) };
    if codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
        return Err(bad("the only transfer coding that is accepted is chunked"));
    }
    if headers.contains_key(CONTENT_LENGTH) {
        return Err(bad("Content-Length and Transfer-Encoding exclude each other"));
    }
    Ok(())
}

/// No header may be declared hop-by-hop, no other protocol asked for.
fn hop_by_hop(headers: &HeaderMap) -> Result<(), Rejection> {
    if headers.contains_key(UPGRADE) {
        return Err(bad("no other protocol is offered"));
    }
    let mut options = headers.get_all(CONNECTION).iter().flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    let known = |option: &[u8]| {
        let option = option.trim_ascii();
        option.is_empty() || option.eq_ignore_ascii_case(b"keep-alive") || option.eq_ignore_ascii_case(b"close")
    };
    if !options.all(known) {
        return Err(bad("the Connection header may say keep-alive or close only"));
    }
    let mut expectations = headers.get_all(EXPECT).iter();
    match (expectations.next(), expectations.next()) {
        (None, _) => Ok(()),
        (Some(expected), None) if expected.as_bytes().eq_ignore_ascii_case(b"100-continue") => Ok(()),
        _ => Err(Rejection::Bare(StatusCode::EXPECTATION_FAILED, "the only expectation that is met is 100-continue")),
    }
}

pub(super) fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn request() -> http::request::Builder {
        Request::builder().method("POST").uri("/").header("host", "kms.us-east-1.amazonaws.com:4599")
    }

    fn outcome(request: http::request::Builder) -> Result<(), u16> {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let admitted = admit(&parts, 100)
            .and_then(|()| admit_to_root(&parts, &[Method::POST]))
            .and_then(|()| admit_length(&parts.headers, 1000));
        admitted.map_err(|rejection| match rejection {
            Rejection::Bare(status, _) => status.as_u16(),
            Rejection::Aws(failure) => failure.status.as_u16(),
        })
    }

    #[test]
    fn what_sdks_and_curl_send_gets_in() {
        assert_eq!(outcome(request()), Ok(()));
        assert_eq!(outcome(request().header("connection", "Keep-Alive").header("expect", "100-continue")), Ok(()));
        assert_eq!(outcome(request().header("transfer-encoding", "chunked")), Ok(()));
        assert_eq!(outcome(request().header("content-encoding", "identity").header("content-length", "1000")), Ok(()));
        assert_eq!(outcome(request().header("user-agent", "é")), Ok(()));
        let absolute = Request::builder().method("POST").uri("http://Localhost:1/").header("host", "localhost:1");
        assert_eq!(outcome(absolute), Ok(()));
        assert_eq!(outcome(Request::builder().method("POST").uri("/").header("host", "[::1]:4599")), Ok(()));
    }

    #[test]
    fn what_has_two_readings_does_not() {
        let raw = |bytes: &[u8]| HeaderValue::from_bytes(bytes).unwrap();
        for (name, request) in [
            ("lower-case method", request().method("post")),
            ("another method", request().method("GET")),
            ("CONNECT", request().method("CONNECT").uri("a:1")),
            ("asterisk", request().uri("*")),
            ("TRACE", request().method("TRACE")),
            ("another path", request().uri("/a/../")),
            ("two slashes", request().uri("//")),
            ("another host in the target", request().uri("http://other/")),
            ("no host", Request::builder().method("POST").uri("/")),
            ("two hosts", request().header("host", "kms.us-east-1.amazonaws.com:4599")),
            ("user information", Request::builder().method("POST").uri("/").header("host", "u@a")),
            ("a host with a path", Request::builder().method("POST").uri("/").header("host", "a/b")),
            ("underscore", request().header("x_amz_date", "x")),
            ("not UTF-8", request().header("user-agent", raw(b"\xff"))),
            ("not ASCII", request().header("x-amz-target", raw("é".as_bytes()))),
            ("gzip, chunked", request().header("transfer-encoding", "gzip, chunked")),
            ("chunked twice", request().header("transfer-encoding", "chunked").header("transfer-encoding", "chunked")),
            ("both framings", request().header("transfer-encoding", "chunked").header("content-length", "3")),
            ("a signed header as hop-by-hop", request().header("connection", "close, x-amz-date")),
            ("upgrade", request().header("upgrade", "h2c")),
        ] {
            assert_eq!(outcome(request), Err(400), "{name}");
        }
        assert_eq!(outcome(request().header("expect", "a miracle")), Err(417));
        assert_eq!(outcome(request().header("content-encoding", "gzip")), Err(400));
    }

    #[test]
    fn a_body_one_byte_past_the_limit_is_refused_before_it_is_read() {
        assert_eq!(outcome(request().header("content-length", "1001")), Err(413));
        assert_eq!(outcome(request().header("content-length", "4294967296")), Err(413));
    }
}
