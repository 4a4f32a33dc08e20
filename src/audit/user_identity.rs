use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::AuditError;
use crate::aws::{Arn, Caller, Principal};

/// How records show a verified caller: the JSON of CloudTrail's member `userIdentity` (CloudTrail
/// User Guide, "CloudTrail userIdentity element"). The same in all records of a caller, so it is
/// worth keeping.
///
/// # Errors
/// [`AuditError::Serialise`].
pub fn user_identity(caller: &Caller) -> Result<String, AuditError> {
    serde_json::to_string(&UserIdentityJson::from(caller)).map_err(|error| AuditError::Serialise(error.to_string()))
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
    identity_provider: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_context: Option<SessionContext<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionContext<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    session_issuer: Option<SessionIssuer<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    web_id_federation_data: Option<WebIdFederationData<'a>>,
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

/// The identity provider of a session that `AssumeRoleWithWebIdentity` gave.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WebIdFederationData<'a> {
    federated_provider: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionAttributes {
    #[serde(skip_serializing_if = "Option::is_none")]
    creation_date: Option<Seconds>,
    /// Text, as CloudTrail has it.
    mfa_authenticated: &'static str,
}

impl<'a> From<&'a Caller> for UserIdentityJson<'a> {
    fn from(caller: &'a Caller) -> Self {
        let kind = match caller.principal {
            Principal::Root(_) => "Root",
            Principal::User(_) => "IAMUser",
            Principal::Role(_) => "Role",
            Principal::Session(_) => "AssumedRole",
            Principal::FederatedUser(_) => "FederatedUser",
            Principal::WebIdentity(_) => "WebIdentityUser",
            Principal::Service(_) => "AWSService",
            Principal::Anonymous => "AWSAccount",
        };
        // Who is known to an identity provider alone has neither an account nor an access key.
        let provider = match &caller.principal {
            Principal::WebIdentity(provider) => Some(provider.as_str()),
            _ => None,
        };
        let of_account = |text: &'a str| provider.is_none().then_some(text);
        Self {
            r#type: kind,
            principal_id: Some(&caller.user_id),
            arn: caller.principal.arn().map(Arn::as_str),
            account_id: of_account(caller.account.as_str()),
            access_key_id: of_account(&caller.access_key_id),
            user_name: caller.user_name(),
            identity_provider: provider,
            session_context: caller.session.as_ref().map(|session| SessionContext {
                session_issuer: caller.principal.session_role_name().map(|role| SessionIssuer {
                    r#type: "Role",
                    // A session's id is `AROA…:session`; its issuer's is the part before the colon.
                    principal_id: caller.user_id.split(':').next().unwrap_or_default(),
                    arn: caller.principal_arn.as_str(),
                    account_id: caller.account.as_str(),
                    user_name: Some(role),
                }),
                web_id_federation_data: session
                    .federated_provider
                    .as_deref()
                    .map(|federated_provider| WebIdFederationData { federated_provider }),
                attributes: SessionAttributes {
                    creation_date: session.issued_at.map(Seconds),
                    mfa_authenticated: if session.mfa_authenticated_at.is_some() { "true" } else { "false" },
                },
                source_identity: session.source_identity.as_deref(),
            }),
        }
    }
}
