//! Which revision last wrote each key, in a fixed amount of memory.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use super::Revision;

/// Slots; keys share them by hash, so a stamp may be newer than its key's last write, never older.
/// 65,536 slots of 8 bytes: 512 KiB for each store.
const SLOTS: usize = 1 << 16;

/// For each key, a revision that is at least that of the last acknowledged commit that wrote it.
/// See [`Store::stamps`](super::Store::stamps).
pub struct ChangeStamps {
    slots: Box<[AtomicU64]>,
    hasher: RandomState,
}

impl ChangeStamps {
    /// No key was written later than a revision.
    pub(super) fn new(head: Revision) -> Self {
        ChangeStamps { slots: (0..SLOTS).map(|_| AtomicU64::new(head)).collect(), hasher: RandomState::new() }
    }

    /// The hash by which keys share slots; keyed at random, stable for the life of the store.
    pub(super) fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key)
    }

    /// The stamp of the key with a hash.
    pub(super) fn of_hash(&self, hash: u64) -> Revision {
        self.slots[slot(hash)].load(Ordering::Acquire)
    }

    /// The stamp of a key.
    pub fn of(&self, key: &[u8]) -> Revision {
        self.of_hash(self.hash(key))
    }

    /// A commit wrote a key. Stamps only rise.
    pub fn raise(&self, key: &[u8], revision: Revision) {
        self.slots[slot(self.hash(key))].fetch_max(revision, Ordering::Release);
    }

    /// Anything may have been written: every key is to be read anew from this revision on.
    pub fn raise_all(&self, revision: Revision) {
        for slot in &self.slots {
            slot.fetch_max(revision, Ordering::Release);
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low bits choose the slot")]
fn slot(hash: u64) -> usize {
    hash as usize & (SLOTS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_rises_and_never_falls() {
        let stamps = ChangeStamps::new(3);
        assert_eq!(stamps.of(b"a"), 3);
        stamps.raise(b"a", 7);
        stamps.raise(b"a", 5);
        assert_eq!(stamps.of(b"a"), 7);
        stamps.raise_all(6);
        assert_eq!((stamps.of(b"a"), stamps.of(b"b")), (7, 6));
    }
}
