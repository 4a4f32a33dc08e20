//! The order of evaluation (IAM User Guide, "Policy evaluation logic"; KMS Developer Guide, "Key
//! policies in AWS KMS").

use std::sync::Arc;

use crate::aws::{AccountId, Arn, Principal};
use crate::cedar::{
    CallerEntities, CompiledDocument, EvaluationError, PrincipalClass, Query, ResourceEntity, SatisfiedStatement, Slice,
};

use super::explain::{Reason, Shown, message};
use super::policies::ActionPolicies;
use super::values::RequestValues;
use super::{
    AttachedDocument, AuthzRequest, DecidedBy, Decision, DocumentSource, Layer, Outcome, PrincipalPolicies, Resource,
};

/// All that one decision reads.
pub(super) struct Question<'a> {
    pub(super) request: &'a AuthzRequest,
    pub(super) caller: &'a CallerEntities,
    pub(super) key_policy: Option<(&'a CompiledDocument, &'a Slice)>,
    /// Whether principals of other accounts may do this at all.
    pub(super) cross_account: bool,
    pub(super) principal: &'a PrincipalPolicies,
    pub(super) policies: &'a ActionPolicies,
    /// Whether a denial must not tell the resource's ARN.
    pub(super) through_ciphertext: bool,
}

/// What one layer says.
#[derive(Default)]
struct Answer {
    denies: Vec<DecidedBy>,
    /// The ARN of the managed policy that holds the first Deny.
    denying: Option<Arn>,
    allows: Vec<(Option<PrincipalClass>, DecidedBy)>,
}

impl Answer {
    fn allows(&self) -> bool {
        !self.allows.is_empty()
    }

    fn allowing(&self) -> impl Iterator<Item = DecidedBy> {
        self.allows.iter().map(|(_, statement)| statement.clone())
    }

    /// The statements that grant by one of these classes.
    fn of_class(&self, classes: &[PrincipalClass]) -> Vec<DecidedBy> {
        let granting = self.allows.iter().filter(|(class, _)| class.is_some_and(|class| classes.contains(&class)));
        granting.map(|(_, statement)| statement.clone()).collect()
    }
}

/// The caller's own side: identity policies within boundary and session policies.
struct OwnSide {
    /// An account's root user may do anything in its account and has no identity policies.
    is_root: bool,
    identity: Answer,
    boundary: Option<Answer>,
    session: Option<Answer>,
}

impl OwnSide {
    /// The first layer that allows nothing; none where all that there are allow.
    fn silent(&self) -> Option<Layer> {
        if self.is_root || self.identity.allows() { self.silent_limit() } else { Some(Layer::IdentityPolicy) }
    }

    /// The first of the limits, boundary and session policies, that allows nothing.
    fn silent_limit(&self) -> Option<Layer> {
        let is_silent = |answer: &Option<Answer>| answer.as_ref().is_some_and(|answer| !answer.allows());
        if is_silent(&self.boundary) {
            Some(Layer::PermissionsBoundary)
        } else if is_silent(&self.session) {
            Some(Layer::SessionPolicy)
        } else {
            None
        }
    }

    fn allowing(&self) -> Vec<DecidedBy> {
        self.identity.allowing().chain(self.limits_allowing()).collect()
    }

    fn limits_allowing(&self) -> impl Iterator<Item = DecidedBy> {
        self.boundary.iter().chain(&self.session).flat_map(Answer::allowing)
    }
}

impl Question<'_> {
    /// The decision.
    ///
    /// # Errors
    /// Where any document could not be evaluated: the request must be denied.
    pub(super) fn decide(&self) -> Result<Decision, EvaluationError> {
        let request = self.request;
        let resource = ResourceEntity::new(match &request.resource {
            Resource::None => None,
            Resource::Key { arn, .. } | Resource::MissingKey { arn } | Resource::Alias { arn } => Some(arn.clone()),
        });
        let key_policy = self.key_policy(&resource)?;
        let own = self.own_side(&resource)?;
        if let Some(denied) = self.explicit(&key_policy, &own) {
            return Ok(denied);
        }
        Ok(match &request.resource {
            Resource::None => self.own_side_alone(&own, None),
            Resource::Alias { arn } | Resource::MissingKey { arn } => self.own_side_alone(&own, Some(arn)),
            Resource::Key { attributes, .. } => {
                if request.caller.principal.account().is_none() {
                    self.no_account(&key_policy)
                } else if self.is_of_callers_account(attributes.account.as_str()) {
                    self.same_account(&key_policy, &own)
                } else {
                    self.cross_account(&key_policy, &own)
                }
            }
        })
    }

    fn is_of_callers_account(&self, account: &str) -> bool {
        self.request.caller.principal.account().as_ref().map(AccountId::as_str) == Some(account)
    }

    fn key_policy(&self, resource: &ResourceEntity) -> Result<Answer, EvaluationError> {
        let (Resource::Key { .. }, Some((document, slice))) = (&self.request.resource, self.key_policy) else {
            return Ok(Answer::default());
        };
        let mut answer = Answer::default();
        let values = RequestValues::for_key_policy(self.request);
        let satisfied = slice.evaluate(&self.query(resource, &values))?;
        let name = |statement: &SatisfiedStatement| decided_by(Layer::KeyPolicy, 0, document, None, *statement);
        answer.denies.extend(satisfied.denies.iter().map(name));
        answer.allows.extend(satisfied.allows.iter().map(|statement| (statement.class, name(statement))));
        Ok(answer)
    }

    fn own_side(&self, resource: &ResourceEntity) -> Result<OwnSide, EvaluationError> {
        let boundary = self.principal.boundary().map(std::slice::from_ref);
        let session = self.principal.session().zip(self.policies.session.as_deref());
        Ok(OwnSide {
            is_root: self.request.caller.is_root_user(),
            identity: self.layer(
                Layer::IdentityPolicy,
                self.principal.identity(),
                &self.policies.identity,
                resource,
            )?,
            boundary: boundary
                .zip(self.policies.boundary.as_ref().map(std::slice::from_ref))
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
        let values = RequestValues::for_principal(self.request);
        let mut answer = Answer::default();
        for (place, (attached, slice)) in (0..).zip(documents.iter().zip(slices)) {
            let satisfied = slice.evaluate(&self.query(resource, &values))?;
            let name = |statement: &SatisfiedStatement| {
                decided_by(layer, place, &attached.document, attached.source.as_ref(), *statement)
            };
            if answer.denies.is_empty() && !satisfied.denies.is_empty() {
                answer.denying.clone_from(&attached.arn);
            }
            answer.denies.extend(satisfied.denies.iter().map(name));
            answer.allows.extend(satisfied.allows.iter().map(|statement| (None, name(statement))));
        }
        Ok(answer)
    }

    fn query<'q>(&'q self, resource: &'q ResourceEntity, values: &'q RequestValues<'_>) -> Query<'q> {
        Query {
            caller: self.caller,
            action: &self.request.action,
            resource,
            values,
            bounded: self.principal.boundary().is_some(),
        }
    }

    /// A Deny anywhere decides.
    fn explicit(&self, key_policy: &Answer, own: &OwnSide) -> Option<Decision> {
        let answers = [
            (Layer::KeyPolicy, Some(key_policy)),
            (Layer::IdentityPolicy, Some(&own.identity)),
            (Layer::PermissionsBoundary, own.boundary.as_ref()),
            (Layer::SessionPolicy, own.session.as_ref()),
        ];
        let denying = || answers.iter().filter_map(|(layer, answer)| Some((*layer, (*answer)?)));
        let (layer, first) = denying().find(|(_, answer)| !answer.denies.is_empty())?;
        let foreign = self.resource_is_foreign();
        let reason = if layer == Layer::KeyPolicy && foreign {
            Reason::Hidden
        } else {
            // AWS names the managed policies of the caller's own account or organisation.
            let named = first.denying.as_ref().filter(|arn| self.is_of_callers_account(arn.account()));
            Reason::Explicit(layer, named)
        };
        Some(Decision {
            outcome: Outcome::ExplicitDeny,
            decided_by: denying().flat_map(|(_, answer)| answer.denies.iter().cloned()).collect(),
            message: Some(message(self.request, &reason, self.shown())),
        })
    }

    /// Whether it exists or not: the texts must not tell.
    fn resource_is_foreign(&self) -> bool {
        match &self.request.resource {
            Resource::None => false,
            Resource::Key { arn, .. } | Resource::MissingKey { arn } | Resource::Alias { arn } => {
                !self.is_of_callers_account(arn.account())
            }
        }
    }

    fn shown(&self) -> Shown {
        if self.through_ciphertext {
            Shown::Ciphertext
        } else if self.resource_is_foreign() {
            Shown::Hidden
        } else {
            Shown::Arn
        }
    }

    /// No resource policy takes part: the caller's own policies decide.
    fn own_side_alone(&self, own: &OwnSide, arn: Option<&Arn>) -> Decision {
        if arn.is_some_and(|arn| !self.is_of_callers_account(arn.account())) {
            return self.silent(Layer::KeyPolicy, &Reason::Hidden);
        }
        match own.silent() {
            None => allow(own.allowing()),
            Some(layer) if matches!(self.request.resource, Resource::MissingKey { .. }) => {
                self.silent(layer, &Reason::Hidden)
            }
            Some(layer) => self.silent(layer, &Reason::Silent(layer)),
        }
    }

    fn same_account(&self, key_policy: &Answer, own: &OwnSide) -> Decision {
        use PrincipalClass::{Account, Any, Role, Session, User};
        let direct = key_policy.of_class(&[User, Session, Any]);
        if !direct.is_empty() {
            return allow(direct);
        }
        let role = key_policy.of_class(&[Role]);
        if !role.is_empty() && own.silent_limit().is_none() {
            return allow(role.into_iter().chain(own.limits_allowing()).collect());
        }
        let account = key_policy.of_class(&[Account]);
        if !account.is_empty() && own.silent().is_none() {
            return allow(account.into_iter().chain(own.allowing()).collect());
        }
        let layer = if !account.is_empty() {
            own.silent()
        } else if !role.is_empty() {
            own.silent_limit()
        } else {
            None
        };
        let layer = layer.unwrap_or(Layer::KeyPolicy);
        self.silent(layer, &Reason::Silent(layer))
    }

    /// A service or nobody has no side of its own to be asked: the key policy must name it, or
    /// everyone.
    fn no_account(&self, key_policy: &Answer) -> Decision {
        use PrincipalClass::{Any, Session, User};
        let direct = key_policy.of_class(&[User, Session, Any]);
        let is_service = matches!(self.request.caller.principal, Principal::Service(_));
        if direct.is_empty() || !(is_service || self.cross_account) {
            return self.silent(Layer::KeyPolicy, &Reason::Hidden);
        }
        allow(direct)
    }

    fn cross_account(&self, key_policy: &Answer, own: &OwnSide) -> Decision {
        if !self.cross_account || !key_policy.allows() {
            return self.silent(Layer::KeyPolicy, &Reason::Hidden);
        }
        match own.silent() {
            None => allow(key_policy.allowing().chain(own.allowing()).collect()),
            Some(layer) => {
                let text = message(self.request, &Reason::Silent(layer), self.shown());
                implicit(layer, text)
            }
        }
    }

    fn silent(&self, layer: Layer, reason: &Reason<'_>) -> Decision {
        implicit(layer, message(self.request, reason, self.shown()))
    }
}

fn allow(decided_by: Vec<DecidedBy>) -> Decision {
    Decision { outcome: Outcome::Allow, decided_by, message: None }
}

fn implicit(layer: Layer, message: String) -> Decision {
    let silent = DecidedBy { layer, level: None, document: None, statement: None, sid: None, file: None, line: None };
    Decision { outcome: Outcome::ImplicitDeny, decided_by: vec![silent], message: Some(message) }
}

fn decided_by(
    layer: Layer,
    place: u32,
    document: &CompiledDocument,
    source: Option<&DocumentSource>,
    satisfied: SatisfiedStatement,
) -> DecidedBy {
    let statement = document.document().statements.get(satisfied.statement as usize);
    DecidedBy {
        layer,
        level: None,
        document: Some(place),
        statement: Some(satisfied.statement),
        sid: statement.and_then(|statement| statement.sid.clone()),
        file: source.map(|source| source.file.to_string()),
        line: statement.and_then(|statement| match source {
            None => Some(statement.line),
            Some(source) => source.first_line.map(|first| first.saturating_add(statement.line).saturating_sub(1)),
        }),
    }
}
