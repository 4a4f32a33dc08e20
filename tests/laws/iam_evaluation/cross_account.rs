//! Cross-account: identity (with boundary and session) of the caller's account AND the resource
//! policy (direct or account).

use serde_json::{Value, json};

use super::{EVE, KEY, allowing, allows, asked, decrypt, denies, expect, silent};
use crate::generate::names::{OTHER_ACCOUNT, OTHER_ROLE, OTHER_ROOT, OTHER_SESSION, USER};

const ACCOUNT_OF_EVE: &str = OTHER_ACCOUNT;

fn with(principal: &str, named: Value, more: &Value) -> Value {
    let mut members = json!({"key_policy": named});
    members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    decrypt(principal, &members)
}

#[test]
fn both_sides_must_allow() {
    for (policy, identity, expected) in [
        (allowing(EVE), json!([allows()]), "allow key_policy"),
        (allowing(EVE), json!([]), "implicit_deny identity_policy"),
        (allowing(EVE), json!([silent()]), "implicit_deny identity_policy"),
        (allowing(USER), json!([allows()]), "implicit_deny key_policy"),
        (allowing("111122223333"), json!([allows()]), "implicit_deny key_policy"),
        (allowing(EVE), json!([allows(), denies()]), "explicit_deny identity_policy"),
    ] {
        expect(&with(EVE, policy, &json!({"identity_policies": identity})), expected);
    }
}

#[test]
fn the_resource_policy_may_name_the_principal_or_its_account() {
    for named in [EVE, ACCOUNT_OF_EVE, OTHER_ROOT, "*"] {
        expect(&with(EVE, allowing(named), &json!({"identity_policies": [allows()]})), "allow key_policy");
    }
    for named in [OTHER_SESSION, OTHER_ROLE, ACCOUNT_OF_EVE] {
        expect(&with(OTHER_SESSION, allowing(named), &json!({"identity_policies": [allows()]})), "allow key_policy");
    }
}

#[test]
fn boundary_and_session_policy_limit_even_who_is_named_directly() {
    for (name, value, layer) in [
        ("permissions_boundary", silent(), "permissions_boundary"),
        ("session_policies", json!([silent()]), "session_policy"),
    ] {
        let members = json!({"identity_policies": [allows()], name: value});
        expect(&with(OTHER_SESSION, allowing(OTHER_SESSION), &members), &format!("implicit_deny {layer}"));
    }
}

#[test]
fn the_root_user_of_another_account_needs_the_resource_policy_alone() {
    expect(&with(OTHER_ROOT, allowing(OTHER_ROOT), &json!({})), "allow");
    expect(&with(OTHER_ROOT, allowing(EVE), &json!({})), "implicit_deny key_policy");
}

#[test]
fn of_other_services_too() {
    let send = |members: Value| asked(EVE, "sqs:SendMessage", "arn:aws:sqs:us-east-1:111122223333:jobs", &members);
    expect(&send(json!({"identity_policies": [allows()]})), "implicit_deny resource_policy");
    expect(&send(json!({"resource_policy": allowing(EVE)})), "implicit_deny identity_policy");
    expect(&send(json!({"resource_policy": allowing(EVE), "identity_policies": [allows()]})), "allow resource_policy");
    // A bucket's ARN does not name its owner.
    let get = |owner: &str| {
        asked(
            EVE,
            "s3:GetObject",
            "arn:aws:s3:::b/x",
            &json!({"resource_account": owner, "identity_policies": [allows()]}),
        )
    };
    expect(&get(ACCOUNT_OF_EVE), "allow identity_policy");
    expect(&get("111122223333"), "implicit_deny resource_policy");
}

#[test]
fn only_these_kms_operations_work_across_accounts() {
    let works = [
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
        "CreateGrant",
        "DescribeKey",
        "GetKeyRotationStatus",
        "GetPublicKey",
        "ListGrants",
        "RevokeGrant",
    ];
    for name in keystile::aws::catalogue::kms_actions().iter().map(|action| action.name) {
        // Retiring is decided by the grants; the others here are done on no key.
        if name == "RetireGrant" || keystile::aws::catalogue::kms::is_on_no_key(&format!("kms:{name}").parse().unwrap())
        {
            continue;
        }
        let case = asked(
            EVE,
            &format!("kms:{name}"),
            KEY,
            &json!({"key_policy": allowing("*"), "identity_policies": [allows()]}),
        );
        expect(&case, if works.contains(&name) { "allow" } else { "implicit_deny key_policy" });
    }
}
