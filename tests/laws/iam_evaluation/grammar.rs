//! Grammar.

use keystile::iam::{Document, DocumentKind, ParseErrorKind};
use serde_json::json;

use super::{USER, allow_to, allowing, decrypt, document, expect, statement};

fn fault(text: &str) -> ParseErrorKind {
    Document::parse(text, DocumentKind::KeyPolicy).unwrap_err().kind
}

#[test]
fn no_version_means_2008_where_variables_are_literal_text() {
    for (version, value, expected) in [
        (json!(null), "alice", "implicit_deny"),
        (json!(null), "${aws:username}", "allow"),
        (json!("2008-10-17"), "alice", "implicit_deny"),
        (json!("2008-10-17"), "${aws:username}", "allow"),
        (json!("2012-10-17"), "alice", "allow"),
        (json!("2012-10-17"), "${aws:username}", "implicit_deny"),
    ] {
        let when = json!({"Principal": "*", "Condition": {"StringEquals": {"k:key": "${aws:username}"}}});
        let mut policy = json!({"Statement": statement("Allow", &when)});
        if !version.is_null() {
            policy["Version"] = version;
        }
        expect(&decrypt(USER, &json!({"key_policy": policy, "context": {"k:key": value}})), expected);
    }
}

#[test]
fn statement_is_an_object_or_an_array() {
    for statements in [allow_to("*"), json!([allow_to("*")])] {
        expect(&decrypt(USER, &json!({"key_policy": document(&statements)})), "allow key_policy");
    }
}

#[test]
fn brackets_are_optional_on_one_element_lists() {
    let bare = json!({"Effect": "Allow", "Principal": {"AWS": USER}, "Action": "kms:Decrypt", "Resource": "*",
        "Condition": {"StringEquals": {"k:key": "a"}}});
    let bracketed = json!({"Effect": "Allow", "Principal": {"AWS": [USER]}, "Action": ["kms:Decrypt"], "Resource": ["*"],
        "Condition": {"StringEquals": {"k:key": ["a"]}}});
    for one in [bare, bracketed] {
        expect(&decrypt(USER, &json!({"key_policy": document(&one), "context": {"k:key": "a"}})), "allow key_policy");
    }
}

#[test]
fn booleans_and_numbers_may_stand_unquoted() {
    for (condition, context) in [
        (json!({"Bool": {"k:key": true}}), json!({"k:key": "true"})),
        (json!({"NumericEquals": {"k:key": 180}}), json!({"k:key": "180"})),
        (json!({"NumericEquals": {"k:key": [90, "180"]}}), json!({"k:key": 180})),
        (json!({"Null": {"k:key": true}}), json!({})),
    ] {
        let policy = document(&statement("Allow", &json!({"Principal": "*", "Condition": condition})));
        expect(&decrypt(USER, &json!({"key_policy": policy, "context": context})), "allow");
    }
}

#[test]
fn duplicate_keys_are_invalid() {
    for text in [
        r#"{"Version": "2012-10-17", "Statement": [], "Statement": []}"#,
        r#"{"Statement": {"Effect": "Deny", "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}}"#,
        r#"{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*",
            "Condition": {"StringEquals": {"a:b": "c", "a:b": "d"}}}}"#,
    ] {
        assert_eq!(fault(text), ParseErrorKind::Duplicate, "{text}");
    }
}

#[test]
fn a_key_policy_has_at_most_32768_bytes() {
    let padded = |size: usize| format!("{:<size$}", allowing("*").to_string());
    assert!(Document::parse(&padded(32_768), DocumentKind::KeyPolicy).is_ok());
    assert_eq!(fault(&padded(32_769)), ParseErrorKind::TooLarge);
}

#[test]
fn a_key_policy_statement_without_resource_or_action_is_accepted_and_has_no_effect() {
    for missing in ["Resource", "Action"] {
        for (effect, expected) in [("Allow", "implicit_deny key_policy"), ("Deny", "allow key_policy")] {
            let mut empty = statement(effect, &json!({"Principal": "*"}));
            empty.as_object_mut().unwrap().remove(missing);
            let statements = if effect == "Deny" { json!([allow_to("*"), empty]) } else { empty };
            expect(&decrypt(USER, &json!({"key_policy": document(&statements)})), expected);
        }
    }
}

#[test]
fn in_a_key_policy_resource_star_means_this_key() {
    let only = |resource: &str| document(&statement("Allow", &json!({"Principal": "*", "Resource": resource})));
    expect(&decrypt(USER, &json!({"key_policy": only("*")})), "allow key_policy");
    let other = "arn:aws:kms:us-east-1:111122223333:key/another";
    expect(&decrypt(USER, &json!({"key_policy": only(other)})), "implicit_deny key_policy");
}
