//! What the KMS engine asks of the policies, and the condition keys that its operations give.

use serde_json::{Value, json};

use super::{ACCOUNT, USER, allow_to, document, statement};
use crate::engine::house::{House, text};

const ROOT: &str = "arn:aws:iam::111122223333:root";
const DENIED: &str = "AccessDeniedException";

/// A key whose policy lets the root user do everything, and alice that under the condition.
async fn key_for_alice(house: &House, action: &str, condition: Value) -> String {
    let (id, _) = house.key().await;
    let when = json!({"Principal": {"AWS": USER}, "Action": action, "Condition": condition});
    let policy = document(&json!([allow_to(ROOT), statement("Allow", &when)])).to_string();
    house.ok("PutKeyPolicy", json!({"KeyId": id, "Policy": policy})).await;
    id
}

/// Whether alice may, as the key policy's condition has it.
async fn alice_may(house: &House, operation: &str, body: Value) -> bool {
    match house.call_as(&House::caller(USER, ACCOUNT), operation, body).await {
        Ok(_) => true,
        Err((code, message)) => {
            assert_eq!(code, DENIED, "{message}");
            false
        }
    }
}

#[tokio::test]
async fn each_operation_gives_its_condition_keys() {
    let house = House::new().await;
    let context = json!({"Dept": "dev"});
    for (operation, members, condition) in [
        (
            "EnableKeyRotation",
            json!({"RotationPeriodInDays": 180}),
            json!({"NumericEquals": {"kms:RotationPeriodInDays": 180}}),
        ),
        ("EnableKeyRotation", json!({}), json!({"NumericEquals": {"kms:RotationPeriodInDays": 365}})),
        (
            "Encrypt",
            json!({"Plaintext": "eA=="}),
            json!({"StringEquals": {"kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}}),
        ),
        (
            "Encrypt",
            json!({"Plaintext": "eA==", "EncryptionContext": context}),
            json!({"StringEquals": {"kms:EncryptionContext:Dept": "dev"}}),
        ),
        (
            "Encrypt",
            json!({"Plaintext": "eA==", "EncryptionContext": context}),
            json!({"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": "Dept"}}),
        ),
        (
            "GenerateDataKey",
            json!({"KeySpec": "AES_256", "EncryptionContext": context}),
            json!({"StringEquals": {"kms:EncryptionContext:dept": "dev"}}),
        ),
        (
            "DescribeKey",
            json!({}),
            json!({"StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT", "kms:KeyUsage": "ENCRYPT_DECRYPT", "kms:KeyOrigin": "AWS_KMS"}}),
        ),
        (
            "DescribeKey",
            json!({}),
            json!({"Bool": {"kms:MultiRegion": false}, "StringEquals": {"kms:CallerAccount": ACCOUNT}}),
        ),
        (
            "DescribeKey",
            json!({}),
            json!({"StringEquals": {"kms:CustomerMasterKeySpec": "SYMMETRIC_DEFAULT", "kms:CustomerMasterKeyUsage": "ENCRYPT_DECRYPT"}}),
        ),
        (
            "DescribeKey",
            json!({}),
            json!({"Null": {"kms:ViaService": true, "kms:RequestAlias": true, "kms:BypassPolicyLockoutSafetyCheck": true}}),
        ),
        (
            "ScheduleKeyDeletion",
            json!({"PendingWindowInDays": 7}),
            json!({"NumericLessThanEquals": {"kms:ScheduleKeyDeletionPendingWindowInDays": 7}}),
        ),
        (
            "TagResource",
            json!({"Tags": [{"TagKey": "Cost", "TagValue": "1"}]}),
            json!({"StringEquals": {"aws:RequestTag/Cost": "1"}, "ForAllValues:StringEquals": {"aws:TagKeys": "Cost"}}),
        ),
    ] {
        let body = |id: &str| {
            let mut body = json!({"KeyId": id});
            body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
            body
        };
        // The condition's opposite first: nothing is granted.
        let id = key_for_alice(&house, "kms:*", json!({"StringEquals": {"aws:username": "nobody"}})).await;
        assert!(!alice_may(&house, operation, body(&id)).await, "{operation} without {condition}");
        let id = key_for_alice(&house, "kms:*", condition.clone()).await;
        assert!(alice_may(&house, operation, body(&id)).await, "{operation} {members} with {condition}");
    }
}

#[tokio::test]
async fn the_alias_that_a_request_names_is_a_condition_key() {
    let house = House::new().await;
    let id = key_for_alice(&house, "kms:Encrypt", json!({"StringEquals": {"kms:RequestAlias": "alias/app"}})).await;
    house.ok("CreateAlias", json!({"AliasName": "alias/app", "TargetKeyId": id})).await;
    assert!(alice_may(&house, "Encrypt", json!({"KeyId": "alias/app", "Plaintext": "eA=="})).await);
    assert!(!alice_may(&house, "Encrypt", json!({"KeyId": id, "Plaintext": "eA=="})).await);
}

#[tokio::test]
async fn bypass_policy_lockout_safety_check_is_absent_unless_passed() {
    let house = House::new().await;
    for (passed, expected) in [(json!({}), true), (json!({"BypassPolicyLockoutSafetyCheck": true}), false)] {
        let id =
            key_for_alice(&house, "kms:PutKeyPolicy", json!({"Null": {"kms:BypassPolicyLockoutSafetyCheck": true}}))
                .await;
        let mut body = json!({"KeyId": id, "Policy": document(&json!([allow_to(ROOT), allow_to(USER)])).to_string()});
        body.as_object_mut().unwrap().extend(passed.as_object().unwrap().clone());
        assert_eq!(alice_may(&house, "PutKeyPolicy", body).await, expected);
    }
}

#[tokio::test]
async fn decrypt_without_key_id_authorises_on_the_key_named_inside_the_ciphertext() {
    let house = House::new().await;
    let only_decrypt = json!({"StringEquals": {"aws:username": "alice"}});
    let mine = key_for_alice(&house, "kms:Decrypt", only_decrypt.clone()).await;
    let (other, _) = house.key().await;
    for (key, expected) in [(mine, true), (other, false)] {
        let sealed = house.ok("Encrypt", json!({"KeyId": key, "Plaintext": "eA=="})).await;
        assert_eq!(alice_may(&house, "Decrypt", json!({"CiphertextBlob": sealed["CiphertextBlob"]})).await, expected);
    }
}

#[tokio::test]
async fn re_encrypt_needs_from_on_the_source_and_to_on_the_destination() {
    let house = House::new().await;
    let always = json!({"StringEquals": {"aws:username": "alice"}});
    let from = key_for_alice(&house, "kms:ReEncryptFrom", always.clone()).await;
    let to = key_for_alice(&house, "kms:ReEncryptTo", always.clone()).await;
    for (source, destination, expected) in
        [(&from, &to, true), (&to, &from, false), (&from, &from, false), (&to, &to, false)]
    {
        let sealed = house.ok("Encrypt", json!({"KeyId": source, "Plaintext": "eA=="})).await;
        let body = json!({"CiphertextBlob": sealed["CiphertextBlob"], "DestinationKeyId": destination});
        assert_eq!(alice_may(&house, "ReEncrypt", body).await, expected);
    }
    let other = key_for_alice(&house, "kms:ReEncrypt*", json!({"Bool": {"kms:ReEncryptOnSameKey": true}})).await;
    let sealed = house.ok("Encrypt", json!({"KeyId": other, "Plaintext": "eA=="})).await;
    let on_itself = json!({"CiphertextBlob": sealed["CiphertextBlob"], "DestinationKeyId": other});
    assert!(alice_may(&house, "ReEncrypt", on_itself).await);
    let elsewhere = json!({"CiphertextBlob": sealed["CiphertextBlob"], "DestinationKeyId": to});
    assert!(!alice_may(&house, "ReEncrypt", elsewhere).await);
}

#[tokio::test]
async fn put_key_policy_refuses_an_orphaned_unique_id_and_principals_that_do_not_exist() {
    let house = House::new().await;
    let (id, _) = house.key().await;
    for gone in ["AIDACKCEVSQ6C2EXAMPLE", "AROACKCEVSQ6C2EXAMPLE", "arn:aws:iam::111122223333:user/ghost"] {
        let policy = document(&json!([allow_to(ROOT), allow_to(gone)])).to_string();
        let (code, message) = house.fails("PutKeyPolicy", json!({"KeyId": id, "Policy": policy})).await;
        assert_eq!(code, "MalformedPolicyDocumentException", "{message}");
    }
}

#[tokio::test]
async fn the_lock_out_check_asks_whether_the_caller_may_put_a_policy_again_unless_it_is_bypassed() {
    let house = House::new().await;
    let policy = document(&json!([allow_to(USER)])).to_string();
    let (id, _) = house.key().await;
    for (operation, body) in
        [("PutKeyPolicy", json!({"KeyId": id, "Policy": policy})), ("CreateKey", json!({"Policy": policy}))]
    {
        assert_eq!(house.fails(operation, body.clone()).await.0, "MalformedPolicyDocumentException");
        let mut bypassed = body;
        bypassed["BypassPolicyLockoutSafetyCheck"] = json!(true);
        house.ok(operation, bypassed).await;
    }
}

#[tokio::test]
async fn the_default_key_policy_is_one_statement_for_the_root_user() {
    let house = House::new().await;
    let (id, _) = house.key().await;
    let policy: Value =
        serde_json::from_str(&text(&house.ok("GetKeyPolicy", json!({"KeyId": id})).await["Policy"])).unwrap();
    let statements = policy["Statement"].as_array().unwrap();
    assert_eq!(statements.len(), 1);
    let expected = json!({"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"});
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&statements[0][name], value);
    }
}

#[tokio::test]
async fn enable_key_rotation_takes_a_key_id_or_a_key_arn_not_an_alias() {
    let house = House::new().await;
    let (id, arn) = house.key().await;
    house.ok("CreateAlias", json!({"AliasName": "alias/r", "TargetKeyId": id})).await;
    for name in [&id, &arn] {
        house.ok("EnableKeyRotation", json!({"KeyId": name})).await;
    }
    house.fails("EnableKeyRotation", json!({"KeyId": "alias/r"})).await;
}

#[tokio::test]
async fn a_missing_key_is_not_found_for_who_is_allowed_and_denied_for_others() {
    let house = House::new().await;
    let missing = json!({"KeyId": "11111111-2222-3333-4444-555555555555"});
    assert_eq!(house.fails("DescribeKey", missing.clone()).await.0, "NotFoundException");
    assert_eq!(house.call_as(&House::caller(USER, ACCOUNT), "DescribeKey", missing).await.unwrap_err().0, DENIED);
}
