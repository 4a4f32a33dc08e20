//! A call of the STS API, from its parameters to its answer: signed, or, where an identity provider
//! vouches for who asks, not signed.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, REFERER, USER_AGENT};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use tracing::Instrument;
use uuid::Uuid;

use super::call::{Call, Report, Success, text, unrecorded};
use super::form::Form;
use super::limits::Turns;
use super::request_id;
use super::respond::{Answer, Failure, with};
use super::server::Peer;
use super::state::{Live, State};
use super::telemetry::{Outcome, Stage};
use crate::audit::{ApiCall, Identity as AuditIdentity, Record};
use crate::aws::{Clock, Region, Surroundings};
use crate::identity::Identity;
use crate::kms::JsonText;
use crate::sts::{Asking, Operation, Parameters, StsError, WebIdentity};

const SERVICE: &str = "sts";

/// Performs what a signed request asks of STS.
pub(super) async fn perform(call: Call, parts: &Parts, body: Bytes) -> Answer {
    let (form, request_id, limit) = (call.form, call.request_id, call.live.limits.request_timeout);
    let parameters = parameters(parts, &body);
    let name = parameters.as_ref().ok().and_then(Operation::name_in);
    let operation = parameters.and_then(|parameters| Operation::parse(&parameters));
    let report = Report { operation: name.map(Cow::Borrowed), read_only: true, ..Report::default() };
    match operation {
        Err(error) => call.refuse(&report, failure(&error)).await,
        Ok(operation) => within(limit, form, request_id, answer(call, operation, report)).await,
    }
}

/// The operation of a request that nobody signed, where it is one that nobody has to sign.
pub(super) fn unsigned(parts: &Parts, body: &Bytes) -> Option<Result<Operation, StsError>> {
    if is_signed(parts) {
        return None;
    }
    let parameters = parameters(parts, body).ok()?;
    let name = Operation::name_in(&parameters)?;
    (name == "AssumeRoleWithWebIdentity").then(|| Operation::parse(&parameters))
}

/// Whether a request claims to be signed, in whatever way.
fn is_signed(parts: &Parts) -> bool {
    let query = parts.uri.query().unwrap_or_default();
    parts.headers.contains_key(AUTHORIZATION)
        || query.split('&').any(|pair| pair.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("X-Amz-")))
}

/// Whether a request speaks as those do that nobody has to sign: STS is the one service that has any.
pub(super) fn speaks_unsigned(parts: &Parts) -> bool {
    let asks = "Action=AssumeRoleWithWebIdentity";
    let in_query = parts.uri.query().unwrap_or_default().split('&').any(|pair| pair == asks);
    let is_get = parts.method == Method::GET && in_query;
    let is_post = parts.method == Method::POST && parts.headers.get(CONTENT_TYPE).is_some_and(is_form);
    !is_signed(parts) && (is_get || is_post)
}

/// Performs what a request asks that nobody signed: its token tells who asks.
pub(super) async fn perform_unsigned(
    state: Arc<State>,
    live: Arc<Live>,
    parts: &Parts,
    peer: &Peer,
    turns: Turns,
    request_id: Uuid,
    operation: Result<Operation, StsError>,
) -> Answer {
    let limit = live.limits.request_timeout;
    let surroundings = Surroundings {
        source_ip: peer.origin.ip(),
        user_agent: text(&parts.headers, &USER_AGENT),
        referer: text(&parts.headers, &REFERER),
        secure_transport: peer.is_secure,
        region: region(parts, &state),
        now: state.engine_clock.now(),
    };
    let answer = async move {
        let verified = match operation {
            Ok(operation) => {
                let who = state.sts.web_identity(&operation, &live.directory, state.clock.now()).await;
                who.map(|who| (operation, who))
            }
            Err(error) => Err(error),
        };
        let (operation, who) = match verified {
            Ok(verified) => verified,
            Err(error) => return unverified(&state, &surroundings, request_id, &error),
        };
        let identity =
            Identity { caller: Arc::clone(who.caller()), policies: Arc::default(), recorded: OnceLock::new() };
        let call = Call {
            state,
            live,
            identity: Arc::new(identity),
            surroundings: Arc::new(surroundings),
            form: Form::Query,
            request_id,
            service: SERVICE.into(),
            turns,
        };
        let report = Report { operation: Some(Cow::Borrowed(operation.name())), read_only: true, ..Report::default() };
        decided(call, operation, Some(who), report).await
    };
    within(limit, Form::Query, request_id, answer).await
}

/// A client that breaks off must not stop a call between what it does and its record.
async fn within(
    limit: Duration,
    form: Form,
    request_id: Uuid,
    answer: impl Future<Output = Answer> + Send + 'static,
) -> Answer {
    let task = tokio::spawn(answer.in_current_span());
    let answered = tokio::time::timeout(limit, task).await;
    match answered {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => {
            tracing::error!(%error, %request_id, "a request failed");
            Failure::internal().answer(form, request_id)
        }
        Err(_) => {
            tracing::error!(%request_id, service = SERVICE, "a request took too long");
            Failure::unavailable("The request was not answered in time.").answer(form, request_id)
        }
    }
}

async fn answer(call: Call, operation: Operation, report: Report) -> Answer {
    if !operation.is_unsigned() {
        return decided(call, operation, None, report).await;
    }
    // It is signed all the same: the token counts.
    let who = call.state.sts.web_identity(&operation, &call.live.directory, call.state.clock.now()).await;
    match who {
        Err(error) => call.refuse(&report, failure(&error)).await,
        Ok(who) => {
            let caller = Arc::clone(who.caller());
            let identity = Identity { caller, policies: Arc::default(), recorded: OnceLock::new() };
            decided(Call { identity: Arc::new(identity), ..call }, operation, Some(who), report).await
        }
    }
}

/// Resolves, decides, executes and records.
async fn decided(call: Call, operation: Operation, who: Option<WebIdentity>, report: Report) -> Answer {
    let mut report = Report {
        parameters: operation.request_parameters().as_ref().map(JsonText::from),
        is_durable: operation.issues_credentials(),
        ..report
    };
    let Call { state, live, identity, surroundings, request_id, .. } = &call;
    let mut stopwatch = state.telemetry.stopwatch();
    let is_unsigned = operation.is_unsigned();
    let asking =
        Asking { caller: &identity.caller, directory: &live.directory, surroundings, wall_clock: state.clock.now() };
    let resolved = match state.sts.resolve(operation, asking, who) {
        Ok(resolved) => resolved,
        Err(error) => return call.refuse(&report, failure(&error)).await,
    };
    stopwatch.lap(Stage::Resolve);
    report.concerns(&resolved);
    let permit = state.authorizer.authorize(resolved, &identity.policies, live.directory.organization());
    stopwatch.lap(Stage::Authorize);
    let permit = match permit {
        Ok(permit) => permit,
        Err(denial) => {
            let mut failure = call.denied(&mut report, denial);
            if is_unsigned {
                // Nothing is told of a role to whom any token of a provider makes a caller.
                failure.message = Some("Not authorized to perform sts:AssumeRoleWithWebIdentity".into());
                report.is_callers_own = false;
            }
            return call.refuse(&report, failure).await;
        }
    };
    report.decisions = permit.decisions().to_vec();
    if let Err(failure) = call.check_recordable(&report) {
        return call.refuse(&report, failure).await;
    }
    let answer = match state.sts.execute(permit, &live.directory, surroundings.now, *request_id) {
        Ok(answer) => answer,
        Err(error) => return call.refuse(&report, failure(&error)).await,
    };
    stopwatch.lap(Stage::Execute);
    let success = Success { response: Some(&answer.response_elements), resources: &[] };
    if let Err(error) = call.record(&report, Ok(success), request_id::next()).await {
        return call.fail(&report, &unrecorded(&error, *request_id));
    }
    stopwatch.lap(Stage::Audit);
    call.count(&report, Outcome::ok);
    with(StatusCode::OK, call.form, *request_id, answer.body.as_bytes().to_vec())
}

/// A request without a signature whose token vouches for nobody.
fn unverified(state: &State, surroundings: &Surroundings, request_id: Uuid, error: &StsError) -> Answer {
    state.telemetry.request(SERVICE, None, Outcome::unauthenticated);
    let failure = failure(error);
    let mut id = Uuid::encode_buffer();
    let recorded = state.audit.append(&Record::ApiCall(ApiCall {
        time: state.clock.now(),
        request_id: request_id.hyphenated().encode_lower(&mut id),
        event_id: request_id::next(),
        identity: AuditIdentity::Unverified { access_key_id: None },
        service: SERVICE,
        operation: Some("AssumeRoleWithWebIdentity"),
        read_only: true,
        region: surroundings.region.as_str(),
        source_ip: surroundings.source_ip,
        user_agent: surroundings.user_agent.as_deref(),
        parameters: None,
        response: None,
        error: Some((Form::Query.code(failure.code), failure.message.as_deref())),
        resources: &[],
        decisions: &[],
        explanation: None,
    }));
    let failure = match recorded {
        Ok(()) => failure,
        Err(error) => unrecorded(&error, request_id),
    };
    failure.answer(Form::Query, request_id)
}

fn failure(error: &StsError) -> Failure {
    Failure {
        code: error.code,
        message: Some(error.message.clone()),
        status: StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// The parameters: in the body of a POST, in the query of a GET, and nowhere else.
fn parameters(parts: &Parts, body: &Bytes) -> Result<Parameters, StsError> {
    let query = parts.uri.query().unwrap_or_default();
    if parts.method == Method::GET {
        if !body.is_empty() {
            return Err(StsError::malformed("A request with the method GET has no body."));
        }
        return Parameters::parse(query.as_bytes());
    }
    let mut types = parts.headers.get_all(CONTENT_TYPE).iter();
    let (only, more) = (types.next(), types.next());
    if !only.is_some_and(is_form) || more.is_some() {
        return Err(StsError::malformed("The Content-Type must be application/x-www-form-urlencoded."));
    }
    if !query.is_empty() {
        return Err(StsError::malformed("The parameters are in the body: the query must be empty."));
    }
    Parameters::parse(body)
}

/// Whether a `Content-Type` is that of a form.
fn is_form(value: &HeaderValue) -> bool {
    let media_type = value.as_bytes().split(|&byte| byte == b';').next().unwrap_or_default();
    media_type.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}

/// The Region of a request that no credential scope tells: that of the endpoint's name, else that of
/// AWS's global endpoint.
fn region(parts: &Parts, state: &State) -> Region {
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let named = host.strip_prefix("sts.").and_then(|rest| rest.split('.').next());
    let named = named.and_then(|name| name.parse().ok()).filter(|region| state.kms.serves(region));
    named.unwrap_or_else(Region::us_east_1)
}
