//! Requests to the services behind the gateway: what they ask for, whether it is allowed, and on they
//! go.

mod answer;
mod chunker;
mod content;
mod endpoint;
mod head;
mod outgoing;
mod resign;
mod sender;
mod subject;
mod upstream;
mod virtual_host;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::{Body, Incoming};
use tokio::sync::mpsc;
use tracing::Instrument;

use super::call::{Call, Report, Success};
use super::request_id;
use super::respond::{Answer, Failure};
use super::server::BoxError;
use super::telemetry::{Outcome, Stage};
use crate::authz::Permit;
use crate::services::Protocol;
use crate::sigv4::Payload;
use chunker::Chunker;
use content::Fault;
pub(super) use content::{Content, Stream};
pub(super) use head::identify;
use outgoing::{Outgoing, Pipe, Progress};
use resign::Signed;
use sender::{SendError, uri};
pub(super) use subject::Forward;
pub(super) use upstream::Upstream;

/// Performs what a verified request asks of an upstream.
pub(super) async fn perform(call: Call, upstream: Arc<Upstream>, parts: Parts, content: Content) -> Answer {
    let mut report = Report { read_only: true, ..Report::default() };
    let mut stopwatch = call.state.telemetry.stopwatch();
    let forward = match Forward::resolve(&call, Arc::clone(&upstream), parts, content).await {
        Ok(forward) => forward,
        Err(failure) => return call.refuse(&report, failure).await,
    };
    stopwatch.lap(Stage::Resolve);
    let permit = permit(&call, forward, &mut report);
    stopwatch.lap(Stage::Authorize);
    let permit = match permit {
        Ok(permit) => permit,
        Err(failure) => return call.refuse(&report, failure).await,
    };
    let (form, request_id) = (call.form, call.request_id);
    let sending = send(call, upstream, permit, report);
    // A client that breaks off must not stop what an upstream may have done before it is recorded.
    tokio::spawn(sending.in_current_span()).await.unwrap_or_else(|error| {
        tracing::error!(%error, %request_id, "a request failed");
        Failure::internal().answer(form, request_id)
    })
}

/// Decides what a request asks for.
///
/// # Errors
/// What it is refused with: it is denied, or could not be recorded.
pub(super) fn permit(call: &Call, forward: Forward, report: &mut Report) -> Result<Permit<Forward>, Failure> {
    report.operation = Some(Cow::Owned(forward.operation().to_owned()));
    report.read_only = forward.is_read_only();
    report.concerns(&forward);
    let (policies, organization) = (&call.identity.policies, call.live.directory.organization());
    let permit = call.state.authorizer.authorize(forward, policies, organization);
    let permit = permit.map_err(|denial| call.denied(report, denial))?;
    report.decisions = permit.decisions().to_vec();
    call.check_recordable(report)?;
    Ok(permit)
}

/// Sends what is permitted, records how it ended, and passes the answer on.
async fn send(call: Call, upstream: Arc<Upstream>, permit: Permit<Forward>, report: Report) -> Answer {
    let mut stopwatch = call.state.telemetry.stopwatch();
    let sender = &upstream.sender;
    let place = match sender.place().await {
        Ok(place) => place,
        Err(error) => return call.refuse(&report, Failure::unsent(&error)).await,
    };
    let answered = exchange(&call, &upstream, permit).await;
    stopwatch.lap(Stage::Execute);
    let answer = match answered {
        Ok(answer) => answer,
        Err(failure) => return call.refuse(&report, failure).await,
    };
    let (status, code) = (answer.status(), answer::error_code(answer.status(), answer.headers()));
    let answer = match answer::pass_on(answer, call.request_id, upstream.idle_timeout, place) {
        Ok(answer) => answer,
        Err(why) => return call.refuse(&report, Failure::unsent(&SendError::Broken(why.to_owned()))).await,
    };
    let recorded = match &code {
        None => call.record(&report, Ok(Success::default()), request_id::next()).await,
        Some(code) => call.record_failed(&report, code, None).await,
    };
    stopwatch.lap(Stage::Audit);
    if let Err(error) = recorded {
        return call.fail(&report, &super::call::unrecorded(&error, call.request_id));
    }
    call.count(
        &report,
        match status {
            status if status.is_server_error() => Outcome::server_error,
            status if status.is_client_error() => Outcome::client_error,
            _ => Outcome::ok,
        },
    );
    answer
}

/// The request goes out, the head of an answer comes in. A streamed body has come to its end, and was
/// proven, before an answer counts.
async fn exchange(call: &Call, upstream: &Upstream, permit: Permit<Forward>) -> Result<Response<Incoming>, Failure> {
    let is_read_only = permit.operation().is_read_only();
    let (parts, content) = permit.into_operation().into_parts();
    let progress = Progress::default();
    let outgoing = Out { call, upstream, parts: &parts };
    match content {
        Content::Whole(body) => {
            let make = |endpoint: &endpoint::Endpoint| {
                outgoing.request(endpoint, &Signed::Whole(&body), Outgoing::Whole(Some(body.clone())))
            };
            let sent = upstream.sender.send(&progress, make, || is_read_only, || false).await;
            sent.map_err(|error| Failure::unsent(&error))
        }
        // Who asked about such a request performs it.
        Content::Elsewhere => Err(Failure::internal()),
        Content::Streamed(mut stream) => {
            let payload = stream.payload;
            // Before anything is sent the first piece is there: a body without any is proven by then.
            match stream.next(&progress).await {
                Ok(Some(piece)) => stream.put_back(piece),
                Ok(None) if matches!(payload, Payload::SignedChunks { trailer: true } | Payload::UnsignedChunks) => {}
                Ok(None) => {
                    let body = Bytes::new();
                    let make = |endpoint: &endpoint::Endpoint| {
                        outgoing.request(endpoint, &Signed::Streamed(payload), Outgoing::Whole(Some(body.clone())))
                    };
                    let sent = upstream.sender.send(&progress, make, || is_read_only, || false).await;
                    return sent.map_err(|error| Failure::unsent(&error));
                }
                Err(fault) => return Err(Failure::of_content(&fault, call.form)),
            }
            let chunker = match payload {
                Payload::SignedChunks { trailer: true } | Payload::UnsignedChunks => Chunker::chunked(stream),
                Payload::Whole | Payload::Sha256 | Payload::Unsigned | Payload::SignedChunks { trailer: false } => {
                    Chunker::Plain(stream)
                }
            };
            let length = chunker.length(&head::trailer_names(&parts.headers));
            let (pipe, pieces) = Pipe::new();
            let make = |endpoint: &endpoint::Endpoint| {
                let body = Outgoing::Piped { pipe: Arc::clone(&pipe), length, sent: 0 };
                outgoing.request(endpoint, &Signed::Streamed(payload), body)
            };
            let mut sending = std::pin::pin!(upstream.sender.send(&progress, make, || false, || pipe.has_begun()));
            let mut pumping = std::pin::pin!(pump(chunker, pieces, &progress));
            tokio::select! {
                pumped = pumping.as_mut() => match pumped {
                    Ok(()) => sending.await.map_err(|error| Failure::unsent(&error)),
                    // What is dropped here is a request that never came to its end.
                    Err(fault) => Err(Failure::of_content(&fault, call.form)),
                },
                sent = sending.as_mut() => {
                    let answer = sent.map_err(|error| Failure::unsent(&error))?;
                    // An answer before the end is taken only where it refuses, or once the body is proven.
                    if answer.status().is_success() {
                        pumping.await.map_err(|fault| Failure::of_content(&fault, call.form))?;
                    }
                    Ok(answer)
                }
            }
        }
    }
}

/// Moves the pieces of a body into a request, as fast as it takes them.
async fn pump(
    mut chunker: Chunker,
    pieces: mpsc::Sender<Result<Bytes, BoxError>>,
    progress: &Progress,
) -> Result<(), Fault> {
    loop {
        match chunker.next(progress).await {
            Ok(Some(piece)) => {
                // Nobody takes it: the request has ended, and tells itself how. The client's bytes are
                // still held to their signature.
                let _ = pieces.send(Ok(piece)).await;
                progress.touch();
            }
            Ok(None) => return Ok(()),
            Err(fault) => {
                let _ = pieces.send(Err("the body is not proven".into())).await;
                return Err(fault);
            }
        }
    }
}

/// What requests of one call have in common.
struct Out<'a> {
    call: &'a Call,
    upstream: &'a Upstream,
    parts: &'a Parts,
}

impl Out<'_> {
    fn request(
        &self,
        endpoint: &endpoint::Endpoint,
        signed: &Signed<'_>,
        body: Outgoing,
    ) -> Result<Request<Outgoing>, String> {
        let Self { call, upstream, parts } = self;
        let mut headers = head::headers(parts);
        match signed {
            Signed::Whole(_) => head::undo_framing(&mut headers),
            Signed::Streamed(payload) => head::name_payload(&mut headers, *payload),
        }
        let target = head::path_and_query(parts);
        let uri = uri(endpoint, &target)?;
        let own = HeaderValue::from_str(endpoint.authority.as_str()).map_err(|error| error.to_string())?;
        if let Some(signer) = &upstream.signer {
            headers.insert(HOST, own);
            let (region, now) = (&call.surroundings.region, call.state.clock.now());
            signer.sign(parts.method.as_str(), &uri.to_string(), &mut headers, signed, region, now)?;
        } else {
            // A server in the clear is told the name that it was called by; a certificate has its own. S3
            // would read a bucket in it, which is not the one that was decided.
            let is_s3 = upstream.definition.protocol() == Protocol::S3;
            if is_s3 || endpoint.scheme == http::uri::Scheme::HTTPS {
                headers.insert(HOST, own);
            }
            identify(&mut headers, call).map_err(|error| error.to_string())?;
            head::tell_hop(&mut headers, call, parts.headers.get(HOST).filter(|_| !is_s3));
        }
        // Servers ask for a length where a body could be (RFC 9110, section 8.6).
        if body.is_end_stream() && [Method::PUT, Method::POST, Method::PATCH].contains(&parts.method) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        let mut request = Request::new(body);
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

impl Failure {
    /// No answer came from an upstream.
    fn unsent(error: &SendError) -> Self {
        let (code, status, message) = match error {
            SendError::Busy => (
                "ServiceUnavailableException",
                StatusCode::SERVICE_UNAVAILABLE,
                "The service behind the gateway has too many requests under way.",
            ),
            SendError::Unreachable(_) => {
                ("BadGateway", StatusCode::BAD_GATEWAY, "The service behind the gateway cannot be reached.")
            }
            SendError::Broken(_) => {
                ("BadGateway", StatusCode::BAD_GATEWAY, "The service behind the gateway gave no valid answer.")
            }
            SendError::TimedOut => (
                "GatewayTimeout",
                StatusCode::GATEWAY_TIMEOUT,
                "The service behind the gateway did not answer in time.",
            ),
            SendError::Unsendable(_) => (
                "InternalFailure",
                StatusCode::INTERNAL_SERVER_ERROR,
                "The request cannot be sent to the service behind the gateway.",
            ),
        };
        tracing::debug!(%error, "a request got no answer");
        Self { code, message: Some(message.into()), status }
    }

    /// A body did not come to a proven end.
    fn of_content(fault: &Fault, form: super::form::Form) -> Self {
        match fault {
            Fault::Refused(refusal) => Self::refused(refusal, form),
            Fault::TimedOut => Self::client("RequestTimeout", "The body of the request did not come in time."),
            Fault::Broken => {
                Self::client("IncompleteBody", "The body of the request is incomplete or its framing is broken.")
            }
            Fault::TooLarge => Self {
                code: "RequestEntityTooLargeException",
                message: Some("The body of the request is larger than what is read before it is decided.".into()),
                status: StatusCode::PAYLOAD_TOO_LARGE,
            },
        }
    }
}
