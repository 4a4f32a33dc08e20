//! Durable storage: ordered keys to values, behind a trait of few verbs that an embedded engine
//! and a replicated one both fit.
//!
//! A commit gives the store a new revision. Every value bears the revision of the commit that
//! wrote it (`mod_rev`), and preconditions compare it: so a writer that read a snapshot commits
//! only if what it read still holds.

pub mod copy;
mod freshness;
pub mod image;
pub mod postgres;
mod recent;
pub mod redb;
mod stamps;

use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

use uuid::Uuid;

pub use freshness::Freshness;
pub use image::{Image, ImageSettings, Record};
pub use postgres::{PostgresError, PostgresSettings, PostgresStore, PostgresTls};
pub use redb::{DATA_FILE, OpenError, RedbSettings, RedbStore};
pub use stamps::ChangeStamps;

/// The longest key, in bytes, that every backend takes.
pub const MAX_KEY_BYTES: usize = 2048;

/// The longest value, in bytes, that every backend takes: 1 MiB.
pub const MAX_VALUE_BYTES: usize = 1 << 20;

/// How many bytes of keys and values one commit may write in every backend: 4 MiB.
pub const MAX_COMMIT_BYTES: usize = 4 << 20;

/// A future that a trait object can return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Keys with their values, in ascending order.
pub type Rows = Vec<(Vec<u8>, Versioned)>;

/// The number of a commit; commits are ordered by it, the first is 1.
pub type Revision = u64;

/// What [`ChangeStamps`] compare: a revision, or, where a history may begin anew while the store is
/// open, one that also tells which history it is of. A later history's are all greater.
pub type Stamp = u64;

/// A value with the revision that wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned {
    /// The commit that wrote it.
    pub mod_rev: Revision,
    /// The value.
    pub value: Arc<[u8]>,
}

/// What must hold at the moment of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// The key's value was written by that commit.
    Unchanged(Vec<u8>, Revision),
    /// There is no such key.
    Absent(Vec<u8>),
    /// There is no key in the range.
    EmptyRange(Range<Vec<u8>>),
}

/// One write of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Sets a key's value.
    Put(Vec<u8>, Vec<u8>),
    /// Removes a key; one that is not there is no error.
    Delete(Vec<u8>),
}

/// Writes that happen together, or not at all.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Names the attempt: the same id committed again answers the first one's revision and
    /// writes nothing, so that an outcome that is unknown can be resolved by trying again.
    pub id: Uuid,
    /// All must hold.
    pub preconditions: Vec<Precondition>,
    /// Applied in order.
    pub writes: Vec<Write>,
}

/// The keys that one commit wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The commit's revision.
    pub revision: Revision,
    /// Its keys.
    pub keys: Arc<[Vec<u8>]>,
}

/// Why the store could not be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The backend failed; the text is for the operator's log.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// It is not known which writes of others were acknowledged, so nothing may be decided; trying
    /// again helps as soon as it is known again. The text is for the operator.
    #[error("the store is not known to be up to date: {0}")]
    Behind(String),
    /// The changes asked for are no longer kept: reload by ranges.
    #[error("the changes since revision {0} are no longer kept")]
    Compacted(Revision),
    /// What is stored is not what was written: the file was altered, or a record was written by a
    /// newer release. The text names the key.
    #[error("a stored record cannot be read: {0}")]
    Malformed(String),
}

/// Why a commit did not happen.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommitError {
    /// A precondition did not hold: read again and decide anew.
    #[error("a precondition of the commit does not hold")]
    Conflict,
    /// Nothing was written.
    #[error("the store refused the commit: {0}")]
    Refused(String),
    /// It may or may not have been written: try again with the same id.
    #[error("the outcome of the commit is unknown: {0}")]
    Unknown(String),
}

/// A store of ordered keys.
pub trait Store: Send + Sync + 'static {
    /// A consistent view of everything committed so far.
    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>, StoreError>>;

    /// Writes all of a commit, durably, and answers its revision.
    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Revision, CommitError>>;

    /// The newest revision, read linearizably: no commit acknowledged before the call is newer.
    fn head(&self) -> BoxFuture<'_, Result<Revision, StoreError>>;

    /// Waits until there are changes after a revision, and answers them in order, without a gap,
    /// though not necessarily all of them at once. A hint of where to look, never the truth. A
    /// revision that is not reached yet is waited for.
    fn watch(&self, after: Revision) -> BoxFuture<'_, Result<Vec<Change>, StoreError>>;

    /// The revisions that last wrote each key, by a hash of the key. The backend stamps the keys of
    /// a commit after a new snapshot sees it and before it is acknowledged: so what was read in a
    /// snapshot of revision R is still the truth, for every commit acknowledged here, while the
    /// key's stamp is not above R. A backend that others write to stamps from its watch feed too.
    fn stamps(&self) -> Arc<ChangeStamps>;

    /// One key's newest value with the stamp of the snapshot that it was read in: what
    /// [`Store::snapshot`] and [`Snapshot::get`] answer together.
    fn read<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<(Stamp, Option<Versioned>), StoreError>> {
        Box::pin(async move {
            let snapshot = self.snapshot().await?;
            Ok((snapshot.stamp(), snapshot.get(key).await?))
        })
    }

    /// Whether what is known of others' commits is recent enough to be used; none where there are no
    /// others, so that it always is.
    fn freshness(&self) -> Option<Arc<Freshness>> {
        None
    }

    /// Which history this is and how far it is known here, to be told to clients who go from one
    /// gateway to another; none where there are no others.
    fn place(&self) -> Option<(Uuid, Revision)> {
        None
    }

    /// What operators measure.
    fn readings(&self) -> Vec<Reading> {
        Vec::new()
    }
}

/// A number that a store tells of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Its name, without a prefix.
    pub name: &'static str,
    /// What it is.
    pub help: &'static str,
    /// Whether it only rises.
    pub counts: bool,
    /// The number.
    pub value: u64,
}

/// A consistent view of a store at one revision.
pub trait Snapshot: Send + Sync {
    /// The newest commit that it sees.
    fn revision(&self) -> Revision;

    /// What a record that was read in it is compared with the stamp of its key by.
    fn stamp(&self) -> Stamp {
        self.revision()
    }

    /// One key's value.
    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Versioned>, StoreError>>;

    /// At most `limit` keys of a range in ascending order.
    fn range(&self, range: Range<Vec<u8>>, limit: usize) -> BoxFuture<'_, Result<Rows, StoreError>>;
}

/// Refuses what some backend could not store.
fn check_sizes(commit: &Commit) -> Result<(), CommitError> {
    let mut total = 0;
    for write in &commit.writes {
        let (key, value) = match write {
            Write::Put(key, value) => (key, value.len()),
            Write::Delete(key) => (key, 0),
        };
        total += key.len() + value;
        if key.len() > MAX_KEY_BYTES || value > MAX_VALUE_BYTES || total > MAX_COMMIT_BYTES {
            return Err(CommitError::Refused(format!(
                "at key {}: a key takes at most {MAX_KEY_BYTES} bytes, a value {MAX_VALUE_BYTES}, \
                 a commit {MAX_COMMIT_BYTES}",
                key.get(..64).unwrap_or(key).escape_ascii()
            )));
        }
    }
    Ok(())
}
