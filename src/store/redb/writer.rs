//! The thread that commits: whatever waits is one batch, one transaction, one synchronisation.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use ::redb::{Database, ReadableTable, Table, WriteTransaction};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use uuid::Uuid;

use super::backend::Failure;
use super::{DataFile, META, META_HEAD, MOD_REV_BYTES, RECORDS, Shared, number};
use crate::store::recent::Ids;
use crate::store::{Change, Commit, CommitError, Precondition, Revision, Write};

/// How much one batch may write, by [`estimate`], in bytes; one commit alone may be more. Well
/// below the spare file, which must last for the rest of a batch.
const BATCH_BYTES: usize = 4 << 20;
/// What a write may cost beside its value, in bytes: redb copies the pages from leaf to root, and
/// neighbours in a batch share most of them.
const WRITE_BYTES: usize = 8 << 10;
/// How long a batch waits for as many commits as the one before had: those who were just answered
/// come back within microseconds, and would otherwise each wait for two synchronisations.
const GATHER: Duration = Duration::from_micros(100);
/// How often a closed file is tried again.
const REOPEN_EVERY: Duration = Duration::from_secs(1);

pub(super) enum Message {
    Commit(Job),
    /// A reader met an error.
    Check,
}

/// A commit that waits for its answer.
pub(super) struct Job {
    pub(super) commit: Commit,
    pub(super) reply: oneshot::Sender<Result<Revision, CommitError>>,
    /// Its place in the queue, held until it is answered.
    #[expect(dead_code, reason = "held, not read")]
    pub(super) place: OwnedSemaphorePermit,
}

/// A commit in a batch, not yet published.
struct Written {
    id: Uuid,
    change: Change,
}

/// Why a batch failed, and what it would have published.
struct Failed {
    detail: String,
    written: Vec<Written>,
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    file: DataFile,
    receiver: Receiver<Message>,
    ids: Ids,
    head: Revision,
    /// How many commits the last batch had.
    last_batch: usize,
    /// A batch of unknown outcome, until the file can be read again.
    unresolved: Vec<Written>,
    /// The file may not be used again in this process.
    stopped: Option<String>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, file: DataFile, receiver: Receiver<Message>) -> Self {
        let head = shared.head.load(Ordering::Acquire);
        let (ids, unresolved) = (Ids::default(), Vec::new());
        Writer { shared, file, receiver, ids, head, last_batch: 0, unresolved, stopped: None }
    }

    /// Commits until the store is dropped.
    pub(super) fn run(mut self) {
        while let Some(first) = self.next() {
            match first {
                Message::Check => self.check(),
                Message::Commit(job) => {
                    let batch = self.gather(job);
                    self.last_batch = batch.len();
                    self.process(batch);
                }
            }
        }
    }

    /// The next message; while the file is closed, tries to open it in between.
    fn next(&mut self) -> Option<Message> {
        loop {
            if self.stopped.is_some() || self.shared.database.load().is_some() {
                return self.receiver.recv().ok();
            }
            match self.receiver.recv_timeout(REOPEN_EVERY) {
                Ok(message) => return Some(message),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => drop(self.database()),
            }
        }
    }

    fn gather(&mut self, first: Job) -> Vec<Job> {
        let mut bytes = estimate(&first.commit);
        let mut batch = vec![first];
        while bytes < BATCH_BYTES {
            let wait = if batch.len() < self.last_batch { GATHER } else { Duration::ZERO };
            let next =
                if wait.is_zero() { self.receiver.try_recv().ok() } else { self.receiver.recv_timeout(wait).ok() };
            match next {
                Some(Message::Commit(job)) => {
                    bytes += estimate(&job.commit);
                    batch.push(job);
                }
                Some(Message::Check) => {}
                None => break,
            }
        }
        batch
    }

    fn process(&mut self, batch: Vec<Job>) {
        let database = match self.ready() {
            Ok(database) => database,
            Err(detail) => return answer_all(batch, &CommitError::Refused(detail)),
        };
        match self.attempt(&database, &batch) {
            Ok((answers, written)) => {
                self.publish(written);
                for (job, answer) in batch.into_iter().zip(answers) {
                    // Nobody listens to a caller who went away.
                    drop(job.reply.send(answer));
                }
            }
            Err(failed) => {
                drop(database);
                self.recover(batch, failed);
            }
        }
    }

    /// The database, if there is space to begin a commit.
    fn ready(&mut self) -> Result<Arc<Database>, String> {
        if let Some(detail) = &self.stopped {
            return Err(detail.clone());
        }
        if self.file.health.failure() != Failure::None {
            self.check();
        }
        self.file.spare.fill().map_err(|error| format!("no space to begin a commit: {error}"))?;
        self.database()
    }

    /// The database, opened anew if it is closed.
    fn database(&mut self) -> Result<Arc<Database>, String> {
        if let Some(detail) = &self.stopped {
            return Err(detail.clone());
        }
        if let Some(database) = self.shared.database.load_full() {
            return Ok(database);
        }
        let (database, meta) = self.file.open().map_err(|error| error.to_string())?;
        let unresolved = std::mem::take(&mut self.unresolved);
        // One transaction: all of the batch is there, or nothing of it.
        if meta.head > self.head && unresolved.last().is_some_and(|last| last.change.revision == meta.head) {
            self.publish(unresolved);
        }
        if meta.head != self.head {
            self.stopped = Some("the data file was changed by something else: restart".into());
            return self.database();
        }
        let database = Arc::new(database);
        self.shared.database.store(Some(Arc::clone(&database)));
        tracing::warn!(head = self.head, "the data file was opened anew after a failure");
        Ok(database)
    }

    /// One transaction for all. The answers are in the batch's order; they hold only together with
    /// what was written.
    #[expect(clippy::type_complexity, reason = "the answers, and what was written")]
    fn attempt(
        &self,
        database: &Database,
        batch: &[Job],
    ) -> Result<(Vec<Result<Revision, CommitError>>, Vec<Written>), Failed> {
        let mut written = Vec::new();
        let result = database
            .begin_write()
            .map_err(::redb::Error::from)
            .and_then(|transaction| self.apply(transaction, batch, &mut written));
        match result {
            Ok(answers) => Ok((answers, written)),
            Err(error) => Err(Failed { detail: error.to_string(), written }),
        }
    }

    fn apply(
        &self,
        transaction: WriteTransaction,
        batch: &[Job],
        written: &mut Vec<Written>,
    ) -> Result<Vec<Result<Revision, CommitError>>, ::redb::Error> {
        let mut answers = Vec::with_capacity(batch.len());
        let mut in_batch: HashMap<Uuid, Revision> = HashMap::new();
        let mut head = self.head;
        {
            let mut records = transaction.open_table(RECORDS)?;
            for Job { commit, .. } in batch {
                let known = self.ids.get(commit.id).or_else(|| in_batch.get(&commit.id).copied());
                if let Some(revision) = known {
                    answers.push(Ok(revision));
                } else if holds_all(&records, &commit.preconditions)? {
                    head += 1;
                    let keys = write_all(&mut records, &commit.writes, head)?;
                    in_batch.insert(commit.id, head);
                    written.push(Written { id: commit.id, change: Change { revision: head, keys } });
                    answers.push(Ok(head));
                } else {
                    answers.push(Err(CommitError::Conflict));
                }
            }
        }
        if written.is_empty() {
            transaction.abort()?;
        } else {
            transaction.open_table(META)?.insert(META_HEAD, head.to_be_bytes().as_slice())?;
            transaction.commit()?;
        }
        Ok(answers)
    }

    /// Makes commits known that are durable and that new snapshots see: before any is answered.
    fn publish(&mut self, written: Vec<Written>) {
        let Some(last) = written.last().map(|written| written.change.revision) else { return };
        for Written { change, .. } in &written {
            for key in change.keys.iter() {
                self.shared.stamps.raise(key, change.revision);
            }
        }
        let mut changes = self.shared.changes.lock().unwrap_or_else(PoisonError::into_inner);
        for Written { id, change } in written {
            self.ids.insert(id, change.revision);
            changes.push(change);
        }
        drop(changes);
        self.head = last;
        self.shared.head.store(last, Ordering::Release);
        self.shared.wake.send_replace(last);
    }

    /// A batch failed: finds out what became of it, and gets the file back into use.
    fn recover(&mut self, batch: Vec<Job>, failed: Failed) {
        let Failed { detail, written } = failed;
        tracing::error!(detail, "a commit failed");
        let failure = self.file.health.failure();
        if failure == Failure::None {
            // Refused before anything reached the file, and the transaction was rolled back.
            return answer_all(batch, &CommitError::Refused(detail));
        }
        self.close();
        if failure == Failure::Sync {
            self.stopped = Some(format!("the data file could not be synchronised ({detail}): restart"));
            return answer_all(batch, &CommitError::Unknown(detail));
        }
        self.unresolved = written;
        let before = self.head;
        match self.database() {
            Ok(_) if self.head == before => answer_all(batch, &CommitError::Refused(detail)),
            Ok(_) => {
                for job in batch {
                    let answer = self.ids.get(job.commit.id).ok_or(CommitError::Conflict);
                    drop(job.reply.send(answer));
                }
            }
            Err(_) => answer_all(batch, &CommitError::Unknown(detail)),
        }
    }

    /// Whether the database still works; if not, opens it anew.
    fn check(&mut self) {
        let Some(database) = self.shared.database.load_full() else { return };
        let works = database.begin_write().is_ok_and(|transaction| transaction.abort().is_ok());
        drop(database);
        if !works {
            let failure = self.file.health.failure();
            self.close();
            if failure == Failure::Sync {
                self.stopped = Some("the data file could not be synchronised: restart".into());
            }
            drop(self.database());
        }
    }

    /// Closes the database, when the readers that are just beginning to read have let go of it.
    fn close(&self) {
        let mut held = self.shared.database.swap(None);
        while let Some(database) = held {
            held = Arc::try_unwrap(database).err();
            std::thread::yield_now();
        }
    }
}

fn answer_all(batch: Vec<Job>, error: &CommitError) {
    for job in batch {
        drop(job.reply.send(Err(error.clone())));
    }
}

/// About how many bytes of the file a commit may write.
fn estimate(commit: &Commit) -> usize {
    let of = |write: &Write| match write {
        Write::Put(key, value) => WRITE_BYTES + key.len() + value.len(),
        Write::Delete(key) => WRITE_BYTES + key.len(),
    };
    commit.writes.iter().map(of).sum()
}

type Records<'a> = Table<'a, &'static [u8], &'static [u8]>;

fn holds_all(records: &Records<'_>, preconditions: &[Precondition]) -> Result<bool, ::redb::StorageError> {
    for precondition in preconditions {
        let holds = match precondition {
            Precondition::Unchanged(key, mod_rev) => {
                let found = records.get(key.as_slice())?;
                found.and_then(|value| number(value.value().get(..MOD_REV_BYTES)?)) == Some(*mod_rev)
            }
            Precondition::Absent(key) => records.get(key.as_slice())?.is_none(),
            Precondition::EmptyRange(range) => {
                range.start >= range.end
                    || records.range(range.start.as_slice()..range.end.as_slice())?.next().transpose()?.is_none()
            }
        };
        if !holds {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Applies writes in order, and answers their keys.
fn write_all(
    records: &mut Records<'_>,
    writes: &[Write],
    revision: Revision,
) -> Result<Arc<[Vec<u8>]>, ::redb::StorageError> {
    let mut keys = Vec::with_capacity(writes.len());
    let mut stored = Vec::new();
    for write in writes {
        let key = match write {
            Write::Put(key, value) => {
                stored.clear();
                stored.extend_from_slice(&revision.to_be_bytes());
                stored.extend_from_slice(value);
                records.insert(key.as_slice(), stored.as_slice())?;
                key
            }
            Write::Delete(key) => {
                records.remove(key.as_slice())?;
                key
            }
        };
        keys.push(key.clone());
    }
    Ok(keys.into())
}
