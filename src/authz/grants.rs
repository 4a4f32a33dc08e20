//! What grants on a key allow (KMS Developer Guide, "Grants in AWS KMS"). Any Deny overrides them,
//! and they have their say only where nothing else allowed.

use std::collections::BTreeMap;

use crate::aws::{ActionName, Caller, ConditionKey, Principal, catalogue};

use super::answer::{OwnSide, allow};
use super::explain::Reason;
use super::flow::{Question, Standing};
use super::{AuthzRequest, DecidedBy, Decision, Grant, GrantPrincipal, Layer};

/// The condition key that a grant's source ARN is compared with.
pub(super) const SOURCE_ARN: &str = "aws:SourceArn";

const RETIRE_GRANT: &str = "kms:RetireGrant";

/// How a grant names the caller: which implicit denies limit it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    /// A user, a session, a federated user or a service: nothing limits it.
    Exactly,
    /// A role: boundary and session policy do.
    ByRole,
    /// The account: its own policies decide. AWS takes accounts as grantees and does not say more;
    /// this is what an account means elsewhere.
    ByAccount,
}

impl GrantPrincipal {
    fn names(&self, caller: &Caller) -> Option<Named> {
        let is_same_id = self.unique_id.as_deref().is_none_or(|id| caller.user_id.split(':').next() == Some(id));
        match (&self.principal, &caller.principal) {
            (Principal::Root(arn), _) => {
                let account = caller.principal.account();
                account.is_some_and(|account| account.as_str() == arn.account()).then_some(Named::ByAccount)
            }
            (Principal::Role(arn), Principal::Role(_) | Principal::Session(_)) => {
                (caller.principal_arn == *arn && is_same_id).then_some(Named::ByRole)
            }
            (Principal::User(one), Principal::User(other)) | (Principal::Session(one), Principal::Session(other)) => {
                (one == other && is_same_id).then_some(Named::Exactly)
            }
            (Principal::FederatedUser(_), Principal::FederatedUser(_))
            | (Principal::Service(_), Principal::Service(_)) => {
                (self.principal == caller.principal).then_some(Named::Exactly)
            }
            _ => None,
        }
    }
}

impl Grant {
    /// Whether the caller is its grantee.
    pub(super) fn is_for(&self, request: &AuthzRequest) -> bool {
        self.grantee.names(&request.caller).is_some()
    }

    pub(super) fn covers(&self, action: &ActionName) -> bool {
        self.operations.iter().any(|operation| operation.eq_ignore_ascii_case(action.name()))
    }

    fn constraints_hold(&self, request: &AuthzRequest, context: Option<&BTreeMap<String, String>>) -> bool {
        let constraints = &self.constraints;
        let has = |(key, value): (&String, &String)| context.is_some_and(|context| context.get(key) == Some(value));
        let is_source = |arn: &crate::aws::Arn| {
            let key = ConditionKey::new(SOURCE_ARN);
            request.value(&key).is_some_and(|value| value.texts() == [arn.as_str()])
        };
        let reads_context = reads_encryption_context(&request.action);
        let equals = constraints.encryption_context_equals.as_ref().filter(|_| reads_context);
        let subset = constraints.encryption_context_subset.as_ref().filter(|_| reads_context);
        equals.is_none_or(|equals| equals.len() == context.map_or(0, BTreeMap::len) && equals.iter().all(has))
            && subset.is_none_or(|subset| subset.iter().all(has))
            && constraints.source_arn.as_ref().is_none_or(is_source)
    }
}

impl Question<'_> {
    pub(super) fn retires_grant(&self) -> bool {
        is(&self.inputs.request.action, RETIRE_GRANT)
    }

    /// What the grants make of a request that nothing else allows: none where no grant matches it.
    pub(super) fn granted(&self, own: &OwnSide) -> Option<Decision> {
        let applicable = self.inputs.applicable;
        let request = self.inputs.request;
        if applicable.grants.is_empty()
            || !catalogue::kms::is_grantable(&request.action)
            || self.standing() == Standing::Foreign && !applicable.cross_account
        {
            return None;
        }
        let mut limited = None;
        for (place, grant) in (0..).zip(applicable.grants) {
            let Some(named) = grant.grantee.names(&request.caller) else { continue };
            if !grant.covers(&request.action) || !grant.constraints_hold(request, applicable.encryption_context) {
                continue;
            }
            match self.limit(named, grant, own) {
                None => return Some(allowed(place, grant, named, self.is_of_issuer(grant), own)),
                Some(layer) => limited = limited.or(Some(layer)),
            }
        }
        limited.map(|layer| self.silent(layer))
    }

    /// Who may retire a grant: the retiring principal, the grantee where the grant covers it, and
    /// the account that issued it; across accounts their own policies must allow it too. A key
    /// policy can only deny it.
    pub(super) fn retire(&self, own: &OwnSide) -> Decision {
        let applicable = self.inputs.applicable;
        let request = self.inputs.request;
        let mut limited = None;
        for (place, grant) in (0..).zip(applicable.grants) {
            let retiring = grant.retiring.as_ref().and_then(|retiring| retiring.names(&request.caller));
            let grantee = grant.grantee.names(&request.caller).filter(|_| grant.covers(&request.action));
            let issuer = self.is_of_issuer(grant).then_some(Named::ByAccount);
            for named in [retiring, grantee, issuer].into_iter().flatten() {
                let limit = if self.standing() == Standing::Foreign { own.silent() } else { limit_of(named, own) };
                match limit {
                    None => return allowed(place, grant, named, self.standing() != Standing::Foreign, own),
                    Some(layer) => limited = limited.or(Some(layer)),
                }
            }
        }
        match limited {
            Some(layer) => self.silent(layer),
            // Whom no grant names is not told whether there is a key.
            None if self.standing() == Standing::Foreign => self.silent_as(Layer::Grant, &Reason::Hidden),
            None => self.silent(Layer::Grant),
        }
    }

    /// The first of the caller's own layers that stands against a grant that matches. A grant of
    /// another account than the caller's needs the caller's own account to allow as well.
    fn limit(&self, named: Named, grant: &Grant, own: &OwnSide) -> Option<Layer> {
        if self.is_of_issuer(grant) || self.standing() == Standing::NoAccount {
            limit_of(named, own)
        } else {
            own.silent()
        }
    }

    fn is_of_issuer(&self, grant: &Grant) -> bool {
        self.inputs.request.caller.principal.account() == Some(grant.issuing_account)
    }
}

fn limit_of(named: Named, own: &OwnSide) -> Option<Layer> {
    match named {
        Named::Exactly => None,
        Named::ByRole => own.silent_limit(),
        Named::ByAccount => own.silent(),
    }
}

fn allowed(place: u32, grant: &Grant, named: Named, is_own: bool, own: &OwnSide) -> Decision {
    let by_grant = DecidedBy {
        layer: Layer::Grant,
        level: None,
        document: Some(place),
        statement: None,
        sid: grant.id.clone(),
        file: None,
        line: None,
    };
    let beside = match named {
        Named::Exactly if is_own => Vec::new(),
        Named::ByRole if is_own => own.limits_allowing().collect(),
        _ => own.allowing(),
    };
    allow(std::iter::once(by_grant).chain(beside).collect())
}

/// The constraints on the encryption context are ignored for actions that have none.
pub(super) fn reads_encryption_context(action: &ActionName) -> bool {
    !["kms:DescribeKey", RETIRE_GRANT].iter().any(|name| is(action, name))
}

fn is(action: &ActionName, name: &str) -> bool {
    action.as_str().eq_ignore_ascii_case(name)
}
