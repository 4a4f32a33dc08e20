//! The straight line of a request: each step takes what the one before made.

use std::sync::Arc;

use bytes::Bytes;
use http::header::USER_AGENT;
use http::request::Parts;
use http::{Request, StatusCode};
use hyper::body::Incoming;
use tracing::Instrument;
use uuid::Uuid;

use super::admission::{Rejection, admit, admit_length, name_host};
use super::body::{self, BodyError};
use super::call::{Call, Report, Told, text, unrecorded};
use super::form::Form;
use super::forward::{Content, Stream};
use super::limits::{Excess, Turns};
use super::origin::Origin;
use super::respond::{Answer, Failure, bare, retry_after};
use super::route::{Route, Service};
use super::server::Peer;
use super::state::State;
use super::telemetry::{Limit, Outcome, Stage, operation_name};
use super::{admission, dispatch, forward, kms_call, request_id, sts_call, trusted_forwarders};
use crate::audit::{ApiCall, Identity as AuditIdentity, Record};
use crate::aws::{Clock, Region};
use crate::kms;
use crate::sigv4::{Payload, Received, Refusal, RefusalKind, Times, claimed_scope};

/// One request of the gateway's listener, from its head to its answer.
pub(super) async fn handle(state: Arc<State>, peer: Peer, request: Request<Incoming>) -> Answer {
    let request_id = request_id::next();
    let span = tracing::debug_span!("request", %request_id, peer = %peer.origin);
    line(state, peer, request, request_id).instrument(span).await
}

async fn line(state: Arc<State>, mut peer: Peer, request: Request<Incoming>, request_id: Uuid) -> Answer {
    let mut stopwatch = state.telemetry.stopwatch();
    let live = state.live.load_full();
    let (mut parts, body) = request.into_parts();
    name_host(&mut parts);
    if let Err(rejection) = trusted_forwarders::told(live.trusted_forwarders.as_ref(), &mut peer, &mut parts) {
        return rejected(&state, rejection, Form::of(&parts.headers), request_id);
    }
    if let Err(rejection) = admit(&parts, live.limits.max_headers as usize) {
        return rejected(&state, rejection, Form::of(&parts.headers), request_id);
    }
    let route = match live.routes.route(&parts) {
        Ok(route) => route,
        Err(service) => return rejected(&state, Rejection::unserved(&service), Some(Form::of_any(&parts)), request_id),
    };
    let form = route.form(&parts);
    if let Err(rejection) = route.admit(&parts) {
        return rejected(&state, rejection, form, request_id);
    }
    let source_turn = match live.guards.admit_source(peer.origin) {
        Ok(turn) => turn,
        Err(excess) => return throttled(&state, route, excess, &parts, form, request_id),
    };
    let received = Received {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query(),
        headers: &parts.headers,
    };
    let times = Times { signature: state.clock.now(), session: state.engine_clock.now() };
    let (source, profile) = (&live.sessions, &route.profile);
    let payload = match &route.service {
        Service::Kms | Service::Sts => Payload::Whole,
        Service::Upstream(_) => Payload::of(profile, received.headers, received.query),
    };
    let (verified, content) = if payload == Payload::Whole {
        let limit = match &route.service {
            Service::Kms | Service::Sts => live.max_body_bytes(),
            Service::Upstream(upstream) => upstream.max_body_bytes,
        };
        if let Err(rejection) = admit_length(&parts.headers, limit) {
            return rejected(&state, rejection, form, request_id);
        }
        // Given back once the signature is looked at: from then on it is the caller's.
        let mut reserved = live.guards.bodies.reserve();
        let (within, turns) = (live.limits.body_timeout, peer.bodies.as_deref());
        let body = match body::read(body, limit, within, turns, Some(&mut reserved)).await {
            Ok(body) => body,
            Err(error) => {
                if error == BodyError::NoRoom {
                    state.telemetry.limited(Limit::buffered_bytes);
                }
                return rejected(&state, Rejection::of_body(error, limit), form, request_id);
            }
        };
        stopwatch.lap(Stage::Body);
        if matches!(route.service, Service::Sts)
            && let Some(operation) = sts_call::unsigned(&parts, &body)
        {
            let turns = Turns::new(source_turn, None);
            let live = Arc::clone(&live);
            return sts_call::perform_unsigned(state, live, &parts, &peer, turns, request_id, operation).await;
        }
        (live.verifier.verify(profile, &received, &body, source, times), Content::Whole(body))
    } else {
        let length = admission::declared_length(&parts.headers);
        match live.verifier.verify_head(profile, &received, source, times) {
            Ok((verified, proof)) => {
                let stream = Stream::new(body, proof, payload, length, live.limits.body_timeout);
                (Ok(verified), Content::Streamed(Box::new(stream)))
            }
            Err(refusal) => (Err(refusal), Content::Whole(Bytes::new())),
        }
    };
    stopwatch.lap(Stage::Verify);
    let verified = match verified {
        Ok(verified) => verified,
        Err(refusal) => return unauthenticated(&state, route, &refusal, &parts, form, peer.origin, request_id),
    };

    let admitted = live.guards.admit_caller(&verified.identity().caller);
    let (caller_turn, excess) = admitted.map_or_else(|excess| (None, Some(excess)), |turn| (turn, None));
    let turns = Turns::new(source_turn, caller_turn);
    let told = Told {
        parts: &parts,
        source_ip: peer.origin.ip(),
        is_secure: peer.is_secure,
        form: form.unwrap_or(Form::AwsJson),
        request_id,
        service: &route.name,
        now: times.session,
        turns: turns.clone(),
    };
    let call = Call::new(state, Arc::clone(&live), &verified, &told);
    drop(verified);
    if let Some(excess) = excess {
        return refuse_caller(&call, route, excess, &parts, form).await;
    }
    let answer = match (&route.service, content) {
        (Service::Kms, Content::Whole(body)) => kms_call::perform(call, &parts, form, body).await,
        (Service::Sts, Content::Whole(body)) => sts_call::perform(call, &parts, body).await,
        (Service::Upstream(upstream), content) => forward::perform(call, Arc::clone(upstream), parts, content).await,
        // Their bodies are always read.
        (Service::Kms | Service::Sts, Content::Streamed(_) | Content::Elsewhere) => {
            Failure::internal().answer(call.form, request_id)
        }
    };
    turns.until_sent(answer)
}

/// One request too many from where it comes from. Nobody is known to have asked, and whoever floods is not
/// to fill the audit log: the metrics count it.
fn throttled(
    state: &State,
    route: &Route,
    excess: Excess,
    parts: &Parts,
    form: Option<Form>,
    request_id: Uuid,
) -> Answer {
    state.telemetry.limited(Limit::source);
    state.telemetry.request(&route.name, claimed_operation(route, parts, form), Outcome::throttled);
    tracing::debug!("throttled by its source");
    retry_after(Failure::throttled().answer(form.unwrap_or(Form::AwsJson), request_id), excess.retry_after)
}

/// One request too many of a caller: recorded as any other that is refused.
async fn refuse_caller(call: &Call, route: &Route, excess: Excess, parts: &Parts, form: Option<Form>) -> Answer {
    call.state.telemetry.limited(Limit::caller);
    let operation = claimed_operation(route, parts, form);
    let read_only = !operation.is_some_and(kms::is_mutation);
    let report = Report { operation: operation.map(Into::into), read_only, ..Report::default() };
    retry_after(call.refuse(&report, Failure::throttled()).await, excess.retry_after)
}

/// The operation of KMS that a request names.
fn claimed_operation(route: &Route, parts: &Parts, form: Option<Form>) -> Option<&'static str> {
    match route.service {
        Service::Kms => dispatch::operation(parts, form).ok().and_then(operation_name),
        Service::Sts | Service::Upstream(_) => None,
    }
}

impl Rejection {
    fn unserved(service: &str) -> Self {
        let text = format!(
            "Credential should be scoped to a service that is served here, not '{service}'. An [[upstream]] makes a service served."
        );
        Self::Aws(Failure::client("InvalidSignatureException", text))
    }

    fn of_body(error: BodyError, limit: usize) -> Self {
        match error {
            BodyError::TooLarge => Self::Aws(Failure::too_large(limit)),
            BodyError::NoRoom => Self::Aws(Failure::unavailable("Too many requests with large bodies are under way.")),
            BodyError::TimedOut => Self::Bare(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
            BodyError::Broken => Self::Bare(StatusCode::BAD_REQUEST, "the body is incomplete or its framing is broken"),
        }
    }
}

/// Not a request that is served here; nobody claims to have called an API, so nothing is audited.
fn rejected(state: &State, rejection: Rejection, form: Option<Form>, request_id: Uuid) -> Answer {
    state.telemetry.rejected.inc();
    tracing::debug!(?rejection, "rejected");
    match rejection {
        Rejection::Bare(status, why) => bare(status, request_id, why),
        Rejection::Aws(failure) => {
            let answer = failure.answer(form.unwrap_or(Form::AwsJson), request_id);
            if failure.status == StatusCode::SERVICE_UNAVAILABLE { retry_after(answer, 1) } else { answer }
        }
    }
}

/// A request that nobody could be shown to have signed.
pub(super) fn unauthenticated(
    state: &State,
    route: &Route,
    refusal: &Refusal,
    parts: &Parts,
    form: Option<Form>,
    origin: Origin,
    request_id: Uuid,
) -> Answer {
    let operation = claimed_operation(route, parts, form);
    let form = form.unwrap_or(Form::AwsJson);
    state.telemetry.request(&route.name, operation, Outcome::unauthenticated);
    tracing::debug!(code = refusal.code(), "refused");
    if refusal.kind() == RefusalKind::BadRequest {
        return bare(StatusCode::BAD_REQUEST, request_id, refusal.message());
    }
    let claimed = claimed_scope(&parts.headers, parts.uri.query());
    let mut id = Uuid::encode_buffer();
    let recorded = state.audit.append(&Record::ApiCall(ApiCall {
        time: state.clock.now(),
        request_id: request_id.hyphenated().encode_lower(&mut id),
        event_id: request_id::next(),
        identity: AuditIdentity::Unverified { access_key_id: claimed.as_ref().map(|scope| &*scope.access_key_id) },
        service: &route.name,
        operation,
        read_only: true,
        region: claimed
            .as_ref()
            .map(|scope| &*scope.region)
            .filter(|region| region.parse::<Region>().is_ok())
            .unwrap_or_default(),
        source_ip: origin.ip(),
        user_agent: text(&parts.headers, &USER_AGENT).as_deref(),
        parameters: None,
        response: None,
        error: Some((refusal.code_for(form.dialect()), Some(refusal.message()))),
        resources: &[],
        decisions: &[],
        explanation: None,
    }));
    let failure = match recorded {
        Err(error) => unrecorded(&error, request_id),
        Ok(()) => Failure::refused(refusal, form),
    };
    failure.answer(form, request_id)
}
