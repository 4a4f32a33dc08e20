//! The slices of documents for one action, made once, and names for sets of documents.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, PoisonError, RwLock};

use sha2::{Digest, Sha256};

use super::AttachedDocument;
use crate::aws::{ActionName, Arn, ConditionKey};
use crate::cedar::{Clockwork, Slice, TimeKey};

/// What is made of documents once for each action.
#[derive(Debug)]
pub(super) struct PerAction<T>(RwLock<HashMap<Box<str>, Arc<T>, BuildHasherDefault<NameHasher>>>);

/// Hashes the name of an action, eight bytes at a time. Names that collide on purpose gain little:
/// no map holds more than [`PerAction::MAX`] of them.
#[derive(Clone, Copy, Debug, Default)]
struct NameHasher(u64);

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = (self.0.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
    }

    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }
}

impl<T> Default for PerAction<T> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<T> PerAction<T> {
    /// Most actions that are kept; more are made anew for each decision.
    const MAX: usize = 1024;

    pub(super) fn get(&self, action: &ActionName, make: impl FnOnce() -> T) -> Arc<T> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).get(action.as_str()).cloned();
        known.unwrap_or_else(|| {
            let new = Arc::new(make());
            let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
            if all.len() < Self::MAX {
                all.insert(action.as_str().into(), Arc::clone(&new));
            }
            new
        })
    }
}

/// What of a request some slices can read, together.
#[derive(Debug, Default)]
pub(super) struct Reads {
    pub(super) keys: Box<[ConditionKey]>,
    pub(super) clockwork: Box<[Clockwork]>,
}

impl Reads {
    pub(super) fn of<'a>(slices: impl Iterator<Item = &'a Arc<Slice>>) -> Self {
        let mut keys = BTreeSet::new();
        let mut clockwork: BTreeMap<TimeKey, Clockwork> = BTreeMap::new();
        for slice in slices {
            let projection = slice.projection();
            keys.extend(projection.keys.iter().cloned());
            for more in &projection.clockwork {
                clockwork.entry(more.key).and_modify(|known| known.merge(more)).or_insert_with(|| more.clone());
            }
        }
        Self { keys: keys.into_iter().collect(), clockwork: clockwork.into_values().collect() }
    }
}

/// Names documents with their order and layers, in 128 bits of SHA-256.
pub(super) struct Fingerprint(Sha256);

impl Fingerprint {
    pub(super) fn new() -> Self {
        Self(Sha256::new())
    }

    fn text(&mut self, text: &str) {
        self.0.update(text.len().to_le_bytes());
        self.0.update(text);
    }

    /// One layer, or one level of it; none is another thing than one without documents.
    pub(super) fn layer<'a>(
        &mut self,
        name: &str,
        documents: Option<impl ExactSizeIterator<Item = &'a AttachedDocument>>,
    ) {
        self.text(name);
        let Some(documents) = documents else { return self.text("none") };
        self.text(&documents.len().to_string());
        for attached in documents {
            self.text(attached.document.kind().name());
            self.text(&data_encoding::HEXLOWER.encode(&attached.document.hash()));
            self.text(attached.arn.as_ref().map_or("", Arn::as_str));
            let source = attached.source.as_ref();
            self.text(source.map_or("", |source| &*source.file));
            self.text(&source.and_then(|source| source.first_line).unwrap_or_default().to_string());
        }
    }

    pub(super) fn finish(self) -> [u8; 16] {
        let digest: [u8; 32] = self.0.finalize().into();
        let mut short = [0; 16];
        short.copy_from_slice(&digest[..16]);
        short
    }
}
