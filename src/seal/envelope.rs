//! Derive, then seal: the one place where a secret or a caller's plaintext is encrypted.
//!
//! ```text
//! salt (16) ‖ nonce (12) ‖ ciphertext (as long as the plaintext) ‖ tag (16)
//! ```
//!
//! The salt derives a key for this message alone ([`derive_key`]), so no number of messages
//! exhausts the nonces of the long-lived key. The caller's format version, and whatever else a
//! blob begins with, belongs in front of it and in the associated data.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rand;
use zeroize::{Zeroize, Zeroizing};

use super::SealError;
use super::derive::{KEY_BYTES, derive_key};

/// Random bytes that derive the key of one message.
const SALT_BYTES: usize = 16;
/// AES-GCM's nonce.
const NONCE_BYTES: usize = 12;
/// AES-GCM's tag.
const TAG_BYTES: usize = 16;
/// Where the ciphertext begins.
const HEAD_BYTES: usize = SALT_BYTES + NONCE_BYTES;

/// By how many bytes a sealed message is longer than its plaintext.
pub const OVERHEAD: usize = HEAD_BYTES + TAG_BYTES;

/// Seals a plaintext under a key. The label says what for ([`derive_key`]); the same label and
/// associated data open it again.
pub fn seal(key: &[u8; KEY_BYTES], label: &[u8], aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut out = Vec::with_capacity(plaintext.len() + OVERHEAD);
    seal_into(key, label, aad, plaintext, &mut out)?;
    Ok(out)
}

/// [`seal`], appended to what a buffer already holds. On an error the buffer is as it was.
pub fn seal_into(
    key: &[u8; KEY_BYTES],
    label: &[u8],
    aad: &[u8],
    plaintext: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), SealError> {
    let mut head = [0u8; HEAD_BYTES];
    rand::fill(&mut head).map_err(|_| SealError::Random)?;
    let (salt, nonce) = head.split_at(SALT_BYTES);
    let cipher = cipher(key, label, salt)?;

    // Room for all of it first: a buffer that grew later would leave plaintext behind.
    out.reserve(plaintext.len() + OVERHEAD);
    let start = out.len();
    out.extend_from_slice(&head);
    out.extend_from_slice(plaintext);
    let sealed = cipher.seal_in_place_separate_tag(
        Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Truncated)?,
        Aad::from(aad),
        &mut out[start + HEAD_BYTES..],
    );
    if let Ok(tag) = sealed {
        out.extend_from_slice(tag.as_ref());
        Ok(())
    } else {
        out[start..].zeroize();
        out.truncate(start);
        Err(SealError::TooLong)
    }
}

/// Opens what [`seal`] made, if the key, the label and the associated data are the same.
pub fn open(key: &[u8; KEY_BYTES], label: &[u8], aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    if sealed.len() < OVERHEAD {
        return Err(SealError::Truncated);
    }
    let (head, body) = sealed.split_at(HEAD_BYTES);
    let (ciphertext, tag) = body.split_at(body.len() - TAG_BYTES);
    let (salt, nonce) = head.split_at(SALT_BYTES);
    decrypt(&cipher(key, label, salt)?, nonce, aad, ciphertext, tag)
}

fn decrypt(
    cipher: &LessSafeKey,
    nonce: &[u8],
    aad: &[u8],
    ciphertext: &[u8],
    tag: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Truncated)?;
    let mut plaintext = Zeroizing::new(vec![0u8; ciphertext.len()]);
    cipher
        .open_separate_gather(nonce, Aad::from(aad), ciphertext, tag, &mut plaintext)
        .map_err(|_| SealError::Inauthentic)?;
    Ok(plaintext)
}

/// The cipher of one message.
fn cipher(key: &[u8; KEY_BYTES], label: &[u8], salt: &[u8]) -> Result<LessSafeKey, SealError> {
    let derived = derive_key(key, label, salt);
    UnboundKey::new(&AES_256_GCM, &*derived).map(LessSafeKey::new).map_err(|_| SealError::Inauthentic)
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    use super::*;
    use crate::seal::nist_cases;

    const KEY: [u8; 32] = [7; 32];

    proptest! {
        #[test]
        fn what_was_sealed_opens(key: [u8; 32], aad: Vec<u8>, plaintext: Vec<u8>) {
            let sealed = seal(&key, b"test", &aad, &plaintext).unwrap();
            prop_assert_eq!(sealed.len(), plaintext.len() + OVERHEAD);
            prop_assert_eq!(&**open(&key, b"test", &aad, &sealed).unwrap(), &plaintext);
        }

        #[test]
        fn any_flipped_bit_fails(aad: Vec<u8>, plaintext: Vec<u8>, at: prop::sample::Index, bit in 0u8..8) {
            let mut sealed = seal(&KEY, b"test", &aad, &plaintext).unwrap();
            let at = at.index(sealed.len());
            sealed[at] ^= 1 << bit;
            prop_assert_eq!(open(&KEY, b"test", &aad, &sealed).unwrap_err(), SealError::Inauthentic);
        }

        #[test]
        fn other_associated_data_fails(aad: Vec<u8>, other: Vec<u8>, plaintext: Vec<u8>) {
            prop_assume!(aad != other);
            let sealed = seal(&KEY, b"test", &aad, &plaintext).unwrap();
            prop_assert_eq!(open(&KEY, b"test", &other, &sealed).unwrap_err(), SealError::Inauthentic);
        }

        #[test]
        fn any_truncation_fails(plaintext: Vec<u8>, at: prop::sample::Index) {
            let sealed = seal(&KEY, b"test", b"", &plaintext).unwrap();
            prop_assert!(open(&KEY, b"test", b"", &sealed[..at.index(sealed.len())]).is_err());
        }
    }

    #[test]
    fn another_key_or_label_fails() {
        let sealed = seal(&KEY, b"test", b"", b"secret").unwrap();
        assert_eq!(open(&[8; 32], b"test", b"", &sealed).unwrap_err(), SealError::Inauthentic);
        assert_eq!(open(&KEY, b"tesu", b"", &sealed).unwrap_err(), SealError::Inauthentic);
    }

    #[test]
    fn the_same_plaintext_never_seals_alike() {
        let all: std::collections::HashSet<Vec<u8>> =
            (0..1000).map(|_| seal(&KEY, b"test", b"", b"").unwrap()[..SALT_BYTES].to_vec()).collect();
        assert_eq!(all.len(), 1000);
    }

    #[test]
    fn sealing_appends_to_a_header() {
        let mut out = vec![1, 2, 3];
        seal_into(&KEY, b"test", b"\x01\x02\x03", b"secret", &mut out).unwrap();
        assert_eq!(out[..3], [1, 2, 3]);
        assert_eq!(&**open(&KEY, b"test", &out[..3], &out[3..]).unwrap(), b"secret");
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        let sealed = seal(&KEY, b"test", b"aad", b"secret").unwrap();
        let derived = derive_key(&KEY, b"test", &sealed[..16]);
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &*derived).unwrap());
        let mut body = sealed[28..].to_vec();
        let nonce = Nonce::try_assume_unique_for_key(&sealed[16..28]).unwrap();
        assert_eq!(cipher.open_in_place(nonce, Aad::from(b"aad"), &mut body).unwrap(), b"secret");
    }

    #[test]
    fn what_nist_encrypted_opens() {
        let hex = |value: &serde_json::Value| HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap();
        for case in nist_cases("aes_256_gcm") {
            let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &hex(&case["Key"])).unwrap());
            let opened = decrypt(&cipher, &hex(&case["IV"]), &hex(&case["AAD"]), &hex(&case["CT"]), &hex(&case["Tag"]));
            let expected = case["PT"].is_string().then(|| hex(&case["PT"]));
            assert_eq!(opened.ok().map(|plaintext| plaintext.to_vec()), expected, "{case}");
        }
    }
}
