//! Laws of the policy language: reading, printing, and conditions as the plain interpreter has them.

use std::borrow::Cow;
use std::cell::Cell;

use keystile::aws::ConditionKey;
use keystile::iam::{CompiledValues, Document, DocumentKind, Operator, Variable, Verdict, Version};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::generate;
use crate::interpreter::{self, Context, Outcome};

#[test]
fn every_valid_document_is_read_and_survives_printing() {
    for (is_key_policy, kind) in [
        (true, DocumentKind::KeyPolicy),
        (false, DocumentKind::IdentityPolicy),
        (false, DocumentKind::PermissionsBoundary),
        (false, DocumentKind::SessionPolicy),
    ] {
        TestRunner::new(generate::cases())
            .run(&generate::document(is_key_policy), |(policy, _)| {
                let text = policy.to_string();
                let document =
                    Document::parse(&text, kind).map_err(|error| TestCaseError::fail(format!("{error}: {text}")))?;
                let printed = document.to_json();
                let again = Document::parse(&printed, kind)
                    .map_err(|error| TestCaseError::fail(format!("{error}: {printed}")))?;
                prop_assert_eq!(without_lines(document), without_lines(again), "{}", printed);
                Ok(())
            })
            .unwrap();
    }
}

fn without_lines(mut document: Document) -> Document {
    for statement in &mut document.statements {
        statement.line = 0;
        for condition in &mut statement.conditions {
            condition.line = 0;
        }
    }
    document
}

#[test]
fn conditions_hold_where_the_plain_interpreter_says_so() {
    let strategy = (generate::condition(true), generate::base_context(), any::<bool>());
    TestRunner::new(generate::cases())
        .run(&strategy, |((operator, key, values, request), mut context, variables)| {
            if let Some(request) = request.clone() {
                context.insert(key.to_uppercase(), request);
            }
            let expected = match interpreter::condition(&operator, &key, &values, &context, variables) {
                None => Verdict::StatementError,
                Some(holds) => Verdict::from(holds),
            };
            let version = if variables { Version::V2012 } else { Version::V2008 };
            let found = evaluate(&operator, &values, version, &key, &context);
            prop_assert_eq!(found, expected, "{} {:?} {:?}", operator, values, request);
            Ok(())
        })
        .unwrap();
}

fn evaluate(operator: &str, values: &[String], version: Version, key: &str, context: &Context) -> Verdict {
    let operator: Operator = operator.parse().unwrap();
    let compiled = CompiledValues::new(operator.base, values, version).unwrap();
    let look_up = |key: &ConditionKey| {
        context.iter().find(|(name, _)| name.to_lowercase() == key.as_str()).map(|(_, found)| found)
    };
    let resolve = |key: &ConditionKey| match look_up(key) {
        Some(found) if found.values.is_empty() => Variable::Absent,
        Some(found) if found.multivalued => Variable::Multivalued,
        Some(found) => Variable::Value(Cow::Borrowed(&found.values[0])),
        None => Variable::Absent,
    };
    let found = look_up(&ConditionKey::new(key));
    let request: Option<Vec<&str>> = found.map(|found| found.values.iter().map(String::as_str).collect());
    operator.evaluate(&compiled, request.as_deref(), found.is_some_and(|found| found.multivalued), &resolve)
}

#[test]
fn generated_cases_reach_every_outcome() {
    let counts = [const { Cell::new(0_u32) }; 3];
    TestRunner::new(generate::cases())
        .run(&generate::case(), |case| {
            let at = match interpreter::decide(&case).outcome {
                Outcome::Allow => 0,
                Outcome::ImplicitDeny => 1,
                Outcome::ExplicitDeny => 2,
            };
            counts[at].set(counts[at].get() + 1);
            Ok(())
        })
        .unwrap();
    let counts = counts.map(|count| count.get());
    let total: u32 = counts.iter().sum();
    assert!(counts.iter().all(|count| count * 20 > total), "each outcome is at least one case in twenty: {counts:?}");
}

#[test]
fn no_input_makes_the_reader_panic() {
    let config = generate::cases();
    TestRunner::new(config.clone())
        .run(&"\\PC{0,80}", |text| {
            let _ = Document::parse(&text, DocumentKind::KeyPolicy);
            Ok(())
        })
        .unwrap();
    // A valid document with a piece cut out or doubled.
    TestRunner::new(config)
        .run(
            &(generate::document(true), any::<prop::sample::Index>(), 0_usize..8, any::<bool>()),
            |((policy, _), at, length, doubled)| {
                let characters: Vec<char> = policy.to_string().chars().collect();
                let from = at.index(characters.len());
                let to = (from + length).min(characters.len());
                let piece = if doubled { &characters[from..to] } else { &[] };
                let text: String = [&characters[..if doubled { to } else { from }], piece, &characters[to..]]
                    .concat()
                    .into_iter()
                    .collect();
                if let Err(error) = Document::parse(&text, DocumentKind::KeyPolicy) {
                    prop_assert!(error.line == 1 && error.column >= 1 && !error.message.is_empty());
                }
                Ok(())
            },
        )
        .unwrap();
}
