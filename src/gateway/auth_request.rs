//! `GET /auth`: the decision alone, for a proxy that asks before it passes a request on itself, in the
//! shape of nginx's `auth_request` (nginx documentation, "Module ngx_http_auth_request_module").
//!
//! The original request is told by headers that the proxy sets; its body stays with the proxy, so that
//! nothing here proves it.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Request, Response, StatusCode};

use super::asked::{Asked, KnownBody, Question, Ruling, ask};
use super::forward::identify;
use super::request_id;
use super::respond::{Answer, AnswerBody, bare};
use super::server::Peer;
use super::state::State;

const METHOD: HeaderName = HeaderName::from_static("x-original-method");
const URI: HeaderName = HeaderName::from_static("x-original-uri");
const ORIGINAL_HOST: HeaderName = HeaderName::from_static("x-original-host");
const REMOTE_ADDR: HeaderName = HeaderName::from_static("x-original-remote-addr");
const SCHEME: HeaderName = HeaderName::from_static("x-original-scheme");

/// Decides the request that a proxy asks about: 200 with who asks, 401 or 403.
pub(super) async fn decide(state: Arc<State>, peer: &Peer, headers: HeaderMap) -> Answer {
    let request_id = request_id::next();
    let (parts, source_ip, is_secure) = match original(headers) {
        Ok(original) => original,
        Err(why) => return bare(StatusCode::BAD_REQUEST, request_id, why),
    };
    let question = Question { parts, body: KnownBody::Untold, source_ip, is_secure, request_id };
    let ruling = match ask(state, peer, question).await {
        Asked::Unserved(why) => return bare(StatusCode::UNAUTHORIZED, request_id, why),
        Asked::Unauthenticated(_, mut answer) => {
            if !answer.status().is_server_error() {
                *answer.status_mut() = StatusCode::UNAUTHORIZED;
            }
            return answer;
        }
        Asked::Decided(ruling) => ruling,
    };
    let Ruling { call, report, failure } = *ruling;
    if let Some(failure) = failure {
        return call.told(&report, &failure);
    }
    let mut answer = Response::new(AnswerBody::from(Bytes::new()));
    if identify(answer.headers_mut(), &call).is_err() {
        return bare(StatusCode::INTERNAL_SERVER_ERROR, request_id, "the caller's name fits no header");
    }
    answer
}

/// The request that is asked about, where it came from, and whether by TLS.
type Original = (Parts, Option<std::net::IpAddr>, bool);

fn original(mut headers: HeaderMap) -> Result<Original, &'static str> {
    let mut take = |name: &HeaderName| -> Result<Option<String>, &'static str> {
        let mut values = headers.get_all(name).iter();
        let value = match (values.next(), values.next()) {
            (None, _) => None,
            (Some(value), None) => Some(value.to_str().map_err(|_| "an X-Original header is not ASCII")?.to_owned()),
            (Some(_), Some(_)) => return Err("an X-Original header is there twice"),
        };
        headers.remove(name);
        Ok(value)
    };
    let (Some(method), Some(uri), Some(host)) = (take(&METHOD)?, take(&URI)?, take(&ORIGINAL_HOST)?) else {
        return Err("X-Original-Method, X-Original-URI and X-Original-Host tell the request that is asked about");
    };
    let remote = take(&REMOTE_ADDR)?.map(|text| text.parse()).transpose();
    let remote = remote.map_err(|_| "X-Original-Remote-Addr is not an IP address")?;
    let is_secure = take(&SCHEME)?.is_some_and(|scheme| scheme == "https");
    // What stands behind a `#` would be decided by nobody.
    if !uri.starts_with('/') || uri.contains(['#', '\\']) {
        return Err("X-Original-URI is no path");
    }
    let request = Request::builder().method(method.as_str()).uri(uri).body(());
    let (mut parts, ()) = request.map_err(|_| "X-Original-Method or X-Original-URI cannot be read")?.into_parts();
    // What is about the question's own transport is not the original's.
    for name in [HOST, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers.insert(HOST, host.parse().map_err(|_| "X-Original-Host is no host")?);
    parts.headers = headers;
    Ok((parts, remote, is_secure))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: &[(&str, &str)]) -> Result<(String, String, usize), &'static str> {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        let (parts, ..) = original(headers)?;
        Ok((
            format!("{} {}", parts.method, parts.uri),
            parts.headers[HOST].to_str().unwrap().to_owned(),
            parts.headers.len(),
        ))
    }

    #[test]
    fn the_original_request_is_told_by_three_headers_and_no_others_decide() {
        let (method, uri, host) =
            (("x-original-method", "GET"), ("x-original-uri", "/a?b=c"), ("x-original-host", "h:1"));
        let told = read(&[method, uri, host, ("host", "keystile"), ("content-length", "0"), ("x-amz-date", "d")]);
        assert_eq!(told, Ok(("GET /a?b=c".to_owned(), "h:1".to_owned(), 2)));
        for given in [
            vec![uri, host],
            vec![method, host],
            vec![method, uri],
            vec![method, uri, host, host],
            vec![method, ("x-original-uri", "http://x/"), host],
            vec![method, uri, host, ("x-original-remote-addr", "x")],
        ] {
            assert!(read(&given).is_err(), "{given:?}");
        }
    }
}
