//! What HMAC and asymmetric keys do: MACs, signatures, RSA encryption, key agreement, data key pairs.

use aws_lc_rs::digest::{SHA256, SHA384, SHA512, digest};
use data_encoding::BASE64;
use serde_json::{Value, json};

use super::house::{House, text};

async fn key(house: &House, spec: &str, usage: &str) -> (String, String) {
    let made = house.ok("CreateKey", json!({"KeySpec": spec, "KeyUsage": usage})).await;
    (text(&made["KeyMetadata"]["KeyId"]), text(&made["KeyMetadata"]["Arn"]))
}

fn bytes(value: &Value) -> Vec<u8> {
    BASE64.decode(text(value).as_bytes()).unwrap()
}

fn blob(bytes: &[u8]) -> Value {
    json!(BASE64.encode(bytes))
}

fn silent(code: &str) -> (String, String) {
    (code.to_owned(), String::new())
}

/// The same bytes with one bit of each of a few changed.
fn altered(of: &Value) -> Vec<Value> {
    let whole = bytes(of);
    let mut all: Vec<Value> = [0, whole.len() / 2, whole.len() - 1]
        .into_iter()
        .map(|at| {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            blob(&changed)
        })
        .collect();
    all.push(blob(&whole[..whole.len() - 1]));
    all.push(blob(&[&whole[..], &[0]].concat()));
    all
}

#[tokio::test]
async fn a_mac_is_its_keys_and_its_messages_alone() {
    let house = House::new().await;
    let longest = blob(&[7; 4096]);
    for (spec, algorithm, length) in [
        ("HMAC_224", "HMAC_SHA_224", 28),
        ("HMAC_256", "HMAC_SHA_256", 32),
        ("HMAC_384", "HMAC_SHA_384", 48),
        ("HMAC_512", "HMAC_SHA_512", 64),
    ] {
        let (id, arn) = key(&house, spec, "GENERATE_VERIFY_MAC").await;
        let (other, _) = key(&house, spec, "GENERATE_VERIFY_MAC").await;
        let asked = json!({"KeyId": id, "Message": longest, "MacAlgorithm": algorithm});
        let made = house.ok("GenerateMac", asked.clone()).await;
        assert_eq!(made, json!({"KeyId": arn, "Mac": made["Mac"], "MacAlgorithm": algorithm}));
        assert_eq!(bytes(&made["Mac"]).len(), length);
        assert_eq!(house.ok("GenerateMac", asked.clone()).await, made, "the same message has the same MAC");
        let mut verifying = asked;
        verifying["Mac"] = made["Mac"].clone();
        let verified = house.ok("VerifyMac", verifying.clone()).await;
        assert_eq!(verified, json!({"KeyId": arn, "MacValid": true, "MacAlgorithm": algorithm}));
        let wrong = altered(&made["Mac"]).into_iter().map(|mac| ("Mac", mac));
        for (member, value) in wrong.chain([("Message", blob(b"another")), ("KeyId", json!(other))]) {
            let mut body = verifying.clone();
            body[member] = value;
            assert_eq!(house.fails("VerifyMac", body).await, silent("KMSInvalidMacException"), "{spec} {member}");
        }
        let too_long = json!({"KeyId": id, "Message": blob(&[7; 4097]), "MacAlgorithm": algorithm});
        assert_eq!(house.fails("GenerateMac", too_long).await.0, "ValidationException");
    }
}

#[tokio::test]
async fn what_a_key_signed_it_verifies_and_nothing_else() {
    let house = House::new().await;
    let rsa: &[&str] = &[
        "RSASSA_PSS_SHA_256",
        "RSASSA_PSS_SHA_384",
        "RSASSA_PSS_SHA_512",
        "RSASSA_PKCS1_V1_5_SHA_256",
        "RSASSA_PKCS1_V1_5_SHA_384",
        "RSASSA_PKCS1_V1_5_SHA_512",
    ];
    let message = b"what is to be signed".as_slice();
    for (spec, algorithms) in [
        ("RSA_2048", rsa),
        ("ECC_NIST_P256", &["ECDSA_SHA_256"]),
        ("ECC_NIST_P384", &["ECDSA_SHA_384"]),
        ("ECC_NIST_P521", &["ECDSA_SHA_512"]),
        ("ECC_SECG_P256K1", &["ECDSA_SHA_256"]),
        ("ECC_NIST_EDWARDS25519", &["ED25519_SHA_512"]),
        ("ML_DSA_44", &["ML_DSA_SHAKE_256"]),
        ("ML_DSA_65", &["ML_DSA_SHAKE_256"]),
        ("ML_DSA_87", &["ML_DSA_SHAKE_256"]),
    ] {
        let (id, arn) = key(&house, spec, "SIGN_VERIFY").await;
        let (other, _) = key(&house, spec, "SIGN_VERIFY").await;
        for algorithm in algorithms {
            let hash = match &algorithm[algorithm.len() - 3..] {
                "384" => &SHA384,
                "512" => &SHA512,
                _ => &SHA256,
            };
            let raw = json!({"KeyId": id, "Message": blob(message), "SigningAlgorithm": algorithm});
            let hashed = json!({"KeyId": id, "Message": blob(digest(hash, message).as_ref()), "MessageType": "DIGEST", "SigningAlgorithm": algorithm});
            let takes_digests = !algorithm.starts_with("ED") && !algorithm.starts_with("ML");
            for signing in [&raw, &hashed] {
                if signing == &hashed && !takes_digests {
                    assert_eq!(house.fails("Sign", hashed.clone()).await.0, "ValidationException", "{algorithm}");
                    continue;
                }
                let signed = house.ok("Sign", signing.clone()).await;
                let signature = &signed["Signature"];
                assert_eq!(signed, json!({"KeyId": arn, "Signature": signature, "SigningAlgorithm": algorithm}));
                for asked in [&raw, &hashed].into_iter().take(if takes_digests { 2 } else { 1 }) {
                    let mut verifying = asked.clone();
                    verifying["Signature"] = signature.clone();
                    let verified = house.ok("Verify", verifying.clone()).await;
                    assert_eq!(verified, json!({"KeyId": arn, "SignatureValid": true, "SigningAlgorithm": algorithm}));
                    let wrong = altered(signature).into_iter().map(|changed| ("Signature", changed));
                    for (member, value) in wrong.chain([("KeyId", json!(other))]) {
                        let mut body = verifying.clone();
                        body[member] = value;
                        let refused = house.fails("Verify", body).await;
                        assert_eq!(refused, silent("KMSInvalidSignatureException"), "{spec} {algorithm} {member}");
                    }
                }
                let mut body = raw.clone();
                body["Signature"] = signature.clone();
                body["Message"] = blob(b"another");
                assert_eq!(house.fails("Verify", body).await, silent("KMSInvalidSignatureException"));
            }
            if takes_digests {
                let mut short = hashed.clone();
                short["Message"] = blob(&[1; 31]);
                let text = format!("Digest is invalid length for algorithm {algorithm}.");
                assert_eq!(house.fails("Sign", short).await, ("ValidationException".to_owned(), text));
            }
        }
        let too_long = json!({"KeyId": id, "Message": blob(&[7; 4097]), "SigningAlgorithm": algorithms[0]});
        assert_eq!(house.fails("Sign", too_long).await.0, "ValidationException");
    }
}

#[tokio::test]
async fn what_the_library_can_not_sign_is_refused_by_name() {
    let house = House::new().await;
    let (edwards, _) = key(&house, "ECC_NIST_EDWARDS25519", "SIGN_VERIFY").await;
    let (ml_dsa, _) = key(&house, "ML_DSA_65", "SIGN_VERIFY").await;
    for (body, thing) in [
        (
            json!({"KeyId": edwards, "Message": blob(&[1; 64]), "MessageType": "DIGEST", "SigningAlgorithm": "ED25519_PH_SHA_512"}),
            "ED25519_PH_SHA_512",
        ),
        (
            json!({"KeyId": ml_dsa, "Message": blob(&[1; 64]), "MessageType": "EXTERNAL_MU", "SigningAlgorithm": "ML_DSA_SHAKE_256"}),
            "EXTERNAL_MU",
        ),
    ] {
        let (code, message) = house.fails("Sign", body).await;
        assert!(code == "UnsupportedOperationException" && message.contains(thing), "{code} {message}");
    }
    assert_eq!(
        house.fails("CreateKey", json!({"KeySpec": "SM2", "KeyUsage": "SIGN_VERIFY"})).await.0,
        "UnsupportedOperationException"
    );
}

#[tokio::test]
async fn rsa_encrypts_up_to_its_limit_and_without_context() {
    let house = House::new().await;
    let (id, arn) = key(&house, "RSA_2048", "ENCRYPT_DECRYPT").await;
    let (other, _) = key(&house, "RSA_2048", "ENCRYPT_DECRYPT").await;
    for (algorithm, longest) in [("RSAES_OAEP_SHA_1", 214), ("RSAES_OAEP_SHA_256", 190)] {
        let plaintext = blob(&vec![9; longest]);
        let asked = json!({"KeyId": id, "Plaintext": plaintext, "EncryptionAlgorithm": algorithm});
        let sealed = house.ok("Encrypt", asked.clone()).await;
        let ciphertext = &sealed["CiphertextBlob"];
        assert_eq!(sealed, json!({"KeyId": arn, "CiphertextBlob": ciphertext, "EncryptionAlgorithm": algorithm}));
        let opening = json!({"KeyId": id, "CiphertextBlob": ciphertext, "EncryptionAlgorithm": algorithm, "EncryptionContext": {}});
        let opened = house.ok("Decrypt", opening.clone()).await;
        assert_eq!(opened, json!({"KeyId": arn, "Plaintext": plaintext, "EncryptionAlgorithm": algorithm}));

        let mut longer = asked.clone();
        longer["Plaintext"] = blob(&vec![9; longest + 1]);
        let text =
            format!("Algorithm {algorithm} and key spec RSA_2048 cannot encrypt data larger than {longest} bytes.");
        assert_eq!(house.fails("Encrypt", longer).await, ("ValidationException".to_owned(), text));
        let (mut sealing, mut with_context) = (asked, opening.clone());
        sealing["EncryptionContext"] = json!({"a": "b"});
        with_context["EncryptionContext"] = json!({"a": "b"});
        assert_eq!(house.fails("Encrypt", sealing).await.0, "ValidationException");
        assert_eq!(house.fails("Decrypt", with_context).await.0, "ValidationException");

        let wrong = altered(ciphertext).into_iter().map(|changed| ("CiphertextBlob", changed));
        for (member, value) in wrong.chain([("KeyId", json!(other))]) {
            let mut body = opening.clone();
            body[member] = value;
            assert_eq!(house.fails("Decrypt", body).await, silent("InvalidCiphertextException"), "{member}");
        }
        let nameless = json!({"CiphertextBlob": ciphertext, "EncryptionAlgorithm": algorithm});
        let (code, message) = house.fails("Decrypt", nameless).await;
        assert!(code == "ValidationException" && message.starts_with("KeyId"), "{code} {message}");
    }
}

#[tokio::test]
async fn re_encrypting_goes_between_symmetric_and_rsa_keys() {
    let house = House::new().await;
    let (symmetric, symmetric_arn) = key(&house, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await;
    let (rsa, rsa_arn) = key(&house, "RSA_2048", "ENCRYPT_DECRYPT").await;
    let sealed = house.ok("Encrypt", json!({"KeyId": symmetric, "Plaintext": "c2VjcmV0"})).await;
    let there = json!({"CiphertextBlob": sealed["CiphertextBlob"], "DestinationKeyId": rsa, "DestinationEncryptionAlgorithm": "RSAES_OAEP_SHA_256"});
    let moved = house.ok("ReEncrypt", there).await;
    assert_eq!((&moved["SourceKeyId"], &moved["KeyId"]), (&json!(symmetric_arn), &json!(rsa_arn)));
    assert_eq!(moved["DestinationEncryptionAlgorithm"], json!("RSAES_OAEP_SHA_256"));
    assert!(moved.get("SourceKeyMaterialId").is_some() && moved.get("DestinationKeyMaterialId").is_none());
    let mut back = json!({"CiphertextBlob": moved["CiphertextBlob"], "SourceEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "DestinationKeyId": symmetric});
    let (code, message) = house.fails("ReEncrypt", back.clone()).await;
    assert!(code == "ValidationException" && message.starts_with("SourceKeyId"), "{code} {message}");
    back["SourceKeyId"] = json!(rsa);
    let returned = house.ok("ReEncrypt", back).await;
    assert!(returned.get("SourceKeyMaterialId").is_none() && returned.get("DestinationKeyMaterialId").is_some());
    let opened = house.ok("Decrypt", json!({"CiphertextBlob": returned["CiphertextBlob"]})).await;
    assert_eq!(opened["Plaintext"], json!("c2VjcmV0"));
}

#[tokio::test]
async fn two_keys_agree_on_a_secret() {
    let house = House::new().await;
    let (foreign, _) = key(&house, "ECC_SECG_P256K1", "SIGN_VERIFY").await;
    let foreign = house.ok("GetPublicKey", json!({"KeyId": foreign})).await["PublicKey"].clone();
    for (spec, length) in [("ECC_NIST_P256", 32), ("ECC_NIST_P384", 48), ("ECC_NIST_P521", 66)] {
        let (one, arn) = key(&house, spec, "KEY_AGREEMENT").await;
        let (two, _) = key(&house, spec, "KEY_AGREEMENT").await;
        let mut secrets = Vec::new();
        for (own, peer) in [(&one, &two), (&two, &one)] {
            let public = house.ok("GetPublicKey", json!({"KeyId": peer})).await["PublicKey"].clone();
            let asked = json!({"KeyId": own, "KeyAgreementAlgorithm": "ECDH", "PublicKey": public});
            secrets.push(house.ok("DeriveSharedSecret", asked.clone()).await);
            let whole = bytes(&public);
            let mut off_curve = whole.clone();
            *off_curve.last_mut().unwrap() ^= 1;
            let point = &whole[whole.len() - (2 * length + 1)..];
            assert_eq!(point[0], 4);
            for wrong in [foreign.clone(), blob(&off_curve), blob(point), blob(&whole[1..]), blob(b"x")] {
                let mut body = asked.clone();
                body["PublicKey"] = wrong;
                assert_eq!(house.fails("DeriveSharedSecret", body).await.0, "ValidationException", "{spec}");
            }
        }
        let secret = &secrets[0]["SharedSecret"];
        assert_eq!(secret, &secrets[1]["SharedSecret"]);
        assert_eq!(bytes(secret).len(), length);
        assert_eq!(
            secrets[0],
            json!({"KeyId": arn, "SharedSecret": secret, "KeyAgreementAlgorithm": "ECDH", "KeyOrigin": "AWS_KMS"})
        );
    }
}

#[tokio::test]
async fn a_data_key_pair_comes_back_under_its_context() {
    let house = House::new().await;
    let (id, arn) = key(&house, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await;
    let material = house.ok("DescribeKey", json!({"KeyId": id})).await["KeyMetadata"]["CurrentKeyMaterialId"].clone();
    for spec in
        ["RSA_2048", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519"]
    {
        let asked = json!({"KeyId": id, "KeyPairSpec": spec, "EncryptionContext": {"a": "b"}});
        let made = house.ok("GenerateDataKeyPair", asked.clone()).await;
        let hidden = house.ok("GenerateDataKeyPairWithoutPlaintext", asked).await;
        for pair in [&made, &hidden] {
            assert_eq!(
                (&pair["KeyId"], &pair["KeyPairSpec"], &pair["KeyMaterialId"]),
                (&json!(arn), &json!(spec), &material)
            );
            let sealed = &pair["PrivateKeyCiphertextBlob"];
            let opened = house.ok("Decrypt", json!({"CiphertextBlob": sealed, "EncryptionContext": {"a": "b"}})).await;
            // DER: a sequence.
            assert_eq!((bytes(&opened["Plaintext"])[0], bytes(&pair["PublicKey"])[0]), (0x30, 0x30));
            if pair == &made {
                assert_eq!(opened["Plaintext"], made["PrivateKeyPlaintext"]);
            }
            let refused = house.fails("Decrypt", json!({"CiphertextBlob": sealed})).await;
            assert_eq!(refused, silent("InvalidCiphertextException"));
        }
        assert!(hidden.get("PrivateKeyPlaintext").is_none());
        assert_ne!(made["PublicKey"], hidden["PublicKey"]);
    }
}

#[tokio::test]
async fn keys_of_every_kind_survive_a_restart() {
    let house = House::new().await;
    let mac = key(&house, "HMAC_512", "GENERATE_VERIFY_MAC").await.0;
    let signing = key(&house, "ECC_NIST_P384", "SIGN_VERIFY").await.0;
    let rsa = key(&house, "RSA_2048", "ENCRYPT_DECRYPT").await.0;
    let maced = json!({"KeyId": mac, "Message": "QQ==", "MacAlgorithm": "HMAC_SHA_512"});
    let signed = json!({"KeyId": signing, "Message": "QQ==", "SigningAlgorithm": "ECDSA_SHA_384"});
    let encrypted = json!({"KeyId": rsa, "Plaintext": "QQ==", "EncryptionAlgorithm": "RSAES_OAEP_SHA_1"});
    let made = house.ok("GenerateMac", maced.clone()).await;
    let signature = house.ok("Sign", signed.clone()).await["Signature"].clone();
    let ciphertext = house.ok("Encrypt", encrypted).await["CiphertextBlob"].clone();
    let house = house.restarted().await;
    assert_eq!(house.ok("GenerateMac", maced).await, made);
    let mut verifying = signed;
    verifying["Signature"] = signature;
    house.ok("Verify", verifying).await;
    let opening = json!({"KeyId": rsa, "CiphertextBlob": ciphertext, "EncryptionAlgorithm": "RSAES_OAEP_SHA_1"});
    assert_eq!(house.ok("Decrypt", opening).await["Plaintext"], json!("QQ=="));
}
