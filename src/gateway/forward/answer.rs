//! The answer of an upstream, on its way to the client.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, TRANSFER_ENCODING};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Duration, Sleep, sleep};
use uuid::Uuid;

use super::super::respond::{Answer, AnswerBody, request_id_value};
use super::super::server::BoxError;
use super::head::is_hop_by_hop;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const OUR_REQUEST_ID: HeaderName = HeaderName::from_static("x-keystile-request-id");

/// An upstream's answer as the client gets it.
///
/// # Errors
/// Why it is none: it switches protocols (1xx), or its length is told in two ways (RFC 9112, section 6.3).
pub(super) fn pass_on(
    answer: Response<Incoming>,
    request_id: Uuid,
    idle: Duration,
    place: OwnedSemaphorePermit,
) -> Result<Answer, &'static str> {
    let (mut parts, body) = answer.into_parts();
    if parts.status.is_informational() {
        return Err("it switched protocols");
    }
    if !is_framed_once(&parts.headers) {
        return Err("its length is told in more than one way");
    }
    strip(&mut parts.headers);
    if !parts.headers.contains_key(REQUEST_ID) && !parts.headers.contains_key("x-amz-request-id") {
        parts.headers.insert(REQUEST_ID, request_id_value(request_id));
    }
    parts.headers.insert(OUR_REQUEST_ID, request_id_value(request_id));
    let body = Passing { body, idle, waiting: None, _place: place };
    let mut passed = Response::new(AnswerBody::Streamed(UnsyncBoxBody::new(body)));
    *passed.status_mut() = parts.status;
    *passed.headers_mut() = parts.headers;
    Ok(passed)
}

/// Whether the end of the body is told in one way, which everyone on the path reads alike.
fn is_framed_once(headers: &HeaderMap) -> bool {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (lengths.next(), codings.next()) {
        (None, None) => true,
        (Some(length), None) => lengths.next().is_none() && length.as_bytes().iter().all(u8::is_ascii_digit),
        (None, Some(coding)) => codings.next().is_none() && coding.as_bytes().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}

/// Takes away what ends at this hop, also what `Connection` names, and what only the gateway writes.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let gone: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_hop_by_hop(name) || named.contains(name) || name.as_str().starts_with("x-keystile-"))
        .cloned()
        .collect();
    for name in gone {
        headers.remove(name);
    }
}

/// The code of an error that an upstream answered, for the audit.
pub(super) fn error_code(status: StatusCode, headers: &HeaderMap) -> Option<String> {
    if !status.is_client_error() && !status.is_server_error() {
        return None;
    }
    let named = headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok());
    let named = named.map(|name| name.split([':', ';']).next().unwrap_or_default().trim());
    Some(named.filter(|name| !name.is_empty()).map_or_else(|| status.as_u16().to_string(), str::to_owned))
}

/// A body that passes through, no faster than the client takes it, and ends when it stands still.
struct Passing {
    body: Incoming,
    idle: Duration,
    /// Runs while the upstream is waited for.
    waiting: Option<Pin<Box<Sleep>>>,
    _place: OwnedSemaphorePermit,
}

impl Body for Passing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        loop {
            match Pin::new(&mut this.body).poll_frame(context) {
                Poll::Ready(frame) => {
                    this.waiting = None;
                    // Trailers end at this hop.
                    if frame.as_ref().is_some_and(|frame| frame.as_ref().is_ok_and(Frame::is_trailers)) {
                        continue;
                    }
                    return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
                }
                Poll::Pending => {
                    let waiting = this.waiting.get_or_insert_with(|| Box::pin(sleep(this.idle)));
                    return match waiting.as_mut().poll(context) {
                        Poll::Ready(()) => Poll::Ready(Some(Err("the upstream stood still".into()))),
                        Poll::Pending => Poll::Pending,
                    };
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_whose_end_can_be_read_in_two_ways_is_none() {
        let framed = |given: &[(HeaderName, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in given {
                headers.append(name, value.parse().unwrap());
            }
            is_framed_once(&headers)
        };
        assert!(framed(&[]) && framed(&[(CONTENT_LENGTH, "3")]) && framed(&[(TRANSFER_ENCODING, "Chunked")]));
        for given in [
            &[(CONTENT_LENGTH, "3"), (TRANSFER_ENCODING, "chunked")][..],
            &[(CONTENT_LENGTH, "3"), (CONTENT_LENGTH, "3")],
            &[(CONTENT_LENGTH, "3, 3")],
            &[(CONTENT_LENGTH, "+3")],
            &[(TRANSFER_ENCODING, "gzip, chunked")],
            &[(TRANSFER_ENCODING, "gzip"), (TRANSFER_ENCODING, "chunked")],
        ] {
            assert!(!framed(given), "{given:?}");
        }
    }
}
