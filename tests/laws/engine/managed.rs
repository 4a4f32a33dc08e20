//! AWS managed keys: made by their first use, the same for whoever comes, and changed by nobody.

use std::sync::Arc;

use keystile::authz::{AttachedDocument, PrincipalPolicies};
use keystile::cedar::Documents;
use keystile::iam::DocumentKind;
use keystile::kms::{Operation, Quotas};
use serde_json::{Value, json};

use super::house::{ACCOUNT, DAY, House, START, root_key, text};
use super::requests::{ALICE, BOB};

const S3: &str = "alias/aws/s3";

async fn described(house: &House, alias: &str) -> Value {
    house.ok("DescribeKey", json!({"KeyId": alias})).await["KeyMetadata"].clone()
}

async fn listed(house: &House, operation: &str, member: &str) -> Vec<Value> {
    house.ok(operation, json!({"Limit": 100})).await[member].as_array().unwrap().clone()
}

async fn alias(house: &House, name: &str) -> Value {
    let all = listed(house, "ListAliases", "Aliases").await;
    all.into_iter().find(|entry| entry["AliasName"] == json!(name)).unwrap()
}

#[tokio::test]
async fn the_first_use_of_a_predefined_alias_makes_its_key() {
    let house = House::new().await;
    let alias_arn = format!("arn:aws:kms:us-east-1:{ACCOUNT}:{S3}");
    assert_eq!(alias(&house, S3).await, json!({"AliasName": S3, "AliasArn": alias_arn}));
    assert!(listed(&house, "ListKeys", "Keys").await.is_empty());

    let key = described(&house, S3).await;
    let (id, arn) = (text(&key["KeyId"]), text(&key["Arn"]));
    assert_eq!(arn, format!("arn:aws:kms:us-east-1:{ACCOUNT}:key/{id}"));
    assert_eq!(
        (&key["KeyManager"], &key["Description"]),
        (&json!("AWS"), &json!("Default key that protects my S3 objects when no other key is defined"))
    );
    for (member, value) in [
        ("AWSAccountId", json!(ACCOUNT)),
        ("CreationDate", json!(START as f64)),
        ("Enabled", json!(true)),
        ("KeyState", json!("Enabled")),
        ("KeyUsage", json!("ENCRYPT_DECRYPT")),
        ("KeySpec", json!("SYMMETRIC_DEFAULT")),
        ("Origin", json!("AWS_KMS")),
        ("MultiRegion", json!(false)),
    ] {
        assert_eq!(key[member], value, "{member}");
    }
    assert_ne!(text(&key["CurrentKeyMaterialId"]), "0".repeat(64));
    for name in [id.as_str(), &arn, &alias_arn] {
        assert_eq!(described(&house, name).await, key, "{name}");
    }
    assert_eq!(listed(&house, "ListKeys", "Keys").await, [json!({"KeyId": id, "KeyArn": arn})]);
    let entry = json!({"AliasName": S3, "AliasArn": alias_arn, "TargetKeyId": id,
        "CreationDate": START as f64, "LastUpdatedDate": START as f64});
    assert_eq!(alias(&house, S3).await, entry);
    assert_eq!(house.ok("ListAliases", json!({"KeyId": id})).await["Aliases"], json!([entry]));
    let policy = text(&house.ok("GetKeyPolicy", json!({"KeyId": id})).await["Policy"]);
    assert!(policy.contains(r#""Id" : "auto-s3-2""#) && policy.contains("s3.us-east-1.amazonaws.com"), "{policy}");
    let events = house.kms.pending_events(10).await.unwrap();
    assert_eq!((events.len(), events[0].name.as_str()), (1, "CreateKey"));
    assert_eq!(events[0].key.as_ref().map(keystile::aws::Arn::as_str), Some(arn.as_str()));
    assert_eq!(events[0].details, json!({"keyId": id, "aliasNames": [S3], "keyManager": "AWS"}));

    // Another service's, another Region's and another account's are others.
    assert_ne!(described(&house, "alias/aws/ebs").await["KeyId"], json!(id));
    let there = house.call_in("eu-west-1", &House::root(), "DescribeKey", json!({"KeyId": S3})).await.unwrap();
    assert_ne!(there["KeyMetadata"]["KeyId"], json!(id));
    let stranger = House::caller("arn:aws:iam::444455556666:root", "444455556666");
    let theirs = house.call_as(&stranger, "DescribeKey", json!({"KeyId": S3})).await.unwrap();
    assert_ne!(theirs["KeyMetadata"]["KeyId"], json!(id));

    // It is there for ever, and its material with it.
    house.kms.begin_root_key_rotation(&root_key(2)).await.unwrap();
    house.kms.complete_root_key_rotation(&|_| {}).await.unwrap();
    assert_eq!(described(&house, S3).await, key);
    assert_eq!(house.fails("DescribeKey", json!({"KeyId": "alias/aws/nonsense"})).await.0, "NotFoundException");
}

#[tokio::test]
async fn a_managed_key_outlives_a_restart() {
    let house = House::new().await;
    let key = described(&house, "alias/aws/rds").await;
    let house = house.restarted().await;
    assert_eq!(described(&house, "alias/aws/rds").await, key);
    assert_eq!(listed(&house, "ListKeys", "Keys").await.len(), 1);
}

#[tokio::test]
async fn every_service_has_its_key() {
    let house = House::new().await;
    let names: Vec<String> =
        listed(&house, "ListAliases", "Aliases").await.iter().map(|entry| text(&entry["AliasName"])).collect();
    for service in ["acm", "dynamodb", "ebs", "kinesis", "lambda", "rds", "s3", "secretsmanager", "sns", "sqs", "ssm"] {
        assert!(names.contains(&format!("alias/aws/{service}")), "{service}");
    }
    for name in &names {
        let key = described(&house, name).await;
        assert_eq!(key["KeyManager"], json!("AWS"), "{name}");
        house.ok("GetKeyPolicy", json!({"KeyId": key["KeyId"]})).await;
    }
    assert_eq!(listed(&house, "ListKeys", "Keys").await.len(), names.len());
    assert!(listed(&house, "ListAliases", "Aliases").await.iter().all(|entry| entry.get("TargetKeyId").is_some()));
}

#[tokio::test]
async fn the_list_of_aliases_comes_in_pages_of_any_length() {
    let house = House::new().await;
    let (id, _) = house.key().await;
    for name in ["alias/a", "alias/aws-x", "alias/awt", "alias/z"] {
        house.ok("CreateAlias", json!({"AliasName": name, "TargetKeyId": id})).await;
    }
    for name in ["alias/aws/acm", "alias/aws/rds", "alias/aws/xray"] {
        described(&house, name).await;
    }
    let expected = listed(&house, "ListAliases", "Aliases").await;
    let names: Vec<String> = expected.iter().map(|entry| text(&entry["AliasName"])).collect();
    assert!(names.is_sorted() && names.len() == 25, "{names:?}");
    assert_eq!(expected.iter().filter(|entry| entry.get("TargetKeyId").is_some()).count(), 7);
    for limit in 1..=names.len() {
        let (mut found, mut marker) = (Vec::new(), Value::Null);
        loop {
            let page = house.ok("ListAliases", json!({"Limit": limit, "Marker": marker})).await;
            let entries = page["Aliases"].as_array().unwrap();
            assert!(entries.len() <= limit);
            found.extend(entries.iter().cloned());
            marker = page["NextMarker"].clone();
            if marker.is_null() {
                break;
            }
        }
        assert_eq!(found, expected, "{limit} at a time");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_many_come_first_there_is_one_key() {
    let house = Arc::new(House::new().await);
    for name in ["alias/aws/s3", "alias/aws/ssm", "alias/aws/ebs"] {
        let mut working = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let house = Arc::clone(&house);
            working.spawn(async move { described(&house, name).await });
        }
        let told = working.join_all().await;
        assert!(told.iter().all(|key| *key == told[0]), "{name}");
    }
    assert_eq!(listed(&house, "ListKeys", "Keys").await.len(), 3);
    assert_eq!(house.kms.pending_events(10).await.unwrap().len(), 3);
}

#[tokio::test]
async fn who_may_not_use_a_key_makes_none() {
    let house = House::new().await;
    let alice = House::caller(ALICE, ACCOUNT);
    let stranger = House::caller("arn:aws:iam::444455556666:root", "444455556666");
    let arn = json!({"KeyId": format!("arn:aws:kms:us-east-1:{ACCOUNT}:{S3}")});
    for caller in [&alice, &stranger] {
        assert_eq!(house.call_as(caller, "DescribeKey", arn.clone()).await.unwrap_err().0, "AccessDeniedException");
    }
    // The account's own policies give away what the key policy gives the account: to look, and no more.
    let document = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}}"#;
    let document = Documents::default().compile(DocumentKind::IdentityPolicy, document).unwrap();
    let own = AttachedDocument { document, arn: None, source: None };
    let own = Arc::new(PrincipalPolicies::new(vec![own], None, None));
    for (operation, body, expected) in [
        ("DescribeKey", json!({"KeyId": S3}), true),
        ("Encrypt", json!({"KeyId": S3, "Plaintext": "QQ=="}), false),
        ("GenerateDataKey", json!({"KeyId": S3, "KeySpec": "AES_256"}), false),
        ("Decrypt", json!({"KeyId": S3, "CiphertextBlob": "QQ=="}), false),
        ("ReEncrypt", json!({"SourceKeyId": S3, "DestinationKeyId": S3, "CiphertextBlob": "QQ=="}), false),
    ] {
        let parsed = Operation::parse(operation, body.to_string().as_bytes()).unwrap();
        let resolved = house.kms.resolve(parsed, &alice, &house.surroundings()).await.unwrap();
        assert_eq!(house.authorizer.authorize(resolved, &own, None).is_ok(), expected, "{operation}");
        // The root user has no more than that either.
        if !expected {
            let (code, message) = house.fails(operation, body).await;
            assert_eq!(code, "AccessDeniedException", "{operation}");
            assert!(message.contains("because no resource-based policy allows the kms:"), "{operation}: {message}");
        }
    }
    assert!(listed(&house, "ListKeys", "Keys").await.is_empty());
    assert!(alias(&house, S3).await.get("TargetKeyId").is_none());
    assert!(house.kms.pending_events(10).await.unwrap().is_empty());
    assert_eq!(house.kms.next_due().await.unwrap(), None);
}

#[tokio::test]
async fn nobody_changes_a_managed_key() {
    let house = House::new().await;
    let (own, _) = house.key().await;
    let key = described(&house, S3).await;
    let (id, arn) = (text(&key["KeyId"]), text(&key["Arn"]));
    let policy = json!({"Version": "2012-10-17", "Statement": []}).to_string();
    let before = alias(&house, S3).await;
    for (operation, more, action) in [
        ("PutKeyPolicy", json!({"Policy": policy, "BypassPolicyLockoutSafetyCheck": true}), ""),
        ("EnableKeyRotation", json!({"RotationPeriodInDays": 90}), ""),
        ("DisableKeyRotation", json!({}), ""),
        ("RotateKeyOnDemand", json!({}), ""),
        ("DisableKey", json!({}), ""),
        ("EnableKey", json!({}), ""),
        ("ScheduleKeyDeletion", json!({}), ""),
        ("CancelKeyDeletion", json!({}), ""),
        ("UpdateKeyDescription", json!({"Description": "mine"}), ""),
        ("TagResource", json!({"Tags": [{"TagKey": "a", "TagValue": "b"}]}), ""),
        ("UntagResource", json!({"TagKeys": ["a"]}), ""),
        ("CreateGrant", json!({"GranteePrincipal": BOB, "Operations": ["Decrypt"]}), ""),
        ("ReplicateKey", json!({"ReplicaRegion": "eu-west-1"}), ""),
        ("UpdatePrimaryRegion", json!({"PrimaryRegion": "eu-west-1"}), ""),
        ("ImportKeyMaterial", json!({"ImportToken": "QQ==", "EncryptedKeyMaterial": "QQ=="}), "model"),
        ("DeleteImportedKeyMaterial", json!({}), ""),
        ("Encrypt", json!({"Plaintext": "QQ=="}), ""),
        ("CreateAlias", json!({"AliasName": "alias/mine", "TargetKeyId": id}), ""),
        ("UpdateAlias", json!({"AliasName": S3, "TargetKeyId": own}), ""),
        ("UpdateAlias", json!({"AliasName": "alias/aws/ebs", "TargetKeyId": own}), ""),
        ("DeleteAlias", json!({"AliasName": S3}), ""),
        ("DeleteAlias", json!({"AliasName": "alias/aws/ebs"}), ""),
    ] {
        let mut body = more;
        body["KeyId"] = json!(id);
        if action == "model" {
            body["ExpirationModel"] = json!("KEY_MATERIAL_DOES_NOT_EXPIRE");
        }
        let (code, message) = house.fails(operation, body).await;
        assert_eq!(code, "AccessDeniedException", "{operation}");
        let told = format!("because no resource-based policy allows the kms:{operation} action");
        assert!(message.ends_with(&told), "{operation}: {message}");
    }
    for (operation, body, expected) in [
        ("CreateAlias", json!({"AliasName": "alias/aws/ebs", "TargetKeyId": own}), "InvalidAliasNameException"),
        ("RetireGrant", json!({"KeyId": arn, "GrantId": "0".repeat(64)}), "NotFoundException"),
        (
            "GetParametersForImport",
            json!({"KeyId": id, "WrappingAlgorithm": "RSAES_OAEP_SHA_256",
            "WrappingKeySpec": "RSA_2048"}),
            "UnsupportedOperationException",
        ),
        ("GetPublicKey", json!({"KeyId": id}), "UnsupportedOperationException"),
    ] {
        assert_eq!(house.fails(operation, body).await.0, expected, "{operation}");
    }
    for operation in [
        "GetKeyRotationStatus",
        "ListKeyRotations",
        "ListGrants",
        "ListResourceTags",
        "ListKeyPolicies",
        "GetKeyLastUsage",
    ] {
        house.ok(operation, json!({"KeyId": id})).await;
    }
    assert_eq!((described(&house, S3).await, alias(&house, S3).await), (key, before));
    assert!(alias(&house, "alias/aws/ebs").await.get("TargetKeyId").is_none());
}

#[tokio::test]
async fn a_managed_key_rotates_each_year() {
    let house = House::new().await;
    let key = described(&house, S3).await;
    let (id, arn) = (text(&key["KeyId"]), text(&key["Arn"]));
    let status = |next: i64| {
        json!({"KeyId": arn, "KeyRotationEnabled": true, "RotationPeriodInDays": 365,
            "NextRotationDate": (START + next * DAY) as f64})
    };
    assert_eq!(house.ok("GetKeyRotationStatus", json!({"KeyId": id})).await, status(365));
    assert_eq!(house.kms.next_due().await.unwrap().unwrap().as_second(), START + 365 * DAY);
    house.sleep(364);
    assert_eq!(house.kms.rotate_due().await.unwrap(), 0);
    house.sleep(2);
    assert_eq!(house.kms.rotate_due().await.unwrap(), 1);
    assert_eq!(house.ok("GetKeyRotationStatus", json!({"KeyId": id})).await, status(730));
    let rotations = house.rotations(&id).await;
    assert_eq!((rotations.len(), &rotations[0]["RotationType"]), (1, &json!("AUTOMATIC")));
    let now = described(&house, S3).await;
    assert_eq!(rotations[0]["KeyMaterialId"], now["CurrentKeyMaterialId"]);
    assert_ne!(now["CurrentKeyMaterialId"], key["CurrentKeyMaterialId"]);
}

#[tokio::test]
async fn managed_keys_count_against_no_quota() {
    let house = House::with_quotas(Quotas { keys: 1, ..Quotas::default() }).await;
    described(&house, S3).await;
    house.key().await;
    assert_eq!(house.fails("CreateKey", json!({})).await.0, "LimitExceededException");
    described(&house, "alias/aws/ebs").await;
}
