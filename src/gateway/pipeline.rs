//! The straight line of a request: each step takes what the one before made.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{REFERER, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Request, StatusCode};
use hyper::body::Incoming;
use tracing::Instrument;
use uuid::Uuid;

use super::admission::{Rejection, admit, name_host};
use super::body::{self, BodyError};
use super::form::Form;
use super::respond::{Answer, Failure, bare, with};
use super::server::Peer;
use super::state::{Live, State};
use super::telemetry::{Outcome, Stage, Stopwatch};
use super::{dispatch, explanation, plain_json, request_id};
use crate::audit::{ApiCall, Identity as AuditIdentity, Record, user_identity};
use crate::authz::{Decision, Explanation, Subject};
use crate::aws::{Arn, Clock, Region, Surroundings};
use crate::identity::Identity;
use crate::kms::{self, KeyUse, KmsError, Operation};
use crate::sigv4::{Received, Refusal, RefusalKind, Times, claimed_scope};

/// How often a request is decided and executed anew because what it read changed meanwhile.
const ATTEMPTS: usize = 5;

/// One request of the gateway's listener, from its head to its answer.
pub(super) async fn handle(state: Arc<State>, peer: Peer, request: Request<Incoming>) -> Answer {
    let request_id = request_id::next();
    let span = tracing::debug_span!("request", %request_id, peer = %peer.address);
    line(state, peer, request, request_id).instrument(span).await
}

async fn line(state: Arc<State>, peer: Peer, request: Request<Incoming>, request_id: Uuid) -> Answer {
    let mut stopwatch = state.telemetry.stopwatch();
    let live = state.live.load_full();
    let (mut parts, body) = request.into_parts();
    name_host(&mut parts);
    let form = Form::of(&parts.headers);
    let limit = live.max_body_bytes();
    if let Err(rejection) = admit(&parts, live.limits.max_headers as usize, limit) {
        return rejected(&state, rejection, form, request_id);
    }
    let body = match body::read(body, limit, live.limits.body_timeout, peer.bodies.as_deref()).await {
        Ok(body) => body,
        Err(error) => return rejected(&state, Rejection::of_body(error, limit), form, request_id),
    };
    stopwatch.lap(Stage::Body);

    let received = Received {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query(),
        headers: &parts.headers,
    };
    let times = Times { signature: state.clock.now(), session: state.engine_clock.now() };
    let verified = live.verifier.verify(&state.profile, &received, &body, live.directory.as_ref(), times);
    stopwatch.lap(Stage::Verify);
    let verified = match verified {
        Ok(verified) => verified,
        Err(refusal) => return unauthenticated(&state, &refusal, &parts, form, peer.address, request_id),
    };

    let surroundings = Surroundings {
        source_ip: Some(peer.address.ip().to_canonical()),
        user_agent: text(&parts.headers, &USER_AGENT),
        referer: text(&parts.headers, &REFERER),
        secure_transport: peer.is_secure,
        region: verified.region().clone(),
        now: times.session,
    };
    let call = Call {
        identity: Arc::clone(verified.identity()),
        surroundings: Arc::new(surroundings),
        form: form.unwrap_or(Form::AwsJson),
        request_id,
        body,
        live,
        state,
    };
    let operation = match dispatch::operation(&parts, form) {
        Ok(name) => Operation::parse(name, &call.body).map_err(|error| (known(name), call.failure(&error))),
        Err(failure) => Err((None, failure)),
    };
    drop(verified);
    match operation {
        Ok(operation) => call.perform(operation).await,
        Err((name, failure)) => {
            let mut report = Report { operation: name, ..Report::default() };
            report.read_only = !name.is_some_and(kms::is_mutation);
            call.finish(&report, Err(failure)).await
        }
    }
}

impl Rejection {
    fn of_body(error: BodyError, limit: usize) -> Self {
        match error {
            BodyError::TooLarge => Self::Aws(Failure::too_large(limit)),
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
        Rejection::Aws(failure) => failure.answer(form.unwrap_or(Form::AwsJson), request_id),
    }
}

/// A request that nobody could be shown to have signed.
fn unauthenticated(
    state: &State,
    refusal: &Refusal,
    parts: &Parts,
    form: Option<Form>,
    peer: SocketAddr,
    request_id: Uuid,
) -> Answer {
    let operation = dispatch::operation(parts, form).ok().and_then(known);
    state.telemetry.request(operation, Outcome::unauthenticated);
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
        operation,
        read_only: true,
        region: claimed
            .as_ref()
            .map(|scope| &*scope.region)
            .filter(|region| region.parse::<Region>().is_ok())
            .unwrap_or_default(),
        source_ip: Some(peer.ip().to_canonical()),
        user_agent: text(&parts.headers, &USER_AGENT).as_deref(),
        parameters: None,
        response: None,
        error: Some((refusal.code(), Some(refusal.message()))),
        resources: &[],
        decisions: &[],
        explanation: None,
    }));
    let failure = match recorded {
        Err(error) => unrecorded(&error, request_id),
        Ok(()) if refusal.kind() == RefusalKind::Unavailable => Failure::unavailable(refusal.message().to_owned()),
        Ok(()) => Failure::client(refusal.code(), refusal.message().to_owned()),
    };
    failure.answer(form.unwrap_or(Form::AwsJson), request_id)
}

fn unrecorded(error: &crate::audit::AuditError, request_id: Uuid) -> Failure {
    // The log itself tells once when it can't be written; a line for each request could fill a disk.
    tracing::debug!(%error, %request_id, "a request was refused because it cannot be recorded");
    Failure::unrecorded()
}

/// The name in the program's own text, where KMS has the operation.
fn known(name: &str) -> Option<&'static str> {
    super::telemetry::operation_name(name)
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    std::str::from_utf8(headers.get(name)?.as_bytes()).ok().map(str::to_owned)
}

/// A verified request.
struct Call {
    state: Arc<State>,
    live: Arc<Live>,
    identity: Arc<Identity>,
    surroundings: Arc<Surroundings>,
    form: Form,
    request_id: Uuid,
    body: Bytes,
}

/// What the audit is told of a call beside its outcome.
#[derive(Default)]
struct Report {
    operation: Option<&'static str>,
    read_only: bool,
    parameters: Option<kms::JsonText>,
    resources: Vec<Arn>,
    decisions: Vec<Arc<Decision>>,
    explanation: Option<Explanation>,
    /// Whether it was counted against the caller's quotas.
    is_counted: bool,
    /// Whether the caller may be told the explanation.
    is_callers_own: bool,
}

impl Call {
    async fn perform(self, operation: Operation) -> Answer {
        let (form, request_id, limit) = (self.form, self.request_id, self.live.limits.request_timeout);
        let name = operation.name();
        let answered = if operation.is_mutation() {
            // A client that breaks off must not stop a mutation between its commit and its record.
            let task = tokio::spawn(self.execute(operation).in_current_span());
            tokio::time::timeout(limit, task).await.map(|joined| {
                joined.unwrap_or_else(|error| {
                    tracing::error!(%error, %request_id, "a request failed");
                    Failure::internal().answer(form, request_id)
                })
            })
        } else {
            tokio::time::timeout(limit, self.execute(operation)).await
        };
        answered.unwrap_or_else(|_| {
            tracing::error!(%request_id, operation = name, "a request took too long");
            Failure::unavailable("The request was not answered in time.").answer(form, request_id)
        })
    }

    async fn execute(self, operation: Operation) -> Answer {
        let mut report = Report {
            operation: Some(operation.name()),
            read_only: !operation.is_mutation(),
            parameters: operation.request_parameters(),
            ..Report::default()
        };
        let mut operation = operation;
        for _ in 1..ATTEMPTS {
            match self.attempt(operation, &mut report).await {
                Err(Attempt::Conflict) => {}
                Err(Attempt::Failed(failure)) => return self.finish(&report, Err(failure)).await,
                Ok(answer) => return self.finish(&report, Ok(answer)).await,
            }
            // The same text makes the same operation.
            operation = match Operation::parse(report.operation.unwrap_or_default(), &self.body) {
                Ok(operation) => operation,
                Err(error) => return self.finish(&report, Err(self.failure(&error))).await,
            };
        }
        let outcome = match self.attempt(operation, &mut report).await {
            Ok(answer) => Ok(answer),
            Err(Attempt::Failed(failure)) => Err(failure),
            // Trying again helps, and SDKs do so on this code.
            Err(Attempt::Conflict) => Err(Failure::client(
                "ThrottlingException",
                "The request competes with too many others for the same key.",
            )),
        };
        self.finish(&report, outcome).await
    }

    /// Resolves, decides and executes, once.
    async fn attempt(&self, operation: Operation, report: &mut Report) -> Result<kms::Answer, Attempt> {
        let state = &*self.state;
        let mut stopwatch = state.telemetry.stopwatch();
        let is_counted = std::mem::replace(&mut report.is_counted, true);
        let name = operation.name();
        let operation = operation.of_request(self.request_id);
        let resolved = state.kms.resolve(operation, &self.identity.caller, &self.surroundings).await;
        stopwatch.lap(Stage::Resolve);
        if !is_counted {
            let (account, region) = (self.identity.caller.account, &self.surroundings.region);
            let counted = match &resolved {
                Ok(resolved) => state.kms.count_request(resolved),
                Err(_) => state.kms.count_unresolved(name, account, region),
            };
            counted.map_err(|error| self.attempt_failure(&error))?;
        }
        let resolved = resolved.map_err(|error| self.attempt_failure(&error))?;
        report.resources = resources(&resolved);
        let permit = state.authorizer.authorize(resolved, &self.identity.policies, self.live.directory.organization());
        stopwatch.lap(Stage::Authorize);
        let permit = permit.map_err(|denial| {
            let message = denial.decision.message.clone().unwrap_or_default();
            report.decisions = vec![denial.decision];
            report.explanation = Some(denial.explanation);
            report.is_callers_own = denial.is_callers_own;
            Attempt::Failed(Failure::client("AccessDeniedException", message))
        })?;
        report.decisions = permit.decisions().to_vec();
        if !report.read_only
            && let Err(error) = state.audit.check_writable()
        {
            return Err(Attempt::Failed(unrecorded(&error, self.request_id)));
        }
        let answer = state.kms.execute(permit, self.live.directory.as_ref()).await;
        stopwatch.lap(Stage::Execute);
        answer.map_err(|error| self.attempt_failure(&error))
    }

    fn attempt_failure(&self, error: &KmsError) -> Attempt {
        if error.is_conflict() { Attempt::Conflict } else { Attempt::Failed(self.failure(error)) }
    }

    fn failure(&self, error: &KmsError) -> Failure {
        if let Some(cause) = error.internal_text() {
            tracing::error!(cause, request_id = %self.request_id, "the engine failed");
        }
        Failure {
            code: error.code(),
            message: error.message().map(|message| message.to_owned().into()),
            status: if error.is_internal() { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::BAD_REQUEST },
        }
    }

    /// Records the outcome and, if it could be recorded, answers it.
    async fn finish(&self, report: &Report, outcome: Result<kms::Answer, Failure>) -> Answer {
        let state = &*self.state;
        let mut stopwatch: Stopwatch<'_> = state.telemetry.stopwatch();
        let event_id = request_id::next();
        let recorded = self.record(report, outcome.as_ref(), event_id).await;
        stopwatch.lap(Stage::Audit);
        let outcome = match recorded {
            Ok(()) => outcome,
            Err(error) => Err(unrecorded(&error, self.request_id)),
        };
        let counted = match &outcome {
            Ok(_) => Outcome::ok,
            Err(failure) if failure.status.is_server_error() => Outcome::server_error,
            Err(failure) if failure.code == "AccessDeniedException" => Outcome::denied,
            Err(failure) if failure.code == "ThrottlingException" => Outcome::throttled,
            Err(_) => Outcome::client_error,
        };
        state.telemetry.request(report.operation, counted);
        tracing::debug!(operation = report.operation, outcome = ?counted, "answered");
        match outcome {
            Err(failure) => {
                let mut answer = failure.answer(self.form, self.request_id);
                if let (true, Some(explanation), Some(decision)) =
                    (self.live.explain.response_header, &report.explanation, report.decisions.first())
                    && report.is_callers_own
                {
                    answer.headers_mut().insert(explanation::NAME, explanation::value(decision, explanation));
                }
                answer
            }
            Ok(answer) => {
                let operation = report.operation.unwrap_or_default();
                let (time, request_id) = (self.surroundings.now, self.request_id);
                state.kms.note_use(&answer, KeyUse { operation, time, request_id, event_id });
                let body = match self.form {
                    Form::AwsJson => answer.body.map(kms::JsonText::into_bytes).unwrap_or_default(),
                    Form::PlainJson => {
                        let key = answer.key.map(|(id, created_at)| plain_json::Key {
                            id: id.to_string(),
                            created_at: Some(created_at),
                        });
                        let members = answer.body.map(|body| body.to_value());
                        plain_json::success(members.as_ref(), key.as_ref()).into()
                    }
                };
                with(StatusCode::OK, self.form, self.request_id, body)
            }
        }
    }

    async fn record(
        &self,
        report: &Report,
        outcome: Result<&kms::Answer, &Failure>,
        event_id: Uuid,
    ) -> Result<(), crate::audit::AuditError> {
        let state = &*self.state;
        let mut id = Uuid::encode_buffer();
        let caller = &self.identity.caller;
        let user_identity = if let Some(known) = self.identity.recorded.get() {
            known
        } else {
            let made = user_identity(caller)?;
            self.identity.recorded.get_or_init(|| made)
        };
        let answer = outcome.ok();
        let decisions: Vec<&Decision> = report.decisions.iter().map(AsRef::as_ref).collect();
        let resources = match answer {
            Some(answer) if !answer.resources.is_empty() => &answer.resources,
            _ => &report.resources,
        };
        let record = Record::ApiCall(ApiCall {
            time: state.clock.now(),
            request_id: self.request_id.hyphenated().encode_lower(&mut id),
            event_id,
            identity: AuditIdentity::Verified { account: caller.account.as_str(), json: user_identity },
            operation: report.operation,
            read_only: report.read_only,
            region: self.surroundings.region.as_str(),
            source_ip: self.surroundings.source_ip,
            user_agent: self.surroundings.user_agent.as_deref(),
            parameters: report.parameters.as_ref().map(kms::JsonText::as_str),
            response: answer.map(|answer| &answer.response_elements).filter(|elements| !elements.is_null()),
            error: outcome.err().map(|failure| (failure.code, failure.message.as_deref())),
            resources,
            decisions: &decisions,
            explanation: report.explanation.as_ref(),
        });
        if report.read_only || answer.is_none() {
            return state.audit.append(&record);
        }
        let durable = state.audit.append_durably(&record)?;
        drop(decisions);
        durable.await
    }
}

/// Why an attempt did not come to an answer.
enum Attempt {
    /// Something that it read changed meanwhile.
    Conflict,
    /// It was refused, or it failed.
    Failed(Failure),
}

fn resources(resolved: &impl Subject) -> Vec<Arn> {
    let mut arns: Vec<Arn> = Vec::with_capacity(resolved.checks().len());
    for check in resolved.checks() {
        if let Some(arn) = check.request.resource.arn()
            && !arns.contains(arn)
        {
            arns.push(arn.clone());
        }
    }
    arns
}
