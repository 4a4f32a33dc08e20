//! Version, statements without effect, and what stands twice.

use std::collections::HashMap;

use super::place::Spot;
use super::{Findings, Policy, rule};
use crate::iam::{DocumentKind, Statement};

pub(super) fn check(policy: &Policy<'_>, findings: &mut Findings<'_>) {
    if !findings.places.has("Version") {
        findings.add(&rule::NO_VERSION, Spot::Document, "the document has no Version".to_owned());
    }
    if policy.kind == DocumentKind::KeyPolicy {
        without_effect(policy, findings);
    }
    repeated_sids(policy, findings);
    duplicates(policy, findings);
}

fn without_effect(policy: &Policy<'_>, findings: &mut Findings<'_>) {
    for (at, statement) in policy.document.statements.iter().enumerate() {
        let lacks = match (&statement.action, &statement.resource) {
            (None, None) => "Action and Resource",
            (None, Some(_)) => "Action",
            (Some(_), None) => "Resource",
            (Some(_), Some(_)) => continue,
        };
        findings.add(&rule::NO_EFFECT, Spot::Statement(at), format!("the statement has no {lacks}"));
    }
}

/// Where the reader takes a Sid twice: identity policies are refused for it.
fn repeated_sids(policy: &Policy<'_>, findings: &mut Findings<'_>) {
    let mut seen = HashMap::new();
    for (at, statement) in policy.document.statements.iter().enumerate() {
        let Some(sid) = statement.sid.as_deref().filter(|sid| !sid.is_empty()) else { continue };
        match seen.get(sid) {
            None => {
                seen.insert(sid, statement.line);
            }
            Some(line) => {
                let what = format!("`{sid}` is the Sid of the statement in line {line} already");
                findings.add(&rule::REPEATED_SID, Spot::Member(at, "Sid"), what);
            }
        }
    }
}

fn duplicates(policy: &Policy<'_>, findings: &mut Findings<'_>) {
    let bare: Vec<Statement> = policy.document.statements.iter().map(without_places).collect();
    for (at, statement) in bare.iter().enumerate() {
        if let Some(earlier) = bare[..at].iter().position(|earlier| earlier == statement) {
            let line = policy.document.statements[earlier].line;
            let what = format!("the statement says what that in line {line} says");
            findings.add(&rule::DUPLICATE_STATEMENT, Spot::Statement(at), what);
        }
    }
}

/// What the statement says, apart from its name and place.
fn without_places(statement: &Statement) -> Statement {
    let mut bare = Statement { sid: None, line: 0, ..statement.clone() };
    for condition in &mut bare.conditions {
        condition.line = 0;
        condition.key_text.clear();
    }
    bare
}
