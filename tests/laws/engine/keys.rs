use std::sync::Arc;

use keystile::kms::{Quotas, Settings};
use serde_json::{Value, json};

use super::house::{ACCOUNT, DAY, House, START, open, root_key, text};

#[tokio::test]
async fn a_key_lives_from_creation_to_deletion() {
    let house = House::new().await;
    let made = house
        .ok(
            "CreateKey",
            json!({"Description": "d", "Tags": [{"TagKey": "b", "TagValue": "1"}, {"TagKey": "a", "TagValue": ""}]}),
        )
        .await;
    let metadata = &made["KeyMetadata"];
    let id = text(&metadata["KeyId"]);
    assert_eq!(metadata["Arn"], json!(format!("arn:aws:kms:us-east-1:{ACCOUNT}:key/{id}")));
    assert_eq!(metadata["CreationDate"], json!(START as f64));
    assert_eq!(
        (&metadata["Enabled"], &metadata["KeyState"], &metadata["Description"]),
        (&json!(true), &json!("Enabled"), &json!("d"))
    );
    assert_eq!(text(&metadata["CurrentKeyMaterialId"]).len(), 64);
    assert_eq!(house.ok("DescribeKey", json!({"KeyId": id})).await, made);

    let tags = house.ok("ListResourceTags", json!({"KeyId": id})).await;
    assert_eq!(tags["Tags"], json!([{"TagKey": "a", "TagValue": ""}, {"TagKey": "b", "TagValue": "1"}]));
    house.ok("TagResource", json!({"KeyId": id, "Tags": [{"TagKey": "b", "TagValue": "2"}]})).await;
    house.ok("UntagResource", json!({"KeyId": id, "TagKeys": ["a", "none"]})).await;
    assert_eq!(
        house.ok("ListResourceTags", json!({"KeyId": id})).await["Tags"],
        json!([{"TagKey": "b", "TagValue": "2"}])
    );

    house.ok("UpdateKeyDescription", json!({"KeyId": id, "Description": "e"})).await;
    house.ok("CreateAlias", json!({"AliasName": "alias/k", "TargetKeyId": id})).await;
    let scheduled = house.ok("ScheduleKeyDeletion", json!({"KeyId": id, "PendingWindowInDays": 7})).await;
    assert_eq!(
        scheduled,
        json!({"KeyId": metadata["Arn"], "DeletionDate": (START + 7 * DAY) as f64, "KeyState": "PendingDeletion", "PendingWindowInDays": 7})
    );
    house.sleep(6);
    let pending = house.ok("DescribeKey", json!({"KeyId": "alias/k"})).await;
    assert_eq!(pending["KeyMetadata"]["DeletionDate"], scheduled["DeletionDate"]);
    assert_eq!(house.kms.rotate_due().await.unwrap(), 0);
    house.sleep(1);
    // Whether the scheduler or a request comes first, the key is gone at its date.
    let (code, message) = house.fails("DescribeKey", json!({"KeyId": id})).await;
    assert_eq!(
        (code.as_str(), message),
        ("NotFoundException", format!("Key '{}' does not exist", text(&metadata["Arn"])))
    );
    assert_eq!(house.fails("DescribeKey", json!({"KeyId": "alias/k"})).await.0, "NotFoundException");
    assert_eq!(house.kms.rotate_due().await.unwrap(), 0);
    assert_eq!(house.kms.next_due().await.unwrap(), None);
    let events = house.kms.pending_events(10).await.unwrap();
    assert_eq!(events.iter().map(|event| event.name.as_str()).collect::<Vec<_>>(), ["DeleteKey"]);
}

#[tokio::test]
async fn lists_come_in_pages_without_gap_or_repetition() {
    let house = House::new().await;
    let mut made = Vec::new();
    for _ in 0..7 {
        made.push(house.key().await.0);
    }
    made.sort();
    let mut listed = Vec::new();
    let mut marker = Value::Null;
    loop {
        let page = house.ok("ListKeys", json!({"Limit": 3, "Marker": marker})).await;
        listed.extend(page["Keys"].as_array().unwrap().iter().map(|key| text(&key["KeyId"])));
        marker = page["NextMarker"].clone();
        if page["Truncated"] == json!(false) {
            break;
        }
    }
    assert_eq!(listed, made);
    assert!(marker.is_null());
    assert_eq!(house.fails("ListKeys", json!({"Marker": "nonsense"})).await.0, "InvalidMarkerException");
    assert_eq!(
        house.ok("ListKeyPolicies", json!({"KeyId": made[0]})).await,
        json!({"PolicyNames": ["default"], "Truncated": false})
    );
}

#[tokio::test]
async fn the_quota_of_keys_holds_at_the_limit() {
    let house = Arc::new(House::with_quotas(Quotas { keys: 20, ..Quotas::default() }).await);
    let mut making = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let house = Arc::clone(&house);
        making.spawn(async move { house.key().await });
    }
    while let Some(made) = making.join_next().await {
        made.unwrap();
    }
    assert_eq!(house.fails("CreateKey", json!({})).await.0, "LimitExceededException");
}

#[tokio::test]
async fn a_policy_is_checked_before_it_is_stored() {
    let house = House::new().await;
    let (id, _) = house.key().await;
    let statement = |principal: &str| json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "kms:*", "Resource": "*"}]});
    let root = "arn:aws:iam::111122223333:root";
    let first = house.ok("GetKeyPolicy", json!({"KeyId": id})).await;
    assert!(text(&first["Policy"]).contains(root) && first["PolicyName"] == json!("default"));

    for (policy, code, message) in [
        (
            statement("arn:aws:iam::111122223333:user/ghost").to_string(),
            "MalformedPolicyDocumentException",
            "Policy contains a statement with one or more invalid principals.",
        ),
        (
            statement("arn:aws:iam::111122223333:user/alice").to_string(),
            "MalformedPolicyDocumentException",
            "The new key policy will not allow you to update the key policy in the future.",
        ),
        (
            "{\"Version\": \"2012-10-17\",\n \"Statement\": [}".to_owned(),
            "MalformedPolicyDocumentException",
            "line 2, column",
        ),
        (format!("{}{}", statement(root), " ".repeat(32 * 1024)), "LimitExceededException", "32768"),
    ] {
        for (operation, body) in
            [("PutKeyPolicy", json!({"KeyId": id, "Policy": policy})), ("CreateKey", json!({"Policy": policy}))]
        {
            let (got, text) = house.fails(operation, body).await;
            assert!(got == code && text.contains(message), "{operation}: {got} {text}");
        }
    }
    assert_eq!(house.ok("GetKeyPolicy", json!({"KeyId": id})).await, first, "nothing was half done");
    for name in ["GetKeyPolicy", "PutKeyPolicy"] {
        let body = json!({"KeyId": id, "PolicyName": "other", "Policy": statement(root).to_string()});
        assert_eq!(house.fails(name, body).await, ("NotFoundException".to_owned(), "No such policy exists".to_owned()));
    }

    let padded = format!("{:32768}", statement(root).to_string());
    house.ok("PutKeyPolicy", json!({"KeyId": id, "Policy": padded})).await;
    assert_eq!(house.ok("GetKeyPolicy", json!({"KeyId": id})).await["Policy"], json!(padded));
    // Bypassed, the caller locks itself out, at once.
    let closed = statement("arn:aws:iam::111122223333:user/alice").to_string();
    house.ok("PutKeyPolicy", json!({"KeyId": id, "Policy": closed, "BypassPolicyLockoutSafetyCheck": true})).await;
    assert_eq!(house.fails("GetKeyPolicy", json!({"KeyId": id})).await.0, "AccessDeniedException");
    let alice = House::caller("arn:aws:iam::111122223333:user/alice", ACCOUNT);
    assert_eq!(house.call_as(&alice, "GetKeyPolicy", json!({"KeyId": id})).await.unwrap()["Policy"], json!(closed));
}

#[tokio::test]
async fn what_was_made_is_there_after_a_restart_and_only_under_its_root_key() {
    let house = House::new().await;
    let (id, _) = house.key().await;
    let sealed = house.ok("Encrypt", json!({"KeyId": id, "Plaintext": "c2VjcmV0"})).await;
    let house = house.restarted().await;
    let opened = house.ok("Decrypt", json!({"CiphertextBlob": sealed["CiphertextBlob"]})).await;
    assert_eq!(opened["Plaintext"], json!("c2VjcmV0"));

    let House { kms, clock, directory, authorizer, .. } = house;
    drop((kms, authorizer));
    let error = open(directory.path(), root_key(2), &clock, Settings::default(), false).await.err().unwrap();
    assert!(error.to_string().contains("root key"), "{error}");
}

#[tokio::test]
async fn a_moved_clock_stays_with_the_data() {
    let house = House::new().await;
    let House { kms, clock, directory, authorizer, .. } = house;
    let now = kms.advance_clock(91 * 86_400).await.unwrap();
    assert_eq!(now.as_second(), START + 91 * DAY);
    assert_eq!(kms.advance_clock(0).await.unwrap(), now);
    assert!(kms.advance_clock(u64::MAX).await.is_err());
    drop((kms, authorizer));
    let error = open(directory.path(), root_key(1), &clock, Settings::default(), false).await.err().unwrap();
    assert!(error.to_string().contains("--test-clock"), "{error}");
    let (kms, _) = open(directory.path(), root_key(1), &clock, Settings::default(), true).await.unwrap();
    assert_eq!(kms.advance_clock(1).await.unwrap().as_second(), START + 91 * DAY + 1);
}

#[tokio::test]
async fn other_accounts_do_what_aws_lets_them_and_no_more() {
    let house = House::new().await;
    let (id, arn) = house.key().await;
    let stranger = House::caller("arn:aws:iam::444455556666:root", "444455556666");
    for (operation, body) in [
        ("DescribeKey", json!({"KeyId": arn})),
        ("EnableKeyRotation", json!({"KeyId": arn})),
        ("Encrypt", json!({"KeyId": arn, "Plaintext": "QQ=="})),
        ("Encrypt", json!({"KeyId": "arn:aws:kms:us-east-1:111122223333:alias/none", "Plaintext": "QQ=="})),
    ] {
        assert_eq!(
            house.call_as(&stranger, operation, body).await.unwrap_err().0,
            "AccessDeniedException",
            "{operation}"
        );
    }
    let (code, message) = house.call_as(&stranger, "DescribeKey", json!({"KeyId": id})).await.unwrap_err();
    assert_eq!(code, "NotFoundException", "a bare id is the caller's own account's: {message}");
}
