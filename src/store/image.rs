//! A cache of decoded records above any store: never stale for a write that was acknowledged.
//!
//! An entry holds the revision R of the snapshot that it was read in, and is served only while the
//! stamp of its key ([`Store::stamps`]) is not above R. A commit stamps its keys before it is
//! acknowledged, so a look-up that begins after the acknowledgement finds the entry outdated and
//! reads anew. Nothing is ever invalidated by hand.
//!
//! Where others write to the store too, the stamps follow their commits at a distance, and nothing is
//! served from memory while that distance is not known to be small ([`Freshness`]).
//!
//! In front of the bounded cache stands a table with two places for each hash, which costs a
//! fraction of the cache's own look-up. Both hold the same records, so a place is a pointer.

use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use moka::sync::Cache;

use super::stamps::same_history;
use super::{ChangeStamps, Freshness, Revision, Stamp, Store, StoreError, Versioned};

/// What the front may hold, as a part of the capacity: a quarter.
const FRONT_SHARE: usize = 4;
/// The size of record that the number of the front's places is chosen for, in bytes.
const FRONT_RECORD_BYTES: usize = 2 << 10;
/// At most so many places: 512 KiB of pointers.
const FRONT_PLACES: usize = 1 << 16;
/// What an entry costs beside its key and its value, in bytes.
const ENTRY_BYTES: usize = 256;

/// A decoded record.
#[derive(Debug)]
pub struct Record<T> {
    /// What its value decodes to.
    pub value: T,
    /// The commit that wrote it: what a commit that depends on it names as a precondition.
    pub mod_rev: Revision,
}

/// How an image holds its records.
pub struct ImageSettings<T> {
    /// What all entries may take together, in bytes.
    pub capacity_bytes: usize,
    /// Decodes the value of a key. An error's text says what is wrong; it must quote no secret.
    pub decode: fn(key: &[u8], value: &[u8]) -> Result<T, String>,
    /// About how many bytes of memory a decoded value takes, itself included.
    pub weigh: fn(&T) -> usize,
}

/// Decoded records of a store, including the knowledge that there is none.
pub struct Image<T> {
    store: Arc<dyn Store>,
    stamps: Arc<ChangeStamps>,
    freshness: Option<Arc<Freshness>>,
    settings: ImageSettings<T>,
    front: Box<[ArcSwapOption<Entry<T>>]>,
    /// Heavier entries are not kept in front, so that the front's share is kept to.
    front_weight: usize,
    cache: Cache<u64, Arc<Entry<T>>, BuildHasherDefault<Hashed>>,
}

/// What is known of a key.
struct Entry<T> {
    key: Box<[u8]>,
    /// The stamp of the snapshot that it was read in.
    as_of: Stamp,
    record: Option<Arc<Record<T>>>,
    weight: usize,
}

impl<T: Send + Sync + 'static> Image<T> {
    /// An empty image of a store.
    pub fn new(store: Arc<dyn Store>, settings: ImageSettings<T>) -> Self {
        let share = settings.capacity_bytes / FRONT_SHARE;
        let places = (share / FRONT_RECORD_BYTES).next_power_of_two().clamp(64, FRONT_PLACES);
        let cache = Cache::builder()
            .max_capacity((settings.capacity_bytes - share) as u64)
            .weigher(|_, entry: &Arc<Entry<T>>| u32::try_from(entry.weight).unwrap_or(u32::MAX))
            .build_with_hasher(BuildHasherDefault::default());
        Image {
            stamps: store.stamps(),
            freshness: store.freshness(),
            store,
            front: (0..places).map(|_| ArcSwapOption::empty()).collect(),
            front_weight: share / places,
            settings,
            cache,
        }
    }

    /// A key's record, from memory or from the store; none if there is no such key. Reflects every
    /// commit that was acknowledged before the call.
    pub async fn get(&self, key: &[u8]) -> Result<Option<Arc<Record<T>>>, StoreError> {
        if let Some(known) = self.peek(key) {
            return Ok(known);
        }
        let (as_of, found) = self.store.read(key).await?;
        self.remember(key, as_of, found)
    }

    /// A key's record as memory has it: at once, and without allocating. None if memory does not
    /// know, or knows that there is no such key ([`peek`](Image::peek) tells these apart).
    pub fn try_get_fresh(&self, key: &[u8]) -> Option<Arc<Record<T>>> {
        self.peek(key).flatten()
    }

    /// What memory knows of a key: nothing; that there is no such key; or its record.
    pub fn peek(&self, key: &[u8]) -> Option<Option<Arc<Record<T>>>> {
        if self.freshness.as_ref().is_some_and(|freshness| !freshness.holds()) {
            return None;
        }
        let hash = self.stamps.hash(key);
        let stamp = self.stamps.of_hash(hash);
        for place in self.places(hash) {
            if let Some(entry) = &*place.load()
                && *entry.key == *key
                && stamp <= entry.as_of
            {
                return Some(entry.record.clone());
            }
        }
        let entry = self.cache.get(&hash)?;
        if *entry.key != *key || stamp > entry.as_of {
            return None;
        }
        let record = entry.record.clone();
        self.put_in_front(hash, &entry);
        Some(record)
    }

    /// Remembers what was read of a key. An entry that another reader puts in its place meanwhile may
    /// be older or newer; each bears the stamp by which it is judged.
    fn remember(
        &self,
        key: &[u8],
        as_of: Stamp,
        found: Option<Versioned>,
    ) -> Result<Option<Arc<Record<T>>>, StoreError> {
        let hash = self.stamps.hash(key);
        let known = self.cache.get(&hash).filter(|entry| *entry.key == *key && same_history(entry.as_of, as_of));
        let record = match found {
            None => None,
            Some(found) => match known.and_then(|entry| entry.record.clone()) {
                // Another key's write raised the stamp: what was decoded still holds.
                Some(record) if record.mod_rev == found.mod_rev => Some(record),
                _ => Some(Arc::new(Record {
                    value: (self.settings.decode)(key, &found.value)
                        .map_err(|detail| StoreError::Malformed(format!("{}: {detail}", key.escape_ascii())))?,
                    mod_rev: found.mod_rev,
                })),
            },
        };
        let value_weight = record.as_ref().map_or(0, |record| (self.settings.weigh)(&record.value));
        let weight = ENTRY_BYTES + key.len() + value_weight;
        let entry = Entry { key: key.into(), as_of, record: record.clone(), weight };
        let entry = Arc::new(entry);
        self.put_in_front(hash, &entry);
        self.cache.insert(hash, entry);
        Ok(record)
    }

    /// Puts an entry that is light enough in front: in the place that has its key, an empty one, or
    /// the second.
    fn put_in_front(&self, hash: u64, entry: &Arc<Entry<T>>) {
        if entry.weight > self.front_weight {
            return;
        }
        let [first, second] = self.places(hash);
        let takes = |place: &ArcSwapOption<Entry<T>>| place.load().as_ref().is_none_or(|held| held.key == entry.key);
        let place = if takes(first) { first } else { second };
        place.store(Some(Arc::clone(entry)));
    }

    /// The two places of a hash in front: by its high bits, for the low ones choose the stamp.
    fn places(&self, hash: u64) -> [&ArcSwapOption<Entry<T>>; 2] {
        let first = (hash >> 32) as usize & (self.front.len() - 1);
        [&self.front[first], &self.front[first ^ 1]]
    }
}

impl<T> fmt::Debug for Image<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Image").field("places", &self.front.len()).finish_non_exhaustive()
    }
}

/// Passes on what is a hash already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
