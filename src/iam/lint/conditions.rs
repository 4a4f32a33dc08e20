//! Condition keys that do not exist or that the actions do not have, and operators that don't fit.

use super::nearest::nearest;
use super::place::Spot;
use super::scope::Known;
use super::{Findings, Policy, rule};
use crate::aws::catalogue::{self, KeyInfo};
use crate::aws::{ConditionKey, KeyType};
use crate::iam::compare::is_true;
use crate::iam::{BaseOperator, Condition, Effect, Quantifier, Statement};

pub(super) fn check(policy: &Policy<'_>, findings: &mut Findings<'_>) {
    for (at, statement) in policy.document.statements.iter().enumerate() {
        for (number, condition) in statement.conditions.iter().enumerate() {
            let spot = Spot::Condition(at, number);
            let Some(info) = known(condition, spot, findings) else { continue };
            if let Some(entries) = &policy.scopes[at].entries {
                supported(statement, condition, entries, spot, findings);
            }
            operator_fits(condition, info, spot, findings);
            quantifier_fits(statement, condition, info, spot, findings);
            skips_missing_key(policy, statement, condition, spot, findings);
        }
    }
}

fn known(condition: &Condition, spot: Spot<'_>, findings: &mut Findings<'_>) -> Option<KeyInfo> {
    let info = catalogue::condition_key(condition.key.as_str());
    if info.is_none() && !is_of_provider(&condition.key) {
        let what = format!("there is no condition key `{}`", condition.key_text);
        match meant(&condition.key) {
            Some(meant) => {
                findings.add_with(&rule::UNKNOWN_CONDITION_KEY, spot, what, format!("did you mean `{meant}`?"));
            }
            None => findings.add(&rule::UNKNOWN_CONDITION_KEY, spot, what),
        }
    }
    info
}

/// Whether the key is a claim of an identity provider, of which the catalogue has the usual ones alone.
pub(super) fn is_of_provider(key: &ConditionKey) -> bool {
    key.as_str().split_once(':').is_some_and(|(prefix, _)| prefix.contains('.'))
}

/// The key that the author may have meant; `KEY` stands for an open suffix.
pub(super) fn meant(key: &ConditionKey) -> Option<String> {
    let (prefix, name) = key.as_str().split_once(':').unwrap_or(("aws", key.as_str()));
    let keys = match catalogue::service(prefix) {
        Some(service) => service.keys(),
        None => catalogue::global_keys(),
    };
    let of_global = catalogue::global_keys().iter().map(|entry| entry.name);
    let shown = |name: &str| name.replace('*', "KEY");
    let own = nearest(key.as_str(), keys.iter().map(|entry| entry.name).chain(of_global));
    // The right name with another service's prefix.
    let bare = || {
        let global = catalogue::global_keys().iter().map(|entry| entry.name);
        global
            .into_iter()
            .find(|global| global.split_once(':').is_some_and(|(_, other)| other.eq_ignore_ascii_case(name)))
    };
    own.or_else(bare).map(shown)
}

fn supported(
    statement: &Statement,
    condition: &Condition,
    entries: &[Vec<Known>],
    spot: Spot<'_>,
    findings: &mut Findings<'_>,
) {
    let key = condition.key.as_str();
    let is_of_service = key.split_once(':').is_some_and(|(prefix, _)| {
        prefix == "aws" || catalogue::service(prefix).is_some_and(|s| !s.actions().is_empty())
    });
    let mut all = entries.iter().flatten().peekable();
    if !is_of_service || all.peek().is_none() {
        return;
    }
    let name = &condition.key_text;
    if !all.any(|known| known.supports(key)) {
        let what = format!("no action of the statement has the condition key `{name}`");
        let mend = "remove the condition, or name actions that have the key".to_owned();
        findings.add_with(&rule::UNSUPPORTED_KEY, spot, what, mend);
        return;
    }
    // Of a pattern with wildcards, the actions that have the key are meant.
    let demands = condition.operator.base.negates().is_none() && !condition.operator.holds_when_missing();
    let named = entries.iter().filter_map(|matched| match matched.as_slice() {
        [known] if !known.supports(key) => Some(known.name()),
        _ => None,
    });
    let without: Vec<String> = named.collect();
    let wants_key =
        condition.operator.base != BaseOperator::Null || !condition.values.iter().any(|value| is_true(value));
    if statement.effect == Effect::Allow && demands && wants_key && !without.is_empty() {
        let what = format!("`{name}` is never given with {}: the statement does not allow it", without.join(", "));
        findings.add(&rule::UNSUPPORTED_KEY, spot, what);
    }
}

/// The families of operators, by the types that they compare.
fn operator_fits(condition: &Condition, info: KeyInfo, spot: Spot<'_>, findings: &mut Findings<'_>) {
    let operator = condition.operator.base.as_str();
    let is = |family: &str| operator.contains(family);
    let is_name = || ["account", "userid", "username", "orgid"].iter().any(|end| condition.key.as_str().ends_with(end));
    let all_arns =
        || !is_name() && condition.values.iter().all(|value| value.starts_with("arn:") || value.starts_with("${"));
    let (fits, write) = match info.key_type {
        KeyType::String => (is("String") || is("Binary") || (is("Arn") && all_arns()), "StringEquals or StringLike"),
        KeyType::Arn => (is("Arn") || is("String"), "ArnEquals or ArnLike"),
        KeyType::Numeric => (is("Numeric"), "NumericEquals, NumericLessThan and their kin"),
        KeyType::Bool => (is("Bool"), "Bool"),
        KeyType::Date => (
            is("Date") || (is("Numeric") && condition.key.as_str() == "aws:epochtime"),
            "DateLessThan, DateGreaterThan and their kin",
        ),
        KeyType::Ip => (is("IpAddress"), "IpAddress or NotIpAddress"),
        KeyType::Binary => (is("Binary") || is("String"), "BinaryEquals"),
    };
    if !fits && condition.operator.base != BaseOperator::Null {
        let what = format!("{operator} on `{}`, which is {}", condition.key_text, type_name(info.key_type));
        findings.add_with(&rule::OPERATOR_TYPE, spot, what, format!("use {write}"));
    }
}

fn type_name(key_type: KeyType) -> &'static str {
    match key_type {
        KeyType::String => "a text",
        KeyType::Numeric => "a number",
        KeyType::Bool => "a truth value",
        KeyType::Date => "a date",
        KeyType::Ip => "an address",
        KeyType::Arn => "an ARN",
        KeyType::Binary => "binary data",
    }
}

fn quantifier_fits(
    statement: &Statement,
    condition: &Condition,
    info: KeyInfo,
    spot: Spot<'_>,
    findings: &mut Findings<'_>,
) {
    let (name, base) = (&condition.key_text, condition.operator.base);
    match condition.operator.quantifier {
        None if info.multivalued && base != BaseOperator::Null => {
            let denies = statement.effect == Effect::Deny;
            let rule = if denies { &rule::DEAD_DENY } else { &rule::MULTIVALUED_KEY };
            let what = format!("`{name}` can have several values, and {} has no set operator", condition.operator);
            findings.add_with(rule, spot, what, format!("write `ForAnyValue:{}`", condition.operator));
        }
        Some(quantifier) if !info.multivalued => {
            let what = format!("`{name}` has one value, and {} is for several", condition.operator);
            let plain = crate::iam::Operator { quantifier: None, ..condition.operator };
            findings.add_with(&rule::SET_OPERATOR_ON_SINGLE_VALUE, spot, what, format!("write `{plain}`"));
            guarded(quantifier, statement, condition, spot, findings);
        }
        Some(quantifier) => guarded(quantifier, statement, condition, spot, findings),
        None => {}
    }
}

fn guarded(
    quantifier: Quantifier,
    statement: &Statement,
    condition: &Condition,
    spot: Spot<'_>,
    findings: &mut Findings<'_>,
) {
    let is_guard = |other: &Condition| {
        other.key == condition.key
            && other.operator.base == BaseOperator::Null
            && !other.values.iter().any(|value| is_true(value))
    };
    let opens = statement.effect == Effect::Allow && quantifier == Quantifier::ForAllValues;
    if opens && !statement.conditions.iter().any(is_guard) {
        let what = format!("{} on `{}` also holds where the key is missing", condition.operator, condition.key_text);
        let mend = format!("add {{\"Null\": {{\"{}\": \"false\"}}}}", condition.key_text);
        findings.add_with(&rule::FOR_ALL_VALUES_ALLOW, spot, what, mend);
    }
}

/// A Deny of what was done without a second factor, by a positive operator.
fn skips_missing_key(
    policy: &Policy<'_>,
    statement: &Statement,
    condition: &Condition,
    spot: Spot<'_>,
    findings: &mut Findings<'_>,
) {
    use BaseOperator as Op;
    let operator = condition.operator;
    let means_without = match (condition.key.as_str(), operator.base) {
        ("aws:multifactorauthpresent", Op::Bool) => condition.values.iter().any(|value| !is_true(value)),
        ("aws:multifactorauthage", Op::NumericGreaterThan | Op::NumericGreaterThanEquals) => true,
        _ => false,
    };
    let asks_for_absence = |other: &Statement| {
        other.effect == Effect::Deny
            && other.conditions.iter().any(|other| {
                other.key == condition.key
                    && other.operator.base == Op::Null
                    && other.values.iter().any(|value| is_true(value))
            })
    };
    if statement.effect == Effect::Deny
        && means_without
        && !operator.holds_when_missing()
        && !policy.document.statements.iter().any(asks_for_absence)
    {
        let what = format!("the Deny does not apply to requests without `{}`", condition.key_text);
        let with = crate::iam::Operator { if_exists: true, ..operator };
        findings.add_with(&rule::DENY_SKIPS_MISSING_KEY, spot, what, format!("write `{with}`"));
    }
}
