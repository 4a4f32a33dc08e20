//! The replicated store: several gateways on one PostgreSQL database.
//!
//! `ks_kv` has the records in the order of their bytes; the one row of `ks_meta` numbers the commits,
//! of all gateways, and is locked first by each; `ks_change` tells which commit wrote which keys. What
//! is acknowledged is on the synchronous standby. What is read or cached is used only while a barrier
//! has proven, not longer ago than a bound, that nothing acknowledged elsewhere is missing: see
//! `feed` for the proof, `reader` for snapshots, `writer` for commits, `history` for how another
//! history in this one's place is told.

mod compaction;
mod connection;
mod feed;
mod history;
mod measures;
mod reader;
mod schema;
mod settings;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use uuid::Uuid;

pub use settings::{PostgresSettings, PostgresTls};

use self::connection::{Connector, within};
use self::feed::{Feed, Pulse};
use self::history::{History, Point};
use self::measures::Measures;
use self::reader::Reader;
use self::writer::{Job, Writer};
use super::freshness::Moment;
use super::{
    BoxFuture, Change, ChangeStamps, Commit, CommitError, Freshness, Reading, Revision, Snapshot, Stamp, Store,
    StoreError, Versioned, check_sizes,
};

/// How many commits may wait before further ones wait for a place.
const QUEUE: usize = 4096;
/// How long opening waits for a primary: a fail-over may be under way.
const OPENING: Duration = Duration::from_secs(10);
/// How long a primary has for the first barrier: a deposed one never answers it.
const BEGINNING: Duration = Duration::from_secs(2);
/// The wait before it tries again.
const AGAIN: Duration = Duration::from_millis(200);

/// Why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// None of the hosts is a primary that answers.
    #[error("no primary was found: {0}")]
    Unreachable(String),
    /// The host is a standby.
    #[error("it is a standby, or read-only")]
    ReadOnly,
    /// The database's error; no secret is in it.
    #[error("{0}")]
    Failed(String),
    /// It did not answer in time.
    #[error("no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// The commit is on the primary, perhaps nowhere else.
    #[error("it warned that the commit may not be replicated")]
    NotReplicated,
    /// What is known here is not what the database has.
    #[error("the database has another history than the one that is known")]
    OtherHistory,
    /// There are no tables.
    #[error("the database holds no store: make one with `keystile store init`")]
    NotInitialised,
    /// There are tables already.
    #[error("the database holds a store already")]
    AlreadyThere,
    /// A newer release migrated it.
    #[error(
        "the store has format version {found}, this release knows versions up to {}; use a newer release",
        schema::FORMAT
    )]
    NewerFormat {
        /// Its version.
        found: i32,
    },
    /// The tables are not as a release left them.
    #[error("the store's tables are damaged: {0}; restore them from a backup")]
    Damaged(String),
}

/// A store in a PostgreSQL database that other processes use too.
pub struct PostgresStore {
    history: Arc<History>,
    freshness: Arc<Freshness>,
    pulse: Arc<Pulse>,
    measures: Arc<Measures>,
    reader: Reader,
    jobs: mpsc::Sender<Job>,
    /// Ended when the store is dropped. The writer ends by itself, when it has no more to do.
    tasks: [JoinHandle<()>; 2],
}

impl PostgresStore {
    /// Opens the store of a database, within a runtime.
    ///
    /// # Errors
    /// Where no primary answers within ten seconds, or the database holds no store that this release
    /// can serve.
    pub async fn open(settings: PostgresSettings) -> Result<Self, PostgresError> {
        let freshness = Arc::new(Freshness::new(settings.max_staleness));
        let connector = Arc::new(Connector::new(settings));
        let (at, began) = begin(&connector).await?;
        let history = Arc::new(History::new(at));
        freshness.prove(began);
        let pulse = Arc::new(Pulse::new());
        let measures = Arc::new(Measures::default());
        let feed = Feed {
            connector: Arc::clone(&connector),
            history: Arc::clone(&history),
            freshness: Arc::clone(&freshness),
            pulse: Arc::clone(&pulse),
            measures: Arc::clone(&measures),
        };
        let reader =
            Reader::new(Arc::clone(&connector), Arc::clone(&history), Arc::clone(&freshness), Arc::clone(&pulse));
        let (jobs, waiting) = mpsc::channel(QUEUE);
        let writer = Writer {
            connector: Arc::clone(&connector),
            history: Arc::clone(&history),
            pulse: Arc::clone(&pulse),
            measures: Arc::clone(&measures),
            jobs: waiting,
            open: None,
        };
        tokio::spawn(writer.run());
        let tasks = [tokio::spawn(feed.run()), tokio::spawn(compaction::run(connector))];
        Ok(PostgresStore { history, freshness, pulse, measures, reader, jobs, tasks })
    }

    /// Makes the tables of a new store in a database, and answers its lineage.
    ///
    /// # Errors
    /// Where there are tables already, and where the database fails.
    pub async fn init(settings: PostgresSettings) -> Result<Uuid, PostgresError> {
        let mut session = Connector::new(settings).connect().await?;
        if schema::format(&session.client).await?.is_some() {
            return Err(PostgresError::AlreadyThere);
        }
        schema::create(&mut session.client).await
    }

    /// Brings the tables to this release's version. Answers the one before and the one now.
    ///
    /// # Errors
    /// Tables of a newer release; failures of the database.
    pub async fn migrate(settings: PostgresSettings) -> Result<(i32, i32), PostgresError> {
        let mut session = Connector::new(settings).connect().await?;
        Ok((schema::migrate(&mut session.client).await?, schema::FORMAT))
    }

    /// Names the history of this store: made with it, and anew by a restore.
    #[must_use]
    pub fn lineage(&self) -> Uuid {
        self.history.head().lineage
    }

    async fn enqueue(&self, commit: Commit) -> Result<Revision, CommitError> {
        check_sizes(&commit)?;
        let (reply, answer) = oneshot::channel();
        let job = Job { commit, asked: Instant::now(), reply };
        self.jobs.send(job).await.map_err(|_| CommitError::Refused("the store is closed".into()))?;
        answer.await.unwrap_or_else(|_| Err(CommitError::Unknown("the store's writer ended".into())))
    }

    async fn wait(&self, after: Revision) -> Result<Vec<Change>, StoreError> {
        let mut reached = self.history.subscribe();
        loop {
            reached.mark_unchanged();
            let changes = self.history.since(after)?;
            if !changes.is_empty() {
                return Ok(changes);
            }
            let closed = |_| StoreError::Unavailable("the store is closed".into());
            reached.changed().await.map_err(closed)?;
        }
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Store for PostgresStore {
    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>, StoreError>> {
        Box::pin(async move { Ok(Box::new(self.reader.snapshot().await?) as Box<dyn Snapshot>) })
    }

    /// A commit that was queued is carried out, even if its future is dropped.
    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Revision, CommitError>> {
        Box::pin(self.enqueue(commit))
    }

    fn head(&self) -> BoxFuture<'_, Result<Revision, StoreError>> {
        Box::pin(async move {
            self.pulse.round(&self.freshness).await?;
            Ok(self.history.head().revision)
        })
    }

    fn watch(&self, after: Revision) -> BoxFuture<'_, Result<Vec<Change>, StoreError>> {
        Box::pin(self.wait(after))
    }

    fn stamps(&self) -> Arc<ChangeStamps> {
        Arc::clone(self.history.stamps())
    }

    fn read<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<(Stamp, Option<Versioned>), StoreError>> {
        Box::pin(self.reader.read(key))
    }

    fn freshness(&self) -> Option<Arc<Freshness>> {
        Some(Arc::clone(&self.freshness))
    }

    fn place(&self) -> Option<(Uuid, Revision)> {
        Some(self.history.reached())
    }

    fn readings(&self) -> Vec<Reading> {
        self.measures.readings(&self.freshness)
    }
}

/// What a statement is given.
type Parameters<'a, const N: usize> = [&'a (dyn tokio_postgres::types::ToSql + Sync); N];

/// The newest commit, proven by a barrier. Tries until the time for opening is over; what no waiting
/// mends is told at once.
async fn begin(connector: &Connector) -> Result<(Point, Moment), PostgresError> {
    let deadline = Instant::now() + OPENING;
    let mut first = 0;
    loop {
        match begin_at(connector, first).await {
            Err(PostgresError::Unreachable(_) | PostgresError::Failed(_) | PostgresError::TimedOut(_))
                if Instant::now() < deadline =>
            {
                first += 1;
                tokio::time::sleep(AGAIN).await;
            }
            outcome => return outcome,
        }
    }
}

async fn begin_at(connector: &Connector, first: usize) -> Result<(Point, Moment), PostgresError> {
    let session = connector.connect_from(first, None).await?;
    let begun = async {
        schema::require_known(&session.client).await?;
        warn_of_one_copy(&session.client).await;
        feed::begin(&session).await
    };
    let begun = within(BEGINNING, begun).await?;
    connector.prove(&session);
    Ok(begun)
}

/// Tells operators once of a database whose commits are on one machine alone.
async fn warn_of_one_copy(client: &tokio_postgres::Client) {
    let asked = "SELECT current_setting('synchronous_standby_names') = '' OR current_setting('fsync') = 'off'";
    if let Ok(row) = client.query_one(asked, &[]).await
        && row.get::<_, bool>(0)
    {
        tracing::warn!(
            "the database has no synchronous standby (or no fsync): what is acknowledged is on one machine, and a \
             fail-over loses some of it; see docs/postgresql.md"
        );
    }
}

/// An error with its causes: the client's own text names only the kind. No parameter is in it.
fn explain(error: &tokio_postgres::Error) -> String {
    if let Some(told) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", told.message(), told.code().code());
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// A revision as the database has it; none is below 0.
fn revision_of(number: i64) -> Revision {
    u64::try_from(number).unwrap_or_default()
}
