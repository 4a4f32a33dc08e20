use data_encoding::BASE64;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::failure::Failure;
use super::request::Encrypted;
use super::transport::XksAnswer;

/// Entries of a fleet and of a key's usages (XKS Proxy API, "GetHealthStatus", "GetKeyMetadata").
const MOST_ENTRIES: usize = 10;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refused {
    error_name: String,
}

/// The answer of a request that succeeded.
///
/// # Errors
/// What the proxy says went wrong; [`Failure::Malformed`] for what can't be read.
fn read<T: DeserializeOwned>(answer: &XksAnswer) -> Result<T, Failure> {
    // serde takes an array of a struct's members for the struct.
    if answer.body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(Failure::Malformed);
    }
    if answer.status == 200 {
        return serde_json::from_slice(&answer.body).map_err(|_| Failure::Malformed);
    }
    let refused: Refused = serde_json::from_slice(&answer.body).map_err(|_| Failure::Malformed)?;
    Err(Failure::named(&refused.error_name))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Health {
    xks_proxy_fleet_size: u64,
    #[serde(rename = "xksProxyVendor")]
    _proxy_vendor: String,
    #[serde(rename = "xksProxyModel")]
    _proxy_model: String,
    #[serde(rename = "ekmVendor")]
    _manager_vendor: String,
    ekm_fleet_details: Vec<Manager>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manager {
    #[serde(rename = "id")]
    _id: String,
    #[serde(rename = "model")]
    _model: String,
    health_status: ManagerHealth,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum ManagerHealth {
    Active,
    Degraded,
    Unavailable,
}

/// Whether a proxy and at least one of its key managers work.
pub(super) fn health(answer: &XksAnswer) -> Result<(), Failure> {
    let health: Health = read(answer)?;
    let managers = &health.ekm_fleet_details;
    if health.xks_proxy_fleet_size == 0 || !(1..=MOST_ENTRIES).contains(&managers.len()) {
        return Err(Failure::Malformed);
    }
    if managers.iter().all(|manager| manager.health_status == ManagerHealth::Unavailable) {
        return Err(Failure::NoManager);
    }
    Ok(())
}

#[derive(Deserialize)]
struct KeyMetadata {
    #[serde(rename = "keySpec")]
    spec: String,
    #[serde(rename = "keyUsage")]
    usages: Vec<String>,
    #[serde(rename = "keyStatus")]
    status: String,
}

/// Whether an external key is one that a KMS key can have: AES-256, enabled, for both directions.
pub(super) fn key_metadata(answer: &XksAnswer) -> Result<(), Failure> {
    let key: KeyMetadata = read(answer)?;
    if key.usages.len() > MOST_ENTRIES {
        return Err(Failure::Malformed);
    }
    let is_for = |usage: &str| key.usages.iter().any(|given| given == usage);
    if key.spec == "AES_256" && key.status == "ENABLED" && is_for("ENCRYPT") && is_for("DECRYPT") {
        Ok(())
    } else {
        Err(Failure::UnfitKey)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EncryptedText {
    ciphertext: String,
    ciphertext_metadata: Option<String>,
    initialization_vector: String,
    authentication_tag: String,
    ciphertext_data_integrity_value: String,
}

/// What a proxy encrypted, whole as its integrity value says (XKS Proxy API, appendix C), and of the
/// lengths that the API names.
pub(super) fn encrypted(answer: &XksAnswer, aad: &[u8], plaintext_bytes: usize) -> Result<Encrypted, Failure> {
    let text: EncryptedText = read(answer)?;
    let encrypted = Encrypted {
        vector: bytes(&text.initialization_vector)?,
        tag: bytes(&text.authentication_tag)?.try_into().map_err(|_| Failure::Malformed)?,
        metadata: text.ciphertext_metadata.as_deref().map(bytes).transpose()?.unwrap_or_default(),
        ciphertext: bytes(&text.ciphertext)?,
    };
    let Encrypted { vector, tag, metadata, ciphertext } = &encrypted;
    let integrity = Sha256::digest([aad, metadata, vector, ciphertext, tag].concat());
    let is_whole = bytes(&text.ciphertext_data_integrity_value)? == integrity[..]
        && Encrypted::VECTOR_BYTES.contains(&vector.len())
        && metadata.len() <= Encrypted::MOST_METADATA
        && ciphertext.len() == plaintext_bytes;
    if is_whole { Ok(encrypted) } else { Err(Failure::Malformed) }
}

#[derive(Deserialize)]
struct Decrypted {
    plaintext: String,
}

/// What a proxy decrypted, which is as long as the ciphertext.
pub(super) fn decrypted(answer: &XksAnswer, ciphertext_bytes: usize) -> Result<Vec<u8>, Failure> {
    let decrypted: Decrypted = read(answer)?;
    let plaintext = bytes(&decrypted.plaintext)?;
    if plaintext.len() == ciphertext_bytes { Ok(plaintext) } else { Err(Failure::Malformed) }
}

fn bytes(text: &str) -> Result<Vec<u8>, Failure> {
    BASE64.decode(text.as_bytes()).map_err(|_| Failure::Malformed)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn ok(body: &Value) -> XksAnswer {
        XksAnswer { status: 200, body: body.to_string().into_bytes() }
    }

    fn with(mut body: Value, member: &str, value: Value) -> XksAnswer {
        body[member] = value;
        ok(&body)
    }

    fn without(mut body: Value, member: &str) -> XksAnswer {
        body.as_object_mut().unwrap().remove(member);
        ok(&body)
    }

    /// The example of the specification's chapter "Encrypt".
    fn example() -> (Vec<u8>, Value) {
        let answer = json!({
            "authenticationTag": "vBxN2ncH1oEkR8WVXpmyYQ==",
            "ciphertext": "ghxkK1txeDNn3q8Y",
            "ciphertextDataIntegrityValue": "qHA/ImC9h5HsLRXqCyPmWgYx7tzyoTplzILbP0fPXsc=",
            "ciphertextMetadata": "a2V5X3ZlcnNpb249MQ==",
            "initializationVector": "HMrlRw85cAJUd5Ax"
        });
        (b"project=nile,department=marketing".to_vec(), answer)
    }

    #[test]
    fn the_example_of_the_specification_is_whole() {
        let (aad, answer) = example();
        let read = encrypted(&ok(&answer), &aad, 12).unwrap();
        assert_eq!((read.metadata.as_slice(), read.vector.len()), (b"key_version=1".as_slice(), 12));
    }

    #[test]
    fn what_was_altered_or_is_missing_is_malformed() {
        let (aad, answer) = example();
        let altered = [
            with(answer.clone(), "ciphertext", json!("hhxkK1txeDNn3q8Y")),
            with(answer.clone(), "authenticationTag", json!("vBxN2ncH1oEkR8WVXpmyYA==")),
            with(answer.clone(), "authenticationTag", json!("vBxN")),
            with(answer.clone(), "initializationVector", json!("HMrlRw85cAJUd5Ay")),
            with(answer.clone(), "ciphertextMetadata", json!("a2V5X3ZlcnNpb249Mg==")),
            with(answer.clone(), "ciphertextMetadata", json!("not base64")),
            with(answer.clone(), "ciphertext", json!(7)),
            without(answer.clone(), "ciphertextMetadata"),
            without(answer.clone(), "ciphertextDataIntegrityValue"),
            without(answer.clone(), "initializationVector"),
            ok(&json!([])),
            XksAnswer { status: 200, body: b"garbage".to_vec() },
            XksAnswer { status: 502, body: b"<html>".to_vec() },
        ];
        for altered in altered {
            assert_eq!(encrypted(&altered, &aad, 12), Err(Failure::Malformed), "{altered:?}");
        }
        assert_eq!(encrypted(&ok(&answer), b"other", 12), Err(Failure::Malformed));
        assert_eq!(encrypted(&ok(&answer), &aad, 13), Err(Failure::Malformed), "another length than the plaintext's");
    }

    #[test]
    fn lengths_that_the_api_does_not_have_are_malformed_however_whole() {
        for (vector, metadata, good) in [(12, 20, true), (16, 0, true), (13, 0, false), (12, 21, false), (0, 0, false)]
        {
            let (vector, metadata) = (vec![1u8; vector], vec![2u8; metadata]);
            let whole = [metadata.as_slice(), &vector, &[3; 4], &[4; 16]].concat();
            let answer = json!({
                "ciphertext": BASE64.encode(&[3; 4]), "ciphertextMetadata": BASE64.encode(&metadata),
                "initializationVector": BASE64.encode(&vector), "authenticationTag": BASE64.encode(&[4; 16]),
                "ciphertextDataIntegrityValue": BASE64.encode(&Sha256::digest(&whole)),
            });
            assert_eq!(encrypted(&ok(&answer), b"", 4).is_ok(), good, "{answer}");
        }
    }

    #[test]
    fn health_needs_one_manager_that_works() {
        let managers = |states: &[&str]| {
            let list: Vec<Value> =
                states.iter().map(|state| json!({"id": "1", "model": "m", "healthStatus": state})).collect();
            ok(&json!({"xksProxyFleetSize": 1, "xksProxyVendor": "v", "xksProxyModel": "m", "ekmVendor": "e",
                "ekmFleetDetails": list}))
        };
        assert_eq!(health(&managers(&["ACTIVE"])), Ok(()));
        assert_eq!(health(&managers(&["UNAVAILABLE", "DEGRADED"])), Ok(()));
        assert_eq!(health(&managers(&["UNAVAILABLE", "UNAVAILABLE"])), Err(Failure::NoManager));
        let as_array = ok(&json!([1, "v", "m", "e", [{"id": "1", "model": "m", "healthStatus": "ACTIVE"}]]));
        for bad in [managers(&[]), managers(&["ACTIVE"; 11]), managers(&["FINE"]), ok(&json!({})), as_array] {
            assert_eq!(health(&bad), Err(Failure::Malformed));
        }
    }

    #[test]
    fn an_external_key_is_of_one_kind() {
        let key = json!({"keySpec": "AES_256", "keyUsage": ["WRAP", "DECRYPT", "ENCRYPT"], "keyStatus": "ENABLED"});
        assert_eq!(key_metadata(&ok(&key)), Ok(()));
        for (member, value) in [
            ("keySpec", json!("AES_128")),
            ("keyUsage", json!(["ENCRYPT"])),
            ("keyUsage", json!(["DECRYPT"])),
            ("keyStatus", json!("DISABLED")),
        ] {
            assert_eq!(key_metadata(&with(key.clone(), member, value)), Err(Failure::UnfitKey), "{member}");
        }
        assert_eq!(key_metadata(&with(key.clone(), "keyUsage", json!(vec!["ENCRYPT"; 11]))), Err(Failure::Malformed));
        assert_eq!(key_metadata(&without(key, "keyStatus")), Err(Failure::Malformed));
    }

    #[test]
    fn an_error_is_known_by_its_name() {
        let answer = |status, name: &str| XksAnswer {
            status,
            body: json!({"errorName": name, "errorMessage": "not for the caller"}).to_string().into_bytes(),
        };
        assert_eq!(decrypted(&answer(403, "AccessDeniedException"), 1), Err(Failure::AccessDenied));
        assert_eq!(decrypted(&answer(429, "ThrottlingException"), 1), Err(Failure::Throttling));
        assert_eq!(decrypted(&answer(400, "SomethingElse"), 1), Err(Failure::Malformed));
        // A status of success is none without an answer.
        assert_eq!(decrypted(&answer(200, "AccessDeniedException"), 1), Err(Failure::Malformed));
    }
}
