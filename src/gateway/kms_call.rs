//! A verified call of the KMS API, from its operation's name to its answer.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use tracing::Instrument;

use super::call::{Call, Report, Success, unrecorded};
use super::form::Form;
use super::respond::{Answer, Failure, with};
use super::telemetry::{Outcome, Stage, operation_name};
use super::{dispatch, plain_json, request_id, revision};
use crate::kms::{self, KeyUse, KmsError, Operation};

/// How often a request is decided and executed anew because what it read changed meanwhile.
const ATTEMPTS: usize = 5;

/// A verified request to KMS.
pub(super) struct KmsCall {
    call: Call,
    body: Bytes,
}

/// Why an attempt did not come to an answer.
enum Attempt {
    /// Something that it read changed meanwhile.
    Conflict,
    /// It was refused, or it failed.
    Failed(Failure),
}

/// Performs what a request asks of KMS. `form` is none where the request's type is neither of those
/// that KMS speaks.
pub(super) async fn perform(call: Call, parts: &Parts, form: Option<Form>, body: Bytes) -> Answer {
    if let Err(failure) = revision::catch_up(&*call.state.store, &parts.headers).await {
        return call.refuse(&Report { read_only: true, ..Report::default() }, failure).await;
    }
    let store = Arc::clone(&call.state.store);
    let mut answer = answered(call, parts, form, body).await;
    revision::tell(&*store, &mut answer);
    answer
}

async fn answered(call: Call, parts: &Parts, form: Option<Form>, body: Bytes) -> Answer {
    let call = KmsCall { call, body };
    let operation = match dispatch::operation(parts, form) {
        Ok(name) => Operation::parse(name, &call.body).map_err(|error| (operation_name(name), call.failure(&error))),
        Err(failure) => Err((None, failure)),
    };
    match operation {
        Ok(operation) => call.perform(operation).await,
        Err((name, failure)) => {
            let read_only = !name.is_some_and(kms::is_mutation);
            let report = Report { operation: name.map(Cow::Borrowed), read_only, ..Report::default() };
            call.call.refuse(&report, failure).await
        }
    }
}

impl KmsCall {
    async fn perform(self, operation: Operation) -> Answer {
        let (form, request_id, limit) = (self.call.form, self.call.request_id, self.call.live.limits.request_timeout);
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
        let name = operation.name();
        let mut report = Report {
            operation: Some(Cow::Borrowed(name)),
            read_only: !operation.is_mutation(),
            parameters: operation.request_parameters(),
            ..Report::default()
        };
        let mut operation = operation;
        let mut is_counted = false;
        for _ in 1..ATTEMPTS {
            match self.attempt(operation, &mut report, &mut is_counted).await {
                Err(Attempt::Conflict) => {}
                Err(Attempt::Failed(failure)) => return self.call.refuse(&report, failure).await,
                Ok(answer) => return self.answer(name, &report, answer).await,
            }
            // The same text makes the same operation.
            operation = match Operation::parse(name, &self.body) {
                Ok(operation) => operation,
                Err(error) => return self.call.refuse(&report, self.failure(&error)).await,
            };
        }
        match self.attempt(operation, &mut report, &mut is_counted).await {
            Ok(answer) => self.answer(name, &report, answer).await,
            Err(Attempt::Failed(failure)) => self.call.refuse(&report, failure).await,
            // Trying again helps, and SDKs do so on this code.
            Err(Attempt::Conflict) => {
                let text = "The request competes with too many others for the same key.";
                self.call.refuse(&report, Failure::client("ThrottlingException", text)).await
            }
        }
    }

    /// Resolves, decides and executes, once; counted against the caller's quotas the first time.
    async fn attempt(
        &self,
        operation: Operation,
        report: &mut Report,
        is_counted: &mut bool,
    ) -> Result<kms::Answer, Attempt> {
        let Call { state, identity, surroundings, live, .. } = &self.call;
        let mut stopwatch = state.telemetry.stopwatch();
        let name = operation.name();
        let operation = operation.of_request(self.call.request_id);
        let resolved = state.kms.resolve(operation, &identity.caller, surroundings).await;
        stopwatch.lap(Stage::Resolve);
        if !std::mem::replace(is_counted, true) {
            let (account, region) = (identity.caller.account, &surroundings.region);
            let counted = match &resolved {
                Ok(resolved) => state.kms.count_request(resolved),
                Err(_) => state.kms.count_unresolved(name, account, region),
            };
            counted.map_err(|error| self.attempt_failure(&error))?;
        }
        let resolved = resolved.map_err(|error| self.attempt_failure(&error))?;
        report.concerns(&resolved);
        let permit = state.authorizer.authorize(resolved, &identity.policies, live.directory.organization());
        stopwatch.lap(Stage::Authorize);
        let permit = permit.map_err(|denial| Attempt::Failed(self.call.denied(report, denial)))?;
        report.decisions = permit.decisions().to_vec();
        self.call.check_recordable(report).map_err(Attempt::Failed)?;
        let answer = state.kms.execute(permit, live.directory.as_ref()).await;
        stopwatch.lap(Stage::Execute);
        answer.map_err(|error| self.attempt_failure(&error))
    }

    fn attempt_failure(&self, error: &KmsError) -> Attempt {
        if error.is_conflict() { Attempt::Conflict } else { Attempt::Failed(self.failure(error)) }
    }

    fn failure(&self, error: &KmsError) -> Failure {
        if error.is_unavailable() {
            // The store itself tells once when it falls behind; a line for each request could fill a disk.
            tracing::debug!(%error, request_id = %self.call.request_id, "the store is behind");
        } else if let Some(cause) = error.internal_text() {
            tracing::error!(cause, request_id = %self.call.request_id, "the engine failed");
        }
        Failure {
            code: error.code(),
            message: error.message().map(|message| message.to_owned().into()),
            status: match error.is_internal() {
                true if error.is_unavailable() => StatusCode::SERVICE_UNAVAILABLE,
                true => StatusCode::INTERNAL_SERVER_ERROR,
                false => StatusCode::BAD_REQUEST,
            },
        }
    }

    /// Records what was done and, if it could be recorded, answers it.
    async fn answer(&self, operation: &'static str, report: &Report, answer: kms::Answer) -> Answer {
        let Call { state, form, request_id, .. } = &self.call;
        let (form, request_id) = (*form, *request_id);
        let mut stopwatch = state.telemetry.stopwatch();
        let event_id = request_id::next();
        let success = Success { response: Some(&answer.response_elements), resources: &answer.resources };
        let recorded = self.call.record(report, Ok(success), event_id).await;
        stopwatch.lap(Stage::Audit);
        if let Err(error) = recorded {
            return self.call.fail(report, &unrecorded(&error, request_id));
        }
        self.call.count(report, Outcome::ok);
        let time = self.call.surroundings.now;
        state.kms.note_use(&answer, KeyUse { operation, time, request_id, event_id });
        let body = if form == Form::PlainJson {
            let key =
                answer.key.map(|(id, created_at)| plain_json::Key { id: id.to_string(), created_at: Some(created_at) });
            let members = answer.body.map(|body| body.to_value());
            plain_json::success(members.as_ref(), key.as_ref()).into()
        } else {
            answer.body.map(kms::JsonText::into_bytes).unwrap_or_default()
        };
        with(StatusCode::OK, form, request_id, body)
    }
}
