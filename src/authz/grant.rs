use std::collections::BTreeMap;

use crate::aws::{AccountId, Arn, Caller, Principal};

/// A grant on a KMS key: it allows, and never denies (KMS Developer Guide, "Grants in AWS KMS").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Its id, which a decision that it made shows; none where it is not known (in a simulation).
    pub id: Option<String>,
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

impl GrantPrincipal {
    /// The principals that a grant may name for this caller to be its grantee or to retire it.
    #[must_use]
    pub fn of_caller(caller: &Caller) -> Vec<Principal> {
        let mut principals = vec![caller.principal.clone()];
        if let Principal::Session(_) = caller.principal {
            principals.push(Principal::Role(caller.principal_arn.clone()));
        }
        if let Some(arn) = caller.principal.arn().filter(|_| !caller.is_root_user()) {
            let root = format!("arn:{}:iam::{}:root", arn.partition(), arn.account());
            principals.extend(root.parse::<Principal>().ok());
        }
        principals
    }
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

impl Grant {
    /// Whether a grant that is made by leave of this one alone is no wider than it: it bears
    /// CreateGrant, the new one's operations are among its own, and the new one's constraints hold
    /// nowhere where its own do not (KMS Developer Guide, "Granting CreateGrant permission").
    #[must_use]
    pub fn encloses(&self, new: &Grant) -> bool {
        let (own, constraints) = (&self.constraints, &new.constraints);
        let holds = |outer: &BTreeMap<String, String>, inner: Option<&BTreeMap<String, String>>| {
            inner.is_some_and(|inner| outer.iter().all(|(key, value)| inner.get(key) == Some(value)))
        };
        let equals = constraints.encryption_context_equals.as_ref();
        let subset = constraints.encryption_context_subset.as_ref();
        self.operations.iter().any(|operation| operation == "CreateGrant")
            && new.operations.iter().all(|operation| self.operations.contains(operation))
            && own.encryption_context_equals.as_ref().is_none_or(|outer| equals == Some(outer))
            && own.encryption_context_subset.as_ref().is_none_or(|outer| holds(outer, equals) || holds(outer, subset))
            && own.source_arn.as_ref().is_none_or(|outer| constraints.source_arn.as_ref() == Some(outer))
    }
}
