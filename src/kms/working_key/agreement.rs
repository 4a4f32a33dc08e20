use aws_lc_rs::agreement::{
    self, Algorithm, ECDH_P256, ECDH_P384, ECDH_P521, ParsedPublicKey, ParsedPublicKeyFormat, PrivateKey,
    UnparsedPublicKey,
};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::error::Unspecified;
use zeroize::Zeroizing;

use crate::kms::spec::KeySpec;

/// A key pair that agrees with another on a secret (NIST SP 800-56A, elliptic curve cofactor
/// Diffie-Hellman; the cofactor of NIST's curves is one).
pub(in crate::kms) struct AgreementPair {
    private: PrivateKey,
    algorithm: &'static Algorithm,
    public_key: Vec<u8>,
}

impl AgreementPair {
    pub(super) fn read(spec: KeySpec, pkcs8: &[u8]) -> Result<Self, Unspecified> {
        let algorithm = match spec {
            KeySpec::EccNistP256 => &ECDH_P256,
            KeySpec::EccNistP384 => &ECDH_P384,
            KeySpec::EccNistP521 => &ECDH_P521,
            _ => return Err(Unspecified),
        };
        let private = PrivateKey::from_private_key_der(algorithm, pkcs8)?;
        let public_key = private.compute_public_key()?.as_der()?.as_ref().to_vec();
        Ok(Self { private, algorithm, public_key })
    }

    pub(in crate::kms) fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// The shared secret with a peer's public key, the DER of its `SubjectPublicKeyInfo`: the
    /// x-coordinate.
    ///
    /// # Errors
    /// Where the peer's key is no such DER, not on the curve, or of another curve.
    pub(in crate::kms) fn with(&self, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
        // The library would take a bare point too, a curve that is spelled out, and bytes behind all.
        let is_well_formed =
            is_one_sequence(peer) && algorithm_identifier(peer) == algorithm_identifier(&self.public_key);
        if !is_well_formed {
            return Err(Unspecified);
        }
        let peer = ParsedPublicKey::try_from(UnparsedPublicKey::new(self.algorithm, peer))?;
        if peer.format() != ParsedPublicKeyFormat::X509 {
            return Err(Unspecified);
        }
        agreement::agree(&self.private, peer, Unspecified, |secret| Ok(Zeroizing::new(secret.to_vec())))
    }
}

/// Whether this is one DER sequence of at most 255 bytes, and nothing else: no public key of these
/// curves is longer.
fn is_one_sequence(der: &[u8]) -> bool {
    match der {
        [0x30, 0x81, length, rest @ ..] => *length >= 0x80 && rest.len() == usize::from(*length),
        [0x30, length, rest @ ..] => *length < 0x80 && rest.len() == usize::from(*length),
        _ => false,
    }
}

/// The DER of the `AlgorithmIdentifier` in a `SubjectPublicKeyInfo`, which names the curve (RFC 5480,
/// section 2.1.1: no other form is allowed).
fn algorithm_identifier(key_info: &[u8]) -> Option<&[u8]> {
    // Behind the outer sequence's tag and length; its own length is below 128.
    let identifier = key_info.get(if *key_info.get(1)? < 0x80 { 2 } else { 3 }..)?;
    let length = usize::from(*identifier.get(1)?);
    identifier.get(..2 + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_key_is_one_sequence() {
        for (der, expected) in [
            (&[0x30, 2, 5, 0][..], true),
            (&[0x30, 2, 5, 0, 0], false),
            (&[0x30, 3, 5, 0], false),
            (&[0x31, 2, 5, 0], false),
            (&[0x30, 0x81, 2, 5, 0], false),
            (&[0x30], false),
            (&[], false),
        ] {
            assert_eq!(is_one_sequence(der), expected, "{der:?}");
        }
        let long = [&[0x30, 0x81, 200][..], &[0; 200]].concat();
        assert!(is_one_sequence(&long) && !is_one_sequence(&[&long[..], &[0]].concat()));
    }
}
