//! The root key, and the one construction that seals secrets: a key derived afresh for each
//! message, then AES-256-GCM.
//!
//! The room works on bytes and text alone: where a root key comes from is configuration's matter.

pub mod derive;
pub mod envelope;
mod keyring;
mod root_key;
mod sealing_key;

pub use keyring::Keyring;
pub use root_key::RootKey;
pub use sealing_key::SealingKey;

/// Why a secret could not be sealed or opened. No variant says more than an attacker may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The text of a root key is not the standard base64 (with padding) of 32 bytes.
    #[error("a root key must be the base64 of 32 bytes")]
    RootKeyText,
    /// The blob is too short to be one, or bears a format version that this release does not know.
    #[error("the sealed blob has an unknown format (version {0})")]
    UnknownFormat(u8),
    /// Too short to have been sealed.
    #[error("the sealed blob is truncated")]
    Truncated,
    /// Another key, other associated data, or the bytes were changed.
    #[error("the sealed blob does not open: wrong key, wrong associated data, or it was altered")]
    Inauthentic,
    /// The system's generator of random bytes failed.
    #[error("the system's random generator failed")]
    Random,
    /// The cipher refused the input, which is longer than AES-GCM allows.
    #[error("the plaintext is too long to seal")]
    TooLong,
}

/// The cases of a file of NIST's known answers.
#[cfg(test)]
pub(crate) fn nist_cases(file: &str) -> Vec<serde_json::Value> {
    let path = format!("{}/fixtures/nist/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let mut read: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    serde_json::from_value(read["cases"].take()).unwrap()
}
