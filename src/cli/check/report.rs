//! Findings as text, JSON and SARIF.

use std::borrow::Cow;
use std::fmt::Write;
use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::checker::{Finding, Outcome};
use super::rules::FILE_RULES;
use crate::iam::lint::{Level, POLICY_RULES, Rule};
use crate::simulate::printable;

/// For people: three lines a finding, and a summary.
pub(super) fn text(outcome: &Outcome) -> String {
    let mut text = String::new();
    for finding in &outcome.findings {
        let place = finding.place.map_or_else(String::new, |(line, column)| format!(":{line}:{column}"));
        let Finding { file, rule, what, mend, .. } = finding;
        let (file, what, mend) = (printable(file), shortened(what), shortened(mend));
        let _ = writeln!(
            text,
            "{file}{place}: {}: {}: {what}\n    why:  {}\n    mend: {mend} ({})",
            rule.level, rule.name, rule.why, rule.page
        );
    }
    let (errors, warnings) = counts(outcome);
    let plural = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    let _ = writeln!(
        text,
        "{}, {} in {}",
        plural(errors, "error"),
        plural(warnings, "warning"),
        plural(outcome.files, "file")
    );
    text
}

/// Most characters of a text that a policy may have made long.
const MAX_SHOWN: usize = 600;

fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_SHOWN) {
        None => printable(text),
        Some((end, _)) => Cow::Owned(format!("{}…", printable(&text[..end]))),
    }
}

/// One object, in one line.
pub(super) fn json(outcome: &Outcome) -> String {
    let (errors, warnings) = counts(outcome);
    let findings: Vec<Value> = outcome.findings.iter().map(finding_json).collect();
    format!("{}\n", json!({ "files": outcome.files, "errors": errors, "warnings": warnings, "findings": findings }))
}

fn finding_json(finding: &Finding) -> Value {
    json!({
        "file": finding.file,
        "line": finding.place.map(|(line, _)| line),
        "column": finding.place.map(|(_, column)| column),
        "statement": finding.statement,
        "rule": finding.rule.name,
        "level": finding.rule.level.as_str(),
        "what": finding.what,
        "why": finding.rule.why,
        "mend": finding.mend,
        "page": finding.rule.page,
    })
}

/// SARIF 2.1.0 (OASIS, "Static Analysis Results Interchange Format").
pub(super) fn sarif(outcome: &Outcome) -> String {
    let rules: Vec<&Rule> = FILE_RULES.into_iter().chain(POLICY_RULES.iter().copied()).collect();
    let results: Vec<Value> = outcome.findings.iter().map(|finding| result(finding, &rules)).collect();
    let driver = json!({
        "name": "keystile",
        "version": env!("CARGO_PKG_VERSION"),
        "informationUri": env!("CARGO_PKG_REPOSITORY"),
        "rules": rules.iter().map(|rule| descriptor(rule)).collect::<Vec<_>>(),
    });
    let log = json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{ "tool": { "driver": driver }, "columnKind": "unicodeCodePoints", "results": results }],
    });
    format!("{log:#}\n")
}

fn descriptor(rule: &Rule) -> Value {
    json!({
        "id": rule.name,
        "shortDescription": { "text": rule.finds },
        "fullDescription": { "text": rule.why },
        "help": { "text": rule.mend },
        "helpUri": rule.page,
        "defaultConfiguration": { "level": rule.level.as_str() },
    })
}

fn result(finding: &Finding, rules: &[&Rule]) -> Value {
    let mut location = json!({ "artifactLocation": { "uri": uri(&finding.file) } });
    if let Some((line, column)) = finding.place {
        location["region"] = json!({ "startLine": line, "startColumn": column });
    }
    json!({
        "ruleId": finding.rule.name,
        "ruleIndex": rules.iter().position(|rule| rule.name == finding.rule.name),
        "level": finding.rule.level.as_str(),
        "message": { "text": format!("{}. {} To mend it: {}.", finding.what, finding.rule.why, finding.mend) },
        "locations": [{ "physicalLocation": location }],
    })
}

/// A path as a URI reference: of an absolute path with its scheme.
fn uri(file: &str) -> String {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_').remove(b'~');
    let scheme = if Path::new(file).is_absolute() { "file://" } else { "" };
    format!("{scheme}{}", utf8_percent_encode(file, KEPT))
}

fn counts(outcome: &Outcome) -> (usize, usize) {
    let errors = outcome.findings.iter().filter(|finding| finding.rule.level == Level::Error).count();
    (errors, outcome.findings.len() - errors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_uri_reference() {
        for (path, expected) in [
            ("policies/a.json", "policies/a.json"),
            ("a b/ü#1?.json", "a%20b/%C3%BC%231%3F.json"),
            ("/tmp/a:b.json", "file:///tmp/a%3Ab.json"),
        ] {
            assert_eq!(uri(path), expected);
        }
    }
}
