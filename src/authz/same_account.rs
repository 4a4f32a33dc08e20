//! Caller and resource are of one account (IAM User Guide, "Policy evaluation for requests within a
//! single account").

use crate::cedar::PrincipalClass;

use super::answer::{Answer, OwnSide, allow};
use super::flow::Question;
use super::{DecidedBy, Decision, Resource};

impl Question<'_> {
    /// Whether the resource is a role and the action one that its trust policy decides on: nobody
    /// assumes a role but by it (IAM User Guide, "Policy evaluation for requests within a single
    /// account", "IAM role trust policies and AWS KMS key policies").
    pub(super) fn is_trust(&self) -> bool {
        let request = self.inputs.request;
        let is_role = |arn: &crate::aws::Arn| arn.service() == "iam" && arn.resource().starts_with("role/");
        request.action.service().eq_ignore_ascii_case("sts")
            && matches!(&request.resource, Resource::Other { arn, .. } if is_role(arn))
    }

    /// Nothing is allowed but by the resource's policy (keys and roles): it grants, or it delegates
    /// to the account, whose own policies then decide.
    pub(super) fn by_resource_policy(&self, policy: &Answer, own: &OwnSide) -> Decision {
        if let Some(direct) = direct(policy, own) {
            return allow(direct);
        }
        let account = policy.of_class(&[PrincipalClass::Account]);
        if !account.is_empty() && own.silent().is_none() {
            return allow(account.into_iter().chain(own.allowing()).collect());
        }
        let layer = if !account.is_empty() {
            own.silent()
        } else if !policy.of_class(&[PrincipalClass::Role]).is_empty() {
            own.silent_limit()
        } else {
            None
        };
        self.silent(layer.unwrap_or_else(|| self.resource_layer()))
    }

    /// One side is enough: the resource policy's direct grant, or the caller's own policies.
    pub(super) fn either_side(&self, policy: &Answer, own: &OwnSide) -> Decision {
        if let Some(direct) = direct(policy, own) {
            return allow(direct);
        }
        let is_granted_to_role = !policy.of_class(&[PrincipalClass::Role]).is_empty();
        match own.silent_limit().filter(|_| is_granted_to_role).or_else(|| own.silent()) {
            None => allow(own.allowing()),
            Some(layer) => self.silent(layer),
        }
    }
}

/// The statements by which the resource policy allows directly, with those of the limits that had
/// to allow too. A user, a session and everyone are limited by nothing, a role by boundary and
/// session policy.
fn direct(policy: &Answer, own: &OwnSide) -> Option<Vec<DecidedBy>> {
    use PrincipalClass::{Any, Role, Session, User};
    let unlimited = policy.of_class(&[User, Session, Any]);
    if !unlimited.is_empty() {
        return Some(unlimited);
    }
    let role = policy.of_class(&[Role]);
    (!role.is_empty() && own.silent_limit().is_none()).then(|| role.into_iter().chain(own.limits_allowing()).collect())
}
