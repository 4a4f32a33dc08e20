//! A key that seals what is kept nowhere: whoever holds such a message holds all of it.

use std::fmt;

use zeroize::Zeroizing;

use super::derive::KEY_BYTES;
use super::{SealError, envelope};

/// A key of 32 bytes that seals messages for later readers of the same house. Zeroised when dropped,
/// never printed.
pub struct SealingKey(Zeroizing<[u8; KEY_BYTES]>);

impl SealingKey {
    /// The key of these bytes; none where they are not 32.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let mut key = Zeroizing::new([0u8; KEY_BYTES]);
        (bytes.len() == KEY_BYTES).then(|| key.copy_from_slice(bytes))?;
        Some(Self(key))
    }

    /// Seals a message ([`envelope::seal`]): the label says what it is, the associated data whose.
    ///
    /// # Errors
    /// Where the system has no random bytes.
    pub fn seal(&self, label: &[u8], aad: &[u8], message: &[u8]) -> Result<Vec<u8>, SealError> {
        envelope::seal(&self.0, label, aad, message)
    }

    /// Opens what was sealed with the same label and associated data.
    ///
    /// # Errors
    /// Alike for whatever is wrong with it.
    pub fn open(&self, label: &[u8], aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        envelope::open(&self.0, label, aad, sealed)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_opens_under_its_key_label_and_data_alone() {
        let key = |byte| SealingKey::of(&[byte; 32]).unwrap();
        let sealed = key(1).seal(b"a", b"b", b"message").unwrap();
        assert_eq!(&**key(1).open(b"a", b"b", &sealed).unwrap(), b"message");
        for (key, label, aad) in [(key(2), b"a", b"b"), (key(1), b"b", b"b"), (key(1), b"a", b"a")] {
            assert!(key.open(label, aad, &sealed).is_err());
        }
        assert!(SealingKey::of(&[1; 31]).is_none() && SealingKey::of(&[1; 33]).is_none());
        assert!(!format!("{:?}", key(0x41)).contains("65"));
    }
}
