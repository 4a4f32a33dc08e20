//! The ciphertext of a key in an external key store: encrypted twice, first under the key's own
//! material, then by the proxy under the external key (KMS Developer Guide, "Double encryption").
//!
//! ```text
//! header (65, of format 3) ‖ vector's length (1) ‖ vector ‖ tag (16) ‖ metadata's length (1) ‖ metadata ‖ ciphertext
//! ```
//!
//! The header is that of [`super::ciphertext`]. Its format byte keeps the two kinds apart: the header
//! is among the associated data of both encryptions, so no ciphertext opens as one of the other kind.
//! A proxy takes 8,192 bytes of associated data, fewer than an encryption context may have: it gets
//! their SHA-256.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::ciphertext::{BackingKey, Ciphertext, associated};
use super::error::{KmsError, texts};
use super::operation::EncryptionContext;
use super::xks::{Encrypted, Failure};
use crate::seal::envelope;

/// What the keys of inner messages are derived for.
const LABEL: &[u8] = b"keystile external ciphertext v1";

/// What belongs to a ciphertext without being encrypted.
pub(super) struct Bound {
    data: Vec<u8>,
}

impl Bound {
    /// To a header and an encryption context.
    pub(super) fn to(header: &[u8], context: &EncryptionContext) -> Self {
        Self { data: associated(header, context) }
    }

    /// The `additionalAuthenticatedData` of the proxy's part.
    pub(super) fn for_proxy(&self) -> [u8; 32] {
        Sha256::digest(&self.data).into()
    }

    /// What the proxy is to encrypt.
    pub(super) fn seal(&self, key: &BackingKey, plaintext: &[u8]) -> Result<Vec<u8>, KmsError> {
        envelope::seal(key, LABEL, &self.data, plaintext).map_err(|error| KmsError::internal(error.to_string()))
    }

    /// Opens what the proxy decrypted.
    pub(super) fn open(&self, key: &BackingKey, inner: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
        envelope::open(key, LABEL, &self.data, inner).map_err(|_| Failure::WrongPlaintext)
    }
}

/// The ciphertext of what a proxy encrypted.
///
/// # Errors
/// A length that no answer of a proxy may have.
pub(super) fn assemble(header: Vec<u8>, encrypted: &Encrypted) -> Result<Vec<u8>, KmsError> {
    let length = |bytes: &[u8]| u8::try_from(bytes.len()).map_err(|_| KmsError::internal("a length over 255"));
    let mut out = header;
    out.push(length(&encrypted.vector)?);
    out.extend_from_slice(&encrypted.vector);
    out.extend_from_slice(&encrypted.tag);
    out.push(length(&encrypted.metadata)?);
    out.extend_from_slice(&encrypted.metadata);
    out.extend_from_slice(&encrypted.ciphertext);
    Ok(out)
}

/// What the proxy is to decrypt of a ciphertext; nothing of it is authentic yet.
///
/// # Errors
/// `InvalidCiphertextException` for what is not of this form.
pub(super) fn take_apart(ciphertext: &Ciphertext<'_>) -> Result<Encrypted, KmsError> {
    if !ciphertext.is_external {
        return Err(texts::invalid_ciphertext());
    }
    parts(ciphertext.parts().1).ok_or_else(texts::invalid_ciphertext)
}

fn parts(bytes: &[u8]) -> Option<Encrypted> {
    let (length, rest) = bytes.split_first()?;
    let (vector, rest) = rest.split_at_checked(usize::from(*length))?;
    let (tag, rest) = rest.split_at_checked(Encrypted::TAG_BYTES)?;
    let (length, rest) = rest.split_first()?;
    let (metadata, ciphertext) = rest.split_at_checked(usize::from(*length))?;
    let is_of_the_api = Encrypted::VECTOR_BYTES.contains(&vector.len())
        && metadata.len() <= Encrypted::MOST_METADATA
        && ciphertext.len() >= envelope::OVERHEAD;
    is_of_the_api.then(|| {
        Some(Encrypted {
            vector: vector.to_vec(),
            tag: tag.try_into().ok()?,
            metadata: metadata.to_vec(),
            ciphertext: ciphertext.to_vec(),
        })
    })?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kms::ciphertext::external_header;
    use crate::kms::key_id::KeyId;

    fn header() -> Vec<u8> {
        external_header("111122223333".parse().unwrap(), KeyId::of([1; 16], false), &[2; 32])
    }

    fn context(value: &str) -> EncryptionContext {
        EncryptionContext(vec![("a".to_owned(), value.to_owned())])
    }

    #[test]
    fn the_longest_message_is_within_what_a_proxy_takes_and_an_answer_holds() {
        let inner = Bound::to(&header(), &context("1")).seal(&Zeroizing::new([3; 32]), &[0; 4096]).unwrap();
        assert!(inner.len() <= 4300);
        let encrypted = Encrypted { vector: vec![0; 16], tag: [0; 16], metadata: vec![0; 20], ciphertext: inner };
        assert!(assemble(header(), &encrypted).unwrap().len() <= 6144);
    }

    #[test]
    fn an_inner_message_opens_under_its_own_header_context_and_key_alone() {
        let key = Zeroizing::new([3; 32]);
        let bound = Bound::to(&header(), &context("1"));
        let inner = bound.seal(&key, b"secret").unwrap();
        assert_eq!(**bound.open(&key, &inner).unwrap(), *b"secret");
        assert_eq!(bound.open(&Zeroizing::new([4; 32]), &inner), Err(Failure::WrongPlaintext));
        for other in [Bound::to(&header(), &context("2")), Bound::to(b"another", &context("1"))] {
            assert_eq!(other.open(&key, &inner), Err(Failure::WrongPlaintext));
            assert_ne!(other.for_proxy(), bound.for_proxy());
        }
    }

    proptest! {
        #[test]
        fn what_was_assembled_is_taken_apart(long in any::<bool>(), metadata in 0usize..=20, more in 0usize..64) {
            let encrypted = Encrypted {
                vector: vec![1; if long { 16 } else { 12 }],
                tag: [2; 16],
                metadata: vec![3; metadata],
                ciphertext: vec![4; envelope::OVERHEAD + more],
            };
            let blob = assemble(header(), &encrypted).unwrap();
            prop_assert_eq!(take_apart(&Ciphertext::read(&blob).unwrap()).unwrap(), encrypted);
        }

        #[test]
        fn any_bytes_are_taken_apart_or_refused(bytes: Vec<u8>) {
            let blob = [header(), bytes].concat();
            let _ = take_apart(&Ciphertext::read(&blob).unwrap());
        }
    }
}
