//! Grants.

use serde_json::{Value, json};

use super::{
    ACCOUNT, EVE, KEY, ROLE, SESSION, USER, allowing, allows, asked, decrypt, denies, document, expect, silent,
    statement,
};
use crate::generate::names::{FEDERATED, OTHER_ACCOUNT, OTHER_ROLE, OTHER_SESSION, ROOT};

/// Members of a case: a key policy that names nobody here, and one grant.
fn granted(grant: Value, more: &Value) -> Value {
    let mut members = json!({"key_policy": allowing("arn:aws:iam::111122223333:user/nobody"), "grants": [grant]});
    members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    members
}

fn grant(grantee: &str, operations: &[&str]) -> Value {
    json!({"GranteePrincipal": grantee, "Operations": operations})
}

#[test]
fn a_grant_allows_its_grantee_its_operations() {
    expect(&decrypt(USER, &granted(grant(USER, &["Decrypt"]), &json!({}))), "allow grant");
    expect(&decrypt(USER, &granted(grant(USER, &["Encrypt"]), &json!({}))), "implicit_deny key_policy");
    expect(&decrypt(SESSION, &granted(grant(USER, &["Decrypt"]), &json!({}))), "implicit_deny key_policy");
}

#[test]
fn grants_only_allow_and_any_deny_overrides_them() {
    let grant = || grant(USER, &["Decrypt"]);
    expect(
        &decrypt(USER, &granted(grant(), &json!({"identity_policies": [denies()]}))),
        "explicit_deny identity_policy",
    );
    let policy = document(&statement("Deny", &json!({"Principal": "*"})));
    expect(&decrypt(USER, &granted(grant(), &json!({"key_policy": policy}))), "explicit_deny key_policy");
    expect(
        &decrypt(USER, &granted(grant(), &json!({"service_control_policies": [[silent()]]}))),
        "implicit_deny service_control_policy",
    );
}

#[test]
fn grants_cover_grant_operations_only() {
    let grantable = [
        "Encrypt",
        "Decrypt",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "ReEncryptFrom",
        "ReEncryptTo",
        "Sign",
        "Verify",
        "GenerateMac",
        "VerifyMac",
        "DeriveSharedSecret",
        "GetPublicKey",
        "DescribeKey",
        "CreateGrant",
        "RetireGrant",
    ];
    for name in keystile::aws::catalogue::kms_actions().iter().map(|action| action.name) {
        if keystile::aws::catalogue::kms::is_on_no_key(&format!("kms:{name}").parse().unwrap()) {
            continue;
        }
        let case = asked(USER, &format!("kms:{name}"), KEY, &granted(grant(USER, &[name]), &json!({})));
        expect(&case, if grantable.contains(&name) { "allow grant" } else { "implicit_deny key_policy" });
    }
}

fn constrained(constraints: Value, context: Value) -> Value {
    let mut grant = grant(USER, &["Decrypt", "DescribeKey", "RetireGrant"]);
    grant["Constraints"] = constraints;
    granted(grant, &json!({"context": context}))
}

#[test]
fn encryption_context_equals_is_exact() {
    for (context, expected) in [
        (json!({"kms:EncryptionContext:a": "1", "kms:EncryptionContext:b": "2"}), "allow grant"),
        (json!({"kms:EncryptionContext:a": "1"}), "implicit_deny"),
        (
            json!({"kms:EncryptionContext:a": "1", "kms:EncryptionContext:b": "2", "kms:EncryptionContext:c": "3"}),
            "implicit_deny",
        ),
        (json!({"kms:EncryptionContext:a": "1", "kms:EncryptionContext:b": "x"}), "implicit_deny"),
        (json!({}), "implicit_deny"),
    ] {
        expect(
            &decrypt(USER, &constrained(json!({"EncryptionContextEquals": {"a": "1", "b": "2"}}), context)),
            expected,
        );
    }
}

#[test]
fn encryption_context_subset_is_containment() {
    for (context, expected) in [
        (json!({"kms:EncryptionContext:a": "1"}), "allow grant"),
        (json!({"kms:EncryptionContext:a": "1", "kms:EncryptionContext:c": "3"}), "allow grant"),
        (json!({"kms:EncryptionContext:c": "3"}), "implicit_deny"),
        (json!({"kms:EncryptionContext:a": "x"}), "implicit_deny"),
        (json!({}), "implicit_deny"),
    ] {
        expect(&decrypt(USER, &constrained(json!({"EncryptionContextSubset": {"a": "1"}}), context)), expected);
    }
}

#[test]
fn constraints_compare_the_case_of_keys_and_values_exactly() {
    for (context, expected) in [
        (json!({"kms:EncryptionContext:Dept": "Dev"}), "allow grant"),
        (json!({"kms:EncryptionContext:dept": "Dev"}), "implicit_deny"),
        (json!({"kms:EncryptionContext:Dept": "dev"}), "implicit_deny"),
    ] {
        for kind in ["EncryptionContextEquals", "EncryptionContextSubset"] {
            expect(&decrypt(USER, &constrained(json!({kind: {"Dept": "Dev"}}), context.clone())), expected);
        }
    }
}

#[test]
fn constraints_are_ignored_for_describe_key_and_retire_grant() {
    for kind in ["EncryptionContextEquals", "EncryptionContextSubset"] {
        let members = constrained(json!({kind: {"a": "1"}}), json!({}));
        expect(&asked(USER, "kms:DescribeKey", KEY, &members), "allow grant");
        expect(&asked(USER, "kms:RetireGrant", KEY, &members), "allow grant");
        expect(&decrypt(USER, &members), "implicit_deny");
    }
}

#[test]
fn a_grantee_that_is_a_user_session_or_federated_user_is_not_limited_by_implicit_denies() {
    let limits = json!({"permissions_boundary": silent(), "session_policies": [silent()]});
    for caller in [SESSION, FEDERATED] {
        expect(&decrypt(caller, &granted(grant(caller, &["Decrypt"]), &limits)), "allow grant");
    }
    expect(
        &decrypt(USER, &granted(grant(USER, &["Decrypt"]), &json!({"permissions_boundary": silent()}))),
        "allow grant",
    );
}

#[test]
fn a_grantee_that_is_a_role_is_limited_by_boundary_and_session_policy() {
    let role = || grant(ROLE, &["Decrypt"]);
    expect(&decrypt(SESSION, &granted(role(), &json!({}))), "allow grant");
    expect(
        &decrypt(SESSION, &granted(role(), &json!({"permissions_boundary": silent()}))),
        "implicit_deny permissions_boundary",
    );
    expect(
        &decrypt(SESSION, &granted(role(), &json!({"session_policies": [silent()]}))),
        "implicit_deny session_policy",
    );
}

#[test]
fn across_accounts_a_grant_of_the_keys_owner_needs_the_grantees_account_to_allow_session_policy_included() {
    for (grantee, caller) in [(EVE, EVE), (OTHER_SESSION, OTHER_SESSION), (OTHER_ROLE, OTHER_SESSION)] {
        let with = |more: Value| decrypt(caller, &granted(grant(grantee, &["Decrypt"]), &more));
        expect(&with(json!({})), "implicit_deny identity_policy");
        expect(&with(json!({"identity_policies": [allows()]})), "allow grant");
    }
    let limited = json!({"identity_policies": [allows()], "session_policies": [silent()]});
    expect(
        &decrypt(OTHER_SESSION, &granted(grant(OTHER_SESSION, &["Decrypt"]), &limited)),
        "implicit_deny session_policy",
    );
}

#[test]
fn a_session_is_not_limited_where_the_issuer_is_in_its_own_account() {
    let mut grant = grant(OTHER_SESSION, &["Decrypt"]);
    grant["IssuingAccount"] = json!(OTHER_ACCOUNT);
    expect(&decrypt(OTHER_SESSION, &granted(grant, &json!({"session_policies": [silent()]}))), "allow grant");
}

#[test]
fn a_grant_may_be_retired_by_the_retiring_principal() {
    let mut one = grant(EVE, &["Decrypt"]);
    one["RetiringPrincipal"] = json!(USER);
    expect(&asked(USER, "kms:RetireGrant", KEY, &granted(one.clone(), &json!({}))), "allow grant");
    expect(&asked(SESSION, "kms:RetireGrant", KEY, &granted(one, &json!({}))), "implicit_deny");
}

#[test]
fn a_grant_may_be_retired_by_the_grantee_with_retire_grant() {
    expect(
        &asked(SESSION, "kms:RetireGrant", KEY, &granted(grant(SESSION, &["Decrypt", "RetireGrant"]), &json!({}))),
        "allow grant",
    );
    let without = json!({"GranteePrincipal": EVE, "Operations": ["Decrypt"], "IssuingAccount": "777788889999"});
    expect(
        &asked(EVE, "kms:RetireGrant", KEY, &granted(without, &json!({"identity_policies": [allows()]}))),
        "implicit_deny grant",
    );
}

#[test]
fn a_grant_may_be_retired_by_the_creating_account() {
    let one = || granted(grant(EVE, &["Decrypt"]), &json!({}));
    expect(&asked(ROOT, "kms:RetireGrant", KEY, &one()), "allow grant");
    expect(&asked(USER, "kms:RetireGrant", KEY, &one()), "implicit_deny identity_policy");
    let mut allowed = one();
    allowed["identity_policies"] = json!([allows()]);
    expect(&asked(USER, "kms:RetireGrant", KEY, &allowed), "allow grant");
}

#[test]
fn across_accounts_the_retirers_identity_policy_must_allow_too() {
    let mut one = grant(USER, &["Decrypt"]);
    one["RetiringPrincipal"] = json!(EVE);
    expect(&asked(EVE, "kms:RetireGrant", KEY, &granted(one.clone(), &json!({}))), "implicit_deny identity_policy");
    expect(
        &asked(EVE, "kms:RetireGrant", KEY, &granted(one, &json!({"identity_policies": [allows()]}))),
        "allow grant",
    );
}

#[test]
fn an_allow_for_retire_grant_in_a_key_policy_does_nothing() {
    let members = json!({"key_policy": allowing("*"), "identity_policies": [allows()]});
    expect(&asked(USER, "kms:RetireGrant", KEY, &members), "implicit_deny grant");
    let policy = document(&statement("Deny", &json!({"Principal": "*"})));
    let denied = granted(grant(USER, &["RetireGrant"]), &json!({"key_policy": policy}));
    expect(&asked(USER, "kms:RetireGrant", KEY, &denied), "explicit_deny key_policy");
}

#[test]
fn grants_bind_unique_ids_and_a_re_created_role_does_not_match() {
    use keystile::authz::{Applicable, PrincipalPolicies};
    use keystile::authz::{Grant, GrantConstraints, GrantPrincipal, Outcome, Supplied};
    let library = crate::library::Library::default();
    let case = crate::interpreter::Case::from_json(&decrypt(
        SESSION,
        &json!({"beyond": {"unique_id": "AROACKCEVSQ6C2EXAMPLE"}}),
    ));
    let question = library.question(&case, Supplied::All).unwrap();
    for (id, expected) in [("AROACKCEVSQ6C2EXAMPLE", Outcome::Allow), ("AROACKCEVSQ6C2RECREATE", Outcome::ImplicitDeny)]
    {
        let grants = [Grant {
            id: None,
            grantee: GrantPrincipal { principal: ROLE.parse().unwrap(), unique_id: Some(id.to_owned()) },
            retiring: None,
            operations: vec!["Decrypt".to_owned()],
            constraints: GrantConstraints::default(),
            issuing_account: ACCOUNT.parse().unwrap(),
        }];
        let none = PrincipalPolicies::default();
        let applicable = Applicable { grants: &grants, ..Applicable::new(&none) };
        assert_eq!(library.authorizer.decide(&question.request, &applicable).outcome, expected, "{id}");
    }
}
