use std::fmt;

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, ParsedPublicKey};
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::algorithm::Algorithm;
use super::credential::SecretKey;

/// The order of P-256 less two, big-endian: the largest candidate that is taken.
const LARGEST: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x4f,
];

/// Most bytes of a signature in DER.
const MAX_SIGNATURE: usize = 72;

/// The public half of the key pair that SigV4a derives from an access key: what verifies.
///
/// It follows from the access key alone, so there is one for each, whatever day, region and service.
pub(super) struct EcdsaKey(ParsedPublicKey);

impl EcdsaKey {
    /// `None` where the cryptography fails, which no input is known to bring about.
    pub(super) fn derive(access_key_id: &str, secret: &SecretKey) -> Option<Self> {
        let scalar = private_scalar(access_key_id, secret)?;
        let private = PrivateKey::from_private_key(&ECDH_P256, &*scalar).ok()?;
        let public = private.compute_public_key().ok()?;
        ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, public).ok().map(Self)
    }

    /// Whether a signature, DER in lower-case hex, is of this string. ECDSA is randomised: a string
    /// has many, so a signature names nothing.
    pub(super) fn verifies(&self, string_to_sign: &[u8], signature: &str) -> bool {
        if signature.len() > 2 * MAX_SIGNATURE {
            return false;
        }
        let der = HEXLOWER.decode(signature.as_bytes());
        der.is_ok_and(|der| self.0.verify_sig(string_to_sign, &der).is_ok())
    }

    /// The point as SEC 1 writes it, uncompressed.
    #[cfg(test)]
    fn point(&self) -> &[u8] {
        self.0.as_ref()
    }
}

/// One of the many signatures of a string, DER in lower-case hex: for the holder of the secret.
pub(super) fn sign(access_key_id: &str, secret: &SecretKey, string_to_sign: &[u8]) -> Option<String> {
    let scalar = private_scalar(access_key_id, secret)?;
    let private = PrivateKey::from_private_key(&ECDH_P256, &*scalar).ok()?;
    let public = private.compute_public_key().ok()?;
    let pair =
        EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_ASN1_SIGNING, &*scalar, public.as_ref());
    let signature = pair.ok()?.sign(&SystemRandom::new(), string_to_sign).ok()?;
    Some(HEXLOWER.encode(signature.as_ref()))
}

/// NIST SP 800-108's KDF in counter mode, tried with one counter after the other until it gives a
/// candidate below the order; then one is added, so that it is never zero.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
fn private_scalar(access_key_id: &str, secret: &SecretKey) -> Option<Zeroizing<[u8; 32]>> {
    let key = Zeroizing::new(format!("AWS4A{}", secret.expose()));
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
    for counter in 1..=254_u8 {
        let mut mac = mac.clone();
        mac.update(&1_u32.to_be_bytes());
        mac.update(Algorithm::EcdsaP256Sha256.name().as_bytes());
        mac.update(&[0]);
        mac.update(access_key_id.as_bytes());
        mac.update(&[counter]);
        mac.update(&256_u32.to_be_bytes());
        let mut candidate: Zeroizing<[u8; 32]> = Zeroizing::new(mac.finalize().into_bytes().into());
        if is_small_enough(&candidate) {
            add_one(&mut candidate);
            return Some(candidate);
        }
    }
    None
}

/// Not above [`LARGEST`], by a subtraction that takes the same time for all.
fn is_small_enough(candidate: &[u8; 32]) -> bool {
    let borrow = LARGEST.iter().zip(candidate).rev().fold(0_u16, |borrow, (largest, byte)| {
        let difference = 0x100 + u16::from(*largest) - u16::from(*byte) - borrow;
        1 - (difference >> 8)
    });
    borrow == 0
}

fn add_one(number: &mut [u8; 32]) {
    let mut carry = 1;
    for byte in number.iter_mut().rev() {
        let sum = u16::from(*byte) + carry;
        *byte = u8::try_from(sum & 0xff).unwrap_or_default();
        carry = sum >> 8;
    }
}

impl fmt::Debug for EcdsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EcdsaKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> SecretKey {
        SecretKey::from("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned())
    }

    #[test]
    fn the_key_is_that_of_aws_test_suite() {
        // aws-c-auth, tests/aws-signing-test-suite/v4a: every `public-key.json`.
        let x = "b6618f6a65740a99e650b33b6b4b5bd0d43b176d721a3edfea7e7d2d56d936b1";
        let y = "865ed22a7eadc9c5cb9d2cbaca1b3699139fedc5043dc6661864218330c8e518";
        let key = EcdsaKey::derive("AKIDEXAMPLE", &secret()).unwrap();
        assert!(HEXLOWER.encode(key.point()).ends_with(&format!("04{x}{y}")));
        assert_eq!(format!("{key:?}"), "EcdsaKey(..)");
    }

    #[test]
    fn a_signature_holds_for_its_string_and_key_alone() {
        let key = EcdsaKey::derive("AKIDEXAMPLE", &secret()).unwrap();
        let signature = sign("AKIDEXAMPLE", &secret(), b"text").unwrap();
        assert!(key.verifies(b"text", &signature));
        assert!(!key.verifies(b"texu", &signature));
        assert!(!EcdsaKey::derive("AKIDEXAMPLF", &secret()).unwrap().verifies(b"text", &signature));
        for bad in [
            String::new(),
            "00".to_owned(),
            signature.to_ascii_uppercase(),
            signature[1..].to_owned(),
            signature[..signature.len() - 2].to_owned(),
            format!("{signature}00"),
            "30".repeat(500),
            "0".repeat(64),
            // r = s = 0 and r = s = 1
            "3006020100020100".to_owned(),
            "3006020101020101".to_owned(),
        ] {
            assert!(!key.verifies(b"text", &bad), "{bad}");
        }
    }

    #[test]
    fn candidates_are_compared_and_counted_up_over_all_their_bytes() {
        let changed = |index: usize, by: i16| {
            let mut number = LARGEST;
            number[index] = u8::try_from(i16::from(number[index]) + by).unwrap();
            number
        };
        assert!(is_small_enough(&LARGEST) && is_small_enough(&[0; 32]));
        assert!(is_small_enough(&changed(31, -1)) && is_small_enough(&changed(0, -1)));
        assert!(!is_small_enough(&changed(31, 1)) && !is_small_enough(&changed(4, 1)) && !is_small_enough(&[255; 32]));
        let mut number = [0; 32];
        number[30..].copy_from_slice(&[0x01, 0xff]);
        add_one(&mut number);
        assert_eq!(number[29..], [0, 2, 0]);
    }
}
