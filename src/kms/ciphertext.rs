//! The ciphertext of Encrypt and its kin.
//!
//! ```text
//! format (1) ‖ account (12) ‖ key id (16) ‖ material id (32) ‖ checksum (4) ‖ sealed message
//! ```
//!
//! The format tells a multi-Region key's id (2) and a key with an external half (3, see
//! [`super::external_ciphertext`]) from any other's (1); the Region is not named, for
//! every Region of the key decrypts it. The checksum (the first bytes of the SHA-256 of what stands before it) only tells a damaged
//! header from a key that does not exist: header and encryption context are the sealed message's
//! associated data, so any change to them fails to open.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::error::{KmsError, texts};
use super::key_id::KeyId;
use super::operation::EncryptionContext;
use crate::aws::AccountId;
use crate::seal::envelope;

const FORMAT: u8 = 1;
/// The format of a multi-Region key's.
const MULTI_REGION_FORMAT: u8 = 2;
/// The format of a key's in an external key store.
const EXTERNAL_FORMAT: u8 = 3;
const NAMED: usize = 1 + 12 + 16 + 32;
const HEADER: usize = NAMED + 4;
/// What the keys of messages are derived for.
const LABEL: &[u8] = b"keystile ciphertext v1";

/// Bytes of a backing key.
pub(super) const KEY_BYTES: usize = 32;
/// A backing key, unwrapped.
pub(super) type BackingKey = Zeroizing<[u8; KEY_BYTES]>;

/// A ciphertext whose header was read; nothing of it is authentic yet.
pub(super) struct Ciphertext<'a> {
    pub(super) account: AccountId,
    pub(super) key: KeyId,
    pub(super) material: [u8; 32],
    /// Whether an external key has its part in it.
    pub(super) is_external: bool,
    bytes: &'a [u8],
}

impl<'a> Ciphertext<'a> {
    /// # Errors
    /// `InvalidCiphertextException` where this is no ciphertext of ours.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, KmsError> {
        Self::header(bytes).ok_or_else(texts::invalid_ciphertext)
    }

    fn header(bytes: &'a [u8]) -> Option<Self> {
        let (named, rest) = bytes.split_at_checked(NAMED)?;
        let is_multi_region = match named[0] {
            FORMAT | EXTERNAL_FORMAT => false,
            MULTI_REGION_FORMAT => true,
            _ => return None,
        };
        if rest.get(..4)? != checksum(named) {
            return None;
        }
        Some(Self {
            account: std::str::from_utf8(&named[1..13]).ok()?.parse().ok()?,
            key: KeyId::of(named[13..29].try_into().ok()?, is_multi_region),
            material: named[29..].try_into().ok()?,
            is_external: named[0] == EXTERNAL_FORMAT,
            bytes,
        })
    }

    pub(super) fn material_id(&self) -> String {
        HEXLOWER.encode(&self.material)
    }

    /// The header, and what follows it.
    pub(super) fn parts(&self) -> (&'a [u8], &'a [u8]) {
        self.bytes.split_at(HEADER)
    }

    /// # Errors
    /// `InvalidCiphertextException` for another encryption context or altered bytes, and where an
    /// external key has its part in it.
    pub(super) fn open(&self, key: &BackingKey, context: &EncryptionContext) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        if self.is_external {
            return Err(texts::invalid_ciphertext());
        }
        let (header, sealed) = self.parts();
        envelope::open(key, LABEL, &associated(header, context), sealed).map_err(|_| texts::invalid_ciphertext())
    }
}

/// Encrypts a message under a backing key.
pub(super) fn seal(
    account: AccountId,
    key_id: KeyId,
    material: &[u8; 32],
    key: &BackingKey,
    context: &EncryptionContext,
    plaintext: &[u8],
) -> Result<Vec<u8>, KmsError> {
    let mut out = Vec::with_capacity(HEADER + envelope::OVERHEAD + plaintext.len());
    let format = if key_id.is_multi_region() { MULTI_REGION_FORMAT } else { FORMAT };
    put_header(format, account, key_id, material, &mut out);
    let data = associated(&out, context);
    envelope::seal_into(key, LABEL, &data, plaintext, &mut out)
        .map_err(|error| KmsError::internal(error.to_string()))?;
    Ok(out)
}

/// The header of a ciphertext of a key in an external key store.
pub(super) fn external_header(account: AccountId, key_id: KeyId, material: &[u8; 32]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER);
    put_header(EXTERNAL_FORMAT, account, key_id, material, &mut out);
    out
}

fn put_header(format: u8, account: AccountId, key_id: KeyId, material: &[u8; 32], out: &mut Vec<u8>) {
    out.push(format);
    out.extend_from_slice(account.as_str().as_bytes());
    out.extend_from_slice(key_id.bytes());
    out.extend_from_slice(material);
    let sum = checksum(out);
    out.extend_from_slice(&sum);
}

fn checksum(named: &[u8]) -> [u8; 4] {
    let digest = Sha256::digest(named);
    [digest[0], digest[1], digest[2], digest[3]]
}

/// The header, then the pairs sorted by key, each text behind its length: one spelling for each
/// context, and no two contexts alike.
pub(super) fn associated(header: &[u8], context: &EncryptionContext) -> Vec<u8> {
    let mut pairs: Vec<&(String, String)> = context.0.iter().collect();
    pairs.sort_unstable();
    let mut data = header.to_vec();
    for text in pairs.iter().flat_map(|(key, value)| [key, value]) {
        data.extend_from_slice(&(text.len() as u64).to_be_bytes());
        data.extend_from_slice(text.as_bytes());
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn context(pairs: &[(&str, &str)]) -> EncryptionContext {
        EncryptionContext(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    fn sealed(pairs: &[(&str, &str)]) -> Vec<u8> {
        let account = "111122223333".parse().unwrap();
        seal(account, KeyId::of([1; 16], false), &[2; 32], &Zeroizing::new([3; 32]), &context(pairs), b"secret")
            .unwrap()
    }

    fn opens(bytes: &[u8], pairs: &[(&str, &str)]) -> bool {
        Ciphertext::read(bytes)
            .and_then(|c| c.open(&Zeroizing::new([3; 32]), &context(pairs)))
            .is_ok_and(|p| **p == *b"secret")
    }

    #[test]
    fn the_order_of_the_context_does_not_matter_and_its_texts_do() {
        let bytes = sealed(&[("a", "1"), ("b", "2")]);
        assert!(opens(&bytes, &[("b", "2"), ("a", "1")]));
        for other in
            [&[("a", "1")][..], &[], &[("A", "1"), ("b", "2")], &[("a", "1b"), ("", "2")], &[("a", "2"), ("b", "1")]]
        {
            assert!(!opens(&bytes, other), "{other:?}");
        }
        assert!(!opens(&sealed(&[("ab", "c")]), &[("a", "bc")]));
    }

    proptest! {
        #[test]
        fn any_changed_bit_is_an_invalid_ciphertext(at: prop::sample::Index, bit in 0u8..8) {
            let mut bytes = sealed(&[("a", "1")]);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(!opens(&bytes, &[("a", "1")]));
            if at < HEADER {
                prop_assert!(Ciphertext::read(&bytes).is_err(), "a damaged header names no key");
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = Ciphertext::read(&bytes);
        }
    }
}
