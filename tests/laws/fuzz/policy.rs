//! Policy documents: read, printed, read again, and translated.

use keystile::cedar::CompiledDocument;
use keystile::iam::lint::{Level, lint};
use keystile::iam::{Document, DocumentKind};

use super::{files, fuzz, text};
use crate::generate::{Dice, Kind, document};
use crate::iam::without_lines;

const KINDS: [DocumentKind; 7] = [
    DocumentKind::KeyPolicy,
    DocumentKind::IdentityPolicy,
    DocumentKind::PermissionsBoundary,
    DocumentKind::SessionPolicy,
    DocumentKind::ServiceControlPolicy,
    DocumentKind::ResourceControlPolicy,
    DocumentKind::ResourcePolicy,
];

pub(super) const DICTIONARY: [&str; 44] = [
    "Version",
    "2012-10-17",
    "2008-10-17",
    "Statement",
    "Sid",
    "Effect",
    "Allow",
    "Deny",
    "Principal",
    "NotPrincipal",
    "AWS",
    "Service",
    "Federated",
    "CanonicalUser",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
    "StringEquals",
    "ForAllValues:StringLike",
    "ForAnyValue:StringNotEqualsIgnoreCase",
    "NumericLessThanIfExists",
    "DateGreaterThan",
    "Bool",
    "BinaryEquals",
    "NotIpAddress",
    "ArnNotLike",
    "Null",
    "kms:*",
    "kms:ViaService",
    "aws:PrincipalTag/${aws:username}",
    "kms:EncryptionContext:",
    "aws:TagKeys",
    "aws:CurrentTime",
    "aws:SourceIp",
    "arn:aws:iam::111122223333:root",
    "arn:aws:kms:*:111122223333:key/*",
    "111122223333",
    "AROACKCEVSQ6C2EXAMPLE",
    "${aws:PrincipalTag/a, 'b'}",
    "2001:db8::/32",
    "2024-05-06T00:00:00Z",
    "s3.amazonaws.com",
];

fn corpus() -> Vec<Vec<u8>> {
    let mut dice = Dice::new(7);
    let mut corpus: Vec<Vec<u8>> = (0..60)
        .map(|at| {
            let kind = [Kind::Resource, Kind::Identity, Kind::ResourceControl][at % 3];
            document(&mut dice, kind).0.to_string().into_bytes()
        })
        .collect();
    corpus.extend(files("policies", ".json"));
    corpus.extend(files("fixtures/iam", ".json"));
    corpus
}

#[test]
fn a_policy_that_is_read_is_printed_and_read_again_the_same_and_translates() {
    fuzz("policy", corpus(), &DICTIONARY, |input| {
        let Some(text) = text(input) else { return String::new() };
        let mut outcome = String::new();
        for kind in KINDS {
            let findings = lint(text, kind);
            for finding in &findings {
                assert!(finding.line as usize <= text.split('\n').count() && finding.line >= 1, "{finding:?}");
            }
            match Document::parse(text, kind) {
                Err(error) => {
                    let found = findings.iter().any(|finding| finding.rule.level == Level::Error);
                    assert!(found, "refused, and nothing found: {error}");
                    let lines = text.split('\n').count();
                    assert!(error.line >= 1 && error.line as usize <= lines && error.column >= 1, "{error}");
                    let line = text.split('\n').nth(error.line as usize - 1).unwrap();
                    assert!(error.column as usize <= line.chars().count() + 1, "beyond the line's end: {error}");
                    assert!(!error.message.is_empty());
                    outcome = format!("{outcome}{:?} {};", error.kind, error.message);
                }
                Ok(document) => {
                    let printed = document.to_json();
                    let again = Document::parse(&printed, kind).unwrap_or_else(|error| panic!("{error}: {printed}"));
                    assert_eq!(without_lines(again), without_lines(document), "{printed}");
                }
            }
        }
        outcome
    });
}

#[test]
fn every_policy_that_is_read_translates() {
    fuzz("translation", corpus(), &DICTIONARY, |input| {
        let Some(text) = text(input) else { return String::new() };
        for kind in [DocumentKind::KeyPolicy, DocumentKind::IdentityPolicy] {
            if Document::parse(text, kind).is_err() {
                continue;
            }
            let compiled = CompiledDocument::compile(kind, text).unwrap_or_else(|error| panic!("{error}"));
            let translation = CompiledDocument::translate(kind, text).unwrap_or_else(|error| panic!("{error}"));
            // Cedar warns of letters that are not seen or look like others, wherever they stand; and,
            // with right, of a statement that leaves out every action.
            let leaves_out = text.contains("NotAction");
            let with_right = |warning: &String| {
                ["General Security Profile", "BIDI control characters", "mixed scripts"]
                    .iter()
                    .any(|of_letters| warning.contains(of_letters))
                    || leaves_out && warning.contains("policy is impossible")
            };
            assert!(translation.warnings.iter().all(with_right), "{:?}", translation.warnings);
            let slice = compiled.slice(&"kms:Decrypt".parse().unwrap());
            return format!("{kind:?} {} {}", slice.is_empty(), operators(&format!("{translation:?}")));
        }
        String::new()
    });
}

/// Which of Cedar's words a translation uses: tells translations of other shapes apart.
fn operators(cedar: &str) -> String {
    [
        "has",
        "like",
        "contains(",
        "containsAll",
        "containsAny",
        "isInRange",
        "datetime(",
        "decimal(",
        "if ",
        "atoms",
        "hasTag",
        "unless",
        "<",
        "#lower",
        "#string",
    ]
    .iter()
    .filter(|word| cedar.contains(**word))
    .copied()
    .collect()
}
