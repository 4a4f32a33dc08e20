use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, PqdsaKeyPair};
use zeroize::Zeroizing;

use super::signing::{ecdsa, ml_dsa};
use crate::kms::spec::KeySpec;

/// New key material. That of an RSA spec takes from a tenth of a second to several.
///
/// # Errors
/// Where the library or the system's generator fails.
pub(in crate::kms) fn generate(spec: KeySpec) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
    if let Some(length) = random_bytes(spec) {
        return random(length);
    }
    match spec {
        KeySpec::Rsa2048 => rsa(KeySize::Rsa2048),
        KeySpec::Rsa3072 => rsa(KeySize::Rsa3072),
        KeySpec::Rsa4096 => rsa(KeySize::Rsa4096),
        KeySpec::EccNistP256 | KeySpec::EccNistP384 | KeySpec::EccNistP521 | KeySpec::EccSecgP256K1 => {
            let (algorithm, _) = ecdsa(spec).ok_or(Unspecified)?;
            Ok(kept(EcdsaKeyPair::generate(algorithm)?.to_pkcs8v1()?.as_ref()))
        }
        KeySpec::EccNistEdwards25519 => Ok(kept(Ed25519KeyPair::generate()?.to_pkcs8v1()?.as_ref())),
        KeySpec::MlDsa44 | KeySpec::MlDsa65 | KeySpec::MlDsa87 => {
            let (algorithm, _) = ml_dsa(spec).ok_or(Unspecified)?;
            Ok(kept(PqdsaKeyPair::generate(algorithm)?.to_pkcs8v1()?.as_ref()))
        }
        _ => Err(Unspecified),
    }
}

/// Bytes of a spec's material where random bytes are all that it is. An HMAC key is as long as the
/// digest (KMS Developer Guide, "Key spec reference").
pub(in crate::kms) const fn random_bytes(spec: KeySpec) -> Option<usize> {
    match spec {
        KeySpec::Hmac224 => Some(28),
        KeySpec::SymmetricDefault | KeySpec::Hmac256 => Some(32),
        KeySpec::Hmac384 => Some(48),
        KeySpec::Hmac512 => Some(64),
        _ => None,
    }
}

fn random(length: usize) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
    let mut bytes = Zeroizing::new(vec![0u8; length]);
    rand::fill(&mut bytes)?;
    Ok(bytes)
}

fn rsa(size: KeySize) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
    let der: Pkcs8V1Der<'_> = RsaKeyPair::generate(size)?.as_der()?;
    Ok(kept(der.as_ref()))
}

/// Out of the library's buffer, which it wipes.
fn kept(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(bytes.to_vec())
}
