//! The root key, which wraps every other secret at rest.

use std::fmt;

use aws_lc_rs::rand::SecureRandom;
use data_encoding::{BASE64, HEXLOWER};
use hmac::Mac;
use zeroize::Zeroizing;

use super::derive::{KEY_BYTES, derive_key, keyed};
use super::{SealError, envelope};

/// The format that [`RootKey::wrap`] writes: its first byte. An older one always unwraps.
const FORMAT: u8 = 1;
/// What the keys that wrap are derived for.
const WRAP_LABEL: &[u8] = b"keystile wrap v1";
/// What the check value is the MAC of. It begins otherwise than any input of the derivation, whose
/// first byte is zero, so the check value is no derived key.
const CHECK_LABEL: &[u8] = b"keystile root key check v1";
/// Bytes of the MAC that the check value shows.
const CHECK_BYTES: usize = 16;

/// A key of 32 bytes that wraps the secrets of a store. Zeroised when dropped; `Debug` shows its
/// check value alone.
#[derive(Clone)]
pub struct RootKey(Zeroizing<[u8; KEY_BYTES]>);

impl RootKey {
    /// A new key from a generator, in the product `aws_lc_rs::rand::SystemRandom`.
    pub fn generate(random: &dyn SecureRandom) -> Result<Self, SealError> {
        let mut key = Zeroizing::new([0u8; KEY_BYTES]);
        random.fill(&mut *key).map_err(|_| SealError::Random)?;
        Ok(RootKey(key))
    }

    /// Reads the standard base64 (with padding) of 32 bytes; white space around it is ignored.
    pub fn from_base64(text: &str) -> Result<Self, SealError> {
        let text = text.trim().as_bytes();
        // Decodes into a buffer of its own, so that no copy of the key is left behind.
        let mut buffer = Zeroizing::new([0u8; 48]);
        let length = BASE64.decode_len(text.len()).map_err(|_| SealError::RootKeyText)?;
        let buffer = buffer.get_mut(..length).ok_or(SealError::RootKeyText)?;
        let length = BASE64.decode_mut(text, buffer).map_err(|_| SealError::RootKeyText)?;
        let mut key = Zeroizing::new([0u8; KEY_BYTES]);
        if length != KEY_BYTES {
            return Err(SealError::RootKeyText);
        }
        key.copy_from_slice(&buffer[..length]);
        Ok(RootKey(key))
    }

    /// The standard base64 of the key, 44 characters.
    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64.encode(&*self.0))
    }

    /// The check value, 32 hexadecimal digits: tells root keys apart, and says nothing of the key.
    /// A store keeps it to recognise a wrong root key before anything fails to unwrap.
    pub fn id(&self) -> String {
        let mut mac = keyed(&self.0);
        mac.update(CHECK_LABEL);
        HEXLOWER.encode(&mac.finalize().into_bytes()[..CHECK_BYTES])
    }

    /// The authentication code (HMAC-SHA-256) of a message, under a key derived for `label`: who
    /// has not the root key can't make it.
    pub fn authenticate(&self, label: &[u8], message: &[u8]) -> [u8; 32] {
        let mut mac = keyed(&derive_key(&self.0, label, &[]));
        mac.update(message);
        mac.finalize().into_bytes().into()
    }

    /// Wraps a secret and binds it to associated data, which should name what the secret is (its
    /// account, key and material), so that blobs cannot be swapped. The blob is
    /// `1 + `[`envelope::OVERHEAD`] bytes longer than the secret; its first byte is the format.
    pub fn wrap(&self, aad: &[u8], secret: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut blob = Vec::with_capacity(1 + envelope::OVERHEAD + secret.len());
        blob.push(FORMAT);
        envelope::seal_into(&self.0, WRAP_LABEL, aad, secret, &mut blob)?;
        Ok(blob)
    }

    /// Unwraps what [`wrap`](RootKey::wrap) made with the same key and associated data.
    pub fn unwrap(&self, aad: &[u8], blob: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        match blob.split_first() {
            // The label names the format too: a blob of another one would not open under it.
            Some((&FORMAT, sealed)) => envelope::open(&self.0, WRAP_LABEL, aad, sealed),
            Some((&other, _)) => Err(SealError::UnknownFormat(other)),
            None => Err(SealError::Truncated),
        }
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootKey({})", self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::rand::SystemRandom;
    use proptest::prelude::*;

    fn key(byte: u8) -> RootKey {
        RootKey(Zeroizing::new([byte; KEY_BYTES]))
    }

    #[test]
    fn a_key_survives_its_text() {
        let made = RootKey::generate(&SystemRandom::new()).unwrap();
        let read = RootKey::from_base64(&format!(" {}\n", made.to_base64().as_str())).unwrap();
        assert_eq!(*made.0, *read.0);
        assert_eq!(made.to_base64().len(), 44);
    }

    #[test]
    fn generated_keys_differ() {
        let random = SystemRandom::new();
        assert_ne!(*RootKey::generate(&random).unwrap().0, *RootKey::generate(&random).unwrap().0);
    }

    #[test]
    fn a_text_that_is_no_key_is_refused() {
        for text in ["", "AAAA", &"A".repeat(44), &"A".repeat(64), &BASE64.encode(&[1; 31]), &BASE64.encode(&[1; 33])] {
            assert_eq!(RootKey::from_base64(text).unwrap_err(), SealError::RootKeyText, "{text}");
        }
        assert_eq!(RootKey::from_base64(&"é".repeat(22)).unwrap_err(), SealError::RootKeyText);
    }

    #[test]
    fn the_check_value_tells_keys_apart_and_stays() {
        assert_eq!(key(1).id(), key(1).id());
        assert_ne!(key(1).id(), key(2).id());
        let tag = aws_lc_rs::hmac::sign(
            &aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &[1; 32]),
            b"keystile root key check v1",
        );
        assert_eq!(key(1).id(), HEXLOWER.encode(&tag.as_ref()[..16]));
    }

    #[test]
    fn a_code_is_of_its_key_label_and_message() {
        let code = key(1).authenticate(b"label", b"message");
        let derived = derive_key(&[1; 32], b"label", b"");
        let expected =
            aws_lc_rs::hmac::sign(&aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &*derived), b"message");
        assert_eq!(code, expected.as_ref());
        for other in [key(2).authenticate(b"label", b"message"), key(1).authenticate(b"labem", b"message")] {
            assert_ne!(code, other);
        }
    }

    #[test]
    fn debug_does_not_show_the_key() {
        let shown = format!("{:?}", key(0x41));
        assert!(!shown.contains("AAAA") && !shown.contains("41, ") && !shown.contains("4141"), "{shown}");
        assert!(!shown.contains(key(0x41).to_base64().as_str()), "{shown}");
    }

    #[test]
    fn a_blob_of_another_format_is_named() {
        let mut blob = key(1).wrap(b"aad", b"secret").unwrap();
        assert_eq!(blob[0], 1);
        blob[0] = 9;
        assert_eq!(key(1).unwrap(b"aad", &blob).unwrap_err(), SealError::UnknownFormat(9));
        assert_eq!(key(1).unwrap(b"aad", &[]).unwrap_err(), SealError::Truncated);
        assert_eq!(key(1).unwrap(b"aad", &[1; 44]).unwrap_err(), SealError::Truncated);
    }

    #[test]
    fn a_blob_of_format_1_opens_in_every_release() {
        let blob = HEXLOWER.decode(GOLDEN.as_bytes()).unwrap();
        assert_eq!(&**key(3).unwrap(b"account/key/material", &blob).unwrap(), b"keystile");
    }

    /// `key(3).wrap(b"account/key/material", b"keystile")`, once.
    const GOLDEN: &str = "\
        01736fc85b4fccd8a9cd5c84689ea58bb91bc324013d1e4ef80ca94a12f3aee9fa4fa995b2316358e7d6b727b2a21f33be1712669c";

    proptest! {
        #[test]
        fn a_wrapped_secret_unwraps_under_its_key_and_data_alone(secret: Vec<u8>, aad: Vec<u8>, other: Vec<u8>) {
            let blob = key(1).wrap(&aad, &secret).unwrap();
            prop_assert_eq!(&**key(1).unwrap(&aad, &blob).unwrap(), &secret);
            prop_assert!(key(2).unwrap(&aad, &blob).is_err());
            prop_assert!(other == aad || key(1).unwrap(&other, &blob).is_err());
        }

        #[test]
        fn any_flipped_bit_of_a_blob_fails(secret: Vec<u8>, at: prop::sample::Index, bit in 0u8..8) {
            let mut blob = key(1).wrap(b"aad", &secret).unwrap();
            let at = at.index(blob.len());
            blob[at] ^= 1 << bit;
            prop_assert!(key(1).unwrap(b"aad", &blob).is_err());
        }
    }
}
