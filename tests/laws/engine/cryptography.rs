use data_encoding::BASE64;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::house::{House, text};

#[tokio::test]
async fn what_was_encrypted_decrypts_under_its_context_alone() {
    let house = House::new().await;
    let (id, arn) = house.key().await;
    let context = json!({"Tenant": "x", "a": "b"});
    let sealed = house.ok("Encrypt", json!({"KeyId": id, "Plaintext": "c2VjcmV0", "EncryptionContext": context})).await;
    assert_eq!((&sealed["KeyId"], &sealed["EncryptionAlgorithm"]), (&json!(arn), &json!("SYMMETRIC_DEFAULT")));
    assert!(sealed.get("KeyMaterialId").is_none());
    let blob = &sealed["CiphertextBlob"];
    let material = house.ok("DescribeKey", json!({"KeyId": id})).await["KeyMetadata"]["CurrentKeyMaterialId"].clone();
    for key in [Value::Null, json!(id), json!(arn)] {
        let opened =
            house.ok("Decrypt", json!({"KeyId": key, "CiphertextBlob": blob, "EncryptionContext": context})).await;
        assert_eq!(
            opened,
            json!({"KeyId": arn, "Plaintext": "c2VjcmV0", "EncryptionAlgorithm": "SYMMETRIC_DEFAULT", "KeyMaterialId": material})
        );
    }
    let silent = ("InvalidCiphertextException".to_owned(), String::new());
    for wrong in [json!({}), json!({"tenant": "x", "a": "b"}), json!({"Tenant": "x"})] {
        assert_eq!(house.fails("Decrypt", json!({"CiphertextBlob": blob, "EncryptionContext": wrong})).await, silent);
    }
    let mut bytes = BASE64.decode(text(blob).as_bytes()).unwrap();
    for at in [0, 5, 20, 40, 62, 70, bytes.len() - 1] {
        bytes[at] ^= 1;
        for key in [Value::Null, json!(id)] {
            let body = json!({"KeyId": key, "CiphertextBlob": BASE64.encode(&bytes), "EncryptionContext": context});
            assert_eq!(house.fails("Decrypt", body).await, silent, "byte {at}");
        }
        bytes[at] ^= 1;
    }
    let (other, _) = house.key().await;
    assert_eq!(
        house.fails("Decrypt", json!({"KeyId": other, "CiphertextBlob": blob, "EncryptionContext": context})).await,
        (
            "IncorrectKeyException".to_owned(),
            "The key ID in the request does not identify a CMK that can perform this operation.".to_owned()
        )
    );
    let (code, _) = house
        .fails("Encrypt", json!({"KeyId": id, "Plaintext": "QQ==", "EncryptionAlgorithm": "RSAES_OAEP_SHA_1"}))
        .await;
    assert_eq!(code, "InvalidKeyUsageException");
}

#[tokio::test]
async fn data_keys_are_of_the_length_asked_for() {
    let house = House::new().await;
    let (id, arn) = house.key().await;
    for (asked, length) in [
        (json!({"KeySpec": "AES_256"}), 32),
        (json!({"KeySpec": "AES_128"}), 16),
        (json!({"NumberOfBytes": 1}), 1),
        (json!({"NumberOfBytes": 1024}), 1024),
    ] {
        let mut body = asked.clone();
        body["KeyId"] = json!(id);
        let made = house.ok("GenerateDataKey", body.clone()).await;
        assert_eq!(made["KeyId"], json!(arn));
        assert_eq!(BASE64.decode(text(&made["Plaintext"]).as_bytes()).unwrap().len(), length);
        let opened = house.ok("Decrypt", json!({"CiphertextBlob": made["CiphertextBlob"]})).await;
        assert_eq!((&opened["Plaintext"], &opened["KeyMaterialId"]), (&made["Plaintext"], &made["KeyMaterialId"]));
        let hidden = house.ok("GenerateDataKeyWithoutPlaintext", body).await;
        assert!(hidden.get("Plaintext").is_none());
        let opened = house.ok("Decrypt", json!({"CiphertextBlob": hidden["CiphertextBlob"]})).await;
        assert_eq!(BASE64.decode(text(&opened["Plaintext"]).as_bytes()).unwrap().len(), length);
    }
    for body in [json!({"KeyId": id}), json!({"KeyId": id, "KeySpec": "AES_256", "NumberOfBytes": 32})] {
        assert_eq!(house.fails("GenerateDataKey", body).await.0, "ValidationException");
    }
    let random = house.ok("GenerateRandom", json!({"NumberOfBytes": 1024})).await;
    assert_eq!(BASE64.decode(text(&random["Plaintext"]).as_bytes()).unwrap().len(), 1024);
}

#[tokio::test]
async fn re_encrypting_moves_a_ciphertext_to_another_key() {
    let house = House::new().await;
    let ((one, one_arn), (two, two_arn)) = (house.key().await, house.key().await);
    let sealed =
        house.ok("Encrypt", json!({"KeyId": one, "Plaintext": "c2VjcmV0", "EncryptionContext": {"a": "1"}})).await;
    let moved = house
        .ok("ReEncrypt", json!({"CiphertextBlob": sealed["CiphertextBlob"], "SourceEncryptionContext": {"a": "1"}, "DestinationKeyId": two, "DestinationEncryptionContext": {"b": "2"}}))
        .await;
    assert_eq!((&moved["SourceKeyId"], &moved["KeyId"]), (&json!(one_arn), &json!(two_arn)));
    assert_ne!(moved["SourceKeyMaterialId"], moved["DestinationKeyMaterialId"]);
    let opened =
        house.ok("Decrypt", json!({"CiphertextBlob": moved["CiphertextBlob"], "EncryptionContext": {"b": "2"}})).await;
    assert_eq!((&opened["Plaintext"], &opened["KeyId"]), (&json!("c2VjcmV0"), &json!(two_arn)));
    let wrong = json!({"CiphertextBlob": sealed["CiphertextBlob"], "SourceEncryptionContext": {"a": "1"}, "SourceKeyId": two, "DestinationKeyId": two});
    assert_eq!(house.fails("ReEncrypt", wrong).await.0, "IncorrectKeyException");
}

#[test]
fn any_plaintext_and_context_come_back() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let house = runtime.block_on(House::new());
    let (id, _) = runtime.block_on(house.key());
    let strategy =
        (proptest::collection::vec(any::<u8>(), 1..4097), proptest::collection::btree_map(".{0,20}", ".{0,20}", 0..6));
    proptest!(ProptestConfig::with_cases(32), |((plaintext, context) in strategy)| {
        let plaintext = BASE64.encode(&plaintext);
        let body = json!({"KeyId": id, "Plaintext": plaintext, "EncryptionContext": context});
        let sealed = runtime.block_on(house.ok("Encrypt", body));
        let body = json!({"CiphertextBlob": sealed["CiphertextBlob"], "EncryptionContext": context});
        prop_assert_eq!(&runtime.block_on(house.ok("Decrypt", body))["Plaintext"], &json!(plaintext));
    });
}
