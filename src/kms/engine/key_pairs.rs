use zeroize::Zeroizing;

use super::cryptography::held_to_symmetric;
use super::external_keys::refuse_custom_key_store;
use super::{Kms, answered, astray};
use crate::kms::Answer;
use crate::kms::api::Kind;
use crate::kms::error::{KmsError, texts};
use crate::kms::operation::EncryptionContext;
use crate::kms::records::State;
use crate::kms::resolve::{Key, Resolved};
use crate::kms::spec::{EncryptionAlgorithm, KeyAgreementAlgorithm, KeySpec, KeyUsage};
use crate::kms::working_key::{SigningPair, WorkingKey, generate};

impl Kms {
    pub(super) async fn public_key(&self, key: &Key) -> Result<Answer, KmsError> {
        let (spec, usage) = (key.view().record.spec, key.view().record.usage);
        if spec == KeySpec::SymmetricDefault || usage == KeyUsage::GenerateVerifyMac {
            return Err(KmsError::silent("UnsupportedOperationException"));
        }
        // Without its material the key has no public key either.
        if key.view().record.state == State::PendingImport {
            return Err(texts::pending_import(key.arn().as_str()));
        }
        let working = self.working_key(key).await?;
        let public_key = working.public_key().ok_or_else(astray)?;
        let (member, algorithms) = spec.algorithms(usage);
        Ok(answered(key, |body| {
            body.blob("PublicKey", public_key)
                .text("CustomerMasterKeySpec", spec.name())
                .text("KeySpec", spec.name())
                .text("KeyUsage", usage.name())
                .value(member, &algorithms)
        }))
    }

    pub(super) async fn derive_shared_secret(
        &self,
        key: &Key,
        algorithm: KeyAgreementAlgorithm,
        peer: &[u8],
    ) -> Result<Answer, KmsError> {
        let record = &key.view().record;
        if record.usage != KeyUsage::KeyAgreement {
            return Err(texts::wrong_usage(key.arn().as_str(), record.usage.name(), "DeriveSharedSecret"));
        }
        let working = self.working_key(key).await?;
        let WorkingKey::Agreement(pair) = &*working else { return Err(astray()) };
        let secret = pair.with(peer).map_err(|_| {
            texts::validation(format!(
                "PublicKey must be the DER of the SubjectPublicKeyInfo of a public key of {}.",
                record.spec.name()
            ))
        })?;
        Ok(answered(key, |body| {
            body.blob("SharedSecret", &secret)
                .text("KeyAgreementAlgorithm", algorithm.name())
                .text("KeyOrigin", record.origin.name())
        }))
    }

    pub(super) async fn generate_data_key_pair(
        &self,
        resolved: &Resolved,
        key: &Key,
        context: &EncryptionContext,
        pair_spec: KeySpec,
    ) -> Result<Answer, KmsError> {
        let kind = resolved.operation.kind;
        held_to_symmetric(key, kind)?;
        refuse_custom_key_store(key)?;
        let private_key = self.new_secret(pair_spec).await?;
        let pair = SigningPair::read(pair_spec, &private_key)
            .map_err(|_| KmsError::internal("a new key pair does not read"))?;
        let sealed = self.seal(resolved, key, EncryptionAlgorithm::SymmetricDefault, &private_key, context).await?;
        Ok(answered(key, |body| {
            let body = body
                .blob("PrivateKeyCiphertextBlob", &sealed)
                .blob("PublicKey", pair.public_key())
                .text("KeyPairSpec", pair_spec.name())
                .text("KeyMaterialId", &key.view().record.material);
            if kind == Kind::GenerateDataKeyPair { body.blob("PrivateKeyPlaintext", &private_key) } else { body }
        }))
    }

    /// New key material of a spec; that of RSA, which takes long, on a thread of its own.
    pub(super) async fn new_secret(&self, spec: KeySpec) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        let made = match spec {
            KeySpec::Rsa2048 | KeySpec::Rsa3072 | KeySpec::Rsa4096 => {
                self.heavy().generate(move || generate(spec)).await?
            }
            _ => generate(spec),
        };
        made.map_err(|_| KmsError::internal(format!("no key material of {} could be generated", spec.name())))
    }
}
