//! Requests to KMS, and the ciphertext that it made.

use data_encoding::BASE64;
use keystile::kms::Operation;
use serde_json::json;

use super::fuzz;
use crate::engine::house::House;

const NAMES: [&str; 12] = [
    "CreateKey",
    "Encrypt",
    "Decrypt",
    "GenerateDataKey",
    "PutKeyPolicy",
    "ReEncrypt",
    "EnableKeyRotation",
    "ScheduleKeyDeletion",
    "TagResource",
    "ListKeys",
    "CreateAlias",
    "CreateGrant",
];

#[test]
fn a_request_is_read_or_refused_with_a_code() {
    let corpus = [
        json!({"KeyId": "alias/app", "Plaintext": "eA==", "EncryptionContext": {"Dept": "dev"}, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}),
        json!({"CiphertextBlob": "eA==", "KeyId": "1234abcd-12ab-34cd-56ef-1234567890ab", "GrantTokens": ["t"]}),
        json!({"CiphertextBlob": "eA==", "DestinationKeyId": "alias/app", "SourceEncryptionContext": {}, "DestinationEncryptionContext": {"a": "b"}}),
        json!({"KeyId": "k", "Policy": "{}", "PolicyName": "default", "BypassPolicyLockoutSafetyCheck": false}),
        json!({"KeyId": "k", "RotationPeriodInDays": 180, "PendingWindowInDays": 7, "Limit": 10, "Marker": "m"}),
        json!({"KeyId": "k", "Tags": [{"TagKey": "a", "TagValue": "b"}], "Description": "d", "KeySpec": "AES_256", "NumberOfBytes": 32}),
        json!({"AliasName": "alias/app", "TargetKeyId": "k", "GranteePrincipal": "arn:aws:iam::111122223333:user/a", "Operations": ["Decrypt"]}),
    ];
    let corpus = corpus.iter().map(|body| body.to_string().into_bytes()).collect();
    let dictionary = [
        "KeyId",
        "Plaintext",
        "EncryptionContext",
        "CiphertextBlob",
        "RotationPeriodInDays",
        "Tags",
        "TagKey",
        "Policy",
        "alias/",
        "arn:aws:kms:us-east-1:111122223333:key/",
        "eA==",
        "DryRun",
        "Recipient",
        "Limit",
        "1.0",
        "1e2",
    ];
    fuzz("wire", corpus, &dictionary, |input| {
        let mut outcome = String::new();
        for name in NAMES {
            match Operation::parse(name, input) {
                Ok(_) => outcome.push_str("read "),
                Err(error) => {
                    assert!(!error.code().contains("Internal"), "{name}: {error:?}");
                    outcome = format!("{outcome}{} ", error.code());
                }
            }
        }
        outcome
    });
}

#[test]
fn no_altered_ciphertext_decrypts() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let house = runtime.block_on(House::new());
    let blobs: Vec<Vec<u8>> = ["c2VjcmV0", "eA==", "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4"]
        .iter()
        .map(|plaintext| {
            let (id, _) = runtime.block_on(house.key());
            let sealed = runtime.block_on(house.ok("Encrypt", json!({"KeyId": id, "Plaintext": plaintext})));
            BASE64.decode(sealed["CiphertextBlob"].as_str().unwrap().as_bytes()).unwrap()
        })
        .collect();
    let genuine = blobs.clone();
    fuzz("ciphertext", blobs, &["111122223333", "\u{1}", "\u{2}"], |input| {
        let answer = runtime.block_on(house.call("Decrypt", json!({"CiphertextBlob": BASE64.encode(input)})));
        match answer {
            Ok(answer) => {
                assert!(genuine.iter().any(|blob| blob == input), "an altered ciphertext decrypts: {answer}");
                "decrypted".to_owned()
            }
            Err((code, _)) => {
                let told =
                    ["InvalidCiphertextException", "ValidationException", "AccessDeniedException", "NotFoundException"];
                assert!(told.contains(&code.as_str()), "{code}");
                code
            }
        }
    });
}
