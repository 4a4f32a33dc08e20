//! Values that are not what they look like, and policy variables.

use super::conditions::{is_of_provider, meant};
use super::place::Spot;
use super::{Findings, Policy, rule};
use crate::aws::{ConditionKey, catalogue};
use crate::iam::compare::{Network, epoch_milliseconds, is_well_formed};
use crate::iam::{BaseOperator, Condition, Part, Pattern, ResourceElement, ResourcePattern, Version};

pub(super) fn check(policy: &Policy<'_>, findings: &mut Findings<'_>) {
    let version = policy.document.version;
    for (at, statement) in policy.document.statements.iter().enumerate() {
        if let Some(element) = &statement.resource {
            let (member, entries) = match element {
                ResourceElement::Resource(entries) => ("Resource", entries),
                ResourceElement::NotResource(entries) => ("NotResource", entries),
            };
            for (entry, pattern) in entries.iter().enumerate() {
                if let ResourcePattern::Arn { text, segments } = pattern {
                    let found: Vec<&ConditionKey> = segments.iter().flat_map(Pattern::variables).collect();
                    variables(text, &found, version, Spot::Entry(at, member, entry), findings);
                }
            }
        }
        for (number, condition) in statement.conditions.iter().enumerate() {
            for (value, text) in condition.values.iter().enumerate() {
                one(condition, text, version, Spot::Value(at, number, value), findings);
            }
        }
    }
}

fn one(condition: &Condition, text: &str, version: Version, spot: Spot<'_>, findings: &mut Findings<'_>) {
    let base = condition.operator.base;
    let family = base.as_str();
    if matches!(base, BaseOperator::Bool | BaseOperator::Null) {
        if !text.eq_ignore_ascii_case("true") && !text.eq_ignore_ascii_case("false") {
            findings.add(&rule::ODD_BOOLEAN, spot, format!("`{text}` is neither true nor false"));
        }
        return;
    }
    if !is_well_formed(base, text, version) {
        findings.add(&rule::INVALID_LITERAL, spot, format!("`{text}` is not a value that {family} compares"));
        return;
    }
    if family.starts_with("Date") {
        let has_zone = !text.contains('-')
            || text.ends_with('Z')
            || text.split_once('T').is_some_and(|(_, time)| time.contains(['+', '-']));
        if !has_zone && epoch_milliseconds(text).is_some() {
            let mend = format!(
                "write `{}`",
                if text.contains('T') { format!("{text}Z") } else { format!("{text}T00:00:00Z") }
            );
            findings.add_with(&rule::DATE_WITHOUT_ZONE, spot, format!("`{text}` has no time zone"), mend);
        }
    }
    if family.ends_with("IpAddress") && !text.contains(':') {
        let leads = |number: &str| number.len() > 1 && number.starts_with('0');
        if text.split(['.', '/']).any(leads)
            && let Some(network) = Network::parse(text)
        {
            let what = format!("`{text}` has leading zeros; it is read as {}", network.net());
            findings.add_with(&rule::IP_LEADING_ZEROS, spot, what, format!("write `{}`", network.net()));
        }
    }
    if family.starts_with("String") || family.starts_with("Arn") {
        let Ok(pattern) = Pattern::with_wildcards(text, version) else { return };
        let is_wild = pattern.parts.iter().any(|part| matches!(part, Part::Star | Part::Question));
        if is_wild && family.starts_with("String") && !family.ends_with("Like") {
            let what = format!("{family} compares the wildcards of `{text}` as themselves");
            let like = if base.negates().is_some() { "StringNotLike" } else { "StringLike" };
            findings.add_with(&rule::WILDCARD_WITHOUT_LIKE, spot, what, format!("use {like}"));
        }
        let found: Vec<&ConditionKey> = pattern.variables().collect();
        variables(text, &found, version, spot, findings);
    }
}

fn variables(text: &str, found: &[&ConditionKey], version: Version, spot: Spot<'_>, findings: &mut Findings<'_>) {
    if version == Version::V2008 && looks_like_a_variable(text) {
        findings.add(&rule::VARIABLE_IN_OLD_VERSION, spot, format!("`{text}` has a policy variable"));
    }
    for key in found {
        match catalogue::condition_key(key.as_str()) {
            Some(info) if info.multivalued => {
                let what =
                    format!("`${{{}}}` can have several values", catalogue::condition_key_spelling(key.as_str()));
                findings.add(&rule::MULTIVALUED_VARIABLE, spot, what);
            }
            None if !is_of_provider(key) => {
                let what = format!("there is no condition key `{key}`");
                match meant(key) {
                    Some(meant) => {
                        findings.add_with(&rule::UNKNOWN_VARIABLE, spot, what, format!("did you mean `${{{meant}}}`?"));
                    }
                    None => findings.add(&rule::UNKNOWN_VARIABLE, spot, what),
                }
            }
            _ => {}
        }
    }
}

/// `${key}` of a key that the catalogue knows.
fn looks_like_a_variable(text: &str) -> bool {
    text.match_indices("${").any(|(at, _)| {
        let name = text[at + 2..].split(['}', ',']).next().unwrap_or_default();
        catalogue::condition_key(&name.trim().to_lowercase()).is_some()
    })
}
