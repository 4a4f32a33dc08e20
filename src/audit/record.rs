use std::net::IpAddr;

use jiff::Timestamp;
use uuid::Uuid;

use super::{AuditError, api_call, service_event};
use crate::authz::{Decision, Explanation};
use crate::aws::Arn;

/// The version of CloudTrail's record that is written.
pub(super) const EVENT_VERSION: &str = "1.11";

/// The service whose engine does things by itself.
pub(super) const EVENT_SOURCE: &str = "kms.amazonaws.com";

/// A record of CloudTrail (AWS CloudTrail User Guide, "CloudTrail record contents") with the
/// member `keystile`; the member `previousHash` is added when its place in the log is known.
///
/// Text that a client chose is escaped by the JSON serialiser, so it can't forge a line.
#[derive(Clone, Debug)]
pub enum Record<'a> {
    /// Someone called the API.
    ApiCall(ApiCall<'a>),
    /// The service did something by itself.
    ServiceEvent(ServiceEvent<'a>),
}

/// One call of the API: allowed, denied, failed or not authenticated.
#[derive(Clone, Debug)]
pub struct ApiCall<'a> {
    /// Wall-clock time.
    pub time: Timestamp,
    /// The id that the client got.
    pub request_id: &'a str,
    /// Names this record.
    pub event_id: Uuid,
    /// Who called.
    pub identity: Identity<'a>,
    /// The service whose API is called, such as `kms`: `eventSource` is its name under `amazonaws.com`.
    pub service: &'a str,
    /// The operation as AWS spells it; none where the request did not get that far.
    pub operation: Option<&'a str>,
    /// Whether the operation changes nothing.
    pub read_only: bool,
    /// The credential scope's region; empty where there is none.
    pub region: &'a str,
    /// Where the request came from.
    pub source_ip: Option<IpAddr>,
    /// The client's `User-Agent`.
    pub user_agent: Option<&'a str>,
    /// The operation's members without plaintext and secrets: a JSON object.
    pub parameters: Option<&'a str>,
    /// What a mutation answered, without secrets.
    pub response: Option<&'a serde_json::Value>,
    /// The error's code and message.
    pub error: Option<(&'a str, Option<&'a str>)>,
    /// The keys and aliases concerned.
    pub resources: &'a [Arn],
    /// The decisions, one for each pair of action and resource; none where nothing was decided.
    pub decisions: &'a [&'a Decision],
    /// What would have to change for a denial to be an allow.
    pub explanation: Option<&'a Explanation>,
}

/// Who called.
#[derive(Clone, Copy, Debug)]
pub enum Identity<'a> {
    /// A verified caller.
    Verified {
        /// Its account.
        account: &'a str,
        /// What [`user_identity`](super::user_identity) says of it.
        json: &'a str,
    },
    /// Nobody that could be verified; the access key that the request named, if it did.
    Unverified {
        /// What the client claims.
        access_key_id: Option<&'a str>,
    },
}

/// Something that the service did: a rotation, a repair of the log.
#[derive(Clone, Debug)]
pub struct ServiceEvent<'a> {
    /// Wall-clock time.
    pub time: Timestamp,
    /// Names this record; given by whoever caused it, so that it is recorded once.
    pub event_id: Uuid,
    /// `RotateKey`, …
    pub name: &'a str,
    /// The account concerned; none where it concerns the whole service.
    pub account: Option<&'a str>,
    /// The region; empty where it concerns the whole service.
    pub region: &'a str,
    /// The keys concerned.
    pub resources: &'a [Arn],
    /// What happened.
    pub details: &'a serde_json::Value,
}

impl Record<'_> {
    /// Appends the record to `out` as one JSON object on one line, without a line end.
    ///
    /// # Errors
    /// [`AuditError::Serialise`]; `out` is then as it was.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), AuditError> {
        let start = out.len();
        let written = match self {
            Self::ApiCall(call) => api_call::write(call, out),
            Self::ServiceEvent(event) => service_event::write(event, out),
        };
        written.map_err(|error| {
            out.truncate(start);
            AuditError::Serialise(error.to_string())
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::authz::{Actual, DecidedBy, Element, FailedElement, Layer, NearMiss, Outcome};
    use crate::aws::{Caller, Principal, Session};

    fn caller(principal: &str, role: &str, session: Option<Session>) -> Caller {
        let principal: Principal = principal.parse().unwrap();
        Caller {
            account: principal.account().unwrap(),
            principal,
            principal_arn: role.parse().unwrap(),
            user_id: "AROAEXAMPLE:nightly".into(),
            access_key_id: "ASIAEXAMPLE".into(),
            tags: Vec::new(),
            session,
        }
    }

    fn call(identity: Identity<'_>) -> ApiCall<'_> {
        ApiCall {
            time: "2026-01-02T03:04:05.678Z".parse().unwrap(),
            request_id: "r",
            event_id: Uuid::nil(),
            identity,
            service: "kms",
            operation: Some("DescribeKey"),
            read_only: true,
            region: "us-east-1",
            source_ip: Some(IpAddr::from([127, 0, 0, 1])),
            user_agent: None,
            parameters: None,
            response: None,
            error: None,
            resources: &[],
            decisions: &[],
            explanation: None,
        }
    }

    fn json_of(record: &Record<'_>) -> Value {
        let mut out = Vec::new();
        record.write(&mut out).unwrap();
        assert!(!out.contains(&b'\n'));
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn a_session_is_recorded_with_its_issuer_and_its_second_factor() {
        let session = Session {
            issued_at: Some("2026-01-01T00:00:00Z".parse().unwrap()),
            mfa_authenticated_at: Some("2026-01-01T00:00:00Z".parse().unwrap()),
            ..Session::default()
        };
        let caller = caller(
            "arn:aws:sts::111122223333:assumed-role/Rotator/nightly",
            "arn:aws:iam::111122223333:role/team/Rotator",
            Some(session),
        );
        let record = json_of(&Record::ApiCall(call(Identity::Verified {
            account: caller.account.as_str(),
            json: &crate::audit::user_identity(&caller).unwrap(),
        })));
        assert_eq!(
            record["userIdentity"],
            json!({
                "type": "AssumedRole",
                "principalId": "AROAEXAMPLE:nightly",
                "arn": "arn:aws:sts::111122223333:assumed-role/Rotator/nightly",
                "accountId": "111122223333",
                "accessKeyId": "ASIAEXAMPLE",
                "sessionContext": {
                    "sessionIssuer": {
                        "type": "Role",
                        "principalId": "AROAEXAMPLE",
                        "arn": "arn:aws:iam::111122223333:role/team/Rotator",
                        "accountId": "111122223333",
                        "userName": "Rotator",
                    },
                    "attributes": {"creationDate": "2026-01-01T00:00:00Z", "mfaAuthenticated": "true"},
                },
            })
        );
        assert_eq!(record["eventTime"], "2026-01-02T03:04:05Z");
        assert_eq!(record["recipientAccountId"], "111122223333");
    }

    #[test]
    fn one_denied_pair_makes_the_record_a_denial() {
        let decision = |outcome, layer| Decision {
            outcome,
            decided_by: vec![DecidedBy {
                layer,
                level: None,
                document: None,
                statement: None,
                sid: None,
                file: None,
                line: None,
            }],
            message: None,
        };
        let allowed = decision(Outcome::Allow, Layer::KeyPolicy);
        let denied = decision(Outcome::ImplicitDeny, Layer::IdentityPolicy);
        let decisions = [&allowed, &denied];
        let mut call = call(Identity::Unverified { access_key_id: None });
        call.decisions = &decisions;
        let explanation = Explanation {
            missing_context_keys: vec!["aws:SourceIp".to_owned()],
            near_misses: vec![NearMiss {
                statement: denied.decided_by[0].clone(),
                failed: vec![FailedElement {
                    element: Element::Condition,
                    operator: Some("IpAddress".to_owned()),
                    key: Some("aws:SourceIp".to_owned()),
                    expected: vec!["10.0.0.0/8".to_owned()],
                    actual: Actual::Absent,
                    reason: None,
                }],
            }],
        };
        call.explanation = Some(&explanation);
        call.error = Some(("AccessDeniedException", Some("no")));
        let record = json_of(&Record::ApiCall(call));
        assert_eq!(record["keystile"]["decision"], "implicit_deny");
        assert_eq!(record["keystile"]["decided_by"].as_array().unwrap().len(), 2);
        assert_eq!(record["keystile"]["missing_context_keys"], json!(["aws:SourceIp"]));
        assert_eq!(
            record["keystile"]["near_misses"],
            json!([{"layer": "identity_policy", "level": null, "document": null, "statement": null, "sid": null,
                    "file": null, "line": null,
                    "failed": [{"element": "Condition", "operator": "IpAddress", "key": "aws:SourceIp",
                                "expected": ["10.0.0.0/8"], "actual": null}]}])
        );
        assert_eq!(record["errorCode"], "AccessDenied");
    }

    #[test]
    fn what_a_client_claims_cannot_break_the_line() {
        let claimed = "AKIA\r\n{\"forged\":true}\u{1b}[31m";
        let record = json_of(&Record::ApiCall(call(Identity::Unverified { access_key_id: Some(claimed) })));
        assert_eq!(record["userIdentity"]["accessKeyId"], claimed);
        assert_eq!(record["keystile"], json!({"decision": null, "decided_by": []}));
        assert_eq!(record["recipientAccountId"], Value::Null);
    }

    #[test]
    fn a_service_event_has_cloudtrails_shape() {
        let arn: Arn = "arn:aws:kms:us-east-1:111122223333:key/k".parse().unwrap();
        let details = json!({"rotationType": "AUTOMATIC"});
        let record = json_of(&Record::ServiceEvent(ServiceEvent {
            time: Timestamp::UNIX_EPOCH,
            event_id: Uuid::nil(),
            name: "RotateKey",
            account: Some("111122223333"),
            region: "us-east-1",
            resources: std::slice::from_ref(&arn),
            details: &details,
        }));
        assert_eq!(record["eventType"], "AwsServiceEvent");
        assert_eq!(record["userIdentity"], json!({"accountId": "111122223333", "invokedBy": "AWS Internal"}));
        assert_eq!(record["resources"][0]["ARN"], arn.as_str());
        assert_eq!(record["requestParameters"], Value::Null);
        assert_eq!(record["serviceEventDetails"], details);
    }
}
