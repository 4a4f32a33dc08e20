use std::sync::Arc;

use keystile::kms::{KeyUse, Operation};
use serde_json::{Value, json};
use uuid::Uuid;

use super::house::{ACCOUNT, DAY, Directory, House, START};

const ALICE: &str = "arn:aws:iam::111122223333:user/alice";

/// Uses a key as the gateway does, which notes it.
async fn uses(house: &House, operation: &'static str, body: Value) {
    let parsed = Operation::parse(operation, body.to_string().as_bytes()).unwrap();
    let resolved = house.kms.resolve(parsed, &House::root(), &house.surroundings()).await.unwrap();
    let permit = house.authorizer.authorize(resolved, &Arc::default(), None).unwrap();
    let answer = house.kms.execute(permit, &Directory).await.unwrap();
    let ids = (Uuid::from_u128(1), Uuid::from_u128(2));
    house
        .kms
        .note_use(&answer, KeyUse { operation, time: house.surroundings().now, request_id: ids.0, event_id: ids.1 });
}

async fn last(house: &House, key: &str) -> Value {
    house.ok("GetKeyLastUsage", json!({"KeyId": key})).await["KeyLastUsage"].clone()
}

#[tokio::test]
async fn the_last_use_is_told_and_outlasts_a_restart() {
    let house = House::new().await;
    let (key, arn) = house.key().await;
    assert_eq!(
        house.ok("GetKeyLastUsage", json!({"KeyId": key})).await,
        json!({"KeyId": arn, "KeyLastUsage": {}, "TrackingStartDate": START as f64, "KeyCreationDate": START as f64})
    );
    uses(&house, "Encrypt", json!({"KeyId": key, "Plaintext": "QQ=="})).await;
    house.sleep(1);
    uses(&house, "GenerateDataKey", json!({"KeyId": key, "KeySpec": "AES_256"})).await;
    // No use: DescribeKey.
    house.sleep(1);
    uses(&house, "DescribeKey", json!({"KeyId": key})).await;
    let expected = json!({"Operation": "GenerateDataKey", "Timestamp": (START + DAY) as f64,
        "KmsRequestId": Uuid::from_u128(1).to_string(), "CloudTrailEventId": Uuid::from_u128(2).to_string()});
    assert_eq!(last(&house, &key).await, expected);
    // The record changes, and what was noted beside the older one is not lost.
    uses(&house, "Encrypt", json!({"KeyId": key, "Plaintext": "QQ=="})).await;
    house.ok("UpdateKeyDescription", json!({"KeyId": key, "Description": "d"})).await;
    house.kms.save_uses().await.unwrap();
    let house = house.restarted().await;
    assert_eq!(last(&house, &key).await["Operation"], json!("Encrypt"));
}

#[tokio::test]
async fn both_keys_of_a_re_encryption_are_used() {
    let house = House::new().await;
    let (one, _) = house.key().await;
    let (other, _) = house.key().await;
    let blob = house.ok("Encrypt", json!({"KeyId": one, "Plaintext": "QQ=="})).await["CiphertextBlob"].clone();
    uses(&house, "ReEncrypt", json!({"CiphertextBlob": blob, "DestinationKeyId": other})).await;
    for key in [one, other] {
        assert_eq!(last(&house, &key).await["Operation"], json!("ReEncrypt"));
    }
}

#[tokio::test]
async fn a_key_in_use_can_be_kept_from_deletion_by_policy() {
    let house = House::new().await;
    let (key, _) = house.key().await;
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"AWS": ALICE}, "Action": ["kms:ScheduleKeyDeletion", "kms:DisableKey"], "Resource": "*",
            "Condition": {"NumericGreaterThanEquals": {"kms:TrailingDaysWithoutKeyUsage": "30"}}},
    ]});
    house.ok("PutKeyPolicy", json!({"KeyId": key, "Policy": policy.to_string()})).await;
    let alice = House::caller(ALICE, ACCOUNT);
    house.sleep(40);
    uses(&house, "Encrypt", json!({"KeyId": key, "Plaintext": "QQ=="})).await;
    house.sleep(29);
    for operation in ["DisableKey", "ScheduleKeyDeletion"] {
        let denied = house.call_as(&alice, operation, json!({"KeyId": key})).await.unwrap_err();
        assert_eq!(denied.0, "AccessDeniedException", "{operation}");
    }
    house.sleep(1);
    for operation in ["DisableKey", "ScheduleKeyDeletion"] {
        house.call_as(&alice, operation, json!({"KeyId": key})).await.unwrap();
    }
}
