//! Same-account allow by the resource (key) policy: the table, row by row.

use serde_json::{Value, json};

use super::{ACCOUNT, ROLE, SESSION, USER, allowing, allows, asked, decrypt, expect, silent};
use crate::generate::names::{FEDERATED, ROOT};

/// Holds a grant in a key policy to the layers whose silence limits it.
fn limited_by(named: &str, caller: &str, limits: &[&str]) {
    let mut members =
        json!({"key_policy": allowing(named), "identity_policies": [allows()], "permissions_boundary": allows()});
    if caller.contains(":sts:") {
        members["session_policies"] = json!([allows()]);
    }
    expect(&decrypt(caller, &members), "allow");
    for (name, value, layer) in [
        ("identity_policies", json!([]), "identity_policy"),
        ("permissions_boundary", silent(), "permissions_boundary"),
        ("session_policies", json!([silent()]), "session_policy"),
    ] {
        if name == "session_policies" && !caller.contains(":sts:") {
            continue;
        }
        let mut members = members.clone();
        members[name] = value;
        let expected = if limits.contains(&layer) { format!("implicit_deny {layer}") } else { "allow".to_owned() };
        expect(&decrypt(caller, &members), &expected);
    }
}

#[test]
fn the_users_arn_is_limited_by_nothing() {
    limited_by(USER, USER, &[]);
}

#[test]
fn the_sessions_arn_is_limited_by_nothing() {
    limited_by(SESSION, SESSION, &[]);
}

#[test]
fn a_federated_users_arn_is_limited_by_nothing() {
    limited_by(FEDERATED, FEDERATED, &[]);
}

#[test]
fn star_is_limited_by_nothing() {
    for caller in [USER, SESSION, FEDERATED] {
        limited_by("*", caller, &[]);
    }
}

#[test]
fn the_roles_arn_is_limited_by_boundary_and_session_policy() {
    limited_by(ROLE, SESSION, &["permissions_boundary", "session_policy"]);
}

#[test]
fn the_account_for_kms_needs_identity_boundary_and_session_to_allow() {
    for caller in [USER, SESSION, FEDERATED] {
        limited_by(ACCOUNT, caller, &["identity_policy", "permissions_boundary", "session_policy"]);
    }
}

const QUEUE: &str = "arn:aws:sqs:us-east-1:111122223333:jobs";

fn send(caller: &str, members: &Value) -> Value {
    asked(caller, "sqs:SendMessage", QUEUE, members)
}

#[test]
fn of_other_services_the_resource_policy_or_the_identity_policies_are_enough() {
    expect(&send(USER, &json!({})), "implicit_deny identity_policy");
    expect(&send(USER, &json!({"identity_policies": [allows()]})), "allow identity_policy");
    expect(&send(USER, &json!({"resource_policy": allowing(USER)})), "allow resource_policy");
    expect(&send(USER, &json!({"resource_policy": allowing("*")})), "allow resource_policy");
    expect(&send(USER, &json!({"resource_policy": allowing(ACCOUNT)})), "implicit_deny identity_policy");
    expect(&send(ROOT, &json!({})), "allow");
}

#[test]
fn of_other_services_a_direct_grant_is_limited_as_a_key_policys_is() {
    let limits = json!({"permissions_boundary": silent(), "session_policies": [silent()]});
    for (named, expected) in [
        (SESSION, "allow resource_policy"),
        ("*", "allow resource_policy"),
        (ROLE, "implicit_deny permissions_boundary"),
    ] {
        let mut members = limits.clone();
        members["resource_policy"] = allowing(named);
        expect(&send(SESSION, &members), expected);
    }
    expect(&send(SESSION, &json!({"resource_policy": allowing(ROLE)})), "allow resource_policy");
}

#[test]
fn of_other_services_boundary_and_session_limit_the_identity_policies() {
    for (name, value, layer) in [
        ("permissions_boundary", silent(), "permissions_boundary"),
        ("session_policies", json!([silent()]), "session_policy"),
    ] {
        expect(
            &send(SESSION, &json!({"identity_policies": [allows()], name: value})),
            &format!("implicit_deny {layer}"),
        );
    }
}

#[test]
fn a_role_is_assumed_only_as_its_trust_policy_allows() {
    let trust = |principal: &str| json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}});
    let assume = |members: Value| asked(USER, "sts:AssumeRole", ROLE, &members);
    expect(&assume(json!({"identity_policies": [allows()]})), "implicit_deny resource_policy");
    expect(&assume(json!({"identity_policies": [allows()], "resource_policy": trust(ACCOUNT)})), "allow");
    expect(&assume(json!({"resource_policy": trust(ACCOUNT)})), "implicit_deny identity_policy");
    expect(&assume(json!({"resource_policy": trust(USER)})), "allow resource_policy");
    expect(
        &asked("ec2.amazonaws.com", "sts:AssumeRole", ROLE, &json!({"resource_policy": trust(USER)})),
        "implicit_deny resource_policy",
    );
    let service = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}});
    expect(
        &asked("ec2.amazonaws.com", "sts:AssumeRole", ROLE, &json!({"resource_policy": service})),
        "allow resource_policy",
    );
}
