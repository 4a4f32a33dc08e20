use std::sync::Arc;

use aws_lc_rs::rand;
use data_encoding::{BASE64, HEXLOWER};
use zeroize::Zeroizing;

use super::Kms;
use super::change::Change;
use super::root_key::RootKeys;
use crate::kms::ciphertext::{BackingKey, KEY_BYTES};
use crate::kms::error::KmsError;
use crate::kms::key_id::KeyId;
use crate::kms::name::KeyName;
use crate::kms::records::{MaterialRecord, decode, material_bytes};
use crate::kms::resolve::Key;
use crate::kms::rows;
use crate::kms::working_key::WorkingKey;

/// Names one backing key of one key.
pub(super) type MaterialKey = (KeyId, [u8; 32]);

/// The first byte of every text that wrapping binds a backing key to.
const WRAPPING: &str = "keystile key material v1";

impl Kms {
    /// Makes new material for a symmetric key in a change, and answers its id.
    pub(super) fn add_material(&self, name: &KeyName, now: i64, change: &mut Change) -> Result<String, KmsError> {
        let mut key = Zeroizing::new([0u8; KEY_BYTES]);
        random(&mut *key)?;
        self.put_material(name, &*key, now, change)
    }

    /// Wraps material of any length for a key in a change, and answers its id, which is random and
    /// says nothing of the material.
    pub(super) fn put_material(
        &self,
        name: &KeyName,
        secret: &[u8],
        now: i64,
        change: &mut Change,
    ) -> Result<String, KmsError> {
        let mut id = [0u8; 32];
        random(&mut id)?;
        let id = HEXLOWER.encode(&id);
        self.put_material_as(name, &id, secret, now, change)?;
        Ok(id)
    }

    /// Wraps material for a key in a change, under an id of its own.
    pub(super) fn put_material_as(
        &self,
        name: &KeyName,
        id: &str,
        secret: &[u8],
        now: i64,
        change: &mut Change,
    ) -> Result<(), KmsError> {
        self.put_wrapped(rows::material(name, id), secret, now, change)
    }

    /// Wraps a secret in a change, for a row among those of key material.
    pub(super) fn put_wrapped(
        &self,
        row: Vec<u8>,
        secret: &[u8],
        now: i64,
        change: &mut Change,
    ) -> Result<(), KmsError> {
        let (root_key, wrapped) = self.root_keys().wrap(&bound_to(&row)?, secret, change)?;
        let record = MaterialRecord { created: now, wrapped: BASE64.encode(&wrapped), root_key: Some(root_key) };
        change.put(row, &record)
    }

    /// Forgets material that is gone from the store. What a request still reads at this moment may
    /// come back into memory, where nothing asks for it: the key's state, which each request reads
    /// first, says that the material is missing.
    pub(super) fn forget_material(&self, name: &KeyName, id: &str) {
        if let Some(id) = material_bytes(id) {
            self.materials().invalidate(&(name.id, id));
            self.working_keys().invalidate(&(name.id, id));
        }
    }

    /// A backing key by its id, from memory or unwrapped; none if the key never had it.
    pub(super) async fn material(&self, name: &KeyName, id: [u8; 32]) -> Result<Option<Arc<BackingKey>>, KmsError> {
        if let Some(key) = self.materials().get(&(name.id, id)) {
            return Ok(Some(key));
        }
        let Some(bytes) = self.unwrapped(name, &id).await? else {
            return Ok(None);
        };
        let mut key = Zeroizing::new([0u8; KEY_BYTES]);
        if bytes.len() != KEY_BYTES {
            return Err(unreadable(&rows::material(name, &HEXLOWER.encode(&id)), "not a key's length"));
        }
        key.copy_from_slice(&bytes);
        let key = Arc::new(key);
        self.materials().insert((name.id, id), Arc::clone(&key));
        Ok(Some(key))
    }

    /// The current material of a key that is not symmetric, from memory or unwrapped and parsed.
    pub(super) async fn working_key(&self, key: &Key) -> Result<Arc<WorkingKey>, KmsError> {
        let view = key.view();
        let place = (view.name.id, view.material);
        if let Some(working) = self.working_keys().get(&place) {
            return Ok(working);
        }
        let secret = self.unwrapped(&view.name, &view.material).await?;
        let secret = secret.ok_or_else(|| missing(key))?;
        let working = WorkingKey::read(view.record.spec, view.record.usage, &secret)
            .map_err(|_| unreadable(&rows::material(&view.name, &view.record.material), "not of the key's spec"))?;
        let working = Arc::new(working);
        self.working_keys().insert(place, Arc::clone(&working));
        Ok(working)
    }

    /// Material by its id, out of the store; none if the key never had it.
    async fn unwrapped(&self, name: &KeyName, id: &[u8; 32]) -> Result<Option<Zeroizing<Vec<u8>>>, KmsError> {
        self.unwrapped_at(&rows::material(name, &HEXLOWER.encode(id))).await
    }

    /// The secret of a row that [`Kms::put_wrapped`] wrote; none if there is no such row.
    pub(super) async fn unwrapped_at(&self, row: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, KmsError> {
        let snapshot = self.store().snapshot().await?;
        let Some(found) = snapshot.get(row).await? else {
            return Ok(None);
        };
        let record: MaterialRecord = decode(&found.value).map_err(|error| unreadable(row, &error))?;
        // The root keys after the record: what wraps it is among them for as long as this process lives.
        let secret = unwrap(row, &record, &self.root_keys()).map_err(|error| unreadable(row, &error))?;
        Ok(Some(secret))
    }
}

/// The current material of a key is not in the store.
pub(super) fn missing(key: &Key) -> KmsError {
    KmsError::internal(format!("the current key material of {} is missing", key.arn()))
}

fn unreadable(row: &[u8], what: &str) -> KmsError {
    KmsError::internal(format!("{}: {what}", row.escape_ascii()))
}

/// The secret of a record; the error says what is wrong with it.
fn unwrap(row: &[u8], record: &MaterialRecord, root_keys: &RootKeys) -> Result<Zeroizing<Vec<u8>>, String> {
    let wrapped = BASE64.decode(record.wrapped.as_bytes()).map_err(|error| error.to_string())?;
    let bound = bound_to(row).map_err(|error| error.to_string())?;
    root_keys.unwrap(record.root_key.as_deref(), &bound, &wrapped)
}

/// The same material wrapped under the root key that wraps now; none where it is already.
pub(super) fn rewrap(row: &[u8], value: &[u8], root_keys: &RootKeys) -> Result<Option<MaterialRecord>, KmsError> {
    let unreadable = |what: String| unreadable(row, &what);
    let record: MaterialRecord = decode(value).map_err(unreadable)?;
    if record.root_key.as_deref() == Some(root_keys.wrapping_id()) {
        return Ok(None);
    }
    let secret = unwrap(row, &record, root_keys).map_err(unreadable)?;
    let (root_key, wrapped) = root_keys.rewrap(&bound_to(row)?, &secret)?;
    Ok(Some(MaterialRecord { wrapped: BASE64.encode(&wrapped), root_key: Some(root_key), ..record }))
}

/// What a wrapped backing key is bound to, so that no blob opens in another's place: the account,
/// region, key and material of its row.
fn bound_to(row: &[u8]) -> Result<Vec<u8>, KmsError> {
    let name = rows::material_name(row).ok_or_else(|| KmsError::internal("a row that holds no key material"))?;
    Ok([WRAPPING.as_bytes(), b"/", name].concat())
}

/// Bytes from the system's generator.
pub(super) fn random(bytes: &mut [u8]) -> Result<(), KmsError> {
    rand::fill(bytes).map_err(|_| KmsError::internal("the system's random generator failed"))
}
