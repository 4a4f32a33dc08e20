use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
    PrivateDecryptingKey,
};
use zeroize::Zeroizing;

use crate::kms::spec::{EncryptionAlgorithm, KeySpec};

/// An RSA key pair that encrypts with OAEP (RFC 8017).
pub(in crate::kms) struct EncryptionPair {
    private: OaepPrivateDecryptingKey,
    public: OaepPublicEncryptingKey,
    public_key: Vec<u8>,
}

impl EncryptionPair {
    pub(super) fn read(spec: KeySpec, pkcs8: &[u8]) -> Result<Self, Unspecified> {
        let modulus = modulus_bytes(spec).ok_or(Unspecified)?;
        let private = PrivateDecryptingKey::from_pkcs8(pkcs8)?;
        if private.key_size_bytes() != modulus {
            return Err(Unspecified);
        }
        let public = private.public_key();
        let public_key = public.as_der()?.as_ref().to_vec();
        Ok(Self {
            private: OaepPrivateDecryptingKey::new(private)?,
            public: OaepPublicEncryptingKey::new(public)?,
            public_key,
        })
    }

    pub(in crate::kms) fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// Bytes of every ciphertext.
    pub(in crate::kms) fn ciphertext_bytes(&self) -> usize {
        self.private.key_size_bytes()
    }

    /// Most bytes of a plaintext; none for an algorithm that is not RSA's.
    pub(in crate::kms) fn longest(&self, algorithm: EncryptionAlgorithm) -> Option<usize> {
        oaep(algorithm).map(|algorithm| self.public.max_plaintext_size(algorithm))
    }

    pub(in crate::kms) fn encrypt(
        &self,
        algorithm: EncryptionAlgorithm,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, Unspecified> {
        let mut ciphertext = vec![0u8; self.public.ciphertext_size()];
        let algorithm = oaep(algorithm).ok_or(Unspecified)?;
        let length = self.public.encrypt(algorithm, plaintext, &mut ciphertext, None)?.len();
        ciphertext.truncate(length);
        Ok(ciphertext)
    }

    /// Fails alike for whatever is wrong with a ciphertext.
    pub(in crate::kms) fn decrypt(
        &self,
        algorithm: EncryptionAlgorithm,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
        if ciphertext.len() != self.ciphertext_bytes() {
            return Err(Unspecified);
        }
        let mut plaintext = Zeroizing::new(vec![0u8; self.private.min_output_size()]);
        let algorithm = oaep(algorithm).ok_or(Unspecified)?;
        let length = self.private.decrypt(algorithm, ciphertext, &mut plaintext, None)?.len();
        plaintext.truncate(length);
        Ok(plaintext)
    }
}

/// Bytes of the modulus of an RSA spec.
pub(super) fn modulus_bytes(spec: KeySpec) -> Option<usize> {
    match spec {
        KeySpec::Rsa2048 => Some(256),
        KeySpec::Rsa3072 => Some(384),
        KeySpec::Rsa4096 => Some(512),
        _ => None,
    }
}

fn oaep(algorithm: EncryptionAlgorithm) -> Option<&'static OaepAlgorithm> {
    match algorithm {
        EncryptionAlgorithm::RsaesOaepSha1 => Some(&OAEP_SHA1_MGF1SHA1),
        EncryptionAlgorithm::RsaesOaepSha256 => Some(&OAEP_SHA256_MGF1SHA256),
        EncryptionAlgorithm::SymmetricDefault | EncryptionAlgorithm::Sm2Pke => None,
    }
}
