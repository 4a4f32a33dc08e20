//! Which parts of a grant do not match a request.

use std::collections::BTreeMap;

use super::grants::{SOURCE_ARN, reads_encryption_context};
use super::{Actual, AuthzRequest, Element, FailedElement, Grant};
use crate::aws::{ConditionKey, catalogue};

/// A grant that does not allow.
pub(super) struct Miss {
    pub(super) failed: Vec<FailedElement>,
}

impl Miss {
    /// None where every part matches: then something else stands against it.
    pub(super) fn of(
        grant: &Grant,
        request: &AuthzRequest,
        context: Option<&BTreeMap<String, String>>,
    ) -> Option<Self> {
        let mut failed = Vec::new();
        if !grant.is_for(request) {
            failed.push(element(
                Element::Principal,
                vec![grant.grantee.principal.to_string()],
                request.caller.principal.to_string(),
            ));
        }
        if !(grant.covers(&request.action) && catalogue::kms::is_grantable(&request.action)) {
            let operations = grant.operations.iter().map(|operation| format!("kms:{operation}")).collect();
            failed.push(element(Element::Action, operations, request.action.to_string()));
        }
        if reads_encryption_context(&request.action) {
            let constraints = [
                ("EncryptionContextEquals", &grant.constraints.encryption_context_equals),
                ("EncryptionContextSubset", &grant.constraints.encryption_context_subset),
            ];
            for (operator, pairs) in constraints {
                let Some(pairs) = pairs else { continue };
                failed.extend(pairs.iter().filter_map(|(name, value)| {
                    let actual = context.and_then(|context| context.get(name));
                    (actual != Some(value)).then(|| pair(operator, name, vec![value.clone()], actual))
                }));
                let beside = context.into_iter().flatten().filter(|(name, _)| !pairs.contains_key(*name));
                if operator == "EncryptionContextEquals" {
                    failed.extend(beside.map(|(name, value)| pair(operator, name, Vec::new(), Some(value))));
                }
            }
        }
        if let Some(arn) = &grant.constraints.source_arn {
            let actual: Actual = request.value(&ConditionKey::new(SOURCE_ARN)).into();
            if actual != Actual::One(arn.to_string()) {
                failed.push(FailedElement {
                    element: Element::Condition,
                    operator: Some("SourceArn".to_owned()),
                    key: Some(SOURCE_ARN.to_owned()),
                    expected: vec![arn.to_string()],
                    actual,
                    reason: None,
                });
            }
        }
        (!failed.is_empty()).then_some(Self { failed })
    }

    /// How many elements do not match.
    pub(super) fn count(&self) -> usize {
        let of = |element| usize::from(self.failed.iter().any(|failed| failed.element == element));
        of(Element::Principal) + of(Element::Action) + of(Element::Condition)
    }
}

fn element(element: Element, expected: Vec<String>, actual: String) -> FailedElement {
    FailedElement { element, operator: None, key: None, expected, actual: Actual::One(actual), reason: None }
}

fn pair(operator: &str, name: &str, expected: Vec<String>, actual: Option<&String>) -> FailedElement {
    FailedElement {
        element: Element::Condition,
        operator: Some(operator.to_owned()),
        key: Some(format!("kms:EncryptionContext:{name}")),
        expected,
        actual: actual.map_or(Actual::Absent, |value| Actual::One(value.clone())),
        reason: None,
    }
}
