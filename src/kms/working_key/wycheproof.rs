//! Vectors of Project Wycheproof, valid and invalid ones, against what this room does with keys.

use data_encoding::{BASE64, HEXLOWER};
use serde_json::Value;

use super::signing::Verifiers;
use super::{AgreementPair, EncryptionPair, MacKey, Signable};
use crate::kms::spec::{EncryptionAlgorithm, KeySpec, SigningAlgorithm};

/// Each case of a file with its group.
fn cases(file: &str) -> Vec<(Value, Value)> {
    let path = format!("{}/fixtures/wycheproof/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let vectors: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let groups = vectors["testGroups"].as_array().unwrap();
    let cases: Vec<(Value, Value)> = groups
        .iter()
        .flat_map(|group| group["tests"].as_array().unwrap().iter().map(|case| (group.clone(), case.clone())))
        .collect();
    for result in ["valid", "invalid"] {
        assert!(cases.iter().any(|(_, case)| case["result"] == *result), "{file} has no {result} case");
    }
    cases
}

fn hex(value: &Value) -> Vec<u8> {
    HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

fn pem(value: &Value) -> Vec<u8> {
    let lines = value.as_str().unwrap().lines().filter(|line| !line.starts_with("-----"));
    BASE64.decode(lines.collect::<String>().as_bytes()).unwrap()
}

fn is_valid(case: &Value) -> bool {
    case["result"] == "valid"
}

#[test]
fn macs() {
    for (file, spec) in [
        ("hmac_sha224", KeySpec::Hmac224),
        ("hmac_sha256", KeySpec::Hmac256),
        ("hmac_sha384", KeySpec::Hmac384),
        ("hmac_sha512", KeySpec::Hmac512),
    ] {
        for (group, case) in cases(file) {
            let (key, message, tag) = (hex(&case["key"]), hex(&case["msg"]), hex(&case["tag"]));
            let key = MacKey::read(spec, &key).unwrap();
            let made = key.of(&message);
            let whole = made.as_ref().len() * 8 == group["tagSize"];
            // KMS knows no shortened MACs.
            assert_eq!(key.is_of(&tag, &message), whole && is_valid(&case), "{file} {}", case["tcId"]);
            assert_eq!(made.as_ref().starts_with(&tag), is_valid(&case), "{file} {}", case["tcId"]);
        }
    }
}

#[test]
fn signatures() {
    for (file, spec, algorithm) in [
        ("ecdsa_secp256r1_sha256", KeySpec::EccNistP256, SigningAlgorithm::EcdsaSha256),
        ("ecdsa_secp384r1_sha384", KeySpec::EccNistP384, SigningAlgorithm::EcdsaSha384),
        ("ecdsa_secp521r1_sha512", KeySpec::EccNistP521, SigningAlgorithm::EcdsaSha512),
        ("ecdsa_secp256k1_sha256", KeySpec::EccSecgP256K1, SigningAlgorithm::EcdsaSha256),
        ("ed25519", KeySpec::EccNistEdwards25519, SigningAlgorithm::Ed25519Sha512),
        ("rsa_signature_2048_sha256", KeySpec::Rsa2048, SigningAlgorithm::RsassaPkcs1V15Sha256),
        ("rsa_signature_2048_sha384", KeySpec::Rsa2048, SigningAlgorithm::RsassaPkcs1V15Sha384),
        ("rsa_signature_2048_sha512", KeySpec::Rsa2048, SigningAlgorithm::RsassaPkcs1V15Sha512),
        ("rsa_signature_3072_sha256", KeySpec::Rsa3072, SigningAlgorithm::RsassaPkcs1V15Sha256),
        ("rsa_signature_4096_sha512", KeySpec::Rsa4096, SigningAlgorithm::RsassaPkcs1V15Sha512),
        ("rsa_pss_2048_sha256_mgf1_32", KeySpec::Rsa2048, SigningAlgorithm::RsassaPssSha256),
        ("rsa_pss_2048_sha384_mgf1_48", KeySpec::Rsa2048, SigningAlgorithm::RsassaPssSha384),
        ("rsa_pss_4096_sha512_mgf1_64", KeySpec::Rsa4096, SigningAlgorithm::RsassaPssSha512),
        ("mldsa_44_verify", KeySpec::MlDsa44, SigningAlgorithm::MlDsaShake256),
        ("mldsa_65_verify", KeySpec::MlDsa65, SigningAlgorithm::MlDsaShake256),
        ("mldsa_87_verify", KeySpec::MlDsa87, SigningAlgorithm::MlDsaShake256),
    ] {
        for (group, case) in cases(file) {
            let message = hex(&case["msg"]);
            let signable = match algorithm.digest() {
                Some(hash) => Signable::Digest(aws_lc_rs::digest::digest(hash, &message)),
                None => Signable::Message(&message),
            };
            // A key that does not read verifies nothing.
            let verified = Verifiers::read(spec, &hex(&group["publicKeyDer"]))
                .is_ok_and(|key| key.verify(algorithm, &signable, &hex(&case["sig"])));
            assert_eq!(verified, is_valid(&case), "{file} {} {}", case["tcId"], case["comment"]);
        }
    }
}

#[test]
fn encryption() {
    for (file, algorithm) in [
        ("rsa_oaep_2048_sha1_mgf1sha1", EncryptionAlgorithm::RsaesOaepSha1),
        ("rsa_oaep_2048_sha256_mgf1sha256", EncryptionAlgorithm::RsaesOaepSha256),
    ] {
        for (group, case) in cases(file) {
            let pair = EncryptionPair::read(KeySpec::Rsa2048, &hex(&group["privateKeyPkcs8"])).unwrap();
            let opened = pair.decrypt(algorithm, &hex(&case["ct"])).ok().map(|plaintext| plaintext.to_vec());
            let expected = is_valid(&case).then(|| hex(&case["msg"]));
            assert_eq!(opened, expected, "{file} {} {}", case["tcId"], case["comment"]);
        }
    }
}

#[test]
fn agreement() {
    for (file, spec) in [
        ("ecdh_secp256r1_pem", KeySpec::EccNistP256),
        ("ecdh_secp384r1_pem", KeySpec::EccNistP384),
        ("ecdh_secp521r1_pem", KeySpec::EccNistP521),
    ] {
        for (_, case) in cases(file) {
            let secret = AgreementPair::read(spec, &pem(&case["private"]))
                .and_then(|pair| pair.with(&pem(&case["public"])))
                .ok()
                .map(|secret| secret.to_vec());
            let expected = is_valid(&case).then(|| hex(&case["shared"]));
            assert_eq!(secret, expected, "{file} {} {}", case["tcId"], case["comment"]);
        }
    }
}
