//! Everything of one store into another, of whichever engine, counted and hashed on both sides.

use std::ops::Range;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Commit, CommitError, MAX_KEY_BYTES, Precondition, Revision, Snapshot, Store, StoreError, Write};

/// In the target for as long as it has not everything: no server starts on it.
const UNFINISHED: &[u8] = b"copy/unfinished";
/// Rows that are read at once, and about how many bytes one commit writes.
const PAGE: usize = 256;
const COMMIT_BYTES: usize = 1 << 20;
/// How often a commit of unknown outcome is tried.
const ATTEMPTS: usize = 4;

/// What was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// How many records.
    pub rows: u64,
    /// The SHA-256 of all keys and values in order, each with its length.
    pub sha256: [u8; 32],
    /// The source's revision: what was committed to it later is not in the copy.
    pub revision: Revision,
}

/// Why a copy was not made.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// There is something in the target.
    #[error("the target is not empty: a copy is made into a new store only")]
    NotEmpty,
    /// The source or the target is what a copy that was cut short left.
    #[error("the store has only a part of what was to be copied into it: remove it, make a new one and copy again")]
    Unfinished,
    /// What was read back is not what was written.
    #[error("the copy differs from what was copied ({0}): it is not to be used")]
    Differs(String),
    /// A store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The target refused.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// Copies every record. `progress` is told how many are there so far. What was cut short is no store
/// that a server starts on.
///
/// # Errors
/// [`CopyError`].
pub async fn copy(from: &dyn Store, to: &dyn Store, progress: &(dyn Fn(u64) + Sync)) -> Result<Copied, CopyError> {
    require_finished(from).await?;
    let source = from.snapshot().await?;
    let mark = vec![Write::Put(UNFINISHED.to_vec(), Vec::new())];
    let marked = match commit(to, vec![Precondition::EmptyRange(everything())], mark).await {
        Err(CommitError::Conflict) => return Err(CopyError::NotEmpty),
        marked => marked?,
    };
    let unfinished = || vec![Precondition::Unchanged(UNFINISHED.to_vec(), marked)];
    let (mut sum, mut batch, mut bytes) = (Sum::default(), Vec::new(), 0);
    let mut range = everything();
    loop {
        let page = source.range(range.clone(), PAGE).await?;
        let Some((last, _)) = page.last() else { break };
        range.start = after(last);
        for (key, found) in page {
            sum.add(&key, &found.value);
            bytes += key.len() + found.value.len();
            batch.push(Write::Put(key, found.value.to_vec()));
            if bytes >= COMMIT_BYTES || batch.len() >= PAGE {
                commit(to, unfinished(), std::mem::take(&mut batch)).await?;
                bytes = 0;
            }
        }
        progress(sum.rows);
    }
    commit(to, unfinished(), batch).await?;
    let copied = sum.finish(source.revision());
    let written = sum_of(&*to.snapshot().await?).await?;
    if (written.rows, written.sha256) != (copied.rows, copied.sha256) {
        let why = format!("{} records were read and {} written, or others", copied.rows, written.rows);
        return Err(CopyError::Differs(why));
    }
    commit(to, unfinished(), vec![Write::Delete(UNFINISHED.to_vec())]).await?;
    Ok(copied)
}

/// Refuses a store that a copy was made into and not to its end.
///
/// # Errors
/// [`CopyError::Unfinished`], and where the store fails.
pub async fn require_finished(store: &dyn Store) -> Result<(), CopyError> {
    match store.read(UNFINISHED).await? {
        (_, None) => Ok(()),
        (_, Some(_)) => Err(CopyError::Unfinished),
    }
}

async fn sum_of(snapshot: &dyn Snapshot) -> Result<Copied, StoreError> {
    let (mut sum, mut range) = (Sum::default(), everything());
    loop {
        let page = snapshot.range(range.clone(), PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(sum.finish(snapshot.revision())) };
        range.start = after(last);
        for (key, found) in page.iter().filter(|(key, _)| key != UNFINISHED) {
            sum.add(key, &found.value);
        }
    }
}

async fn commit(to: &dyn Store, preconditions: Vec<Precondition>, writes: Vec<Write>) -> Result<Revision, CommitError> {
    let commit = Commit { id: Uuid::new_v4(), preconditions, writes };
    let mut outcome = to.commit(commit.clone()).await;
    for _ in 1..ATTEMPTS {
        if !matches!(outcome, Err(CommitError::Unknown(_))) {
            break;
        }
        outcome = to.commit(commit.clone()).await;
    }
    outcome
}

/// All keys that there can be.
fn everything() -> Range<Vec<u8>> {
    Vec::new()..vec![0xff; MAX_KEY_BYTES + 1]
}

fn after(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

#[derive(Default)]
struct Sum {
    rows: u64,
    hash: Sha256,
}

impl Sum {
    fn add(&mut self, key: &[u8], value: &[u8]) {
        self.rows += 1;
        for part in [key, value] {
            self.hash.update((part.len() as u64).to_be_bytes());
            self.hash.update(part);
        }
    }

    fn finish(self, revision: Revision) -> Copied {
        Copied { rows: self.rows, sha256: self.hash.finalize().into(), revision }
    }
}
