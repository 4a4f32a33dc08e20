//! How often an account may call KMS in a Region (KMS Developer Guide, "Request quotas").

use std::collections::BTreeMap;
use std::fmt;

use crate::aws::Region;

/// Requests in a second, to a thousandth.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PerSecond {
    thousandths: u32,
}

impl PerSecond {
    /// The lowest that can be said: one request in 100 seconds.
    pub const LEAST: Self = Self { thousandths: 10 };
    /// The highest that can be said.
    pub const MOST: Self = Self::of(1_000_000);

    const fn of(requests: u32) -> Self {
        Self { thousandths: requests * 1000 }
    }

    /// That many requests in a second; none outside of [`PerSecond::LEAST`] and [`PerSecond::MOST`].
    #[must_use]
    pub fn new(requests: f64) -> Option<Self> {
        let thousandths = (requests * 1000.0).round();
        let range = f64::from(Self::LEAST.thousandths)..=f64::from(Self::MOST.thousandths);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the range")]
        range.contains(&thousandths).then_some(Self { thousandths: thousandths as u32 })
    }

    /// Requests in a second.
    #[must_use]
    pub fn requests(self) -> f64 {
        f64::from(self.thousandths) / 1000.0
    }
}

impl fmt::Display for PerSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.requests().fmt(f)
    }
}

impl fmt::Debug for PerSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}/s")
    }
}

/// The quota that cryptographic operations with symmetric keys share.
pub const SYMMETRIC: &str = "Cryptographic operations (symmetric)";
/// The quota that cryptographic operations with RSA keys share.
pub const RSA: &str = "Cryptographic operations (RSA)";
/// The quota that cryptographic operations with ML-DSA keys share.
pub const ML_DSA: &str = "Cryptographic operations (ML-DSA)";
/// The quota that cryptographic operations with keys of elliptic curves share.
pub const ECC: &str = "Cryptographic operations (ECC)";

/// The quota that cryptographic operations with the keys of one custom key store share.
pub const CUSTOM_KEY_STORE: &str = "Custom key store";

/// The names of the quotas, as Service Quotas has them without ` request rate`, and AWS's defaults.
/// An operation that is not among them has no quota of its own.
const OF_AWS: &[(&str, PerSecond)] = &[
    (SYMMETRIC, PerSecond::of(10_000)),
    (RSA, PerSecond::of(1000)),
    (ML_DSA, PerSecond::of(1000)),
    (ECC, PerSecond::of(1000)),
    (CUSTOM_KEY_STORE, PerSecond::of(1800)),
    ("CancelKeyDeletion", PerSecond::of(5)),
    ("ConnectCustomKeyStore", PerSecond::of(5)),
    ("CreateAlias", PerSecond::of(5)),
    ("CreateCustomKeyStore", PerSecond::of(5)),
    ("CreateGrant", PerSecond::of(50)),
    ("CreateKey", PerSecond::of(5)),
    ("DeleteAlias", PerSecond::of(15)),
    ("DeleteCustomKeyStore", PerSecond::of(5)),
    ("DeleteImportedKeyMaterial", PerSecond::of(15)),
    ("DescribeCustomKeyStores", PerSecond::of(5)),
    ("DescribeKey", PerSecond::of(2000)),
    ("DisableKey", PerSecond::of(5)),
    ("DisableKeyRotation", PerSecond::of(5)),
    ("DisconnectCustomKeyStore", PerSecond::of(5)),
    ("EnableKey", PerSecond::of(5)),
    ("EnableKeyRotation", PerSecond::of(15)),
    ("GenerateDataKeyPair (ECC_NIST_P256)", PerSecond::of(100)),
    ("GenerateDataKeyPair (ECC_NIST_P384)", PerSecond::of(100)),
    ("GenerateDataKeyPair (ECC_NIST_P521)", PerSecond::of(100)),
    ("GenerateDataKeyPair (ECC_SECG_P256K1)", PerSecond::of(100)),
    ("GenerateDataKeyPair (ECC_NIST_EDWARDS25519)", PerSecond::of(100)),
    ("GenerateDataKeyPair (RSA_2048)", PerSecond::of(20)),
    ("GenerateDataKeyPair (RSA_3072)", PerSecond::of(4)),
    ("GenerateDataKeyPair (RSA_4096)", PerSecond::of(1)),
    ("GetKeyLastUsage", PerSecond::of(5)),
    ("GetKeyPolicy", PerSecond::of(1000)),
    ("GetKeyRotationStatus", PerSecond::of(1000)),
    ("GetParametersForImport", PerSecond::of(1)),
    ("GetPublicKey", PerSecond::of(2000)),
    ("ImportKeyMaterial", PerSecond::of(15)),
    ("ListAliases", PerSecond::of(500)),
    ("ListGrants", PerSecond::of(100)),
    ("ListKeyPolicies", PerSecond::of(100)),
    ("ListKeys", PerSecond::of(500)),
    ("ListKeyRotations", PerSecond::of(100)),
    ("ListResourceTags", PerSecond::of(2000)),
    ("ListRetirableGrants", PerSecond::of(100)),
    ("PutKeyPolicy", PerSecond::of(15)),
    ("ReplicateKey", PerSecond::of(5)),
    ("RetireGrant", PerSecond::of(50)),
    ("RevokeGrant", PerSecond::of(50)),
    ("RotateKeyOnDemand", PerSecond::of(5)),
    ("ScheduleKeyDeletion", PerSecond::of(15)),
    ("TagResource", PerSecond::of(10)),
    ("UntagResource", PerSecond::of(5)),
    ("UpdateAlias", PerSecond::of(5)),
    ("UpdateCustomKeyStore", PerSecond::of(5)),
    ("UpdateKeyDescription", PerSecond::of(5)),
    ("UpdatePrimaryRegion", PerSecond::of(5)),
];

/// The Regions where AWS's default of a quota is another one.
const IN_SOME_REGIONS: &[(&str, &[&str], PerSecond)] = &[
    (SYMMETRIC, &["us-east-1", "us-west-2", "eu-west-1"], PerSecond::of(100_000)),
    (
        SYMMETRIC,
        &["us-east-2", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "eu-central-1", "eu-west-2"],
        PerSecond::of(20_000),
    ),
    ("GenerateDataKeyPair (RSA_2048)", CHINA, PerSecond::of(1)),
    ("GenerateDataKeyPair (RSA_3072)", CHINA, PerSecond { thousandths: 500 }),
    ("GenerateDataKeyPair (RSA_4096)", CHINA, PerSecond { thousandths: 100 }),
];

const CHINA: &[&str] = &["cn-north-1", "cn-northwest-1"];

/// The request quotas of an account in a Region, by their names; a quota without a rate does not
/// limit. At first none does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestRates {
    of_aws: bool,
    own: BTreeMap<&'static str, PerSecond>,
}

/// There is no quota of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of a request quota; those are {names}", names = names().collect::<Vec<_>>().join(", "))]
pub struct UnknownQuota(pub String);

impl RequestRates {
    /// The defaults of AWS.
    #[must_use]
    pub fn of_aws() -> Self {
        Self { of_aws: true, own: BTreeMap::new() }
    }

    /// Sets one quota's rate, in every Region.
    ///
    /// # Errors
    /// For a name that no quota has.
    pub fn set(&mut self, name: &str, rate: PerSecond) -> Result<(), UnknownQuota> {
        let known = names().find(|known| *known == name).ok_or_else(|| UnknownQuota(name.to_owned()))?;
        self.own.insert(known, rate);
        Ok(())
    }

    /// Whether any quota limits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.of_aws && self.own.is_empty()
    }

    /// The rate of a quota in a Region; none where it does not limit.
    #[must_use]
    pub fn of(&self, name: &str, region: &Region) -> Option<PerSecond> {
        let default = || {
            let regional = IN_SOME_REGIONS
                .iter()
                .find(|(quota, regions, _)| *quota == name && regions.contains(&region.as_str()))
                .map(|(_, _, rate)| *rate);
            regional.or_else(|| OF_AWS.iter().find(|(quota, _)| *quota == name).map(|(_, rate)| *rate))
        };
        self.own.get(name).copied().or_else(|| if self.of_aws { default() } else { None })
    }
}

/// The names of the quotas, as Service Quotas has them without ` request rate`.
pub fn names() -> impl Iterator<Item = &'static str> {
    OF_AWS.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(requests: f64) -> PerSecond {
        PerSecond::new(requests).unwrap()
    }

    #[test]
    fn nothing_limits_until_it_is_set() {
        let region: Region = "us-east-1".parse().unwrap();
        let mut rates = RequestRates::default();
        assert!(rates.is_empty());
        assert_eq!(rates.of("CreateKey", &region), None);
        rates.set("CreateKey", PerSecond::new(0.5).unwrap()).unwrap();
        assert_eq!(rates.of("CreateKey", &region), Some(rate(0.5)));
        assert_eq!(rates.of("CreateAlias", &region), None);
    }

    #[test]
    fn the_defaults_of_aws_vary_with_the_region() {
        let mut rates = RequestRates::of_aws();
        for (name, region, expected) in [
            (SYMMETRIC, "eu-north-1", 10_000.0),
            (SYMMETRIC, "eu-west-2", 20_000.0),
            (SYMMETRIC, "us-west-2", 100_000.0),
            (RSA, "us-west-2", 1000.0),
            ("GenerateDataKeyPair (RSA_4096)", "us-west-2", 1.0),
            ("GenerateDataKeyPair (RSA_4096)", "cn-north-1", 0.1),
        ] {
            assert_eq!(rates.of(name, &region.parse().unwrap()), Some(rate(expected)), "{name} {region}");
        }
        assert_eq!(rates.of("Encrypt", &"us-west-2".parse().unwrap()), None);
        rates.set(SYMMETRIC, PerSecond::new(7.0).unwrap()).unwrap();
        assert_eq!(rates.of(SYMMETRIC, &"us-west-2".parse().unwrap()), Some(rate(7.0)));
    }

    #[test]
    fn names_are_the_tables_and_each_is_there_once() {
        assert!(names().enumerate().all(|(at, name)| names().position(|other| other == name) == Some(at)));
        assert!(IN_SOME_REGIONS.iter().all(|(name, _, _)| names().any(|known| known == *name)));
        let unknown = RequestRates::default().set("Encrypt", PerSecond::LEAST).unwrap_err().to_string();
        assert!(unknown.starts_with("`Encrypt` is not the name of a request quota; those are Crypto"), "{unknown}");
    }

    #[test]
    fn rates_have_a_range() {
        for (requests, good) in [(0.01, true), (0.0049, false), (1e6, true), (1_000_000.1, false)] {
            assert_eq!(PerSecond::new(requests).is_some(), good, "{requests}");
        }
        assert_eq!(PerSecond::new(f64::NAN), None);
    }
}
