use jiff::Timestamp;

use super::members::Members;
use crate::kms::error::{KmsError, texts};
use crate::kms::spec::{ExpirationModel, ImportType, KeySpec, Origin};

/// The members of `ImportKeyMaterial`.
pub(in crate::kms) struct ImportKeyMaterial {
    pub(in crate::kms) key_id: String,
    pub(in crate::kms) token: Vec<u8>,
    /// The material, wrapped under the token's public key.
    pub(in crate::kms) wrapped: Vec<u8>,
    /// When the material expires, in whole seconds; none: it does not.
    pub(in crate::kms) valid_to: Option<Timestamp>,
    pub(in crate::kms) import_type: Option<ImportType>,
    pub(in crate::kms) description: Option<String>,
    /// The id that the material must turn out to have.
    pub(in crate::kms) material_id: Option<String>,
}

impl ImportKeyMaterial {
    /// # Errors
    /// `ValidationException` for a date of expiry that the expiration model does not go with, and
    /// for the id of new material (KMS API Reference, "ImportKeyMaterial").
    pub(super) fn take(members: &mut Members<'_>) -> Result<Self, KmsError> {
        let model = members.text("ExpirationModel").and_then(|name| ExpirationModel::named(&name)).unwrap_or_default();
        let valid_to = match (model, members.seconds("ValidTo")) {
            (ExpirationModel::Expires, Some(seconds)) => Some(
                Timestamp::from_second(seconds).map_err(|_| texts::validation("ValidTo is no date of this era."))?,
            ),
            (ExpirationModel::DoesNotExpire, None) => None,
            (ExpirationModel::Expires, None) => {
                return Err(texts::validation("ValidTo must be specified if ExpirationModel is KEY_MATERIAL_EXPIRES."));
            }
            (ExpirationModel::DoesNotExpire, Some(_)) => {
                return Err(texts::validation(
                    "ValidTo must not be specified if ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE.",
                ));
            }
        };
        let import_type = members.text("ImportType").and_then(|name| ImportType::named(&name));
        let material_id = members.text("KeyMaterialId");
        if import_type == Some(ImportType::New) && material_id.is_some() {
            return Err(id_of_new_material());
        }
        Ok(Self {
            key_id: members.required("KeyId"),
            token: members.bytes("ImportToken"),
            wrapped: members.bytes("EncryptedKeyMaterial"),
            valid_to,
            import_type,
            description: members.text("KeyMaterialDescription"),
            material_id,
        })
    }

    pub(in crate::kms) fn expiration_model(&self) -> ExpirationModel {
        if self.valid_to.is_some() { ExpirationModel::Expires } else { ExpirationModel::DoesNotExpire }
    }
}

/// Who imports new material can't know its id.
pub(in crate::kms) fn id_of_new_material() -> KmsError {
    texts::validation("KeyMaterialId cannot be specified if ImportType is NEW_KEY_MATERIAL.")
}

/// Holds the origin of a new key to its other members.
///
/// # Errors
/// `UnsupportedOperationException` for material that can't be imported: of ML-DSA, as with AWS.
pub(super) fn held_to_origin(origin: Origin, spec: KeySpec) -> Result<(), KmsError> {
    match (origin, spec) {
        (Origin::AwsKms, _) => Ok(()),
        (_, KeySpec::MlDsa44 | KeySpec::MlDsa65 | KeySpec::MlDsa87) => {
            Err(texts::unsupported(format!("KeySpec {} with Origin {} is not supported.", spec.name(), origin.name())))
        }
        _ => Ok(()),
    }
}
