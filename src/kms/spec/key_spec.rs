use super::named::named;
use super::{EncryptionAlgorithm, KeyAgreementAlgorithm, KeyUsage, MacAlgorithm, SigningAlgorithm};

named! {
    /// The kind of a key's material (KMS Developer Guide, "Key spec reference"). SM2 is not among
    /// them: AWS has it in the China Regions alone.
    #[derive(Default)]
    KeySpec {
        #[default]
        SymmetricDefault = "SYMMETRIC_DEFAULT",
        Hmac224 = "HMAC_224",
        Hmac256 = "HMAC_256",
        Hmac384 = "HMAC_384",
        Hmac512 = "HMAC_512",
        Rsa2048 = "RSA_2048",
        Rsa3072 = "RSA_3072",
        Rsa4096 = "RSA_4096",
        EccNistP256 = "ECC_NIST_P256",
        EccNistP384 = "ECC_NIST_P384",
        EccNistP521 = "ECC_NIST_P521",
        EccSecgP256K1 = "ECC_SECG_P256K1",
        EccNistEdwards25519 = "ECC_NIST_EDWARDS25519",
        MlDsa44 = "ML_DSA_44",
        MlDsa65 = "ML_DSA_65",
        MlDsa87 = "ML_DSA_87",
    }
}

/// The types of keys between which no alias moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::kms) enum Family {
    Symmetric,
    Hmac,
    Asymmetric,
}

impl KeySpec {
    /// Which type of key it is.
    pub(in crate::kms) const fn family(self) -> Family {
        match self {
            Self::SymmetricDefault => Family::Symmetric,
            Self::Hmac224 | Self::Hmac256 | Self::Hmac384 | Self::Hmac512 => Family::Hmac,
            _ => Family::Asymmetric,
        }
    }

    /// What keys of this spec may be for.
    pub(in crate::kms) const fn usages(self) -> &'static [KeyUsage] {
        match self {
            Self::SymmetricDefault => &[KeyUsage::EncryptDecrypt],
            Self::Hmac224 | Self::Hmac256 | Self::Hmac384 | Self::Hmac512 => &[KeyUsage::GenerateVerifyMac],
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => &[KeyUsage::EncryptDecrypt, KeyUsage::SignVerify],
            Self::EccNistP256 | Self::EccNistP384 | Self::EccNistP521 => {
                &[KeyUsage::SignVerify, KeyUsage::KeyAgreement]
            }
            Self::EccSecgP256K1 | Self::EccNistEdwards25519 | Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87 => {
                &[KeyUsage::SignVerify]
            }
        }
    }

    /// What a key of this spec is for where its creator does not say: the default of the API,
    /// `ENCRYPT_DECRYPT`, for those that can be for it.
    pub(super) fn default_usage(self) -> Option<KeyUsage> {
        self.usages().iter().find(|usage| **usage == KeyUsage::EncryptDecrypt).copied()
    }

    /// The algorithms of a key that is for encryption.
    pub(in crate::kms) const fn encryption_algorithms(self) -> &'static [EncryptionAlgorithm] {
        match self {
            Self::SymmetricDefault => &[EncryptionAlgorithm::SymmetricDefault],
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => {
                &[EncryptionAlgorithm::RsaesOaepSha1, EncryptionAlgorithm::RsaesOaepSha256]
            }
            _ => &[],
        }
    }

    /// The algorithms of a key that signs. Of Ed25519 the one alone that takes the message itself:
    /// the library knows no pre-hashed form.
    pub(in crate::kms) const fn signing_algorithms(self) -> &'static [SigningAlgorithm] {
        match self {
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => &[
                SigningAlgorithm::RsassaPkcs1V15Sha256,
                SigningAlgorithm::RsassaPkcs1V15Sha384,
                SigningAlgorithm::RsassaPkcs1V15Sha512,
                SigningAlgorithm::RsassaPssSha256,
                SigningAlgorithm::RsassaPssSha384,
                SigningAlgorithm::RsassaPssSha512,
            ],
            Self::EccNistP256 | Self::EccSecgP256K1 => &[SigningAlgorithm::EcdsaSha256],
            Self::EccNistP384 => &[SigningAlgorithm::EcdsaSha384],
            Self::EccNistP521 => &[SigningAlgorithm::EcdsaSha512],
            Self::EccNistEdwards25519 => &[SigningAlgorithm::Ed25519Sha512],
            Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87 => &[SigningAlgorithm::MlDsaShake256],
            Self::SymmetricDefault | Self::Hmac224 | Self::Hmac256 | Self::Hmac384 | Self::Hmac512 => &[],
        }
    }

    /// The algorithm of a key that makes MACs.
    pub(in crate::kms) const fn mac_algorithms(self) -> &'static [MacAlgorithm] {
        match self {
            Self::Hmac224 => &[MacAlgorithm::HmacSha224],
            Self::Hmac256 => &[MacAlgorithm::HmacSha256],
            Self::Hmac384 => &[MacAlgorithm::HmacSha384],
            Self::Hmac512 => &[MacAlgorithm::HmacSha512],
            _ => &[],
        }
    }

    /// The member of `KeyMetadata` that lists the algorithms of a key of this spec and usage, and
    /// their names.
    pub(in crate::kms) fn algorithms(self, usage: KeyUsage) -> (&'static str, Vec<&'static str>) {
        match usage {
            KeyUsage::EncryptDecrypt => {
                ("EncryptionAlgorithms", self.encryption_algorithms().iter().map(|one| one.name()).collect())
            }
            KeyUsage::SignVerify => {
                ("SigningAlgorithms", self.signing_algorithms().iter().map(|one| one.name()).collect())
            }
            KeyUsage::GenerateVerifyMac => {
                ("MacAlgorithms", self.mac_algorithms().iter().map(|one| one.name()).collect())
            }
            KeyUsage::KeyAgreement => ("KeyAgreementAlgorithms", vec![KeyAgreementAlgorithm::Ecdh.name()]),
        }
    }
}
