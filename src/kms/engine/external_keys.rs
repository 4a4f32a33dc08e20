//! Keys in external key stores: made of an external key that exists, and used through its proxy. No
//! commit waits for a proxy, and nothing is committed while one is waited for.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::change::Change;
use super::material::missing;
use super::{Kms, astray};
use crate::kms::ciphertext::{Ciphertext, external_header};
use crate::kms::custom_key_stores::{CustomKeyStoreName, CustomKeyStoreRecord, InCustomKeyStore};
use crate::kms::error::{KmsError, texts};
use crate::kms::external_ciphertext::{Bound, assemble, take_apart};
use crate::kms::key_id::KeyId;
use crate::kms::name::KeyName;
use crate::kms::operation::EncryptionContext;
use crate::kms::records::KeyView;
use crate::kms::resolve::{Key, Resolved};
use crate::kms::rows;
use crate::kms::xks::{Failure, Metadata, Proxy};
use crate::store::Record;

impl Kms {
    /// The custom key store that a key is in. Where it is gone, so is the key, since its record was read.
    pub(super) async fn store_of(&self, view: &KeyView) -> Result<Option<Arc<Record<CustomKeyStoreRecord>>>, KmsError> {
        let Some(place) = &view.record.custom_key_store else { return Ok(None) };
        let name = CustomKeyStoreName::read(&place.store, view.name.account, &view.name.region)?;
        let store = self.inner.custom_key_stores.get(&rows::custom_key_store(&name)).await?;
        store.map(Some).ok_or_else(KmsError::conflicting)
    }

    /// Asks the proxy for the external key that a new key is to have.
    ///
    /// # Errors
    /// A store that is not there or not connected, an external key that another key has, and what
    /// the proxy says of it.
    pub(super) async fn external_key(
        &self,
        resolved: &Resolved,
        place: &InCustomKeyStore,
    ) -> Result<Arc<Record<CustomKeyStoreRecord>>, KmsError> {
        let scene = &resolved.scene;
        let name = CustomKeyStoreName::read(&place.store, scene.account, &scene.region)?;
        let store = self.custom_key_store(&name).await?;
        if !store.value.is_connected() {
            return Err(not_connected());
        }
        self.refuse_taken(&name, &place.xks_key).await?;
        let proxy = self.proxy(&name, store.value.place(), &scene.region).await?;
        let metadata = Metadata {
            aws_principal_arn: Some(scene.principal.as_str()),
            kms_key_arn: None,
            kms_operation: resolved.operation.name(),
            kms_request_id: resolved.operation.request_id,
        };
        proxy.key_metadata(&place.xks_key, &metadata).await.map_err(Failure::of_new_key)?;
        Ok(store)
    }

    /// Puts a new key into its store, in the change that makes it, which holds only while the store is
    /// as it was when its proxy was asked.
    pub(super) async fn place_outside(
        &self,
        key: &KeyName,
        place: &InCustomKeyStore,
        store: &Record<CustomKeyStoreRecord>,
        change: &mut Change,
    ) -> Result<(), KmsError> {
        let name = CustomKeyStoreName::read(&place.store, key.account, &key.region)?;
        self.refuse_taken(&name, &place.xks_key).await?;
        let row = rows::custom_key_store(&name);
        if self.inner.custom_key_stores.get(&row).await?.map(|now| now.mod_rev) != Some(store.mod_rev) {
            return Err(KmsError::conflicting());
        }
        change.hold(row, store.mod_rev);
        let row = rows::external_key(&name, &place.xks_key);
        *change = std::mem::take(change).absent(row.clone());
        change.put::<KeyId>(row, &key.id)
    }

    async fn refuse_taken(&self, name: &CustomKeyStoreName, xks_key: &str) -> Result<(), KmsError> {
        let row = rows::external_key(name, xks_key);
        if self.store().snapshot().await?.get(&row).await?.is_none() {
            return Ok(());
        }
        Err(KmsError::new(
            "XksKeyAlreadyInUseException",
            format!(
                "The external key {xks_key} is already associated with another KMS key in this external key store."
            ),
        ))
    }

    /// Encrypts under the key's own material, and what comes of it by the proxy.
    pub(super) async fn seal_outside(
        &self,
        resolved: &Resolved,
        key: &Key,
        place: &InCustomKeyStore,
        plaintext: &[u8],
        context: &EncryptionContext,
    ) -> Result<Vec<u8>, KmsError> {
        let view = key.view();
        let backing = self.backing(key, view.material).await?.ok_or_else(|| missing(key))?;
        let header = external_header(view.name.account, view.name.id, &view.material);
        let bound = Bound::to(&header, context);
        let inner = bound.seal(&backing, plaintext)?;
        let proxy = self.proxy_of(key).await?;
        let sealed = proxy.encrypt(&place.xks_key, &metadata(resolved, key), &bound.for_proxy(), &inner).await;
        assemble(header, &sealed.map_err(Failure::of_use)?)
    }

    /// Decrypts by the proxy, and what comes of it under the key's own material.
    pub(super) async fn open_outside(
        &self,
        resolved: &Resolved,
        key: &Key,
        place: &InCustomKeyStore,
        ciphertext: &Ciphertext<'_>,
        context: &EncryptionContext,
    ) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        let encrypted = take_apart(ciphertext)?;
        let backing = self.backing(key, ciphertext.material).await?.ok_or_else(texts::invalid_ciphertext)?;
        let bound = Bound::to(ciphertext.parts().0, context);
        let proxy = self.proxy_of(key).await?;
        let inner = proxy.decrypt(&place.xks_key, &metadata(resolved, key), &bound.for_proxy(), &encrypted).await;
        inner.and_then(|inner| bound.open(&backing, &inner)).map_err(Failure::of_use)
    }

    async fn proxy_of<'a>(&self, key: &'a Key) -> Result<Proxy<'a>, KmsError> {
        let view = key.view();
        let (Some(store), Some(place)) = (&key.store, &view.record.custom_key_store) else {
            return Err(astray());
        };
        let name = CustomKeyStoreName::read(&place.store, view.name.account, &view.name.region)?;
        self.proxy(&name, store.value.place(), &view.name.region).await
    }
}

/// What a proxy is told of the use of a key.
fn metadata<'a>(resolved: &'a Resolved, key: &'a Key) -> Metadata<'a> {
    Metadata {
        aws_principal_arn: Some(resolved.scene.principal.as_str()),
        kms_key_arn: Some(key.arn().as_str()),
        kms_operation: resolved.operation.name(),
        kms_request_id: resolved.operation.request_id,
    }
}

/// What keys in custom key stores are not for: they neither rotate nor encrypt private keys.
pub(super) fn refuse_custom_key_store(key: &Key) -> Result<(), KmsError> {
    let record = &key.view().record;
    match record.custom_key_store {
        Some(_) => Err(texts::wrong_origin(key.arn().as_str(), record.origin.name())),
        None => Ok(()),
    }
}

fn not_connected() -> KmsError {
    KmsError::new(
        "CustomKeyStoreInvalidStateException",
        "The custom key store is not connected to its external key store proxy. Connect the external key store and try the request again.",
    )
}
