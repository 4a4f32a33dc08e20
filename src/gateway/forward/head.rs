//! The head of a request as an upstream gets it: what was verified, without what was the gateway's.

use std::fmt::Write as _;

use http::header::InvalidHeaderValue;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, EXPECT, FORWARDED, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::super::call::Call;
use crate::aws::Principal;
use crate::sigv4::Payload;

/// What only the gateway says.
const OURS: &str = "x-keystile-";
const FORWARDED_PREFIX: &str = "x-forwarded-";
/// What some servers take for the path, or for where a request came from.
const OTHER_PATHS: [&str; 4] = ["x-original-url", "x-original-uri", "x-rewrite-url", "x-forwarded"];
const SECURITY_TOKEN: &str = "x-amz-security-token";
pub(super) const CONTENT_SHA256: &str = "x-amz-content-sha256";
const DECODED_LENGTH: &str = "x-amz-decoded-content-length";
const TRAILERS: &str = "x-amz-trailer";

/// The parameters of a presigned request: all that its signature is made of.
const PRESIGNED: [&str; 9] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
    "X-Amz-Security-Token",
    "X-Amz-Region-Set",
    "X-Amz-Content-Sha256",
];

/// Whether a header ends at this hop (RFC 9110, section 7.6.1).
pub(super) fn is_hop_by_hop(name: &HeaderName) -> bool {
    [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE].contains(name)
        || ["keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization"].contains(&name.as_str())
}

/// The client's headers without those that end here, that are about its signature, or that only the
/// gateway may write. The body's length is told by whoever sends it.
pub(super) fn headers(parts: &Parts) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(parts.headers.len());
    for (name, value) in &parts.headers {
        let text = name.as_str();
        let stays = !is_hop_by_hop(name)
            && ![AUTHORIZATION, CONTENT_LENGTH, EXPECT, FORWARDED].contains(name)
            && ![SECURITY_TOKEN, "x-real-ip", "x-amz-region-set"].contains(&text)
            && !OTHER_PATHS.contains(&text)
            && !text.starts_with(OURS)
            && !text.starts_with(FORWARDED_PREFIX);
        if stays {
            headers.append(name, value.clone());
        }
    }
    headers
}

/// Path and query as they were verified, without the signature of a presigned request.
pub(super) fn path_and_query(parts: &Parts) -> String {
    let mut target = parts.uri.path().to_owned();
    let is_of_signature = |pair: &&str| {
        let name = pair.split_once('=').map_or(*pair, |(name, _)| name);
        let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
        PRESIGNED.contains(&&*name)
    };
    let mut before = '?';
    for pair in parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        if !is_of_signature(&pair) {
            let _ = write!(target, "{before}{pair}");
            before = '&';
        }
    }
    target
}

/// Who asks, for a service that trusts the gateway.
pub(in super::super) fn identify(headers: &mut HeaderMap, call: &Call) -> Result<(), InvalidHeaderValue> {
    let caller = &call.identity.caller;
    let mut set = |name: &'static str, value: &str| -> Result<(), InvalidHeaderValue> {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value)?);
        Ok(())
    };
    set("x-keystile-principal-arn", &caller.principal.to_string())?;
    set("x-keystile-account", caller.account.as_str())?;
    if let Principal::Session(arn) = &caller.principal
        && let Some(session) = arn.resource().rsplit('/').next()
    {
        set("x-keystile-session-name", session)?;
    }
    set("x-keystile-region", call.surroundings.region.as_str())?;
    set("x-keystile-request-id", &call.request_id.to_string())?;
    set("x-keystile-decision", "allow")
}

/// Where the request came from, as proxies tell it.
pub(super) fn tell_hop(headers: &mut HeaderMap, call: &Call, host: Option<&HeaderValue>) {
    let mut set = |name: &'static str, value: HeaderValue| headers.insert(HeaderName::from_static(name), value);
    if let Some(address) = call.surroundings.source_ip
        && let Ok(address) = HeaderValue::from_str(&address.to_string())
    {
        set("x-forwarded-for", address);
    }
    let is_secure = call.surroundings.secure_transport;
    set("x-forwarded-proto", HeaderValue::from_static(if is_secure { "https" } else { "http" }));
    if let Some(host) = host {
        set("x-forwarded-host", host.clone());
    }
}

/// Names the framing of a streamed body as the upstream gets it. Signed chunks go on as a plain body,
/// or, with a checksum behind them, as unsigned chunks: their signatures were the client's.
pub(super) fn name_payload(headers: &mut HeaderMap, payload: Payload) {
    match payload {
        Payload::Whole | Payload::Sha256 | Payload::Unsigned => {}
        Payload::SignedChunks { trailer: false } => {
            undo_framing(headers);
        }
        Payload::SignedChunks { trailer: true } | Payload::UnsignedChunks => {
            headers.insert(CONTENT_SHA256, HeaderValue::from_static("STREAMING-UNSIGNED-PAYLOAD-TRAILER"));
        }
    }
}

/// A body whose chunks were taken apart is no longer one of chunks.
pub(super) fn undo_framing(headers: &mut HeaderMap) {
    headers.remove(DECODED_LENGTH);
    headers.remove(TRAILERS);
    if headers.get(CONTENT_SHA256).is_some_and(|value| value.as_bytes().starts_with(b"STREAMING-")) {
        headers.insert(CONTENT_SHA256, HeaderValue::from_static("UNSIGNED-PAYLOAD"));
    }
    let codings: Vec<String> = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|coding| coding.trim().to_owned())
        .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    headers.remove(CONTENT_ENCODING);
    if let Ok(value) = HeaderValue::from_str(&codings.join(", "))
        && !codings.is_empty()
    {
        headers.insert(CONTENT_ENCODING, value);
    }
}

/// The names that the head announces behind the body.
pub(super) fn trailer_names(headers: &HeaderMap) -> Vec<&str> {
    let values = headers.get_all(TRAILERS).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(uri: &str, given: &[(&str, &str)]) -> Parts {
        let builder =
            given.iter().fold(Request::builder().uri(uri), |builder, (name, value)| builder.header(*name, *value));
        builder.body(()).unwrap().into_parts().0
    }

    #[test]
    fn nobody_but_the_gateway_writes_its_headers() {
        let given = [
            ("host", "h"),
            ("x-keystile-principal-arn", "arn:aws:iam::111122223333:root"),
            ("X-Keystile-Anything", "x"),
            ("x-forwarded-for", "10.0.0.1"),
            ("forwarded", "for=10.0.0.1"),
            ("authorization", "AWS4-HMAC-SHA256 …"),
            ("x-amz-security-token", "t"),
            ("connection", "keep-alive"),
            ("transfer-encoding", "chunked"),
            ("content-length", "3"),
            ("x-amz-meta-a", "1"),
            ("x-amz-meta-a", "2"),
            ("content-type", "text/plain"),
        ];
        let left = headers(&parts("/", &given));
        let names: Vec<&str> = left.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["host", "x-amz-meta-a", "x-amz-meta-a", "content-type"]);
    }

    #[test]
    fn what_was_signed_goes_on_as_it_came_and_the_signature_does_not() {
        let target = |uri| path_and_query(&parts(uri, &[]));
        assert_eq!(target("/a%2Fb//c/../d?b=2&a=%2f&a="), "/a%2Fb//c/../d?b=2&a=%2f&a=");
        assert_eq!(target("/?X-Amz-Signature=0&list-type=2&X%2DAmz-Date=1"), "/?list-type=2");
        assert_eq!(target("/k?X-Amz-Algorithm=A"), "/k");
    }

    #[test]
    fn a_body_that_was_taken_apart_is_not_called_chunked() {
        let given = [
            ("content-encoding", "aws-chunked,gzip"),
            ("x-amz-decoded-content-length", "3"),
            ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        ];
        let mut left = headers(&parts("/", &given));
        undo_framing(&mut left);
        assert_eq!(left.len(), 2);
        assert_eq!(
            (&left["content-encoding"], &left[CONTENT_SHA256]),
            (&HeaderValue::from_static("gzip"), &HeaderValue::from_static("UNSIGNED-PAYLOAD"))
        );
        let mut hashed = headers(&parts("/", &[("x-amz-content-sha256", "00")]));
        undo_framing(&mut hashed);
        assert_eq!(hashed[CONTENT_SHA256], "00");
    }
}
