use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::{AccountId, Arn};

/// Who makes a request, as AWS tells principals apart.
///
/// IAM groups are never principals (IAM User Guide, "AWS JSON policy elements: Principal").
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Principal {
    /// The account's root user, `arn:aws:iam::111122223333:root`.
    Root(Arn),
    /// An IAM user, `arn:aws:iam::111122223333:user/path/alice`.
    User(Arn),
    /// An IAM role itself; requests are made by its sessions.
    Role(Arn),
    /// A role session, `arn:aws:sts::111122223333:assumed-role/Rotator/nightly`.
    Session(Arn),
    /// A federated user, `arn:aws:sts::111122223333:federated-user/bob`.
    FederatedUser(Arn),
    /// Someone that an identity provider vouches for, before any session:
    /// `arn:aws:iam::111122223333:oidc-provider/accounts.example.com`, the provider in a role's account.
    /// No text names one.
    WebIdentity(Arn),
    /// An AWS service, `s3.amazonaws.com`.
    Service(Arc<str>),
    /// Nobody: the request bears no credentials.
    Anonymous,
}

/// The text names no principal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a principal (the ARN of a root user, user, role, role session or federated user)")]
pub struct InvalidPrincipal(String);

impl Principal {
    /// The ARN, where this kind of principal has one.
    #[must_use]
    pub fn arn(&self) -> Option<&Arn> {
        match self {
            Self::Root(arn) | Self::User(arn) | Self::Role(arn) | Self::Session(arn) | Self::FederatedUser(arn) => {
                Some(arn)
            }
            Self::WebIdentity(_) | Self::Service(_) | Self::Anonymous => None,
        }
    }

    /// The account that the principal belongs to.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        self.arn().and_then(|arn| arn.account().parse().ok())
    }

    /// The role's name of a role session; none for any other principal.
    #[must_use]
    pub fn session_role_name(&self) -> Option<&str> {
        match self {
            Self::Session(arn) => arn.resource().split('/').nth(1),
            _ => None,
        }
    }

    /// The last part of the name: user name, role name, session name, federated user name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Root(_) | Self::WebIdentity(_) | Self::Anonymous => None,
            Self::Service(name) => Some(name),
            Self::User(arn) | Self::Role(arn) | Self::Session(arn) | Self::FederatedUser(arn) => {
                arn.resource().rsplit('/').next()
            }
        }
    }
}

impl FromStr for Principal {
    type Err = InvalidPrincipal;

    /// Reads an ARN, a service principal (`s3.amazonaws.com`) or `anonymous`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidPrincipal(text.to_owned());
        if text == "anonymous" {
            return Ok(Self::Anonymous);
        }
        if !text.starts_with("arn:") {
            let is_service = [".amazonaws.com", ".amazonaws.com.cn"].iter().any(|suffix| {
                text.strip_suffix(suffix).is_some_and(|name| {
                    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b))
                })
            });
            return if is_service { Ok(Self::Service(text.into())) } else { Err(invalid()) };
        }
        let arn: Arn = text.parse().map_err(|_| invalid())?;
        if arn.account().parse::<AccountId>().is_err() || !arn.region().is_empty() {
            return Err(invalid());
        }
        let parts: Vec<&str> = arn.resource().split('/').collect();
        // Paths and names have no other characters (IAM API Reference, Role: Path, RoleName).
        let is_printable = arn.resource().bytes().all(|byte| byte.is_ascii_graphic());
        if !is_printable || parts.iter().any(|part| part.is_empty()) {
            return Err(invalid());
        }
        match (arn.service(), parts.as_slice()) {
            ("iam", ["root"]) => Ok(Self::Root(arn)),
            ("iam", ["user", _, ..]) => Ok(Self::User(arn)),
            ("iam", ["role", _, ..]) => Ok(Self::Role(arn)),
            ("sts", ["assumed-role", _, _]) => Ok(Self::Session(arn)),
            ("sts", ["federated-user", _]) => Ok(Self::FederatedUser(arn)),
            _ => Err(invalid()),
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WebIdentity(provider) => f.write_str(provider.as_str()),
            Self::Service(name) => f.write_str(name),
            Self::Anonymous => f.write_str("anonymous"),
            other => other.arn().map_or(Ok(()), |arn| f.write_str(arn.as_str())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_principal_is_told_by_its_arn() {
        let kind = |text: &str| match text.parse::<Principal>() {
            Ok(Principal::Root(_)) => "root",
            Ok(Principal::User(_)) => "user",
            Ok(Principal::Role(_)) => "role",
            Ok(Principal::Session(_)) => "session",
            Ok(Principal::FederatedUser(_)) => "federated",
            Ok(Principal::WebIdentity(_)) => "web identity",
            Ok(Principal::Service(_)) => "service",
            Ok(Principal::Anonymous) => "anonymous",
            Err(_) => "invalid",
        };
        for (text, expected) in [
            ("arn:aws:iam::111122223333:root", "root"),
            ("arn:aws:iam::111122223333:user/alice", "user"),
            ("arn:aws:iam::111122223333:user/team/a/alice", "user"),
            ("arn:aws:iam::111122223333:role/service-role/R", "role"),
            ("arn:aws:sts::111122223333:assumed-role/R/s", "session"),
            ("arn:aws:sts::111122223333:federated-user/bob", "federated"),
            ("arn:aws:iam::111122223333:oidc-provider/accounts.example.com", "invalid"),
            ("s3.amazonaws.com", "service"),
            ("anonymous", "anonymous"),
            ("arn:aws:iam::111122223333:group/g", "invalid"),
            ("arn:aws:iam::111122223333:user/", "invalid"),
            ("arn:aws:iam::111122223333:role/a b", "invalid"),
            ("arn:aws:iam::111122223333:role/a\0b", "invalid"),
            ("arn:aws:iam::111122223333:role/a\u{202e}", "invalid"),
            ("arn:aws:iam::1111:root", "invalid"),
            ("arn:aws:sts::111122223333:assumed-role/R", "invalid"),
            ("alice", "invalid"),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
    }
}
