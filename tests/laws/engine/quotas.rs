//! How much an account may have, and how often it may ask.

use keystile::aws::catalogue::request_rates::{PerSecond, RequestRates, names};
use keystile::kms::Quotas;
use serde_json::json;

use super::house::House;
use super::requests::{Request, THERE, all_operations};

/// The name of the quota that the request of [`Request`] counts against.
fn quota(operation: &str) -> &str {
    match operation {
        "DeriveSharedSecret" | "Sign" | "Verify" => "Cryptographic operations (ECC)",
        "Decrypt"
        | "Encrypt"
        | "GenerateDataKey"
        | "GenerateDataKeyWithoutPlaintext"
        | "GenerateMac"
        | "GenerateRandom"
        | "ReEncrypt"
        | "VerifyMac" => "Cryptographic operations (symmetric)",
        "GenerateDataKeyPair" | "GenerateDataKeyPairWithoutPlaintext" => "GenerateDataKeyPair (ECC_NIST_P256)",
        own => own,
    }
}

/// Quotas that let one request in a hundred seconds through, and so one in a test.
fn once(names: impl Iterator<Item = &'static str>) -> Quotas {
    let mut request_rates = RequestRates::default();
    names.for_each(|name| request_rates.set(name, PerSecond::LEAST).unwrap());
    Quotas { request_rates, ..Quotas::default() }
}

async fn is_throttled(house: &House, request: &Request) -> bool {
    let told = house.call(request.operation, request.body.clone()).await;
    told.is_err_and(|(code, text)| {
        assert!(code != "ThrottlingException" || text.starts_with("You have exceeded the rate"), "{text}");
        code == "ThrottlingException"
    })
}

#[tokio::test]
async fn each_operation_counts_against_its_own_quota() {
    let house = House::new().await;
    for operation in all_operations() {
        // A multi-Region key counts for two Regions, and its replica as a key.
        let is_of_regions = ["ReplicateKey", "UpdatePrimaryRegion"].contains(&operation);
        let request = Request::of(&house, operation).await;
        house.kms.enforce_quotas(once(names().filter(|name| *name == quota(operation))));
        assert!(!is_throttled(&house, &request).await, "{operation}");
        assert!(is_throttled(&house, &request).await, "{operation}");
        house.kms.enforce_quotas(once(names().filter(|name| *name != quota(operation))));
        assert!(!is_throttled(&house, &request).await || is_of_regions, "{operation}");
        assert!(!is_throttled(&house, &request).await || is_of_regions, "{operation}");
        house.kms.enforce_quotas(Quotas::default());
    }
}

#[tokio::test]
async fn an_account_is_counted_in_each_region_by_itself() {
    let house = House::with_quotas(once(names())).await;
    let other = House::caller("arn:aws:iam::444455556666:root", "444455556666");
    for caller in [House::root(), other] {
        for region in ["us-east-1", THERE] {
            assert!(house.call_in(region, &caller, "ListKeys", json!({})).await.is_ok());
            let told = house.call_in(region, &caller, "ListKeys", json!({})).await.unwrap_err();
            assert_eq!(told.0, "ThrottlingException");
        }
    }
    let alice = House::caller("arn:aws:iam::111122223333:user/alice", "111122223333");
    assert_eq!(house.call_as(&alice, "ListKeys", json!({})).await.unwrap_err().0, "ThrottlingException");
}

#[tokio::test]
async fn who_is_denied_is_counted_too() {
    let house = House::with_quotas(once(names())).await;
    let alice = House::caller("arn:aws:iam::111122223333:user/alice", "111122223333");
    assert_eq!(house.call_as(&alice, "ListKeys", json!({})).await.unwrap_err().0, "AccessDeniedException");
    assert_eq!(house.call_as(&alice, "ListKeys", json!({})).await.unwrap_err().0, "ThrottlingException");
}

#[tokio::test]
async fn who_names_what_is_not_there_is_counted_too() {
    let house = House::with_quotas(once(names())).await;
    for (operation, body, code) in [
        ("DescribeKey", json!({"KeyId": "alias/none"}), "NotFoundException"),
        ("Decrypt", json!({"CiphertextBlob": "QQ=="}), "InvalidCiphertextException"),
        ("ListResourceTags", json!({"KeyId": "nonsense"}), "NotFoundException"),
    ] {
        assert_eq!(house.fails(operation, body.clone()).await.0, code);
        assert_eq!(house.fails(operation, body).await.0, "ThrottlingException");
    }
}

#[tokio::test]
async fn counts_outlive_a_change_of_other_quotas() {
    let house = House::with_quotas(once(names())).await;
    house.ok("ListKeys", json!({})).await;
    house.kms.enforce_quotas(Quotas { keys: 7, ..once(names()) });
    assert_eq!(house.fails("ListKeys", json!({})).await.0, "ThrottlingException");
}

#[tokio::test]
async fn a_replica_counts_as_two_keys_where_it_is_made() {
    let house = House::new().await;
    let request = Request::of(&house, "ReplicateKey").await;
    let mut request_rates = RequestRates::default();
    request_rates.set("CreateKey", PerSecond::new(2.0).unwrap()).unwrap();
    house.kms.enforce_quotas(Quotas { request_rates, ..Quotas::default() });
    house.ok("ReplicateKey", request.body).await;
    let there = house.call_in(THERE, &House::root(), "CreateKey", json!({})).await;
    assert_eq!(there.unwrap_err().0, "ThrottlingException");
    house.ok("CreateKey", json!({})).await;
}

#[tokio::test]
async fn a_key_counts_by_its_type() {
    let house = House::new().await;
    let mut keys = Vec::new();
    for (spec, usage) in [("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), ("RSA_2048", "ENCRYPT_DECRYPT")] {
        let made = house.ok("CreateKey", json!({"KeySpec": spec, "KeyUsage": usage})).await;
        keys.push(made["KeyMetadata"]["KeyId"].clone());
    }
    let made = house.ok("CreateKey", json!({"KeySpec": "ML_DSA_44", "KeyUsage": "SIGN_VERIFY"})).await;
    let sign =
        json!({"KeyId": made["KeyMetadata"]["KeyId"], "Message": "QQ==", "SigningAlgorithm": "ML_DSA_SHAKE_256"});
    let with =
        |at: usize, algorithm: &str| json!({"KeyId": keys[at], "Plaintext": "QQ==", "EncryptionAlgorithm": algorithm});
    let requests =
        [("Encrypt", with(0, "SYMMETRIC_DEFAULT")), ("Encrypt", with(1, "RSAES_OAEP_SHA_256")), ("Sign", sign)];
    house.kms.enforce_quotas(once(names()));
    for (operation, body) in &requests {
        house.ok(operation, body.clone()).await;
    }
    for (operation, body) in requests {
        assert_eq!(house.fails(operation, body).await.0, "ThrottlingException");
    }
}

#[tokio::test]
async fn other_quotas_are_in_force_at_once() {
    let house = House::new().await;
    let (key, _) = house.key().await;
    let policy = house.ok("GetKeyPolicy", json!({"KeyId": key})).await["Policy"].as_str().unwrap().to_owned();
    let put = |length: usize| json!({"KeyId": key, "Policy": format!("{policy}{}", " ".repeat(length - policy.len()))});
    house.kms.enforce_quotas(Quotas { aliases_per_key: 1, key_policy_bytes: 1024, keys: 1, ..Quotas::default() });
    house.ok("CreateAlias", json!({"AliasName": "alias/a", "TargetKeyId": key})).await;
    let second = json!({"AliasName": "alias/b", "TargetKeyId": key});
    assert_eq!(house.fails("CreateAlias", second.clone()).await.0, "LimitExceededException");
    house.ok("PutKeyPolicy", put(1024)).await;
    assert_eq!(house.fails("PutKeyPolicy", put(1025)).await.0, "LimitExceededException");
    assert_eq!(house.fails("CreateKey", json!({})).await.0, "LimitExceededException");
    house.kms.enforce_quotas(Quotas::default());
    house.ok("CreateAlias", second).await;
    house.ok("PutKeyPolicy", put(1025)).await;
    house.key().await;
}
