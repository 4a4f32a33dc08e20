//! The order of evaluation (IAM User Guide, "Policy evaluation logic"; KMS Developer Guide, "Key
//! policies in AWS KMS").

use std::sync::Arc;

use crate::aws::{AccountId, Arn, Principal};
use crate::cedar::{CallerEntities, EvaluationError, PrincipalClass, Query, ResourceEntity, SatisfiedStatement, Slice};

use super::answer::{Answer, OwnSide, Place, allow, implicit};
use super::controls::Controls;
use super::explain::{Reason, Shown, message};
use super::inputs::Inputs;
use super::values::RequestValues;
use super::{AttachedDocument, AuthzRequest, Decision, Layer, Outcome, Resource};

/// One request with all that its decision reads.
pub(super) struct Question<'a> {
    pub(super) inputs: &'a Inputs<'a>,
    pub(super) caller: &'a CallerEntities,
    /// The IAM user that federated the caller.
    pub(super) federating: Option<&'a CallerEntities>,
}

/// What every layer says.
struct Layers {
    resource_controls: Controls,
    service_controls: Controls,
    resource_policy: Answer,
    own: OwnSide,
}

/// Whose the resource is, as its caller sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The caller has no account.
    NoAccount,
    Same,
    Foreign,
}

impl Question<'_> {
    /// The decision.
    ///
    /// # Errors
    /// Where any document could not be evaluated: the request must be denied.
    pub(super) fn decide(&self) -> Result<Decision, EvaluationError> {
        let request = self.inputs.request;
        if needs_no_permission(request) {
            return Ok(allow(Vec::new()));
        }
        let resource = ResourceEntity::new(request.resource.arn().cloned());
        let layers = Layers {
            resource_controls: self.resource_controls(&resource)?,
            service_controls: self.service_controls(&resource)?,
            resource_policy: self.resource_policy(&resource)?,
            own: self.own_side(&resource)?,
        };
        if let Some(denied) = self.explicit(&layers) {
            return Ok(denied);
        }
        if let Some(level) = layers.service_controls.silent {
            return Ok(self.silent_control(level));
        }
        let Layers { resource_policy, own, .. } = &layers;
        Ok(match &request.resource {
            Resource::None => self.own_side_alone(own, None),
            Resource::Alias { arn } | Resource::MissingKey { arn } => self.own_side_alone(own, Some(arn)),
            Resource::Key { .. } => self.on_key(resource_policy, own),
            Resource::Other { .. } => self.on_other(resource_policy, own),
        })
    }

    fn on_key(&self, policy: &Answer, own: &OwnSide) -> Decision {
        if self.retires_grant() {
            return self.retire(own);
        }
        let decision = match self.standing() {
            Standing::NoAccount => self.no_account(policy),
            Standing::Same => self.by_resource_policy(policy, own),
            Standing::Foreign => self.both_sides(policy, own),
        };
        if decision.outcome == Outcome::Allow { decision } else { self.granted(own).unwrap_or(decision) }
    }

    fn on_other(&self, policy: &Answer, own: &OwnSide) -> Decision {
        match self.standing() {
            Standing::NoAccount => self.no_account(policy),
            Standing::Same if self.is_trust() => self.by_resource_policy(policy, own),
            Standing::Same => self.either_side(policy, own),
            Standing::Foreign => self.both_sides(policy, own),
        }
    }

    pub(super) fn standing(&self) -> Standing {
        let request = self.inputs.request;
        match (request.caller.principal.account(), request.resource.owner()) {
            (None, _) => Standing::NoAccount,
            (Some(account), Some(owner)) if owner != account.as_str() => Standing::Foreign,
            (Some(_), _) => Standing::Same,
        }
    }

    fn is_of_callers_account(&self, account: &str) -> bool {
        self.inputs.request.caller.principal.account().as_ref().map(AccountId::as_str) == Some(account)
    }

    /// The layer of the policy that the resource bears.
    pub(super) fn resource_layer(&self) -> Layer {
        match self.inputs.request.resource {
            Resource::Other { .. } => Layer::ResourcePolicy,
            _ => Layer::KeyPolicy,
        }
    }

    fn resource_policy(&self, resource: &ResourceEntity) -> Result<Answer, EvaluationError> {
        let mut answer = Answer::default();
        if let Some((attached, slice)) = &self.inputs.resource_policy {
            let values = RequestValues::for_resource_policy(self.inputs.request, self.inputs.applicable);
            let satisfied = slice.evaluate(&self.query(resource, &values))?;
            let place = Place { layer: self.resource_layer(), level: None, document: 0 };
            answer.add(place, attached, &satisfied, |class| class);
            if let Some(user) = self.federating {
                let mut satisfied = slice.evaluate(&Query { caller: user, ..self.query(resource, &values) })?;
                // What names the user who federated is limited as what names a role.
                let names_user = |statement: &SatisfiedStatement| statement.class == Some(PrincipalClass::User);
                satisfied.denies.retain(names_user);
                satisfied.allows.retain(names_user);
                answer.add(place, attached, &satisfied, |_| PrincipalClass::Role);
            }
        }
        Ok(answer)
    }

    fn own_side(&self, resource: &ResourceEntity) -> Result<OwnSide, EvaluationError> {
        let principal = self.inputs.applicable.principal;
        let policies = &self.inputs.policies;
        let boundary = principal.boundary().map(std::slice::from_ref);
        let session = principal.session().zip(policies.session.as_deref());
        Ok(OwnSide {
            is_root: self.inputs.request.caller.is_root_user(),
            identity: self.layer(Layer::IdentityPolicy, principal.identity(), &policies.identity, resource)?,
            boundary: boundary
                .zip(policies.boundary.as_ref().map(std::slice::from_ref))
                .map(|(document, slice)| self.layer(Layer::PermissionsBoundary, document, slice, resource))
                .transpose()?,
            session: session
                .map(|(documents, slices)| self.layer(Layer::SessionPolicy, documents, slices, resource))
                .transpose()?,
        })
    }

    fn layer(
        &self,
        layer: Layer,
        documents: &[AttachedDocument],
        slices: &[Arc<Slice>],
        resource: &ResourceEntity,
    ) -> Result<Answer, EvaluationError> {
        let values = RequestValues::for_principal(self.inputs.request, self.inputs.applicable);
        let mut answer = Answer::default();
        for (document, (attached, slice)) in (0..).zip(documents.iter().zip(slices)) {
            let satisfied = slice.evaluate(&self.query(resource, &values))?;
            answer.add(Place { layer, level: None, document }, attached, &satisfied, |class| class);
        }
        Ok(answer)
    }

    pub(super) fn query<'q>(&'q self, resource: &'q ResourceEntity, values: &'q RequestValues<'_>) -> Query<'q> {
        Query {
            caller: self.caller,
            action: &self.inputs.request.action,
            resource,
            values,
            bounded: self.inputs.applicable.principal.boundary().is_some(),
        }
    }

    /// A Deny anywhere decides.
    fn explicit(&self, layers: &Layers) -> Option<Decision> {
        let own = &layers.own;
        let answers = [
            (Layer::ResourceControlPolicy, Some(&layers.resource_controls.answer)),
            (Layer::ServiceControlPolicy, Some(&layers.service_controls.answer)),
            (self.resource_layer(), Some(&layers.resource_policy)),
            (Layer::IdentityPolicy, Some(&own.identity)),
            (Layer::PermissionsBoundary, own.boundary.as_ref()),
            (Layer::SessionPolicy, own.session.as_ref()),
        ];
        let denying = || answers.iter().filter_map(|(layer, answer)| Some((*layer, (*answer)?)));
        let (layer, first) = denying().find(|(_, answer)| !answer.denies.is_empty())?;
        let reason = if layer == Layer::KeyPolicy && self.is_foreign_key() {
            Reason::Hidden
        } else {
            Reason::Explicit(layer, first.denying.as_ref().filter(|arn| self.names_policy(layer, arn)))
        };
        Some(Decision {
            outcome: Outcome::ExplicitDeny,
            decided_by: denying().flat_map(|(_, answer)| answer.denies.iter().cloned()).collect(),
            message: Some(message(self.inputs.request, &reason, self.shown())),
        })
    }

    /// AWS names the managed policies of the caller's own account or organisation.
    fn names_policy(&self, layer: Layer, arn: &Arn) -> bool {
        match layer {
            Layer::ServiceControlPolicy => true,
            Layer::ResourceControlPolicy => self.inputs.applicable.caller_controls.is_some(),
            _ => self.is_of_callers_account(arn.account()),
        }
    }

    /// A key or an alias of another account, whether it exists or not: the texts must not tell.
    fn is_foreign_key(&self) -> bool {
        match &self.inputs.request.resource {
            Resource::None | Resource::Other { .. } => false,
            Resource::Key { arn, .. } | Resource::MissingKey { arn } | Resource::Alias { arn } => {
                !self.is_of_callers_account(arn.account())
            }
        }
    }

    fn shown(&self) -> Shown {
        if self.inputs.applicable.through_ciphertext {
            Shown::Ciphertext
        } else if self.is_foreign_key() {
            Shown::Hidden
        } else {
            Shown::Arn
        }
    }

    /// No resource policy takes part: the caller's own policies decide.
    fn own_side_alone(&self, own: &OwnSide, arn: Option<&Arn>) -> Decision {
        if arn.is_some_and(|arn| !self.is_of_callers_account(arn.account())) {
            return self.silent_as(Layer::KeyPolicy, &Reason::Hidden);
        }
        match own.silent() {
            None => allow(own.allowing()),
            Some(layer) => self.silent(layer),
        }
    }

    /// A service or nobody has no side of its own to be asked: the resource policy must name it,
    /// or everyone. KMS serves nobody who has not signed, whatever a key policy says.
    fn no_account(&self, policy: &Answer) -> Decision {
        use PrincipalClass::{Any, Session, User};
        let direct = policy.of_class(&[User, Session, Any]);
        let is_service = matches!(self.inputs.request.caller.principal, Principal::Service(_));
        if direct.is_empty() || !(is_service || self.resource_layer() == Layer::ResourcePolicy) {
            return self.silent_resource();
        }
        allow(direct)
    }

    /// The resource's side allows nothing to somebody from outside its account.
    pub(super) fn silent_resource(&self) -> Decision {
        match self.resource_layer() {
            Layer::KeyPolicy => self.silent_as(Layer::KeyPolicy, &Reason::Hidden),
            layer => self.silent(layer),
        }
    }

    /// The layer allows nothing. Of a key that does not exist no more is told.
    pub(super) fn silent(&self, layer: Layer) -> Decision {
        match self.inputs.request.resource {
            Resource::MissingKey { .. } => self.silent_as(layer, &Reason::Hidden),
            _ => self.silent_as(layer, &Reason::Silent(layer)),
        }
    }

    /// That level of the service control policies allows nothing.
    fn silent_control(&self, level: u32) -> Decision {
        let layer = Layer::ServiceControlPolicy;
        let reason = match self.inputs.request.resource {
            Resource::MissingKey { .. } => Reason::Hidden,
            _ => Reason::Silent(layer),
        };
        implicit(layer, Some(level), message(self.inputs.request, &reason, self.shown()))
    }

    pub(super) fn silent_as(&self, layer: Layer, reason: &Reason<'_>) -> Decision {
        implicit(layer, None, message(self.inputs.request, reason, self.shown()))
    }
}

/// "No permissions are required to perform this operation. If an administrator attaches a policy
/// to your identity that explicitly denies access to the sts:GetCallerIdentity action, you can
/// still perform this operation" (STS API Reference, GetCallerIdentity). Of sts:GetSessionToken: "You
/// cannot use policies to control authentication operations" (IAM User Guide, "Permissions for
/// GetSessionToken").
fn needs_no_permission(request: &AuthzRequest) -> bool {
    let is_signed = request.caller.principal != Principal::Anonymous;
    let is_free = ["sts:GetCallerIdentity", "sts:GetSessionToken"];
    is_signed && is_free.iter().any(|free| request.action.as_str().eq_ignore_ascii_case(free))
}
