//! Which revision last wrote each key, in a fixed amount of memory.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Revision, Stamp};

/// Slots; keys share them by hash, so a stamp may be newer than its key's last write, never older.
/// 65,536 slots of 8 bytes: 512 KiB for each store.
const SLOTS: usize = 1 << 16;

/// Bits of a stamp that are a revision; those above number the history.
const REVISION_BITS: u32 = 44;
/// The last number that a history can have.
pub(super) const LAST_HISTORY: u32 = (1 << (u64::BITS - REVISION_BITS)) - 1;

/// The stamp of a revision in the history with a number.
pub(super) fn stamp(history: u32, revision: Revision) -> Stamp {
    u64::from(history) << REVISION_BITS | (revision & ((1 << REVISION_BITS) - 1))
}

/// Whether two stamps are of one history.
pub(super) fn same_history(one: Stamp, other: Stamp) -> bool {
    one >> REVISION_BITS == other >> REVISION_BITS
}

/// For each key, a stamp that is at least that of the last acknowledged commit that wrote it.
/// See [`Store::stamps`](super::Store::stamps).
pub struct ChangeStamps {
    slots: Box<[AtomicU64]>,
    hasher: RandomState,
}

impl ChangeStamps {
    /// No key was written later than a revision.
    pub(super) fn new(head: Stamp) -> Self {
        ChangeStamps { slots: (0..SLOTS).map(|_| AtomicU64::new(head)).collect(), hasher: RandomState::new() }
    }

    /// The hash by which keys share slots; keyed at random, stable for the life of the store.
    pub(super) fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key)
    }

    /// The stamp of the key with a hash.
    pub(super) fn of_hash(&self, hash: u64) -> Stamp {
        self.slots[slot(hash)].load(Ordering::Acquire)
    }

    /// The stamp of a key.
    pub fn of(&self, key: &[u8]) -> Stamp {
        self.of_hash(self.hash(key))
    }

    /// A commit wrote a key. Stamps only rise.
    pub fn raise(&self, key: &[u8], stamp: Stamp) {
        self.slots[slot(self.hash(key))].fetch_max(stamp, Ordering::Release);
    }

    /// Anything may have been written: every key is to be read anew from this stamp on.
    pub fn raise_all(&self, stamp: Stamp) {
        for slot in &self.slots {
            slot.fetch_max(stamp, Ordering::Release);
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

    #[test]
    fn every_stamp_of_a_later_history_is_greater() {
        assert!(stamp(1, 0) > stamp(0, (1 << REVISION_BITS) - 1));
        assert!(same_history(stamp(3, 1), stamp(3, 900)) && !same_history(stamp(3, 1), stamp(4, 1)));
        assert_eq!(stamp(0, 17), 17, "of the first history they are the revisions");
    }
}
