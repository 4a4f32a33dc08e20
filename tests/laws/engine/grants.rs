use std::collections::HashSet;

use keystile::kms::Quotas;
use serde_json::{Value, json};

use super::house::{House, Outcome, text};

const ALICE: &str = "arn:aws:iam::111122223333:user/alice";
const BOB: &str = "arn:aws:iam::111122223333:user/bob";
const EVE: &str = "arn:aws:iam::444455556666:user/eve";
const ROOT: &str = "arn:aws:iam::111122223333:root";

async fn call_as(house: &House, principal: &str, operation: &str, body: Value) -> Outcome {
    let account = principal.split(':').nth(4).unwrap();
    house.call_as(&House::caller(principal, account), operation, body).await
}

async fn grant(house: &House, body: Value) -> (String, String) {
    let made = house.ok("CreateGrant", body).await;
    (text(&made["GrantId"]), text(&made["GrantToken"]))
}

fn code(outcome: Outcome) -> String {
    outcome.err().map_or_else(|| "allowed".to_owned(), |(code, _)| code)
}

async fn encrypts(house: &House, principal: &str, key: &str, context: Value) -> String {
    let body = json!({"KeyId": key, "Plaintext": "QQ==", "EncryptionContext": context});
    code(call_as(house, principal, "Encrypt", body).await)
}

#[tokio::test]
async fn a_grant_allows_until_it_is_revoked() {
    let house = House::new().await;
    let (key, arn) = house.key().await;
    assert_eq!(encrypts(&house, ALICE, &key, json!({})).await, "AccessDeniedException");
    let (id, token) =
        grant(&house, json!({"KeyId": key, "GranteePrincipal": ALICE, "Operations": ["Encrypt", "DescribeKey"]})).await;
    assert_eq!(encrypts(&house, ALICE, &key, json!({})).await, "allowed");
    assert_eq!(encrypts(&house, BOB, &key, json!({})).await, "AccessDeniedException");
    let decrypt = json!({"CiphertextBlob": "QQ==", "KeyId": key});
    assert_eq!(code(call_as(&house, ALICE, "Decrypt", decrypt).await), "AccessDeniedException");
    let with_token = json!({"KeyId": arn, "GrantTokens": [token]});
    assert_eq!(code(call_as(&house, ALICE, "DescribeKey", with_token).await), "allowed");

    let house = house.restarted().await;
    assert_eq!(encrypts(&house, ALICE, &key, json!({})).await, "allowed");
    house.ok("RevokeGrant", json!({"KeyId": arn, "GrantId": id})).await;
    assert_eq!(encrypts(&house, ALICE, &key, json!({})).await, "AccessDeniedException");
    assert_eq!(house.ok("ListGrants", json!({"KeyId": key})).await["Grants"], json!([]));
    assert_eq!(
        house.fails("RevokeGrant", json!({"KeyId": key, "GrantId": id})).await,
        ("NotFoundException".to_owned(), format!("Grant ID {id} not found"))
    );
}

#[tokio::test]
async fn a_grant_to_an_account_needs_that_accounts_own_leave() {
    let house = House::new().await;
    let (key, _) = house.key().await;
    grant(&house, json!({"KeyId": key, "GranteePrincipal": ROOT, "Operations": ["Encrypt"]})).await;
    // The house gives nobody identity policies.
    assert_eq!(encrypts(&house, ALICE, &key, json!({})).await, "AccessDeniedException");
}

#[tokio::test]
async fn constraints_hold_for_every_operation_with_an_encryption_context() {
    let house = House::new().await;
    let (key, arn) = house.key().await;
    let operations = json!(["Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKey", "DescribeKey"]);
    let constrained = |constraints: Value| json!({"KeyId": key, "GranteePrincipal": ALICE, "Operations": operations, "Constraints": constraints});
    let (equals, _) = grant(&house, constrained(json!({"EncryptionContextEquals": {"a": "1", "b": "2"}}))).await;
    for (context, expected) in [
        (json!({"a": "1", "b": "2"}), "allowed"),
        (json!({"a": "1"}), "AccessDeniedException"),
        (json!({"A": "1", "b": "2"}), "AccessDeniedException"),
        (json!({"a": "1", "b": "2", "c": "3"}), "AccessDeniedException"),
        (json!({}), "AccessDeniedException"),
    ] {
        assert_eq!(encrypts(&house, ALICE, &key, context.clone()).await, expected, "{context}");
        let generate = json!({"KeyId": key, "KeySpec": "AES_256", "EncryptionContext": context});
        assert_eq!(code(call_as(&house, ALICE, "GenerateDataKey", generate).await), expected, "{context}");
        let made = house.ok("Encrypt", json!({"KeyId": key, "Plaintext": "QQ==", "EncryptionContext": context})).await;
        let blob = &made["CiphertextBlob"];
        let decrypt = json!({"CiphertextBlob": blob, "EncryptionContext": context});
        assert_eq!(code(call_as(&house, ALICE, "Decrypt", decrypt).await), expected, "{context}");
        let both = json!({"CiphertextBlob": blob, "DestinationKeyId": key,
            "SourceEncryptionContext": context, "DestinationEncryptionContext": context});
        assert_eq!(code(call_as(&house, ALICE, "ReEncrypt", both).await), expected, "{context}");
        let to_another = json!({"CiphertextBlob": blob, "DestinationKeyId": key,
            "SourceEncryptionContext": context, "DestinationEncryptionContext": {"x": "y"}});
        assert_eq!(code(call_as(&house, ALICE, "ReEncrypt", to_another).await), "AccessDeniedException", "{context}");
    }
    assert_eq!(code(call_as(&house, ALICE, "DescribeKey", json!({"KeyId": arn})).await), "allowed");
    house.ok("RevokeGrant", json!({"KeyId": key, "GrantId": equals})).await;

    grant(&house, constrained(json!({"EncryptionContextSubset": {"a": "1"}}))).await;
    for (context, expected) in [
        (json!({"a": "1", "b": "2"}), "allowed"),
        (json!({"a": "1"}), "allowed"),
        (json!({"a": "2"}), "AccessDeniedException"),
        (json!({}), "AccessDeniedException"),
    ] {
        assert_eq!(encrypts(&house, ALICE, &key, context.clone()).await, expected, "{context}");
    }
}

#[tokio::test]
async fn a_child_grant_is_no_wider_than_one_parent() {
    let house = House::new().await;
    let (key, _) = house.key().await;
    let child = |operations: Value, constraints: Value| {
        let key = key.clone();
        json!({"KeyId": key, "GranteePrincipal": BOB, "Operations": operations, "Constraints": constraints})
    };
    let equals = |pairs: Value| json!({"EncryptionContextEquals": pairs});
    let subset = |pairs: Value| json!({"EncryptionContextSubset": pairs});
    for (parents, operations, constraints, expected) in [
        (vec![(json!(["Encrypt", "CreateGrant"]), Value::Null)], json!(["Encrypt"]), Value::Null, "allowed"),
        (
            vec![(json!(["Encrypt", "CreateGrant"]), Value::Null)],
            json!(["Encrypt", "CreateGrant"]),
            Value::Null,
            "allowed",
        ),
        (vec![(json!(["Encrypt", "CreateGrant"]), Value::Null)], json!(["Decrypt"]), Value::Null, "denied"),
        (vec![(json!(["Encrypt"]), Value::Null)], json!(["Encrypt"]), Value::Null, "denied"),
        // No two parents together.
        (
            vec![(json!(["Encrypt", "CreateGrant"]), Value::Null), (json!(["Decrypt", "CreateGrant"]), Value::Null)],
            json!(["Encrypt", "Decrypt"]),
            Value::Null,
            "denied",
        ),
        (
            vec![(json!(["Encrypt", "CreateGrant"]), equals(json!({"a": "1"})))],
            json!(["Encrypt"]),
            equals(json!({"a": "1"})),
            "allowed",
        ),
        (
            vec![(json!(["Encrypt", "CreateGrant"]), equals(json!({"a": "1"})))],
            json!(["Encrypt"]),
            Value::Null,
            "denied",
        ),
        (
            vec![(json!(["Encrypt", "CreateGrant"]), equals(json!({"a": "1"})))],
            json!(["Encrypt"]),
            subset(json!({"a": "1"})),
            "denied",
        ),
        (
            vec![(json!(["Encrypt", "CreateGrant"]), equals(json!({"a": "1"})))],
            json!(["Encrypt"]),
            equals(json!({"a": "1", "b": "2"})),
            "denied",
        ),
        (
            vec![(json!(["Encrypt", "CreateGrant"]), subset(json!({"a": "1"})))],
            json!(["Encrypt"]),
            subset(json!({"a": "1", "b": "2"})),
            "allowed",
        ),
        (
            vec![(json!(["Encrypt", "CreateGrant"]), subset(json!({"a": "1"})))],
            json!(["Encrypt"]),
            equals(json!({"a": "1", "b": "2"})),
            "allowed",
        ),
        (
            vec![(json!(["Encrypt", "CreateGrant"]), subset(json!({"a": "1", "b": "2"})))],
            json!(["Encrypt"]),
            subset(json!({"a": "1"})),
            "denied",
        ),
        (
            vec![(json!(["Encrypt", "CreateGrant"]), subset(json!({"a": "1"})))],
            json!(["Encrypt"]),
            Value::Null,
            "denied",
        ),
    ] {
        let mut made = Vec::new();
        for (operations, constraints) in &parents {
            let body =
                json!({"KeyId": key, "GranteePrincipal": ALICE, "Operations": operations, "Constraints": constraints});
            made.push(grant(&house, body).await.0);
        }
        let outcome = code(call_as(&house, ALICE, "CreateGrant", child(operations.clone(), constraints.clone())).await);
        let outcome = if outcome == "AccessDeniedException" { "denied".to_owned() } else { outcome };
        assert_eq!(outcome, expected, "{parents:?} {operations} {constraints}");
        for id in made {
            house.ok("RevokeGrant", json!({"KeyId": key, "GrantId": id})).await;
        }
    }
}

#[tokio::test]
async fn who_may_retire_a_grant() {
    let house = House::new().await;
    let (key, arn) = house.key().await;
    let make = |operations: Value, retiring: Option<&str>| {
        let mut body = json!({"KeyId": key, "GranteePrincipal": ALICE, "Operations": operations});
        if let Some(retiring) = retiring {
            body["RetiringPrincipal"] = json!(retiring);
        }
        body
    };
    for (operations, retiring, who, expected) in [
        (json!(["Encrypt"]), None, ALICE, "AccessDeniedException"),
        (json!(["Encrypt", "RetireGrant"]), None, ALICE, "allowed"),
        (json!(["Encrypt", "RetireGrant"]), None, BOB, "AccessDeniedException"),
        (json!(["Encrypt"]), Some(BOB), BOB, "allowed"),
        (json!(["Encrypt"]), Some(BOB), ALICE, "AccessDeniedException"),
        // Another account's principal needs its own policies' leave as well.
        (json!(["Encrypt"]), Some(EVE), EVE, "AccessDeniedException"),
        // The account that issued it, but it has no identity policies here.
        (json!(["Encrypt"]), None, BOB, "AccessDeniedException"),
    ] {
        let (id, token) = grant(&house, make(operations.clone(), retiring)).await;
        let by_token = json!({"GrantToken": token});
        let by_id = json!({"KeyId": arn, "GrantId": id});
        let dry = json!({"GrantToken": token, "DryRun": true});
        let dry_expected = if expected == "allowed" { "DryRunOperationException" } else { expected };
        assert_eq!(code(call_as(&house, who, "RetireGrant", dry).await), dry_expected);
        assert_eq!(code(call_as(&house, who, "RetireGrant", by_token.clone()).await), expected, "{operations} {who}");
        if expected == "allowed" {
            // It has gone, and no policy of theirs lets them know.
            assert_eq!(code(call_as(&house, who, "RetireGrant", by_token).await), "AccessDeniedException");
            let (id, _) = grant(&house, make(operations.clone(), retiring)).await;
            let by_id = json!({"KeyId": arn, "GrantId": id});
            assert_eq!(code(call_as(&house, who, "RetireGrant", by_id).await), "allowed");
        } else {
            assert_eq!(code(call_as(&house, who, "RetireGrant", by_id).await), expected);
        }
    }
    // Another account learns neither of grants nor of keys; one's own, what its policies allow.
    let missing = format!("{}{}", &arn[..arn.len() - 12], "000000000000");
    let mut texts = HashSet::new();
    let (id, _) = grant(&house, make(json!(["Encrypt"]), None)).await;
    for (key, id) in [(&arn, &id), (&arn, &"f".repeat(64)), (&missing, &"f".repeat(64))] {
        let body = json!({"KeyId": key, "GrantId": id});
        texts.insert(call_as(&house, EVE, "RetireGrant", body.clone()).await.unwrap_err());
        assert_eq!(code(call_as(&house, ALICE, "RetireGrant", body).await), "AccessDeniedException");
    }
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert_eq!(
        house.fails("RetireGrant", json!({"KeyId": arn, "GrantId": "f".repeat(64)})).await.0,
        "NotFoundException"
    );
    assert_eq!(
        house.fails("RetireGrant", json!({"KeyId": key, "GrantId": id})).await,
        ("NotFoundException".to_owned(), format!("Invalid arn {key}"))
    );
}

#[tokio::test]
async fn a_named_grant_is_made_once() {
    let house = House::new().await;
    let (key, _) = house.key().await;
    let body = json!({"KeyId": key, "GranteePrincipal": ALICE, "Operations": ["Encrypt", "Decrypt"], "Name": "n"});
    let (id, token) = grant(&house, body.clone()).await;
    let again = grant(&house, body.clone()).await;
    assert_eq!(again.0, id);
    assert_ne!(again.1, token);
    let mut turned = body.clone();
    turned["Operations"] = json!(["Decrypt", "Encrypt", "Decrypt"]);
    assert_eq!(grant(&house, turned).await.0, id);
    for (member, value) in [
        ("Name", json!("other")),
        ("Name", Value::Null),
        ("Operations", json!(["Encrypt"])),
        ("GranteePrincipal", json!(BOB)),
        ("RetiringPrincipal", json!(BOB)),
        ("Constraints", json!({"EncryptionContextEquals": {"a": "1"}})),
    ] {
        let mut other = body.clone();
        other[member] = value;
        assert_ne!(grant(&house, other).await.0, id, "{member}");
    }
    house.ok("RevokeGrant", json!({"KeyId": key, "GrantId": id})).await;
    assert_ne!(grant(&house, body).await.0, id);
}

/// All pages of a list of grants, two at a time.
async fn all(house: &House, operation: &str, mut body: Value) -> Vec<Value> {
    let mut found = Vec::new();
    body["Limit"] = json!(2);
    loop {
        let page = house.ok(operation, body.clone()).await;
        let items = page["Grants"].as_array().unwrap();
        assert!(items.len() <= 2);
        found.extend(items.iter().cloned());
        if page["Truncated"] != json!(true) {
            return found;
        }
        body["Marker"] = page["NextMarker"].clone();
    }
}

#[tokio::test]
async fn grants_are_listed_by_key_grantee_id_and_retiring_principal() {
    let house = House::new().await;
    let (key, arn) = house.key().await;
    let (other, _) = house.key().await;
    let mut ids = Vec::new();
    for n in 0..7 {
        let grantee = if n % 2 == 0 { ALICE } else { EVE };
        let body = json!({"KeyId": key, "GranteePrincipal": grantee, "Operations": ["Encrypt"], "RetiringPrincipal": BOB,
            "Name": format!("n{n}"), "Constraints": {"EncryptionContextSubset": {"n": n.to_string()}}});
        ids.push(grant(&house, body).await.0);
    }
    grant(
        &house,
        json!({"KeyId": other, "GranteePrincipal": ALICE, "Operations": ["Decrypt"], "RetiringPrincipal": BOB}),
    )
    .await;

    let of = |found: &[Value]| found.iter().map(|grant| text(&grant["GrantId"])).collect::<HashSet<_>>();
    let found = all(&house, "ListGrants", json!({"KeyId": arn})).await;
    assert_eq!((found.len(), of(&found)), (7, ids.iter().cloned().collect()));
    let first = found.iter().find(|grant| grant["GrantId"] == json!(ids[0])).unwrap();
    assert_eq!(
        *first,
        json!({"KeyId": arn, "GrantId": ids[0], "Name": "n0", "CreationDate": 1_767_225_600.0,
            "GranteePrincipal": ALICE, "RetiringPrincipal": BOB, "IssuingAccount": ROOT, "Operations": ["Encrypt"],
            "Constraints": {"EncryptionContextSubset": {"n": "0"}}})
    );
    let found = all(&house, "ListGrants", json!({"KeyId": key, "GranteePrincipal": EVE})).await;
    assert_eq!(of(&found), [1, 3, 5].map(|n: usize| ids[n].clone()).into());
    let found = all(&house, "ListGrants", json!({"KeyId": key, "GrantId": ids[2]})).await;
    assert_eq!(of(&found), [ids[2].clone()].into());
    assert_eq!(all(&house, "ListRetirableGrants", json!({"RetiringPrincipal": BOB})).await.len(), 8);
    assert_eq!(all(&house, "ListRetirableGrants", json!({"RetiringPrincipal": ALICE})).await.len(), 0);
    let foreign = house.fails("ListRetirableGrants", json!({"RetiringPrincipal": EVE})).await;
    assert_eq!(foreign.0, "InvalidArnException");
    let marker =
        house.ok("ListRetirableGrants", json!({"RetiringPrincipal": BOB, "Limit": 1})).await["NextMarker"].clone();
    let misused = house.fails("ListRetirableGrants", json!({"RetiringPrincipal": ALICE, "Marker": marker})).await;
    assert_eq!(misused.0, "InvalidMarkerException");
    let marker = house.ok("ListGrants", json!({"KeyId": key, "Limit": 1})).await["NextMarker"].clone();
    let misused = house.fails("ListRetirableGrants", json!({"RetiringPrincipal": BOB, "Marker": marker})).await;
    assert_eq!(misused.0, "InvalidMarkerException");
}

#[tokio::test]
async fn what_is_no_grant_is_refused() {
    let house = House::new().await;
    let (key, arn) = house.key().await;
    let nine: Value = (0..9).map(|n| (n.to_string(), json!("x"))).collect::<serde_json::Map<_, _>>().into();
    let many = json!({"EncryptionContextSubset": nine});
    let long = json!({"EncryptionContextEquals": {"a": "x".repeat(385)}});
    for (member, value, expected, about) in [
        ("GranteePrincipal", json!("alice"), "InvalidArnException", "ARN is not valid: alice"),
        ("GranteePrincipal", json!("s3.amazonaws.com"), "InvalidArnException", "ARN is not valid"),
        (
            "GranteePrincipal",
            json!("arn:aws:sts::111122223333:assumed-role/path/R/s"),
            "InvalidArnException",
            "ARN is not valid",
        ),
        (
            "GranteePrincipal",
            json!("arn:aws:iam::111122223333:role/ghost"),
            "InvalidArnException",
            "ARN does not refer to a valid principal: arn:aws:iam::111122223333:role/ghost",
        ),
        ("RetiringPrincipal", json!("arn:aws:iam::111122223333:user/ghost"), "InvalidArnException", "valid principal"),
        ("Operations", json!([]), "ValidationException", "at least one operation"),
        ("Operations", json!(["Encrypt", "EnableKeyRotation"]), "ValidationException", "enum value set"),
        ("Operations", json!(["Sign"]), "ValidationException", "Sign"),
        ("Constraints", json!({"EncryptionContextEquals": {}}), "ValidationException", "1 to 8"),
        ("Constraints", many, "ValidationException", "has 9"),
        ("Constraints", json!({"SourceArn": "arn:aws:s3:::b"}), "UnsupportedOperationException", "SourceArn"),
        ("Constraints", json!({"EncryptionContextEqual": {"a": "b"}}), "UnsupportedOperationException", "Equal"),
        ("Constraints", long, "ValidationException", "384"),
        ("Name", json!("no spaces"), "ValidationException", "name"),
        ("GrantTokens", json!(["AAAA"]), "InvalidGrantTokenException", "token"),
        ("KeyId", json!("alias/a"), "NotFoundException", "Invalid keyId"),
        ("DryRun", json!(true), "DryRunOperationException", "would have succeeded"),
    ] {
        let mut body = json!({"KeyId": key, "GranteePrincipal": ALICE, "Operations": ["Encrypt"]});
        body[member] = value;
        let (code, message) = house.fails("CreateGrant", body.clone()).await;
        assert_eq!(code, expected, "{body}");
        assert!(message.contains(about), "{message}");
    }
    for body in [
        json!({}),
        json!({"KeyId": arn}),
        json!({"GrantId": "a"}),
        json!({"GrantToken": "AAAA", "KeyId": arn, "GrantId": "a"}),
    ] {
        assert_eq!(house.fails("RetireGrant", body.clone()).await.0, "ValidationException", "{body}");
    }
    assert_eq!(house.fails("RetireGrant", json!({"GrantToken": "AAAA"})).await.0, "InvalidGrantTokenException");
    for id in ["x".to_owned(), "a".repeat(64), "../".repeat(20)] {
        assert_eq!(house.fails("RevokeGrant", json!({"KeyId": key, "GrantId": id})).await.0, "NotFoundException");
    }
    assert_eq!(house.ok("ListGrants", json!({"KeyId": key})).await["Grants"], json!([]));

    house.ok("DisableKey", json!({"KeyId": key})).await;
    let body = json!({"KeyId": key, "GranteePrincipal": ALICE, "Operations": ["Encrypt"]});
    assert_eq!(house.fails("CreateGrant", body).await.0, "DisabledException");
}

#[tokio::test]
async fn a_key_has_a_most_of_grants() {
    let house = House::with_quotas(Quotas { grants_per_key: 3, ..Quotas::default() }).await;
    let (key, _) = house.key().await;
    let body = json!({"KeyId": key, "GranteePrincipal": ALICE, "Operations": ["Encrypt"]});
    let mut id = String::new();
    for _ in 0..3 {
        id = grant(&house, body.clone()).await.0;
    }
    assert_eq!(house.fails("CreateGrant", body.clone()).await.0, "LimitExceededException");
    house.ok("RevokeGrant", json!({"KeyId": key, "GrantId": id})).await;
    grant(&house, body.clone()).await;
    assert_eq!(house.fails("CreateGrant", body).await.0, "LimitExceededException");
}

#[tokio::test]
async fn grants_that_are_made_at_once_are_all_made() {
    let house = std::sync::Arc::new(House::new().await);
    let (key, _) = house.key().await;
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let (house, key) = (std::sync::Arc::clone(&house), key.clone());
            tokio::spawn(async move {
                grant(&house, json!({"KeyId": key, "GranteePrincipal": ALICE, "Operations": ["Encrypt"]})).await.0
            })
        })
        .collect();
    let mut ids = HashSet::new();
    for task in tasks {
        ids.insert(task.await.unwrap());
    }
    assert_eq!(ids.len(), 32);
    for id in ids {
        assert_eq!(encrypts(&house, ALICE, &key, json!({})).await, "allowed");
        house.ok("RevokeGrant", json!({"KeyId": key, "GrantId": id})).await;
    }
    assert_eq!(encrypts(&house, ALICE, &key, json!({})).await, "AccessDeniedException");
}

#[tokio::test]
async fn the_grants_of_a_key_go_with_it() {
    let house = House::new().await;
    let (key, _) = house.key().await;
    let (kept, _) = house.key().await;
    for n in 0..600 {
        let key = if n % 300 == 0 { &kept } else { &key };
        let body = json!({"KeyId": key, "GranteePrincipal": ALICE, "Operations": ["Encrypt"], "RetiringPrincipal": BOB,
            "Name": format!("n{n}")});
        grant(&house, body).await;
    }
    house.ok("ScheduleKeyDeletion", json!({"KeyId": key, "PendingWindowInDays": 7})).await;
    house.sleep(8);
    house.kms.rotate_due().await.unwrap();
    assert_eq!(house.fails("ListGrants", json!({"KeyId": key})).await.0, "NotFoundException");
    let left = house.ok("ListRetirableGrants", json!({"RetiringPrincipal": BOB})).await;
    assert_eq!(left["Grants"].as_array().unwrap().len(), 2);
    assert_eq!(encrypts(&house, ALICE, &kept, json!({})).await, "allowed");
    let House { kms, directory, .. } = std::sync::Arc::into_inner(std::sync::Arc::new(house)).unwrap();
    drop(kms);
    let store = keystile::store::RedbStore::open(directory.path(), &keystile::store::RedbSettings::default()).unwrap();
    let snapshot = keystile::store::Store::snapshot(&store).await.unwrap();
    let rows = snapshot.range(b"kms/".to_vec()..b"kms0".to_vec(), 10_000).await.unwrap();
    let of_key = rows.iter().filter(|(row, _)| String::from_utf8_lossy(row).contains(&key)).count();
    // The event of the deletion alone is left.
    assert!(of_key <= 1, "{of_key}");
}
