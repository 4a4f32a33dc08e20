use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256K1_SHA256_ASN1, ECDSA_P256K1_SHA256_ASN1_SIGNING,
    ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1, ECDSA_P521_SHA512_ASN1_SIGNING,
    ED25519, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, ML_DSA_44, ML_DSA_44_SIGNING, ML_DSA_65,
    ML_DSA_65_SIGNING, ML_DSA_87, ML_DSA_87_SIGNING, ParsedPublicKey, PqdsaKeyPair, PqdsaSigningAlgorithm,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, VerificationAlgorithm,
};

use super::encryption::modulus_bytes;
use crate::kms::spec::{KeySpec, SigningAlgorithm};

/// What is signed: the digest of the message, or the message where the algorithm hashes it itself.
#[derive(Clone)]
pub(in crate::kms) enum Signable<'a> {
    Digest(Digest),
    Message(&'a [u8]),
}

/// A key pair that signs.
pub(in crate::kms) struct SigningPair {
    private: Private,
    verifiers: Verifiers,
}

enum Private {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    MlDsa(PqdsaKeyPair),
}

impl SigningPair {
    pub(in crate::kms) fn read(spec: KeySpec, pkcs8: &[u8]) -> Result<Self, Unspecified> {
        let (private, public_key) = match spec {
            KeySpec::Rsa2048 | KeySpec::Rsa3072 | KeySpec::Rsa4096 => {
                let pair = RsaKeyPair::from_pkcs8(pkcs8)?;
                if Some(pair.public_modulus_len()) != modulus_bytes(spec) {
                    return Err(Unspecified);
                }
                let public_key = pair.public_key().as_der()?;
                (Private::Rsa(pair), public_key)
            }
            KeySpec::EccNistEdwards25519 => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8)?;
                let public_key = pair.public_key().as_der()?;
                (Private::Ed25519(pair), public_key)
            }
            _ => {
                if let Some((algorithm, _)) = ecdsa(spec) {
                    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8)?;
                    let public_key = pair.public_key().as_der()?;
                    (Private::Ecdsa(pair), public_key)
                } else {
                    let (algorithm, _) = ml_dsa(spec).ok_or(Unspecified)?;
                    let pair = PqdsaKeyPair::from_pkcs8(algorithm, pkcs8)?;
                    let public_key = pair.public_key().as_der()?;
                    (Private::MlDsa(pair), public_key)
                }
            }
        };
        Ok(Self { private, verifiers: Verifiers::read(spec, public_key.as_ref())? })
    }

    /// Whether signing takes milliseconds.
    pub(in crate::kms) fn is_slow(&self) -> bool {
        matches!(self.private, Private::Rsa(_))
    }

    /// The DER of the public key's `SubjectPublicKeyInfo`.
    pub(in crate::kms) fn public_key(&self) -> &[u8] {
        &self.verifiers.public_key
    }

    /// Signs with an algorithm of the key's spec: ECDSA in the DER of ANSI X9.62, as KMS does.
    pub(in crate::kms) fn sign(
        &self,
        algorithm: SigningAlgorithm,
        signable: &Signable<'_>,
    ) -> Result<Vec<u8>, Unspecified> {
        match (&self.private, signable) {
            (Private::Rsa(pair), Signable::Digest(digest)) => {
                let (padding, _) = rsa(algorithm).ok_or(Unspecified)?;
                let mut signature = vec![0u8; pair.public_modulus_len()];
                pair.sign_digest(padding, digest, &mut signature)?;
                Ok(signature)
            }
            (Private::Ecdsa(pair), Signable::Digest(digest)) => Ok(pair.sign_digest(digest)?.as_ref().to_vec()),
            (Private::Ed25519(pair), Signable::Message(message)) => Ok(pair.try_sign(message)?.as_ref().to_vec()),
            (Private::MlDsa(pair), Signable::Message(message)) => {
                let mut signature = vec![0u8; pair.algorithm().signature_len()];
                let length = pair.sign(message, &mut signature)?;
                signature.truncate(length);
                Ok(signature)
            }
            _ => Err(Unspecified),
        }
    }

    /// Whether a signature is this key's.
    pub(in crate::kms) fn verifies(
        &self,
        algorithm: SigningAlgorithm,
        signable: &Signable<'_>,
        signature: &[u8],
    ) -> bool {
        self.verifiers.verify(algorithm, signable, signature)
    }
}

/// A public key, parsed once for each algorithm of its spec.
pub(super) struct Verifiers {
    public_key: Vec<u8>,
    parsed: Vec<(SigningAlgorithm, ParsedPublicKey)>,
}

impl Verifiers {
    pub(super) fn read(spec: KeySpec, public_key: &[u8]) -> Result<Self, Unspecified> {
        let parsed = spec
            .signing_algorithms()
            .iter()
            .map(|algorithm| {
                let verifier = verifier(spec, *algorithm).ok_or(Unspecified)?;
                Ok((*algorithm, ParsedPublicKey::new(verifier, public_key)?))
            })
            .collect::<Result<_, Unspecified>>()?;
        Ok(Self { public_key: public_key.to_vec(), parsed })
    }

    pub(super) fn verify(&self, algorithm: SigningAlgorithm, signable: &Signable<'_>, signature: &[u8]) -> bool {
        let Some((_, key)) = self.parsed.iter().find(|(of, _)| *of == algorithm) else {
            return false;
        };
        match signable {
            Signable::Digest(digest) => key.verify_digest_sig(digest, signature).is_ok(),
            Signable::Message(message) => key.verify_sig(message, signature).is_ok(),
        }
    }
}

impl SigningAlgorithm {
    /// The digest that the algorithm signs; none where it takes the message itself.
    pub(in crate::kms) fn digest(self) -> Option<&'static digest::Algorithm> {
        match self {
            Self::RsassaPssSha256 | Self::RsassaPkcs1V15Sha256 | Self::EcdsaSha256 => Some(&digest::SHA256),
            Self::RsassaPssSha384 | Self::RsassaPkcs1V15Sha384 | Self::EcdsaSha384 => Some(&digest::SHA384),
            Self::RsassaPssSha512 | Self::RsassaPkcs1V15Sha512 | Self::EcdsaSha512 => Some(&digest::SHA512),
            Self::Sm2Dsa | Self::MlDsaShake256 | Self::Ed25519Sha512 | Self::Ed25519PhSha512 => None,
        }
    }
}

fn verifier(spec: KeySpec, algorithm: SigningAlgorithm) -> Option<&'static dyn VerificationAlgorithm> {
    match spec {
        KeySpec::Rsa2048 | KeySpec::Rsa3072 | KeySpec::Rsa4096 => rsa(algorithm).map(|(_, verifier)| verifier),
        KeySpec::EccNistEdwards25519 => Some(&ED25519),
        _ => {
            let ecdsa = ecdsa(spec).map(|(_, verifier)| verifier);
            ecdsa.or_else(|| ml_dsa(spec).map(|(_, verifier)| verifier))
        }
    }
}

type Rsa = (&'static dyn RsaEncoding, &'static dyn VerificationAlgorithm);

/// How RSA signs and verifies; salts of PSS are as long as the digest, as KMS has them.
fn rsa(algorithm: SigningAlgorithm) -> Option<Rsa> {
    match algorithm {
        SigningAlgorithm::RsassaPssSha256 => Some((&RSA_PSS_SHA256, &RSA_PSS_2048_8192_SHA256)),
        SigningAlgorithm::RsassaPssSha384 => Some((&RSA_PSS_SHA384, &RSA_PSS_2048_8192_SHA384)),
        SigningAlgorithm::RsassaPssSha512 => Some((&RSA_PSS_SHA512, &RSA_PSS_2048_8192_SHA512)),
        SigningAlgorithm::RsassaPkcs1V15Sha256 => Some((&RSA_PKCS1_SHA256, &RSA_PKCS1_2048_8192_SHA256)),
        SigningAlgorithm::RsassaPkcs1V15Sha384 => Some((&RSA_PKCS1_SHA384, &RSA_PKCS1_2048_8192_SHA384)),
        SigningAlgorithm::RsassaPkcs1V15Sha512 => Some((&RSA_PKCS1_SHA512, &RSA_PKCS1_2048_8192_SHA512)),
        _ => None,
    }
}

/// How a spec signs and verifies with ECDSA.
pub(super) fn ecdsa(spec: KeySpec) -> Option<(&'static EcdsaSigningAlgorithm, &'static dyn VerificationAlgorithm)> {
    match spec {
        KeySpec::EccNistP256 => Some((&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P256_SHA256_ASN1)),
        KeySpec::EccNistP384 => Some((&ECDSA_P384_SHA384_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1)),
        KeySpec::EccNistP521 => Some((&ECDSA_P521_SHA512_ASN1_SIGNING, &ECDSA_P521_SHA512_ASN1)),
        KeySpec::EccSecgP256K1 => Some((&ECDSA_P256K1_SHA256_ASN1_SIGNING, &ECDSA_P256K1_SHA256_ASN1)),
        _ => None,
    }
}

/// How a spec signs and verifies with ML-DSA.
pub(super) fn ml_dsa(spec: KeySpec) -> Option<(&'static PqdsaSigningAlgorithm, &'static dyn VerificationAlgorithm)> {
    match spec {
        KeySpec::MlDsa44 => Some((&ML_DSA_44_SIGNING, &ML_DSA_44)),
        KeySpec::MlDsa65 => Some((&ML_DSA_65_SIGNING, &ML_DSA_65)),
        KeySpec::MlDsa87 => Some((&ML_DSA_87_SIGNING, &ML_DSA_87)),
        _ => None,
    }
}
