//! One verified call, whatever service it is for: who asks, and how its end is recorded and told.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use http::header::{REFERER, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::explanation;
use super::form::Form;
use super::limits::Turns;
use super::request_id;
use super::respond::{Answer, Failure};
use super::state::{Live, State};
use super::telemetry::Outcome;
use crate::audit::{ApiCall, AuditError, Identity as AuditIdentity, Record, user_identity};
use crate::authz::{Decision, Denial, Explanation, Subject};
use crate::aws::{Arn, Surroundings};
use crate::identity::Identity;
use crate::kms::JsonText;
use crate::sigv4::Verified;

/// A verified request.
pub(super) struct Call {
    pub(super) state: Arc<State>,
    pub(super) live: Arc<Live>,
    pub(super) identity: Arc<Identity>,
    pub(super) surroundings: Arc<Surroundings>,
    pub(super) form: Form,
    pub(super) request_id: Uuid,
    /// The service whose API is called, as the credential scope names it.
    pub(super) service: Arc<str>,
    /// What it counts as among the requests that are under way at once.
    #[expect(dead_code, reason = "held, and given back when the call is over")]
    pub(super) turns: Turns,
}

/// What the audit is told of a call beside its outcome.
#[derive(Default)]
pub(super) struct Report {
    pub(super) operation: Option<Cow<'static, str>>,
    pub(super) read_only: bool,
    /// Whether its success is recorded before it is told though it changes nothing: it gives credentials.
    pub(super) is_durable: bool,
    pub(super) parameters: Option<JsonText>,
    pub(super) resources: Vec<Arn>,
    pub(super) decisions: Vec<Arc<Decision>>,
    pub(super) explanation: Option<Explanation>,
    /// Whether the caller may be told the explanation.
    pub(super) is_callers_own: bool,
}

/// How a call succeeded, as the audit records it.
#[derive(Clone, Copy, Default)]
pub(super) struct Success<'a> {
    /// What a mutation answered, without secrets.
    pub(super) response: Option<&'a Value>,
    /// The resources concerned, where the answer tells them better than the request.
    pub(super) resources: &'a [Arn],
}

/// What a request says of itself beside what its signature proves.
pub(super) struct Told<'a> {
    pub(super) parts: &'a Parts,
    /// Where it came from, as policies see it.
    pub(super) source_ip: Option<IpAddr>,
    /// Whether it came by TLS.
    pub(super) is_secure: bool,
    pub(super) form: Form,
    pub(super) request_id: Uuid,
    pub(super) service: &'a Arc<str>,
    /// The engine's time.
    pub(super) now: Timestamp,
    pub(super) turns: Turns,
}

impl Report {
    /// Whether it is told only once it is recorded.
    fn must_be_recorded(&self) -> bool {
        !self.read_only || self.is_durable
    }

    /// The resources of all checks, each once.
    pub(super) fn concerns(&mut self, subject: &impl Subject) {
        self.resources.clear();
        for check in subject.checks() {
            if let Some(arn) = check.request.resource.arn()
                && !self.resources.contains(arn)
            {
                self.resources.push(arn.clone());
            }
        }
    }
}

impl Call {
    /// The call of a request whose signature holds.
    pub(super) fn new(state: Arc<State>, live: Arc<Live>, verified: &Verified<Arc<Identity>>, told: &Told<'_>) -> Self {
        let surroundings = Surroundings {
            source_ip: told.source_ip,
            user_agent: text(&told.parts.headers, &USER_AGENT),
            referer: text(&told.parts.headers, &REFERER),
            secure_transport: told.is_secure,
            region: verified.region().clone(),
            now: told.now,
        };
        Self {
            state,
            live,
            identity: Arc::clone(verified.identity()),
            surroundings: Arc::new(surroundings),
            form: told.form,
            request_id: told.request_id,
            service: Arc::clone(told.service),
            turns: told.turns.clone(),
        }
    }

    /// A denial: what was decided and why is recorded, and its text is the client's.
    pub(super) fn denied(&self, report: &mut Report, denial: Denial) -> Failure {
        let mut message = denial.decision.message.clone().unwrap_or_default();
        if let (true, true, Some(request)) = (self.live.explain.encoded_message, denial.is_callers_own, &denial.request)
            && let Ok(encoded) = self.state.sts.encode_authorization_message(request, &denial.decision)
        {
            message = format!("{message} Encoded authorization failure message: {encoded}");
        }
        report.decisions = vec![denial.decision];
        report.explanation = Some(denial.explanation);
        report.is_callers_own = denial.is_callers_own;
        Failure::client("AccessDeniedException", message)
    }

    /// Records the outcome: of a mutation that was done before this is over, of anything else soon.
    pub(super) async fn record(
        &self,
        report: &Report,
        outcome: Result<Success<'_>, &Failure>,
        event_id: Uuid,
    ) -> Result<(), AuditError> {
        match outcome {
            Ok(success) => self.write(report, Ok(success), event_id).await,
            Err(failure) => {
                let code = self.form.code(failure.code);
                self.write(report, Err((code, failure.message.as_deref())), event_id).await
            }
        }
    }

    /// Records that an upstream refused or failed, by the code of its error.
    pub(super) async fn record_failed(
        &self,
        report: &Report,
        code: &str,
        message: Option<&str>,
    ) -> Result<(), AuditError> {
        self.write(report, Err((code, message)), request_id::next()).await
    }

    async fn write(
        &self,
        report: &Report,
        outcome: Result<Success<'_>, (&str, Option<&str>)>,
        event_id: Uuid,
    ) -> Result<(), AuditError> {
        let state = &*self.state;
        let mut id = Uuid::encode_buffer();
        let caller = &self.identity.caller;
        let user_identity = if let Some(known) = self.identity.recorded.get() {
            known
        } else {
            let made = user_identity(caller)?;
            self.identity.recorded.get_or_init(|| made)
        };
        let success = outcome.ok();
        let decisions: Vec<&Decision> = report.decisions.iter().map(AsRef::as_ref).collect();
        let resources = match success {
            Some(success) if !success.resources.is_empty() => success.resources,
            _ => &report.resources,
        };
        let record = Record::ApiCall(ApiCall {
            time: state.clock.now(),
            request_id: self.request_id.hyphenated().encode_lower(&mut id),
            event_id,
            identity: AuditIdentity::Verified { account: caller.account.as_str(), json: user_identity },
            service: &self.service,
            operation: report.operation.as_deref(),
            read_only: report.read_only,
            region: self.surroundings.region.as_str(),
            source_ip: self.surroundings.source_ip,
            user_agent: self.surroundings.user_agent.as_deref(),
            parameters: report.parameters.as_ref().map(JsonText::as_str),
            response: success.and_then(|success| success.response).filter(|elements| !elements.is_null()),
            error: outcome.err(),
            resources,
            decisions: &decisions,
            explanation: report.explanation.as_ref(),
        });
        if !report.must_be_recorded() || success.is_none() {
            return state.audit.append(&record);
        }
        let durable = state.audit.append_durably(&record)?;
        drop(decisions);
        durable.await
    }

    /// Records a call that failed, counts it, and answers it.
    pub(super) async fn refuse(&self, report: &Report, failure: Failure) -> Answer {
        let recorded = self.record(report, Err(&failure), request_id::next()).await;
        let failure = match recorded {
            Ok(()) => failure,
            Err(error) => unrecorded(&error, self.request_id),
        };
        self.fail(report, &failure)
    }

    /// Counts a failure that is recorded already, and answers it.
    pub(super) fn fail(&self, report: &Report, failure: &Failure) -> Answer {
        self.count(report, Outcome::of(failure));
        self.told(report, failure)
    }

    /// The answer of a failure, with the explanation where it may be told.
    pub(super) fn told(&self, report: &Report, failure: &Failure) -> Answer {
        let mut answer = failure.answer(self.form, self.request_id);
        if let (true, Some(explanation), Some(decision)) =
            (self.live.explain.response_header, &report.explanation, report.decisions.first())
            && report.is_callers_own
        {
            answer.headers_mut().insert(explanation::NAME, explanation::value(decision, explanation));
        }
        answer
    }

    /// Counts the request.
    pub(super) fn count(&self, report: &Report, outcome: Outcome) {
        self.state.telemetry.request(&self.service, report.operation.as_deref(), outcome);
        tracing::debug!(service = &*self.service, operation = report.operation.as_deref(), ?outcome, "answered");
    }

    /// What a mutation asks first: whether it could be recorded once it is done.
    pub(super) fn check_recordable(&self, report: &Report) -> Result<(), Failure> {
        if !report.must_be_recorded() {
            return Ok(());
        }
        self.state.audit.check_writable().map_err(|error| unrecorded(&error, self.request_id))
    }
}

impl Outcome {
    pub(super) fn of(failure: &Failure) -> Self {
        match failure.code {
            _ if failure.status.is_server_error() => Self::server_error,
            "AccessDeniedException" => Self::denied,
            "ThrottlingException" => Self::throttled,
            _ => Self::client_error,
        }
    }
}

/// A header's text; none where it is not UTF-8.
pub(super) fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    std::str::from_utf8(headers.get(name)?.as_bytes()).ok().map(str::to_owned)
}

/// The failure of a request that can't be recorded.
pub(super) fn unrecorded(error: &AuditError, request_id: Uuid) -> Failure {
    // The log itself tells once when it can't be written; a line for each request could fill a disk.
    tracing::debug!(%error, %request_id, "a request was refused because it cannot be recorded");
    Failure::unrecorded()
}
