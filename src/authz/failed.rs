//! What of a statement an explanation shows.

use std::fmt;

use super::elements::{Asked, Failures};
use super::{Actual, AttachedDocument, Element, FailedElement};
use crate::aws::{Arn, Principal};
use crate::cedar::PreparedCondition;
use crate::iam::{
    ActionElement, BaseOperator, PrincipalElement, PrincipalPattern, ResourceElement, ResourcePattern, Statement,
};

/// The elements of an Allow that do not match.
pub(super) fn of_allow(
    asked: &Asked<'_>,
    attached: &AttachedDocument,
    index: usize,
    statement: &Statement,
    failures: &Failures,
) -> Vec<FailedElement> {
    let mut failed = Vec::with_capacity(failures.count() + failures.conditions.len());
    failed.extend(failures.principal.then(|| principal(asked, statement)));
    failed.extend(failures.action.then(|| action(asked, statement)));
    failed.extend(failures.resource.then(|| resource(asked, statement)));
    let conditions = attached.document.conditions(index);
    failed.extend(failures.conditions.iter().filter_map(|at| conditions.get(*at)).map(|one| condition(asked, one)));
    failed
}

/// What makes a Deny apply: its conditions and Not forms; where it has none, all that is not `*`.
pub(super) fn of_deny(
    asked: &Asked<'_>,
    attached: &AttachedDocument,
    index: usize,
    statement: &Statement,
) -> Vec<FailedElement> {
    let elements = || [principal(asked, statement), action(asked, statement), resource(asked, statement)];
    let is_not_form = |failed: &FailedElement| {
        matches!(failed.element, Element::NotPrincipal | Element::NotAction | Element::NotResource)
    };
    let mut failed: Vec<FailedElement> = elements().into_iter().filter(is_not_form).collect();
    failed.extend(attached.document.conditions(index).iter().map(|one| condition(asked, one)));
    if failed.is_empty() {
        failed.extend(elements().into_iter().filter(|one| !one.expected.iter().any(|text| text == "*")));
        failed.retain(|one| !one.expected.is_empty());
    }
    failed
}

fn principal(asked: &Asked<'_>, statement: &Statement) -> FailedElement {
    let (element, patterns) = match &statement.principal {
        Some(PrincipalElement::Principal(patterns)) => (Element::Principal, patterns.as_slice()),
        Some(PrincipalElement::NotPrincipal(patterns)) => (Element::NotPrincipal, patterns.as_slice()),
        None => (Element::Principal, [].as_slice()),
    };
    let caller = &asked.request.caller;
    let names_role = patterns.iter().any(|pattern| matches!(pattern, PrincipalPattern::Role(_)));
    // A session is compared with the entries of roles by its role.
    let actual = match &caller.principal {
        Principal::Session(_) if names_role => caller.principal_arn.to_string(),
        principal => principal.to_string(),
    };
    let expected = patterns.iter().map(|pattern| pattern.member_and_text().1.to_owned()).collect();
    FailedElement { element, operator: None, key: None, expected, actual: Actual::One(actual), reason: None }
}

fn action(asked: &Asked<'_>, statement: &Statement) -> FailedElement {
    let (element, patterns) = match &statement.action {
        Some(ActionElement::Action(patterns)) => (Element::Action, patterns.as_slice()),
        Some(ActionElement::NotAction(patterns)) => (Element::NotAction, patterns.as_slice()),
        None => (Element::Action, [].as_slice()),
    };
    let expected = patterns.iter().map(|pattern| pattern.text.clone()).collect();
    let actual = Actual::One(asked.request.action.to_string());
    FailedElement { element, operator: None, key: None, expected, actual, reason: None }
}

fn resource(asked: &Asked<'_>, statement: &Statement) -> FailedElement {
    let (element, patterns) = match &statement.resource {
        Some(ResourceElement::Resource(patterns)) => (Element::Resource, patterns.as_slice()),
        Some(ResourceElement::NotResource(patterns)) => (Element::NotResource, patterns.as_slice()),
        None => (Element::Resource, [].as_slice()),
    };
    let expected = patterns.iter().map(|pattern: &ResourcePattern| pattern.text().to_owned()).collect();
    let actual = Actual::One(asked.request.resource.arn().map_or("*", Arn::as_str).to_owned());
    FailedElement { element, operator: None, key: None, expected, actual, reason: None }
}

fn condition(asked: &Asked<'_>, prepared: &PreparedCondition) -> FailedElement {
    let condition = prepared.condition();
    let operator = condition.operator;
    let actual: Actual = asked.value(&condition.key).into();
    let reason = match &actual {
        Actual::Absent if asked.request.given(&condition.key).is_some() => Some("identity policies alone see the key"),
        Actual::Many(_) if operator.quantifier.is_none() && operator.base != BaseOperator::Null => {
            Some("several values are compared by ForAnyValue or ForAllValues alone")
        }
        _ => None,
    };
    FailedElement {
        element: Element::Condition,
        operator: Some(operator.to_string()),
        key: Some(condition.key_text.clone()),
        expected: condition.values.clone(),
        actual,
        reason,
    }
}

/// `Condition Bool aws:MultiFactorAuthPresent: expects "true", the request does not give it`.
impl fmt::Display for FailedElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.element.as_str())?;
        if let (Some(operator), Some(key)) = (&self.operator, &self.key) {
            write!(f, " {operator} {key}")?;
        }
        let lists = matches!(self.element, Element::NotPrincipal | Element::NotAction | Element::NotResource);
        write!(f, ": {} {}", if lists { "lists" } else { "expects" }, Values(&self.expected))?;
        match &self.actual {
            Actual::Absent => f.write_str(", the request does not give it"),
            Actual::One(value) => write!(f, ", the request has {value:?}"),
            Actual::Many(values) => write!(f, ", the request has {}", Values(values)),
        }?;
        self.reason.map_or(Ok(()), |reason| write!(f, " ({reason})"))
    }
}

/// One value in quotes, or a list of them.
struct Values<'a>(&'a [String]);

impl fmt::Display for Values<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [one] => write!(f, "{one:?}"),
            several => write!(f, "{several:?}"),
        }
    }
}
