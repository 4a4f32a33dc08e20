use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::operation::too_large;
use super::resolve::{Issue, Issued, Lifetime, Most, Resolved, Task};
use super::xml::Element;
use super::{Sts, StsError, authorization_message};
use crate::authz::Permit;
use crate::aws::{AccountId, Arn, Caller};
use crate::cedar::CompileError;
use crate::iam::DocumentKind;
use crate::identity::{Directory, IssueError, MAX_PACKED_BYTES, SessionRecord, SessionSubject};

/// The longest session of a role that is assumed with the credentials of another, in seconds.
const CHAINED_SECONDS: u32 = 3600;

/// An answer.
pub struct StsAnswer {
    /// XML.
    pub body: Zeroizing<String>,
    /// What CloudTrail records of it, without secrets; null where it records nothing.
    pub response_elements: Value,
}

impl Sts {
    /// Does what is permitted. `now` is the time of sessions.
    ///
    /// # Errors
    /// A session that would be too long or too large, session policies that are none, a message that
    /// was never encoded.
    pub fn execute(
        &self,
        permit: Permit<Resolved>,
        directory: &Directory,
        now: Timestamp,
        request_id: Uuid,
    ) -> Result<StsAnswer, StsError> {
        let Resolved { caller, task, .. } = permit.into_operation();
        match task {
            Task::TellIdentity => {
                let arn = caller.principal.to_string();
                let body = Element::answer("GetCallerIdentity", request_id, |result| {
                    let result = result.text("Arn", &arn).text("UserId", &caller.user_id);
                    result.text("Account", caller.account.as_str())
                });
                Ok(StsAnswer { body, response_elements: Value::Null })
            }
            Task::Decode(message) => {
                let decoded = authorization_message::decode(&self.key, caller.account, &message)?;
                let body = Element::answer("DecodeAuthorizationMessage", request_id, |result| {
                    result.text("DecodedMessage", &decoded)
                });
                Ok(StsAnswer { body, response_elements: Value::Null })
            }
            Task::Issue(issue) => self.issue(*issue, &caller, directory, now, request_id),
        }
    }

    fn issue(
        &self,
        issue: Issue,
        caller: &Caller,
        directory: &Directory,
        now: Timestamp,
        request_id: Uuid,
    ) -> Result<StsAnswer, StsError> {
        let Issue { mut session, lifetime, answer } = issue;
        let seconds = lifetime.seconds()?;
        self.check_policies(&session, caller, directory)?;
        session.issued_at = now.as_second();
        session.expires = session.issued_at.saturating_add(i64::from(seconds));
        let issued = session.issue(&self.key).map_err(|error| match error {
            IssueError::TooLarge => too_large(),
            IssueError::Random | IssueError::Unsealed => StsError::internal(&error),
        })?;
        let percent = (session.packed_bytes() > 0).then(|| (session.packed_bytes() * 100).div_ceil(MAX_PACKED_BYTES));
        let percent = percent.map(|percent| percent.to_string());
        let source_identity = session.source_identity.as_deref();
        let credentials = |result: Element| {
            result.element("Credentials", |credentials| {
                credentials
                    .text("AccessKeyId", &issued.access_key_id)
                    .text("SecretAccessKey", &issued.secret_access_key)
                    .text("SessionToken", &issued.session_token)
                    .time("Expiration", issued.expiration)
            })
        };
        let user = |result: Element, arn: &str, id: &str| {
            result.element("AssumedRoleUser", |user| user.text("AssumedRoleId", id).text("Arn", arn))
        };
        let body = match &answer {
            Issued::Own => Element::answer("GetSessionToken", request_id, credentials),
            Issued::Role { arn, id } => Element::answer("AssumeRole", request_id, |result| {
                user(credentials(result), arn, id)
                    .optional("PackedPolicySize", percent.as_deref())
                    .optional("SourceIdentity", source_identity)
            }),
            Issued::WebIdentity { arn, id, subject, audience, provider } => {
                Element::answer("AssumeRoleWithWebIdentity", request_id, |result| {
                    user(credentials(result).text("SubjectFromWebIdentityToken", subject), arn, id)
                        .optional("PackedPolicySize", percent.as_deref())
                        .text("Provider", provider)
                        .text("Audience", audience)
                        .optional("SourceIdentity", source_identity)
                })
            }
            Issued::FederatedUser { arn, id } => Element::answer("GetFederationToken", request_id, |result| {
                credentials(result)
                    .element("FederatedUser", |user| user.text("FederatedUserId", id).text("Arn", arn))
                    .optional("PackedPolicySize", percent.as_deref())
            }),
        };
        let mut response_elements = json!({
            "credentials": {
                "accessKeyId": issued.access_key_id,
                // As CloudTrail prints it.
                "expiration": issued.expiration.strftime("%b %-d, %Y, %-I:%M:%S %p").to_string(),
            },
        });
        match &answer {
            Issued::Own => {}
            Issued::Role { arn, id } => {
                response_elements["assumedRoleUser"] = json!({"assumedRoleId": id, "arn": arn});
            }
            Issued::WebIdentity { arn, id, subject, audience, provider } => {
                response_elements["assumedRoleUser"] = json!({"assumedRoleId": id, "arn": arn});
                response_elements["subjectFromWebIdentityToken"] = json!(subject);
                response_elements["audience"] = json!(audience);
                response_elements["provider"] = json!(provider);
            }
            Issued::FederatedUser { arn, id } => {
                response_elements["federatedUser"] = json!({"federatedUserId": id, "arn": arn});
            }
        }
        if let Some(identity) = source_identity {
            response_elements["sourceIdentity"] = json!(identity);
        }
        Ok(StsAnswer { body, response_elements })
    }

    /// Holds a session's policies to be policies, and to be there: nothing is issued that would not open.
    fn check_policies(&self, session: &SessionRecord, caller: &Caller, directory: &Directory) -> Result<(), StsError> {
        let malformed = |error: &CompileError| StsError::new("MalformedPolicyDocument", error.to_string());
        if let Some(policy) = &session.policy {
            self.documents.compile(DocumentKind::SessionPolicy, policy).map_err(|error| malformed(&error))?;
        }
        let account = match &session.subject {
            SessionSubject::Role { arn, .. } => account_of(arn).unwrap_or(caller.account),
            _ => caller.account,
        };
        for arn in &session.policy_arns {
            match directory.session_policy(account, arn, &self.documents) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(malformed(&error)),
                None => {
                    let why = format!("Policy {arn} does not exist or is not attachable.");
                    return Err(StsError::invalid_parameter(why));
                }
            }
        }
        Ok(())
    }
}

fn account_of(arn: &str) -> Option<AccountId> {
    arn.parse::<Arn>().ok()?.account().parse().ok()
}

impl Lifetime {
    fn seconds(&self) -> Result<u32, StsError> {
        match self.most {
            Most::Cut(most) => Ok(self.asked.unwrap_or(self.default).min(most)),
            Most::OfRole { seconds, is_chained } => match self.asked {
                None => Ok(self.default.min(seconds)),
                Some(asked) if is_chained && asked > CHAINED_SECONDS => Err(StsError::validation(
                    "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
                )),
                Some(asked) if asked > seconds => Err(StsError::validation(
                    "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
                )),
                Some(asked) => Ok(asked),
            },
        }
    }
}
