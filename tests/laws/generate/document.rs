//! Documents of every kind, as AWS stores them.

use serde_json::{Map, Value, json};

use super::condition::{GeneratedCondition, condition};
use super::dice::Dice;
use super::names::{PRINCIPALS, SERVICES, Service};

/// What a document is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A key policy, or another service's resource policy.
    Resource,
    /// Of a user or role; a boundary; a session's; a service control policy.
    Identity,
    /// A resource control policy.
    ResourceControl,
}

/// A document about some service.
pub(crate) fn document(dice: &mut Dice, kind: Kind) -> (Value, Vec<GeneratedCondition>) {
    let service = *dice.pick(&SERVICES);
    document_about(dice, kind, service)
}

/// A document, and what requests may give for its conditions' keys.
pub(super) fn document_about(dice: &mut Dice, kind: Kind, service: &Service) -> (Value, Vec<GeneratedCondition>) {
    let version = *dice.pick(&[Some("2012-10-17"), Some("2012-10-17"), Some("2012-10-17"), Some("2008-10-17"), None]);
    let variables = version == Some("2012-10-17");
    let mut document = Map::new();
    if let Some(version) = version {
        document.insert("Version".to_owned(), json!(version));
    }
    let mut conditions = Vec::new();
    let mut statements: Vec<Value> = (0..dice.between(1, 3))
        .map(|_| {
            let (statement, more) = statement(dice, kind, service, variables);
            conditions.extend(more);
            statement
        })
        .collect();
    let bare = statements.len() == 1 && dice.percent(50);
    document.insert("Statement".to_owned(), if bare { statements.remove(0) } else { Value::Array(statements) });
    (Value::Object(document), conditions)
}

fn statement(dice: &mut Dice, kind: Kind, service: &Service, variables: bool) -> (Value, Vec<GeneratedCondition>) {
    let mut statement = Map::new();
    let mut put = |name: &str, value: Value| statement.insert(name.to_owned(), value);
    let deny = kind == Kind::ResourceControl || dice.percent(30);
    if dice.percent(20) {
        put("Sid", json!(format!("S{}", dice.below(1_000_000))));
    }
    put("Effect", json!(if deny { "Deny" } else { "Allow" }));
    match kind {
        Kind::Resource if deny && dice.percent(25) => drop(put("NotPrincipal", principal(dice))),
        Kind::Resource => drop(put("Principal", principal(dice))),
        Kind::ResourceControl => drop(put("Principal", dice.pick(&[json!("*"), json!({"AWS": "*"})]).clone())),
        Kind::Identity => {}
    }
    let mut actions = service.actions.to_vec();
    if kind == Kind::ResourceControl {
        actions.retain(|action| *action != "*");
    }
    let not_action = kind != Kind::ResourceControl && dice.percent(12);
    put(if not_action { "NotAction" } else { "Action" }, list(dice, &actions));
    let mut resources = service.resources.to_vec();
    if variables {
        resources.extend(service.variables);
    }
    put(if dice.percent(12) { "NotResource" } else { "Resource" }, list(dice, &resources));
    let count = *dice.pick(&[0, 0, 0, 1, 1, 2]);
    let conditions: Vec<_> = (0..count).map(|_| condition(dice, kind == Kind::Resource, variables)).collect();
    let mut operators = Map::new();
    for condition in &conditions {
        let keys = operators.entry(condition.operator.clone()).or_insert_with(|| json!({}));
        keys[&condition.key] = json!(condition.policy);
    }
    if !operators.is_empty() {
        put("Condition", Value::Object(operators));
    }
    (Value::Object(statement), conditions)
}

fn principal(dice: &mut Dice) -> Value {
    match dice.below(10) {
        0 => json!("*"),
        1 => json!({"Service": "s3.amazonaws.com", "AWS": *dice.pick(&PRINCIPALS)}),
        2 => json!({"Service": ["s3.amazonaws.com", "sqs.amazonaws.com"]}),
        _ => json!({"AWS": list(dice, &PRINCIPALS)}),
    }
}

/// One or two of them; one of them now and then without brackets.
fn list(dice: &mut Dice, from: &[&str]) -> Value {
    let list = dice.some(from, 1, 2);
    if list.len() == 1 && dice.percent(50) { json!(list[0]) } else { json!(list) }
}
