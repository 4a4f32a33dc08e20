//! Where existing simulators go wrong.

use serde_json::json;

use super::Applies::{Fails, Holds};
use super::{
    ACCOUNT, EVE, KEY, SESSION, USER, allow_to, allowing, allows, asked, conditions, decrypt, document, expect, silent,
    statement,
};

#[test]
fn the_whole_of_ipv4_is_no_single_address() {
    conditions(&[
        ("IpAddress", json!("0.0.0.0/0"), json!("203.0.113.7"), Holds),
        ("NotIpAddress", json!("0.0.0.0/0"), json!("203.0.113.7"), Fails),
    ]);
}

#[test]
fn the_version_is_consulted() {
    for (version, expected) in [("2012-10-17", "allow"), ("2008-10-17", "implicit_deny")] {
        let when = json!({"Principal": "*", "Condition": {"StringEquals": {"k:key": "${aws:username}"}}});
        let policy = json!({"Version": version, "Statement": statement("Allow", &when)});
        expect(&decrypt(USER, &json!({"key_policy": policy, "context": {"k:key": "alice"}})), expected);
    }
}

#[test]
fn unresolved_variables_make_negated_operators_match() {
    conditions(&[
        ("StringNotEquals", json!("${k:gone}"), json!("x"), Holds),
        ("StringNotLike", json!("${k:gone}*"), json!("x"), Holds),
    ]);
}

#[test]
fn a_session_policy_does_not_limit_a_grant_to_the_sessions_arn() {
    expect(
        &decrypt(SESSION, &json!({"key_policy": allowing(SESSION), "session_policies": [silent()]})),
        "allow key_policy",
    );
}

#[test]
fn not_principal_with_the_account_does_not_exempt_everyone_in_it() {
    let policy = document(&json!([allow_to("*"), statement("Deny", &json!({"NotPrincipal": {"AWS": ACCOUNT}}))]));
    expect(&decrypt(USER, &json!({"key_policy": policy})), "explicit_deny key_policy");
}

#[test]
fn epoch_seconds_are_not_milliseconds() {
    conditions(&[
        ("DateEquals", json!("1714953600"), json!("2024-05-06T00:00:00Z"), Holds),
        ("DateLessThan", json!("2024-05-06T00:00:01Z"), json!("1714953600"), Holds),
        ("DateGreaterThan", json!("2024-05-05"), json!("1714953600"), Holds),
    ]);
}

#[test]
fn numbers_are_not_parsed_by_prefix() {
    conditions(&[
        ("NumericEquals", json!("10"), json!("10abc"), Fails),
        ("NumericNotEquals", json!("10"), json!("10abc"), Holds),
    ]);
}

#[test]
fn an_empty_tag_is_a_resolved_variable() {
    for (tag, expected) in [(json!({"aws:PrincipalTag/team": ""}), "allow"), (json!({}), "implicit_deny")] {
        let mut context = tag;
        context["k:key"] = json!("x");
        let when = json!({"Principal": "*", "Condition": {"StringLike": {"k:key": "${aws:PrincipalTag/team}x"}}});
        expect(
            &decrypt(USER, &json!({"key_policy": document(&statement("Allow", &when)), "context": context})),
            expected,
        );
    }
}

#[test]
fn ipv6_addresses_are_not_compared_as_text() {
    conditions(&[
        ("IpAddress", json!("2001:db8::/32"), json!("2001:0DB8:0:0::7"), Holds),
        ("IpAddress", json!("2001:db8::1"), json!("2001:db8:0:0:0:0:0:1"), Holds),
        ("NotIpAddress", json!("2001:db8::/32"), json!("2001:0DB8::7"), Fails),
    ]);
}

#[test]
fn grants_are_not_ignored() {
    let grants = json!([{"GranteePrincipal": USER, "Operations": ["Decrypt"]}]);
    expect(&decrypt(USER, &json!({"key_policy": allowing(EVE), "grants": grants})), "allow grant");
}

#[test]
fn the_cross_account_no_operations_are_not_ignored() {
    let members = json!({"key_policy": allowing(EVE), "identity_policies": [allows()]});
    expect(&asked(EVE, "kms:PutKeyPolicy", KEY, &members), "implicit_deny key_policy");
    expect(&asked(EVE, "kms:Encrypt", KEY, &members), "allow key_policy");
}

#[test]
fn unsupported_operators_are_not_read_as_true() {
    let policy =
        document(&statement("Allow", &json!({"Principal": "*", "Condition": {"StringMatches": {"k:key": "x"}}})));
    assert!(keystile::iam::Document::parse(&policy.to_string(), keystile::iam::DocumentKind::KeyPolicy).is_err());
}

#[test]
fn context_keys_that_no_catalogue_lists_for_the_action_are_not_dropped() {
    let when =
        json!({"Principal": "*", "Condition": {"StringEquals": {"kms:EncryptionContext:Tenant": "a", "my:key": "b"}}});
    let policy = document(&statement("Allow", &when));
    let context = json!({"kms:EncryptionContext:Tenant": "a", "my:key": "b"});
    expect(&decrypt(USER, &json!({"key_policy": policy, "context": context})), "allow key_policy");
}
