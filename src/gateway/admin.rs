use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Either;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::json;

use super::backup::{self, BackupBody};
use super::respond::AnswerBody;
use super::root_key::{RotationError, RotationStatus};
use super::server::Peer;
use super::state::State;
use super::{auth_request, authorize, body, scheduler};
use crate::aws::Clock;

/// Longest body of `POST /clock`, in bytes.
const MAX_BODY_BYTES: usize = 4096;

/// The farthest that one call moves the clock: a thousand years.
const MAX_ADVANCE_SECONDS: u64 = 1000 * 366 * 86_400;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const BYTES: &str = "application/octet-stream";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The operator's token of a question to `/auth`, whose `Authorization` is that of the request it asks about.
const ADMIN_TOKEN: HeaderName = HeaderName::from_static("x-keystile-admin-token");

/// What the admin listener sends: most of it whole, a backup as it is made.
pub(super) type Answer = Response<Either<AnswerBody, BackupBody>>;

/// One request of the admin listener.
pub(super) async fn handle(state: Arc<State>, peer: Peer, mut request: Request<Incoming>) -> Answer {
    if !admits(&state, &mut request) {
        return unauthorized();
    }
    let looks = request.method() == Method::GET || request.method() == Method::HEAD;
    match (request.uri().path(), looks) {
        ("/healthz", true) => answer(StatusCode::OK, TEXT, "ok\n"),
        ("/readyz", true) if state.draining.load(Ordering::Acquire) => {
            answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, "draining\n")
        }
        ("/readyz", true) => match state.store.freshness().map(|freshness| freshness.check()) {
            Some(Err(behind)) => answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{behind}\n")),
            Some(Ok(())) | None => answer(StatusCode::OK, TEXT, "ready\n"),
        },
        ("/metrics", true) => match state.telemetry.encode() {
            Ok(text) => answer(StatusCode::OK, OPEN_METRICS, text),
            Err(error) => failed(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        },
        ("/auth", true) => {
            let headers = request.into_parts().0.headers;
            auth_request::decide(state, &peer, headers).await.map(Either::Left)
        }
        ("/healthz" | "/readyz" | "/metrics" | "/auth", false) => wrong_method("GET, HEAD"),
        ("/authorize", _) if request.method() == Method::POST => authorize(state, &peer, request).await,
        ("/clock", _) if state.test_clock => {
            if request.method() == Method::POST {
                advance_clock(&state, request).await
            } else {
                wrong_method("POST")
            }
        }
        ("/root-key/rotation" | "/backup", _) if !shows_token(&state, &request) => failed(
            StatusCode::FORBIDDEN,
            "this takes the token of admin.json in the data directory; `keystile root-key rotate` and `keystile backup` \
             show it",
        ),
        ("/root-key/rotation", true) => rotation(&state.rotator.status()),
        ("/root-key/rotation", false) if request.method() == Method::POST => rotate_root_key(&state).await,
        ("/root-key/rotation", false) => wrong_method("GET, HEAD, POST"),
        ("/backup", _) if request.method() == Method::POST => send_backup(&state).await,
        ("/backup" | "/authorize", _) => wrong_method("POST"),
        _ => answer(StatusCode::NOT_FOUND, TEXT, "not found\n"),
    }
}

/// Decides what another service asks about.
async fn authorize(state: Arc<State>, peer: &Peer, request: Request<Incoming>) -> Answer {
    let within = state.live.load().limits.body_timeout;
    let Ok(body) = body::read(request.into_body(), authorize::MAX_BODY_BYTES, within, None, None).await else {
        return failed(StatusCode::BAD_REQUEST, "the body is too long, incomplete or too slow");
    };
    let (status, text) = authorize::decide(state, peer, body).await;
    answer(status, JSON, text)
}

/// Where the operator gave a token, nobody else learns more than whether the server is there and ready.
fn admits(state: &State, request: &mut Request<Incoming>) -> bool {
    let shown = request.headers_mut().remove(ADMIN_TOKEN);
    match (&state.live.load().admin_token, request.uri().path()) {
        (None, _) | (Some(_), "/healthz" | "/readyz") => true,
        (Some(token), "/auth") => shown.is_some_and(|shown| token.is(shown.as_bytes())),
        (Some(_), _) => shows_token(state, request),
    }
}

fn unauthorized() -> Answer {
    let why = "this takes the token of `admin_token_file`, as `Authorization: Bearer …` (for /auth, whose Authorization \
               is the client's, as `X-Keystile-Admin-Token: …`)";
    let mut answer = failed(StatusCode::UNAUTHORIZED, why);
    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    answer
}

fn shows_token(state: &State, request: &Request<Incoming>) -> bool {
    state.access.allows(request.headers(), state.live.load().admin_token.as_ref())
}

/// Begins a rotation of the root key, or joins the one that is under way.
async fn rotate_root_key(state: &State) -> Answer {
    let begun = state.rotator.begin(&state.kms).await;
    // What began is recorded within a second.
    state.scheduler.notify_one();
    match begun {
        Ok(status) => rotation(&status),
        Err(error) => {
            tracing::error!(%error, "the root key's rotation did not begin");
            let status = match error {
                RotationError::Config(_) => StatusCode::CONFLICT,
                RotationError::Kms(_) => StatusCode::INTERNAL_SERVER_ERROR,
            };
            failed(status, &error.to_string())
        }
    }
}

fn rotation(status: &RotationStatus) -> Answer {
    answer(StatusCode::OK, JSON, json!(status).to_string())
}

/// A backup of everything as it is now; one at a time.
async fn send_backup(state: &State) -> Answer {
    let Ok(turn) = Arc::clone(&state.backups).try_acquire_owned() else {
        return failed(StatusCode::CONFLICT, "a backup is being made already; wait for its end");
    };
    match backup::stream(&state.kms, turn).await {
        Ok(body) => {
            let mut answer = Response::new(Either::Right(body));
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(BYTES));
            answer
        }
        Err(error) => {
            tracing::error!(%error, "no backup could be made");
            failed(StatusCode::INTERNAL_SERVER_ERROR, "no backup could be made; the server's log says why")
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_seconds: u64,
}

/// Moves the engine's clock, and answers once everything that fell due is done and recorded.
async fn advance_clock(state: &State, request: Request<Incoming>) -> Answer {
    let within = state.live.load().limits.body_timeout;
    let Ok(body) = body::read(request.into_body(), MAX_BODY_BYTES, within, None, None).await else {
        return failed(StatusCode::BAD_REQUEST, "the body is too long, incomplete or too slow");
    };
    let advance: Advance = match serde_json::from_slice(&body) {
        // serde would take a list for the object.
        Ok(advance) if body.trim_ascii_start().starts_with(b"{") => advance,
        Ok(_) => return failed(StatusCode::BAD_REQUEST, "give {\"advance_seconds\": N}, N >= 0: it is no object"),
        Err(error) => {
            return failed(StatusCode::BAD_REQUEST, &format!("give {{\"advance_seconds\": N}}, N >= 0: {error}"));
        }
    };
    if advance.advance_seconds > MAX_ADVANCE_SECONDS {
        return failed(StatusCode::BAD_REQUEST, &format!("advance_seconds may be {MAX_ADVANCE_SECONDS} at most"));
    }
    if let Err(error) = state.kms.advance_clock(advance.advance_seconds).await {
        if !error.is_internal() {
            return failed(StatusCode::BAD_REQUEST, error.message().unwrap_or("the clock cannot be moved that far"));
        }
        tracing::error!(%error, "the clock was not moved");
        return failed(StatusCode::INTERNAL_SERVER_ERROR, "the clock was not moved");
    }
    if let Err(error) = scheduler::pass(state).await {
        tracing::error!(%error, "the clock was moved, and due rotations could not be done or recorded");
        return failed(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the clock was moved, but not every due rotation is done and recorded",
        );
    }
    answer(StatusCode::OK, JSON, json!({"now": state.engine_clock.now().to_string()}).to_string())
}

fn answer(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Either::Left(AnswerBody::from(body)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

fn failed(status: StatusCode, why: &str) -> Answer {
    answer(status, JSON, json!({"error": why}).to_string())
}

fn wrong_method(allowed: &'static str) -> Answer {
    let mut answer = answer(StatusCode::METHOD_NOT_ALLOWED, TEXT, "method not allowed\n");
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}
