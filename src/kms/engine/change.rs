use std::ops::Range;

use serde::Serialize;
use uuid::Uuid;

use super::Kms;
use crate::kms::error::KmsError;
use crate::kms::records::{KeyRecord, KeyView, encode};
use crate::kms::rows;
use crate::store::{Commit, CommitError, Precondition, Record, Write};

/// How often a commit of unknown outcome is tried again, under the same id.
const ATTEMPTS: usize = 4;

/// What one operation writes, and what must still hold.
#[derive(Default)]
pub(super) struct Change {
    preconditions: Vec<Precondition>,
    writes: Vec<Write>,
}

impl Change {
    /// A change of a key that holds only while the key's record is the one that was read.
    pub(super) fn of(key: &Record<KeyView>) -> Self {
        Self {
            preconditions: vec![Precondition::Unchanged(rows::key(&key.value.name), key.mod_rev)],
            writes: Vec::new(),
        }
    }

    pub(super) fn absent(mut self, row: Vec<u8>) -> Self {
        self.preconditions.push(Precondition::Absent(row));
        self
    }

    pub(super) fn unchanged(mut self, row: Vec<u8>, mod_rev: u64) -> Self {
        self.hold(row, mod_rev);
        self
    }

    pub(super) fn empty(mut self, range: Range<Vec<u8>>) -> Self {
        self.preconditions.push(Precondition::EmptyRange(range));
        self
    }

    /// The change holds only while a row is as it was read.
    pub(super) fn hold(&mut self, row: Vec<u8>, mod_rev: u64) {
        self.preconditions.push(Precondition::Unchanged(row, mod_rev));
    }

    /// Holds only while the row is as it was read: of that revision, or not there.
    pub(super) fn while_read_as(self, row: Vec<u8>, mod_rev: Option<u64>) -> Self {
        match mod_rev {
            Some(mod_rev) => self.unchanged(row, mod_rev),
            None => self.absent(row),
        }
    }

    pub(super) fn put<T: Serialize>(&mut self, row: Vec<u8>, record: &T) -> Result<(), KmsError> {
        self.writes.push(Write::Put(row, encode(record)?));
        Ok(())
    }

    pub(super) fn put_key(&mut self, view: &KeyView, record: &KeyRecord) -> Result<(), KmsError> {
        self.put(rows::key(&view.name), record)
    }

    /// Whether it writes nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    pub(super) fn delete(&mut self, row: Vec<u8>) {
        self.writes.push(Write::Delete(row));
    }
}

impl Kms {
    /// Commits a change. Where the outcome is unknown the same commit is tried again.
    pub(super) async fn commit(&self, change: Change) -> Result<(), CommitError> {
        let commit = Commit { id: Uuid::new_v4(), preconditions: change.preconditions, writes: change.writes };
        let mut outcome = self.store().commit(commit.clone()).await;
        for _ in 1..ATTEMPTS {
            if !matches!(outcome, Err(CommitError::Unknown(_))) {
                break;
            }
            outcome = self.store().commit(commit.clone()).await;
        }
        outcome.map(|_| ())
    }
}
