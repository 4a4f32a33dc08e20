//! KMS in particular.

use serde_json::{Value, json};

use super::{
    ACCOUNT, EVE, KEY, SESSION, USER, allowing, allows, asked, decrypt, default_key_policy, denies, document, expect,
    statement,
};
use crate::generate::names::{OTHER_ACCOUNT, ROOT};
use crate::interpreter::Case;

#[test]
fn on_no_key_identity_policies_alone_decide_and_the_root_user_is_allowed() {
    for action in [
        "kms:CreateKey",
        "kms:ListKeys",
        "kms:ListAliases",
        "kms:GenerateRandom",
        "kms:CreateCustomKeyStore",
        "kms:DescribeCustomKeyStores",
        "kms:ConnectCustomKeyStore",
        "kms:DisconnectCustomKeyStore",
        "kms:UpdateCustomKeyStore",
        "kms:DeleteCustomKeyStore",
    ] {
        assert!(keystile::aws::catalogue::kms::is_on_no_key(&action.parse().unwrap()), "{action}");
        let on_none =
            |caller: &str, identity: Value| asked(caller, action, "*", &json!({"identity_policies": identity}));
        expect(&on_none(USER, json!([allows()])), "allow identity_policy");
        expect(&on_none(USER, json!([])), "implicit_deny identity_policy");
        expect(&on_none(ROOT, json!([])), "allow");
        expect(&on_none(USER, json!([allows(), denies()])), "explicit_deny identity_policy");
    }
}

#[test]
fn on_no_key_an_arn_covers_nothing_and_not_resource_everything() {
    let create = |members: Value| {
        asked(USER, "kms:CreateKey", "*", &json!({"identity_policies": [document(&statement("Allow", &members))]}))
    };
    expect(&create(json!({"Resource": "arn:aws:kms:*:*:*"})), "implicit_deny identity_policy");
    let not = document(&json!({"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:kms:*:*:*"}));
    expect(&asked(USER, "kms:CreateKey", "*", &json!({"identity_policies": [not]})), "allow identity_policy");
}

#[test]
fn a_key_that_does_not_exist_is_told_only_to_who_is_allowed_on_that_arn() {
    let missing = |caller: &str, identity: Value| {
        decrypt(caller, &json!({"identity_policies": identity, "beyond": {"missing_key": true}}))
    };
    // An allow here is answered with NotFoundException.
    expect(&missing(USER, json!([allows()])), "allow");
    expect(&missing(USER, json!([])), "implicit_deny identity_policy");
    expect(&missing(EVE, json!([allows()])), "implicit_deny key_policy");
}

#[test]
fn no_access_without_the_key_policy_identity_allows_do_nothing_and_identity_denies_still_work() {
    let nobody = document(&statement("Allow", &json!({"Principal": {"AWS": OTHER_ACCOUNT}})));
    for policy in [json!(null), nobody] {
        expect(
            &decrypt(USER, &json!({"key_policy": policy, "identity_policies": [allows()]})),
            "implicit_deny key_policy",
        );
    }
    expect(
        &decrypt(USER, &json!({"key_policy": allowing(USER), "identity_policies": [denies()]})),
        "explicit_deny identity_policy",
    );
}

#[test]
fn the_accounts_root_user_needs_the_statement_too_and_has_no_identity_policy() {
    expect(&decrypt(ROOT, &json!({"key_policy": allowing(USER)})), "implicit_deny key_policy");
    expect(&decrypt(ROOT, &json!({"key_policy": default_key_policy()})), "allow");
}

#[test]
fn enable_key_rotation_does_not_work_across_accounts() {
    let case = asked(
        EVE,
        "kms:EnableKeyRotation",
        KEY,
        &json!({"key_policy": allowing("*"), "identity_policies": [allows()]}),
    );
    expect(&case, "implicit_deny key_policy");
}

#[test]
fn rotation_period_in_days_omitted_authorises_as_365() {
    let policy = |bound: u32| {
        document(&statement(
            "Allow",
            &json!({"Principal": "*", "Condition": {"NumericLessThanEquals": {"kms:RotationPeriodInDays": bound}}}),
        ))
    };
    for (bound, context, expected) in [
        (365, json!({}), "allow"),
        (364, json!({}), "implicit_deny"),
        (180, json!({"kms:RotationPeriodInDays": 180}), "allow"),
        (180, json!({"kms:RotationPeriodInDays": 181}), "implicit_deny"),
    ] {
        expect(
            &asked(USER, "kms:EnableKeyRotation", KEY, &json!({"key_policy": policy(bound), "context": context})),
            expected,
        );
    }
}

#[test]
fn the_default_key_policy_is_one_statement_for_the_account() {
    let policy = default_key_policy();
    assert_eq!(policy["Statement"].as_array().map(Vec::len), Some(1));
    let case = |caller: &str, identity: Value| {
        decrypt(caller, &json!({"key_policy": default_key_policy(), "identity_policies": identity}))
    };
    expect(&case(USER, json!([allows()])), "allow");
    expect(&case(USER, json!([])), "implicit_deny identity_policy");
    expect(&case(EVE, json!([allows()])), "implicit_deny key_policy");
}

#[test]
fn via_service_is_absent_in_a_direct_call() {
    let via = json!({"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}});
    let policy = document(&statement("Allow", &json!({"Principal": "*", "Condition": via})));
    expect(&decrypt(USER, &json!({"key_policy": policy})), "implicit_deny key_policy");
    let library = crate::library::Library::default();
    let question =
        library.question(&Case::from_json(&decrypt(USER, &json!({}))), keystile::authz::Supplied::All).unwrap();
    assert_eq!(question.request.value(&keystile::aws::ConditionKey::new("kms:ViaService")), None);
}

#[test]
fn an_action_that_no_catalogue_knows_works_by_its_text() {
    let identity = |pattern: &str| json!([document(&json!({"Effect": "Allow", "Action": pattern, "Resource": "*"}))]);
    let rotate = |pattern: &str| {
        asked(
            USER,
            "kms:RotateEverything",
            KEY,
            &json!({"key_policy": allowing(ACCOUNT), "identity_policies": identity(pattern)}),
        )
    };
    expect(&rotate("kms:RotateEverything"), "allow");
    expect(&rotate("kms:Rotate*"), "allow");
    expect(&rotate("kms:RotateKey*"), "implicit_deny identity_policy");
}

#[test]
fn resource_aliases_are_a_condition_of_identity_policies_only() {
    let when = json!({"Condition": {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/app"}}});
    let context = json!({"kms:ResourceAliases": ["alias/app"]});
    let mut of_key = when.clone();
    of_key["Principal"] = json!("*");
    let key_policy = document(&statement("Allow", &of_key));
    expect(&decrypt(USER, &json!({"key_policy": key_policy, "context": context})), "implicit_deny key_policy");
    let identity = json!([document(&statement("Allow", &when))]);
    expect(
        &decrypt(USER, &json!({"key_policy": allowing(ACCOUNT), "identity_policies": identity, "context": context})),
        "allow",
    );
}

#[test]
fn re_encrypt_needs_an_action_on_each_key() {
    let only = |action: &str| document(&statement("Allow", &json!({"Principal": "*", "Action": action})));
    for (granted, asked_for, expected) in [
        ("kms:ReEncryptFrom", "kms:ReEncryptFrom", "allow"),
        ("kms:ReEncryptFrom", "kms:ReEncryptTo", "implicit_deny"),
        ("kms:ReEncrypt*", "kms:ReEncryptTo", "allow"),
    ] {
        expect(&asked(SESSION, asked_for, KEY, &json!({"key_policy": only(granted)})), expected);
    }
}
