//! Why not: the statements nearest to an allow, element by element, and the condition keys that
//! were read and not there.

use serde::{Serialize, Serializer};

use super::answer::Place;
use super::elements::{Asked, Failures};
use super::values::RequestValues;
use super::{Applicable, AttachedDocument, AuthzRequest, DecidedBy, Decision, Layer, Outcome, Resource};
use super::{controls, failed, grant_miss, similar};
use crate::aws::{AccountId, ConditionKey, ContextValue, Principal, catalogue};
use crate::iam::Effect;

/// What can be said of a decision beside the statements that made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Condition keys that the statements about this request read and that it does not give, in
    /// the spelling of the first statement that reads them.
    pub missing_context_keys: Vec<String>,
    /// For a denial, the statements nearest to an allow, nearest first; see [`explain`].
    pub near_misses: Vec<NearMiss>,
}

/// A statement, or a grant, that almost decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NearMiss {
    /// Which.
    #[serde(flatten)]
    pub statement: DecidedBy,
    /// What has to change.
    pub failed: Vec<FailedElement>,
}

/// An element of a statement that stands between the request and an allow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailedElement {
    /// Which.
    pub element: Element,
    /// A condition's operator, with its prefix and suffix.
    pub operator: Option<String>,
    /// A condition's key, as the document spells it.
    pub key: Option<String>,
    /// What the statement lists.
    pub expected: Vec<String>,
    /// What the request has in its place.
    pub actual: Actual,
    /// Why the two do not match, where they look as if they did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

/// An element of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[expect(missing_docs, reason = "the names are AWS's")]
pub enum Element {
    Principal,
    NotPrincipal,
    Action,
    NotAction,
    Resource,
    NotResource,
    Condition,
}

impl Element {
    /// As documents write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Principal => "Principal",
            Self::NotPrincipal => "NotPrincipal",
            Self::Action => "Action",
            Self::NotAction => "NotAction",
            Self::Resource => "Resource",
            Self::NotResource => "NotResource",
            Self::Condition => "Condition",
        }
    }
}

/// The value that an element saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actual {
    /// The request does not give the key.
    Absent,
    /// One value.
    One(String),
    /// The values of a multivalued key.
    Many(Vec<String>),
}

impl Serialize for Actual {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absent => serializer.serialize_none(),
            Self::One(value) => serializer.serialize_str(value),
            Self::Many(values) => values.serialize(serializer),
        }
    }
}

/// Most statements that an explanation shows.
const MAX_NEAR_MISSES: usize = 5;

/// Most elements that may not match in a statement of another layer than the silent one.
const MAX_FAILED_ELSEWHERE: usize = 1;

/// Explains a decision on the request that was made with what applies to it.
///
/// Of an implicit deny the nearest statements are Allows: those of the layer that was silent, and
/// after them those of other layers that could have allowed instead and of which one element alone
/// does not match (a key policy that names the caller where its identity policies are silent, a
/// grant). The nearest has the fewest elements
/// that do not match; a statement about quite another action counts as further off, and among
/// equals those come first whose text is almost what was asked for, a misspelling say.
///
/// Of an explicit deny the nearest are the Denies that decided, each with what makes it apply: its
/// conditions and Not forms, of which one has to change; where it has none, its Principal, Action
/// and Resource as far as they are not `*`.
#[must_use]
pub fn explain(request: &AuthzRequest, applicable: &Applicable<'_>, decision: &Decision) -> Explanation {
    let explaining = Explaining { request, applicable };
    Explanation {
        missing_context_keys: explaining.missing_keys(),
        near_misses: match decision.outcome {
            Outcome::Allow => Vec::new(),
            Outcome::ExplicitDeny => explaining.denies(&decision.decided_by),
            Outcome::ImplicitDeny => explaining.allows(decision.decided_by.first()),
        },
    }
}

/// Gives every statement of the documents that take part in a decision, with its place from 0: for
/// one whose Principal, Action and Resource match the request whether each of its conditions holds,
/// for another none.
pub fn conditions_of_match(
    request: &AuthzRequest,
    applicable: &Applicable<'_>,
    mut see: impl FnMut(&AttachedDocument, usize, Option<&[bool]>),
) {
    let explaining = Explaining { request, applicable };
    explaining.each_document(|place, attached| {
        let asked = explaining.asked(place.layer);
        for (index, statement) in attached.document.document().statements.iter().enumerate() {
            let failures = asked.failures(attached, index, statement);
            let holds: Vec<bool> =
                (0..statement.conditions.len()).map(|at| !failures.conditions.contains(&at)).collect();
            see(attached, index, failures.in_scope().then_some(&holds));
        }
    });
}

struct Explaining<'a> {
    request: &'a AuthzRequest,
    applicable: &'a Applicable<'a>,
}

/// An Allow that does not match, and how far it is from it: less is nearer.
struct Candidate<'a> {
    distance: (bool, usize, usize, usize),
    place: Place,
    of: Source<'a>,
}

enum Source<'a> {
    Statement(&'a AttachedDocument, usize, Failures),
    Grant(grant_miss::Miss),
}

impl<'a> Explaining<'a> {
    fn asked(&self, layer: Layer) -> Asked<'a> {
        let values = match layer {
            Layer::KeyPolicy | Layer::ResourcePolicy | Layer::ResourceControlPolicy => {
                RequestValues::for_resource_policy(self.request, self.applicable)
            }
            _ => RequestValues::for_principal(self.request, self.applicable),
        };
        Asked { request: self.request, values, bounded: self.applicable.principal.boundary().is_some() }
    }

    fn resource_layer(&self) -> Layer {
        match self.request.resource {
            Resource::Other { .. } => Layer::ResourcePolicy,
            _ => Layer::KeyPolicy,
        }
    }

    /// Every document that takes part in the decision.
    fn each_document(&self, mut see: impl FnMut(Place, &'a AttachedDocument)) {
        let applicable = self.applicable;
        let mut layer = |layer, level, documents: &'a [AttachedDocument]| {
            for (document, attached) in (0..).zip(documents) {
                see(Place { layer, level, document }, attached);
            }
        };
        let levels = [
            (Layer::ResourceControlPolicy, controls::of_resource(self.request, applicable)),
            (Layer::ServiceControlPolicy, controls::of_caller(self.request, applicable)),
        ];
        for (kind, levels) in levels {
            for (level, documents) in (0..).zip(levels.map(super::organization::Levels::documents).unwrap_or_default())
            {
                layer(kind, Some(level), documents);
            }
        }
        if matches!(self.request.resource, Resource::Key { .. } | Resource::Other { .. })
            && let Some(attached) = applicable.resource_policy
        {
            layer(self.resource_layer(), None, std::slice::from_ref(attached));
        }
        let principal = applicable.principal;
        layer(Layer::IdentityPolicy, None, principal.identity());
        layer(Layer::PermissionsBoundary, None, principal.boundary().map(std::slice::from_ref).unwrap_or_default());
        layer(Layer::SessionPolicy, None, principal.session().unwrap_or_default());
    }

    fn missing_keys(&self) -> Vec<String> {
        let mut missing: Vec<(ConditionKey, String)> = Vec::new();
        self.each_document(|place, attached| {
            let asked = self.asked(place.layer);
            let slice = attached.document.slice(&self.request.action);
            let projection = slice.projection();
            // What is given and yet not shown to this kind of policy is not missing.
            let is_missing = |key: &ConditionKey| asked.value(key).is_none() && self.request.given(key).is_none();
            let clocks = projection.clockwork.iter().map(|clockwork| &clockwork.name);
            if !projection.keys.iter().chain(clocks).any(is_missing) {
                return;
            }
            for index in slice.statements() {
                let index = *index as usize;
                let Some(statement) = attached.document.document().statements.get(index) else { continue };
                let scope = asked.scope_failures(attached.document.kind(), statement);
                if scope.principal || scope.action {
                    continue;
                }
                let mut note = |key: &ConditionKey, spelling: Option<&str>| {
                    if is_missing(key) && !missing.iter().any(|(known, _)| known == key) {
                        let catalogued = || catalogue::condition_key_spelling(key.as_str()).into_owned();
                        missing.push((key.clone(), spelling.map_or_else(catalogued, str::to_owned)));
                    }
                };
                let conditions = if scope.resource { &[] } else { attached.document.conditions(index) };
                for prepared in conditions {
                    note(&prepared.condition().key, Some(&prepared.condition().key_text));
                    prepared.variables().for_each(|key| note(key, None));
                }
                super::elements::resource_variables(statement).for_each(|key| note(key, None));
            }
        });
        missing.sort();
        missing.into_iter().map(|(_, spelling)| spelling).collect()
    }

    /// The Denies that decided, with what makes them apply.
    fn denies(&self, decided_by: &[DecidedBy]) -> Vec<NearMiss> {
        let mut found = Vec::new();
        self.each_document(|place, attached| {
            let asked = self.asked(place.layer);
            for (index, statement) in (0..).zip(&attached.document.document().statements) {
                let is_this = |by: &&DecidedBy| {
                    (by.layer, by.level, by.document, by.statement)
                        == (place.layer, place.level, Some(place.document), Some(index))
                };
                if statement.effect == Effect::Deny && decided_by.iter().any(|by| is_this(&by)) {
                    let failed = failed::of_deny(&asked, attached, index as usize, statement);
                    found.push(NearMiss { statement: place.statement(attached, index), failed });
                }
            }
        });
        found.truncate(MAX_NEAR_MISSES);
        found
    }

    /// The Allows nearest to the request.
    fn allows(&self, silent: Option<&DecidedBy>) -> Vec<NearMiss> {
        let Some(silent) = silent else { return Vec::new() };
        let mut candidates: Vec<Candidate<'a>> = Vec::new();
        let instead = self.layers_instead(silent.layer);
        self.each_document(|place, attached| {
            let is_silent = place.layer == silent.layer && place.level == silent.level;
            if !is_silent && !instead.contains(&place.layer) {
                return;
            }
            let asked = self.asked(place.layer);
            for (index, statement) in attached.document.document().statements.iter().enumerate() {
                if statement.effect == Effect::Allow {
                    let failures = asked.failures(attached, index, statement);
                    if failures.count() == 0 && !self.is_foreign(place.layer) {
                        continue;
                    }
                    let (count, rank) = similar::distance(self.request, statement, &failures);
                    candidates.push(Candidate {
                        distance: (!is_silent, count, rank, failures.conditions.len()),
                        place,
                        of: Source::Statement(attached, index, failures),
                    });
                }
            }
        });
        if matches!(self.request.resource, Resource::Key { .. }) {
            for (document, grant) in (0..).zip(self.applicable.grants) {
                if let Some(miss) = grant_miss::Miss::of(grant, self.request, self.applicable.encryption_context) {
                    candidates.push(Candidate {
                        distance: (silent.layer != Layer::Grant, miss.count(), 0, 0),
                        place: Place { layer: Layer::Grant, level: None, document },
                        of: Source::Grant(miss),
                    });
                }
            }
        }
        candidates
            .retain(|Candidate { distance: (elsewhere, count, ..), .. }| !elsewhere || *count <= MAX_FAILED_ELSEWHERE);
        candidates.sort_by_key(|candidate| candidate.distance);
        candidates.truncate(MAX_NEAR_MISSES);
        candidates.into_iter().map(|candidate| self.near_miss(candidate)).collect()
    }

    fn near_miss(&self, candidate: Candidate<'_>) -> NearMiss {
        let place = candidate.place;
        match candidate.of {
            Source::Statement(attached, index, failures) => {
                let asked = self.asked(place.layer);
                let statements = &attached.document.document().statements;
                let mut elements = statements
                    .get(index)
                    .map(|statement| failed::of_allow(&asked, attached, index, statement, &failures))
                    .unwrap_or_default();
                if elements.is_empty() {
                    elements.push(self.foreign_principal());
                }
                NearMiss {
                    statement: place.statement(attached, u32::try_from(index).unwrap_or(u32::MAX)),
                    failed: elements,
                }
            }
            Source::Grant(miss) => NearMiss { statement: place.document_alone(), failed: miss.failed },
        }
    }

    /// Layers that could have allowed in the place of one that was silent.
    fn layers_instead(&self, silent: Layer) -> &'static [Layer] {
        let is_own = matches!(silent, Layer::IdentityPolicy | Layer::PermissionsBoundary | Layer::SessionPolicy);
        match (&self.request.resource, silent) {
            (Resource::Key { .. }, _) if is_own => &[Layer::KeyPolicy],
            (Resource::Other { .. }, _) if is_own => &[Layer::ResourcePolicy],
            _ => &[],
        }
    }

    /// Whether a statement of the resource's policy may match and yet not allow: the action does
    /// not work across accounts, or nobody has signed a request to KMS.
    fn is_foreign(&self, layer: Layer) -> bool {
        let caller = &self.request.caller.principal;
        let is_unsigned = layer == Layer::KeyPolicy && *caller == Principal::Anonymous;
        let account = caller.account();
        let is_across = !self.applicable.cross_account
            && matches!(layer, Layer::KeyPolicy | Layer::ResourcePolicy)
            && account.as_ref().map(AccountId::as_str) != self.request.resource.owner();
        is_unsigned || is_across
    }

    /// The action is for principals of the resource's own account.
    fn foreign_principal(&self) -> FailedElement {
        FailedElement {
            element: Element::Principal,
            operator: None,
            key: None,
            expected: self.request.resource.owner().map(str::to_owned).into_iter().collect(),
            actual: Actual::One(self.request.caller.principal.to_string()),
            reason: Some(if self.request.caller.principal == Principal::Anonymous {
                "KMS serves nobody who has not signed"
            } else {
                "the operation is for principals of the key's own account alone"
            }),
        }
    }
}

impl From<Option<ContextValue<'_>>> for Actual {
    fn from(value: Option<ContextValue<'_>>) -> Self {
        match value {
            None => Self::Absent,
            Some(ContextValue::Many(values)) => {
                Self::Many(values.into_iter().map(std::borrow::Cow::into_owned).collect())
            }
            Some(one) => Self::One(one.texts().into_iter().next().unwrap_or_default().into_owned()),
        }
    }
}
