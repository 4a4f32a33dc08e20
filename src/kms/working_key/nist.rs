//! NIST's known answers, against what this room does with keys. Of ML-DSA they are of keys: NIST's
//! signatures are of FIPS 204's internal interface, which KMS does not have.

use data_encoding::HEXLOWER;
use serde_json::Value;

use super::signing::{SigningPair, Verifiers};
use super::{AgreementPair, MacKey, Signable};
use crate::kms::spec::{KeySpec, SigningAlgorithm};
use crate::seal::nist_cases;

fn hex(value: &Value) -> Vec<u8> {
    HEXLOWER.decode(value.as_str().unwrap().to_lowercase().as_bytes()).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Whether a case's result is a pass; NIST says why not behind it.
fn passes(case: &Value) -> bool {
    text(&case["result"]).starts_with('P')
}

#[test]
fn macs() {
    for case in nist_cases("hmac") {
        let spec = match text(&case["algorithm"]) {
            "HMAC-SHA2-224" => KeySpec::Hmac224,
            "HMAC-SHA2-256" => KeySpec::Hmac256,
            "HMAC-SHA2-384" => KeySpec::Hmac384,
            "HMAC-SHA2-512" => KeySpec::Hmac512,
            other => panic!("{other}"),
        };
        let made = MacKey::read(spec, &hex(&case["key"])).unwrap().of(&hex(&case["msg"]));
        // Some are of shortened MACs.
        assert!(made.as_ref().starts_with(&hex(&case["mac"])), "{case}");
    }
}

fn verifies(spec: KeySpec, algorithm: SigningAlgorithm, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let signable = match algorithm.digest() {
        Some(hash) => Signable::Digest(aws_lc_rs::digest::digest(hash, message)),
        None => Signable::Message(message),
    };
    // A key that does not read verifies nothing.
    Verifiers::read(spec, key).is_ok_and(|key| key.verify(algorithm, &signable, signature))
}

/// The DER of two integers, as KMS has ECDSA's signatures (RFC 3279, section 2.2.3).
fn der_of(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| -> Vec<u8> {
        let at = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len() - 1);
        let mut value = bytes[at..].to_vec();
        if value[0] >= 0x80 {
            value.insert(0, 0);
        }
        [&[2, u8::try_from(value.len()).unwrap()][..], &value].concat()
    };
    let body = [integer(r), integer(s)].concat();
    let length = u8::try_from(body.len()).unwrap();
    let head = if length < 0x80 { vec![0x30, length] } else { vec![0x30, 0x81, length] };
    [head, body].concat()
}

#[test]
fn signatures_of_elliptic_curves() {
    for case in nist_cases("ecdsa") {
        let (spec, algorithm) = match text(&case["curve"]) {
            "P-256" => (KeySpec::EccNistP256, SigningAlgorithm::EcdsaSha256),
            "P-384" => (KeySpec::EccNistP384, SigningAlgorithm::EcdsaSha384),
            "P-521" => (KeySpec::EccNistP521, SigningAlgorithm::EcdsaSha512),
            other => panic!("{other}"),
        };
        let signature = der_of(&hex(&case["r"]), &hex(&case["s"]));
        let verified = verifies(spec, algorithm, &hex(&case["publicKeyDer"]), &hex(&case["msg"]), &signature);
        assert_eq!(verified, passes(&case), "{case}");
    }
    for case in nist_cases("eddsa") {
        let (spec, algorithm) = (KeySpec::EccNistEdwards25519, SigningAlgorithm::Ed25519Sha512);
        let (key, message, signature) = (hex(&case["publicKeyDer"]), hex(&case["message"]), hex(&case["signature"]));
        assert_eq!(verifies(spec, algorithm, &key, &message, &signature), case["testPassed"] == true, "{case}");
    }
}

#[test]
fn signatures_of_rsa() {
    for (file, algorithms) in [
        (
            "rsa_pkcs1",
            [
                SigningAlgorithm::RsassaPkcs1V15Sha256,
                SigningAlgorithm::RsassaPkcs1V15Sha384,
                SigningAlgorithm::RsassaPkcs1V15Sha512,
            ],
        ),
        (
            "rsa_pss",
            [SigningAlgorithm::RsassaPssSha256, SigningAlgorithm::RsassaPssSha384, SigningAlgorithm::RsassaPssSha512],
        ),
    ] {
        for case in nist_cases(file) {
            let spec = if case["mod"] == 2048 { KeySpec::Rsa2048 } else { KeySpec::Rsa3072 };
            let algorithm = algorithms[match text(&case["hash"]) {
                "SHA256" => 0,
                "SHA384" => 1,
                _ => 2,
            }];
            let (key, message) = (hex(&case["publicKeyDer"]), hex(&case["msg"]));
            assert_eq!(verifies(spec, algorithm, &key, &message, &hex(&case["signature"])), passes(&case), "{case}");
        }
    }
}

#[test]
fn agreement() {
    for case in nist_cases("ecdh") {
        let spec = match text(&case["curve"]) {
            "P-256" => KeySpec::EccNistP256,
            "P-384" => KeySpec::EccNistP384,
            "P-521" => KeySpec::EccNistP521,
            other => panic!("{other}"),
        };
        let secret = AgreementPair::read(spec, &hex(&case["privateKeyDer"])).unwrap().with(&hex(&case["publicKeyDer"]));
        // A key that is not on the curve is refused; elsewhere the answer was changed.
        assert_eq!(secret.is_err(), text(&case["result"]).contains("fails PKV"), "{case}");
        assert_eq!(secret.is_ok_and(|secret| *secret == hex(&case["Z"])), passes(&case), "{case}");
    }
}

#[test]
fn keys_of_ml_dsa() {
    for case in nist_cases("ml_dsa") {
        let (spec, arc) = match text(&case["parameterSet"]) {
            "ML-DSA-44" => (KeySpec::MlDsa44, 0x11),
            "ML-DSA-65" => (KeySpec::MlDsa65, 0x12),
            "ML-DSA-87" => (KeySpec::MlDsa87, 0x13),
            other => panic!("{other}"),
        };
        // RFC 9881, section 6: a private key as its seed.
        let head =
            [0x30, 0x34, 2, 1, 0, 0x30, 0x0b, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, arc, 4, 0x22, 0x80, 0x20];
        let pair = SigningPair::read(spec, &[&head[..], &hex(&case["seed"])].concat()).unwrap();
        assert!(pair.public_key().ends_with(&hex(&case["pk"])), "{}", case["parameterSet"]);
    }
}
