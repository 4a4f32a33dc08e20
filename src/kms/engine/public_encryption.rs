use zeroize::Zeroizing;

use super::{Kms, astray};
use crate::kms::error::{KmsError, texts};
use crate::kms::operation::EncryptionContext;
use crate::kms::resolve::Key;
use crate::kms::spec::EncryptionAlgorithm;
use crate::kms::working_key::{EncryptionPair, WorkingKey};

impl Kms {
    /// Encrypts under an RSA key.
    pub(super) async fn encrypt_publicly(
        &self,
        key: &Key,
        algorithm: EncryptionAlgorithm,
        plaintext: &[u8],
        context: &EncryptionContext,
    ) -> Result<Vec<u8>, KmsError> {
        no_context(context)?;
        let working = self.working_key(key).await?;
        let pair = pair_of(&working)?;
        let longest = pair.longest(algorithm).ok_or_else(astray)?;
        if plaintext.len() > longest {
            return Err(texts::validation(format!(
                "Algorithm {} and key spec {} cannot encrypt data larger than {longest} bytes.",
                algorithm.name(),
                key.view().record.spec.name()
            )));
        }
        pair.encrypt(algorithm, plaintext).map_err(|_| KmsError::internal(format!("{} did not encrypt", key.arn())))
    }

    /// Decrypts under an RSA key.
    pub(super) async fn decrypt_privately(
        &self,
        key: &Key,
        algorithm: EncryptionAlgorithm,
        ciphertext: &[u8],
        context: &EncryptionContext,
    ) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        no_context(context)?;
        let working = self.working_key(key).await?;
        let ciphertext = ciphertext.to_vec();
        let decrypt = move || {
            let pair = pair_of(&working)?;
            pair.decrypt(algorithm, &ciphertext).map_err(|_| texts::invalid_ciphertext())
        };
        self.heavy().compute(decrypt).await?
    }
}

fn pair_of(working: &WorkingKey) -> Result<&EncryptionPair, KmsError> {
    match working {
        WorkingKey::Encryption(pair) => Ok(pair),
        _ => Err(astray()),
    }
}

/// Asymmetric encryption has no place for an encryption context (KMS Developer Guide, "Encryption
/// context").
pub(super) fn no_context(context: &EncryptionContext) -> Result<(), KmsError> {
    if context.0.is_empty() {
        return Ok(());
    }
    Err(texts::validation("An encryption context is not supported with an asymmetric KMS key."))
}
