use serde_json::{Value, json};

use super::house::{ACCOUNT, DAY, House, Outcome, START, text};

const HERE: &str = "us-east-1";
const THERE: &str = "eu-west-1";
const ELSEWHERE: &str = "ap-southeast-2";

async fn call_in(house: &House, region: &str, operation: &str, body: Value) -> Outcome {
    house.call_in(region, &House::root(), operation, body).await
}

async fn ok_in(house: &House, region: &str, operation: &str, body: Value) -> Value {
    match call_in(house, region, operation, body.clone()).await {
        Ok(answer) => answer,
        Err(error) => panic!("{operation} {body}: {error:?}"),
    }
}

async fn fails_in(house: &House, region: &str, operation: &str, body: Value) -> (String, String) {
    match call_in(house, region, operation, body.clone()).await {
        Err(error) => error,
        Ok(answer) => panic!("{operation} {body}: {answer}"),
    }
}

fn arn(region: &str, id: &str) -> String {
    format!("arn:aws:kms:{region}:{ACCOUNT}:key/{id}")
}

/// A new multi-Region key with a replica in each Region.
async fn replicated(house: &House, regions: &[&str]) -> String {
    let made = house.ok("CreateKey", json!({"MultiRegion": true, "Description": "d"})).await;
    let id = text(&made["KeyMetadata"]["KeyId"]);
    for region in regions {
        house.ok("ReplicateKey", json!({"KeyId": id, "ReplicaRegion": region})).await;
    }
    id
}

#[tokio::test]
async fn a_replica_has_id_and_material_in_common_and_nothing_else() {
    let house = House::new().await;
    let made = house
        .ok("CreateKey", json!({"MultiRegion": true, "Description": "d", "Tags": [{"TagKey": "a", "TagValue": "1"}]}))
        .await;
    let metadata = &made["KeyMetadata"];
    let id = text(&metadata["KeyId"]);
    assert!(id.starts_with("mrk-") && id.len() == 36, "{id}");
    assert_eq!(
        (&metadata["MultiRegion"], &metadata["MultiRegionConfiguration"]),
        (
            &json!(true),
            &json!({"MultiRegionKeyType": "PRIMARY", "PrimaryKey": {"Arn": arn(HERE, &id), "Region": HERE}, "ReplicaKeys": []})
        )
    );
    assert_eq!(fails_in(&house, THERE, "DescribeKey", json!({"KeyId": id})).await.0, "NotFoundException");

    let answer = house
        .ok(
            "ReplicateKey",
            json!({"KeyId": arn(HERE, &id), "ReplicaRegion": THERE, "Tags": [{"TagKey": "b", "TagValue": "2"}]}),
        )
        .await;
    let configuration = json!({"MultiRegionKeyType": "REPLICA", "PrimaryKey": {"Arn": arn(HERE, &id), "Region": HERE},
        "ReplicaKeys": [{"Arn": arn(THERE, &id), "Region": THERE}]});
    let replica = &answer["ReplicaKeyMetadata"];
    assert_eq!(replica["MultiRegionConfiguration"], configuration);
    assert_eq!(
        (&replica["Arn"], &replica["Description"], &replica["KeyState"]),
        (&json!(arn(THERE, &id)), &json!(""), &json!("Enabled"))
    );
    assert_eq!(replica["CurrentKeyMaterialId"], metadata["CurrentKeyMaterialId"]);
    assert_eq!(answer["ReplicaTags"], json!([{"TagKey": "b", "TagValue": "2"}]));
    assert!(text(&answer["ReplicaPolicy"]).contains("Enable IAM User Permissions"));
    assert_eq!(ok_in(&house, THERE, "DescribeKey", json!({"KeyId": id})).await["KeyMetadata"], *replica);
    let primary = house.ok("DescribeKey", json!({"KeyId": id})).await;
    assert_eq!(primary["KeyMetadata"]["MultiRegionConfiguration"]["ReplicaKeys"], configuration["ReplicaKeys"]);
    assert_eq!(ok_in(&house, THERE, "ListKeys", json!({})).await["Keys"].as_array().unwrap().len(), 1);

    // State, aliases and policy are each one's own.
    house.ok("CreateAlias", json!({"AliasName": "alias/k", "TargetKeyId": id})).await;
    assert_eq!(fails_in(&house, THERE, "DescribeKey", json!({"KeyId": "alias/k"})).await.0, "NotFoundException");
    ok_in(&house, THERE, "DisableKey", json!({"KeyId": id})).await;
    assert_eq!(house.ok("DescribeKey", json!({"KeyId": id})).await["KeyMetadata"]["KeyState"], json!("Enabled"));
}

#[tokio::test]
async fn a_ciphertext_of_one_region_decrypts_in_another() {
    let house = House::new().await;
    let id = replicated(&house, &[THERE]).await;
    let context = json!({"a": "1"});
    let made = house.ok("Encrypt", json!({"KeyId": id, "Plaintext": "QUJD", "EncryptionContext": context})).await;
    let decrypt = json!({"CiphertextBlob": made["CiphertextBlob"], "EncryptionContext": context});
    let opened = ok_in(&house, THERE, "Decrypt", decrypt.clone()).await;
    assert_eq!((&opened["Plaintext"], &opened["KeyId"]), (&json!("QUJD"), &json!(arn(THERE, &id))));
    assert_eq!(fails_in(&house, ELSEWHERE, "Decrypt", decrypt.clone()).await.0, "NotFoundException");
    let mut named = decrypt.clone();
    named["KeyId"] = json!(arn(HERE, &id));
    assert_eq!(fails_in(&house, THERE, "Decrypt", named.clone()).await.0, "IncorrectKeyException");
    named["KeyId"] = json!(id);
    ok_in(&house, THERE, "Decrypt", named).await;

    // A rotation of the primary is the replicas' too, and old ciphertext decrypts everywhere.
    house.ok("EnableKeyRotation", json!({"KeyId": id, "RotationPeriodInDays": 90})).await;
    house.sleep(91);
    house.kms.rotate_due().await.unwrap();
    house.ok("RotateKeyOnDemand", json!({"KeyId": id})).await;
    let primary = house.ok("DescribeKey", json!({"KeyId": id})).await["KeyMetadata"]["CurrentKeyMaterialId"].clone();
    let replica =
        ok_in(&house, THERE, "DescribeKey", json!({"KeyId": id})).await["KeyMetadata"]["CurrentKeyMaterialId"].clone();
    assert_eq!(primary, replica);
    ok_in(&house, THERE, "Decrypt", decrypt).await;
    let new = ok_in(&house, THERE, "GenerateDataKey", json!({"KeyId": id, "KeySpec": "AES_256"})).await;
    assert_eq!(new["KeyMaterialId"], primary);
    let house = house.restarted().await;
    house.ok("Decrypt", json!({"CiphertextBlob": new["CiphertextBlob"]})).await;

    // The replica tells of it under its own name.
    let listed = ok_in(&house, THERE, "ListKeyRotations", json!({"KeyId": id})).await;
    let listed = listed["Rotations"].as_array().unwrap();
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|rotation| rotation["KeyId"] == json!(arn(THERE, &id))));
    let status = ok_in(&house, THERE, "GetKeyRotationStatus", json!({"KeyId": id})).await;
    assert_eq!(
        status,
        json!({"KeyId": arn(THERE, &id), "KeyRotationEnabled": true, "RotationPeriodInDays": 90,
            "NextRotationDate": (START + 180 * DAY) as f64})
    );
    for operation in ["EnableKeyRotation", "DisableKeyRotation", "RotateKeyOnDemand"] {
        let (code, message) = fails_in(&house, THERE, operation, json!({"KeyId": id})).await;
        assert_eq!(code, "UnsupportedOperationException");
        let replica = arn(THERE, &id);
        assert_eq!(message, format!("{replica} is a multi-region replica key which is not valid for {operation}."));
    }
}

#[tokio::test]
async fn what_can_not_be_replicated_is_refused() {
    let house = House::new().await;
    let id = replicated(&house, &[THERE]).await;
    let (plain, _) = house.key().await;
    for (region, key, to, expected) in [
        (HERE, id.as_str(), THERE, "AlreadyExistsException"),
        (HERE, &id, HERE, "AlreadyExistsException"),
        (THERE, &id, ELSEWHERE, "UnsupportedOperationException"),
        (HERE, &plain, THERE, "UnsupportedOperationException"),
        (HERE, &id, "cn-north-1", "ValidationException"),
        (HERE, &id, "nowhere", "ValidationException"),
        (HERE, "mrk-00000000000000000000000000000000", THERE, "NotFoundException"),
    ] {
        let body = json!({"KeyId": key, "ReplicaRegion": to});
        assert_eq!(fails_in(&house, region, "ReplicateKey", body).await.0, expected, "{region} {key} {to}");
    }
    let locked = json!({"Version": "2012-10-17", "Statement": []}).to_string();
    let body = json!({"KeyId": id, "ReplicaRegion": ELSEWHERE, "Policy": locked});
    assert_eq!(house.fails("ReplicateKey", body).await.0, "MalformedPolicyDocumentException");
    // The policy must let its maker change it again in its own Region, not in the primary's.
    for (region, expected) in [(HERE, Err("MalformedPolicyDocumentException")), (ELSEWHERE, Ok(()))] {
        let house = House::new().await;
        let id = replicated(&house, &[]).await;
        let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*",
            "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")},
            "Condition": {"StringEquals": {"aws:RequestedRegion": region}}}]});
        let body = json!({"KeyId": id, "ReplicaRegion": ELSEWHERE, "Policy": policy.to_string()});
        let outcome = house.call("ReplicateKey", body).await;
        assert_eq!(outcome.as_ref().map(|_| ()).map_err(|(code, _)| code.as_str()), expected, "{region}");
    }
    // Nobody would reach a key in a Region that is not served.
    house.kms.serve_regions(Some(vec![HERE.parse().unwrap(), THERE.parse().unwrap()]));
    let body = json!({"KeyId": id, "ReplicaRegion": ELSEWHERE});
    assert_eq!(house.fails("ReplicateKey", body).await.0, "ValidationException");
    let body = json!({"KeyId": id, "PrimaryRegion": ELSEWHERE});
    assert_eq!(house.fails("UpdatePrimaryRegion", body).await.0, "ValidationException");
    house.kms.serve_regions(None);

    house.ok("DisableKey", json!({"KeyId": id})).await;
    let body = json!({"KeyId": id, "ReplicaRegion": ELSEWHERE});
    assert_eq!(house.fails("ReplicateKey", body).await.0, "DisabledException");
    let shown = house.ok("DescribeKey", json!({"KeyId": id})).await;
    assert_eq!(shown["KeyMetadata"]["MultiRegionConfiguration"]["ReplicaKeys"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_primary_moves_with_its_schedule() {
    let house = House::new().await;
    let id = replicated(&house, &[THERE, ELSEWHERE]).await;
    house.ok("EnableKeyRotation", json!({"KeyId": id, "RotationPeriodInDays": 100})).await;
    let to = |region: &str| json!({"KeyId": id, "PrimaryRegion": region});
    house.ok("UpdatePrimaryRegion", to(HERE)).await;
    assert_eq!(fails_in(&house, THERE, "UpdatePrimaryRegion", to(ELSEWHERE)).await.0, "KMSInvalidStateException");
    assert_eq!(house.fails("UpdatePrimaryRegion", to("eu-north-1")).await.0, "NotFoundException");
    house.ok("UpdatePrimaryRegion", to(THERE)).await;
    for region in [HERE, THERE, ELSEWHERE] {
        let shown = ok_in(&house, region, "DescribeKey", json!({"KeyId": id})).await;
        let configuration = &shown["KeyMetadata"]["MultiRegionConfiguration"];
        assert_eq!(configuration["PrimaryKey"]["Region"], json!(THERE));
        assert_eq!(configuration["MultiRegionKeyType"], json!(if region == THERE { "PRIMARY" } else { "REPLICA" }));
        let replicas: Vec<_> =
            configuration["ReplicaKeys"].as_array().unwrap().iter().map(|key| text(&key["Region"])).collect();
        assert_eq!(replicas, [ELSEWHERE, HERE]);
    }
    house.sleep(101);
    assert_eq!(house.kms.rotate_due().await.unwrap(), 1);
    assert_eq!(
        ok_in(&house, HERE, "ListKeyRotations", json!({"KeyId": id})).await["Rotations"].as_array().unwrap().len(),
        1
    );
    assert_eq!(
        fails_in(&house, HERE, "RotateKeyOnDemand", json!({"KeyId": id})).await.0,
        "UnsupportedOperationException"
    );
    ok_in(&house, THERE, "RotateKeyOnDemand", json!({"KeyId": id})).await;
    let status = ok_in(&house, ELSEWHERE, "GetKeyRotationStatus", json!({"KeyId": id})).await;
    assert_eq!(status["NextRotationDate"], json!((START + 200 * DAY) as f64));
}

#[tokio::test]
async fn a_primary_waits_for_its_replicas_to_be_deleted() {
    let house = House::new().await;
    let id = replicated(&house, &[THERE, ELSEWHERE]).await;
    let made = house.ok("Encrypt", json!({"KeyId": id, "Plaintext": "QQ=="})).await;
    let blob = json!({"CiphertextBlob": made["CiphertextBlob"]});
    let scheduled = house.ok("ScheduleKeyDeletion", json!({"KeyId": id, "PendingWindowInDays": 7})).await;
    assert_eq!(
        scheduled,
        json!({"KeyId": arn(HERE, &id), "KeyState": "PendingReplicaDeletion", "PendingWindowInDays": 7})
    );
    let shown = house.ok("DescribeKey", json!({"KeyId": id})).await["KeyMetadata"].clone();
    assert_eq!(
        (&shown["KeyState"], &shown["PendingDeletionWindowInDays"], &shown["DeletionDate"]),
        (&json!("PendingReplicaDeletion"), &json!(7), &Value::Null)
    );
    let (code, message) = house.fails("Encrypt", json!({"KeyId": id, "Plaintext": "QQ=="})).await;
    assert_eq!(
        (code.as_str(), message),
        ("KMSInvalidStateException", format!("{} is pending replica deletion.", arn(HERE, &id)))
    );
    // Cancelled and scheduled again.
    house.ok("CancelKeyDeletion", json!({"KeyId": id})).await;
    assert_eq!(house.ok("DescribeKey", json!({"KeyId": id})).await["KeyMetadata"]["KeyState"], json!("Disabled"));
    house.ok("ScheduleKeyDeletion", json!({"KeyId": id, "PendingWindowInDays": 7})).await;

    ok_in(&house, THERE, "ScheduleKeyDeletion", json!({"KeyId": id, "PendingWindowInDays": 7})).await;
    house.sleep(8);
    house.kms.rotate_due().await.unwrap();
    assert_eq!(fails_in(&house, THERE, "DescribeKey", json!({"KeyId": id})).await.0, "NotFoundException");
    ok_in(&house, ELSEWHERE, "Decrypt", blob.clone()).await;
    let shown = house.ok("DescribeKey", json!({"KeyId": id})).await["KeyMetadata"].clone();
    assert_eq!(
        (&shown["KeyState"], shown["MultiRegionConfiguration"]["ReplicaKeys"].as_array().unwrap().len()),
        (&json!("PendingReplicaDeletion"), 1)
    );

    ok_in(&house, ELSEWHERE, "ScheduleKeyDeletion", json!({"KeyId": id, "PendingWindowInDays": 7})).await;
    house.sleep(7);
    house.kms.rotate_due().await.unwrap();
    let shown = house.ok("DescribeKey", json!({"KeyId": id})).await["KeyMetadata"].clone();
    assert_eq!(
        (&shown["KeyState"], &shown["DeletionDate"]),
        (&json!("PendingDeletion"), &json!((START + 22 * DAY) as f64))
    );
    house.sleep(7);
    house.kms.rotate_due().await.unwrap();
    assert_eq!(house.fails("DescribeKey", json!({"KeyId": id})).await.0, "NotFoundException");
}

#[tokio::test]
async fn a_primary_and_its_replicas_go_in_their_turns_however_late() {
    let house = House::new().await;
    let id = replicated(&house, &[THERE, ELSEWHERE]).await;
    for region in [HERE, THERE, ELSEWHERE] {
        ok_in(&house, region, "ScheduleKeyDeletion", json!({"KeyId": id, "PendingWindowInDays": 7})).await;
    }
    house.sleep(60);
    assert_eq!(house.kms.rotate_due().await.unwrap(), 3);
    assert_eq!(house.kms.next_due().await.unwrap(), None);
    let events = house.kms.pending_events(10).await.unwrap();
    let days: Vec<i64> = events.iter().map(|event| (event.time.as_second() - START) / DAY).collect();
    assert_eq!(days, [7, 7, 14]);
}

/// The keys of one family are worked on at the same time, each beside the records of the others.
#[tokio::test]
async fn many_replicas_that_go_at_once_do_not_fail_each_other() {
    let house = House::new().await;
    for round in 0..4 {
        for _ in 0..8 {
            let id = replicated(&house, &[THERE, ELSEWHERE]).await;
            for region in [THERE, ELSEWHERE] {
                ok_in(&house, region, "ScheduleKeyDeletion", json!({"KeyId": id, "PendingWindowInDays": 7})).await;
            }
        }
        house.sleep(7);
        assert_eq!(house.kms.rotate_due().await.unwrap(), 16, "{round}");
    }
}
