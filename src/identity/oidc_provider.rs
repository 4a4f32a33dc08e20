use std::sync::Arc;

use super::KeySet;

/// An OpenID Connect identity provider whose tokens `AssumeRoleWithWebIdentity` takes.
#[derive(Debug)]
pub struct OidcProvider {
    /// The issuer as tokens name it (`iss`): an https URL.
    pub issuer: String,
    /// The audiences (client ids) of which a token must name one.
    pub audiences: Vec<String>,
    /// The algorithms that its tokens may be signed with, and no other.
    pub algorithms: Vec<SigningAlgorithm>,
    /// Its keys.
    pub keys: KeySource,
}

/// Where the keys of an identity provider are.
#[derive(Debug)]
pub enum KeySource {
    /// Read from a file.
    Fixed(Arc<KeySet>),
    /// At that https URL.
    Url(String),
}

/// How a token may be signed (RFC 7518, section 3.1): those that AWS takes, all of them with a public
/// key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the RFC's")]
pub enum SigningAlgorithm {
    Rs256,
    Rs384,
    Rs512,
    Es256,
    Es384,
    Es512,
}

impl SigningAlgorithm {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Rs256, Self::Rs384, Self::Rs512, Self::Es256, Self::Es384, Self::Es512];

    /// As the RFC spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
        }
    }

    /// The algorithm of that name, exactly; none for any that has no public key.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

impl OidcProvider {
    /// The issuer without its scheme: what condition keys and the provider's ARN begin with and end in.
    #[must_use]
    pub fn host_and_path(&self) -> &str {
        self.issuer.strip_prefix("https://").unwrap_or(&self.issuer)
    }
}
