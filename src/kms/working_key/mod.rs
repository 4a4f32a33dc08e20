//! Key material of every kind but the symmetric one, parsed and ready to work.
//!
//! What is stored, and what [`generate`] makes, is the bare key of an HMAC spec and the private key
//! in PKCS#8 (RFC 5208) of an asymmetric one. Parsing costs more than most uses: the engine keeps
//! what [`WorkingKey::read`] answers. The library wipes keys that are dropped.

mod agreement;
mod encryption;
mod generate;
mod mac;
#[cfg(test)]
mod nist;
mod signing;
#[cfg(test)]
mod wycheproof;

pub(super) use agreement::AgreementPair;
pub(super) use encryption::EncryptionPair;
pub(super) use generate::{generate, random_bytes};
pub(super) use mac::MacKey;
pub(super) use signing::{Signable, SigningPair};

use aws_lc_rs::error::Unspecified;

use super::spec::{KeySpec, KeyUsage};

/// Key material in the form that its key's usage needs.
pub(super) enum WorkingKey {
    Mac(MacKey),
    Signing(SigningPair),
    Encryption(EncryptionPair),
    Agreement(AgreementPair),
}

impl WorkingKey {
    /// Parses material of a key of this spec and usage.
    ///
    /// # Errors
    /// Where it is no material of the spec, or the spec has no such form: symmetric keys have none.
    pub(super) fn read(spec: KeySpec, usage: KeyUsage, secret: &[u8]) -> Result<Self, Unspecified> {
        match usage {
            KeyUsage::GenerateVerifyMac => MacKey::read(spec, secret).map(Self::Mac),
            KeyUsage::SignVerify => SigningPair::read(spec, secret).map(Self::Signing),
            KeyUsage::EncryptDecrypt => EncryptionPair::read(spec, secret).map(Self::Encryption),
            KeyUsage::KeyAgreement => AgreementPair::read(spec, secret).map(Self::Agreement),
        }
    }

    /// The public key, as the DER of a `SubjectPublicKeyInfo` (RFC 5280).
    pub(super) fn public_key(&self) -> Option<&[u8]> {
        match self {
            Self::Mac(_) => None,
            Self::Signing(pair) => Some(pair.public_key()),
            Self::Encryption(pair) => Some(pair.public_key()),
            Self::Agreement(pair) => Some(pair.public_key()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RSA but for the smallest, which takes seconds to generate.
    const SPECS: [KeySpec; 12] = [
        KeySpec::Hmac224,
        KeySpec::Hmac512,
        KeySpec::Rsa2048,
        KeySpec::EccNistP256,
        KeySpec::EccNistP384,
        KeySpec::EccNistP521,
        KeySpec::EccSecgP256K1,
        KeySpec::EccNistEdwards25519,
        KeySpec::MlDsa44,
        KeySpec::MlDsa65,
        KeySpec::MlDsa87,
        KeySpec::Rsa3072,
    ];

    #[test]
    fn what_is_generated_reads_as_its_own_spec_and_as_no_other() {
        for made in SPECS {
            let secret = generate(made).unwrap();
            for read in SPECS {
                for usage in read.usages() {
                    let outcome = WorkingKey::read(read, *usage, &secret);
                    // The length of an HMAC key is its owner's matter: imported ones may be longer.
                    let good = made == read || *usage == KeyUsage::GenerateVerifyMac;
                    assert_eq!(outcome.is_ok(), good, "{made:?} as {read:?} for {usage:?}");
                }
            }
        }
        assert!(WorkingKey::read(KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt, &[0; 32]).is_err());
    }
}
