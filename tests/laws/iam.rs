//! Laws of the policy language: reading, printing, and conditions as the plain interpreter has them.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use keystile::aws::ConditionKey;
use keystile::iam::lint::lint;
use keystile::iam::{CompiledValues, Document, DocumentKind, Operator, Variable, Verdict, Version};

use serde_json::json;

use crate::generate::{Kind, all_values, base_context, cases, condition, document, hold};
use crate::interpreter::{self, Context, Values};

#[test]
fn every_valid_document_is_read_and_survives_printing() {
    const KINDS: [(Kind, DocumentKind); 7] = [
        (Kind::Resource, DocumentKind::KeyPolicy),
        (Kind::Resource, DocumentKind::ResourcePolicy),
        (Kind::Identity, DocumentKind::IdentityPolicy),
        (Kind::Identity, DocumentKind::PermissionsBoundary),
        (Kind::Identity, DocumentKind::SessionPolicy),
        (Kind::Identity, DocumentKind::ServiceControlPolicy),
        (Kind::ResourceControl, DocumentKind::ResourceControlPolicy),
    ];
    hold(cases(8_000), |dice| {
        let (generated, kind) = *dice.pick(&KINDS);
        let (policy, _) = document(dice, generated);
        let read = |text: &str| Document::parse(text, kind).map_err(|error| format!("{error}: {text}"));
        let document = read(&policy.to_string())?;
        let printed = document.to_json();
        if without_lines(read(&printed)?) == without_lines(document) { Ok(1) } else { Err(printed) }
    });
}

#[test]
fn conditions_that_the_linter_finds_to_contradict_each_other_never_hold() {
    let found = AtomicU64::new(0);
    let values = all_values();
    hold(cases(20_000), |dice| {
        let [one, other] = [condition(dice, true, true), condition(dice, true, true)];
        let (operators, key) = ([&one.operator, &other.operator], "k:one");
        if operators[0] == operators[1] || operators.iter().any(|operator| operator.starts_with("For")) {
            return Ok(1);
        }
        let conditions = json!({operators[0]: {key: one.policy}, operators[1]: {key: other.policy}});
        let statement =
            json!({"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*", "Condition": conditions});
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
        if lint(&policy, DocumentKind::KeyPolicy).iter().all(|finding| finding.rule.name != "never-matches") {
            return Ok(1);
        }
        found.fetch_add(1, Ordering::Relaxed);
        let single = values.iter().map(|value| Some(Values::one(value)));
        for request in single.chain([None, Some(Values::many(&["dev"]))]) {
            let mut context = base_context(dice);
            context.extend(request.map(|request| (key.to_owned(), request)));
            let may_hold = |operator: &str, policy: &[String]| {
                interpreter::condition(operator, key, policy, &context, true) != Some(false)
            };
            if may_hold(operators[0], &one.policy) && may_hold(operators[1], &other.policy) {
                return Err(format!("both hold for {:?}: {policy}", context.get(key)));
            }
        }
        Ok(1)
    });
    assert!(found.into_inner() > 20, "the law was put to the test");
}

pub(crate) fn without_lines(mut document: Document) -> Document {
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
    hold(cases(20_000), |dice| {
        let variables = dice.percent(70);
        let generated = condition(dice, true, variables);
        let mut context = base_context(dice);
        if let Some(request) = generated.request.clone() {
            context.retain(|key, _| !key.eq_ignore_ascii_case(&generated.key));
            context.insert(generated.key.to_uppercase(), request);
        }
        let (operator, key, values) = (&generated.operator, &generated.key, &generated.policy);
        let expected = match interpreter::condition(operator, key, values, &context, variables) {
            None => Verdict::StatementError,
            Some(holds) => Verdict::from(holds),
        };
        let version = if variables { Version::V2012 } else { Version::V2008 };
        let found = evaluate(operator, values, version, key, &context);
        if found == expected {
            Ok(1)
        } else {
            Err(format!("{found:?}, not {expected:?}: {generated:?} in {context:?}"))
        }
    });
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
