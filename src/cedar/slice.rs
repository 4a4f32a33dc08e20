//! The part of a document that one action can touch, and asking Cedar about it.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityUid, PolicyId, PolicySet, Request, RestrictedExpression,
};

use crate::aws::Arn;

use super::actions::{ActionUid, Universe};
use super::atoms::{Atom, Values};
use super::attributes::{Attribute, Unfit};
use super::entities::{CallerEntities, action_uid};
use super::projection::Projection;
use super::resources::{ResourceEntity, resource_record};
use super::translate::{Mode, PrincipalClass};
use super::variant::{Source, Variant};

/// The statements of a document that can match one action, ready to be asked about.
#[derive(Debug)]
pub struct Slice {
    /// Their places in the document, in order.
    statements: Box<[u32]>,
    projection: Projection,
    /// Whether a statement has NotPrincipal, so that a permissions boundary makes a difference.
    not_principal: bool,
    renderings: Arc<Renderings>,
    /// By mode and statements: those that can name a caller are a part of the slice.
    prepared: RwLock<HashMap<PreparedKey, Arc<Prepared>>>,
}

/// The index of a mode, and the statements.
type PreparedKey = (usize, Box<[u32]>);

/// A document's renderings over one universe of actions, each made when it is first needed.
#[derive(Debug)]
pub(super) struct Renderings {
    pub(super) source: Arc<Source>,
    pub(super) universe: Universe,
    pub(super) variants: [OnceLock<Result<Variant, EvaluationError>>; 4],
}

/// A policy set with what its evaluation needs.
#[derive(Debug)]
struct Prepared {
    policies: PolicySet,
    index: Vec<(PolicyId, SatisfiedStatement)>,
    attributes: Vec<(String, Attribute)>,
    atoms: Vec<Atom>,
    resource: bool,
}

/// One question to a slice.
#[derive(Clone, Copy)]
pub struct Query<'a> {
    /// Who asks.
    pub caller: &'a CallerEntities,
    /// For which action: the one that the slice was made for.
    pub action: &'a crate::aws::ActionName,
    /// On what.
    pub resource: &'a ResourceEntity,
    /// The request's condition keys.
    pub values: &'a dyn Values,
    /// Whether the caller has a permissions boundary, which no NotPrincipal exempts.
    pub bounded: bool,
}

/// What a slice answers: where a Deny matched, the Denies alone are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Satisfied {
    /// Denies that match.
    pub denies: Vec<SatisfiedStatement>,
    /// Allows that match.
    pub allows: Vec<SatisfiedStatement>,
}

/// A statement that matched, by the class of its principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SatisfiedStatement {
    /// Its place in the document, from 0.
    pub statement: u32,
    /// The class of the principals that matched; none where the statement names none.
    pub class: Option<PrincipalClass>,
}

/// The policies could not be evaluated: the request is denied and an alarm raised.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the policies could not be evaluated: {0}")]
pub struct EvaluationError(String);

impl EvaluationError {
    pub(super) fn new(error: &dyn std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl Mode {
    fn index(self) -> usize {
        usize::from(self.atoms_only) + 2 * usize::from(self.bounded)
    }
}

impl Renderings {
    pub(super) fn new(source: Arc<Source>, universe: Universe) -> Self {
        Self { source, universe, variants: [const { OnceLock::new() }; 4] }
    }

    fn variant(&self, mode: Mode) -> Result<&Variant, EvaluationError> {
        self.variants[mode.index()]
            .get_or_init(|| self.source.compile(&self.universe, mode).map_err(|error| EvaluationError::new(&error)))
            .as_ref()
            .map_err(Clone::clone)
    }
}

impl Slice {
    /// Most policy sets that are kept for the callers of one slice.
    const MAX_PREPARED: usize = 64;

    pub(super) fn new(renderings: Arc<Renderings>, statements: Box<[u32]>) -> Self {
        let source = &renderings.source;
        let of = |index: &u32| {
            let at = *index as usize;
            Some((source.document.statements.get(at)?, source.conditions.get(at)?.as_slice()))
        };
        let projection = Projection::of(statements.iter().filter_map(of));
        let not_principal = statements
            .iter()
            .filter_map(of)
            .any(|(statement, _)| matches!(statement.principal, Some(crate::iam::PrincipalElement::NotPrincipal(_))));
        Self { statements, projection, not_principal, renderings, prepared: RwLock::default() }
    }

    /// Whether the slice is made of these statements of that rendering.
    pub(super) fn is_of(&self, renderings: &Arc<Renderings>, statements: &[u32]) -> bool {
        Arc::ptr_eq(&self.renderings, renderings) && *self.statements == *statements
    }

    /// What of a request the slice can read.
    #[must_use]
    pub fn projection(&self) -> &Projection {
        &self.projection
    }

    /// The places in the document, from 0, of the statements that can match the action.
    #[must_use]
    pub fn statements(&self) -> &[u32] {
        &self.statements
    }

    /// Whether no statement can match the action.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// Which statements match.
    ///
    /// # Errors
    /// Whatever error Cedar reports for any statement, and a rendering that fails: the request
    /// must then be denied.
    pub fn evaluate(&self, query: &Query<'_>) -> Result<Satisfied, EvaluationError> {
        let source = &self.renderings.source;
        let may_match = |index: &&u32| {
            let statement = source.document.statements.get(**index as usize);
            statement.is_some_and(|statement| query.caller.may_be(statement.principal.as_ref()))
        };
        let statements: Vec<u32> = self.statements.iter().filter(may_match).copied().collect();
        if statements.is_empty() {
            return Ok(Satisfied::default());
        }
        let bounded = query.bounded && self.not_principal;
        let native = self.prepared(Mode { atoms_only: false, bounded }, &statements)?;
        if let Ok(context) = native.context(query) {
            return self.ask(&native, query, context);
        }
        let exact = self.prepared(Mode { atoms_only: true, bounded }, &statements)?;
        let context = exact.context(query).map_err(|Unfit| EvaluationError::new(&"no context"))?;
        self.ask(&exact, query, context)
    }

    fn ask(
        &self,
        prepared: &Prepared,
        query: &Query<'_>,
        context: Vec<(String, RestrictedExpression)>,
    ) -> Result<Satisfied, EvaluationError> {
        let failed = |error: &dyn std::fmt::Display| EvaluationError::new(error);
        let Some(action) = self.renderings.universe.get(query.action) else {
            return Err(failed(&"the action is not in its slice's universe"));
        };
        let context = Context::from_pairs(context).map_err(|error| failed(&error))?;
        let uid = action_uid(action);
        let extended = with_action(query.caller, action, &uid)?;
        let entities = extended.as_ref().unwrap_or(&query.caller.entities);
        let request = Request::new(query.caller.principal.clone(), uid, query.resource.uid.clone(), context, None)
            .map_err(|error| failed(&error))?;
        let response = Authorizer::new().is_authorized(&request, &prepared.policies, entities);
        if let Some(error) = response.diagnostics().errors().next() {
            return Err(failed(error));
        }
        let mut matched: Vec<SatisfiedStatement> = response
            .diagnostics()
            .reason()
            .filter_map(|id| prepared.index.iter().find(|(known, _)| known == id).map(|(_, statement)| *statement))
            .collect();
        matched.sort_unstable();
        let mut satisfied = Satisfied::default();
        match response.decision() {
            Decision::Allow => satisfied.allows = matched,
            Decision::Deny => satisfied.denies = matched,
        }
        Ok(satisfied)
    }

    fn prepared(&self, mode: Mode, statements: &[u32]) -> Result<Arc<Prepared>, EvaluationError> {
        let key = (mode.index(), Box::from(statements));
        let known = self.prepared.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let new = Arc::new(Prepared::new(self.renderings.variant(mode)?, statements)?);
        let mut prepared = self.prepared.write().unwrap_or_else(PoisonError::into_inner);
        if prepared.len() >= Self::MAX_PREPARED {
            prepared.clear();
        }
        prepared.insert(key, Arc::clone(&new));
        Ok(new)
    }
}

/// The caller's entities with a KMS action that the catalogue does not know; none where they need
/// no more.
fn with_action(
    caller: &CallerEntities,
    action: &ActionUid,
    uid: &EntityUid,
) -> Result<Option<Entities>, EvaluationError> {
    if !action.kms || caller.entities.get(uid).is_some() {
        return Ok(None);
    }
    let group = action_uid(&ActionUid::kms_group());
    let entity = Entity::new_no_attrs(uid.clone(), [group].into());
    caller.entities.clone().add_entities([entity], None).map(Some).map_err(|error| EvaluationError::new(&error))
}

impl Prepared {
    fn new(variant: &Variant, statements: &[u32]) -> Result<Self, EvaluationError> {
        let chosen = || variant.policies.iter().filter(|policy| statements.binary_search(&policy.statement).is_ok());
        let policies = PolicySet::from_policies(chosen().map(|compiled| compiled.policy.clone()))
            .map_err(|error| EvaluationError::new(&error))?;
        let index = chosen()
            .map(|compiled| {
                let statement = SatisfiedStatement { statement: compiled.statement, class: compiled.class };
                (compiled.policy.id().clone(), statement)
            })
            .collect();
        let mut attributes: Vec<Attribute> =
            chosen().flat_map(|compiled| compiled.inputs.attributes.iter().cloned()).collect();
        attributes.sort();
        attributes.dedup();
        let used = |atom: &&Atom| chosen().any(|compiled| compiled.inputs.atoms.contains(&atom.name));
        Ok(Self {
            policies,
            index,
            attributes: attributes.into_iter().map(|attribute| (attribute.name(), attribute)).collect(),
            atoms: variant.atoms.iter().filter(used).cloned().collect(),
            resource: chosen().any(|compiled| compiled.inputs.resource),
        })
    }

    /// The context, from typed values alone.
    fn context(&self, query: &Query<'_>) -> Result<Vec<(String, RestrictedExpression)>, Unfit> {
        let mut pairs = Vec::with_capacity(self.attributes.len() + 2);
        for (name, attribute) in &self.attributes {
            if let Some(value) = query.values.value(&attribute.key)
                && let Some(expression) = attribute.value(value)?
            {
                pairs.push((name.clone(), expression));
            }
        }
        let arn: Option<&Arn> = query.resource.arn.as_ref();
        if self.resource
            && let Some(record) = arn.and_then(resource_record)
        {
            pairs.push(("resource".to_owned(), record));
        }
        if !self.atoms.is_empty() {
            let truths = self
                .atoms
                .iter()
                .map(|atom| (atom.name.clone(), RestrictedExpression::new_bool(atom.holds(arn, query.values))));
            pairs.push(("atoms".to_owned(), RestrictedExpression::new_record(truths).map_err(|_| Unfit)?));
        }
        Ok(pairs)
    }
}
