//! Conditions.

use keystile::iam::{Document, DocumentKind};
use serde_json::{Value, json};

use super::Applies::{Error, Fails, Holds};
use super::{USER, condition_with, conditions, decrypt, document, expect, statement};

const ALICE: &str = "arn:aws:iam::111122223333:user/alice";

fn stored(kind: DocumentKind, condition: &Value) -> bool {
    let members = match kind {
        DocumentKind::KeyPolicy => json!({"Principal": "*", "Condition": condition}),
        _ => json!({"Condition": condition}),
    };
    Document::parse(&document(&statement("Allow", &members)).to_string(), kind).is_ok()
}

#[test]
fn operators_and_keys_and() {
    let policy = |condition: Value| document(&statement("Allow", &json!({"Principal": "*", "Condition": condition})));
    let two_keys = policy(json!({"StringEquals": {"k:a": "1", "k:b": "2"}}));
    let two_operators = policy(json!({"StringEquals": {"k:a": "1"}, "StringLike": {"k:b": "2*"}}));
    for policy in [two_keys, two_operators] {
        for (context, expected) in [
            (json!({"k:a": "1", "k:b": "2"}), "allow"),
            (json!({"k:a": "1", "k:b": "x"}), "implicit_deny"),
            (json!({"k:a": "x", "k:b": "2"}), "implicit_deny"),
            (json!({"k:a": "1"}), "implicit_deny"),
        ] {
            expect(&decrypt(USER, &json!({"key_policy": policy, "context": context})), expected);
        }
    }
}

#[test]
fn values_or() {
    conditions(&[
        ("StringEquals", json!(["a", "b"]), json!("a"), Holds),
        ("StringEquals", json!(["a", "b"]), json!("b"), Holds),
        ("StringEquals", json!(["a", "b"]), json!("c"), Fails),
    ]);
}

#[test]
fn negated_operators_none_of_the_values_may_match() {
    conditions(&[
        ("StringNotEquals", json!(["a", "b"]), json!("c"), Holds),
        ("StringNotEquals", json!(["a", "b"]), json!("a"), Fails),
        ("StringNotLike", json!(["a*", "b*"]), json!("bx"), Fails),
        ("NumericNotEquals", json!(["1", "2"]), json!("2.0"), Fails),
    ]);
}

#[test]
fn missing_key_positive_operators_are_false() {
    for operator in [
        "StringEquals",
        "StringLike",
        "NumericLessThan",
        "DateGreaterThan",
        "Bool",
        "BinaryEquals",
        "IpAddress",
        "ArnLike",
    ] {
        let value = if operator == "ArnLike" { "arn:aws:s3:::b" } else { "1" };
        conditions(&[(operator, json!([value]), json!(null), Fails)]);
    }
}

#[test]
fn missing_key_negated_operators_are_true() {
    conditions(&[
        ("StringNotEquals", json!("a"), json!(null), Holds),
        ("StringNotLike", json!("*"), json!(null), Holds),
        ("NumericNotEquals", json!("1"), json!(null), Holds),
        ("DateNotEquals", json!("2024-05-06"), json!(null), Holds),
        ("NotIpAddress", json!("0.0.0.0/0"), json!(null), Holds),
        ("ArnNotLike", json!("arn:aws:s3:::*"), json!(null), Holds),
    ]);
}

#[test]
fn missing_key_if_exists_is_true() {
    conditions(&[
        ("StringEqualsIfExists", json!("a"), json!(null), Holds),
        ("StringEqualsIfExists", json!("a"), json!("b"), Fails),
        ("NumericLessThanIfExists", json!("1"), json!(null), Holds),
        ("IpAddressIfExists", json!("10.0.0.0/8"), json!(null), Holds),
        ("StringNotEqualsIfExists", json!("a"), json!(null), Holds),
        ("ForAnyValue:StringEqualsIfExists", json!("a"), json!(null), Holds),
    ]);
}

#[test]
fn null_true_means_absent() {
    conditions(&[
        ("Null", json!("true"), json!(null), Holds),
        ("Null", json!("true"), json!("x"), Fails),
        ("Null", json!("false"), json!(null), Fails),
        ("Null", json!("false"), json!("x"), Holds),
    ]);
}

#[test]
fn if_exists_is_not_valid_on_null() {
    assert!(!stored(DocumentKind::IdentityPolicy, &json!({"NullIfExists": {"k:key": "true"}})));
}

#[test]
fn key_names_are_case_insensitive_tag_and_encryption_context_keys_included() {
    for (named, given) in [
        ("AWS:SOURCEVPCE", "aws:SourceVpce"),
        ("aws:PrincipalTag/team", "aws:PrincipalTag/Team"),
        ("aws:RequestTag/COST", "aws:requesttag/cost"),
        ("kms:EncryptionContext:DEPT", "kms:EncryptionContext:dept"),
    ] {
        let when = json!({"Principal": "*", "Condition": {"StringEquals": {named: "a"}}});
        let policy = document(&statement("Allow", &when));
        expect(&decrypt(USER, &json!({"key_policy": policy, "context": {given: "a"}})), "allow");
    }
}

#[test]
fn for_all_values_is_true_on_missing_or_empty() {
    for operator in ["ForAllValues:StringEquals", "ForAllValues:StringNotEquals", "ForAllValues:NumericLessThan"] {
        conditions(&[(operator, json!("1"), json!(null), Holds), (operator, json!("1"), json!([]), Holds)]);
    }
}

#[test]
fn for_any_value_is_false_on_missing_or_empty() {
    for operator in ["ForAnyValue:StringEquals", "ForAnyValue:StringNotEquals", "ForAnyValue:NumericLessThan"] {
        conditions(&[(operator, json!("1"), json!(null), Fails), (operator, json!("1"), json!([]), Fails)]);
    }
}

#[test]
fn the_base_operator_is_applied_to_each_request_value() {
    conditions(&[
        ("ForAllValues:StringEquals", json!(["a", "b"]), json!(["a", "b", "a"]), Holds),
        ("ForAllValues:StringEquals", json!(["a", "b"]), json!(["a", "c"]), Fails),
        ("ForAllValues:StringLike", json!(["a*", "b"]), json!(["ax", "b"]), Holds),
        ("ForAllValues:StringNotEquals", json!(["a"]), json!(["b", "a"]), Fails),
        ("ForAnyValue:StringEquals", json!(["a"]), json!(["c", "a"]), Holds),
        ("ForAnyValue:StringEquals", json!(["a"]), json!(["c"]), Fails),
        ("ForAnyValue:StringLike", json!(["a?"]), json!(["c", "ab"]), Holds),
        ("ForAnyValue:NumericGreaterThan", json!(["5"]), json!(["1", "9"]), Holds),
    ]);
}

#[test]
fn for_any_value_string_not_equals_means_some_value_is_outside_the_list() {
    conditions(&[
        ("ForAnyValue:StringNotEquals", json!(["a", "b"]), json!(["a", "c"]), Holds),
        ("ForAnyValue:StringNotEquals", json!(["a", "b"]), json!(["a", "b"]), Fails),
    ]);
}

#[test]
fn a_multivalued_key_without_a_set_operator_does_not_match_once_present_even_negated() {
    conditions(&[
        ("StringEquals", json!("a"), json!(["a"]), Fails),
        ("StringNotEquals", json!("a"), json!(["b"]), Fails),
        ("StringNotEqualsIfExists", json!("a"), json!(["b"]), Fails),
        ("StringNotEquals", json!("a"), json!(null), Holds),
        ("StringNotEquals", json!("a"), json!([]), Holds),
    ]);
}

#[test]
fn put_key_policy_refuses_for_all_values_on_encryption_context_and_request_tags() {
    for key in ["kms:EncryptionContext:Dept", "aws:RequestTag/Cost"] {
        let condition = json!({"ForAllValues:StringEquals": {key: "a"}});
        assert!(!stored(DocumentKind::KeyPolicy, &condition), "{key}");
        assert!(stored(DocumentKind::IdentityPolicy, &condition), "{key}");
    }
}

#[test]
fn arn_equals_and_arn_like_are_the_same() {
    for (positive, negated) in [("ArnEquals", "ArnNotEquals"), ("ArnLike", "ArnNotLike")] {
        for (pattern, matches) in [
            (ALICE, true),
            ("arn:aws:iam::*:user/*", true),
            ("arn:aws:iam::1111????3333:user/alic?", true),
            ("arn:*:*:*:*:*", true),
            ("arn:aws:iam::111122223333:user/Alice", false),
            ("arn:AWS:iam::111122223333:user/alice", false),
        ] {
            let (one, other) = if matches { (Holds, Fails) } else { (Fails, Holds) };
            conditions(&[
                (positive, json!(pattern), json!(ALICE), one),
                (negated, json!(pattern), json!(ALICE), other),
            ]);
        }
    }
}

#[test]
fn an_arns_six_components_are_each_on_its_own() {
    conditions(&[
        ("ArnLike", json!("arn:aws:*:user/alice:x:y"), json!(ALICE), Fails),
        ("ArnLike", json!("arn:aws:iam:*:*:user/alice"), json!(ALICE), Holds),
        ("ArnLike", json!("arn:aws:sqs:*:111122223333:*"), json!("arn:aws:sqs:us-east-1:111122223333:a:b"), Holds),
        ("ArnLike", json!("arn:aws:iam::*111122223333:*:user/alice"), json!(ALICE), Fails),
    ]);
}

#[test]
fn dates_are_iso_8601_or_epoch_seconds() {
    conditions(&[
        ("DateEquals", json!("2024-05-06T00:00:00Z"), json!("1714953600"), Holds),
        ("DateEquals", json!("1714953600"), json!("2024-05-06T02:00:00+02:00"), Holds),
        ("DateLessThan", json!("2024-05-06T00:00:01Z"), json!("1714953600"), Holds),
        ("DateGreaterThanEquals", json!("1714953600"), json!("2024-05-06"), Holds),
    ]);
}

#[test]
fn an_ip_without_a_prefix_is_one_address() {
    conditions(&[
        ("IpAddress", json!("203.0.113.7"), json!("203.0.113.7"), Holds),
        ("IpAddress", json!("203.0.113.7"), json!("203.0.113.8"), Fails),
        ("IpAddress", json!("2001:db8::1"), json!("2001:db8:0::1"), Holds),
        ("IpAddress", json!("2001:db8::1"), json!("2001:db8::2"), Fails),
    ]);
}

#[test]
fn variables_work_in_string_and_arn_operators_with_single_valued_keys() {
    let more = json!({"k:user": "alice", "k:arn": ALICE, "k:many": ["alice"]});
    for (operator, value, request, expected) in [
        ("StringEquals", "${k:user}", "alice", Holds),
        ("StringLike", "${k:user}-*", "alice-1", Holds),
        ("StringEqualsIgnoreCase", "X${K:USER}", "xALICE", Holds),
        ("ArnLike", "arn:aws:iam::*:user/${k:user}", ALICE, Holds),
        ("ArnEquals", "${k:arn}", ALICE, Holds),
        ("StringEquals", "${k:many}", "alice", Fails),
    ] {
        condition_with(&more, operator, &json!(value), &json!(request), expected);
    }
    // Elsewhere `${…}` is text, and so no number.
    condition_with(&json!({"k:n": "1"}), "NumericEquals", &json!("${k:n}"), &json!("1"), Fails);
}

#[test]
fn a_variable_may_have_a_default() {
    for (more, value, request, expected) in [
        (json!({}), "${k:gone, 'bob'}", "bob", Holds),
        (json!({}), "${k:gone,'bob'}-x", "bob-x", Holds),
        (json!({"k:gone": "eve"}), "${k:gone, 'bob'}", "eve", Holds),
        (json!({"k:gone": ""}), "${k:gone, 'bob'}", "bob", Fails),
    ] {
        condition_with(&more, "StringEquals", &json!(value), &json!(request), expected);
    }
}

#[test]
fn dollar_brace_star_question_and_dollar_are_the_literal_characters() {
    conditions(&[
        ("StringLike", json!("${*}"), json!("*"), Holds),
        ("StringLike", json!("${*}"), json!("x"), Fails),
        ("StringLike", json!("a${?}"), json!("a?"), Holds),
        ("StringLike", json!("a${?}"), json!("ab"), Fails),
        ("StringLike", json!("${$}{x}"), json!("${x}"), Holds),
    ]);
}

#[test]
fn unresolved_positive_operators_do_not_match_and_negated_ones_do() {
    conditions(&[
        ("StringEquals", json!("${k:gone}"), json!("x"), Fails),
        ("StringLike", json!("*${k:gone}*"), json!("x"), Fails),
        ("StringNotEquals", json!("${k:gone}"), json!("x"), Holds),
        ("StringNotLike", json!("*${k:gone}*"), json!("x"), Holds),
        ("ArnLike", json!("arn:aws:iam::*:user/${k:gone}"), json!(ALICE), Fails),
        ("ArnNotLike", json!("arn:aws:iam::*:user/${k:gone}"), json!(ALICE), Holds),
    ]);
}

#[test]
fn a_substituted_value_is_literal_its_wildcards_are_none() {
    let more = json!({"k:user": "a*b?"});
    for (value, request, expected) in [
        ("${k:user}", "a*b?", Holds),
        ("${k:user}", "axbx", Fails),
        ("${k:user}*", "a*b?-more", Holds),
        ("${k:user}*", "axbx-more", Fails),
    ] {
        condition_with(&more, "StringLike", &json!(value), &json!(request), expected);
    }
}

#[test]
fn every_operator_compares() {
    conditions(&[
        ("StringEquals", json!("a"), json!("a"), Holds),
        ("StringNotEquals", json!("a"), json!("b"), Holds),
        ("StringEqualsIgnoreCase", json!("a"), json!("A"), Holds),
        ("StringNotEqualsIgnoreCase", json!("a"), json!("A"), Fails),
        ("StringLike", json!("a*"), json!("ab"), Holds),
        ("StringNotLike", json!("a*"), json!("ab"), Fails),
        ("NumericEquals", json!("2"), json!("2"), Holds),
        ("NumericNotEquals", json!("2"), json!("3"), Holds),
        ("NumericLessThan", json!("2"), json!("1"), Holds),
        ("NumericLessThan", json!("2"), json!("2"), Fails),
        ("NumericLessThanEquals", json!("2"), json!("2"), Holds),
        ("NumericGreaterThan", json!("2"), json!("3"), Holds),
        ("NumericGreaterThan", json!("2"), json!("2"), Fails),
        ("NumericGreaterThanEquals", json!("2"), json!("2"), Holds),
        ("DateEquals", json!("2024-05-06"), json!("2024-05-06"), Holds),
        ("DateNotEquals", json!("2024-05-06"), json!("2024-05-07"), Holds),
        ("DateLessThan", json!("2024-05-06"), json!("2024-05-05"), Holds),
        ("DateLessThanEquals", json!("2024-05-06"), json!("2024-05-06"), Holds),
        ("DateGreaterThan", json!("2024-05-06"), json!("2024-05-07"), Holds),
        ("DateGreaterThanEquals", json!("2024-05-06"), json!("2024-05-06"), Holds),
        ("Bool", json!("true"), json!("true"), Holds),
        ("BinaryEquals", json!("QUI="), json!("QUI="), Holds),
        ("IpAddress", json!("10.0.0.0/8"), json!("10.1.2.3"), Holds),
        ("NotIpAddress", json!("10.0.0.0/8"), json!("11.1.2.3"), Holds),
        ("ArnEquals", json!(ALICE), json!(ALICE), Holds),
        ("ArnLike", json!("arn:aws:iam::*:*"), json!(ALICE), Holds),
        ("ArnNotEquals", json!(ALICE), json!("arn:aws:s3:::b"), Holds),
        ("ArnNotLike", json!("arn:aws:iam::*:*"), json!("arn:aws:s3:::b"), Holds),
        ("ArnLike", json!("no arn"), json!(ALICE), Error),
        ("Null", json!("true"), json!(null), Holds),
    ]);
}

#[test]
fn an_unknown_operator_is_refused_at_import_never_read_as_true() {
    for operator in
        ["StringMatches", "stringequals", "StringEqual", "ForSomeValues:StringEquals", "StringEqualsIfExist", ""]
    {
        for kind in [DocumentKind::KeyPolicy, DocumentKind::IdentityPolicy, DocumentKind::ServiceControlPolicy] {
            assert!(!stored(kind, &json!({operator: {"k:key": "a"}})), "{operator}");
        }
    }
}

#[test]
fn an_operator_without_values_matches_nothing() {
    conditions(&[("StringEquals", json!([]), json!("a"), Fails), ("StringNotEquals", json!([]), json!("a"), Holds)]);
}
