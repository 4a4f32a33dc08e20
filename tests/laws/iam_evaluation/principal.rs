//! Principal and NotPrincipal.

use keystile::iam::{Document, DocumentKind};
use serde_json::{Value, json};

use super::{
    ACCOUNT, EVE, KEY, ROLE, SESSION, USER, allow_to, allowing, allows, asked, decrypt, denies, document, expect,
    silent, statement,
};
use crate::generate::names::{FEDERATED, ROOT};

/// Whether the key policy names that caller directly, so that it needs nothing besides.
fn names(principal: Value, caller: &str) -> bool {
    let policy = document(&statement("Allow", &json!({"Principal": principal})));
    let case = decrypt(caller, &json!({"key_policy": policy}));
    let found = super::short(&super::decided(&case));
    assert!(["allow key_policy", "implicit_deny key_policy"].contains(&found.as_str()), "{found}: {case}");
    found == "allow key_policy"
}

fn refused(principal: Value, effect: &str, member: &str) -> bool {
    let policy = document(&statement(effect, &json!({member: principal})));
    Document::parse(&policy.to_string(), DocumentKind::KeyPolicy).is_err()
}

#[test]
fn everyone_is_star_or_aws_star_and_in_the_same_account_a_direct_grant() {
    for everyone in [json!("*"), json!({"AWS": "*"}), json!({"AWS": ["*"]})] {
        for caller in [USER, SESSION, FEDERATED, ROOT] {
            assert!(names(everyone.clone(), caller), "{caller}");
        }
    }
}

#[test]
fn for_everyone_across_accounts_the_callers_side_must_still_allow() {
    expect(&decrypt(EVE, &json!({"key_policy": allowing("*")})), "implicit_deny identity_policy");
    expect(&decrypt(EVE, &json!({"key_policy": allowing("*"), "identity_policies": [allows()]})), "allow key_policy");
}

#[test]
fn an_account_is_a_delegation_to_its_policies_not_the_root_user_alone() {
    for account in [ACCOUNT, ROOT] {
        let of = |caller: &str, identity: Value| {
            decrypt(caller, &json!({"key_policy": allowing(account), "identity_policies": identity}))
        };
        expect(&of(USER, json!([allows()])), "allow");
        expect(&of(USER, json!([])), "implicit_deny identity_policy");
        expect(&of(USER, json!([silent()])), "implicit_deny identity_policy");
        expect(&of(ROOT, json!([])), "allow");
        expect(&of(EVE, json!([allows()])), "implicit_deny key_policy");
    }
}

#[test]
fn a_user_arn_is_exact_and_names_are_case_sensitive() {
    assert!(names(json!({"AWS": USER}), USER));
    for other in [
        "arn:aws:iam::111122223333:user/team/Alice",
        "arn:aws:iam::111122223333:user/alice",
        "arn:aws:iam::444455556666:user/team/alice",
        "arn:aws-cn:iam::111122223333:user/team/alice",
    ] {
        assert!(!names(json!({"AWS": other}), USER), "{other}");
    }
}

#[test]
fn a_role_arn_is_any_session_of_that_role() {
    assert!(names(json!({"AWS": ROLE}), SESSION));
    let another = asked(
        "arn:aws:sts::111122223333:assumed-role/Rotator/other",
        "kms:Decrypt",
        KEY,
        &json!({"role_arn": ROLE, "key_policy": allowing(ROLE)}),
    );
    expect(&another, "allow key_policy");
    assert!(!names(json!({"AWS": "arn:aws:iam::111122223333:role/ops/Reader"}), SESSION));
}

#[test]
fn a_session_arn_drops_the_roles_path_so_the_role_is_not_told_by_text() {
    // The session's ARN names `Rotator`; its role is `ops/Rotator`.
    assert!(!names(json!({"AWS": "arn:aws:iam::111122223333:role/Rotator"}), SESSION));
    assert!(names(json!({"AWS": "arn:aws:iam::111122223333:role/ops/Rotator"}), SESSION));
}

#[test]
fn a_session_arn_is_that_session_only() {
    assert!(names(json!({"AWS": SESSION}), SESSION));
    assert!(!names(json!({"AWS": "arn:aws:sts::111122223333:assumed-role/Rotator/daily"}), SESSION));
    assert!(!names(json!({"AWS": "arn:aws:sts::111122223333:assumed-role/rotator/nightly"}), SESSION));
}

#[test]
fn a_federated_user_a_service_an_identity_provider_and_a_canonical_user_are_exact() {
    assert!(names(json!({"AWS": FEDERATED}), FEDERATED));
    assert!(!names(json!({"AWS": FEDERATED}), "arn:aws:sts::111122223333:federated-user/Bob"));
    assert!(names(json!({"Service": "s3.amazonaws.com"}), "s3.amazonaws.com"));
    assert!(!names(json!({"Service": "s3.amazonaws.com"}), "sqs.amazonaws.com"));
    assert!(!names(json!({"Federated": "arn:aws:iam::111122223333:saml-provider/P"}), FEDERATED));
    assert!(!names(json!({"CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"}), USER));
}

#[test]
fn an_orphaned_unique_id_matches_that_id_only_never_a_re_created_name() {
    let with_id = |caller: &str, id: Option<&str>, named: &str| {
        decrypt(caller, &json!({"key_policy": allowing(named), "beyond": {"unique_id": id}}))
    };
    expect(&with_id(USER, Some("AIDACKCEVSQ6C2EXAMPLE"), "AIDACKCEVSQ6C2EXAMPLE"), "allow key_policy");
    expect(&with_id(USER, Some("AIDACKCEVSQ6C2RECREATE"), "AIDACKCEVSQ6C2EXAMPLE"), "implicit_deny key_policy");
    expect(&with_id(SESSION, Some("AROACKCEVSQ6C2EXAMPLE"), "AROACKCEVSQ6C2EXAMPLE"), "allow key_policy");
    expect(&with_id(SESSION, Some("AROACKCEVSQ6C2RECREATE"), "AROACKCEVSQ6C2EXAMPLE"), "implicit_deny key_policy");
}

#[test]
fn principals_have_no_partial_wildcards() {
    for partial in [
        "arn:aws:iam::111122223333:user/*",
        "arn:aws:iam::*:root",
        "1111*",
        "arn:aws:iam::111122223333:user/team/alic?",
    ] {
        assert!(refused(json!({"AWS": partial}), "Allow", "Principal"), "{partial}");
    }
    assert!(refused(json!({"Service": "*.amazonaws.com"}), "Allow", "Principal"));
}

#[test]
fn groups_are_never_principals() {
    assert!(refused(json!({"AWS": "arn:aws:iam::111122223333:group/admins"}), "Allow", "Principal"));
}

#[test]
fn not_principal_stands_with_deny_only() {
    assert!(refused(json!({"AWS": USER}), "Allow", "NotPrincipal"));
    assert!(!refused(json!({"AWS": USER}), "Deny", "NotPrincipal"));
}

fn denies_all_but(listed: &str) -> Value {
    document(&json!([allow_to("*"), statement("Deny", &json!({"NotPrincipal": {"AWS": listed}}))]))
}

#[test]
fn not_principal_always_denies_a_principal_with_a_permissions_boundary() {
    for (boundary, expected) in
        [(json!(null), "allow"), (allows(), "explicit_deny key_policy"), (denies(), "explicit_deny key_policy")]
    {
        expect(
            &decrypt(USER, &json!({"key_policy": denies_all_but(USER), "permissions_boundary": boundary})),
            expected,
        );
    }
}

#[test]
fn not_principal_exempts_only_an_exact_match() {
    for (caller, listed, expected) in [
        (USER, USER, "allow"),
        (SESSION, SESSION, "allow"),
        (FEDERATED, FEDERATED, "allow"),
        (ROOT, ACCOUNT, "allow"),
        (USER, ACCOUNT, "explicit_deny"),
        (USER, ROOT, "explicit_deny"),
        (SESSION, ROLE, "explicit_deny"),
        (USER, SESSION, "explicit_deny"),
        (SESSION, "arn:aws:sts::111122223333:assumed-role/Rotator/daily", "explicit_deny"),
        ("s3.amazonaws.com", USER, "explicit_deny"),
    ] {
        expect(&decrypt(caller, &json!({"key_policy": denies_all_but(listed)})), expected);
    }
}

#[test]
fn nobody_is_everyone_where_a_service_takes_unsigned_requests_and_kms_does_not() {
    let get =
        |policy: Value| asked("anonymous", "s3:GetObject", "arn:aws:s3:::b/x", &json!({"resource_policy": policy}));
    expect(&get(allowing("*")), "allow resource_policy");
    for policy in [json!(null), allowing(ACCOUNT), allowing(USER)] {
        expect(&get(policy), "implicit_deny resource_policy");
    }
    expect(&decrypt("anonymous", &json!({"key_policy": allowing("*")})), "implicit_deny key_policy");
}

#[test]
fn a_statement_that_names_the_caller_in_several_ways_decides_once() {
    for effect in ["Allow", "Deny"] {
        let policy = document(&statement(effect, &json!({"Principal": {"AWS": ["*", ROLE, SESSION, ACCOUNT]}})));
        let decision = super::decided(&decrypt(SESSION, &json!({"key_policy": policy})));
        assert_eq!(decision.decided_by.len(), 1, "{decision:?}");
    }
}
