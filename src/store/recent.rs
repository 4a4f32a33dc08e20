//! What is remembered of recent commits: their ids, and the keys they wrote.

use std::collections::{HashMap, VecDeque};

use uuid::Uuid;

use super::{Change, Revision, StoreError};

/// How many ids of commits are remembered, while the process lives. A commit that is tried again
/// after so many others is written again, if its preconditions still hold.
pub(super) const IDS: usize = 65_536;
/// How many changes are kept for those who watch.
pub(super) const CHANGES: usize = 16_384;
/// How many keys the kept changes name, all together.
const CHANGED_KEYS: usize = 131_072;
/// How many changes one call of watch answers.
pub(super) const WATCHED: usize = 1_024;

/// The ids of recent commits with their revisions.
#[derive(Default)]
pub(super) struct Ids {
    revisions: HashMap<Uuid, Revision>,
    order: VecDeque<Uuid>,
}

impl Ids {
    pub(super) fn get(&self, id: Uuid) -> Option<Revision> {
        self.revisions.get(&id).copied()
    }

    pub(super) fn insert(&mut self, id: Uuid, revision: Revision) {
        if self.order.len() == IDS
            && let Some(oldest) = self.order.pop_front()
        {
            self.revisions.remove(&oldest);
        }
        if self.revisions.insert(id, revision).is_none() {
            self.order.push_back(id);
        }
    }
}

/// Recent changes, contiguous.
pub(super) struct Changes {
    /// The revision before the oldest change kept.
    floor: Revision,
    kept: VecDeque<Change>,
    keys: usize,
}

impl Changes {
    pub(super) fn after(head: Revision) -> Self {
        Changes { floor: head, kept: VecDeque::new(), keys: 0 }
    }

    /// Must be the next revision.
    pub(super) fn push(&mut self, change: Change) {
        self.keys += change.keys.len();
        self.kept.push_back(change);
        while self.kept.len() > CHANGES || (self.keys > CHANGED_KEYS && self.kept.len() > 1) {
            if let Some(oldest) = self.kept.pop_front() {
                self.keys -= oldest.keys.len();
                self.floor = oldest.revision;
            }
        }
    }

    /// The oldest of the changes after a revision.
    pub(super) fn since(&self, after: Revision) -> Result<Vec<Change>, StoreError> {
        let skip = after.checked_sub(self.floor).ok_or(StoreError::Compacted(after))?;
        let skip = usize::try_from(skip).unwrap_or(usize::MAX).min(self.kept.len());
        Ok(self.kept.range(skip..).take(WATCHED).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_ids_are_forgotten_first() {
        let mut ids = Ids::default();
        let name = |n: usize| Uuid::from_u128(n as u128);
        for n in 0..=IDS {
            ids.insert(name(n), n as u64);
        }
        assert_eq!(ids.get(name(0)), None);
        assert_eq!(ids.get(name(1)), Some(1));
        assert_eq!(ids.get(name(IDS)), Some(IDS as u64));
    }

    #[test]
    fn old_changes_are_compacted_first() {
        let mut changes = Changes::after(10);
        let change = |revision, keys: usize| Change { revision, keys: vec![b"k".to_vec(); keys].into() };
        for n in 1..=CHANGES as u64 + 1 {
            changes.push(change(10 + n, 1));
        }
        assert!(matches!(changes.since(10), Err(StoreError::Compacted(10))));
        let seen = changes.since(11).unwrap();
        assert_eq!((seen[0].revision, seen.len()), (12, WATCHED));
        let last = 11 + CHANGES as u64;
        assert_eq!(changes.since(last).unwrap(), []);
        assert_eq!(changes.since(last + 5).unwrap(), []);
        changes.push(change(last + 1, CHANGED_KEYS + 1));
        assert_eq!(changes.since(last).unwrap().len(), 1);
        assert!(changes.since(last - 1).is_err());
    }
}
