use std::fmt::Display;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::AuditError;
use crate::authz::{DecidedBy, Decision, Outcome};
use crate::aws::{Arn, Caller, Principal};

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
    /// The operation's members without plaintext and secrets.
    pub parameters: Option<&'a serde_json::Value>,
    /// What a mutation answered, without secrets.
    pub response: Option<&'a serde_json::Value>,
    /// The error's code and message.
    pub error: Option<(&'a str, Option<&'a str>)>,
    /// The keys and aliases concerned.
    pub resources: &'a [Arn],
    /// The decisions, one for each pair of action and resource; none where nothing was decided.
    pub decisions: &'a [&'a Decision],
}

/// Who called.
#[derive(Clone, Copy, Debug)]
pub enum Identity<'a> {
    /// A verified caller.
    Verified(&'a Caller),
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
            Self::ApiCall(call) => serde_json::to_writer(&mut *out, &ApiCallJson::from(call)),
            Self::ServiceEvent(event) => serde_json::to_writer(&mut *out, &ServiceEventJson::from(event)),
        };
        written.map_err(|error| {
            out.truncate(start);
            AuditError::Serialise(error.to_string())
        })
    }
}

const EVENT_VERSION: &str = "1.11";
const EVENT_SOURCE: &str = "kms.amazonaws.com";
const SERVICE_ITSELF: &str = "AWS Internal";

/// Text made from a value as it is written.
struct AsText<T>(T);

impl<T: Display> Serialize for AsText<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A point in time to the second, as CloudTrail writes it.
struct Seconds(Timestamp);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.0}", self.0))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ApiCallJson<'a> {
    event_version: &'static str,
    user_identity: UserIdentity<'a>,
    event_time: Seconds,
    event_source: &'static str,
    event_name: Option<&'a str>,
    aws_region: &'a str,
    #[serde(rename = "sourceIPAddress")]
    source_ip_address: Option<IpAddr>,
    user_agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<&'a str>,
    request_parameters: Option<&'a serde_json::Value>,
    response_elements: Option<&'a serde_json::Value>,
    #[serde(rename = "requestID")]
    request_id: &'a str,
    #[serde(rename = "eventID")]
    event_id: AsText<Uuid>,
    read_only: bool,
    resources: Resources<'a>,
    event_type: &'static str,
    management_event: bool,
    recipient_account_id: Option<&'a str>,
    event_category: &'static str,
    keystile: Keystile<'a>,
}

impl<'a> From<&ApiCall<'a>> for ApiCallJson<'a> {
    fn from(call: &ApiCall<'a>) -> Self {
        let account = match call.identity {
            Identity::Verified(caller) => Some(caller.account.as_str()),
            Identity::Unverified { .. } => None,
        };
        Self {
            event_version: EVENT_VERSION,
            user_identity: UserIdentity(call.identity),
            event_time: Seconds(call.time),
            event_source: EVENT_SOURCE,
            event_name: call.operation,
            aws_region: call.region,
            source_ip_address: call.source_ip,
            user_agent: call.user_agent,
            // CloudTrail drops the suffix of this one code, and of this one alone.
            error_code: call.error.map(|(code, _)| if code == "AccessDeniedException" { "AccessDenied" } else { code }),
            error_message: call.error.and_then(|(_, message)| message),
            request_parameters: call.parameters,
            response_elements: call.response,
            request_id: call.request_id,
            event_id: AsText(call.event_id),
            read_only: call.read_only,
            resources: Resources(call.resources),
            event_type: "AwsApiCall",
            management_event: true,
            recipient_account_id: call
                .resources
                .first()
                .map(Arn::account)
                .filter(|account| !account.is_empty())
                .or(account),
            event_category: "Management",
            keystile: Keystile(call.decisions),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServiceEventJson<'a> {
    event_version: &'static str,
    user_identity: ServiceIdentity<'a>,
    event_time: Seconds,
    event_source: &'static str,
    event_name: &'a str,
    aws_region: &'a str,
    #[serde(rename = "sourceIPAddress")]
    source_ip_address: &'static str,
    user_agent: &'static str,
    request_parameters: (),
    response_elements: (),
    #[serde(rename = "eventID")]
    event_id: AsText<Uuid>,
    read_only: bool,
    resources: Resources<'a>,
    event_type: &'static str,
    management_event: bool,
    recipient_account_id: Option<&'a str>,
    service_event_details: &'a serde_json::Value,
    event_category: &'static str,
    keystile: Keystile<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServiceIdentity<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
    invoked_by: &'static str,
}

impl<'a> From<&ServiceEvent<'a>> for ServiceEventJson<'a> {
    fn from(event: &ServiceEvent<'a>) -> Self {
        Self {
            event_version: EVENT_VERSION,
            user_identity: ServiceIdentity { account_id: event.account, invoked_by: SERVICE_ITSELF },
            event_time: Seconds(event.time),
            event_source: EVENT_SOURCE,
            event_name: event.name,
            aws_region: event.region,
            source_ip_address: SERVICE_ITSELF,
            user_agent: SERVICE_ITSELF,
            request_parameters: (),
            response_elements: (),
            event_id: AsText(event.event_id),
            read_only: false,
            resources: Resources(event.resources),
            event_type: "AwsServiceEvent",
            management_event: true,
            recipient_account_id: event.account,
            service_event_details: event.details,
            event_category: "Management",
            keystile: Keystile(&[]),
        }
    }
}

/// CloudTrail User Guide, "CloudTrail userIdentity element".
struct UserIdentity<'a>(Identity<'a>);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UserIdentityJson<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_context: Option<SessionContext<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionContext<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    session_issuer: Option<SessionIssuer<'a>>,
    attributes: SessionAttributes,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_identity: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionIssuer<'a> {
    r#type: &'static str,
    principal_id: &'a str,
    arn: &'a str,
    account_id: &'a str,
    user_name: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionAttributes {
    #[serde(skip_serializing_if = "Option::is_none")]
    creation_date: Option<Seconds>,
    /// Text, as CloudTrail has it.
    mfa_authenticated: &'static str,
}

impl Serialize for UserIdentity<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Identity::Verified(caller) => UserIdentityJson::from(caller).serialize(serializer),
            Identity::Unverified { access_key_id } => UserIdentityJson {
                r#type: "Unknown",
                principal_id: None,
                arn: None,
                account_id: None,
                access_key_id,
                user_name: None,
                session_context: None,
            }
            .serialize(serializer),
        }
    }
}

impl<'a> From<&'a Caller> for UserIdentityJson<'a> {
    fn from(caller: &'a Caller) -> Self {
        let kind = match caller.principal {
            Principal::Root(_) => "Root",
            Principal::User(_) => "IAMUser",
            Principal::Role(_) => "Role",
            Principal::Session(_) => "AssumedRole",
            Principal::FederatedUser(_) => "FederatedUser",
            Principal::Service(_) => "AWSService",
            Principal::Anonymous => "AWSAccount",
        };
        Self {
            r#type: kind,
            principal_id: Some(&caller.user_id),
            arn: caller.principal.arn().map(Arn::as_str),
            account_id: Some(caller.account.as_str()),
            access_key_id: Some(&caller.access_key_id),
            user_name: caller.user_name(),
            session_context: caller.session.as_ref().map(|session| SessionContext {
                session_issuer: caller.principal.session_role_name().map(|role| SessionIssuer {
                    r#type: "Role",
                    // A session's id is `AROA…:session`; its issuer's is the part before the colon.
                    principal_id: caller.user_id.split(':').next().unwrap_or_default(),
                    arn: caller.principal_arn.as_str(),
                    account_id: caller.account.as_str(),
                    user_name: Some(role),
                }),
                attributes: SessionAttributes {
                    creation_date: session.issued_at.map(Seconds),
                    mfa_authenticated: if session.mfa_authenticated_at.is_some() { "true" } else { "false" },
                },
                source_identity: session.source_identity.as_deref(),
            }),
        }
    }
}

struct Resources<'a>(&'a [Arn]);

#[derive(Serialize)]
struct ResourceJson<'a> {
    #[serde(rename = "accountId")]
    account_id: &'a str,
    r#type: &'static str,
    #[serde(rename = "ARN")]
    arn: &'a str,
}

impl Serialize for Resources<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|arn| ResourceJson {
            account_id: arn.account(),
            r#type: if arn.resource().starts_with("alias/") { "AWS::KMS::Alias" } else { "AWS::KMS::Key" },
            arn: arn.as_str(),
        }))
    }
}

/// What the house decided: the worst of the decisions, and the statements of all of them.
struct Keystile<'a>(&'a [&'a Decision]);

impl Keystile<'_> {
    fn outcome(&self) -> Option<Outcome> {
        let denied = self.0.iter().find(|decision| decision.outcome != Outcome::Allow);
        denied.or(self.0.first()).map(|decision| decision.outcome)
    }
}

impl Serialize for Keystile<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let decided_by: Statements<'_> = Statements(self.0);
        let mut object = serializer.serialize_struct("Keystile", 2)?;
        object.serialize_field("decision", &self.outcome())?;
        object.serialize_field("decided_by", &decided_by)?;
        object.end()
    }
}

struct Statements<'a>(&'a [&'a Decision]);

impl Serialize for Statements<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer
            .collect_seq(self.0.iter().flat_map(|decision| decision.decided_by.iter()).collect::<Vec<&DecidedBy>>())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::authz::Layer;
    use crate::aws::Session;

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
        let record = json_of(&Record::ApiCall(call(Identity::Verified(&caller))));
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
        call.error = Some(("AccessDeniedException", Some("no")));
        let record = json_of(&Record::ApiCall(call));
        assert_eq!(record["keystile"]["decision"], "implicit_deny");
        assert_eq!(record["keystile"]["decided_by"].as_array().unwrap().len(), 2);
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
