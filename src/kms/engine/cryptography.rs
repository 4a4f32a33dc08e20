use std::sync::Arc;

use zeroize::Zeroizing;

use super::material::{missing, random};
use super::public_encryption::no_context;
use super::{Kms, answered};
use crate::kms::Answer;
use crate::kms::api::Kind;
use crate::kms::ciphertext::{self, BackingKey, Ciphertext};
use crate::kms::error::{KmsError, texts};
use crate::kms::operation::{EncryptionContext, ReEncrypt};
use crate::kms::resolve::{Key, Resolved};
use crate::kms::spec::{EncryptionAlgorithm, KeySpec, KeyUsage};
use crate::kms::wire::ObjectText;

impl Kms {
    pub(super) async fn encrypt(
        &self,
        resolved: &Resolved,
        key: &Key,
        plaintext: &[u8],
        context: &EncryptionContext,
        algorithm: Option<&str>,
    ) -> Result<Answer, KmsError> {
        let algorithm = held_to(key, algorithm, "Encrypt")?;
        let sealed = self.seal(resolved, key, algorithm, plaintext, context).await?;
        Ok(answered(key, |body| body.blob("CiphertextBlob", &sealed).text("EncryptionAlgorithm", algorithm.name())))
    }

    pub(super) async fn decrypt(
        &self,
        resolved: &Resolved,
        key: &Key,
        ciphertext: &[u8],
        context: &EncryptionContext,
        algorithm: Option<&str>,
    ) -> Result<Answer, KmsError> {
        let algorithm = held_to(key, algorithm, "Decrypt")?;
        let (plaintext, material) = self.open_ciphertext(resolved, key, algorithm, ciphertext, context).await?;
        Ok(answered(key, |body| {
            body.text("EncryptionAlgorithm", algorithm.name())
                .optional("KeyMaterialId", material)
                .blob("Plaintext", &plaintext)
        }))
    }

    /// What of `Decrypt` needs no ciphertext: the answer is a dry run's.
    pub(super) fn try_decrypt(
        key: &Key,
        context: &EncryptionContext,
        algorithm: Option<&str>,
    ) -> Result<Answer, KmsError> {
        held_with_context(key, context, algorithm, "Decrypt")?;
        Ok(answered(key, |body| body))
    }

    /// What of `ReEncrypt` needs no ciphertext.
    pub(super) fn try_re_encrypt(source: &Key, destination: &Key, request: &ReEncrypt) -> Result<Answer, KmsError> {
        held_with_context(source, &request.source_context, request.source_algorithm.as_deref(), "ReEncrypt")?;
        let algorithm = request.destination_algorithm.as_deref();
        held_with_context(destination, &request.destination_context, algorithm, "ReEncrypt")?;
        Ok(answered(destination, |body| body))
    }

    pub(super) async fn re_encrypt(
        &self,
        resolved: &Resolved,
        source: &Key,
        destination: &Key,
        request: &ReEncrypt,
    ) -> Result<Answer, KmsError> {
        let from = held_to(source, request.source_algorithm.as_deref(), "ReEncrypt")?;
        let to = held_to(destination, request.destination_algorithm.as_deref(), "ReEncrypt")?;
        let (plaintext, material) =
            self.open_ciphertext(resolved, source, from, &request.ciphertext, &request.source_context).await?;
        let sealed = self.seal(resolved, destination, to, &plaintext, &request.destination_context).await?;
        let new_material = (to == EncryptionAlgorithm::SymmetricDefault).then_some(&destination.view().record.material);
        let mut answer = answered(destination, |body| {
            body.blob("CiphertextBlob", &sealed)
                .text("SourceKeyId", source.arn().as_str())
                .text("SourceEncryptionAlgorithm", from.name())
                .text("DestinationEncryptionAlgorithm", to.name())
                .optional("SourceKeyMaterialId", material)
                .optional("DestinationKeyMaterialId", new_material)
        });
        if source.arn() != destination.arn() {
            answer.resources.insert(0, source.arn().clone());
        }
        Ok(answer)
    }

    pub(super) async fn generate_data_key(
        &self,
        resolved: &Resolved,
        key: &Key,
        context: &EncryptionContext,
        spec: Option<&str>,
        bytes: Option<i64>,
    ) -> Result<Answer, KmsError> {
        let kind = resolved.operation.kind;
        held_to_symmetric(key, kind)?;
        let length = match (spec, bytes) {
            (Some("AES_128"), _) => 16,
            (None, Some(bytes)) => usize::try_from(bytes).map_err(|_| KmsError::internal("a negative length"))?,
            _ => 32,
        };
        let mut data_key = Zeroizing::new(vec![0u8; length]);
        random(&mut data_key)?;
        let sealed = self.seal(resolved, key, EncryptionAlgorithm::SymmetricDefault, &data_key, context).await?;
        Ok(answered(key, |body| {
            let body = body.blob("CiphertextBlob", &sealed).text("KeyMaterialId", &key.view().record.material);
            if kind == Kind::GenerateDataKey { body.blob("Plaintext", &data_key) } else { body }
        }))
    }

    pub(super) fn generate_random(bytes: Option<i64>) -> Result<Answer, KmsError> {
        let length = bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or_default();
        let mut plaintext = Zeroizing::new(vec![0u8; length]);
        random(&mut plaintext)?;
        Ok(Answer::of(ObjectText::new().blob("Plaintext", &plaintext).finish()))
    }

    pub(super) async fn seal(
        &self,
        resolved: &Resolved,
        key: &Key,
        algorithm: EncryptionAlgorithm,
        plaintext: &[u8],
        context: &EncryptionContext,
    ) -> Result<Vec<u8>, KmsError> {
        if algorithm != EncryptionAlgorithm::SymmetricDefault {
            return self.encrypt_publicly(key, algorithm, plaintext, context).await;
        }
        if let Some(place) = &key.view().record.custom_key_store {
            return self.seal_outside(resolved, key, place, plaintext, context).await;
        }
        let view = key.view();
        let backing = self.backing(key, view.material).await?.ok_or_else(|| missing(key))?;
        ciphertext::seal(view.name.account, view.name.id, &view.material, &backing, context, plaintext)
    }

    /// The plaintext, and the id of the material that it was encrypted under; none for asymmetric
    /// keys, which have the one.
    async fn open_ciphertext(
        &self,
        resolved: &Resolved,
        key: &Key,
        algorithm: EncryptionAlgorithm,
        bytes: &[u8],
        context: &EncryptionContext,
    ) -> Result<(Zeroizing<Vec<u8>>, Option<String>), KmsError> {
        if algorithm != EncryptionAlgorithm::SymmetricDefault {
            return Ok((self.decrypt_privately(key, algorithm, bytes, context).await?, None));
        }
        let ciphertext = Ciphertext::read(bytes)?;
        let name = &key.view().name;
        if (ciphertext.account, ciphertext.key) != (name.account, name.id) {
            return Err(texts::incorrect_key());
        }
        let material = Some(ciphertext.material_id());
        if let Some(place) = &key.view().record.custom_key_store {
            return Ok((self.open_outside(resolved, key, place, &ciphertext, context).await?, material));
        }
        let backing = self.backing(key, ciphertext.material).await?.ok_or_else(texts::invalid_ciphertext)?;
        Ok((ciphertext.open(&backing, context)?, material))
    }

    pub(super) async fn backing(&self, key: &Key, material: [u8; 32]) -> Result<Option<Arc<BackingKey>>, KmsError> {
        self.material(&key.view().name, material).await
    }
}

/// The algorithm that a request names, or the default, if the key encrypts and the algorithm is its.
fn held_to(key: &Key, algorithm: Option<&str>, operation: &str) -> Result<EncryptionAlgorithm, KmsError> {
    let record = &key.view().record;
    if record.usage != KeyUsage::EncryptDecrypt {
        return Err(texts::wrong_usage(key.arn().as_str(), record.usage.name(), operation));
    }
    let name = algorithm.unwrap_or(EncryptionAlgorithm::SymmetricDefault.name());
    EncryptionAlgorithm::named(name)
        .filter(|algorithm| record.spec.encryption_algorithms().contains(algorithm))
        .ok_or_else(|| texts::incompatible(name, record.spec.name()))
}

/// Whether the algorithm is the key's, and takes the encryption context.
fn held_with_context(
    key: &Key,
    context: &EncryptionContext,
    algorithm: Option<&str>,
    operation: &str,
) -> Result<(), KmsError> {
    match held_to(key, algorithm, operation)? {
        EncryptionAlgorithm::SymmetricDefault => Ok(()),
        _ => no_context(context),
    }
}

/// Data keys and data key pairs are of symmetric keys alone.
pub(super) fn held_to_symmetric(key: &Key, kind: Kind) -> Result<(), KmsError> {
    let record = &key.view().record;
    if record.spec == KeySpec::SymmetricDefault {
        return Ok(());
    }
    Err(texts::wrong_usage(key.arn().as_str(), record.usage.name(), kind.facts().name))
}
