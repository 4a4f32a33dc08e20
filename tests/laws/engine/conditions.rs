//! Each condition key of an operation decides: a key policy that allows by it alone.

use serde_json::{Value, json};

use super::house::{ACCOUNT, House};

const ALICE: &str = "arn:aws:iam::111122223333:user/alice";
const BOB: &str = "arn:aws:iam::111122223333:user/bob";

/// Whether alice may do it on a key whose policy allows it to her under a condition.
async fn allowed(operation: &str, condition: &Value, body: &Value) -> bool {
    let house = House::new().await;
    let (key, arn) = house.key().await;
    house.ok("CreateAlias", json!({"AliasName": "alias/k", "TargetKeyId": key})).await;
    let mut body = body.clone();
    for member in ["KeyId", "SourceKeyId", "DestinationKeyId"] {
        match body.get(member).and_then(Value::as_str) {
            Some("<key>") => body[member] = json!(key),
            Some("<arn>") => body[member] = json!(arn),
            _ => {}
        }
    }
    if body.get("GrantId").is_some() {
        let made = house
            .ok(
                "CreateGrant",
                json!({"KeyId": key, "GranteePrincipal": BOB, "Operations": ["Decrypt"], "RetiringPrincipal": ALICE,
                    "Constraints": {"EncryptionContextSubset": {"Tenant": "a"}}}),
            )
            .await;
        body["GrantId"] = made["GrantId"].clone();
    }
    let effect = if operation == "RetireGrant" { "Deny" } else { "Allow" };
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}, "Action": "kms:*", "Resource": "*"},
        {"Effect": effect, "Principal": {"AWS": ALICE}, "Action": "kms:*", "Resource": "*", "Condition": condition},
    ]});
    house.ok("PutKeyPolicy", json!({"KeyId": key, "Policy": policy.to_string()})).await;
    let outcome = house.call_as(&House::caller(ALICE, ACCOUNT), operation, body).await;
    match outcome {
        Ok(_) => true,
        Err((code, _)) => {
            assert_eq!(code, "AccessDeniedException", "{operation} {condition}");
            false
        }
    }
}

#[tokio::test]
async fn each_condition_key_of_grants_decides() {
    let create = json!({"KeyId": "<key>", "GranteePrincipal": BOB, "Operations": ["Decrypt", "Encrypt"],
        "RetiringPrincipal": ALICE, "Constraints": {"EncryptionContextEquals": {"Tenant": "a"}}});
    let plain = json!({"KeyId": "<key>", "GranteePrincipal": BOB, "Operations": ["Decrypt"]});
    let list = json!({"KeyId": "<key>"});
    let of_grant = json!({"KeyId": "<arn>", "GrantId": ""});
    let any_of = |values: Value| json!({"ForAnyValue:StringEquals": {"kms:GrantOperations": values}});
    let all_of = |values: Value| json!({"ForAllValues:StringEquals": {"kms:GrantOperations": values}});
    let equals = |key: &str, value: &str| json!({"StringEquals": {key: value}});
    for (operation, body, condition, expected) in [
        ("CreateGrant", &create, any_of(json!(["Encrypt"])), true),
        ("CreateGrant", &create, any_of(json!(["Sign"])), false),
        ("CreateGrant", &create, all_of(json!(["Encrypt", "Decrypt", "DescribeKey"])), true),
        ("CreateGrant", &create, all_of(json!(["Encrypt"])), false),
        ("CreateGrant", &create, equals("kms:GranteePrincipal", BOB), true),
        ("CreateGrant", &create, equals("kms:GranteePrincipal", ALICE), false),
        ("CreateGrant", &create, equals("kms:RetiringPrincipal", ALICE), true),
        ("CreateGrant", &plain, equals("kms:RetiringPrincipal", ALICE), false),
        ("CreateGrant", &plain, json!({"Null": {"kms:RetiringPrincipal": "true"}}), true),
        ("CreateGrant", &create, equals("kms:GrantConstraintType", "EncryptionContextEquals"), true),
        ("CreateGrant", &create, equals("kms:GrantConstraintType", "EncryptionContextSubset"), false),
        ("CreateGrant", &plain, json!({"Null": {"kms:GrantConstraintType": "true"}}), true),
        ("CreateGrant", &create, equals("kms:EncryptionContext:Tenant", "a"), true),
        ("CreateGrant", &create, equals("kms:EncryptionContext:Tenant", "b"), false),
        ("CreateGrant", &create, json!({"ForAnyValue:StringEquals": {"kms:EncryptionContextKeys": "Tenant"}}), true),
        ("CreateGrant", &plain, json!({"ForAnyValue:StringEquals": {"kms:EncryptionContextKeys": "Tenant"}}), false),
        ("CreateGrant", &plain, json!({"Bool": {"kms:GrantIsForAWSResource": "false"}}), true),
        ("CreateGrant", &plain, json!({"Bool": {"kms:GrantIsForAWSResource": "true"}}), false),
        ("ListGrants", &list, json!({"Bool": {"kms:GrantIsForAWSResource": "true"}}), false),
        ("ListGrants", &list, json!({"Bool": {"kms:GrantIsForAWSResource": "false"}}), true),
        ("RevokeGrant", &of_grant, json!({"Bool": {"kms:GrantIsForAWSResource": "true"}}), false),
        ("RevokeGrant", &of_grant, json!({"Bool": {"kms:GrantIsForAWSResource": "false"}}), true),
        // Only a Deny of a key policy has its say on it.
        ("RetireGrant", &of_grant, equals("kms:GrantConstraintType", "EncryptionContextSubset"), false),
        ("RetireGrant", &of_grant, equals("kms:GrantConstraintType", "EncryptionContextEquals"), true),
        ("RetireGrant", &of_grant, equals("kms:EncryptionContext:tenant", "a"), false),
        ("RetireGrant", &of_grant, equals("kms:EncryptionContext:tenant", "b"), true),
    ] {
        assert_eq!(allowed(operation, &condition, body).await, expected, "{operation} {condition}");
    }
}

#[tokio::test]
async fn each_condition_key_of_imports_decides() {
    let parameters = json!({"WrappingAlgorithm": "RSAES_OAEP_SHA_1", "WrappingKeySpec": "RSA_2048"});
    let expiring = json!({"ImportToken": "QQ==", "EncryptedKeyMaterial": "QQ==", "ValidTo": 1_769_904_000});
    let lasting = json!({"ImportToken": "QQ==", "EncryptedKeyMaterial": "QQ==", "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"});
    let equals = |key: &str, value: &str| json!({"StringEquals": {key: value}});
    let before = |date: &str| json!({"DateLessThan": {"kms:ValidTo": date}});
    for (operation, body, condition, expected) in [
        ("GetParametersForImport", &parameters, equals("kms:WrappingAlgorithm", "RSAES_OAEP_SHA_1"), true),
        ("GetParametersForImport", &parameters, equals("kms:WrappingAlgorithm", "RSAES_OAEP_SHA_256"), false),
        ("GetParametersForImport", &parameters, equals("kms:WrappingKeySpec", "RSA_2048"), true),
        ("GetParametersForImport", &parameters, equals("kms:WrappingKeySpec", "RSA_4096"), false),
        ("GetParametersForImport", &parameters, json!({"Null": {"kms:ExpirationModel": "true"}}), true),
        ("GetParametersForImport", &parameters, equals("kms:KeyOrigin", "EXTERNAL"), true),
        ("GetParametersForImport", &parameters, equals("kms:KeyOrigin", "AWS_KMS"), false),
        // Omitted in the request, the model authorises as the default.
        ("ImportKeyMaterial", &expiring, equals("kms:ExpirationModel", "KEY_MATERIAL_EXPIRES"), true),
        ("ImportKeyMaterial", &expiring, equals("kms:ExpirationModel", "KEY_MATERIAL_DOES_NOT_EXPIRE"), false),
        ("ImportKeyMaterial", &lasting, equals("kms:ExpirationModel", "KEY_MATERIAL_DOES_NOT_EXPIRE"), true),
        ("ImportKeyMaterial", &lasting, equals("kms:ExpirationModel", "KEY_MATERIAL_EXPIRES"), false),
        ("ImportKeyMaterial", &expiring, before("2026-02-01T00:00:01Z"), true),
        ("ImportKeyMaterial", &expiring, before("2026-02-01T00:00:00Z"), false),
        ("ImportKeyMaterial", &lasting, before("2026-02-01T00:00:01Z"), false),
        ("ImportKeyMaterial", &lasting, json!({"Null": {"kms:ValidTo": "true"}}), true),
        ("ImportKeyMaterial", &expiring, equals("kms:KeyOrigin", "EXTERNAL"), true),
        ("ImportKeyMaterial", &expiring, equals("kms:KeyOrigin", "AWS_KMS"), false),
        ("DeleteImportedKeyMaterial", &json!({}), equals("kms:KeyOrigin", "EXTERNAL"), true),
        ("DeleteImportedKeyMaterial", &json!({}), equals("kms:KeyOrigin", "AWS_KMS"), false),
    ] {
        let house = House::new().await;
        let policy = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}, "Action": "kms:*", "Resource": "*"},
            {"Effect": "Allow", "Principal": {"AWS": ALICE}, "Action": "kms:*", "Resource": "*", "Condition": condition},
        ]});
        let made = house.ok("CreateKey", json!({"Origin": "EXTERNAL", "Policy": policy.to_string()})).await;
        let mut body = body.clone();
        body["KeyId"] = made["KeyMetadata"]["KeyId"].clone();
        let outcome = house.call_as(&House::caller(ALICE, ACCOUNT), operation, body).await;
        let refused = outcome.err().map(|(code, _)| code);
        assert_eq!(refused.as_deref() != Some("AccessDeniedException"), expected, "{operation} {condition}");
        // What is allowed gets as far as the token.
        let reached = if operation == "ImportKeyMaterial" { Some("InvalidImportTokenException") } else { None };
        assert!(!expected || refused.as_deref() == reached, "{operation}: {refused:?}");
    }
}
