//! The import token: the private half of a wrapping key, sealed, so that nothing of it is kept here.
//!
//! ```text
//! format (1) ‖ root key id (16) ‖ wrapping algorithm (1) ‖ wrapping key spec (1) ‖ valid to (8) ‖ sealed PKCS#8
//! ```
//!
//! Everything before the sealed key, and the ARN of the KMS key, is its associated data. A token
//! does not keep a root key that is replaced needed: it opens for as long as that key is in memory.

use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use super::Kms;
use crate::kms::error::KmsError;
use crate::kms::resolve::Key;
use crate::kms::spec::{KeySpec, WrappingAlgorithm};

const FORMAT: u8 = 1;
const LABEL: &[u8] = b"keystile import token v1/";
const ROOT_KEY_ID: usize = 16;
const HEADER: usize = 1 + ROOT_KEY_ID + 1 + 1 + 8;

/// Algorithms and specs by their numbers in a token: none may change its place.
const ALGORITHMS: [WrappingAlgorithm; 4] = [
    WrappingAlgorithm::RsaesOaepSha1,
    WrappingAlgorithm::RsaesOaepSha256,
    WrappingAlgorithm::RsaAesKeyWrapSha1,
    WrappingAlgorithm::RsaAesKeyWrapSha256,
];
const SPECS: [KeySpec; 3] = [KeySpec::Rsa2048, KeySpec::Rsa3072, KeySpec::Rsa4096];

/// What a token holds.
pub(super) struct WrappingKey {
    pub(super) algorithm: WrappingAlgorithm,
    pub(super) spec: KeySpec,
    /// Until when the token is good, in milliseconds since 1970.
    pub(super) valid_to: i64,
    /// PKCS#8.
    pub(super) private_key: Zeroizing<Vec<u8>>,
}

impl Kms {
    /// A token for the import of material into a key.
    pub(super) fn seal_token(&self, key: &Key, wrapping_key: &WrappingKey) -> Result<Vec<u8>, KmsError> {
        let root_keys = self.root_keys();
        let id = HEXLOWER.decode(root_keys.wrapping_id().as_bytes()).ok().filter(|id| id.len() == ROOT_KEY_ID);
        let mut token = vec![FORMAT];
        token.extend(id.ok_or_else(|| KmsError::internal("a root key's id is not 32 hexadecimal digits"))?);
        token.extend([number(&ALGORITHMS, &wrapping_key.algorithm)?, number(&SPECS, &wrapping_key.spec)?]);
        token.extend(wrapping_key.valid_to.to_be_bytes());
        let (_, sealed) = root_keys.rewrap(&bound_to(&token, key), &wrapping_key.private_key)?;
        token.extend(sealed);
        Ok(token)
    }

    /// What a token holds that was made for a key.
    ///
    /// # Errors
    /// `InvalidImportTokenException` for anything but a token of this key, `ExpiredImportTokenException`.
    pub(super) fn open_token(&self, key: &Key, token: &[u8], now: i64) -> Result<WrappingKey, KmsError> {
        let invalid = || KmsError::silent("InvalidImportTokenException");
        let (header, sealed) = token.split_at_checked(HEADER).ok_or_else(invalid)?;
        let &[FORMAT, ref root_key @ .., a, s, t0, t1, t2, t3, t4, t5, t6, t7] = header else { return Err(invalid()) };
        let algorithm = ALGORITHMS.get(usize::from(a)).copied().ok_or_else(invalid)?;
        let spec = SPECS.get(usize::from(s)).copied().ok_or_else(invalid)?;
        let valid_to = i64::from_be_bytes([t0, t1, t2, t3, t4, t5, t6, t7]);
        let root_key = HEXLOWER.encode(root_key);
        let opened = self.root_keys().unwrap(Some(&root_key), &bound_to(header, key), sealed);
        let private_key = opened.map_err(|_| invalid())?;
        if valid_to < now {
            return Err(KmsError::silent("ExpiredImportTokenException"));
        }
        Ok(WrappingKey { algorithm, spec, valid_to, private_key })
    }
}

fn bound_to(header: &[u8], key: &Key) -> Vec<u8> {
    [LABEL, header, key.arn().as_str().as_bytes()].concat()
}

fn number<T: PartialEq>(all: &[T], one: &T) -> Result<u8, KmsError> {
    let at = all.iter().position(|other| other == one).and_then(|at| u8::try_from(at).ok());
    at.ok_or_else(|| KmsError::internal("a wrapping key that no token holds"))
}
