//! Imported key material (KMS Developer Guide, "Importing key material in AWS KMS keys").

use serde_json::{Value, json};

use super::change::Change;
use super::import_token::WrappingKey;
use super::regional_imports::{held_to_primary, is_ready};
use super::{Kms, answered, seconds};
use crate::kms::Answer;
use crate::kms::error::{KmsError, texts};
use crate::kms::imports::Import;
use crate::kms::operation::{ImportKeyMaterial, id_of_new_material};
use crate::kms::records::{DAY, KeyRecord, KeyView, State};
use crate::kms::resolve::Key;
use crate::kms::rows::{self, Due};
use crate::kms::spec::{ExpirationModel, Family, ImportType, KeySpec, KeyUsage, Origin, WrappingAlgorithm};
use crate::kms::working_key::WorkingKey;
use crate::kms::wrapped_material::{identify, unwrap};
use crate::store::Record;

/// How long an import token is good (KMS API Reference, "GetParametersForImport").
const TOKEN_LIFE: i64 = DAY;
/// How far ahead material may expire (KMS API Reference, "ImportKeyMaterial", `ValidTo`).
const LONGEST_LIFE: i64 = 365 * DAY;

impl Kms {
    /// A new wrapping key for each request: its private half goes into the token alone.
    pub(super) async fn parameters_for_import(
        &self,
        key: &Key,
        algorithm: WrappingAlgorithm,
        spec: KeySpec,
        now: i64,
    ) -> Result<Answer, KmsError> {
        held_to_external(key)?;
        let private_key = self.new_secret(spec).await?;
        let working = WorkingKey::read(spec, KeyUsage::EncryptDecrypt, &private_key).ok();
        let public_key = working.as_ref().and_then(WorkingKey::public_key);
        let public_key = public_key.ok_or_else(|| KmsError::internal("a new wrapping key does not read"))?;
        let valid_to = now.saturating_add(TOKEN_LIFE);
        let token = self.seal_token(key, &WrappingKey { algorithm, spec, valid_to, private_key })?;
        Ok(answered(key, |body| {
            body.blob("ImportToken", &token)
                .blob("PublicKey", public_key)
                .value("ParametersValidTo", &seconds(valid_to))
        }))
    }

    pub(super) async fn import_key_material(
        &self,
        key: &Key,
        request: &ImportKeyMaterial,
        now: i64,
    ) -> Result<Answer, KmsError> {
        held_to_external(key)?;
        let view = key.view();
        let (spec, usage) = (view.record.spec, view.record.usage);
        let is_symmetric = spec.family() == Family::Symmetric;
        for (parameter, is_given) in [
            ("importType", request.import_type.is_some()),
            ("keyMaterialDescription", request.description.is_some()),
            ("keyMaterialId", request.material_id.is_some()),
        ] {
            if is_given && !is_symmetric {
                return Err(texts::only_symmetric(parameter));
            }
        }
        let valid_to = request.valid_to.map(jiff::Timestamp::as_millisecond);
        held_to_a_year(valid_to, now)?;
        let wrapping_key = self.open_token(key, &request.token, now)?;
        let (name, wrapped) = (view.name.clone(), request.wrapped.clone());
        let read = move || -> Result<_, KmsError> {
            let private = WorkingKey::read(wrapping_key.spec, KeyUsage::EncryptDecrypt, &wrapping_key.private_key)
                .map_err(|_| KmsError::internal("the wrapping key of an import token does not read"))?;
            let material =
                unwrap(&private, wrapping_key.algorithm, &wrapped).map_err(|_| texts::invalid_ciphertext())?;
            let id = identify(&name, spec, usage, &material).map_err(|_| {
                texts::incorrect_key_material(format!(
                    "The key material is not valid for the key spec {}.",
                    spec.name()
                ))
            })?;
            Ok((id, material))
        };
        let (id, material) = self.heavy().compute(read).await??;

        let mut record = view.record.clone();
        note_import(view, &mut record, &id, request, valid_to)?;
        let mut change = Change::of(&key.record);
        self.put_material_as(&view.name, &id, &material, now, &mut change)?;
        move_expiry(view, &record, &mut change)?;
        change.put_key(view, &record)?;
        let is_new = view.record.import(&id).is_none();
        let replaced = view.record.pending_import().filter(|import| record.import(&import.material).is_none());
        if is_new {
            self.share_material(view, &record, &mut change).await?;
        }
        if let Some(import) = replaced {
            change.delete(rows::material(&view.name, &import.material));
        }
        self.commit(change).await?;
        if let Some(import) = replaced {
            self.forget_material(&view.name, &import.material);
        }
        Ok(of_material(key, is_symmetric.then_some(&id)))
    }

    /// Material that is not there, or was never imported where none is named, is no error.
    pub(super) async fn delete_imported_key_material(&self, key: &Key, id: Option<&str>) -> Result<Answer, KmsError> {
        held_to_external(key)?;
        let view = key.view();
        let is_symmetric = view.record.spec.family() == Family::Symmetric;
        if id.is_some() && !is_symmetric {
            return Err(texts::only_symmetric("keyMaterialId"));
        }
        let import = match (id, view.record.import(id.unwrap_or(&view.record.material))) {
            (_, Some(import)) => import,
            (None, None) => return Ok(of_material(key, None)),
            (Some(id), None) => {
                return Err(texts::validation(format!(
                    "Key material with ID {id} has never been imported into KMS key {}.",
                    view.arn
                )));
            }
        };
        if import.is_there || (import.is_pending && view.has_replicas()) {
            let mut record = view.record.clone();
            record.lose(&import.material);
            let mut change = Change::of(&key.record);
            self.take_material(view, import, &mut change).await?;
            move_expiry(view, &record, &mut change)?;
            change.put_key(view, &record)?;
            self.commit(change).await?;
            self.forget_material(&view.name, &import.material);
        }
        Ok(of_material(key, is_symmetric.then_some(&import.material)))
    }

    /// The end of all material of a key that expires at a date.
    pub(super) async fn expiry(&self, key: &Record<KeyView>, date: i64) -> Result<Change, KmsError> {
        let view = &key.value;
        let mut change = Change::of(key);
        let mut record = view.record.clone();
        for import in view.record.imports.iter().filter(|import| import.expiry() == Some(date)) {
            record.lose(&import.material);
            self.leave_material(view, &import.material, &mut change).await?;
            let details = json!({"keyId": view.name.id.to_string(), "keyMaterialId": import.material});
            Self::add_event(view, "DeleteExpiredKeyMaterial", date, details, &mut change)?;
        }
        move_expiry(view, &record, &mut change)?;
        change.put_key(view, &record)?;
        Ok(change)
    }

    /// Makes pending material one of those that a key needs, in a change that holds only while every
    /// Region has it, and answers its id.
    ///
    /// # Errors
    /// `KMSInvalidStateException` where no material waits for a rotation, or not in every Region.
    pub(super) async fn take_pending(
        &self,
        view: &KeyView,
        record: &mut KeyRecord,
        change: &mut Change,
    ) -> Result<String, KmsError> {
        let siblings = self.siblings(view).await?;
        let ready = view.record.pending_import().filter(|pending| is_ready(pending, &siblings));
        for sibling in &siblings {
            change.hold(rows::key(&sibling.value.name), sibling.mod_rev);
        }
        ready.and_then(|_| record.take_pending()).ok_or_else(|| {
            let text = format!("No available key material pending rotation for the key: {}.", view.arn);
            KmsError::new("KMSInvalidStateException", text)
        })
    }

    /// Forgets what expired at a date, once that is committed.
    pub(super) fn forget_expired(&self, view: &KeyView, date: i64) {
        for import in view.record.imports.iter().filter(|import| import.expiry() == Some(date)) {
            self.forget_material(&view.name, &import.material);
        }
    }
}

/// Notes in a key's record that material is there, if the key may have it.
fn note_import(
    view: &KeyView,
    record: &mut KeyRecord,
    id: &str,
    request: &ImportKeyMaterial,
    valid_to: Option<i64>,
) -> Result<(), KmsError> {
    let default = if record.imports.is_empty() { ImportType::New } else { ImportType::Existing };
    let import_type = request.import_type.unwrap_or(default);
    if import_type == ImportType::New && request.material_id.is_some() {
        return Err(id_of_new_material());
    }
    held_to_primary(view, import_type)?;
    let is_expected = request.material_id.as_ref().is_none_or(|expected| expected == id);
    let known = record.imports.iter().position(|import| import.material == id);
    let at = match (import_type, known) {
        (ImportType::Existing, Some(at)) if is_expected => at,
        (ImportType::Existing, _) => {
            return Err(texts::incorrect_key_material(format!(
                "The key material is not the material that was imported into KMS key {} before.",
                view.arn
            )));
        }
        (ImportType::New, Some(_)) => {
            return Err(texts::incorrect_key_material(format!(
                "The key material (id: {id}) was imported into KMS key {} before.",
                view.arn
            )));
        }
        (ImportType::New, None) => {
            if let Some(pending) = record.pending_import().filter(|pending| pending.is_there) {
                return Err(KmsError::new(
                    "KMSInvalidStateException",
                    format!(
                        "New key material (id: {id}) cannot be imported into KMS key {}, because another key material (id: {}) is pending rotation.",
                        view.arn, pending.material
                    ),
                ));
            }
            // What was deleted, or expired, before its rotation came makes room for other material.
            record.imports.retain(|import| !import.is_pending);
            let is_pending = !record.imports.is_empty();
            if !is_pending {
                id.clone_into(&mut record.material);
                id.clone_into(&mut record.first_material);
            }
            record.imports.push(Import {
                material: id.to_owned(),
                description: None,
                valid_to: None,
                is_there: false,
                is_pending,
            });
            record.imports.len() - 1
        }
    };
    if let Some(import) = record.imports.get_mut(at) {
        import.is_there = true;
        import.valid_to = valid_to;
        // What is not described anew keeps the description that it had.
        if let Some(text) = &request.description {
            import.description = Some(text.clone()).filter(|text| !text.is_empty());
        }
    }
    record.state = record.state_with_material(State::Enabled);
    Ok(())
}

/// Imported material lives until a date in the next year.
fn held_to_a_year(valid_to: Option<i64>, now: i64) -> Result<(), KmsError> {
    match valid_to {
        Some(date) if date <= now => Err(texts::validation("ValidTo must be a date in the future.")),
        Some(date) if date > now.saturating_add(LONGEST_LIFE) => {
            Err(texts::validation("ValidTo must be at most 365 days from now."))
        }
        _ => Ok(()),
    }
}

/// Puts the date at which the first of a key's material expires into the index of dates, in the
/// place of the date that was.
pub(super) fn move_expiry(view: &KeyView, record: &KeyRecord, change: &mut Change) -> Result<(), KmsError> {
    let (before, after) = (view.record.first_expiry(), record.first_expiry());
    if before == after {
        return Ok(());
    }
    if let Some(date) = before {
        change.delete(rows::due(date, Due::Expiry, &view.name));
    }
    match after {
        Some(date) => change.put(rows::due(date, Due::Expiry, &view.name), &()),
        None => Ok(()),
    }
}

fn of_material(key: &Key, id: Option<&String>) -> Answer {
    let mut answer = answered(key, |body| body.optional("KeyMaterialId", id));
    answer.response_elements = json!({"keyId": key.arn().as_str()});
    if let Some(id) = id {
        answer.response_elements["keyMaterialId"] = json!(id);
    }
    answer
}

fn held_to_external(key: &Key) -> Result<(), KmsError> {
    match key.view().record.origin {
        Origin::External => Ok(()),
        other => Err(texts::wrong_origin(key.arn().as_str(), other.name())),
    }
}

/// Automatic rotation is of material that is made here.
pub(super) fn refuse_imported(key: &Key) -> Result<(), KmsError> {
    let record = &key.view().record;
    match (record.spec.family(), record.origin) {
        (Family::Symmetric, Origin::External) => Err(texts::wrong_origin(key.arn().as_str(), record.origin.name())),
        _ => Ok(()),
    }
}

/// What a list of rotations says of imported material, beside what it says of all.
pub(super) fn show_import(import: &Import, entry: &mut Value) {
    entry["ImportState"] = json!(if import.is_there { "IMPORTED" } else { "PENDING_IMPORT" });
    if let Some(description) = &import.description {
        entry["KeyMaterialDescription"] = json!(description);
    }
    if !import.is_there {
        return;
    }
    match import.valid_to {
        Some(date) => {
            entry["ExpirationModel"] = json!(ExpirationModel::Expires.name());
            entry["ValidTo"] = seconds(date);
        }
        None => entry["ExpirationModel"] = json!(ExpirationModel::DoesNotExpire.name()),
    }
}
