use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use super::{AccountId, Arn, Principal};

/// A principal with what AWS knows of it at the time of a call: the source of the
/// `aws:Principal…` condition keys.
///
/// Made once for each credential and shared by its requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who it is.
    pub principal: Principal,
    /// The account it belongs to.
    pub account: AccountId,
    /// `aws:PrincipalArn`: the ARN, and for a role session the ARN of the ROLE, path included.
    pub principal_arn: Arn,
    /// `aws:userid`: `AIDA…` of a user, `AROA…:session` of a session, the account id of a root user.
    pub user_id: Arc<str>,
    /// The access key that signed.
    pub access_key_id: Arc<str>,
    /// `aws:PrincipalTag/…`: keys keep their case, in order.
    pub tags: Vec<(String, String)>,
    /// What only temporary credentials have.
    pub session: Option<Session>,
}

/// What a temporary credential carries beside its principal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// `aws:TokenIssueTime`.
    pub issued_at: Option<Timestamp>,
    /// When it ends.
    pub expires: Option<Timestamp>,
    /// When the caller last proved a second factor; `aws:MultiFactorAuthPresent` is whether.
    pub mfa_authenticated_at: Option<Timestamp>,
    /// `aws:SourceIdentity`.
    pub source_identity: Option<String>,
    /// `aws:FederatedProvider`.
    pub federated_provider: Option<String>,
    /// The IAM user that asked for a federated user's session (`GetFederationToken`).
    pub federated_by: Option<Arn>,
    /// The keys of the tags that sessions inherit which this one is used to get (`TransitiveTagKeys`).
    pub transitive_tag_keys: Vec<String>,
}

impl Caller {
    /// `aws:username`: IAM users only.
    #[must_use]
    pub fn user_name(&self) -> Option<&str> {
        match self.principal {
            Principal::User(_) => self.principal.name(),
            _ => None,
        }
    }

    /// `aws:PrincipalType` (IAM User Guide, "AWS global condition context keys").
    #[must_use]
    pub fn principal_type(&self) -> &'static str {
        match self.principal {
            Principal::Root(_) => "Account",
            Principal::User(_) => "User",
            Principal::Role(_) | Principal::Session(_) => "AssumedRole",
            // AWS's list has no other word for who is known to an identity provider alone.
            Principal::FederatedUser(_) | Principal::WebIdentity(_) => "FederatedUser",
            Principal::Service(_) => "Service",
            Principal::Anonymous => "Anonymous",
        }
    }

    /// The IAM user that federated this caller; none for any other than a federated user.
    #[inline]
    #[must_use]
    pub fn federated_by(&self) -> Option<&Arn> {
        match self.principal {
            Principal::FederatedUser(_) => self.session.as_ref()?.federated_by.as_ref(),
            _ => None,
        }
    }

    /// Whether this is an account's root user.
    #[must_use]
    pub fn is_root_user(&self) -> bool {
        matches!(self.principal, Principal::Root(_))
    }
}

/// What surrounds one request: the source of the condition keys that the network gives.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// `aws:SourceIp`.
    pub source_ip: Option<IpAddr>,
    /// `aws:UserAgent`.
    pub user_agent: Option<String>,
    /// `aws:Referer`.
    pub referer: Option<String>,
    /// `aws:SecureTransport`.
    pub secure_transport: bool,
    /// `aws:RequestedRegion`: the credential scope's region.
    pub region: super::Region,
    /// `aws:CurrentTime` and `aws:EpochTime`: the engine's clock, read once for the request.
    pub now: Timestamp,
}
