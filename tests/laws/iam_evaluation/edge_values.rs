//! Edge values, as AWS itself decides them (from published captures of live calls).

use keystile::iam::{Document, DocumentKind};
use serde_json::{Value, json};

use super::Applies::{Error, Fails, Holds};
use super::{USER, allow_to, allowing, condition_with, conditions, decrypt, document, expect, statement};

const ALICE: &str = "arn:aws:iam::111122223333:user/alice";

fn is_stored_in_an_identity_policy(operator: &str, value: &str) -> bool {
    let policy = document(&statement("Allow", &json!({"Condition": {operator: {"k:key": value}}})));
    Document::parse(&policy.to_string(), DocumentKind::IdentityPolicy).is_ok()
}

#[test]
fn numbers_01_plus_1_1_point_1_0_and_1e0_all_equal_1() {
    for spelling in ["01", "+1", "1.", "1.0", "1e0", "10e-1", "0.1e1"] {
        conditions(&[
            ("NumericEquals", json!("1"), json!(spelling), Holds),
            ("NumericEquals", json!(spelling), json!("1"), Holds),
        ]);
    }
}

#[test]
fn numbers_compare_exactly_beyond_2_to_the_53() {
    conditions(&[
        ("NumericEquals", json!("9007199254740993"), json!("9007199254740992"), Fails),
        ("NumericLessThan", json!("9007199254740993"), json!("9007199254740992"), Holds),
        ("NumericEquals", json!("0.1000000000000000000000001"), json!("0.1"), Fails),
        ("NumericGreaterThan", json!("99999999999999999999999998"), json!("99999999999999999999999999"), Holds),
    ]);
}

#[test]
fn numbers_that_do_not_parse_on_either_side_positive_false_negated_true() {
    for bad in ["", "ten", "10abc", "NaN", "Infinity", "-Infinity", " 1", "1e", "0x1", "1_000", "."] {
        for (operator, expected) in [
            ("NumericEquals", Fails),
            ("NumericLessThan", Fails),
            ("NumericGreaterThanEquals", Fails),
            ("NumericNotEquals", Holds),
        ] {
            conditions(&[(operator, json!(bad), json!("1"), expected), (operator, json!("1"), json!(bad), expected)]);
            conditions(&[(operator, json!(bad), json!(bad), expected)]);
        }
    }
}

#[test]
fn dates_may_be_a_day_without_zone_or_epoch_with_a_plus() {
    for spelling in ["2024-05-06", "2024-05-06T00:00:00", "1714953600", "+1714953600", "2024-05-06T00:00:00+00:00"] {
        conditions(&[
            ("DateEquals", json!("2024-05-06T00:00:00Z"), json!(spelling), Holds),
            ("DateEquals", json!(spelling), json!("2024-05-06T00:00:00Z"), Holds),
        ]);
    }
}

#[test]
fn dates_are_truncated_to_milliseconds_on_both_sides() {
    conditions(&[
        ("DateEquals", json!("2024-05-06T00:00:00.0009Z"), json!("2024-05-06T00:00:00Z"), Holds),
        ("DateEquals", json!("2024-05-06T00:00:00Z"), json!("2024-05-06T00:00:00.0009Z"), Holds),
        ("DateEquals", json!("2024-05-06T00:00:00.001Z"), json!("2024-05-06T00:00:00Z"), Fails),
        ("DateLessThan", json!("2024-05-06T00:00:00.0019Z"), json!("2024-05-06T00:00:00.001Z"), Fails),
    ]);
}

#[test]
fn a_bad_date_on_either_side_equals_false_not_equals_true_even_of_the_same_text() {
    for bad in ["", "soon", "2024-02-30", "2024-05-06T24:00:00Z", "2024-05-06 00:00:00", "1.5"] {
        conditions(&[
            ("DateEquals", json!(bad), json!("2024-05-06"), Fails),
            ("DateEquals", json!("2024-05-06"), json!(bad), Fails),
            ("DateEquals", json!(bad), json!(bad), Fails),
            ("DateNotEquals", json!(bad), json!(bad), Holds),
            ("DateNotEquals", json!("2024-05-06"), json!(bad), Holds),
            ("DateLessThan", json!("2024-05-06"), json!(bad), Fails),
        ]);
    }
}

#[test]
fn bool_only_true_in_any_case_is_true_untrimmed_everything_else_is_false_on_both_sides() {
    for truth in ["true", "True", "TRUE", "tRuE"] {
        conditions(&[("Bool", json!(truth), json!("true"), Holds), ("Bool", json!("true"), json!(truth), Holds)]);
    }
    for falsehood in ["false", "FALSE", "", " true", "true ", "yes", "1"] {
        conditions(&[
            ("Bool", json!("true"), json!(falsehood), Fails),
            ("Bool", json!("false"), json!(falsehood), Holds),
            ("Bool", json!(falsehood), json!("false"), Holds),
            ("Bool", json!(falsehood), json!("true"), Fails),
        ]);
    }
}

#[test]
fn null_takes_its_value_as_bool_does() {
    for truth in ["true", "TRUE"] {
        conditions(&[("Null", json!(truth), json!(null), Holds), ("Null", json!(truth), json!("x"), Fails)]);
    }
    for falsehood in ["false", "", " true", "perhaps"] {
        conditions(&[("Null", json!(falsehood), json!("x"), Holds), ("Null", json!(falsehood), json!(null), Fails)]);
    }
}

#[test]
fn an_empty_string_counts_as_present() {
    conditions(&[
        ("Null", json!("true"), json!(""), Fails),
        ("Null", json!("false"), json!(""), Holds),
        ("StringEqualsIfExists", json!("a"), json!(""), Fails),
    ]);
}

#[test]
fn binary_is_compared_as_text_padding_and_all() {
    conditions(&[
        ("BinaryEquals", json!("QUI="), json!("QUI="), Holds),
        ("BinaryEquals", json!("QUI="), json!("QUI"), Fails),
        // The same bytes in another spelling.
        ("BinaryEquals", json!("QUI="), json!("QUJ="), Fails),
        ("BinaryEquals", json!("QUI="), json!("qui="), Fails),
    ]);
}

#[test]
fn a_bad_binary_literal_is_refused_when_stored() {
    assert!(is_stored_in_an_identity_policy("BinaryEquals", "QUI="));
    for bad in ["QUI", "QU I=", "!", "QUI=="] {
        assert!(!is_stored_in_an_identity_policy("BinaryEquals", bad), "{bad}");
    }
}

#[test]
fn a_request_value_that_is_no_arn_fails_arn_like_and_arn_not_like_alike() {
    for value in ["alice", "", "arn:aws:iam", "*", "arn:aws:s3:::"] {
        conditions(&[
            ("ArnLike", json!("arn:aws:iam::*:*"), json!(value), Fails),
            ("ArnNotLike", json!("arn:aws:iam::*:*"), json!(value), Fails),
            ("ArnNotEquals", json!("no arn"), json!(value), Fails),
        ]);
    }
}

#[test]
fn a_policy_value_that_is_no_arn_met_by_a_valid_arn_is_an_error_of_that_statement() {
    conditions(&[
        ("ArnLike", json!("no arn"), json!(ALICE), Error),
        ("ArnNotLike", json!("no arn"), json!(ALICE), Error),
        ("ArnEquals", json!("*"), json!(ALICE), Error),
        ("ArnNotEqualsIfExists", json!("arn:aws:iam"), json!(ALICE), Error),
        ("ArnLike", json!("no arn"), json!(null), Fails),
        ("ArnNotLike", json!("no arn"), json!(null), Holds),
    ]);
    let through_a_variable = json!({"k:other": "no arn"});
    condition_with(&through_a_variable, "ArnLike", &json!("${k:other}"), &json!(ALICE), Error);
    condition_with(&through_a_variable, "ArnNotLike", &json!("${k:other}"), &json!(ALICE), Error);
}

#[test]
fn arn_values_are_tried_in_order_and_an_earlier_match_spares_the_error() {
    conditions(&[
        ("ArnLike", json!([ALICE, "no arn"]), json!(ALICE), Holds),
        ("ArnLike", json!(["no arn", ALICE]), json!(ALICE), Error),
        ("ArnNotLike", json!([ALICE, "no arn"]), json!(ALICE), Fails),
        ("ArnLike", json!(["arn:aws:s3:::b", "no arn"]), json!(ALICE), Error),
    ]);
}

#[test]
fn other_statements_are_not_touched_by_an_error() {
    let faulty = statement("Allow", &json!({"Principal": "*", "Condition": {"ArnLike": {"k:key": "no arn"}}}));
    for statements in [json!([faulty, allow_to("*")]), json!([allow_to("*"), faulty])] {
        let case = decrypt(USER, &json!({"key_policy": document(&statements), "context": {"k:key": ALICE}}));
        expect(&case, "allow key_policy");
    }
}

#[test]
fn a_request_value_that_is_no_address_fails_not_ip_address_too() {
    for value in ["203.0.113.0/24", "3405803783", "64:ff9b::203.0.113.7", "", "example.com", "203.0.113"] {
        conditions(&[
            ("IpAddress", json!("0.0.0.0/0"), json!(value), Fails),
            ("NotIpAddress", json!("10.0.0.0/8"), json!(value), Fails),
        ]);
    }
}

#[test]
fn a_bad_ip_in_a_policy_is_skipped() {
    conditions(&[
        ("IpAddress", json!(["x", "203.0.113.0/24"]), json!("203.0.113.7"), Holds),
        ("IpAddress", json!("203.0.113.0/33"), json!("203.0.113.7"), Fails),
        ("NotIpAddress", json!("203.0.113.0/33"), json!("203.0.113.7"), Holds),
        ("NotIpAddress", json!(["x", "203.0.113.0/24"]), json!("203.0.113.7"), Fails),
    ]);
}

#[test]
fn ipv4_host_bits_are_masked_and_ipv6_host_bits_make_the_literal_invalid() {
    conditions(&[
        ("IpAddress", json!("203.0.113.99/24"), json!("203.0.113.7"), Holds),
        ("IpAddress", json!("2001:db8::/32"), json!("2001:db8::7"), Holds),
        ("IpAddress", json!("2001:db8::1/32"), json!("2001:db8::7"), Fails),
        ("NotIpAddress", json!("2001:db8::1/32"), json!("2001:db8::7"), Holds),
    ]);
}

#[test]
fn a_requests_mapped_address_becomes_ipv4_and_policy_literals_are_not_converted() {
    for mapped in ["::ffff:203.0.113.7", "::ffff:cb00:7107"] {
        conditions(&[
            ("IpAddress", json!("203.0.113.0/24"), json!(mapped), Holds),
            ("NotIpAddress", json!("203.0.113.0/24"), json!(mapped), Fails),
            ("IpAddress", json!(mapped), json!("203.0.113.7"), Fails),
        ]);
    }
}

#[test]
fn leading_zeros_are_decimal() {
    conditions(&[
        ("IpAddress", json!("203.0.113.010"), json!("203.0.113.10"), Holds),
        ("IpAddress", json!("203.0.113.10"), json!("203.000.113.010"), Holds),
    ]);
}

#[test]
fn ignore_case_compares_full_lower_casing_with_contextual_final_sigma_not_case_folding() {
    conditions(&[
        ("StringEqualsIgnoreCase", json!("ΟΔΟΣ"), json!("οδος"), Holds),
        ("StringEqualsIgnoreCase", json!("ΟΔΟΣ"), json!("οδοσ"), Fails),
        ("StringEqualsIgnoreCase", json!("ß"), json!("SS"), Fails),
        ("StringEqualsIgnoreCase", json!("İ"), json!("i\u{307}"), Holds),
        ("StringNotEqualsIgnoreCase", json!("ß"), json!("ss"), Holds),
    ]);
}

#[test]
fn ignore_case_does_not_map_characters_above_u_ffff() {
    conditions(&[
        ("StringEqualsIgnoreCase", json!("\u{10400}"), json!("\u{10428}"), Fails),
        ("StringEqualsIgnoreCase", json!("\u{10400}A"), json!("\u{10400}a"), Holds),
    ]);
}

#[test]
fn a_question_mark_is_one_utf_16_unit() {
    conditions(&[
        ("StringLike", json!("?"), json!("é"), Holds),
        ("StringLike", json!("?"), json!("😀"), Fails),
        ("StringLike", json!("??"), json!("😀"), Holds),
    ]);
}

#[test]
fn brackets_and_backslashes_are_literal() {
    conditions(&[
        ("StringLike", json!("[ab]"), json!("a"), Fails),
        ("StringLike", json!("[ab]*"), json!("[ab]c"), Holds),
        ("StringLike", json!("a\\*"), json!("a\\x"), Holds),
        ("StringLike", json!("a\\*"), json!("a*"), Fails),
    ]);
}

#[test]
fn in_a_set_an_empty_string_is_a_value_not_empty() {
    conditions(&[
        ("ForAllValues:StringEquals", json!("a"), json!([""]), Fails),
        ("ForAnyValue:StringEquals", json!(""), json!([""]), Holds),
        ("Null", json!("false"), json!([""]), Holds),
    ]);
}

#[test]
fn the_default_of_a_present_multivalued_key_is_never_used() {
    let many = json!({"k:many": ["x"]});
    condition_with(&many, "StringEquals", &json!("${k:many,'default'}"), &json!("default"), Fails);
    condition_with(&many, "StringEquals", &json!("${k:many,'default'}"), &json!("x"), Fails);
    condition_with(&many, "StringNotEquals", &json!("${k:many,'default'}"), &json!("default"), Holds);
    condition_with(&json!({}), "StringEquals", &json!("${k:many,'default'}"), &json!("default"), Holds);
}

#[test]
fn a_deny_with_a_multivalued_key_and_no_set_operator_is_dead() {
    let deny = statement("Deny", &json!({"Principal": "*", "Condition": {"StringEquals": {"aws:TagKeys": "secret"}}}));
    let policy = document(&json!([allow_to("*"), deny]));
    expect(&decrypt(USER, &json!({"key_policy": policy, "context": {"aws:TagKeys": ["secret"]}})), "allow key_policy");
}

#[test]
fn identity_policies_with_bad_literals_are_refused_when_stored() {
    for (operator, bad) in [
        ("NumericEquals", "10abc"),
        ("NumericEquals", ""),
        ("DateLessThan", "soon"),
        ("ArnLike", "arn:aws:iam"),
        ("ArnEquals", "*"),
        ("IpAddress", "2001:db8::1/32"),
        ("NotIpAddress", "203.0.113.0/33"),
        ("BinaryEquals", "QUI"),
    ] {
        assert!(!is_stored_in_an_identity_policy(operator, bad), "{operator} {bad}");
    }
}

#[test]
fn odd_bool_and_null_text_is_accepted() {
    for odd in ["perhaps", "", "TRUE", "1"] {
        assert!(is_stored_in_an_identity_policy("Bool", odd) && is_stored_in_an_identity_policy("Null", odd), "{odd}");
    }
}

/// What a session's policies are is asked for at each request: there is nothing of them in the
/// session. A changed version of a managed policy, or a boundary attached since, is another set of
/// policies beside the same session.
#[test]
fn managed_policies_are_resolved_live_and_a_later_boundary_applies() {
    let session = |identity: &Value, boundary: &Value, session_policy: &Value| {
        decrypt(
            super::SESSION,
            &json!({"key_policy": allowing(super::ACCOUNT), "identity_policies": [identity],
                "permissions_boundary": boundary, "session_policies": [session_policy]}),
        )
    };
    let (allows, silent) = (super::allows(), super::silent());
    expect(&session(&allows, &json!(null), &allows), "allow");
    expect(&session(&allows, &json!(null), &silent), "implicit_deny session_policy");
    expect(&session(&allows, &silent, &allows), "implicit_deny permissions_boundary");
}
