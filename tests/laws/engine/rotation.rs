use std::collections::HashSet;
use std::sync::Arc;

use serde_json::json;

use super::house::{DAY, House, START, text};

#[tokio::test]
async fn a_rotation_happens_on_its_date_and_old_ciphertext_opens() {
    let house = House::new().await;
    let (id, arn) = house.key().await;
    assert_eq!(
        house.ok("GetKeyRotationStatus", json!({"KeyId": id})).await,
        json!({"KeyId": arn, "KeyRotationEnabled": false})
    );
    assert!(house.ok("EnableKeyRotation", json!({"KeyId": id, "RotationPeriodInDays": 90})).await.is_null());
    let before = house.ok("DescribeKey", json!({"KeyId": id})).await["KeyMetadata"]["CurrentKeyMaterialId"].clone();
    let sealed = house.ok("Encrypt", json!({"KeyId": id, "Plaintext": "c2VjcmV0"})).await;
    assert_eq!(house.kms.next_due().await.unwrap().unwrap().as_second(), START + 90 * DAY);

    house.sleep(91);
    assert_eq!(house.kms.rotate_due().await.unwrap(), 1);
    let after = house.ok("DescribeKey", json!({"KeyId": id})).await["KeyMetadata"]["CurrentKeyMaterialId"].clone();
    assert_ne!(before, after);
    assert_eq!(
        house.rotations(&id).await,
        [
            json!({"KeyId": arn, "KeyMaterialId": after, "KeyMaterialState": "CURRENT", "RotationDate": (START + 90 * DAY) as f64, "RotationType": "AUTOMATIC"})
        ]
    );
    assert_eq!(
        house.ok("GetKeyRotationStatus", json!({"KeyId": id})).await,
        json!({"KeyId": arn, "KeyRotationEnabled": true, "NextRotationDate": (START + 180 * DAY) as f64, "RotationPeriodInDays": 90})
    );
    assert_eq!(house.ok("GenerateDataKey", json!({"KeyId": id, "KeySpec": "AES_256"})).await["KeyMaterialId"], after);
    let opened = house.ok("Decrypt", json!({"CiphertextBlob": sealed["CiphertextBlob"]})).await;
    assert_eq!((&opened["Plaintext"], &opened["KeyMaterialId"]), (&json!("c2VjcmV0"), &before));

    let events = house.kms.pending_events(10).await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].name.as_str(), events[0].time.as_second()), ("RotateKey", START + 90 * DAY));
    house.kms.forget_events(&events).await.unwrap();
    assert!(house.kms.pending_events(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn ten_years_asleep_are_made_up_once_each_on_its_date() {
    let house = House::new().await;
    let (id, _) = house.key().await;
    house.ok("EnableKeyRotation", json!({"KeyId": id, "RotationPeriodInDays": 90})).await;
    let sealed = house.ok("Encrypt", json!({"KeyId": id, "Plaintext": "c2VjcmV0"})).await;
    house.sleep(3652);
    let house = house.restarted().await;
    assert_eq!(house.kms.rotate_due().await.unwrap(), 40);
    assert_eq!(house.kms.rotate_due().await.unwrap(), 0);
    let rotations = house.rotations(&id).await;
    let dates: Vec<f64> = rotations.iter().map(|rotation| rotation["RotationDate"].as_f64().unwrap()).collect();
    assert_eq!(dates, (1..=40).map(|n| (START + n * 90 * DAY) as f64).collect::<Vec<_>>());
    let materials: HashSet<String> = rotations.iter().map(|rotation| text(&rotation["KeyMaterialId"])).collect();
    assert_eq!(materials.len(), 40);
    let states: Vec<String> = rotations.iter().map(|rotation| text(&rotation["KeyMaterialState"])).collect();
    assert!(states[..39].iter().all(|state| state == "NON_CURRENT") && states[39] == "CURRENT");
    assert_eq!(
        house.ok("Decrypt", json!({"CiphertextBlob": sealed["CiphertextBlob"]})).await["Plaintext"],
        json!("c2VjcmV0")
    );
    assert_eq!(house.kms.pending_events(100).await.unwrap().len(), 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_many_rotate_each_date_comes_once() {
    let house = Arc::new(House::new().await);
    let mut keys = Vec::new();
    for _ in 0..20 {
        let (id, _) = house.key().await;
        house.ok("EnableKeyRotation", json!({"KeyId": id, "RotationPeriodInDays": 100})).await;
        keys.push(id);
    }
    house.sleep(310);
    let mut working = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let house = Arc::clone(&house);
        working.spawn(async move { house.kms.rotate_due().await.unwrap() });
    }
    for id in keys.clone() {
        let house = Arc::clone(&house);
        working.spawn(async move {
            house.ok("GenerateDataKey", json!({"KeyId": id, "KeySpec": "AES_256"})).await;
            0
        });
    }
    let mut done = 0;
    while let Some(count) = working.join_next().await {
        done += count.unwrap();
    }
    for id in keys {
        let dates: Vec<f64> =
            house.rotations(&id).await.iter().map(|rotation| rotation["RotationDate"].as_f64().unwrap()).collect();
        assert_eq!(dates, [100, 200, 300].map(|day| (START + day * DAY) as f64));
    }
    assert!(done <= 60, "{done} claimed");
    assert_eq!(house.kms.pending_events(100).await.unwrap().len(), 60);
}

#[tokio::test]
async fn an_overdue_key_that_is_used_rotates_first() {
    let house = House::new().await;
    for (operation, body) in [
        ("GenerateDataKey", json!({"KeySpec": "AES_256"})),
        ("GetKeyRotationStatus", json!({})),
        ("DescribeKey", json!({})),
    ] {
        let (id, _) = house.key().await;
        house.ok("EnableKeyRotation", json!({"KeyId": id})).await;
        let before = house.ok("DescribeKey", json!({"KeyId": id})).await["KeyMetadata"]["CurrentKeyMaterialId"].clone();
        house.sleep(365);
        let mut body = body;
        body["KeyId"] = json!(id);
        let answer = house.ok(operation, body).await;
        if let Some(material) = answer.get("KeyMaterialId") {
            assert_ne!(*material, before);
        }
        assert_eq!(house.rotations(&id).await.len(), 1, "{operation}");
    }
}

#[tokio::test]
async fn enabling_again_moves_the_date_only_with_another_period() {
    let house = House::new().await;
    let (id, _) = house.key().await;
    let next = async || house.ok("GetKeyRotationStatus", json!({"KeyId": id})).await["NextRotationDate"].as_f64();
    house.ok("EnableKeyRotation", json!({"KeyId": id, "RotationPeriodInDays": 180})).await;
    house.sleep(10);
    for body in [json!({"KeyId": id}), json!({"KeyId": id, "RotationPeriodInDays": 180})] {
        house.ok("EnableKeyRotation", body).await;
        assert_eq!(next().await, Some((START + 180 * DAY) as f64));
    }
    house.ok("EnableKeyRotation", json!({"KeyId": id, "RotationPeriodInDays": 181})).await;
    assert_eq!(next().await, Some((START + 191 * DAY) as f64));
    house.ok("DisableKeyRotation", json!({"KeyId": id})).await;
    assert_eq!((next().await, house.kms.next_due().await.unwrap()), (None, None));
    house.ok("EnableKeyRotation", json!({"KeyId": id})).await;
    assert_eq!(next().await, Some((START + 375 * DAY) as f64));
}

#[tokio::test]
async fn a_disabled_key_waits_and_rotates_once_it_is_enabled() {
    let house = House::new().await;
    let (id, _) = house.key().await;
    house.ok("EnableKeyRotation", json!({"KeyId": id, "RotationPeriodInDays": 90})).await;
    house.ok("DisableKey", json!({"KeyId": id})).await;
    house.sleep(200);
    assert_eq!(house.kms.rotate_due().await.unwrap(), 0);
    assert_eq!(house.ok("GetKeyRotationStatus", json!({"KeyId": id})).await["KeyRotationEnabled"], json!(true));
    assert!(house.rotations(&id).await.is_empty());
    house.ok("EnableKey", json!({"KeyId": id})).await;
    assert_eq!(house.rotations(&id).await.len(), 1);
    assert_eq!(house.kms.next_due().await.unwrap().unwrap().as_second(), START + 290 * DAY);
}

#[tokio::test]
async fn pending_deletion_hides_the_schedule_and_cancelling_restores_it() {
    let house = House::new().await;
    for (asleep, rotations) in [(1, 0), (20, 1)] {
        let (id, _) = house.key().await;
        house.ok("EnableKeyRotation", json!({"KeyId": id, "RotationPeriodInDays": 90})).await;
        house.sleep(80);
        house.ok("ScheduleKeyDeletion", json!({"KeyId": id})).await;
        let status = house.ok("GetKeyRotationStatus", json!({"KeyId": id})).await;
        assert_eq!((&status["KeyRotationEnabled"], status.get("NextRotationDate")), (&json!(false), None));
        house.sleep(asleep);
        assert_eq!(house.kms.rotate_due().await.unwrap(), 0);
        house.ok("CancelKeyDeletion", json!({"KeyId": id})).await;
        assert_eq!(house.rotations(&id).await.len(), rotations);
        assert_eq!(house.ok("GetKeyRotationStatus", json!({"KeyId": id})).await["KeyRotationEnabled"], json!(true));
    }
}

#[tokio::test]
async fn on_demand_rotations_end_at_25_and_leave_the_schedule_alone() {
    let house = House::new().await;
    let (id, arn) = house.key().await;
    house.ok("EnableKeyRotation", json!({"KeyId": id})).await;
    let first = house.ok("DescribeKey", json!({"KeyId": id})).await["KeyMetadata"]["CurrentKeyMaterialId"].clone();
    let mut sealed = Vec::new();
    for _ in 0..25 {
        sealed.push(house.ok("Encrypt", json!({"KeyId": id, "Plaintext": "QQ=="})).await["CiphertextBlob"].clone());
        assert_eq!(house.ok("RotateKeyOnDemand", json!({"KeyId": id})).await, json!({"KeyId": arn}));
    }
    assert_eq!(
        house.fails("RotateKeyOnDemand", json!({"KeyId": id})).await,
        (
            "LimitExceededException".to_owned(),
            format!(
                "The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed for this key: {arn}"
            )
        )
    );
    for blob in sealed {
        assert_eq!(house.ok("Decrypt", json!({"CiphertextBlob": blob})).await["Plaintext"], json!("QQ=="));
    }
    let status = house.ok("GetKeyRotationStatus", json!({"KeyId": id})).await;
    assert_eq!(status["NextRotationDate"], json!((START + 365 * DAY) as f64));

    let mut entries = Vec::new();
    let mut marker = serde_json::Value::Null;
    loop {
        let body = json!({"KeyId": id, "IncludeKeyMaterial": "ALL_KEY_MATERIAL", "Limit": 10, "Marker": marker});
        let page = house.ok("ListKeyRotations", body).await;
        entries.extend(page["Rotations"].as_array().unwrap().clone());
        marker = page["NextMarker"].clone();
        if marker.is_null() {
            break;
        }
    }
    assert_eq!(entries.len(), 26);
    assert_eq!(entries[0], json!({"KeyId": arn, "KeyMaterialId": first, "KeyMaterialState": "NON_CURRENT"}));
    assert!(entries[1..].iter().all(|entry| entry["RotationType"] == json!("ON_DEMAND")));
}

#[tokio::test]
async fn the_rotation_operations_take_no_alias() {
    let house = House::new().await;
    let (id, _) = house.key().await;
    house.ok("CreateAlias", json!({"AliasName": "alias/a", "TargetKeyId": id})).await;
    for operation in
        ["EnableKeyRotation", "DisableKeyRotation", "GetKeyRotationStatus", "ListKeyRotations", "RotateKeyOnDemand"]
    {
        for key in ["alias/a", "arn:aws:kms:us-east-1:111122223333:alias/a"] {
            assert_eq!(
                house.fails(operation, json!({"KeyId": key})).await,
                ("InvalidArnException".to_owned(), "Key Aliases are not supported for this operation.".to_owned())
            );
        }
    }
}
