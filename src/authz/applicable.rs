use std::collections::BTreeMap;

use super::{AttachedDocument, AuthzRequest, ControlPolicies, Grant, Organization, PrincipalPolicies};

/// All that one decision reads beside its request.
#[derive(Clone, Copy, Debug)]
pub struct Applicable<'a> {
    /// The caller's own policies: identity, boundary, session.
    pub principal: &'a PrincipalPolicies,
    /// The policy that the resource bears: a key policy, or another service's resource policy. It
    /// takes part for [`super::Resource::Key`] and [`super::Resource::Other`] alone.
    pub resource_policy: Option<&'a AttachedDocument>,
    /// The grants on the key that may be the caller's; for `kms:RetireGrant` the grant to retire.
    pub grants: &'a [Grant],
    /// The request's encryption context, names in its own case (condition keys have none): grants
    /// compare it. None where the request gives none.
    pub encryption_context: Option<&'a BTreeMap<String, String>>,
    /// The control policies of the caller's account, whose service control policies limit it; none
    /// outside an organisation.
    pub caller_controls: Option<&'a ControlPolicies>,
    /// The control policies of the resource's account, whose resource control policies guard it;
    /// none outside an organisation.
    pub resource_controls: Option<&'a ControlPolicies>,
    /// Whether AWS lets principals of other accounts do this at all.
    pub cross_account: bool,
    /// Whether the caller named the key only through a ciphertext: the denial's text then does
    /// not tell the key's ARN.
    pub through_ciphertext: bool,
}

impl<'a> Applicable<'a> {
    /// The caller's own policies and nothing else, for what works across accounts.
    #[must_use]
    pub fn new(principal: &'a PrincipalPolicies) -> Self {
        Self {
            principal,
            resource_policy: None,
            grants: &[],
            encryption_context: None,
            caller_controls: None,
            resource_controls: None,
            cross_account: true,
            through_ciphertext: false,
        }
    }

    /// The same with the control policies of the request's two accounts; an action on no resource
    /// is the caller's account's own.
    #[must_use]
    pub fn within(self, organization: Option<&'a Organization>, request: &AuthzRequest) -> Self {
        let Some(organization) = organization else { return self };
        let caller = request.caller.principal.account();
        let owner = match request.resource.owner() {
            Some(owner) => owner.parse().ok(),
            None => caller,
        };
        Self {
            caller_controls: caller.and_then(|account| organization.account(account)),
            resource_controls: owner.and_then(|account| organization.account(account)),
            ..self
        }
    }
}
