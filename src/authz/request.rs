use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::aws::{AccountId, ActionName, Arn, Caller, ContextValue, DeterminedKeys, Surroundings};

use super::{AttachedDocument, Grant};

/// One action on one resource by one caller: what is decided.
#[derive(Clone, Debug)]
pub struct AuthzRequest {
    /// Who asks.
    pub caller: Arc<Caller>,
    /// For what.
    pub action: ActionName,
    /// On what.
    pub resource: Resource,
    /// Condition keys that the operation itself gives, by their names in lower case.
    pub operation: Vec<(Cow<'static, str>, ContextValue<'static>)>,
    /// Condition keys that the HTTP request gives.
    pub surroundings: Arc<Surroundings>,
    /// Which condition keys follow from caller, resource and surroundings beside those that the
    /// operation gives.
    pub supplied: Supplied,
    /// Which of the condition keys that policies may read this request has, or is known not to have;
    /// none where that is so of all. A policy that reads another one denies.
    pub determined: Option<Arc<DeterminedKeys>>,
}

/// Which condition keys a request has beside those that its operation gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Supplied {
    /// All that a gateway knows of caller, resource and surroundings.
    #[default]
    All,
    /// Only what follows from principal and resource (a simulation): `aws:PrincipalArn`,
    /// `aws:PrincipalAccount`, `aws:PrincipalType`, `aws:username`, `aws:ResourceAccount` and
    /// `kms:CallerAccount`.
    Implied {
        /// Whether `aws:CurrentTime` and `aws:EpochTime` follow from [`Surroundings::now`] too.
        now: bool,
    },
}

/// What an action is asked for on.
#[derive(Clone, Debug)]
pub enum Resource {
    /// No resource: `*`. Identity policies alone decide (CreateKey, ListKeys, GenerateRandom, …).
    None,
    /// A KMS key that exists; its key policy takes part.
    Key {
        /// Its ARN.
        arn: Arn,
        /// What condition keys say of it.
        attributes: Arc<KeyAttributes>,
    },
    /// A KMS key that does not exist: the caller's own policies alone decide whether it may know.
    MissingKey {
        /// The ARN it would have.
        arn: Arn,
    },
    /// An alias: identity policies alone decide.
    Alias {
        /// Its ARN.
        arn: Arn,
    },
    /// A resource of another service; a resource policy may take part.
    Other {
        /// Its ARN.
        arn: Arn,
        /// The account that owns it, where the ARN does not say so (S3). None where neither does:
        /// it is taken for one of the caller's account.
        account: Option<AccountId>,
    },
}

impl Resource {
    /// The ARN; none for an action on no resource.
    #[must_use]
    pub fn arn(&self) -> Option<&Arn> {
        match self {
            Self::None => None,
            Self::Key { arn, .. } | Self::MissingKey { arn } | Self::Alias { arn } | Self::Other { arn, .. } => {
                Some(arn)
            }
        }
    }

    /// The account that owns it, as text; none where that is not known.
    pub(super) fn owner(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Key { attributes, .. } => Some(attributes.account.as_str()),
            Self::MissingKey { arn } | Self::Alias { arn } => Some(arn.account()),
            Self::Other { arn, account } => {
                account.as_ref().map(AccountId::as_str).or_else(|| Some(arn.account()).filter(|text| !text.is_empty()))
            }
        }
    }
}

/// What the condition keys `kms:Key…`, `kms:ResourceAliases` and `aws:ResourceTag/…` say of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyAttributes {
    /// `aws:ResourceAccount`.
    pub account: AccountId,
    /// `kms:KeySpec` (and the deprecated `kms:CustomerMasterKeySpec`).
    pub key_spec: Cow<'static, str>,
    /// `kms:KeyUsage` (and the deprecated `kms:CustomerMasterKeyUsage`).
    pub key_usage: Cow<'static, str>,
    /// `kms:KeyOrigin`.
    pub origin: Cow<'static, str>,
    /// `kms:MultiRegion`.
    pub multi_region: bool,
    /// `kms:MultiRegionKeyType`, `PRIMARY` or `REPLICA`.
    pub multi_region_key_type: Option<&'static str>,
    /// `kms:ResourceAliases`: with their `alias/` prefix.
    pub aliases: Vec<String>,
    /// `aws:ResourceTag/…`.
    pub tags: Vec<(String, String)>,
}

/// One of the (action, resource) pairs that an operation needs: all must be allowed.
#[derive(Clone, Debug)]
pub struct Check {
    /// What is asked.
    pub request: AuthzRequest,
    /// The key's policy; none for a resource that can't have one.
    pub resource_policy: Option<AttachedDocument>,
    /// The grants on the key that may be the caller's; for `kms:RetireGrant` the grant to retire.
    pub grants: Vec<Grant>,
    /// The encryption context that grants compare, names in its own case; none where there are no
    /// grants, or the request gives none.
    pub encryption_context: Option<BTreeMap<String, String>>,
    /// Whether AWS lets principals of other accounts do this at all (KMS Developer Guide,
    /// "Allowing users in other accounts to use a KMS key").
    pub cross_account: bool,
    /// Whether the caller named the key only through a ciphertext: the denial's text then does
    /// not tell the key's ARN.
    pub through_ciphertext: bool,
}
