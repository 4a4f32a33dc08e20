//! Tokens of OpenID Connect identity providers: JSON Web Tokens (RFC 7519) signed with a public key.

use std::borrow::Cow;
use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::conditions::{Conditions, many, text};
use super::operation::{AssumeRoleWithWebIdentity, Operation, Tags};
use super::{Sts, StsError};
use crate::aws::{AccountId, Arn, Caller, Principal, catalogue};
use crate::identity::{Directory, OidcProvider, SigningAlgorithm};

/// How far an identity provider's clock may go ahead of ours, in seconds.
const AHEAD_SECONDS: i64 = 60;

/// The claim that holds session tags (IAM User Guide, "Pass session tags in AWS STS").
const TAGS_CLAIM: &str = "https://aws.amazon.com/tags";
/// The claim that holds a source identity (IAM User Guide, "Monitor and control actions taken with
/// assumed roles").
const SOURCE_IDENTITY_CLAIM: &str = "https://aws.amazon.com/source_identity";

/// Whom an identity provider vouches for: the token was verified.
pub struct WebIdentity {
    caller: Arc<Caller>,
    /// Its issuer, as tokens name it.
    pub(super) issuer: String,
    /// `sub`
    pub(super) subject: String,
    /// `azp`, or the audience that the provider is configured with.
    pub(super) audience: String,
    pub(super) tags: Vec<(String, String)>,
    pub(super) transitive_tag_keys: Vec<String>,
    pub(super) source_identity: Option<String>,
    /// The condition keys that the token gives.
    pub(super) conditions: Conditions,
}

impl WebIdentity {
    /// Who asks.
    #[must_use]
    pub fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    /// The ARN of the identity provider in the role's account.
    pub(super) fn provider(&self) -> String {
        self.caller.principal.to_string()
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood: none is.
    crit: Option<Value>,
}

impl Sts {
    /// Whom the token of an operation for those who sign no request vouches for.
    ///
    /// # Errors
    /// Any token but one that its issuer signed for one of the configured audiences and for now.
    pub async fn web_identity(
        &self,
        operation: &Operation,
        directory: &Directory,
        now: Timestamp,
    ) -> Result<WebIdentity, StsError> {
        let Operation::AssumeRoleWithWebIdentity(asked) = operation else {
            return Err(StsError::forbidden(
                "MissingAuthenticationTokenException",
                "Request is missing Authentication Token",
            ));
        };
        let token = Token::split(&asked.token).ok_or_else(no_token)?;
        let issuer = token.claims.get("iss").and_then(Value::as_str).ok_or_else(no_token)?;
        let provider = directory.oidc_provider(issuer).ok_or_else(|| {
            let shown: String = issuer.chars().take(255).collect();
            StsError::invalid_identity_token(format!("No OpenIDConnect provider found in your account for {shown}"))
        })?;
        let id = token.header.kid.as_deref();
        let algorithm = SigningAlgorithm::named(&token.header.alg).filter(|named| provider.algorithms.contains(named));
        let algorithm = algorithm.filter(|_| token.header.crit.is_none());
        let algorithm = algorithm.ok_or_else(|| {
            StsError::invalid_identity_token(
                "The token is not signed with an algorithm that its provider is configured with.",
            )
        })?;
        let keys = self.key_sets.of(provider, id, &***self.transport.load(), now).await?;
        if !keys.verify(id, algorithm, token.signed, &token.signature) {
            let why = "Couldn't verify the token's signature with the keys of its identity provider.";
            return Err(StsError::invalid_identity_token(why));
        }
        token.identity(asked, provider, now)
    }
}

fn no_token() -> StsError {
    StsError::invalid_identity_token(
        "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
    )
}

/// A token as it was sent, before anyone believes it.
struct Token<'a> {
    header: Header,
    claims: Map<String, Value>,
    /// What the signature is over.
    signed: &'a [u8],
    signature: Vec<u8>,
}

impl<'a> Token<'a> {
    fn split(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let decoded = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).ok();
        Some(Self {
            header: serde_json::from_slice(&decoded(header)?).ok()?,
            claims: serde_json::from_slice(&decoded(claims)?).ok()?,
            signed: signed.as_bytes(),
            signature: decoded(signature)?,
        })
    }

    fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    /// A claim that is a time, in seconds since 1970 (RFC 7519, NumericDate: fractions are allowed).
    fn seconds(&self, claim: &str) -> Result<Option<i64>, StsError> {
        match self.claims.get(claim) {
            None => Ok(None),
            #[expect(clippy::cast_possible_truncation, reason = "a fraction of a second is no matter")]
            Some(value) => {
                let seconds = value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds.floor() as i64));
                seconds.map(Some).ok_or_else(|| {
                    StsError::invalid_identity_token(format!("The claim {claim} of the token is not a time."))
                })
            }
        }
    }

    fn required<T>(claim: &str, value: Option<T>) -> Result<T, StsError> {
        value.ok_or_else(|| StsError::invalid_identity_token(format!("Missing a required claim: {claim}")))
    }

    fn check_time(&self, now: Timestamp) -> Result<(), StsError> {
        let seconds = now.as_second();
        let expires = Self::required("exp", self.seconds("exp")?)?;
        if seconds >= expires {
            let why =
                format!("Token expired: current date/time {seconds} must be before the expiration date/time {expires}");
            return Err(StsError::new("ExpiredTokenException", why));
        }
        let issued = Self::required("iat", self.seconds("iat")?)?;
        let not_before = self.seconds("nbf")?.unwrap_or(issued);
        if issued.max(not_before) > seconds + AHEAD_SECONDS {
            return Err(StsError::invalid_identity_token("The token is not valid yet."));
        }
        Ok(())
    }

    /// The audience that the token is for: the party that it was issued to, where it names one.
    fn audience(&self, provider: &OidcProvider) -> Result<String, StsError> {
        let given: Vec<&str> = match (self.text("azp"), self.claims.get("aud")) {
            (Some(azp), _) => vec![azp],
            (None, Some(Value::String(audience))) => vec![audience],
            (None, Some(Value::Array(audiences))) => audiences.iter().filter_map(Value::as_str).collect(),
            (None, _) => return Self::required("aud", None),
        };
        let accepted = given.into_iter().find(|audience| provider.audiences.iter().any(|own| own == audience));
        accepted.map(str::to_owned).ok_or_else(|| StsError::invalid_identity_token("Incorrect token audience"))
    }

    fn identity(
        &self,
        asked: &AssumeRoleWithWebIdentity,
        provider: &OidcProvider,
        now: Timestamp,
    ) -> Result<WebIdentity, StsError> {
        self.check_time(now)?;
        let audience = self.audience(provider)?;
        let subject = Self::required("sub", self.text("sub").filter(|subject| !subject.is_empty()))?;
        if subject.chars().count() > 255 {
            return Err(StsError::invalid_identity_token("The claim sub of the token is too long."));
        }
        let account: AccountId = asked.role.account().parse().map_err(|_| no_token())?;
        let host = provider.host_and_path();
        let arn: Arn = format!("arn:{}:iam::{account}:oidc-provider/{host}", asked.role.partition())
            .parse()
            .map_err(|_| no_token())?;
        let (tags, transitive_tag_keys) = self.tags()?;
        let source_identity = match self.claims.get(SOURCE_IDENTITY_CLAIM) {
            None => None,
            Some(Value::String(identity)) if is_source_identity(identity) => Some(identity.clone()),
            Some(_) => {
                return Err(StsError::invalid_identity_token("The token's source identity is not valid."));
            }
        };
        let caller = Caller {
            user_id: format!("{arn}:{audience}:{subject}").into(),
            principal: Principal::WebIdentity(arn.clone()),
            account,
            principal_arn: arn,
            access_key_id: "".into(),
            tags: Vec::new(),
            session: None,
        };
        Ok(WebIdentity {
            caller: Arc::new(caller),
            issuer: provider.issuer.clone(),
            subject: subject.to_owned(),
            conditions: self.conditions(host, &audience),
            audience,
            tags,
            transitive_tag_keys,
            source_identity,
        })
    }

    /// `<issuer>:aud`, `:sub`, `:amr`, and the claims that AWS knows of that issuer (IAM User Guide,
    /// "Available keys for AWS OIDC federation").
    fn conditions(&self, issuer: &str, audience: &str) -> Conditions {
        let name = |claim: &str| -> Cow<'static, str> { format!("{issuer}:{claim}").to_lowercase().into() };
        let mut conditions: Conditions = vec![(name("aud"), text(audience))];
        conditions.extend(self.text("sub").map(|subject| (name("sub"), text(subject))));
        if let Some(Value::Array(methods)) = self.claims.get("amr") {
            conditions.push((name("amr"), many(methods.iter().filter_map(Value::as_str))));
        }
        for (claim, value) in &self.claims {
            let name = name(claim);
            // Claims have their case, condition keys have none: what is spelled otherwise is another claim.
            let is_known = !claim.contains(char::is_uppercase) && catalogue::condition_key(&name).is_some();
            if let Value::String(value) = value
                && is_known
                && !conditions.iter().any(|(known, _)| *known == name)
            {
                conditions.push((name, text(value)));
            }
        }
        conditions
    }

    /// The session tags that the token passes: `{"principal_tags": {"team": ["a"]},
    /// "transitive_tag_keys": ["team"]}`.
    fn tags(&self) -> Result<(Tags, Vec<String>), StsError> {
        let Some(claim) = self.claims.get(TAGS_CLAIM) else { return Ok((Vec::new(), Vec::new())) };
        let read = || -> Option<_> {
            let one = |value: &Value| match value {
                Value::String(text) => Some(text.clone()),
                Value::Array(values) => match values.as_slice() {
                    [Value::String(text)] => Some(text.clone()),
                    _ => None,
                },
                _ => None,
            };
            let tags = claim.get("principal_tags")?.as_object()?;
            let tags: Vec<(String, String)> =
                tags.iter().map(|(key, value)| Some((key.clone(), one(value)?))).collect::<Option<_>>()?;
            let transitive = match claim.get("transitive_tag_keys") {
                None => Vec::new(),
                Some(keys) => {
                    keys.as_array()?.iter().map(|key| key.as_str().map(str::to_owned)).collect::<Option<_>>()?
                }
            };
            let fits = |text: &str, most: usize| text.chars().count() <= most && !text.chars().any(char::is_control);
            let all_fit = tags.iter().all(|(key, value)| !key.is_empty() && fits(key, 128) && fits(value, 256));
            (all_fit && tags.len() <= 50).then_some((tags, transitive))
        };
        read().ok_or_else(|| StsError::invalid_identity_token("The token's session tags are not valid."))
    }
}

fn is_source_identity(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    (2..=64).contains(&text.len()) && text.bytes().all(is_word)
}
