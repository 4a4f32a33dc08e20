use std::sync::Arc;

use aws_lc_rs::rand;
use data_encoding::{BASE64, HEXLOWER};
use zeroize::Zeroizing;

use super::Kms;
use super::change::Change;
use crate::kms::ciphertext::{BackingKey, KEY_BYTES};
use crate::kms::error::KmsError;
use crate::kms::key_id::KeyId;
use crate::kms::name::KeyName;
use crate::kms::records::{MaterialRecord, decode};
use crate::kms::rows;

/// Names one backing key of one key.
pub(super) type MaterialKey = (KeyId, [u8; 32]);

/// The first byte of every text that wrapping binds a backing key to.
const WRAPPING: &str = "keystile key material v1";

impl Kms {
    /// Makes new key material for a key in a change, and answers its id, which is random and says
    /// nothing of the material.
    pub(super) fn add_material(&self, name: &KeyName, now: i64, change: &mut Change) -> Result<String, KmsError> {
        let mut key = Zeroizing::new([0u8; KEY_BYTES]);
        random(&mut *key)?;
        let mut id = [0u8; 32];
        random(&mut id)?;
        let id = HEXLOWER.encode(&id);
        let wrapped = self
            .root_key()
            .wrap(bound_to(name, &id).as_bytes(), &*key)
            .map_err(|error| KmsError::internal(error.to_string()))?;
        change.put(rows::material(name, &id), &MaterialRecord { created: now, wrapped: BASE64.encode(&wrapped) })?;
        Ok(id)
    }

    /// A backing key by its id, from memory or unwrapped; none if the key never had it.
    pub(super) async fn material(&self, name: &KeyName, id: [u8; 32]) -> Result<Option<Arc<BackingKey>>, KmsError> {
        if let Some(key) = self.materials().get(&(name.id, id)) {
            return Ok(Some(key));
        }
        let text = HEXLOWER.encode(&id);
        let row = rows::material(name, &text);
        let snapshot = self.store().snapshot().await?;
        let Some(found) = snapshot.get(&row).await? else {
            return Ok(None);
        };
        let unreadable = |what: String| KmsError::internal(format!("{}: {what}", row.escape_ascii()));
        let record: MaterialRecord = decode(&found.value).map_err(&unreadable)?;
        let wrapped = BASE64.decode(record.wrapped.as_bytes()).map_err(|error| unreadable(error.to_string()))?;
        let bytes = self
            .root_key()
            .unwrap(bound_to(name, &text).as_bytes(), &wrapped)
            .map_err(|error| unreadable(error.to_string()))?;
        let mut key = Zeroizing::new([0u8; KEY_BYTES]);
        if bytes.len() != KEY_BYTES {
            return Err(unreadable("not a key's length".to_owned()));
        }
        key.copy_from_slice(&bytes);
        let key = Arc::new(key);
        self.materials().insert((name.id, id), Arc::clone(&key));
        Ok(Some(key))
    }
}

/// What a wrapped backing key is bound to, so that no blob opens in another's place.
fn bound_to(name: &KeyName, material: &str) -> String {
    format!("{WRAPPING}/{}/{}/{}/{material}", name.account, rows::region_of_material(name), name.id)
}

/// Bytes from the system's generator.
pub(super) fn random(bytes: &mut [u8]) -> Result<(), KmsError> {
    rand::fill(bytes).map_err(|_| KmsError::internal("the system's random generator failed"))
}
