use std::sync::Arc;

use super::{
    Applicable, AttachedDocument, Authorizer, AuthzRequest, Check, Decision, Explanation, Organization, Outcome,
    PrincipalPolicies, Resource,
};
use crate::aws::{ActionName, Surroundings};
use crate::cedar::CompiledDocument;

/// What asks for a permit: an operation with all its pairs of action and resource.
pub trait Subject {
    /// The pairs that must all be allowed. An operation without any is never permitted.
    fn checks(&self) -> &[Check];
}

/// Leave to execute `T`: only this room makes one, and the engine accepts nothing else.
#[derive(Debug)]
pub struct Permit<T> {
    operation: T,
    decisions: Vec<Arc<Decision>>,
    request: AuthzRequest,
    principal: Arc<PrincipalPolicies>,
    organization: Option<Arc<Organization>>,
}

impl<T> Permit<T> {
    /// Only the authorizer makes one, once every check was allowed.
    pub(super) fn new(
        operation: T,
        decisions: Vec<Arc<Decision>>,
        request: AuthzRequest,
        principal: Arc<PrincipalPolicies>,
        organization: Option<Arc<Organization>>,
    ) -> Self {
        Self { operation, decisions, request, principal, organization }
    }

    /// What is permitted.
    pub fn operation(&self) -> &T {
        &self.operation
    }

    /// What is permitted, to execute it.
    pub fn into_operation(self) -> T {
        self.operation
    }

    /// The decisions that permit it, one for each pair of action and resource.
    pub fn decisions(&self) -> &[Arc<Decision>] {
        &self.decisions
    }

    /// Whether the same caller, under its present policies, would be allowed `action` on the key
    /// that bears `new_key_policy`: the lock-out check of CreateKey and PutKeyPolicy. `resource`
    /// is the key; for CreateKey the one about to be made.
    pub fn would_still_allow_on(
        &self,
        authorizer: &Authorizer,
        action: ActionName,
        resource: Resource,
        new_key_policy: &Arc<CompiledDocument>,
    ) -> bool {
        let mut request = AuthzRequest { action, resource, operation: Vec::new(), ..self.request.clone() };
        // A replica's policy is changed in its own Region.
        if let Some(region) = request.resource.arn().and_then(|arn| arn.region().parse().ok())
            && region != request.surroundings.region
        {
            request.surroundings = Arc::new(Surroundings { region, ..(*request.surroundings).clone() });
        }
        let policy = AttachedDocument::from(Arc::clone(new_key_policy));
        let applicable =
            Applicable { resource_policy: Some(&policy), cross_account: false, ..Applicable::new(&self.principal) };
        let applicable = applicable.within(self.organization.as_deref(), &request);
        authorizer.decide(&request, &applicable).outcome == Outcome::Allow
    }

    /// [`Permit::would_still_allow_on`] the resource of the operation's first check.
    pub fn would_still_allow(
        &self,
        authorizer: &Authorizer,
        action: ActionName,
        new_key_policy: &Arc<CompiledDocument>,
    ) -> bool {
        self.would_still_allow_on(authorizer, action, self.request.resource.clone(), new_key_policy)
    }
}

/// A refusal: the first pair that was not allowed.
#[derive(Clone, Debug)]
pub struct Denial {
    /// Why.
    pub decision: Arc<Decision>,
    /// Which of the operation's checks failed, from 0.
    pub check: usize,
    /// What would have to change.
    pub explanation: Explanation,
    /// What was asked in that check; none for an operation without any.
    pub request: Option<Box<AuthzRequest>>,
    /// Whether the caller may see the explanation, which tells of policies: the resource is of its
    /// own account, and it was named.
    pub is_callers_own: bool,
}
