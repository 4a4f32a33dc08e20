use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A region name such as `eu-west-1`: well formed, not necessarily one that AWS runs.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Region(Arc<str>);

/// The text is not a region name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a region name (such as `us-east-1`)")]
pub struct InvalidRegion(String);

impl Region {
    /// Longest region name that is accepted, in bytes.
    pub const MAX_LEN: usize = 32;

    /// Whether the text is a region name: lower-case words joined by hyphens, three parts or
    /// more, the first of two letters or more, the last a number of one or two digits.
    #[must_use]
    pub fn is_well_formed(text: &str) -> bool {
        // One pass, for every request's credential scope comes this way.
        let (mut words, mut letters, mut digits) = (0, 0, 0);
        for byte in text.bytes() {
            match byte {
                b'a'..=b'z' if digits == 0 => letters += 1,
                b'0'..=b'9' if letters == 0 => digits += 1,
                b'-' if letters > usize::from(words == 0) => (words, letters) = (words + 1, 0),
                _ => return false,
            }
        }
        text.len() <= Self::MAX_LEN && words >= 2 && letters == 0 && matches!(digits, 1..=2)
    }

    /// The region of AWS's global endpoints.
    #[must_use]
    pub fn us_east_1() -> Self {
        Self("us-east-1".into())
    }

    /// The region name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The partition whose ARNs this region's resources bear.
    #[must_use]
    pub fn partition(&self) -> &'static str {
        if self.0.starts_with("cn-") {
            "aws-cn"
        } else if self.0.starts_with("us-gov-") {
            "aws-us-gov"
        } else {
            "aws"
        }
    }
}

impl FromStr for Region {
    type Err = InvalidRegion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if Self::is_well_formed(text) { Ok(Self(text.into())) } else { Err(InvalidRegion(text.to_owned())) }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Region {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Region {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn region_names_are_well_formed() {
        for good in ["us-east-1", "ap-southeast-2", "us-gov-west-1", "eusc-de-east-1", "us-iso-east-1"] {
            assert!(good.parse::<Region>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "us",
            "us-1",
            "us-east-1-",
            "us-1-east-1",
            "us-east-1a",
            "us-east-123",
            "us--east-1",
            "-us-east-1",
            "us-east",
            "us-east-",
            "US-EAST-1",
            "us_east_1",
            "us-east-1/x",
            "u-e-1",
        ] {
            assert!(bad.parse::<Region>().is_err(), "{bad}");
        }
        assert_eq!("cn-north-1".parse::<Region>().unwrap().partition(), "aws-cn");
        assert_eq!("us-gov-west-1".parse::<Region>().unwrap().partition(), "aws-us-gov");
        assert_eq!("eu-west-1".parse::<Region>().unwrap().partition(), "aws");
    }
}
