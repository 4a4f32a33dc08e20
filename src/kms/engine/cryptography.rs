use std::sync::Arc;

use zeroize::Zeroizing;

use super::material::random;
use super::{Kms, answer};
use crate::kms::Answer;
use crate::kms::ciphertext::{self, BackingKey, Ciphertext};
use crate::kms::error::{KmsError, texts};
use crate::kms::operation::{EncryptionContext, ReEncrypt};
use crate::kms::resolve::Key;
use crate::kms::wire::ObjectText;

const SYMMETRIC: &str = "SYMMETRIC_DEFAULT";

impl Kms {
    pub(super) async fn encrypt(
        &self,
        key: &Key,
        plaintext: &[u8],
        context: &EncryptionContext,
        algorithm: Option<&str>,
    ) -> Result<Answer, KmsError> {
        held_to(algorithm)?;
        let sealed = self.seal(key, plaintext, context).await?;
        Ok(answered(key, |body| body.blob("CiphertextBlob", &sealed).text("EncryptionAlgorithm", SYMMETRIC)))
    }

    pub(super) async fn decrypt(
        &self,
        key: &Key,
        ciphertext: &[u8],
        context: &EncryptionContext,
        algorithm: Option<&str>,
    ) -> Result<Answer, KmsError> {
        held_to(algorithm)?;
        let (plaintext, material) = self.open_ciphertext(key, ciphertext, context).await?;
        Ok(answered(key, |body| {
            body.text("EncryptionAlgorithm", SYMMETRIC).text("KeyMaterialId", &material).blob("Plaintext", &plaintext)
        }))
    }

    pub(super) async fn re_encrypt(
        &self,
        source: &Key,
        destination: &Key,
        request: &ReEncrypt,
    ) -> Result<Answer, KmsError> {
        held_to(request.source_algorithm.as_deref())?;
        held_to(request.destination_algorithm.as_deref())?;
        let (plaintext, material) = self.open_ciphertext(source, &request.ciphertext, &request.source_context).await?;
        let sealed = self.seal(destination, &plaintext, &request.destination_context).await?;
        let mut answer = answered(destination, |body| {
            body.blob("CiphertextBlob", &sealed)
                .text("SourceKeyId", source.arn().as_str())
                .text("SourceEncryptionAlgorithm", SYMMETRIC)
                .text("DestinationEncryptionAlgorithm", SYMMETRIC)
                .text("SourceKeyMaterialId", &material)
                .text("DestinationKeyMaterialId", &destination.view().record.material)
        });
        if source.arn() != destination.arn() {
            answer.resources.insert(0, source.arn().clone());
        }
        Ok(answer)
    }

    pub(super) async fn generate_data_key(
        &self,
        key: &Key,
        context: &EncryptionContext,
        spec: Option<&str>,
        bytes: Option<i64>,
        with_plaintext: bool,
    ) -> Result<Answer, KmsError> {
        let length = match (spec, bytes) {
            (Some("AES_128"), _) => 16,
            (None, Some(bytes)) => usize::try_from(bytes).map_err(|_| KmsError::internal("a negative length"))?,
            _ => 32,
        };
        let mut data_key = Zeroizing::new(vec![0u8; length]);
        random(&mut data_key)?;
        let sealed = self.seal(key, &data_key, context).await?;
        Ok(answered(key, |body| {
            let body = body.blob("CiphertextBlob", &sealed).text("KeyMaterialId", &key.view().record.material);
            if with_plaintext { body.blob("Plaintext", &data_key) } else { body }
        }))
    }

    pub(super) fn generate_random(bytes: Option<i64>) -> Result<Answer, KmsError> {
        let length = bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or_default();
        let mut plaintext = Zeroizing::new(vec![0u8; length]);
        random(&mut plaintext)?;
        Ok(Answer::of(ObjectText::new().blob("Plaintext", &plaintext).finish()))
    }

    async fn seal(&self, key: &Key, plaintext: &[u8], context: &EncryptionContext) -> Result<Vec<u8>, KmsError> {
        let view = key.view();
        let backing = self.backing(key, view.material).await?;
        let backing = backing
            .ok_or_else(|| KmsError::internal(format!("the current key material of {} is missing", view.arn)))?;
        ciphertext::seal(view.name.account, view.name.id, &view.material, &backing, context, plaintext)
    }

    /// The plaintext, and the id of the material that it was encrypted under.
    async fn open_ciphertext(
        &self,
        key: &Key,
        bytes: &[u8],
        context: &EncryptionContext,
    ) -> Result<(Zeroizing<Vec<u8>>, String), KmsError> {
        let ciphertext = Ciphertext::read(bytes)?;
        let name = &key.view().name;
        if (ciphertext.account, ciphertext.key) != (name.account, name.id) {
            return Err(texts::incorrect_key());
        }
        let backing = self.backing(key, ciphertext.material).await?.ok_or_else(texts::invalid_ciphertext)?;
        Ok((ciphertext.open(&backing, context)?, ciphertext.material_id()))
    }

    async fn backing(&self, key: &Key, material: [u8; 32]) -> Result<Option<Arc<BackingKey>>, KmsError> {
        self.material(&key.view().name, material).await
    }
}

/// The one algorithm of a symmetric key.
fn held_to(algorithm: Option<&str>) -> Result<(), KmsError> {
    match algorithm {
        None | Some(SYMMETRIC) => Ok(()),
        Some(other) => Err(KmsError::new(
            "InvalidKeyUsageException",
            format!("Algorithm {other} and key spec {SYMMETRIC} are incompatible with each other."),
        )),
    }
}

/// An answer of members beside the key's ARN.
fn answered(key: &Key, members: impl FnOnce(ObjectText) -> ObjectText) -> Answer {
    answer(key, Some(members(ObjectText::new().text("KeyId", key.arn().as_str())).finish()))
}
