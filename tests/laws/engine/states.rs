use serde_json::{Value, json};

use super::house::House;

/// What each operation answers in the states Enabled, Disabled and `PendingDeletion`: done, or a code.
const TABLE: [(&str, [&str; 3]); 19] = [
    ("Encrypt", ["", "DisabledException", "KMSInvalidStateException"]),
    ("GenerateDataKey", ["", "DisabledException", "KMSInvalidStateException"]),
    ("GenerateDataKeyWithoutPlaintext", ["", "DisabledException", "KMSInvalidStateException"]),
    ("EnableKeyRotation", ["", "DisabledException", "KMSInvalidStateException"]),
    ("RotateKeyOnDemand", ["", "DisabledException", "KMSInvalidStateException"]),
    ("DisableKeyRotation", ["", "DisabledException", "KMSInvalidStateException"]),
    ("GetKeyRotationStatus", ["", "", ""]),
    ("ListKeyRotations", ["", "", ""]),
    ("DescribeKey", ["", "", ""]),
    ("GetKeyPolicy", ["", "", ""]),
    ("PutKeyPolicy", ["", "", ""]),
    ("ListKeyPolicies", ["", "", ""]),
    ("ListResourceTags", ["", "", ""]),
    ("UpdateKeyDescription", ["", "", "KMSInvalidStateException"]),
    ("TagResource", ["", "", "KMSInvalidStateException"]),
    ("UntagResource", ["", "", "KMSInvalidStateException"]),
    ("CreateAlias", ["", "", "KMSInvalidStateException"]),
    ("CancelKeyDeletion", ["KMSInvalidStateException", "KMSInvalidStateException", ""]),
    ("ScheduleKeyDeletion", ["", "", "KMSInvalidStateException"]),
];

const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"}]}"#;

fn body(operation: &str, key: &str) -> Value {
    let mut body = json!({"KeyId": key});
    match operation {
        "Encrypt" => body["Plaintext"] = json!("QQ=="),
        "GenerateDataKey" | "GenerateDataKeyWithoutPlaintext" => body["KeySpec"] = json!("AES_256"),
        "PutKeyPolicy" => body["Policy"] = json!(POLICY),
        "UpdateKeyDescription" => body["Description"] = json!("d"),
        "TagResource" => body["Tags"] = json!([{"TagKey": "a", "TagValue": "b"}]),
        "UntagResource" => body["TagKeys"] = json!(["a"]),
        "CreateAlias" => body = json!({"AliasName": format!("alias/{key}"), "TargetKeyId": key}),
        _ => {}
    }
    body
}

#[tokio::test]
async fn each_operation_works_in_its_states_alone() {
    let house = House::new().await;
    for (column, state) in ["Enabled", "Disabled", "PendingDeletion"].into_iter().enumerate() {
        for (operation, answers) in TABLE {
            let (id, arn) = house.key().await;
            match state {
                "Disabled" => house.ok("DisableKey", json!({"KeyId": id})).await,
                "PendingDeletion" => house.ok("ScheduleKeyDeletion", json!({"KeyId": id})).await,
                _ => Value::Null,
            };
            let outcome = house.call(operation, body(operation, &id)).await;
            let expected = match answers[column] {
                "" => None,
                "DisabledException" => Some(("DisabledException".to_owned(), format!("{arn} is disabled."))),
                code if operation == "CancelKeyDeletion" => {
                    Some((code.to_owned(), format!("{arn} is not pending deletion")))
                }
                code => Some((code.to_owned(), format!("{arn} is pending deletion."))),
            };
            assert_eq!(outcome.err(), expected, "{operation} on a key that is {state}");
        }
    }
}

#[tokio::test]
async fn a_ciphertext_of_a_disabled_key_stays_closed_until_the_key_is_enabled() {
    let house = House::new().await;
    let (id, arn) = house.key().await;
    let (other, _) = house.key().await;
    let sealed = house.ok("Encrypt", json!({"KeyId": id, "Plaintext": "QQ=="})).await;
    let opening = json!({"CiphertextBlob": sealed["CiphertextBlob"]});
    let moving = json!({"CiphertextBlob": sealed["CiphertextBlob"], "DestinationKeyId": other});
    house.ok("DisableKey", json!({"KeyId": id})).await;
    for (operation, body) in [("Decrypt", &opening), ("ReEncrypt", &moving)] {
        assert_eq!(
            house.fails(operation, body.clone()).await,
            ("DisabledException".to_owned(), format!("{arn} is disabled."))
        );
    }
    house.ok("EnableKey", json!({"KeyId": id})).await;
    house.ok("Decrypt", opening).await;
    house.ok("ScheduleKeyDeletion", json!({"KeyId": id})).await;
    for operation in ["EnableKey", "DisableKey"] {
        assert_eq!(house.fails(operation, json!({"KeyId": id})).await.0, "KMSInvalidStateException");
    }
    house.ok("CancelKeyDeletion", json!({"KeyId": id})).await;
    assert_eq!(house.ok("DescribeKey", json!({"KeyId": id})).await["KeyMetadata"]["KeyState"], json!("Disabled"));
}

#[tokio::test]
async fn an_alias_may_leave_a_key_that_is_pending_deletion_but_not_go_there() {
    let house = House::new().await;
    let ((leaving, arn), (staying, _)) = (house.key().await, house.key().await);
    house.ok("CreateAlias", json!({"AliasName": "alias/a", "TargetKeyId": leaving})).await;
    house.ok("ScheduleKeyDeletion", json!({"KeyId": leaving})).await;
    house.ok("UpdateAlias", json!({"AliasName": "alias/a", "TargetKeyId": staying})).await;
    let (code, message) = house.fails("UpdateAlias", json!({"AliasName": "alias/a", "TargetKeyId": leaving})).await;
    assert_eq!((code.as_str(), message), ("KMSInvalidStateException", format!("{arn} is pending deletion.")));
    house.ok("DeleteAlias", json!({"AliasName": "alias/a"})).await;
}

#[tokio::test]
async fn a_deletion_window_is_7_to_30_days() {
    let house = House::new().await;
    for (days, good) in [(6, false), (7, true), (30, true), (31, false)] {
        let (id, _) = house.key().await;
        let outcome = house.call("ScheduleKeyDeletion", json!({"KeyId": id, "PendingWindowInDays": days})).await;
        assert_eq!(
            outcome.map(drop).map_err(|(code, _)| code),
            if good { Ok(()) } else { Err("ValidationException".into()) },
            "{days}"
        );
    }
}
