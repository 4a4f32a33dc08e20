//! Actions that no request asks for.

use super::nearest::nearest;
use super::place::Spot;
use super::scope::matches;
use super::{Findings, Policy, rule};
use crate::aws::catalogue::{self, Service};
use crate::iam::{ActionElement, ActionPattern, DocumentKind, Part, Pattern};

pub(super) fn check(policy: &Policy<'_>, findings: &mut Findings<'_>) {
    for (at, statement) in policy.document.statements.iter().enumerate() {
        let (member, patterns) = match &statement.action {
            Some(ActionElement::Action(patterns)) => ("Action", patterns),
            Some(ActionElement::NotAction(patterns)) => ("NotAction", patterns),
            None => continue,
        };
        for (entry, pattern) in patterns.iter().enumerate() {
            let spot = Spot::Entry(at, member, entry);
            if policy.kind == DocumentKind::KeyPolicy && is_on_no_key(pattern) {
                let what = format!("`{}`: a key policy is asked for what is done on a key alone", pattern.text);
                let mend = "remove it here, and allow it in an identity policy".to_owned();
                findings.add_with(&rule::ACTION_MATCHES_NOTHING, spot, what, mend);
                continue;
            }
            one(pattern, spot, findings);
            if policy.kind == DocumentKind::ResourceControlPolicy {
                covered_by_rcps(pattern, spot, findings);
            }
            let covering = patterns.iter().enumerate().find(|(other_entry, other)| {
                *other_entry != entry && covers(other, pattern) && (*other_entry < entry || !covers(pattern, other))
            });
            if let Some((_, other)) = covering {
                let what = format!("`{}` is covered by `{}` of the same list", pattern.text, other.text);
                findings.add(&rule::REDUNDANT_ACTION, spot, what);
            }
        }
    }
}

/// Whether no action that it matches is done on a KMS key.
fn is_on_no_key(pattern: &ActionPattern) -> bool {
    let of_other_service = pattern.service.as_literal().is_some_and(|service| !service.eq_ignore_ascii_case("kms"));
    let name = pattern.name.as_literal().and_then(|name| format!("kms:{name}").parse().ok());
    of_other_service || name.is_some_and(|action| catalogue::kms::is_on_no_key(&action))
}

fn one(pattern: &ActionPattern, spot: Spot<'_>, findings: &mut Findings<'_>) {
    let text = &pattern.text;
    let Some(service) = pattern.service.as_literal() else {
        if !is_star(&pattern.service) || !is_star(&pattern.name) {
            let what = format!("`{text}` has a wildcard in its service");
            findings.add(&rule::INVALID_ACTION, spot, what);
        }
        return;
    };
    let Some(known) = catalogue::service(service).filter(|service| !service.actions().is_empty()) else {
        let what = format!("there is no service `{service}`");
        match nearest(service, catalogue::services()) {
            Some(meant) => findings.add_with(&rule::UNKNOWN_SERVICE, spot, what, format!("did you mean `{meant}`?")),
            None => findings.add(&rule::UNKNOWN_SERVICE, spot, what),
        }
        return;
    };
    if matches(pattern).is_some_and(|found| !found.is_empty()) {
        return;
    }
    let names = || known.actions().iter().map(|action| action.name);
    if let Some(name) = pattern.name.as_literal() {
        let what = format!("`{text}`: {service} has no such action");
        match the_one_with(name, known).or_else(|| nearest(name, names())) {
            Some(meant) => {
                findings.add_with(
                    &rule::UNKNOWN_ACTION,
                    spot,
                    what,
                    format!("did you mean `{}:{meant}`?", known.name()),
                );
            }
            None => findings.add(&rule::UNKNOWN_ACTION, spot, what),
        }
        return;
    }
    let what = format!("`{text}` matches no action of {service}");
    let literal: String = pattern.name.parts.iter().filter_map(literal_part).collect();
    match nearest(&literal, names()) {
        Some(meant) => {
            let mend = format!("did you mean `{}:{meant}`?", known.name());
            findings.add_with(&rule::ACTION_MATCHES_NOTHING, spot, what, mend);
        }
        None => findings.add(&rule::ACTION_MATCHES_NOTHING, spot, what),
    }
}

/// The first action whose name begins with this one: `ReEncrypt` for `ReEncryptFrom`.
fn the_one_with(name: &str, service: &'static Service) -> Option<&'static str> {
    let begins = |action: &&'static str| {
        name.len() >= 4 && action.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
    };
    service.actions().iter().map(|action| action.name).find(begins)
}

fn covered_by_rcps(pattern: &ActionPattern, spot: Spot<'_>, findings: &mut Findings<'_>) {
    let Some(service) = pattern.service.as_literal() else { return };
    if catalogue::service(service).is_some() && !catalogue::has_resource_control_policies(service) {
        let what = format!("resource control policies do not cover {service}");
        findings.add(&rule::RCP_UNSUPPORTED_SERVICE, spot, what);
    }
}

/// Whether everything that the second pattern matches, the first does too, as far as can be told
/// from their texts.
pub(super) fn covers(wide: &ActionPattern, narrow: &ActionPattern) -> bool {
    let tells = !wide.text.contains('?') || wide.text.eq_ignore_ascii_case(&narrow.text);
    let (service, name) = narrow.text.split_once(':').unwrap_or(("*", "*"));
    tells && wide.matches(&service.to_ascii_lowercase(), &name.to_ascii_lowercase())
}

pub(super) fn is_star(pattern: &Pattern) -> bool {
    !pattern.parts.is_empty() && pattern.parts.iter().all(|part| *part == Part::Star)
}

fn literal_part(part: &Part) -> Option<&str> {
    match part {
        Part::Literal(text) => Some(text),
        _ => None,
    }
}
