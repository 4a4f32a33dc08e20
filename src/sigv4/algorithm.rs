use super::profile::Profile;
use super::refusal::Refusal;

/// How a signature is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// SigV4: a shared key, derived for one day, region and service.
    HmacSha256,
    /// SigV4a: a key pair that follows from the secret, for a set of regions.
    EcdsaP256Sha256,
}

impl Algorithm {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::HmacSha256 => "AWS4-HMAC-SHA256",
            Self::EcdsaP256Sha256 => "AWS4-ECDSA-P256-SHA256",
        }
    }

    /// Byte for byte as AWS spells it.
    pub(super) fn parse(name: &str) -> Result<Self, Refusal> {
        [Self::HmacSha256, Self::EcdsaP256Sha256]
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
            .ok_or_else(|| Refusal::unsupported_algorithm(name))
    }

    /// One that the service takes.
    pub(super) fn check(self, profile: &Profile) -> Result<(), Refusal> {
        match self {
            Self::HmacSha256 => Ok(()),
            Self::EcdsaP256Sha256 if profile.sigv4a.is_some() => Ok(()),
            Self::EcdsaP256Sha256 => Err(Refusal::unsupported_algorithm(self.name())),
        }
    }
}
