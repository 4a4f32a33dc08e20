//! Custom key stores: external key stores over a public endpoint (KMS Developer Guide, "External key
//! stores"). A proxy is asked before a change is made, and never while one is.

use std::sync::Arc;

use serde_json::{Value, json};

use super::change::Change;
use super::material::random;
use super::page::{LONG, Window};
use super::{ATTEMPTS, Kms, astray, seconds};
use crate::aws::{AccountId, Region};
use crate::kms::Answer;
use crate::kms::api::Kind;
use crate::kms::custom_key_stores::{
    Connection, CustomKeyStoreCount, CustomKeyStoreName, CustomKeyStoreRecord, not_found,
};
use crate::kms::error::{KmsError, texts};
use crate::kms::operation::{CreateCustomKeyStore, CustomKeyStoreRequest, Page, UpdateCustomKeyStore};
use crate::kms::records::decode;
use crate::kms::resolve::{Resolved, Scene};
use crate::kms::rows;
use crate::kms::wire::ObjectText;
use crate::kms::xks::{Credential, Failure, Metadata, Place, Proxy};
use crate::store::{CommitError, Record};

impl Kms {
    pub(super) async fn on_custom_key_store(
        &self,
        resolved: &Resolved,
        request: &CustomKeyStoreRequest,
        now: i64,
    ) -> Result<Answer, KmsError> {
        match request {
            CustomKeyStoreRequest::Create(create) => self.create_custom_key_store(resolved, create, now).await,
            CustomKeyStoreRequest::Update(update) => self.update_custom_key_store(resolved, update, now).await,
            CustomKeyStoreRequest::Describe { id, name, page } => {
                self.describe_custom_key_stores(&resolved.scene, id.as_deref(), name.as_deref(), page).await
            }
            CustomKeyStoreRequest::One { id } => {
                let name = CustomKeyStoreName::read(id, resolved.scene.account, &resolved.scene.region)?;
                let store = self.custom_key_store(&name).await?;
                match resolved.operation.kind {
                    Kind::ConnectCustomKeyStore => self.connect_custom_key_store(resolved, &name, &store).await,
                    Kind::DisconnectCustomKeyStore => self.disconnect_custom_key_store(&name, &store).await,
                    Kind::DeleteCustomKeyStore => self.delete_custom_key_store(&name, &store).await,
                    _ => Err(astray()),
                }
            }
        }
    }

    /// A store.
    ///
    /// # Errors
    /// `CustomKeyStoreNotFoundException`.
    pub(super) async fn custom_key_store(
        &self,
        name: &CustomKeyStoreName,
    ) -> Result<Arc<Record<CustomKeyStoreRecord>>, KmsError> {
        let store = self.inner.custom_key_stores.get(&rows::custom_key_store(name)).await?;
        store.ok_or_else(|| not_found(&name.id))
    }

    /// The proxy of a store, at a place, with the store's credential.
    pub(super) async fn proxy<'a>(
        &self,
        name: &CustomKeyStoreName,
        place: Place,
        region: &'a Region,
    ) -> Result<Proxy<'a>, KmsError> {
        let secret = self.unwrapped_at(&rows::proxy_credential(name)).await?;
        let credential = secret.and_then(|secret| Credential::of_secret(&secret));
        let credential =
            credential.ok_or_else(|| KmsError::internal(format!("the credential of {} does not read", name.id)))?;
        Ok(self.proxy_with(place, credential, region))
    }

    fn proxy_with<'a>(&self, place: Place, credential: Credential, region: &'a Region) -> Proxy<'a> {
        let transport = Arc::clone(&**self.inner.xks_transport.load());
        Proxy { transport, place, credential, region, now: self.inner.clock.base_now() }
    }

    /// The store begins disconnected.
    async fn create_custom_key_store(
        &self,
        resolved: &Resolved,
        create: &CreateCustomKeyStore,
        now: i64,
    ) -> Result<Answer, KmsError> {
        let Scene { account, region, .. } = &resolved.scene;
        let mut digits = [0u8; 9];
        random(&mut digits)?;
        let name = CustomKeyStoreName::random(digits, *account, region);
        let credential = &create.credential;
        let record = CustomKeyStoreRecord {
            created: now,
            name: create.name.clone(),
            endpoint: create.endpoint.clone(),
            path: create.path.clone(),
            access_key_id: credential.access_key_id.clone(),
            connection: Connection::Disconnected,
        };
        // What would be refused anyway is refused before anybody is called.
        self.room_for(&name, &record).await?;
        let proxy = self.proxy_with(record.place(), credential.clone(), region);
        proxy.health(&of_health(resolved)).await.map_err(Failure::of_store)?;
        for _ in 0..ATTEMPTS {
            let mut change = self.room_for(&name, &record).await?.absent(rows::custom_key_store(&name));
            change.put(rows::custom_key_store(&name), &record)?;
            change.put(rows::custom_key_store_named(*account, region, &record.name), &name.id)?;
            change.put(rows::custom_key_store_at(*account, region, &record.place()), &name.id)?;
            self.put_wrapped(rows::proxy_credential(&name), &credential.to_secret(), now, &mut change)?;
            match self.commit(change).await {
                Ok(()) => {
                    let mut answer = Answer::of(ObjectText::new().text("CustomKeyStoreId", &name.id).finish());
                    answer.response_elements = json!({"customKeyStoreId": name.id});
                    return Ok(answer);
                }
                // Another store of the account was made or went: look again.
                Err(CommitError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(KmsError::conflicting())
    }

    /// A change that counts one store more, and that holds only while its name and its proxy are
    /// nobody else's.
    async fn room_for(&self, name: &CustomKeyStoreName, record: &CustomKeyStoreRecord) -> Result<Change, KmsError> {
        let (count, mod_rev) = self.count_of_stores(name.account, &name.region).await?;
        let most = self.enforced().quotas.custom_key_stores;
        if count.stores >= most {
            return Err(texts::limit(format!(
                "The account has reached its limit of {most} custom key stores in this Region."
            )));
        }
        let row = rows::custom_key_store_count(name.account, &name.region);
        let mut change = Change::default().while_read_as(row.clone(), mod_rev);
        change.put(row, &CustomKeyStoreCount { stores: count.stores + 1 })?;
        let change = self.claim_name(name, &record.name, change).await?;
        self.claim_place(name, &record.place(), change).await
    }

    async fn count_of_stores(
        &self,
        account: AccountId,
        region: &Region,
    ) -> Result<(CustomKeyStoreCount, Option<u64>), KmsError> {
        let row = rows::custom_key_store_count(account, region);
        let found = self.store().snapshot().await?.get(&row).await?;
        let Some(found) = found else { return Ok((CustomKeyStoreCount::default(), None)) };
        Ok((decode(&found.value).map_err(KmsError::internal)?, Some(found.mod_rev)))
    }

    /// The change, if the name is free, and only while it is.
    async fn claim_name(&self, store: &CustomKeyStoreName, name: &str, change: Change) -> Result<Change, KmsError> {
        let row = rows::custom_key_store_named(store.account, &store.region, name);
        if self.store().snapshot().await?.get(&row).await?.is_some() {
            return Err(KmsError::new(
                "CustomKeyStoreNameInUseException",
                format!("The custom key store name {name} is already in use."),
            ));
        }
        Ok(change.absent(row))
    }

    /// The change, if no other store has the proxy, and only while none has.
    async fn claim_place(&self, store: &CustomKeyStoreName, place: &Place, change: Change) -> Result<Change, KmsError> {
        let row = rows::custom_key_store_at(store.account, &store.region, place);
        if self.store().snapshot().await?.get(&row).await?.is_some() {
            return Err(KmsError::new(
                "XksProxyUriInUseException",
                "The XksProxyUriEndpoint and XksProxyUriPath are already associated with another external key store in this account and Region.",
            ));
        }
        Ok(change.absent(row))
    }

    /// A name, a path or a credential is replaced while the store is connected too, an endpoint only
    /// while it is not; the proxy is asked with the new values before (KMS API Reference,
    /// "UpdateCustomKeyStore").
    async fn update_custom_key_store(
        &self,
        resolved: &Resolved,
        update: &UpdateCustomKeyStore,
        now: i64,
    ) -> Result<Answer, KmsError> {
        let Scene { account, region, .. } = &resolved.scene;
        let name = CustomKeyStoreName::read(&update.id, *account, region)?;
        let store = self.custom_key_store(&name).await?;
        let present = &store.value;
        let record = CustomKeyStoreRecord {
            name: update.name.clone().unwrap_or_else(|| present.name.clone()),
            endpoint: update.endpoint.clone().unwrap_or_else(|| present.endpoint.clone()),
            path: update.path.clone().unwrap_or_else(|| present.path.clone()),
            access_key_id: update
                .credential
                .as_ref()
                .map_or_else(|| present.access_key_id.clone(), |credential| credential.access_key_id.clone()),
            ..present.clone()
        };
        let moves = record.endpoint != present.endpoint;
        if matches!(present.connection, Connection::Failed(_)) || (moves && present.is_connected()) {
            return Err(in_state(&name, present));
        }
        let mut change = Change::default().unchanged(rows::custom_key_store(&name), store.mod_rev);
        if record.name != present.name {
            change = self.claim_name(&name, &record.name, change).await?;
            change.delete(rows::custom_key_store_named(*account, region, &present.name));
            change.put(rows::custom_key_store_named(*account, region, &record.name), &name.id)?;
        }
        if record.place() != present.place() {
            change = self.claim_place(&name, &record.place(), change).await?;
            change.delete(rows::custom_key_store_at(*account, region, &present.place()));
            change.put(rows::custom_key_store_at(*account, region, &record.place()), &name.id)?;
        }
        if update.endpoint.is_some() || update.path.is_some() || update.credential.is_some() {
            let proxy = match &update.credential {
                Some(credential) => self.proxy_with(record.place(), credential.clone(), region),
                None => self.proxy(&name, record.place(), region).await?,
            };
            proxy.health(&of_health(resolved)).await.map_err(Failure::of_store)?;
        }
        if let Some(credential) = &update.credential {
            self.put_wrapped(rows::proxy_credential(&name), &credential.to_secret(), now, &mut change)?;
        }
        change.put(rows::custom_key_store(&name), &record)?;
        self.commit(change).await?;
        Ok(done())
    }

    /// Done when it answers: the store is then connected, or says why it is not (AWS answers at once
    /// and connects meanwhile).
    async fn connect_custom_key_store(
        &self,
        resolved: &Resolved,
        name: &CustomKeyStoreName,
        store: &Record<CustomKeyStoreRecord>,
    ) -> Result<Answer, KmsError> {
        if matches!(store.value.connection, Connection::Failed(_)) {
            return Err(in_state(name, &store.value));
        }
        let proxy = self.proxy(name, store.value.place(), &name.region).await?;
        let connection = match proxy.health(&of_health(resolved)).await {
            Ok(()) => Connection::Connected,
            // A moment's failure takes no key away that can be used the moment after.
            Err(_) if store.value.connection == Connection::Connected => return Ok(done()),
            Err(failure) => Connection::Failed(failure.of_connection()),
        };
        self.set_connection(name, store, connection).await
    }

    async fn disconnect_custom_key_store(
        &self,
        name: &CustomKeyStoreName,
        store: &Record<CustomKeyStoreRecord>,
    ) -> Result<Answer, KmsError> {
        if store.value.connection == Connection::Disconnected {
            return Err(in_state(name, &store.value));
        }
        self.set_connection(name, store, Connection::Disconnected).await
    }

    async fn set_connection(
        &self,
        name: &CustomKeyStoreName,
        store: &Record<CustomKeyStoreRecord>,
        connection: Connection,
    ) -> Result<Answer, KmsError> {
        let mut change = Change::default().unchanged(rows::custom_key_store(name), store.mod_rev);
        change.put(rows::custom_key_store(name), &CustomKeyStoreRecord { connection, ..store.value.clone() })?;
        self.commit(change).await?;
        Ok(done())
    }

    /// Only of a store without keys, those included that are to be deleted.
    async fn delete_custom_key_store(
        &self,
        name: &CustomKeyStoreName,
        store: &Record<CustomKeyStoreRecord>,
    ) -> Result<Answer, KmsError> {
        let keys = rows::under(&rows::external_keys(name));
        if !self.store().snapshot().await?.range(keys.clone(), 1).await?.is_empty() {
            return Err(KmsError::new(
                "CustomKeyStoreHasCMKsException",
                format!("The custom key store {} contains KMS keys.", name.id),
            ));
        }
        if store.value.connection != Connection::Disconnected {
            return Err(in_state(name, &store.value));
        }
        let (count, mod_rev) = self.count_of_stores(name.account, &name.region).await?;
        let row = rows::custom_key_store_count(name.account, &name.region);
        // A key that is made meanwhile holds the store's record, which goes here.
        let mut change = Change::default()
            .unchanged(rows::custom_key_store(name), store.mod_rev)
            .empty(keys)
            .while_read_as(row.clone(), mod_rev);
        change.put(row, &CustomKeyStoreCount { stores: count.stores.saturating_sub(1) })?;
        change.delete(rows::custom_key_store_named(name.account, &name.region, &store.value.name));
        change.delete(rows::custom_key_store_at(name.account, &name.region, &store.value.place()));
        change.delete(rows::proxy_credential(name));
        change.delete(rows::custom_key_store(name));
        self.commit(change).await?;
        Ok(done())
    }

    /// Of one store, by its id or its name, or of all, in the order of their ids.
    async fn describe_custom_key_stores(
        &self,
        scene: &Scene,
        id: Option<&str>,
        name: Option<&str>,
        page: &Page,
    ) -> Result<Answer, KmsError> {
        let window = Window::read(Kind::DescribeCustomKeyStores, page, &LONG)?;
        let by_name = match name {
            Some(name) => Some(self.id_of_store(scene, name).await?),
            None => None,
        };
        let mut stores = Vec::new();
        if let Some(id) = id.or(by_name.as_deref()) {
            let name = CustomKeyStoreName::read(id, scene.account, &scene.region)?;
            let store = self.custom_key_store(&name).await?;
            stores.push((name.id, store.value.clone()));
        } else {
            let prefix = rows::custom_key_stores(scene.account, &scene.region);
            let range = match window.after_text()? {
                Some(last) => rows::under_after(&prefix, last.as_bytes()),
                None => rows::under(&prefix),
            };
            for (row, found) in self.store().snapshot().await?.range(range, window.limit + 1).await? {
                let id = String::from_utf8_lossy(&row[prefix.len()..]).into_owned();
                stores.push((id, decode(&found.value).map_err(KmsError::internal)?));
            }
        }
        let body = window.answer(
            "CustomKeyStores",
            stores,
            |(id, _)| id.clone().into_bytes(),
            |(id, record)| shown(id, record),
        );
        Ok(Answer::of(body))
    }

    async fn id_of_store(&self, scene: &Scene, name: &str) -> Result<String, KmsError> {
        let row = rows::custom_key_store_named(scene.account, &scene.region, name);
        let found = self.store().snapshot().await?.get(&row).await?.ok_or_else(|| not_found(name))?;
        decode(&found.value).map_err(KmsError::internal)
    }

    /// Random bytes of a key store are CloudHSM's alone (KMS API Reference, "GenerateRandom").
    pub(super) async fn refuse_random_of(&self, scene: &Scene, id: &str) -> Result<Answer, KmsError> {
        let name = CustomKeyStoreName::read(id, scene.account, &scene.region)?;
        self.custom_key_store(&name).await?;
        Err(texts::unsupported(format!("The custom key store {id} is an external key store, which generates nothing.")))
    }
}

/// Never with any part of the credential but the id of its access key.
fn shown(id: &str, record: &CustomKeyStoreRecord) -> Value {
    let mut shown = json!({
        "CustomKeyStoreId": id,
        "CustomKeyStoreName": record.name,
        "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
        "ConnectionState": record.connection.name(),
        "CreationDate": seconds(record.created),
        "XksProxyConfiguration": {
            "Connectivity": "PUBLIC_ENDPOINT",
            "AccessKeyId": record.access_key_id,
            "UriEndpoint": record.endpoint,
            "UriPath": record.path,
        },
    });
    if let Connection::Failed(code) = record.connection {
        shown["ConnectionErrorCode"] = json!(code);
    }
    shown
}

/// What a proxy is told of a health check.
fn of_health(resolved: &Resolved) -> Metadata<'_> {
    Metadata {
        aws_principal_arn: None,
        kms_key_arn: None,
        kms_operation: resolved.operation.name(),
        kms_request_id: resolved.operation.request_id,
    }
}

fn in_state(name: &CustomKeyStoreName, record: &CustomKeyStoreRecord) -> KmsError {
    KmsError::new(
        "CustomKeyStoreInvalidStateException",
        format!(
            "The operation is not valid in the connection state {} of the custom key store {}.",
            record.connection.name(),
            name.id
        ),
    )
}

/// An object without members, as AWS answers here.
fn done() -> Answer {
    Answer::of(ObjectText::new().finish())
}
