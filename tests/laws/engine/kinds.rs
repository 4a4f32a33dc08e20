//! Keys of every kind: what they say of themselves, what they are for, and what they refuse.

use serde_json::{Value, json};

use super::house::{House, text};

/// Spec, usage, the member that lists the algorithms, the algorithms. RSA but for the smallest is
/// left to the clients' tests: it takes seconds to generate.
const KINDS: [(&str, &str, &str, &[&str]); 17] = [
    ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "EncryptionAlgorithms", &["SYMMETRIC_DEFAULT"]),
    ("HMAC_224", "GENERATE_VERIFY_MAC", "MacAlgorithms", &["HMAC_SHA_224"]),
    ("HMAC_256", "GENERATE_VERIFY_MAC", "MacAlgorithms", &["HMAC_SHA_256"]),
    ("HMAC_384", "GENERATE_VERIFY_MAC", "MacAlgorithms", &["HMAC_SHA_384"]),
    ("HMAC_512", "GENERATE_VERIFY_MAC", "MacAlgorithms", &["HMAC_SHA_512"]),
    ("RSA_2048", "ENCRYPT_DECRYPT", "EncryptionAlgorithms", &["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]),
    (
        "RSA_2048",
        "SIGN_VERIFY",
        "SigningAlgorithms",
        &[
            "RSASSA_PKCS1_V1_5_SHA_256",
            "RSASSA_PKCS1_V1_5_SHA_384",
            "RSASSA_PKCS1_V1_5_SHA_512",
            "RSASSA_PSS_SHA_256",
            "RSASSA_PSS_SHA_384",
            "RSASSA_PSS_SHA_512",
        ],
    ),
    ("ECC_NIST_P256", "SIGN_VERIFY", "SigningAlgorithms", &["ECDSA_SHA_256"]),
    ("ECC_NIST_P384", "SIGN_VERIFY", "SigningAlgorithms", &["ECDSA_SHA_384"]),
    ("ECC_NIST_P521", "SIGN_VERIFY", "SigningAlgorithms", &["ECDSA_SHA_512"]),
    ("ECC_NIST_P256", "KEY_AGREEMENT", "KeyAgreementAlgorithms", &["ECDH"]),
    ("ECC_NIST_P521", "KEY_AGREEMENT", "KeyAgreementAlgorithms", &["ECDH"]),
    ("ECC_SECG_P256K1", "SIGN_VERIFY", "SigningAlgorithms", &["ECDSA_SHA_256"]),
    ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY", "SigningAlgorithms", &["ED25519_SHA_512"]),
    ("ML_DSA_44", "SIGN_VERIFY", "SigningAlgorithms", &["ML_DSA_SHAKE_256"]),
    ("ML_DSA_65", "SIGN_VERIFY", "SigningAlgorithms", &["ML_DSA_SHAKE_256"]),
    ("ML_DSA_87", "SIGN_VERIFY", "SigningAlgorithms", &["ML_DSA_SHAKE_256"]),
];

const ALGORITHMS: [&str; 4] = ["EncryptionAlgorithms", "SigningAlgorithms", "MacAlgorithms", "KeyAgreementAlgorithms"];

/// A new key's id and ARN.
async fn key(house: &House, spec: &str, usage: &str) -> (String, String) {
    let made = house.ok("CreateKey", json!({"KeySpec": spec, "KeyUsage": usage})).await;
    (text(&made["KeyMetadata"]["KeyId"]), text(&made["KeyMetadata"]["Arn"]))
}

fn silent(code: &str) -> (String, String) {
    (code.to_owned(), String::new())
}

fn said(code: &str, message: impl Into<String>) -> (String, String) {
    (code.to_owned(), message.into())
}

/// The operations that use material, each with a body that fits a key that is for it.
fn uses(id: &str) -> Vec<(&'static str, &'static str, Value)> {
    let with = |mut body: Value| {
        body["KeyId"] = json!(id);
        body
    };
    vec![
        ("Encrypt", "ENCRYPT_DECRYPT", with(json!({"Plaintext": "QQ=="}))),
        ("Decrypt", "ENCRYPT_DECRYPT", with(json!({"CiphertextBlob": "QQ=="}))),
        ("GenerateDataKey", "SYMMETRIC", with(json!({"KeySpec": "AES_256"}))),
        ("GenerateDataKeyWithoutPlaintext", "SYMMETRIC", with(json!({"KeySpec": "AES_256"}))),
        ("GenerateDataKeyPair", "SYMMETRIC", with(json!({"KeyPairSpec": "ECC_NIST_P256"}))),
        ("GenerateDataKeyPairWithoutPlaintext", "SYMMETRIC", with(json!({"KeyPairSpec": "ECC_NIST_P256"}))),
        ("Sign", "SIGN_VERIFY", with(json!({"Message": "QQ==", "SigningAlgorithm": "ECDSA_SHA_256"}))),
        (
            "Verify",
            "SIGN_VERIFY",
            with(json!({"Message": "QQ==", "Signature": "QQ==", "SigningAlgorithm": "ECDSA_SHA_256"})),
        ),
        ("GenerateMac", "GENERATE_VERIFY_MAC", with(json!({"Message": "QQ==", "MacAlgorithm": "HMAC_SHA_256"}))),
        (
            "VerifyMac",
            "GENERATE_VERIFY_MAC",
            with(json!({"Message": "QQ==", "Mac": "QQ==", "MacAlgorithm": "HMAC_SHA_256"})),
        ),
        ("DeriveSharedSecret", "KEY_AGREEMENT", with(json!({"KeyAgreementAlgorithm": "ECDH", "PublicKey": "QQ=="}))),
    ]
}

#[tokio::test]
async fn a_key_says_what_it_is() {
    let house = House::new().await;
    for (spec, usage, member, algorithms) in KINDS {
        let made = house.ok("CreateKey", json!({"KeySpec": spec, "KeyUsage": usage})).await;
        let metadata = &made["KeyMetadata"];
        assert_eq!(
            [&metadata["KeySpec"], &metadata["CustomerMasterKeySpec"], &metadata["KeyUsage"], &metadata["Origin"]],
            [&json!(spec), &json!(spec), &json!(usage), &json!("AWS_KMS")]
        );
        for other in ALGORITHMS {
            let expected = if other == member { json!(algorithms) } else { Value::Null };
            assert_eq!(metadata[other], expected, "{spec} {usage} {other}");
        }
        assert_eq!(metadata.get("CurrentKeyMaterialId").is_some(), spec == "SYMMETRIC_DEFAULT", "{spec}");
        assert_eq!(house.ok("DescribeKey", json!({"KeyId": metadata["KeyId"]})).await, made);
    }
}

#[tokio::test]
async fn a_key_refuses_what_it_is_not_for() {
    let house = House::new().await;
    for (spec, usage, ..) in KINDS {
        let (id, arn) = key(&house, spec, usage).await;
        for (operation, needed, body) in uses(&id) {
            let fits = match needed {
                "SYMMETRIC" => spec == "SYMMETRIC_DEFAULT",
                needed => usage == needed,
            };
            if !fits {
                let text = format!("{arn} key usage is {usage} which is not valid for {operation}.");
                assert_eq!(house.fails(operation, body).await, said("InvalidKeyUsageException", text));
            }
        }
        for (operation, algorithm, body) in [
            ("Encrypt", "EncryptionAlgorithm", json!({"Plaintext": "QQ=="})),
            ("Sign", "SigningAlgorithm", json!({"Message": "QQ=="})),
            ("GenerateMac", "MacAlgorithm", json!({"Message": "QQ=="})),
        ] {
            let (of_usage, other) = match operation {
                "Encrypt" if spec == "SYMMETRIC_DEFAULT" => ("ENCRYPT_DECRYPT", "RSAES_OAEP_SHA_1"),
                "Encrypt" => ("ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT"),
                "Sign" => ("SIGN_VERIFY", "SM2DSA"),
                _ if spec == "HMAC_256" => ("GENERATE_VERIFY_MAC", "HMAC_SHA_512"),
                _ => ("GENERATE_VERIFY_MAC", "HMAC_SHA_256"),
            };
            if usage == of_usage {
                let mut body = body;
                body["KeyId"] = json!(id);
                body[algorithm] = json!(other);
                let text = format!("Algorithm {other} and key spec {spec} are incompatible with each other.");
                assert_eq!(house.fails(operation, body).await, said("InvalidKeyUsageException", text));
            }
        }
    }
}

#[tokio::test]
async fn the_state_is_told_before_the_usage() {
    let house = House::new().await;
    for (spec, usage) in
        [("HMAC_256", "GENERATE_VERIFY_MAC"), ("ECC_NIST_P256", "SIGN_VERIFY"), ("ECC_NIST_P256", "KEY_AGREEMENT")]
    {
        let (id, arn) = key(&house, spec, usage).await;
        house.ok("DisableKey", json!({"KeyId": id})).await;
        for (operation, _, body) in uses(&id) {
            let told = house.fails(operation, body).await;
            assert_eq!(told, said("DisabledException", format!("{arn} is disabled.")), "{operation} {spec}");
        }
        house.ok("ScheduleKeyDeletion", json!({"KeyId": id})).await;
        for (operation, _, body) in uses(&id) {
            let told = house.fails(operation, body).await;
            assert_eq!(told, said("KMSInvalidStateException", format!("{arn} is pending deletion.")), "{operation}");
        }
    }
}

#[tokio::test]
async fn a_public_key_is_told_of_asymmetric_keys_unless_they_are_pending_deletion() {
    let house = House::new().await;
    for (spec, usage, member, algorithms) in KINDS {
        let (id, arn) = key(&house, spec, usage).await;
        let asked = json!({"KeyId": id});
        if spec == "SYMMETRIC_DEFAULT" || usage == "GENERATE_VERIFY_MAC" {
            assert_eq!(house.fails("GetPublicKey", asked).await, silent("UnsupportedOperationException"));
            continue;
        }
        let told = house.ok("GetPublicKey", asked.clone()).await;
        let public_key = &told["PublicKey"];
        assert_eq!(
            told,
            json!({"KeyId": arn, "PublicKey": public_key, "CustomerMasterKeySpec": spec, "KeySpec": spec, "KeyUsage": usage, (member): algorithms})
        );
        house.ok("DisableKey", asked.clone()).await;
        house.ok("CreateAlias", json!({"AliasName": format!("alias/{id}"), "TargetKeyId": id})).await;
        assert_eq!(house.ok("GetPublicKey", json!({"KeyId": format!("alias/{id}")})).await, told);
        house.ok("ScheduleKeyDeletion", asked.clone()).await;
        let refused = said("KMSInvalidStateException", format!("{arn} is pending deletion."));
        assert_eq!(house.fails("GetPublicKey", asked).await, refused);
    }
}

#[tokio::test]
async fn symmetric_keys_alone_rotate() {
    let house = House::new().await;
    for (spec, usage) in
        [("HMAC_384", "GENERATE_VERIFY_MAC"), ("ECC_NIST_P384", "SIGN_VERIFY"), ("RSA_2048", "ENCRYPT_DECRYPT")]
    {
        let (id, arn) = key(&house, spec, usage).await;
        let asked = json!({"KeyId": id});
        for operation in ["EnableKeyRotation", "RotateKeyOnDemand"] {
            assert_eq!(house.fails(operation, asked.clone()).await, silent("UnsupportedOperationException"), "{spec}");
        }
        assert_eq!(house.ok("DisableKeyRotation", asked.clone()).await, Value::Null);
        let status = house.ok("GetKeyRotationStatus", asked.clone()).await;
        assert_eq!(status, json!({"KeyId": arn, "KeyRotationEnabled": false}));
        assert_eq!(house.ok("ListKeyRotations", asked.clone()).await, json!({"Rotations": [], "Truncated": false}));
        let all = json!({"KeyId": id, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"});
        let text = "Input parameter includeKeyMaterial can only be used with symmetric keys.";
        assert_eq!(house.fails("ListKeyRotations", all).await, said("ValidationException", text));
        house.ok("DisableKey", asked.clone()).await;
        for operation in ["EnableKeyRotation", "DisableKeyRotation", "RotateKeyOnDemand"] {
            let told = house.fails(operation, asked.clone()).await;
            assert_eq!(told, said("DisabledException", format!("{arn} is disabled.")), "{operation}");
        }
    }
}

#[tokio::test]
async fn an_alias_moves_between_keys_of_the_same_type_and_usage_alone() {
    let house = House::new().await;
    let kinds = [
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", 0),
        ("RSA_2048", "ENCRYPT_DECRYPT", 1),
        ("HMAC_224", "GENERATE_VERIFY_MAC", 2),
        ("HMAC_512", "GENERATE_VERIFY_MAC", 2),
        ("ECC_NIST_P256", "SIGN_VERIFY", 3),
        ("ML_DSA_44", "SIGN_VERIFY", 3),
        ("ECC_NIST_P256", "KEY_AGREEMENT", 4),
    ];
    let mut keys = Vec::new();
    for (spec, usage, group) in kinds {
        keys.push((key(&house, spec, usage).await.0, group));
    }
    for (from, group) in &keys {
        for (to, other) in &keys {
            house.ok("CreateAlias", json!({"AliasName": "alias/a", "TargetKeyId": from})).await;
            let outcome = house.call("UpdateAlias", json!({"AliasName": "alias/a", "TargetKeyId": to})).await;
            let code = outcome.err().map(|(code, _)| code);
            assert_eq!(code, (group != other).then(|| "ValidationException".to_owned()));
            house.ok("DeleteAlias", json!({"AliasName": "alias/a"})).await;
        }
    }
}

#[tokio::test]
async fn another_account_uses_keys_of_every_kind_and_manages_none() {
    let house = House::new().await;
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ["111122223333", "444455556666"]}, "Action": "kms:*", "Resource": "*"}]})
    .to_string();
    let stranger = House::caller("arn:aws:iam::444455556666:root", "444455556666");
    for (spec, usage) in [
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
        ("HMAC_256", "GENERATE_VERIFY_MAC"),
        ("ECC_NIST_P256", "SIGN_VERIFY"),
        ("ECC_NIST_P256", "KEY_AGREEMENT"),
    ] {
        let (id, arn) = key(&house, spec, usage).await;
        house.ok("PutKeyPolicy", json!({"KeyId": id, "Policy": policy})).await;
        for (operation, needed, mut body) in uses(&arn) {
            if needed == usage || (needed == "SYMMETRIC" && spec == "SYMMETRIC_DEFAULT") {
                body["KeyId"] = json!(arn);
                let denied = "AccessDeniedException".to_owned();
                let outcome = house.call_as(&stranger, operation, body).await;
                assert_ne!(outcome.err().map(|(code, _)| code), Some(denied), "{operation}");
            }
        }
        if spec == "ECC_NIST_P256" {
            house.call_as(&stranger, "GetPublicKey", json!({"KeyId": arn})).await.unwrap();
        }
        let denied = house.call_as(&stranger, "DisableKey", json!({"KeyId": arn})).await;
        assert_eq!(denied.map_err(|(code, _)| code), Err("AccessDeniedException".to_owned()));
    }
}

/// Spec, usage, operation, its members, the condition key and the value that a policy denies, and
/// what to change for the policy to let it pass.
fn denied_by_condition() -> Vec<(&'static str, &'static str, &'static str, Value, &'static str, &'static str, Value)> {
    let (rsa, p256, hmac) = ("RSA_2048", "ECC_NIST_P256", "HMAC_256");
    let (sign, encrypt, mac) = ("SIGN_VERIFY", "ENCRYPT_DECRYPT", "GENERATE_VERIFY_MAC");
    let pss = json!({"Message": "QQ==", "SigningAlgorithm": "RSASSA_PSS_SHA_256"});
    let raw = json!({"Message": "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=", "SigningAlgorithm": "ECDSA_SHA_256"});
    let maced = json!({"Message": "QQ==", "MacAlgorithm": "HMAC_SHA_256"});
    let pair = json!({"KeyPairSpec": "ECC_NIST_P256"});
    vec![
        (
            rsa,
            sign,
            "Sign",
            pss,
            "kms:SigningAlgorithm",
            "RSASSA_PSS_SHA_256",
            json!({"SigningAlgorithm": "RSASSA_PSS_SHA_512"}),
        ),
        (p256, sign, "Sign", raw.clone(), "kms:MessageType", "RAW", json!({"MessageType": "DIGEST"})),
        (p256, sign, "Sign", raw, "kms:RequestAlias", "alias/used", json!({"KeyId": null})),
        (hmac, mac, "GenerateMac", maced.clone(), "kms:MacAlgorithm", "HMAC_SHA_256", json!(null)),
        (hmac, mac, "GenerateMac", maced, "kms:RequestAlias", "alias/used", json!({"KeyId": null})),
        (
            p256,
            "KEY_AGREEMENT",
            "DeriveSharedSecret",
            json!({"KeyAgreementAlgorithm": "ECDH", "PublicKey": "peer"}),
            "kms:KeyAgreementAlgorithm",
            "ECDH",
            json!(null),
        ),
        (
            "SYMMETRIC_DEFAULT",
            encrypt,
            "GenerateDataKeyPair",
            pair.clone(),
            "kms:DataKeyPairSpec",
            "ECC_NIST_P256",
            json!({"KeyPairSpec": "ECC_NIST_P384"}),
        ),
        (
            "SYMMETRIC_DEFAULT",
            encrypt,
            "GenerateDataKeyPairWithoutPlaintext",
            pair.clone(),
            "kms:EncryptionContext:tenant",
            "a",
            json!({"EncryptionContext": {"tenant": "b"}}),
        ),
        (
            "SYMMETRIC_DEFAULT",
            encrypt,
            "GenerateDataKeyPair",
            pair,
            "kms:EncryptionAlgorithm",
            "SYMMETRIC_DEFAULT",
            json!(null),
        ),
        (
            rsa,
            encrypt,
            "Encrypt",
            json!({"Plaintext": "QQ==", "EncryptionAlgorithm": "RSAES_OAEP_SHA_1"}),
            "kms:EncryptionAlgorithm",
            "RSAES_OAEP_SHA_1",
            json!({"EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}),
        ),
        (p256, sign, "GetPublicKey", json!({}), "kms:RequestAlias", "alias/used", json!({"KeyId": null})),
        (p256, sign, "GetPublicKey", json!({}), "kms:KeySpec", "ECC_NIST_P256", json!(null)),
        (hmac, mac, "DescribeKey", json!({}), "kms:KeyUsage", "GENERATE_VERIFY_MAC", json!(null)),
    ]
}

#[tokio::test]
async fn a_policy_decides_by_the_condition_keys() {
    let house = House::new().await;
    let (peer, _) = key(&house, "ECC_NIST_P256", "KEY_AGREEMENT").await;
    let peer = house.ok("GetPublicKey", json!({"KeyId": peer})).await["PublicKey"].clone();
    for (spec, usage, operation, mut body, condition, value, change) in denied_by_condition() {
        let (id, _) = key(&house, spec, usage).await;
        house.ok("CreateAlias", json!({"AliasName": "alias/used", "TargetKeyId": id})).await;
        body["KeyId"] = json!("alias/used");
        if operation == "DeriveSharedSecret" {
            body["PublicKey"] = peer.clone();
        }
        if condition == "kms:EncryptionContext:tenant" {
            body["EncryptionContext"] = json!({"tenant": "a"});
        }
        house.ok(operation, body.clone()).await;
        let root = json!({"AWS": "111122223333"});
        let deny = |value: &str| {
            json!({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"},
                {"Effect": "Deny", "Principal": root, "Action": format!("kms:{operation}"), "Resource": "*",
                 "Condition": {"StringEquals": {condition: value}}}]})
            .to_string()
        };
        house.ok("PutKeyPolicy", json!({"KeyId": id, "Policy": deny(value)})).await;
        assert_eq!(house.fails(operation, body.clone()).await.0, "AccessDeniedException", "{operation} {condition}");
        if let Some(changes) = change.as_object() {
            let mut other = body.clone();
            for (member, value) in changes {
                other[member] = if member == "KeyId" { json!(id) } else { value.clone() };
            }
            house.ok(operation, other).await;
        }
        house.ok("PutKeyPolicy", json!({"KeyId": id, "Policy": deny("another value")})).await;
        house.ok(operation, body).await;
        house.ok("DeleteAlias", json!({"AliasName": "alias/used"})).await;
    }
}

#[tokio::test]
async fn creating_is_decided_by_what_is_to_be_made() {
    let house = House::new().await;
    for (body, message) in [
        (
            json!({"KeySpec": "HMAC_256"}),
            "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
        ),
        (
            json!({"KeySpec": "ML_DSA_44", "KeyUsage": "ENCRYPT_DECRYPT"}),
            "KeyUsage ENCRYPT_DECRYPT is not compatible with KeySpec ML_DSA_44",
        ),
        (json!({"KeyUsage": "SIGN_VERIFY"}), "KeyUsage SIGN_VERIFY is not compatible with KeySpec SYMMETRIC_DEFAULT"),
    ] {
        assert_eq!(house.fails("CreateKey", body).await, said("ValidationException", message));
    }
    let old =
        house.ok("CreateKey", json!({"CustomerMasterKeySpec": "HMAC_224", "KeyUsage": "GENERATE_VERIFY_MAC"})).await;
    assert_eq!(old["KeyMetadata"]["KeySpec"], json!("HMAC_224"));
    let rsa = house.ok("CreateKey", json!({"KeySpec": "RSA_2048"})).await;
    assert_eq!(rsa["KeyMetadata"]["KeyUsage"], json!("ENCRYPT_DECRYPT"));
}
