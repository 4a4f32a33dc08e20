//! Every rule of AWS's policy evaluation, a test each, named after the rule: what the library
//! decides, and the plain interpreter with it.
#![allow(clippy::needless_pass_by_value, reason = "cases are put together from JSON values")]

mod action_resource;
mod condition_keys;
mod conditions;
mod cross_account;
mod edge_values;
mod engine;
mod flow;
mod grammar;
mod grants;
mod kms;
mod messages;
mod principal;
mod same_account;
mod simulators;

use keystile::authz::{Decision, Layer, Outcome, Supplied};
use serde_json::{Value, json};

use crate::generate::names::{ACCOUNT, EVE, KEY, ROLE, SESSION, USER};
use crate::interpreter::Case;
use crate::library::Library;

/// What the library decides on a case, which the interpreter must decide too.
fn decided(case: &Value) -> Decision {
    let case = Case::from_json(case);
    let library = Library::default();
    let supplied = Supplied::Implied { now: true };
    let question = library.question(&case, supplied).unwrap_or_else(|error| panic!("{error}"));
    let difference = library.difference(&case, supplied).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(difference, None, "{}", case.to_simulate());
    library.decide(&question).unwrap_or_else(|error| panic!("{error}"))
}

/// `allow key_policy`, `implicit_deny identity_policy`, `explicit_deny session_policy`: the outcome
/// with the layer that decided.
fn short(decision: &Decision) -> String {
    let outcome = match decision.outcome {
        Outcome::Allow => "allow",
        Outcome::ImplicitDeny => "implicit_deny",
        Outcome::ExplicitDeny => "explicit_deny",
    };
    let layer = decision.decided_by.first().map_or("nothing", |by| match by.layer {
        Layer::ServiceControlPolicy => "service_control_policy",
        Layer::ResourceControlPolicy => "resource_control_policy",
        Layer::KeyPolicy => "key_policy",
        Layer::ResourcePolicy => "resource_policy",
        Layer::IdentityPolicy => "identity_policy",
        Layer::PermissionsBoundary => "permissions_boundary",
        Layer::SessionPolicy => "session_policy",
        Layer::Grant => "grant",
    });
    format!("{outcome} {layer}")
}

/// Holds a case to what is expected: an outcome, or an outcome with its layer.
#[track_caller]
fn expect(case: &Value, expected: &str) {
    let found = short(&decided(case));
    let same = if expected.contains(' ') { found == expected } else { found.starts_with(&format!("{expected} ")) };
    assert!(same, "{found}, not {expected}: {case}");
}

/// The text that AWS sends.
#[track_caller]
fn message(case: &Value) -> String {
    decided(case).message.unwrap_or_else(|| panic!("allowed: {case}"))
}

/// A request for kms:Decrypt on the key, with these members besides.
fn decrypt(principal: &str, members: &Value) -> Value {
    asked(principal, "kms:Decrypt", KEY, members)
}

fn asked(principal: &str, action: &str, resource: &str, members: &Value) -> Value {
    let mut case = json!({"principal": principal, "action": action, "resource": resource});
    if principal == SESSION {
        case["role_arn"] = json!(ROLE);
    }
    case.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    case
}

/// A document of version 2012-10-17.
fn document(statements: &Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// A statement about every action on every resource, with these members besides.
fn statement(effect: &str, members: &Value) -> Value {
    let mut statement = json!({"Effect": effect, "Action": "*", "Resource": "*"});
    statement.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    statement
}

/// An identity policy that allows everything.
fn allows() -> Value {
    document(&statement("Allow", &json!({})))
}

/// An identity policy that denies everything.
fn denies() -> Value {
    document(&statement("Deny", &json!({})))
}

/// A policy that says nothing of the requests here.
fn silent() -> Value {
    document(&json!({"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}))
}

/// A resource policy that allows whom it names everything.
fn allowing(principal: &str) -> Value {
    document(&allow_to(principal))
}

fn allow_to(principal: &str) -> Value {
    statement("Allow", &json!({"Principal": {"AWS": principal}}))
}

/// The key policy that KMS makes where none is given: it delegates to the account.
fn default_key_policy() -> Value {
    document(&json!([{"Sid": "Enable IAM User Permissions", "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}]))
}

/// Whether a condition lets a statement apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Applies {
    Holds,
    Fails,
    /// An Allow does not apply, a Deny does.
    Error,
}

/// Holds a condition `{operator: {"k:key": values}}` to what is expected, in an Allow and in a
/// Deny. A request of null does not give the key; `more` is in the context too.
#[track_caller]
fn condition_with(more: &Value, operator: &str, values: &Value, request: &Value, expected: Applies) {
    let mut context = more.clone();
    if !request.is_null() {
        context["k:key"] = request.clone();
    }
    let when = json!({"Principal": "*", "Condition": {operator: {"k:key": values}}});
    let outcome = |statements: Value| {
        let case = decrypt(USER, &json!({"key_policy": document(&statements), "context": context}));
        decided(&case).outcome
    };
    let allowed = outcome(json!([statement("Allow", &when)])) == Outcome::Allow;
    let denied = outcome(json!([allow_to("*"), statement("Deny", &when)])) == Outcome::ExplicitDeny;
    let found = match (allowed, denied) {
        (true, true) => Applies::Holds,
        (false, false) => Applies::Fails,
        (false, true) => Applies::Error,
        (true, false) => panic!("an Allow applies and a Deny does not"),
    };
    assert_eq!(found, expected, "{operator} {values} of {request} with {more}");
}

/// [`condition_with`] nothing besides, row by row.
#[track_caller]
fn conditions(rows: &[(&str, Value, Value, Applies)]) {
    for (operator, values, request, expected) in rows {
        condition_with(&json!({}), operator, values, request, *expected);
    }
}
