//! Resources that the statement's actions are never asked for, and actions that are asked for none
//! of its resources.

use std::collections::BTreeSet;

use super::overlap::arns_meet;
use super::place::Spot;
use super::scope::Known;
use super::{Findings, Policy, rule};
use crate::iam::{DocumentKind, ResourceElement, ResourcePattern};

pub(super) fn check(policy: &Policy<'_>, findings: &mut Findings<'_>) {
    for (at, statement) in policy.document.statements.iter().enumerate() {
        let Some(element) = &statement.resource else { continue };
        let (ResourceElement::Resource(entries) | ResourceElement::NotResource(entries)) = element;
        partitions(at, element, findings);
        if policy.kind == DocumentKind::KeyPolicy {
            of_a_key(at, element, findings);
        } else if matches!(element, ResourceElement::Resource(_))
            && let Some(actions) = &policy.scopes[at].entries
        {
            fit(at, entries, actions, findings);
        }
    }
}

/// The partitions that AWS has and has announced.
const PARTITIONS: [&str; 8] =
    ["aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc"];

fn partitions(at: usize, element: &ResourceElement, findings: &mut Findings<'_>) {
    let (member, entries) = match element {
        ResourceElement::Resource(entries) => ("Resource", entries),
        ResourceElement::NotResource(entries) => ("NotResource", entries),
    };
    for (entry, pattern) in entries.iter().enumerate() {
        let ResourcePattern::Arn { text, segments } = pattern else { continue };
        if let Some(partition) = segments[0].as_literal().filter(|name| !PARTITIONS.contains(name)) {
            let what = format!("`{text}`: there is no partition `{partition}`");
            findings.add(&rule::UNKNOWN_PARTITION, Spot::Entry(at, member, entry), what);
        }
    }
}

fn of_a_key(at: usize, element: &ResourceElement, findings: &mut Findings<'_>) {
    let (member, entries) = match element {
        ResourceElement::Resource(entries) => ("Resource", entries),
        ResourceElement::NotResource(entries) => ("NotResource", entries),
    };
    for (entry, pattern) in entries.iter().enumerate() {
        let ResourcePattern::Arn { text, .. } = pattern else {
            if member == "NotResource" {
                let what = "NotResource `*` excludes the key itself: the statement never applies".to_owned();
                findings.add(&rule::KEY_POLICY_RESOURCE, Spot::Entry(at, member, entry), what);
            }
            continue;
        };
        let what = if arns_meet(pattern, "arn:*:kms:*:*:key/*") {
            format!("`{text}` is the key that bears the policy, or the statement never applies")
        } else {
            format!("`{text}` is no key: the statement never applies through it")
        };
        findings.add(&rule::KEY_POLICY_RESOURCE, Spot::Entry(at, member, entry), what);
    }
}

/// `actions`: for each entry of the Action element, what it matches.
fn fit(at: usize, entries: &[ResourcePattern], actions: &[Vec<Known>], findings: &mut Findings<'_>) {
    if actions.iter().all(Vec::is_empty) || entries.contains(&ResourcePattern::Any) {
        return;
    }
    let all: BTreeSet<&str> = actions.iter().flatten().flat_map(|known| templates(*known)).collect();
    let meets = |entry: &ResourcePattern, templates: &BTreeSet<&str>| {
        templates.iter().any(|template| arns_meet(entry, template))
    };
    let fitting: Vec<bool> = entries.iter().map(|entry| meets(entry, &all)).collect();
    for (entry, pattern) in entries.iter().enumerate().filter(|(entry, _)| !fitting[*entry]) {
        let spot = Spot::Entry(at, "Resource", entry);
        let (names, types) = (some(actions.iter().flatten().map(|known| known.name())), some(all.iter().copied()));
        if all.is_empty() {
            let what = format!("{names}: asked for `*` alone, never for `{}`", pattern.text());
            findings.add_with(&rule::RESOURCE_MISMATCH, spot, what, "write \"Resource\": \"*\"".to_owned());
        } else {
            let what = format!("{names}: never asked for `{}`", pattern.text());
            findings.add_with(&rule::RESOURCE_MISMATCH, spot, what, format!("name a resource such as {types}"));
        }
    }
    if !fitting.contains(&true) {
        return;
    }
    for (entry, matched) in actions.iter().enumerate() {
        // Of a pattern with wildcards, what does not fit is not meant.
        let own: BTreeSet<&str> = matched.iter().flat_map(|known| templates(*known)).collect();
        let Some(first) = matched.first() else { continue };
        if entries.iter().any(|pattern| meets(pattern, &own)) {
            continue;
        }
        let name = if matched.len() == 1 { first.name() } else { format!("{} and its like", first.name()) };
        let what = if own.is_empty() {
            format!("{name} is asked for `*` alone, which the statement's Resource is not")
        } else {
            format!("{name} is never asked for the statement's Resource, but for {}", some(own.iter().copied()))
        };
        findings.add(&rule::ACTION_WITHOUT_RESOURCE, Spot::Entry(at, "Action", entry), what);
    }
}

fn templates(known: Known) -> impl Iterator<Item = &'static str> {
    known.service.resource_types_of(known.action).map(|(resource, _)| resource.arn)
}

/// The first three, for messages.
fn some<T: AsRef<str>>(items: impl Iterator<Item = T>) -> String {
    let mut items = items.map(|item| item.as_ref().to_owned());
    let first: Vec<String> = items.by_ref().take(3).collect();
    let more = if items.next().is_some() { ", ..." } else { "" };
    first.join(", ") + more
}
