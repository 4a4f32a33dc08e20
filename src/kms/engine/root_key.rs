//! The root key, and how another one takes its place while requests are served.
//!
//! The record `kms/meta` names the root key, and during a rotation the next one as well. What is
//! wrapped is committed only while that record holds, so that nothing is wrapped under a root key
//! that is on its way out, however late it is committed: once a walk over all key material finds
//! nothing left to wrap anew, one commit makes the next root key the only one.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::change::Change;
use super::{ATTEMPTS, Kms, OpenError, material};
use crate::kms::error::KmsError;
use crate::kms::records::{EventRecord, MetaRecord, RootKeyRotation, decode, encode};
use crate::kms::rows;
use crate::seal::{Keyring, RootKey};
use crate::store::{Commit, CommitError, Precondition, Revision, Snapshot, Store, Write};

/// How many wrapped materials are read, and written in one commit, at a time: about 50 KiB.
const BATCH: usize = 128;

/// Which root keys the data needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootKeyIds {
    /// The id of the root key that the data is sealed under.
    pub current: String,
    /// While a rotation is under way: the id of the one that takes its place.
    pub next: Option<String>,
}

/// The ids of the root keys that a store needs, before the engine is opened; none for a new store.
///
/// # Errors
/// Where the store fails, or a newer release wrote it.
pub async fn root_key_ids(store: &dyn Store) -> Result<Option<RootKeyIds>, OpenError> {
    Ok(read_meta(store).await?.map(|(meta, _)| ids_of(&meta)))
}

fn ids_of(meta: &MetaRecord) -> RootKeyIds {
    RootKeyIds { current: meta.root_key_id.clone(), next: meta.rotation.as_ref().map(|rotation| rotation.to.clone()) }
}

async fn read_meta(store: &dyn Store) -> Result<Option<(MetaRecord, Revision)>, OpenError> {
    let Some(found) = store.snapshot().await?.get(rows::META).await? else { return Ok(None) };
    let meta = decode(&found.value).map_err(|what| OpenError::Unreadable(format!("kms/meta: {what}")))?;
    Ok(Some((meta, found.mod_rev)))
}

/// The root keys, and what `kms/meta` says of them.
pub(super) struct RootKeys {
    /// A key that has been replaced stays until the process ends: who read a record before the
    /// end of the rotation still unwraps it after.
    keys: Keyring,
    wrapping: (String, RootKey),
    meta: MetaRecord,
    meta_rev: Revision,
}

impl RootKeys {
    /// The root keys of a store. A new store records the id of the key that is configured.
    ///
    /// # Errors
    /// Where a root key is missing that the data needs.
    pub(super) async fn open(store: &dyn Store, keys: Keyring) -> Result<Self, OpenError> {
        for _ in 0..2 {
            if let Some((meta, meta_rev)) = read_meta(store).await? {
                return Self::new(keys, meta, meta_rev);
            }
            let meta = MetaRecord { root_key_id: keys.first_id().to_owned(), rotation: None };
            let meta = encode(&meta).map_err(|error| OpenError::Unreadable(error.to_string()))?;
            let commit = Commit {
                id: Uuid::new_v4(),
                preconditions: vec![Precondition::Absent(rows::META.to_vec())],
                writes: vec![Write::Put(rows::META.to_vec(), meta)],
            };
            match store.commit(commit).await {
                Ok(_) | Err(CommitError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(OpenError::Unreadable("kms/meta changes while it is read".to_owned()))
    }

    fn new(keys: Keyring, meta: MetaRecord, meta_rev: Revision) -> Result<Self, OpenError> {
        let given = keys.first_id().to_owned();
        let wrapping = match &meta.rotation {
            None => meta.root_key_id.clone(),
            Some(rotation) => rotation.to.clone(),
        };
        match (&meta.rotation, keys.get(&meta.root_key_id).is_some(), keys.get(&wrapping).cloned()) {
            (_, true, Some(key)) => Ok(Self { keys, wrapping: (wrapping, key), meta, meta_rev }),
            (None, ..) => Err(OpenError::WrongRootKey { expected: meta.root_key_id, given }),
            (Some(_), old_is_there, _) => Err(OpenError::RootKeyMissing {
                missing: if old_is_there { wrapping.clone() } else { meta.root_key_id.clone() },
                old: meta.root_key_id,
                new: wrapping,
            }),
        }
    }

    /// The id of the root key that wraps what is new.
    pub(super) fn wrapping_id(&self) -> &str {
        &self.wrapping.0
    }

    pub(super) fn ids(&self) -> RootKeyIds {
        ids_of(&self.meta)
    }

    /// Wraps a secret for a change, which then holds only while the root key does. Answers the
    /// root key's id and the blob.
    pub(super) fn wrap(
        &self,
        bound_to: &[u8],
        secret: &[u8],
        change: &mut Change,
    ) -> Result<(String, Vec<u8>), KmsError> {
        change.hold(rows::META.to_vec(), self.meta_rev);
        self.rewrap(bound_to, secret)
    }

    /// [`RootKeys::wrap`] for a change that holds only while the root key does already, and for what
    /// is not stored.
    pub(super) fn rewrap(&self, bound_to: &[u8], secret: &[u8]) -> Result<(String, Vec<u8>), KmsError> {
        let (id, key) = &self.wrapping;
        let blob = key.wrap(bound_to, secret).map_err(|error| KmsError::internal(error.to_string()))?;
        Ok((id.clone(), blob))
    }

    /// Unwraps a blob of a root key: of the one named, or, where none is, of any. The error says
    /// what is wrong.
    pub(super) fn unwrap(
        &self,
        root_key: Option<&str>,
        bound_to: &[u8],
        blob: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, String> {
        let Some(id) = root_key else {
            let opened = self.keys.iter().find_map(|(_, key)| key.unwrap(bound_to, blob).ok());
            return opened.ok_or_else(|| "it opens under no root key that is at hand".to_owned());
        };
        let key = self.keys.get(id).ok_or_else(|| format!("the root key {id} that wraps it is not at hand"))?;
        key.unwrap(bound_to, blob).map_err(|error| error.to_string())
    }
}

impl Kms {
    /// The root keys that the data needs now.
    #[must_use]
    pub fn root_key_ids(&self) -> RootKeyIds {
        self.root_keys().ids()
    }

    /// Which root keys a snapshot needs, and the one that it is sealed under.
    pub(in crate::kms) async fn root_key_of(&self, snapshot: &dyn Snapshot) -> Result<(RootKeyIds, RootKey), KmsError> {
        let found = snapshot.get(rows::META).await?.ok_or_else(|| KmsError::internal("kms/meta is gone"))?;
        let ids = ids_of(&decode(&found.value).map_err(KmsError::internal)?);
        let key = self.root_keys().keys.get(&ids.current).cloned();
        let key = key.ok_or_else(|| KmsError::internal(format!("the root key {} is not at hand", ids.current)))?;
        Ok((ids, key))
    }

    /// Begins to put another root key in the place of the present one, durably: from now on it
    /// wraps what is new, and both unwrap. One that has begun already with this key is no error.
    ///
    /// # Errors
    /// A key that is the present one, another rotation that is under way, internal failures.
    pub async fn begin_root_key_rotation(&self, new: &RootKey) -> Result<(), KmsError> {
        let to = new.id();
        for _ in 0..ATTEMPTS {
            let present = self.root_keys();
            match &present.meta.rotation {
                Some(rotation) if rotation.to == to => return Ok(()),
                Some(rotation) => {
                    return Err(KmsError::internal(format!(
                        "a rotation to the root key {} is under way: it must end first",
                        rotation.to
                    )));
                }
                None if present.meta.root_key_id == to => {
                    return Err(KmsError::internal(format!("the new root key is the present one ({to})")));
                }
                None => {}
            }
            let begun = self.clock_now();
            let meta = MetaRecord {
                rotation: Some(RootKeyRotation { to: to.clone(), begun: begun.as_millisecond() }),
                ..present.meta.clone()
            };
            let change = present.change(&meta, "BeginRootKeyRotation", begun)?;
            let mut keys = present.keys.clone();
            keys.add(new.clone());
            self.commit_root_keys(change, keys).await?;
        }
        Err(KmsError::conflicting())
    }

    /// Wraps everything anew that is not under the next root key yet, and then makes it the only
    /// one; where no rotation is under way, nothing. `progress` is told how many were wrapped anew
    /// since it was told last. May be stopped and called again at any point.
    ///
    /// # Errors
    /// Internal failures, a wrapped material that opens under none of the two root keys among
    /// them: the rotation is then still under way.
    pub async fn complete_root_key_rotation(&self, progress: &(dyn Fn(u64) + Sync)) -> Result<(), KmsError> {
        for _ in 0..ATTEMPTS {
            if self.root_keys().meta.rotation.is_none() {
                return Ok(());
            }
            // Until a walk finds nothing more: that one proves it of all there is.
            while self.rewrap_all(progress).await? > 0 {}
            let present = self.root_keys();
            let Some(rotation) = &present.meta.rotation else { return Ok(()) };
            let meta = MetaRecord { root_key_id: rotation.to.clone(), rotation: None };
            let change = present.change(&meta, "EndRootKeyRotation", self.clock_now())?;
            self.commit_root_keys(change, present.keys.clone()).await?;
        }
        Err(KmsError::conflicting())
    }

    /// One walk over all key material, a batch at a time. Answers how many were wrapped anew.
    async fn rewrap_all(&self, progress: &(dyn Fn(u64) + Sync)) -> Result<u64, KmsError> {
        let (mut range, mut total) = (rows::all_materials(), 0);
        let mut conflicts = 0;
        loop {
            let root_keys = self.root_keys();
            let page = self.store().snapshot().await?.range(range.clone(), BATCH).await?;
            let Some((last, _)) = page.last() else { return Ok(total) };
            let (mut change, mut rewrapped) = (Change::default(), 0);
            for (row, found) in &page {
                if let Some(record) = material::rewrap(row, &found.value, &root_keys)? {
                    change.hold(row.clone(), found.mod_rev);
                    change.put(row.clone(), &record)?;
                    rewrapped += 1;
                }
            }
            if rewrapped > 0 {
                change.hold(rows::META.to_vec(), root_keys.meta_rev);
                match self.commit(change).await {
                    Ok(()) => {}
                    // A key was deleted meanwhile, most likely: the batch is read again.
                    Err(CommitError::Conflict) if conflicts < ATTEMPTS => {
                        conflicts += 1;
                        continue;
                    }
                    Err(error) => return Err(error.into()),
                }
                total += rewrapped;
                progress(rewrapped);
            }
            conflicts = 0;
            range.start.clone_from(last);
            range.start.push(0);
            // The work of a batch is computation: requests get their turn between two.
            tokio::task::yield_now().await;
        }
    }

    /// Commits a change of `kms/meta`, or finds that another came first; either way the root keys
    /// are then as `kms/meta` says.
    async fn commit_root_keys(&self, change: Change, keys: Keyring) -> Result<(), KmsError> {
        match self.commit(change).await {
            Ok(()) | Err(CommitError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        let read = async {
            let found = read_meta(self.store()).await?;
            let (meta, meta_rev) = found.ok_or_else(|| OpenError::Unreadable("kms/meta is gone".to_owned()))?;
            RootKeys::new(keys, meta, meta_rev)
        };
        let present = read.await.map_err(|error: OpenError| KmsError::internal(error.to_string()))?;
        self.inner.root_keys.store(Arc::new(present));
        Ok(())
    }
}

impl RootKeys {
    /// A change of `kms/meta`, with the event that tells of it.
    fn change(&self, meta: &MetaRecord, event: &str, now: Timestamp) -> Result<Change, KmsError> {
        let mut change = Change::default().unchanged(rows::META.to_vec(), self.meta_rev);
        change.put(rows::META.to_vec(), meta)?;
        let to = meta.rotation.as_ref().map_or(&meta.root_key_id, |rotation| &rotation.to);
        let from = &self.meta.root_key_id;
        let event = EventRecord {
            name: event.to_owned(),
            time: now.as_millisecond(),
            account: None,
            region: None,
            key: None,
            details: json!({"previousRootKeyId": from, "newRootKeyId": to}),
            claim: None,
        };
        change.put(rows::event(event.time, Uuid::new_v4()), &event)?;
        Ok(change)
    }
}
