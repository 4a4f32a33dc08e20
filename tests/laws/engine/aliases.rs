use serde_json::{Value, json};

use super::house::{House, text};

#[tokio::test]
async fn an_alias_moves_between_keys() {
    let house = House::new().await;
    let ((one, one_arn), (two, two_arn)) = (house.key().await, house.key().await);
    house.ok("CreateAlias", json!({"AliasName": "alias/a", "TargetKeyId": one_arn})).await;
    assert_eq!(house.ok("DescribeKey", json!({"KeyId": "alias/a"})).await["KeyMetadata"]["Arn"], json!(one_arn));
    house.ok("UpdateAlias", json!({"AliasName": "alias/a", "TargetKeyId": two})).await;
    let by_arn = json!({"KeyId": "arn:aws:kms:us-east-1:111122223333:alias/a"});
    assert_eq!(house.ok("DescribeKey", by_arn).await["KeyMetadata"]["Arn"], json!(two_arn));
    assert_eq!(house.ok("ListAliases", json!({"KeyId": one})).await["Aliases"], json!([]));
    let listed = house.ok("ListAliases", json!({})).await;
    let entry = &listed["Aliases"][0];
    assert_eq!((&entry["AliasName"], &entry["TargetKeyId"]), (&json!("alias/a"), &json!(two)));
    assert_eq!(house.ok("ListAliases", json!({"KeyId": two})).await["Aliases"], json!([entry]));
    house.ok("DeleteAlias", json!({"AliasName": "alias/a"})).await;
    let left = house.ok("ListAliases", json!({})).await;
    assert!(
        left["Aliases"].as_array().unwrap().iter().all(|entry| text(&entry["AliasName"]).starts_with("alias/aws/"))
    );
    let (code, message) = house.fails("DescribeKey", json!({"KeyId": "alias/a"})).await;
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("NotFoundException", "Alias arn:aws:kms:us-east-1:111122223333:alias/a is not found.")
    );
}

#[tokio::test]
async fn a_bad_alias_is_refused_in_aws_words() {
    let house = House::new().await;
    let (id, _) = house.key().await;
    house.ok("CreateAlias", json!({"AliasName": "alias/a", "TargetKeyId": id})).await;
    let prefix = "Alias must start with the prefix \"alias/\". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html";
    for (operation, name, code, message) in [
        ("CreateAlias", "a", "ValidationException", prefix),
        ("UpdateAlias", "a", "ValidationException", prefix),
        ("DeleteAlias", "a", "ValidationException", prefix),
        ("CreateAlias", "alias/", "InvalidAliasNameException", ""),
        ("CreateAlias", "alias/aws/x", "InvalidAliasNameException", ""),
        (
            "CreateAlias",
            "alias/a",
            "AlreadyExistsException",
            "An alias with the name arn:aws:kms:us-east-1:111122223333:alias/a already exists",
        ),
        (
            "UpdateAlias",
            "alias/b",
            "NotFoundException",
            "Alias arn:aws:kms:us-east-1:111122223333:alias/b is not found.",
        ),
        (
            "DeleteAlias",
            "alias/b",
            "NotFoundException",
            "Alias arn:aws:kms:us-east-1:111122223333:alias/b is not found.",
        ),
    ] {
        let mut body = json!({"AliasName": name});
        if operation != "DeleteAlias" {
            body["TargetKeyId"] = json!(id);
        }
        let (got, text) = house.fails(operation, body).await;
        assert!(got == code && text.contains(message), "{operation} {name}: {got} {text}");
    }
    let (code, _) = house.fails("CreateAlias", json!({"AliasName": "alias/c", "TargetKeyId": "alias/a"})).await;
    assert_eq!(code, "ValidationException");
}

#[tokio::test]
async fn a_key_has_at_most_50_aliases() {
    let house = House::new().await;
    let (id, _) = house.key().await;
    for n in 0..50 {
        house.ok("CreateAlias", json!({"AliasName": format!("alias/{n:02}"), "TargetKeyId": id})).await;
    }
    assert_eq!(
        house.fails("CreateAlias", json!({"AliasName": "alias/50", "TargetKeyId": id})).await.0,
        "LimitExceededException"
    );
    for key in [Value::Null, json!(id)] {
        let first = house.ok("ListAliases", json!({"KeyId": key, "Limit": 30})).await;
        let rest = house.ok("ListAliases", json!({"KeyId": key, "Limit": 50, "Marker": first["NextMarker"]})).await;
        let names: Vec<String> = [&first, &rest]
            .iter()
            .flat_map(|page| page["Aliases"].as_array().unwrap())
            .map(|alias| text(&alias["AliasName"]))
            .filter(|name| !name.starts_with("alias/aws/"))
            .collect();
        assert_eq!(names, (0..50).map(|n| format!("alias/{n:02}")).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn an_alias_ends_with_its_key_whoever_notices_first() {
    let house = House::new().await;
    let (staying, _) = house.key().await;
    for name in ["alias/a", "alias/b", "alias/c", "alias/d"] {
        let (going, _) = house.key().await;
        house.ok("CreateAlias", json!({"AliasName": name, "TargetKeyId": going})).await;
        house.ok("ScheduleKeyDeletion", json!({"KeyId": going, "PendingWindowInDays": 7})).await;
    }
    house.sleep(7);
    let missing = |name: &str| {
        ("NotFoundException".to_owned(), format!("Alias arn:aws:kms:us-east-1:111122223333:{name} is not found."))
    };
    assert_eq!(house.fails("DescribeKey", json!({"KeyId": "alias/a"})).await, missing("alias/a"));
    house.ok("CreateAlias", json!({"AliasName": "alias/b", "TargetKeyId": staying})).await;
    let moved = house.fails("UpdateAlias", json!({"AliasName": "alias/c", "TargetKeyId": staying})).await;
    assert_eq!(moved, missing("alias/c"));
    assert_eq!(house.fails("DeleteAlias", json!({"AliasName": "alias/d"})).await, missing("alias/d"));
}
