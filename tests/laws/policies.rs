//! Policies that people wrote: the samples, and those that AWS manages.
//!
//! `KEYSTILE_MANAGED_POLICIES` names moto's file of AWS's managed policies (tests/run sets it).

use std::path::Path;

use keystile::cedar::CompiledDocument;
use keystile::iam::{Document, DocumentKind};

use crate::iam::without_lines;

/// Reads, prints, reads again: equal, but for the lines. It translates too, without a warning.
fn holds(name: &str, text: &str, kind: DocumentKind) {
    let read = Document::parse(text, kind).unwrap_or_else(|error| panic!("{name}: {error}"));
    let printed = read.to_json();
    let again = Document::parse(&printed, kind).unwrap_or_else(|error| panic!("{name}: {error}\n{printed}"));
    assert_eq!(without_lines(read), without_lines(again), "{name}\n{printed}");
    let translation = CompiledDocument::translate(kind, &printed).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(translation.warnings, [""; 0], "{name}");
    assert_eq!(translation.without_effect, [0; 0], "{name}");
}

#[test]
fn the_samples_print_as_they_were_read() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let mut count = 0;
    for folder in std::fs::read_dir(samples).unwrap() {
        let path = folder.unwrap().path().join("key-policy.json");
        if let Ok(text) = std::fs::read_to_string(&path) {
            holds(&path.display().to_string(), &text, DocumentKind::KeyPolicy);
            count += 1;
        }
    }
    assert!(count > 12, "{count}");
}

#[test]
fn every_managed_policy_prints_as_it_was_read() {
    let Some(path) = std::env::var_os("KEYSTILE_MANAGED_POLICIES") else { return };
    let file = std::fs::read_to_string(path).unwrap();
    let (_, text) = file.split_once("\"\"\"").unwrap();
    let (text, _) = text.rsplit_once("\"\"\"").unwrap();
    let policies: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).unwrap();
    assert_eq!(policies.len(), 1485);
    let all: Vec<_> = policies.iter().collect();
    std::thread::scope(|scope| {
        for part in all.chunks(all.len().div_ceil(8)) {
            scope.spawn(move || {
                for (name, policy) in part {
                    holds(name, &policy["Document"].to_string(), DocumentKind::IdentityPolicy);
                }
            });
        }
    });
}
