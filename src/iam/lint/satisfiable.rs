//! Conditions that contradict each other: no value of their key satisfies all of them.

use std::collections::BTreeMap;

use super::place::Spot;
use super::{Findings, Policy, rule};
use crate::aws::{ConditionKey, catalogue};
use crate::iam::compare::{Network, epoch_milliseconds};
use crate::iam::{CompiledValues, Condition, Operator, Part, Pattern, Quantifier, Variable, Verdict, Version};

pub(super) fn check(policy: &Policy<'_>, findings: &mut Findings<'_>) {
    for (at, statement) in policy.document.statements.iter().enumerate() {
        let mut by_key: BTreeMap<&ConditionKey, Vec<(usize, &Condition)>> = BTreeMap::new();
        for (number, condition) in statement.conditions.iter().enumerate() {
            let operator = condition.operator;
            let demands_a_value = operator.base.negates().is_none()
                && !operator.holds_when_missing()
                && operator.quantifier != Some(Quantifier::ForAllValues);
            if condition.values.is_empty() && demands_a_value {
                let what = format!("{operator} on `{}` has no value to match", condition.key_text);
                let mend = "write the values, or remove the condition".to_owned();
                findings.add_with(&rule::NEVER_MATCHES, Spot::Condition(at, number), what, mend);
            } else if operator.quantifier.is_none() {
                by_key.entry(&condition.key).or_default().push((number, condition));
            }
        }
        for (key, conditions) in by_key.into_iter().filter(|(_, conditions)| conditions.len() > 1) {
            let may_be_several = catalogue::condition_key(key.as_str()).is_some_and(|info| info.multivalued);
            if may_be_several || compare_several_types(&conditions) || can_hold(&conditions, policy.document.version) {
                continue;
            }
            let operators: Vec<String> =
                conditions.iter().map(|(_, condition)| condition.operator.to_string()).collect();
            let Some((last, condition)) = conditions.last() else { continue };
            let what = format!("no value of `{}` satisfies {}", condition.key_text, operators.join(" and "));
            findings.add(&rule::NEVER_MATCHES, Spot::Condition(at, *last), what);
        }
    }
}

/// Whether the operators compare values of several types: a text may be a number and a date, and
/// what satisfies both is not among the candidates.
fn compare_several_types(conditions: &[(usize, &Condition)]) -> bool {
    const TYPES: [&str; 7] = ["String", "Numeric", "Date", "Bool", "Binary", "IpAddress", "Arn"];
    let compared =
        |of_type: &str| conditions.iter().any(|(_, condition)| condition.operator.base.as_str().contains(of_type));
    TYPES.iter().filter(|of_type| compared(of_type)).count() > 1
}

/// Whether some value of the key, or its absence, satisfies all: true also where that can't be told.
fn can_hold(conditions: &[(usize, &Condition)], version: Version) -> bool {
    let mut compiled: Vec<(Operator, CompiledValues)> = Vec::new();
    let (mut candidates, mut patterns) = (CANDIDATES.map(str::to_owned).to_vec(), 0);
    for (_, condition) in conditions {
        let Ok(values) = condition.compile(version) else { return true };
        let reads = |text: &String| Pattern::with_wildcards(text, version).unwrap_or_else(|_| Pattern::literal(text));
        let read: Vec<Pattern> = condition.values.iter().map(reads).collect();
        if read.iter().any(Pattern::has_variables) {
            return true;
        }
        let is_wild = |pattern: &Pattern| pattern.as_literal().is_none();
        patterns += usize::from(condition.operator.base.negates().is_none() && read.iter().any(is_wild));
        condition.values.iter().zip(&read).for_each(|(text, pattern)| add_candidates(text, pattern, &mut candidates));
        compiled.push((condition.operator, values));
    }
    // What two patterns have in common is not among the candidates.
    let absent = |_: &ConditionKey| Variable::Absent;
    let all_hold = |request: Option<&[&str]>| {
        compiled.iter().all(|(operator, values)| operator.evaluate(values, request, false, &absent) != Verdict::False)
    };
    patterns > 1 || all_hold(None) || candidates.iter().any(|text| all_hold(Some(&[text])))
}

/// Values that no policy has in mind, of every type.
const CANDIDATES: [&str; 9] = [
    "",
    "true",
    "false",
    "0",
    "no-value-of-any-policy",
    "198.51.100.77",
    "2001:db8::77",
    "arn:aws:iam::999999999999:role/no-role-of-any-policy",
    "arn:none:none:none:999999999999:none",
];

/// Values at and around a policy's value, in the types that it may be of.
fn add_candidates(text: &str, pattern: &Pattern, into: &mut Vec<String>) {
    let filled = |filling: &str| {
        let part = |part: &Part| match part {
            Part::Literal(text) => text.clone(),
            Part::Question => "x".to_owned(),
            _ => filling.to_owned(),
        };
        pattern.parts.iter().map(part).collect::<String>()
    };
    into.extend([text.to_owned(), filled(""), filled("x"), text.to_lowercase(), text.to_uppercase()]);
    if let Ok(number) = text.parse::<f64>() {
        into.extend([number - 1.0, number - 0.5, number + 0.5, number + 1.0].map(|near| near.to_string()));
    }
    if let Some(time) = epoch_milliseconds(text) {
        into.extend([time / 1000 - 1, time / 1000 + 1].map(|near| format!("{near:+}")));
    }
    if let Some(network) = Network::parse(text) {
        let net = network.net();
        into.extend([net.network().to_string(), net.broadcast().to_string()]);
    }
}
