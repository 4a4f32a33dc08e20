use std::borrow::Cow;
use std::sync::Arc;

use crate::aws::{AccountId, ActionName, Arn, Caller, ContextValue, Surroundings};
use crate::cedar::CompiledDocument;

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
    pub key_policy: Option<Arc<CompiledDocument>>,
    /// Whether AWS lets principals of other accounts do this at all (KMS Developer Guide,
    /// "Allowing users in other accounts to use a KMS key").
    pub cross_account: bool,
    /// Whether the caller named the key only through a ciphertext: the denial's text then does
    /// not tell the key's ARN.
    pub through_ciphertext: bool,
}
