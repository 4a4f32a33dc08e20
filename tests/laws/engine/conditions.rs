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
