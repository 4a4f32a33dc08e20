//! What the reader of documents refuses, as findings.

use super::{Finding, Rule, rule};
use crate::iam::{DocumentKind, ParseError, ParseErrorKind};

/// The reader's error as a finding.
pub(super) fn finding(error: &ParseError, kind: DocumentKind) -> Finding {
    let rule = rule_of(error, kind);
    let (what, mend) = halves(&error.message);
    let place = if error.path.is_empty() { String::new() } else { format!("{}: ", error.path) };
    Finding {
        rule,
        line: error.line,
        column: error.column,
        statement: statement(&error.path),
        what: format!("{place}{what}"),
        mend: mend.unwrap_or(rule.mend).to_owned(),
    }
}

fn rule_of(error: &ParseError, kind: DocumentKind) -> &'static Rule {
    match error.kind {
        ParseErrorKind::TooLarge => &rule::TOO_LARGE,
        ParseErrorKind::Syntax | ParseErrorKind::Depth => &rule::SYNTAX,
        ParseErrorKind::Duplicate => &rule::DUPLICATE_MEMBER,
        ParseErrorKind::Missing => &rule::MISSING_ELEMENT,
        ParseErrorKind::Type => &rule::WRONG_TYPE,
        ParseErrorKind::Unexpected if error.message.starts_with("NotPrincipal stands") => &rule::NOT_PRINCIPAL_ALLOW,
        ParseErrorKind::Unexpected | ParseErrorKind::Value if is_of_control_policies(error, kind) => {
            &rule::CONTROL_POLICY
        }
        ParseErrorKind::Unexpected => &rule::UNEXPECTED_ELEMENT,
        ParseErrorKind::Value => value_rule(error),
    }
}

fn is_of_control_policies(error: &ParseError, kind: DocumentKind) -> bool {
    kind == DocumentKind::ResourceControlPolicy && error.message.contains("a resource control policy ")
}

/// The rule for a value that its element does not take, by the element.
fn value_rule(error: &ParseError) -> &'static Rule {
    if error.message.contains("malformed policy variable") {
        return &rule::MALFORMED_VARIABLE;
    }
    match element(&error.path) {
        "Version" => &rule::INVALID_VERSION,
        "Principal" | "NotPrincipal" => &rule::INVALID_PRINCIPAL,
        "Action" | "NotAction" => &rule::INVALID_ACTION,
        "Resource" | "NotResource" => &rule::INVALID_RESOURCE,
        "Condition" if error.message.contains("is not a condition operator") => &rule::INVALID_OPERATOR,
        "Condition" if error.message.contains("is not a condition key") => &rule::INVALID_CONDITION_KEY,
        "Condition" if error.message.contains("takes no ForAllValues") => &rule::FOR_ALL_VALUES_REFUSED,
        "Condition" => &rule::INVALID_LITERAL,
        _ => &rule::INVALID_VALUE,
    }
}

/// The element of a path: of `Statement[0].Condition.StringEquals` it is `Condition`.
fn element(path: &str) -> &str {
    let mut parts = path.split(['.', '[']);
    let first = parts.next().unwrap_or_default();
    if first != "Statement" {
        return first;
    }
    parts.find(|part| !part.ends_with(']')).unwrap_or(first)
}

fn statement(path: &str) -> Option<usize> {
    let rest = path.strip_prefix("Statement")?;
    match rest.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?.parse().ok(),
        None => Some(0),
    }
}

/// A message is what is wrong, and after a colon or a semicolon what to do; those in the text that
/// it quotes don't count.
fn halves(message: &str) -> (&str, Option<&str>) {
    let mut quoted = false;
    for (at, character) in message.char_indices() {
        match character {
            '`' => quoted = !quoted,
            ':' | ';' if !quoted && message[at + 1..].starts_with(' ') => {
                return (&message[..at], Some(&message[at + 2..]));
            }
            _ => {}
        }
    }
    (message, None)
}
