use crate::aws::{AccountId, Arn, Principal};

/// `Principal` or `NotPrincipal`, never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrincipalElement {
    /// Any of these.
    Principal(Vec<PrincipalPattern>),
    /// Everyone but these; AWS evaluates it with Deny only.
    NotPrincipal(Vec<PrincipalPattern>),
}

/// One entry of a Principal element (IAM User Guide, "AWS JSON policy elements: Principal").
/// There are no partial wildcards.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PrincipalPattern {
    /// `"*"` or `{"AWS": "*"}`.
    Anyone,
    /// `"111122223333"` or the ARN of its root: the account, a delegation to its IAM policies.
    Account(AccountId),
    /// An IAM user, exactly.
    User(Arn),
    /// Any session of that role.
    Role(Arn),
    /// That role session only.
    Session(Arn),
    /// That federated user only.
    FederatedUser(Arn),
    /// `{"Service": "s3.amazonaws.com"}`.
    Service(String),
    /// `{"Federated": "cognito-identity.amazonaws.com"}` or the ARN of an identity provider.
    Federated(String),
    /// `{"CanonicalUser": "…"}`, or the ARN of a CloudFront origin access identity.
    CanonicalUser(String),
    /// `AIDA…`, `AROA…`: an orphaned unique id, which matches that id and never a re-created name.
    UniqueId(String),
}

/// Why a text is no entry of a Principal element; says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidPrincipalPattern(String);

impl PrincipalPattern {
    /// Reads one entry of the member of that name (`AWS`, `Service`, `Federated`, `CanonicalUser`).
    ///
    /// # Errors
    /// An unknown member, partial wildcards, and what is no principal of that type.
    pub fn parse(member: &str, text: &str) -> Result<Self, InvalidPrincipalPattern> {
        let invalid = |what: &str| Err(InvalidPrincipalPattern(format!("`{text}` {what}")));
        if text != "*" && text.contains(['*', '?']) {
            return invalid("has a wildcard: principals take none, but for \"*\" alone, which is everyone");
        }
        match member {
            "AWS" => Self::parse_aws(text),
            "Service" => match text.parse() {
                Ok(Principal::Service(name)) => Ok(Self::Service(name.to_string())),
                _ => invalid("is not a service principal (such as `s3.amazonaws.com`)"),
            },
            "Federated" => {
                let is_provider_arn = text.parse::<Arn>().is_ok_and(|arn| {
                    arn.service() == "iam"
                        && arn.account().parse::<AccountId>().is_ok()
                        && (arn.resource().starts_with("saml-provider/")
                            || arn.resource().starts_with("oidc-provider/"))
                });
                if is_provider_arn || is_host_name(text) {
                    Ok(Self::Federated(text.to_owned()))
                } else {
                    invalid(
                        "is not an identity provider (an ARN of IAM, or a name such as `cognito-identity.amazonaws.com`)",
                    )
                }
            }
            "CanonicalUser" => {
                if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    Ok(Self::CanonicalUser(text.to_owned()))
                } else {
                    invalid("is not a canonical user id (64 hexadecimal digits)")
                }
            }
            _ => Err(InvalidPrincipalPattern(format!(
                "`{member}` is not a type of principal: write AWS, Service, Federated or CanonicalUser"
            ))),
        }
    }

    fn parse_aws(text: &str) -> Result<Self, InvalidPrincipalPattern> {
        if text == "*" {
            return Ok(Self::Anyone);
        }
        if let Ok(account) = text.parse() {
            return Ok(Self::Account(account));
        }
        let is_unique_id = text.len() >= 16
            && (text.starts_with("AIDA") || text.starts_with("AROA"))
            && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        if is_unique_id {
            return Ok(Self::UniqueId(text.to_owned()));
        }
        let invalid = || {
            InvalidPrincipalPattern(format!(
                "`{text}` is not a principal: write \"*\", an account id, or the ARN of an account's root, a user, a role, a role session or a federated user"
            ))
        };
        if !text.starts_with("arn:") {
            return Err(invalid());
        }
        // It signs no request that this program sees; the canonical id is its other name.
        if text.strip_prefix(ORIGIN_ACCESS_IDENTITY).is_some_and(is_word) {
            return Ok(Self::CanonicalUser(text.to_owned()));
        }
        match text.parse::<Principal>().map_err(|_| invalid())? {
            Principal::Root(arn) => arn.account().parse().map(Self::Account).map_err(|_| invalid()),
            Principal::User(arn) => Ok(Self::User(arn)),
            Principal::Role(arn) => Ok(Self::Role(arn)),
            Principal::Session(arn) => Ok(Self::Session(arn)),
            Principal::FederatedUser(arn) => Ok(Self::FederatedUser(arn)),
            Principal::WebIdentity(_) | Principal::Service(_) | Principal::Anonymous => Err(invalid()),
        }
    }

    /// The member of a Principal object that it stands in, and its text there.
    #[must_use]
    pub fn member_and_text(&self) -> (&'static str, &str) {
        match self {
            Self::Anyone => ("AWS", "*"),
            Self::Account(account) => ("AWS", account.as_str()),
            Self::User(arn) | Self::Role(arn) | Self::Session(arn) | Self::FederatedUser(arn) => ("AWS", arn.as_str()),
            Self::UniqueId(id) => ("AWS", id),
            Self::Service(name) => ("Service", name),
            Self::Federated(name) => ("Federated", name),
            Self::CanonicalUser(id) if id.starts_with(ORIGIN_ACCESS_IDENTITY) => ("AWS", id),
            Self::CanonicalUser(id) => ("CanonicalUser", id),
        }
    }
}

/// What the ARN of a CloudFront origin access identity begins with (Amazon CloudFront Developer
/// Guide, "Use an origin access identity").
const ORIGIN_ACCESS_IDENTITY: &str = "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity ";

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_host_name(text: &str) -> bool {
    text.contains('.')
        && text.split('.').all(|label| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        })
}
