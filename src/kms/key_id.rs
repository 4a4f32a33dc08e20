use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// A key's id: `1234abcd-12ab-34cd-56ef-1234567890ab`, of a multi-Region key
/// `mrk-1234abcd12ab34cd56ef1234567890ab` (KMS Developer Guide, "Key identifiers"). In lower case, as
/// KMS writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyId {
    id: Uuid,
    is_multi_region: bool,
}

const MULTI_REGION_PREFIX: &str = "mrk-";

impl KeyId {
    /// A new one.
    pub(super) fn random(is_multi_region: bool) -> Self {
        Self { id: Uuid::new_v4(), is_multi_region }
    }

    pub(super) fn of(bytes: [u8; 16], is_multi_region: bool) -> Self {
        Self { id: Uuid::from_bytes(bytes), is_multi_region }
    }

    /// None for any other spelling than KMS's own.
    pub(super) fn read(text: &str) -> Option<Self> {
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_hyphenated =
            |(at, byte): (usize, u8)| if let 8 | 13 | 18 | 23 = at { byte == b'-' } else { is_hex(byte) };
        let without_prefix = text.strip_prefix(MULTI_REGION_PREFIX);
        let is_multi_region = without_prefix.is_some();
        let id = without_prefix.unwrap_or(text);
        let is_well_formed = if is_multi_region {
            id.len() == 32 && id.bytes().all(is_hex)
        } else {
            id.len() == 36 && id.bytes().enumerate().all(is_hyphenated)
        };
        let id = Uuid::try_parse(id).ok().filter(|_| is_well_formed)?;
        Some(Self { id, is_multi_region })
    }

    pub(super) fn bytes(&self) -> &[u8; 16] {
        self.id.as_bytes()
    }

    /// Whether it is a multi-Region key's: the same in every Region that has the key.
    #[must_use]
    pub fn is_multi_region(self) -> bool {
        self.is_multi_region
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_multi_region {
            write!(f, "{MULTI_REGION_PREFIX}{}", self.id.as_simple())
        } else {
            write!(f, "{}", self.id.as_hyphenated())
        }
    }
}

impl Serialize for KeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::read(&text).ok_or_else(|| D::Error::custom("not a key's id"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        for text in ["1234abcd-12ab-34cd-56ef-1234567890ab", "mrk-1234abcd12ab34cd56ef1234567890ab"] {
            let id = KeyId::read(text).unwrap();
            assert_eq!(id.to_string(), text);
            assert_eq!(id.is_multi_region(), text.starts_with("mrk-"));
            assert_eq!(KeyId::of(*id.bytes(), id.is_multi_region()), id);
        }
        for text in [
            "",
            "mrk-",
            "mrk-1234abcd-12ab-34cd-56ef-1234567890ab",
            "mrk-1234ABCD12AB34CD56EF1234567890AB",
            "1234ABCD-12AB-34CD-56EF-1234567890AB",
            "1234abcd12ab34cd56ef1234567890ab",
            "{1234abcd-12ab-34cd-56ef-1234567890ab}",
            "1234abcd-12ab-34cd-56ef-1234567890ab ",
        ] {
            assert_eq!(KeyId::read(text), None, "{text}");
        }
        assert_ne!(KeyId::random(false), KeyId::random(false));
    }
}
