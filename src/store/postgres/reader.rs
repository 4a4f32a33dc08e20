//! Reads: a few connections, and snapshots that are proven to be of the history that is known here.
//!
//! A deposed primary that can still be reached answers a SELECT with old data, or with commits that
//! nobody else will ever see. So a snapshot is used only if it bears the id of a commit that a
//! barrier has proven, not older than what was known when it was asked for. One that is newer than
//! what is known waits for the feed.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::{Row, Statement};

use super::connection::{Connector, Session, within};
use super::feed::{HEAD, Pulse, point_of, settle};
use super::history::{History, Point, Standing};
use super::{PostgresError, revision_of};
use crate::store::{BoxFuture, Freshness, Revision, Rows, Snapshot, Stamp, StoreError, Versioned};

/// How long one read may take before its connection is given up.
const READ: Duration = Duration::from_secs(1);
/// How often a read that met a stale or broken connection is begun anew.
const ATTEMPTS: usize = 8;
/// The wait before that, since a fail-over may be under way.
const AGAIN: Duration = Duration::from_millis(25);
/// Most rows and about how many bytes a page of a range has: a page of the longest values is 4 MiB.
const PAGE: usize = 512;
const PAGE_BYTES: i64 = 4 << 20;

/// Connections that read.
pub(super) struct Reader {
    connector: Arc<Connector>,
    history: Arc<History>,
    freshness: Arc<Freshness>,
    pulse: Arc<Pulse>,
    idle: Arc<Idle>,
    /// Half of the connections are for snapshots, half for single reads: who holds a snapshot may read
    /// beside it, and waits for nobody who waits for the same.
    snapshots: Arc<Semaphore>,
    reads: Arc<Semaphore>,
}

#[derive(Default)]
struct Idle(Mutex<Vec<Open>>);

/// A connection with what it reads by.
struct Open {
    session: Session,
    head: Statement,
    get: Statement,
    read: Statement,
    range: Statement,
}

impl Idle {
    fn take(&self) -> Option<Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn give_back(&self, open: Open) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(open);
    }

    fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Why a read is begun anew.
enum Again {
    /// The connection broke, or is not to the primary of this history.
    Connection(String),
    /// The store is not known to be up to date.
    Behind(StoreError),
}

impl From<PostgresError> for Again {
    fn from(error: PostgresError) -> Self {
        Again::Connection(error.to_string())
    }
}

/// How often a read was begun.
#[derive(Default)]
struct Attempts(usize);

impl Attempts {
    /// Waits before the next attempt, where there is to be one.
    async fn after(&mut self, again: Again) -> Result<(), StoreError> {
        self.0 += 1;
        match again {
            Again::Behind(error) => Err(error),
            Again::Connection(text) if self.0 == ATTEMPTS => Err(StoreError::Behind(text)),
            Again::Connection(_) => {
                tokio::time::sleep(AGAIN).await;
                Ok(())
            }
        }
    }
}

impl Reader {
    pub(super) fn new(
        connector: Arc<Connector>,
        history: Arc<History>,
        freshness: Arc<Freshness>,
        pulse: Arc<Pulse>,
    ) -> Self {
        let connections = connector.settings().connections;
        let reads = Arc::new(Semaphore::new((connections / 2).max(1)));
        let snapshots = Arc::new(Semaphore::new(connections.div_ceil(2)));
        Reader { connector, history, freshness, pulse, idle: Arc::default(), snapshots, reads }
    }

    /// A snapshot that has everything known here when it was asked for.
    pub(super) async fn snapshot(&self) -> Result<PostgresSnapshot, StoreError> {
        let mut attempts = Attempts::default();
        loop {
            self.be_fresh().await?;
            match self.try_snapshot().await {
                Ok(snapshot) => return Ok(snapshot),
                Err(again) => attempts.after(again).await?,
            }
        }
    }

    async fn try_snapshot(&self) -> Result<PostgresSnapshot, Again> {
        let (open, place) = self.take(&self.snapshots).await?;
        let known = self.history.head();
        let begun = within(READ, async {
            let client = &open.session.client;
            let (begun, head) = tokio::join!(biased;
                client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
                client.query_one(&open.head, &[]),
            );
            begun?;
            point_of(&head?)
        });
        let point = begun.await?;
        let stamp = self.prove(known.revision, point).await?;
        let idle = Arc::clone(&self.idle);
        Ok(PostgresSnapshot { revision: point.revision, stamp, open: Some(open), idle, _place: place })
    }

    /// One key's newest value, in one statement.
    pub(super) async fn read(&self, key: &[u8]) -> Result<(Stamp, Option<Versioned>), StoreError> {
        let mut attempts = Attempts::default();
        loop {
            self.be_fresh().await?;
            match self.try_read(key).await {
                Ok(found) => return Ok(found),
                Err(again) => attempts.after(again).await?,
            }
        }
    }

    async fn try_read(&self, key: &[u8]) -> Result<(Stamp, Option<Versioned>), Again> {
        let (open, _place) = self.take(&self.reads).await?;
        let known = self.history.head();
        let row = within(READ, async { Ok(open.session.client.query_one(&open.read, &[&key]).await?) }).await?;
        self.idle.give_back(open);
        let stamp = self.prove(known.revision, point_of(&row)?).await?;
        let value: Option<&[u8]> = row.get(4);
        Ok((stamp, value.map(|value| Versioned { mod_rev: revision_of(row.get(3)), value: value.into() })))
    }

    /// Proves anew that nothing is missing here, where the last proof is too old.
    async fn be_fresh(&self) -> Result<(), StoreError> {
        if self.freshness.holds() {
            return Ok(());
        }
        self.pulse.round(&self.freshness).await?;
        self.freshness.check()
    }

    /// The stamp of what was read at a point, if that is of the history that is known, and has what
    /// was known before.
    async fn prove(&self, known: Revision, point: Point) -> Result<Stamp, Again> {
        let standing = settle(&self.history, &self.pulse, &self.freshness, point).await.map_err(Again::Behind)?;
        match standing {
            Standing::Known(stamp) if point.revision >= known => Ok(stamp),
            _ => {
                self.idle.clear();
                self.pulse.kick();
                Err(Again::Connection("a connection was to another history than the one that is known".into()))
            }
        }
    }

    /// A connection, and its place among those that there may be.
    async fn take(&self, places: &Arc<Semaphore>) -> Result<(Open, OwnedSemaphorePermit), Again> {
        let closed = || Again::Connection("the store is closed".into());
        let place = tokio::time::timeout(self.freshness.bound(), Arc::clone(places).acquire_owned()).await;
        let place = place.map_err(|_| Again::Behind(StoreError::Behind("every connection is in use".into())))?;
        let place = place.map_err(|_| closed())?;
        while let Some(open) = self.idle.take() {
            if self.connector.is_current(&open.session) && !open.session.client.is_closed() {
                return Ok((open, place));
            }
        }
        let session = self.connector.connect().await?;
        Ok((within(READ, Open::new(session)).await?, place))
    }
}

impl Open {
    async fn new(session: Session) -> Result<Self, PostgresError> {
        let client = &session.client;
        let by_key = "SELECT mod_rev, v FROM ks_kv WHERE k = $1";
        let read = "SELECT m.lineage, m.rev, c.commit_id, r.mod_rev, r.v FROM ks_meta m \
                    LEFT JOIN ks_change c ON c.rev = m.rev LEFT JOIN ks_kv r ON r.k = $1";
        // As many rows as come to about a page's bytes, and one at least.
        let range = "SELECT k, mod_rev, v FROM (SELECT k, mod_rev, v, \
                     sum(octet_length(v)) OVER (ORDER BY k ROWS UNBOUNDED PRECEDING) - octet_length(v) AS before \
                     FROM (SELECT k, mod_rev, v FROM ks_kv WHERE k >= $1 AND k < $2 ORDER BY k LIMIT $3) page) sized \
                     WHERE before < $4 ORDER BY k";
        let (head, get, read, range) = tokio::try_join!(
            client.prepare(HEAD),
            client.prepare(by_key),
            client.prepare(read),
            client.prepare(range)
        )?;
        Ok(Open { session, head, get, read, range })
    }
}

/// A read transaction on a connection of its own.
pub(super) struct PostgresSnapshot {
    revision: Revision,
    stamp: Stamp,
    /// Taken when dropped.
    open: Option<Open>,
    idle: Arc<Idle>,
    _place: OwnedSemaphorePermit,
}

impl PostgresSnapshot {
    fn open(&self) -> Result<&Open, StoreError> {
        self.open.as_ref().ok_or_else(|| StoreError::Unavailable("the snapshot is closed".into()))
    }

    async fn page(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Row>, StoreError> {
        let open = self.open()?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = async { Ok(open.session.client.query(&open.range, &[&from, &to, &limit, &PAGE_BYTES]).await?) };
        within(READ, rows).await.map_err(behind)
    }
}

impl Snapshot for PostgresSnapshot {
    fn revision(&self) -> Revision {
        self.revision
    }

    fn stamp(&self) -> Stamp {
        self.stamp
    }

    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Versioned>, StoreError>> {
        Box::pin(async move {
            let open = self.open()?;
            let row = async { Ok(open.session.client.query_opt(&open.get, &[&key]).await?) };
            let row = within(READ, row).await.map_err(behind)?;
            let value = |row: Row| Versioned { mod_rev: revision_of(row.get(0)), value: row.get::<_, &[u8]>(1).into() };
            Ok(row.map(value))
        })
    }

    fn range(&self, range: Range<Vec<u8>>, limit: usize) -> BoxFuture<'_, Result<Rows, StoreError>> {
        Box::pin(async move {
            let (mut from, to) = (range.start, range.end);
            let mut found: Rows = Vec::new();
            while found.len() < limit && from < to {
                let page = self.page(&from, &to, (limit - found.len()).min(PAGE)).await?;
                let Some(last) = page.last() else { break };
                from = last.get::<_, Vec<u8>>(0);
                from.push(0);
                found.extend(page.into_iter().map(|row| {
                    let value = row.get::<_, &[u8]>(2).into();
                    (row.get(0), Versioned { mod_rev: revision_of(row.get(1)), value })
                }));
            }
            Ok(found)
        })
    }
}

impl Drop for PostgresSnapshot {
    /// Ends the transaction before another begins on the connection; one that does not end is closed.
    fn drop(&mut self) {
        let (Some(open), Ok(runtime)) = (self.open.take(), Handle::try_current()) else { return };
        let idle = Arc::clone(&self.idle);
        runtime.spawn(async move {
            let ended = within(READ, async { Ok(open.session.client.batch_execute("ROLLBACK").await?) }).await;
            if ended.is_ok() {
                idle.give_back(open);
            }
        });
    }
}

#[expect(clippy::needless_pass_by_value, reason = "given to map_err")]
fn behind(error: PostgresError) -> StoreError {
    StoreError::Behind(error.to_string())
}
