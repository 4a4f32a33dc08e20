//! A statement against a request, element by element: what an explanation is made of. Cedar says
//! whether a statement matches; this says which of its elements do not.

use crate::aws::{Caller, ConditionKey, ContextValue, Principal};
use crate::cedar::{Values, variable};
use crate::iam::{
    ActionElement, ActionPattern, DocumentKind, Effect, Pattern, PrincipalElement, PrincipalPattern, ResourceElement,
    ResourcePattern, Statement, Verdict,
};

use super::values::RequestValues;
use super::{AttachedDocument, AuthzRequest};

/// A request as the statements of one document see it.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) request: &'a AuthzRequest,
    pub(super) values: RequestValues<'a>,
    /// Whether the caller has a permissions boundary, which no NotPrincipal exempts.
    pub(super) bounded: bool,
}

/// Which elements of a statement do not match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Failures {
    pub(super) principal: bool,
    pub(super) action: bool,
    pub(super) resource: bool,
    /// The places of the conditions that do not hold, in the statement's order.
    pub(super) conditions: Vec<usize>,
}

impl Failures {
    /// How many of the four elements do not match.
    pub(super) fn count(&self) -> usize {
        [self.principal, self.action, self.resource, !self.conditions.is_empty()]
            .iter()
            .filter(|failed| **failed)
            .count()
    }

    /// Whether the statement is about the request, whatever its conditions say.
    pub(super) fn in_scope(&self) -> bool {
        !self.principal && !self.action && !self.resource
    }
}

impl Asked<'_> {
    /// Compares every element of a statement of the document, by its place from 0.
    pub(super) fn failures(&self, attached: &AttachedDocument, index: usize, statement: &Statement) -> Failures {
        let verdicts = attached.document.conditions(index).iter().map(|condition| condition.holds(&self.values));
        let mut conditions: Vec<usize> = Vec::new();
        let mut is_error = false;
        for (at, verdict) in verdicts.enumerate() {
            is_error |= verdict == Verdict::StatementError;
            if verdict != Verdict::True {
                conditions.push(at);
            }
        }
        if is_error && statement.effect == Effect::Deny {
            // A Deny in error applies, whatever its other conditions say.
            conditions.clear();
        }
        Failures { conditions, ..self.scope_failures(attached.document.kind(), statement) }
    }

    /// Compares every element but the conditions.
    pub(super) fn scope_failures(&self, kind: DocumentKind, statement: &Statement) -> Failures {
        Failures {
            principal: !self.principal_matches(statement.principal.as_ref()),
            action: !self.action_matches(statement.action.as_ref()),
            resource: !self.resource_matches(kind, statement),
            conditions: Vec::new(),
        }
    }

    fn principal_matches(&self, element: Option<&PrincipalElement>) -> bool {
        let caller = &self.request.caller;
        match element {
            None => true,
            Some(PrincipalElement::Principal(patterns)) => patterns.iter().any(|pattern| names(pattern, caller)),
            Some(PrincipalElement::NotPrincipal(patterns)) => {
                self.bounded || !patterns.iter().any(|pattern| is_exactly(pattern, caller))
            }
        }
    }

    fn action_matches(&self, element: Option<&ActionElement>) -> bool {
        let action = &self.request.action;
        let any = |patterns: &[ActionPattern]| {
            patterns.iter().any(|pattern| pattern.matches(action.service(), action.name()))
        };
        match element {
            None => false,
            Some(ActionElement::Action(patterns)) => any(patterns),
            Some(ActionElement::NotAction(patterns)) => !any(patterns),
        }
    }

    fn resource_matches(&self, kind: DocumentKind, statement: &Statement) -> bool {
        let resolve = |key: &ConditionKey| variable(&self.values, key);
        let (patterns, negated) = match &statement.resource {
            // A trust policy's statement is about the role that bears it.
            None => return kind == DocumentKind::ResourcePolicy,
            Some(ResourceElement::Resource(patterns)) => (patterns, false),
            Some(ResourceElement::NotResource(patterns)) => (patterns, true),
        };
        let matches = patterns.iter().any(|pattern| match (pattern, self.request.resource.arn()) {
            (ResourcePattern::Any, _) => true,
            (pattern, Some(arn)) => pattern.matches(arn, &resolve),
            (_, None) => false,
        });
        matches != negated
    }

    /// The value that a condition saw; none where the request does not give the key.
    pub(super) fn value(&self, key: &ConditionKey) -> Option<ContextValue<'_>> {
        self.values.value(key).filter(|value| !matches!(value, ContextValue::Many(values) if values.is_empty()))
    }
}

/// The condition keys that the variables of a Resource element name.
pub(super) fn resource_variables(statement: &Statement) -> impl Iterator<Item = &ConditionKey> {
    let patterns = match &statement.resource {
        Some(ResourceElement::Resource(patterns) | ResourceElement::NotResource(patterns)) => patterns.as_slice(),
        None => &[],
    };
    patterns
        .iter()
        .flat_map(|pattern| match pattern {
            ResourcePattern::Arn { segments, .. } => segments.as_slice(),
            ResourcePattern::Any => &[],
        })
        .flat_map(Pattern::variables)
}

/// Whether an entry of a Principal element names the caller.
fn names(pattern: &PrincipalPattern, caller: &Caller) -> bool {
    match pattern {
        PrincipalPattern::Anyone => true,
        PrincipalPattern::Account(account) => caller.principal.account() == Some(*account),
        PrincipalPattern::Role(arn) => {
            matches!(caller.principal, Principal::Role(_) | Principal::Session(_)) && caller.principal_arn == *arn
        }
        PrincipalPattern::UniqueId(id) => is_same_id(id, caller),
        exact => is_exactly(exact, caller),
    }
}

/// Whether an entry is the caller itself and not something that it belongs to.
fn is_exactly(pattern: &PrincipalPattern, caller: &Caller) -> bool {
    match (pattern, &caller.principal) {
        (PrincipalPattern::Anyone, _) => true,
        (PrincipalPattern::Account(account), Principal::Root(arn)) => account.as_str() == arn.account(),
        (PrincipalPattern::User(entry), Principal::User(arn))
        | (PrincipalPattern::Role(entry), Principal::Role(arn))
        | (PrincipalPattern::Session(entry), Principal::Session(arn))
        | (PrincipalPattern::FederatedUser(entry), Principal::FederatedUser(arn)) => entry == arn,
        (PrincipalPattern::Service(entry), Principal::Service(name)) => **entry == **name,
        (PrincipalPattern::Federated(entry), Principal::WebIdentity(provider)) => entry == provider.as_str(),
        // The id of a role is that of its sessions too, none of which it is exactly.
        (PrincipalPattern::UniqueId(id), Principal::User(_)) => is_same_id(id, caller),
        _ => false,
    }
}

fn is_same_id(id: &str, caller: &Caller) -> bool {
    matches!(caller.principal, Principal::User(_) | Principal::Role(_) | Principal::Session(_))
        && caller.user_id.split(':').next() == Some(id)
}
