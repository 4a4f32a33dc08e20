use std::collections::BTreeMap;

use crate::aws::{AccountId, Arn, Principal};

/// A grant on a KMS key: it allows, and never denies (KMS Developer Guide, "Grants in AWS KMS").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who may use it.
    pub grantee: GrantPrincipal,
    /// Who may retire it beside the grantee and the account that issued it.
    pub retiring: Option<GrantPrincipal>,
    /// What it allows, by KMS's names (`Decrypt`).
    pub operations: Vec<String>,
    /// When it allows; none is always.
    pub constraints: GrantConstraints,
    /// The account of the principal that created it.
    pub issuing_account: AccountId,
}

/// A principal as a grant names it: bound to the unique id that it had when the grant was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantPrincipal {
    /// Who. A root user stands for its account.
    pub principal: Principal,
    /// The unique id (`AIDA…`; `AROA…` also for a role's session): a re-created user or role has
    /// another. None where it is not known (in a simulation).
    pub unique_id: Option<String>,
}

impl From<Principal> for GrantPrincipal {
    fn from(principal: Principal) -> Self {
        Self { principal, unique_id: None }
    }
}

/// When a grant allows. All that are set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrantConstraints {
    /// The encryption context must be this one, exactly.
    pub encryption_context_equals: Option<BTreeMap<String, String>>,
    /// The encryption context must hold all of these pairs.
    pub encryption_context_subset: Option<BTreeMap<String, String>>,
    /// `aws:SourceArn` must be this one.
    pub source_arn: Option<Arn>,
}
