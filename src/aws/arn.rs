use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An Amazon Resource Name: `arn:partition:service:region:account:resource`.
///
/// The resource part is one segment and may hold `:` and `/`. Components other than the
/// partition, the service and the resource may be empty
/// (IAM User Guide, "Amazon Resource Names").
#[derive(Clone)]
pub struct Arn {
    raw: Arc<str>,
    /// Byte offsets of the five colons that separate the six components.
    colons: [u16; 5],
}

/// The text has not the six components of an ARN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an ARN (arn:partition:service:region:account:resource)")]
pub struct InvalidArn(String);

impl Arn {
    /// Longest ARN that is accepted, in bytes (AWS's own limit is 2,048 characters).
    pub const MAX_LEN: usize = 2048;

    /// The whole ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.raw
    }

    /// The whole ARN, shared.
    #[must_use]
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.raw)
    }

    /// `aws`, `aws-cn`, …
    #[must_use]
    pub fn partition(&self) -> &str {
        self.between(0, 1)
    }

    /// `kms`, `iam`, `sts`, …
    #[must_use]
    pub fn service(&self) -> &str {
        self.between(1, 2)
    }

    /// May be empty.
    #[must_use]
    pub fn region(&self) -> &str {
        self.between(2, 3)
    }

    /// May be empty.
    #[must_use]
    pub fn account(&self) -> &str {
        self.between(3, 4)
    }

    /// Everything after the fifth colon.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.raw[usize::from(self.colons[4]) + 1..]
    }

    fn between(&self, left: usize, right: usize) -> &str {
        &self.raw[usize::from(self.colons[left]) + 1..usize::from(self.colons[right])]
    }
}

impl FromStr for Arn {
    type Err = InvalidArn;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidArn(text.to_owned());
        if text.len() > Self::MAX_LEN {
            return Err(invalid());
        }
        let mut colons = [0u16; 5];
        let mut positions = text.bytes().enumerate().filter(|&(_, byte)| byte == b':');
        for colon in &mut colons {
            let (at, _) = positions.next().ok_or_else(invalid)?;
            *colon = u16::try_from(at).map_err(|_| invalid())?;
        }
        let arn = Self { raw: text.into(), colons };
        let complete = text.starts_with("arn:")
            && !arn.partition().is_empty()
            && !arn.service().is_empty()
            && !arn.resource().is_empty();
        if complete { Ok(arn) } else { Err(invalid()) }
    }
}

impl PartialEq for Arn {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl Eq for Arn {}

impl std::hash::Hash for Arn {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.raw.hash(state);
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

impl fmt::Debug for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

impl Serialize for Arn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.raw)
    }
}

impl<'de> Deserialize<'de> for Arn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_has_six_components_and_the_last_keeps_its_colons() {
        let arn: Arn = "arn:aws:kms:us-east-1:111122223333:key/a:b/c".parse().unwrap();
        assert_eq!(
            [arn.partition(), arn.service(), arn.region(), arn.account(), arn.resource()],
            ["aws", "kms", "us-east-1", "111122223333", "key/a:b/c"]
        );
        let global: Arn = "arn:aws:s3:::bucket".parse().unwrap();
        assert_eq!((global.region(), global.account(), global.resource()), ("", "", "bucket"));
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            "arn",
            "arn:aws:kms:us-east-1:1",
            "arn::kms:r:a:x",
            "arn:aws:::a:x",
            "arn:aws:kms:r:a:",
            "urn:aws:kms:r:a:x",
        ] {
            assert!(bad.parse::<Arn>().is_err(), "{bad}");
        }
        assert!(format!("arn:aws:kms:r:a:{}", "x".repeat(Arn::MAX_LEN)).parse::<Arn>().is_err());
    }
}
