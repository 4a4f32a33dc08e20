//! The task that commits: whatever waits is one batch, one transaction.
//!
//! A transaction locks the head's row first, which makes the order of revisions the order of commits,
//! for all gateways. What was read before the lock was had is never used. An attempt whose outcome is
//! unknown is made again with the same ids, which are looked up under the lock: if they are there,
//! the answer is theirs, after a barrier that proves them replicated.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_postgres::{Row, Statement};
use uuid::Uuid;

use super::connection::{Connector, Session, within};
use super::feed::{CHANNEL, Pulse};
use super::history::{History, Link, Point};
use super::measures::Measures;
use super::{Parameters, PostgresError, revision_of};
use crate::store::{Change, Commit, CommitError, Precondition, Revision, Write};

/// Most commits of a batch, and most bytes that it writes; one commit alone may write more.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 4 << 20;
/// How long one attempt may take before its connection is given up.
const ATTEMPT: Duration = Duration::from_secs(2);
/// How long a commit is tried, from when it was asked for.
const DEADLINE: Duration = Duration::from_secs(5);
/// The wait before another attempt.
const AGAIN: Duration = Duration::from_millis(25);

/// A commit that waits for its answer.
pub(super) struct Job {
    pub(super) commit: Commit,
    pub(super) asked: Instant,
    pub(super) reply: oneshot::Sender<Result<Revision, CommitError>>,
}

pub(super) struct Writer {
    pub(super) connector: Arc<Connector>,
    pub(super) history: Arc<History>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) measures: Arc<Measures>,
    pub(super) jobs: mpsc::Receiver<Job>,
    pub(super) open: Option<Open>,
}

/// A connection with what it writes by.
pub(super) struct Open {
    session: Session,
    lock: Statement,
    known: Statement,
    revisions: Statement,
    first: Statement,
    put: Statement,
    delete: Statement,
    change: Statement,
    head: Statement,
    barrier: Statement,
    notify: Statement,
}

/// What a batch did, once it is durable.
struct Done {
    /// In the batch's order; shorter than it where the rest is to be another batch.
    answers: Vec<Result<Revision, CommitError>>,
    /// The commit that it followed.
    after: Point,
    links: Vec<Link>,
    /// The newest revision then.
    newest: Revision,
}

/// Why an attempt failed.
struct Failed {
    error: PostgresError,
    /// Whether it may have been committed all the same.
    unknown: bool,
}

impl From<PostgresError> for Failed {
    fn from(error: PostgresError) -> Self {
        Failed { error, unknown: false }
    }
}

impl From<tokio_postgres::Error> for Failed {
    fn from(error: tokio_postgres::Error) -> Self {
        PostgresError::from(error).into()
    }
}

impl Writer {
    /// Commits until the store is dropped.
    pub(super) async fn run(mut self) {
        let mut waiting: Vec<Job> = Vec::new();
        loop {
            if waiting.is_empty() {
                let Some(job) = self.jobs.recv().await else { return };
                waiting.push(job);
            }
            let mut bytes: usize = waiting.iter().map(|job| size(&job.commit)).sum();
            while waiting.len() < BATCH && bytes < BATCH_BYTES {
                let Ok(job) = self.jobs.try_recv() else { break };
                bytes += size(&job.commit);
                waiting.push(job);
            }
            let answers = self.resolve(&waiting).await;
            for (job, answer) in waiting.drain(..answers.len()).zip(answers) {
                // Nobody listens to a caller who went away.
                drop(job.reply.send(answer));
            }
        }
    }

    /// Attempts a batch until its outcome is known or its time is over. Answers one at least.
    async fn resolve(&mut self, batch: &[Job]) -> Vec<Result<Revision, CommitError>> {
        let deadline = batch.iter().map(|job| job.asked).min().unwrap_or_else(Instant::now) + DEADLINE;
        let mut unknown = false;
        loop {
            let failed = match self.attempt(batch).await {
                Ok(done) => {
                    self.history.extend(done.after, &done.links);
                    if self.history.head().revision < done.newest {
                        // Others committed in between: the feed brings what is missing.
                        self.pulse.kick();
                    }
                    let conflicts = done.answers.iter().filter(|answer| answer.is_err()).count();
                    self.measures.commits.fetch_add((done.answers.len() - conflicts) as u64, Ordering::Relaxed);
                    self.measures.conflicts.fetch_add(conflicts as u64, Ordering::Relaxed);
                    return done.answers;
                }
                Err(failed) => failed,
            };
            if let Some(open) = self.open.take() {
                open.session.abandon();
            }
            if failed.unknown {
                unknown = true;
                self.measures.unknown.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(error = %failed.error, "the outcome of a commit is unknown; it is tried again under the same id");
            }
            self.pulse.kick();
            if Instant::now() + AGAIN >= deadline {
                tracing::error!(error = %failed.error, unknown, "commits could not be made");
                let text = failed.error.to_string();
                let error = if unknown { CommitError::Unknown(text) } else { CommitError::Refused(text) };
                if unknown {
                    self.measures.unresolved.fetch_add(batch.len() as u64, Ordering::Relaxed);
                }
                return vec![Err(error); batch.len()];
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn attempt(&mut self, batch: &[Job]) -> Result<Done, Failed> {
        if self
            .open
            .as_ref()
            .is_none_or(|open| open.session.client.is_closed() || !self.connector.is_current(&open.session))
        {
            let session = self.connector.connect().await?;
            self.open = Some(within(ATTEMPT, Open::new(session)).await?);
        }
        let Some(open) = &self.open else { return Err(PostgresError::TimedOut(ATTEMPT).into()) };
        let mut sent = false;
        match tokio::time::timeout(ATTEMPT, self.transact(open, batch, &mut sent)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failed { error: PostgresError::TimedOut(ATTEMPT), unknown: sent }),
        }
    }

    /// One transaction for all. `sent` turns true before the COMMIT is sent.
    async fn transact(&self, open: &Open, batch: &[Job], sent: &mut bool) -> Result<Done, Failed> {
        let client = &open.session.client;
        let known = self.history.head();
        let ids: Vec<Uuid> = batch.iter().map(|job| job.commit.id).collect();
        let keys = conditioned(batch);
        let revision = number(known.revision);
        let (of_lineage, of_ids): (Parameters<'_, 1>, Parameters<'_, 2>) = ([&known.lineage], [&ids, &revision]);
        let of_keys: Parameters<'_, 1> = [&keys];
        // One after the other on the server: what follows the lock sees all that was committed before it.
        let (begun, locked, rows, revisions) = tokio::join!(biased;
            client.batch_execute("BEGIN"),
            client.query_opt(&open.lock, &of_lineage),
            client.query(&open.known, &of_ids),
            client.query(&open.revisions, &of_keys),
        );
        begun?;
        let locked = locked?.ok_or(PostgresError::OtherHistory)?;
        let (after, earlier) = follow(known, revision_of(locked.get(0)), &rows?)?;
        let mut work = Work::new(after.revision, earlier);
        for row in revisions? {
            work.revisions.insert(row.get(0), revision_of(row.get(1)));
        }
        let mut answers = Vec::with_capacity(batch.len());
        for Job { commit, .. } in batch {
            match work.take(open, commit).await? {
                Taken::At(revision) => answers.push(Ok(revision)),
                Taken::Conflict => answers.push(Err(CommitError::Conflict)),
                Taken::Later => break,
            }
        }
        if work.links.is_empty() && work.repeated.is_empty() {
            client.batch_execute("ROLLBACK").await?;
        } else {
            work.write(open, self.connector.name()).await?;
            *sent = true;
            open.session.commit().await.map_err(|error| Failed { error, unknown: true })?;
        }
        let newest = work.head;
        let links = [work.repeated, work.links].concat();
        Ok(Done { answers, after, links, newest })
    }
}

/// Holds what the transaction found to the history that is known: the point that it follows, and the
/// revisions of commits that were made before.
fn follow(known: Point, head: Revision, rows: &[Row]) -> Result<(Point, HashMap<Uuid, Revision>), PostgresError> {
    let ids: HashMap<Revision, Uuid> = rows.iter().map(|row| (revision_of(row.get(0)), row.get(1))).collect();
    let id_of = |revision: Revision| if revision == 0 { Some(Uuid::nil()) } else { ids.get(&revision).copied() };
    let id = id_of(head).filter(|_| head >= known.revision && id_of(known.revision) == Some(known.id));
    let id = id.ok_or(PostgresError::OtherHistory)?;
    let revisions = ids.iter().map(|(revision, id)| (*id, *revision)).collect();
    Ok((Point { lineage: known.lineage, revision: head, id }, revisions))
}

/// What became of a commit of a batch.
enum Taken {
    /// It has this revision, once the transaction is committed.
    At(Revision),
    /// A precondition does not hold.
    Conflict,
    /// It depends on a range that this transaction changes: it is for the next one.
    Later,
}

/// What a transaction is to write.
struct Work<'a> {
    head: Revision,
    /// Commits that were made before, this transaction's included.
    ids: HashMap<Uuid, Revision>,
    /// The revisions of keys that preconditions name, as the transaction found them.
    revisions: HashMap<Vec<u8>, Revision>,
    /// The last write of each key.
    writes: BTreeMap<&'a [u8], (Revision, Option<&'a [u8]>)>,
    links: Vec<Link>,
    /// Commits that an earlier attempt made.
    repeated: Vec<Link>,
}

impl<'a> Work<'a> {
    fn new(head: Revision, ids: HashMap<Uuid, Revision>) -> Self {
        Work { head, ids, revisions: HashMap::new(), writes: BTreeMap::new(), links: Vec::new(), repeated: Vec::new() }
    }

    async fn take(&mut self, open: &Open, commit: &'a Commit) -> Result<Taken, PostgresError> {
        if let Some(revision) = self.ids.get(&commit.id) {
            self.repeated.push(link(commit, *revision));
            return Ok(Taken::At(*revision));
        }
        for precondition in &commit.preconditions {
            let holds = match precondition {
                Precondition::Unchanged(key, mod_rev) => self.revision(key) == Some(*mod_rev),
                Precondition::Absent(key) => self.revision(key).is_none(),
                Precondition::EmptyRange(range) if range.start >= range.end => true,
                Precondition::EmptyRange(range) => {
                    if self.writes.range(range.start.as_slice()..range.end.as_slice()).next().is_some() {
                        return Ok(Taken::Later);
                    }
                    is_empty(open, range).await?
                }
            };
            if !holds {
                return Ok(Taken::Conflict);
            }
        }
        self.head += 1;
        for write in &commit.writes {
            match write {
                Write::Put(key, value) => self.writes.insert(key, (self.head, Some(value))),
                Write::Delete(key) => self.writes.insert(key, (self.head, None)),
            };
        }
        self.ids.insert(commit.id, self.head);
        self.links.push(link(commit, self.head));
        Ok(Taken::At(self.head))
    }

    /// The revision of a key that a precondition names, with what this transaction is to write.
    fn revision(&self, key: &[u8]) -> Option<Revision> {
        match self.writes.get(key) {
            Some((revision, value)) => value.map(|_| *revision),
            None => self.revisions.get(key).copied(),
        }
    }

    /// Everything but the COMMIT.
    async fn write(&self, open: &Open, name: &str) -> Result<(), PostgresError> {
        let client = &open.session.client;
        if self.links.is_empty() {
            // What an earlier attempt committed may wait for the standby still: so must this.
            client.query_one(&open.barrier, &[]).await?;
            return Ok(());
        }
        let (mut keys, mut revisions, mut values, mut gone) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (key, (revision, value)) in &self.writes {
            match value {
                Some(value) => {
                    keys.push(*key);
                    revisions.push(number(*revision));
                    values.push(*value);
                }
                None => gone.push(*key),
            }
        }
        let numbers: Vec<i64> = self.links.iter().map(|link| number(link.change.revision)).collect();
        let ids: Vec<Uuid> = self.links.iter().map(|link| link.id).collect();
        let (mut of, mut changed): (Vec<i64>, Vec<&[u8]>) = (Vec::new(), Vec::new());
        for link in &self.links {
            for key in link.change.keys.iter() {
                of.push(number(link.change.revision));
                changed.push(key);
            }
        }
        let head = number(self.head);
        let put: Parameters<'_, 3> = [&keys, &revisions, &values];
        let change: Parameters<'_, 4> = [&numbers, &ids, &of, &changed];
        let (delete, head): (Parameters<'_, 1>, Parameters<'_, 1>) = ([&gone], [&head]);
        let notify: Parameters<'_, 2> = [&CHANNEL, &name];
        tokio::try_join!(biased;
            client.execute(&open.put, &put),
            client.execute(&open.delete, &delete),
            client.execute(&open.change, &change),
            client.execute(&open.head, &head),
            client.execute(&open.notify, &notify),
        )?;
        Ok(())
    }
}

impl Open {
    async fn new(session: Session) -> Result<Self, PostgresError> {
        let client = &session.client;
        // A gateway that was stopped amid a transaction must not keep the others from committing.
        client.batch_execute("SET idle_in_transaction_session_timeout = '2s'").await?;
        let (lock, known, revisions, first, put) = tokio::try_join!(
            client.prepare("SELECT rev FROM ks_meta WHERE lineage = $1 FOR UPDATE"),
            client.prepare(
                "SELECT rev, commit_id FROM ks_change WHERE commit_id = ANY($1::uuid[]) \
                 UNION SELECT rev, commit_id FROM ks_change WHERE rev = $2 \
                 UNION SELECT rev, commit_id FROM ks_change WHERE rev = (SELECT rev FROM ks_meta)"
            ),
            client.prepare("SELECT k, mod_rev FROM ks_kv WHERE k = ANY($1::bytea[])"),
            client.prepare("SELECT k FROM ks_kv WHERE k >= $1 AND k < $2 LIMIT 1"),
            client.prepare(
                "INSERT INTO ks_kv (k, mod_rev, v) SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bytea[]) \
                 ON CONFLICT (k) DO UPDATE SET mod_rev = EXCLUDED.mod_rev, v = EXCLUDED.v"
            ),
        )?;
        let (delete, change, head, barrier, notify) = tokio::try_join!(
            client.prepare("DELETE FROM ks_kv WHERE k = ANY($1::bytea[])"),
            client.prepare(
                "INSERT INTO ks_change (rev, commit_id, keys, at) \
                 SELECT m.rev, m.id, coalesce(array_agg(w.k ORDER BY w.n) FILTER (WHERE w.k IS NOT NULL), '{}'), now() \
                 FROM unnest($1::bigint[], $2::uuid[]) AS m(rev, id) \
                 LEFT JOIN unnest($3::bigint[], $4::bytea[]) WITH ORDINALITY AS w(rev, k, n) ON w.rev = m.rev \
                 GROUP BY m.rev, m.id"
            ),
            client.prepare("UPDATE ks_meta SET rev = $1"),
            client.prepare("SELECT pg_logical_emit_message(true, 'ks', '')"),
            client.prepare("SELECT pg_notify($1, $2)"),
        )?;
        Ok(Open { session, lock, known, revisions, first, put, delete, change, head, barrier, notify })
    }
}

async fn is_empty(open: &Open, range: &Range<Vec<u8>>) -> Result<bool, PostgresError> {
    let first = open.session.client.query_opt(&open.first, &[&range.start, &range.end]).await?;
    Ok(first.is_none())
}

/// The keys whose revisions the preconditions of a batch name.
fn conditioned(batch: &[Job]) -> Vec<&[u8]> {
    let mut keys = Vec::new();
    for precondition in batch.iter().flat_map(|job| &job.commit.preconditions) {
        match precondition {
            Precondition::Unchanged(key, _) | Precondition::Absent(key) => keys.push(key.as_slice()),
            Precondition::EmptyRange(_) => {}
        }
    }
    keys
}

fn link(commit: &Commit, revision: Revision) -> Link {
    let key = |write: &Write| match write {
        Write::Put(key, _) | Write::Delete(key) => key.clone(),
    };
    let keys = commit.writes.iter().map(key).collect();
    Link { id: commit.id, change: Change { revision, keys } }
}

/// About how many bytes a commit writes.
fn size(commit: &Commit) -> usize {
    let of = |write: &Write| match write {
        Write::Put(key, value) => key.len() + value.len(),
        Write::Delete(key) => key.len(),
    };
    commit.writes.iter().map(of).sum()
}

/// A revision as the database has it.
fn number(revision: Revision) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}
