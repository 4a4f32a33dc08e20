//! Dry runs of Decrypt and ReEncrypt that look at no ciphertext.

use serde_json::{Value, json};

use super::house::{ACCOUNT, House, text};
use super::requests::{ALICE, sealed};

const IGNORED: &str = "IGNORE_CIPHERTEXT";

/// A body with the members of another.
fn with(mut body: Value, more: &Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

async fn key(house: &House, spec: &str, usage: &str) -> String {
    let made = house.ok("CreateKey", json!({"KeySpec": spec, "KeyUsage": usage})).await;
    text(&made["KeyMetadata"]["KeyId"])
}

#[tokio::test]
async fn a_dry_run_without_a_ciphertext_tells_what_else_would_come() {
    let house = House::new().await;
    let (id, arn) = house.key().await;
    house.ok("CreateAlias", json!({"AliasName": "alias/a", "TargetKeyId": id})).await;
    let other = key(&house, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await;
    let blob = sealed(&house, &other).await;
    let (disabled, mac) = (house.key().await.0, key(&house, "HMAC_256", "GENERATE_VERIFY_MAC").await);
    house.ok("DisableKey", json!({"KeyId": disabled})).await;
    let rsa = key(&house, "RSA_2048", "ENCRYPT_DECRYPT").await;
    let ignoring = json!({"DryRun": true, "DryRunModifiers": [IGNORED]});
    let dry = "DryRunOperationException";
    let unknown = "1234abcd-12ab-34cd-56ef-1234567890ab";
    for (body, expected, told) in [
        (json!({"KeyId": id}), dry, "would have succeeded"),
        (json!({"KeyId": arn, "EncryptionContext": {"tenant": "x"}}), dry, ""),
        (json!({"KeyId": "alias/a"}), dry, ""),
        (json!({"KeyId": id, "CiphertextBlob": "QQ=="}), dry, ""),
        (json!({"KeyId": id, "CiphertextBlob": blob}), dry, ""),
        (json!({"CiphertextBlob": blob}), dry, ""),
        (json!({"KeyId": rsa, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}), dry, ""),
        (json!({"KeyId": id, "DryRunModifiers": [IGNORED, IGNORED]}), dry, ""),
        (
            json!({"KeyId": rsa, "EncryptionAlgorithm": "RSAES_OAEP_SHA_1", "EncryptionContext": {"a": "b"}}),
            "ValidationException",
            "",
        ),
        // What is needed to know the key, and all that is no ciphertext.
        (json!({}), "ValidationException", "KeyId is required if CiphertextBlob is not specified."),
        (json!({"CiphertextBlob": "QQ=="}), "InvalidCiphertextException", ""),
        (json!({"KeyId": disabled}), "DisabledException", "is disabled."),
        (json!({"KeyId": mac}), "InvalidKeyUsageException", "Decrypt"),
        (json!({"KeyId": rsa}), "InvalidKeyUsageException", "SYMMETRIC_DEFAULT"),
        (json!({"KeyId": unknown}), "NotFoundException", ""),
        // The modifier is a dry run's, and the only one.
        (json!({"KeyId": id, "DryRun": false}), "ValidationException", "DryRun is true"),
        (json!({"KeyId": id, "DryRun": null, "CiphertextBlob": blob}), "ValidationException", "DryRun is true"),
        (json!({"KeyId": id, "DryRunModifiers": []}), "ValidationException", "'ciphertextBlob'"),
        (json!({"KeyId": id, "DryRunModifiers": []  , "CiphertextBlob": blob}), "IncorrectKeyException", ""),
        (json!({"KeyId": id, "DryRunModifiers": ["IGNORE_KEY"]}), "ValidationException", IGNORED),
        (json!({"KeyId": id, "DryRunModifiers": IGNORED}), "SerializationException", ""),
    ] {
        let body = with(ignoring.clone(), &body);
        let (code, message) = house.fails("Decrypt", body.clone()).await;
        assert!(code == expected && message.contains(told), "{body}: {code} {message}");
    }
    for (body, expected, told) in [
        (json!({"SourceKeyId": id, "DestinationKeyId": other}), dry, "would have succeeded"),
        (json!({"SourceKeyId": id, "DestinationKeyId": id, "CiphertextBlob": blob}), dry, ""),
        (json!({"DestinationKeyId": id, "CiphertextBlob": blob}), dry, ""),
        (json!({"DestinationKeyId": id}), "ValidationException", "SourceKeyId is required"),
        (json!({"SourceKeyId": disabled, "DestinationKeyId": id}), "DisabledException", ""),
        (json!({"SourceKeyId": id, "DestinationKeyId": disabled}), "DisabledException", ""),
        (json!({"SourceKeyId": id, "DestinationKeyId": mac}), "InvalidKeyUsageException", "ReEncrypt"),
        (json!({"SourceKeyId": rsa, "DestinationKeyId": id}), "InvalidKeyUsageException", "SYMMETRIC_DEFAULT"),
        (json!({"SourceKeyId": id, "DestinationKeyId": id, "DryRun": false}), "ValidationException", "DryRun is true"),
    ] {
        let body = with(ignoring.clone(), &body);
        let (code, message) = house.fails("ReEncrypt", body.clone()).await;
        assert!(code == expected && message.contains(told), "{body}: {code} {message}");
    }
}

#[tokio::test]
async fn a_dry_run_without_a_ciphertext_is_decided_like_any_other() {
    let house = House::new().await;
    let (id, _) = house.key().await;
    let alice = House::caller(ALICE, ACCOUNT);
    let asked = |context: Value| json!({"KeyId": id, "EncryptionContext": context, "DryRun": true, "DryRunModifiers": [IGNORED]});
    let told = house.call_as(&alice, "Decrypt", asked(json!({"tenant": "a"}))).await.unwrap_err();
    assert_eq!(told.0, "AccessDeniedException");
    let grant = json!({"KeyId": id, "GranteePrincipal": ALICE, "Operations": ["Decrypt"],
        "Constraints": {"EncryptionContextSubset": {"tenant": "a"}}});
    house.ok("CreateGrant", grant).await;
    for (context, expected) in [
        (json!({"tenant": "a", "more": "1"}), "DryRunOperationException"),
        (json!({"tenant": "b"}), "AccessDeniedException"),
        (json!({}), "AccessDeniedException"),
    ] {
        let told = house.call_as(&alice, "Decrypt", asked(context.clone())).await.unwrap_err();
        assert_eq!(told.0, expected, "{context}");
    }
}
