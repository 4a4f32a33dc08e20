use std::fmt;

use data_encoding::{BASE32_NOPAD, BASE64};
use zeroize::Zeroizing;

/// A new access key, in the shape of AWS's own: `AKIA` and 16 characters, and a secret
/// of 40 base64 characters (240 random bits).
pub struct NewAccessKey {
    /// The access key id.
    pub id: String,
    /// The secret access key.
    pub secret: Zeroizing<String>,
}

/// The system's generator gave no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system's random generator failed")]
pub struct GenerateError;

impl NewAccessKey {
    /// Makes a key from the system's generator.
    ///
    /// # Errors
    /// Where the generator fails.
    pub fn generate() -> Result<Self, GenerateError> {
        Self::of_kind("AKIA")
    }

    /// Makes the key of a session: its id begins with `ASIA`.
    pub(super) fn temporary() -> Result<Self, GenerateError> {
        Self::of_kind("ASIA")
    }

    fn of_kind(prefix: &str) -> Result<Self, GenerateError> {
        let mut id = [0u8; 10];
        let mut secret = Zeroizing::new([0u8; 30]);
        aws_lc_rs::rand::fill(&mut id).map_err(|_| GenerateError)?;
        aws_lc_rs::rand::fill(&mut *secret).map_err(|_| GenerateError)?;
        Ok(Self {
            id: format!("{prefix}{}", BASE32_NOPAD.encode(&id)),
            secret: Zeroizing::new(BASE64.encode(&*secret)),
        })
    }
}

impl fmt::Debug for NewAccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewAccessKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What is wrong with an access key id, if anything: AWS's are 16 to 128 word characters.
pub(super) fn id_fault(id: &str) -> Option<&'static str> {
    let shaped = (16..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    (!shaped).then_some("an access key id is 16 to 128 letters, digits and underscores, such as AKIAIOSFODNN7EXAMPLE")
}

/// What is wrong with a secret or session token, if anything. The text is never repeated.
pub(super) fn secret_fault(secret: &str) -> Option<&'static str> {
    if secret.is_empty() {
        Some("is empty")
    } else if secret.chars().any(|c| c.is_whitespace() || c.is_control()) {
        Some("holds white space or a control character")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_has_the_shape_of_awss_own_and_is_not_printed() {
        let key = NewAccessKey::generate().unwrap();
        assert!(key.id.len() == 20 && key.id.starts_with("AKIA"));
        assert!(key.id[4..].bytes().all(|b| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b)), "{}", key.id);
        assert_eq!(key.secret.len(), 40);
        assert_eq!((id_fault(&key.id), secret_fault(&key.secret)), (None, None));
        assert!(!format!("{key:?}").contains(key.secret.as_str()));
        assert_ne!(NewAccessKey::generate().unwrap().id, key.id);
    }
}
