use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::constraints::{Charset, Constraints};
use super::{Parameters, StsError};
use crate::aws::{AccountId, Arn};

const VERSION: &str = "2011-06-15";

/// Most session tags, and most of their keys that are transitive.
const MAX_TAGS: usize = 50;
/// Most managed session policies.
const MAX_POLICY_ARNS: usize = 10;
/// Most characters of the session policies together.
const MAX_POLICY_CHARACTERS: usize = 2048;

/// An operation with its parameters, each held to its own limits.
#[derive(Clone, Debug)]
pub enum Operation {
    /// `GetCallerIdentity`
    GetCallerIdentity,
    /// `AssumeRole`
    AssumeRole(Box<AssumeRole>),
    /// `AssumeRoleWithWebIdentity`
    AssumeRoleWithWebIdentity(Box<AssumeRoleWithWebIdentity>),
    /// `GetSessionToken`
    GetSessionToken(GetSessionToken),
    /// `GetFederationToken`
    GetFederationToken(Box<GetFederationToken>),
    /// `DecodeAuthorizationMessage`, with `EncodedMessage`.
    DecodeAuthorizationMessage(String),
}

/// Session tags: keys and values.
pub(super) type Tags = Vec<(String, String)>;

/// What of a session's policies a request gives.
#[derive(Clone, Debug, Default)]
pub(super) struct SessionPolicies {
    pub(super) inline: Option<String>,
    pub(super) arns: Vec<String>,
}

/// A code of a multi-factor device.
#[derive(Clone)]
pub(super) struct MfaCode {
    pub(super) serial: String,
    pub(super) code: Zeroizing<String>,
}

#[derive(Clone, Debug)]
pub struct AssumeRole {
    pub(super) role: Arn,
    pub(super) session_name: String,
    pub(super) policies: SessionPolicies,
    pub(super) seconds: Option<u32>,
    pub(super) tags: Vec<(String, String)>,
    pub(super) transitive_tag_keys: Vec<String>,
    pub(super) external_id: Option<String>,
    pub(super) source_identity: Option<String>,
    pub(super) mfa: Option<MfaCode>,
}

#[derive(Clone)]
pub struct AssumeRoleWithWebIdentity {
    pub(super) role: Arn,
    pub(super) session_name: String,
    pub(super) token: Zeroizing<String>,
    pub(super) policies: SessionPolicies,
    pub(super) seconds: Option<u32>,
}

#[derive(Clone, Debug)]
pub struct GetSessionToken {
    pub(super) seconds: Option<u32>,
    pub(super) mfa: Option<MfaCode>,
}

#[derive(Clone, Debug)]
pub struct GetFederationToken {
    pub(super) name: String,
    pub(super) policies: SessionPolicies,
    pub(super) seconds: Option<u32>,
    pub(super) tags: Vec<(String, String)>,
}

impl std::fmt::Debug for MfaCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MfaCode").field("serial", &self.serial).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for AssumeRoleWithWebIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AssumeRoleWithWebIdentity").field("role", &self.role).finish_non_exhaustive()
    }
}

impl Operation {
    /// Reads the operation that the parameters name.
    ///
    /// # Errors
    /// Another version or an operation that is not served, missing parameters and those past their
    /// limits.
    pub fn parse(parameters: &Parameters) -> Result<Self, StsError> {
        let action = parameters.get("Action").ok_or_else(|| StsError::new("MissingAction", "There is no Action."))?;
        let version = parameters.get("Version").unwrap_or("NO_VERSION_SPECIFIED");
        let name = Self::known(action).filter(|_| version == VERSION).ok_or_else(|| {
            let shown: String = action.chars().take(128).collect();
            StsError::new(
                "UnknownOperationException",
                format!(
                    "Could not find operation {shown} for version {}",
                    version.chars().take(32).collect::<String>()
                ),
            )
        })?;
        match name {
            "AssumeRole" => AssumeRole::read(parameters).map(Box::new).map(Self::AssumeRole),
            "AssumeRoleWithWebIdentity" => {
                AssumeRoleWithWebIdentity::read(parameters).map(Box::new).map(Self::AssumeRoleWithWebIdentity)
            }
            "GetSessionToken" => GetSessionToken::read(parameters).map(Self::GetSessionToken),
            "GetFederationToken" => GetFederationToken::read(parameters).map(Box::new).map(Self::GetFederationToken),
            "DecodeAuthorizationMessage" => {
                let mut constraints = Constraints::default();
                let message = constraints.required("encodedMessage", parameters.get("EncodedMessage"));
                if !message.is_empty() {
                    constraints.text("encodedMessage", message, 1, 10_240, Charset::Text);
                }
                constraints.check()?;
                Ok(Self::DecodeAuthorizationMessage(message.to_owned()))
            }
            _ => Ok(Self::GetCallerIdentity),
        }
    }

    /// The name of the operation that the parameters name, where it is served.
    #[must_use]
    pub fn name_in(parameters: &Parameters) -> Option<&'static str> {
        Self::known(parameters.get("Action")?)
    }

    fn known(action: &str) -> Option<&'static str> {
        const NAMES: [&str; 6] = [
            "AssumeRole",
            "AssumeRoleWithWebIdentity",
            "DecodeAuthorizationMessage",
            "GetCallerIdentity",
            "GetFederationToken",
            "GetSessionToken",
        ];
        NAMES.into_iter().find(|name| *name == action)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::GetCallerIdentity => "GetCallerIdentity",
            Self::AssumeRole(_) => "AssumeRole",
            Self::AssumeRoleWithWebIdentity(_) => "AssumeRoleWithWebIdentity",
            Self::GetSessionToken(_) => "GetSessionToken",
            Self::GetFederationToken(_) => "GetFederationToken",
            Self::DecodeAuthorizationMessage(_) => "DecodeAuthorizationMessage",
        }
    }

    /// Whether it is for those who sign no request.
    #[must_use]
    pub fn is_unsigned(&self) -> bool {
        matches!(self, Self::AssumeRoleWithWebIdentity(_))
    }

    /// Whether what it answers are new credentials.
    #[must_use]
    pub fn issues_credentials(&self) -> bool {
        !matches!(self, Self::GetCallerIdentity | Self::DecodeAuthorizationMessage(_))
    }

    /// Its parameters as CloudTrail records them, without codes and tokens; none where it has none.
    #[must_use]
    pub fn request_parameters(&self) -> Option<Value> {
        let tags = |tags: &[(String, String)]| -> Value {
            tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect()
        };
        let mut shown = match self {
            Self::GetCallerIdentity | Self::DecodeAuthorizationMessage(_) => return None,
            Self::AssumeRole(asked) => json!({
                "roleArn": asked.role.as_str(),
                "roleSessionName": asked.session_name,
                "durationSeconds": asked.seconds,
                "externalId": asked.external_id,
                "sourceIdentity": asked.source_identity,
                "serialNumber": asked.mfa.as_ref().map(|mfa| &mfa.serial),
                "policy": asked.policies.inline,
                "policyArns": asked.policies.shown(),
                "tags": tags(&asked.tags),
                "transitiveTagKeys": asked.transitive_tag_keys,
            }),
            Self::AssumeRoleWithWebIdentity(asked) => json!({
                "roleArn": asked.role.as_str(),
                "roleSessionName": asked.session_name,
                "durationSeconds": asked.seconds,
                "policy": asked.policies.inline,
                "policyArns": asked.policies.shown(),
            }),
            Self::GetSessionToken(asked) => json!({
                "durationSeconds": asked.seconds,
                "serialNumber": asked.mfa.as_ref().map(|mfa| &mfa.serial),
            }),
            Self::GetFederationToken(asked) => json!({
                "name": asked.name,
                "durationSeconds": asked.seconds,
                "policy": asked.policies.inline,
                "policyArns": asked.policies.shown(),
                "tags": tags(&asked.tags),
            }),
        };
        let members = shown.as_object_mut()?;
        members.retain(|_, value| !value.is_null() && value.as_array().is_none_or(|members| !members.is_empty()));
        (!members.is_empty()).then_some(shown)
    }
}

impl AssumeRole {
    fn read(parameters: &Parameters) -> Result<Self, StsError> {
        let mut constraints = Constraints::default();
        let session_name = session_name(parameters, &mut constraints);
        let seconds = seconds(parameters, 43_200, &mut constraints);
        let external_id = parameters.get("ExternalId");
        if let Some(id) = external_id {
            constraints.text("externalId", id, 2, 1224, Charset::Word(":/"));
        }
        let source_identity = parameters.get("SourceIdentity");
        if let Some(identity) = source_identity {
            constraints.text("sourceIdentity", identity, 2, 64, Charset::Word(""));
        }
        let mfa = MfaCode::read(parameters, &mut constraints);
        let role = role_arn(parameters, &mut constraints);
        let policies = SessionPolicies::read(parameters, &mut constraints)?;
        let (tags, transitive_tag_keys) =
            (tags(parameters, &mut constraints)?, transitive(parameters, &mut constraints)?);
        constraints.check()?;
        if source_identity.is_some_and(|identity| identity.to_ascii_lowercase().starts_with("aws:")) {
            return Err(StsError::invalid_parameter("A source identity must not begin with aws:."));
        }
        if !parameters.list("ProvidedContexts", ".ProviderArn", 5)?.is_empty() {
            return Err(StsError::validation("ProvidedContexts is not supported."));
        }
        check_tags(&tags, &transitive_tag_keys)?;
        policies.check()?;
        Ok(Self {
            role: role?,
            session_name,
            policies,
            seconds,
            tags,
            transitive_tag_keys,
            external_id: external_id.map(str::to_owned),
            source_identity: source_identity.map(str::to_owned),
            mfa: mfa?,
        })
    }
}

impl AssumeRoleWithWebIdentity {
    fn read(parameters: &Parameters) -> Result<Self, StsError> {
        let mut constraints = Constraints::default();
        let session_name = session_name(parameters, &mut constraints);
        let seconds = seconds(parameters, 43_200, &mut constraints);
        let token = constraints.required("webIdentityToken", parameters.get("WebIdentityToken"));
        let role = role_arn(parameters, &mut constraints);
        let policies = SessionPolicies::read(parameters, &mut constraints)?;
        constraints.check()?;
        // Its length alone: what is no token is told otherwise, and it is shown nowhere.
        if !(4..=20_000).contains(&token.len()) {
            let what = "Member must have length between 4 and 20000";
            return Err(Constraints::one("webIdentityToken", "", what));
        }
        if parameters.get("ProviderId").is_some() {
            let why =
                "ProviderId is for OAuth 2.0 access tokens, which are not supported: give an OpenID Connect token.";
            return Err(StsError::validation(why));
        }
        policies.check()?;
        let token = Zeroizing::new(token.to_owned());
        Ok(Self { role: role?, session_name, token, policies, seconds })
    }
}

impl GetSessionToken {
    fn read(parameters: &Parameters) -> Result<Self, StsError> {
        let mut constraints = Constraints::default();
        let seconds = seconds(parameters, 129_600, &mut constraints);
        let mfa = MfaCode::read(parameters, &mut constraints);
        constraints.check()?;
        Ok(Self { seconds, mfa: mfa? })
    }
}

impl GetFederationToken {
    fn read(parameters: &Parameters) -> Result<Self, StsError> {
        let mut constraints = Constraints::default();
        let name = constraints.required("name", parameters.get("Name"));
        if !name.is_empty() {
            constraints.text("name", name, 2, 32, Charset::Word(""));
        }
        let seconds = seconds(parameters, 129_600, &mut constraints);
        let policies = SessionPolicies::read(parameters, &mut constraints)?;
        let tags = tags(parameters, &mut constraints)?;
        constraints.check()?;
        check_tags(&tags, &[])?;
        policies.check()?;
        Ok(Self { name: name.to_owned(), policies, seconds, tags })
    }
}

impl MfaCode {
    /// Both parts or none.
    fn read(parameters: &Parameters, constraints: &mut Constraints) -> Result<Option<Self>, StsError> {
        let (serial, code) = (parameters.get("SerialNumber"), parameters.get("TokenCode"));
        if let Some(serial) = serial {
            constraints.text("serialNumber", serial, 9, 256, Charset::Word(":/"));
        }
        if let Some(code) = code {
            constraints.text("tokenCode", code, 6, 6, Charset::Digits);
        }
        match (serial, code) {
            (None, None) => Ok(None),
            (Some(serial), Some(code)) => {
                Ok(Some(Self { serial: serial.to_owned(), code: Zeroizing::new(code.to_owned()) }))
            }
            _ => Err(StsError::denied(
                "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.",
            )),
        }
    }
}

impl SessionPolicies {
    fn read(parameters: &Parameters, constraints: &mut Constraints) -> Result<Self, StsError> {
        let inline = parameters.get("Policy");
        if let Some(policy) = inline {
            constraints.text("policy", policy, 1, MAX_POLICY_CHARACTERS, Charset::Policy);
        }
        let arns = parameters.list("PolicyArns", ".arn", MAX_POLICY_ARNS)?;
        for (arn, number) in arns.iter().zip(1..) {
            constraints.text(&format!("policyArns.{number}.member.arn"), arn, 20, 2048, Charset::Text);
        }
        Ok(Self { inline: inline.map(str::to_owned), arns: arns.into_iter().map(str::to_owned).collect() })
    }

    /// All of them together have a limit too.
    fn check(&self) -> Result<(), StsError> {
        let texts = self.inline.iter().chain(&self.arns);
        let characters: usize = texts.map(|text| text.chars().count()).sum();
        if characters <= MAX_POLICY_CHARACTERS { Ok(()) } else { Err(too_large()) }
    }

    fn shown(&self) -> Value {
        self.arns.iter().map(|arn| json!({"arn": arn})).collect()
    }
}

/// Policies and tags are past the limit that they have together.
pub(super) fn too_large() -> StsError {
    StsError::new(
        "PackedPolicyTooLarge",
        "Packed size of session tags and policies exceeds the maximum. Pass fewer or shorter ones.",
    )
}

fn session_name(parameters: &Parameters, constraints: &mut Constraints) -> String {
    let name = constraints.required("roleSessionName", parameters.get("RoleSessionName"));
    if !name.is_empty() {
        constraints.text("roleSessionName", name, 2, 64, Charset::Word(""));
    }
    name.to_owned()
}

fn seconds(parameters: &Parameters, most: u32, constraints: &mut Constraints) -> Option<u32> {
    constraints.number("durationSeconds", parameters.get("DurationSeconds")?, 900, most)
}

/// The ARN of a role, which may be of an account that is not served.
fn role_arn(parameters: &Parameters, constraints: &mut Constraints) -> Result<Arn, StsError> {
    let text = constraints.required("roleArn", parameters.get("RoleArn"));
    if !text.is_empty() {
        constraints.text("roleArn", text, 20, 2048, Charset::Text);
    }
    let is_role = |arn: &Arn| {
        arn.service() == "iam"
            && arn.region().is_empty()
            && arn.account().parse::<AccountId>().is_ok()
            && arn.resource().strip_prefix("role/").is_some_and(|name| {
                name.bytes().all(|byte| byte.is_ascii_graphic()) && name.split('/').all(|part| !part.is_empty())
            })
    };
    let arn = text.parse::<Arn>().ok().filter(is_role);
    arn.ok_or_else(|| StsError::validation(format!("{} is invalid", text.chars().take(256).collect::<String>())))
}

fn tags(parameters: &Parameters, constraints: &mut Constraints) -> Result<Vec<(String, String)>, StsError> {
    let keys = parameters.list("Tags", ".Key", MAX_TAGS)?;
    if parameters.list("Tags", ".Value", MAX_TAGS)?.len() > keys.len() {
        return Err(StsError::validation("A tag has no key."));
    }
    let mut tags = Vec::with_capacity(keys.len());
    for (key, number) in keys.into_iter().zip(1..) {
        constraints.text(&format!("tags.{number}.member.key"), key, 1, 128, Charset::Tag);
        let value = parameters.given(&format!("Tags.member.{number}.Value"));
        let value = value.ok_or_else(|| StsError::validation(format!("The tag {number} has no value.")))?;
        constraints.text(&format!("tags.{number}.member.value"), value, 0, 256, Charset::Tag);
        tags.push((key.to_owned(), value.to_owned()));
    }
    Ok(tags)
}

fn transitive(parameters: &Parameters, constraints: &mut Constraints) -> Result<Vec<String>, StsError> {
    let keys = parameters.list("TransitiveTagKeys", "", MAX_TAGS)?;
    for (key, number) in keys.iter().zip(1..) {
        constraints.text(&format!("transitiveTagKeys.{number}.member"), key, 1, 128, Charset::Tag);
    }
    Ok(keys.into_iter().map(str::to_owned).collect())
}

/// What tags may be together: their keys are told apart without regard to case, as IAM does (IAM User
/// Guide, "Pass session tags in AWS STS").
pub(super) fn check_tags(tags: &[(String, String)], transitive: &[String]) -> Result<(), StsError> {
    let lower = |key: &str| key.to_lowercase();
    for (at, (key, _)) in tags.iter().enumerate() {
        if lower(key).starts_with("aws:") {
            return Err(StsError::invalid_parameter("Tag keys must not begin with aws:."));
        }
        if tags[..at].iter().any(|(other, _)| lower(other) == lower(key)) {
            let why = "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
            return Err(StsError::invalid_parameter(why));
        }
    }
    for (at, key) in transitive.iter().enumerate() {
        if transitive[..at].iter().any(|other| lower(other) == lower(key)) {
            return Err(StsError::invalid_parameter("Duplicate transitive tag keys found."));
        }
        if !tags.iter().any(|(tag, _)| lower(tag) == lower(key)) {
            let why = "The specified transitive tag key must be included in the requested tags.";
            return Err(StsError::invalid_parameter(why));
        }
    }
    Ok(())
}
