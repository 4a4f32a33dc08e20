//! Follows the commits of all gateways, and proves how far.
//!
//! A round is one transaction that reads the head and what follows the last known commit, writes a
//! message into the log (the barrier) and commits. The COMMIT needs the synchronous standby, so a
//! primary that was deposed cannot answer it: a plain SELECT it could, and would answer stale data.
//! The proof is dated by the moment before the round began.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_postgres::{Row, Statement};
use uuid::Uuid;

use super::connection::{Connector, Session, within};
use super::history::{History, Link, Point, Standing};
use super::measures::Measures;
use super::{Parameters, PostgresError, revision_of};
use crate::store::freshness::Moment;
use crate::store::{Change, Freshness, Revision, StoreError};

/// How often there is a round where nobody asks for one; a shorter bound asks for more.
const EVERY: Duration = Duration::from_millis(250);
/// How long notifications are gathered, so that a busy writer elsewhere does not make a round of each.
const GATHER: Duration = Duration::from_millis(10);
/// How long a round may take before its connection is given up.
const ROUND: Duration = Duration::from_secs(1);
/// The wait after a round that failed.
const AGAIN: Duration = Duration::from_millis(50);
/// Most changes that a round reads.
const PAGE: i64 = 2_048;
/// Farther behind than this, what is cached is dropped, which costs less than following.
const FAR_BEHIND: Revision = 32_768;
/// Where a gateway tells the others that it committed.
pub(super) const CHANNEL: &str = "ks";

/// What the feed shares with those who wait for it.
pub(super) struct Pulse {
    /// Rounds that were asked for: a round serves all that were asked for before it began.
    asked: AtomicU64,
    served: watch::Sender<u64>,
    urgent: Notify,
    /// Somebody committed.
    hint: Arc<Notify>,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Pulse {
            asked: AtomicU64::new(0),
            served: watch::Sender::new(0),
            urgent: Notify::new(),
            hint: Arc::new(Notify::new()),
        }
    }

    /// Asks for a round and does not wait for it.
    pub(super) fn kick(&self) {
        self.urgent.notify_one();
    }

    /// Waits for a round that begins after the call.
    ///
    /// # Errors
    /// Where none succeeds within the freshness's bound.
    pub(super) async fn round(&self, freshness: &Freshness) -> Result<(), StoreError> {
        let ticket = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        let mut served = self.served.subscribe();
        self.urgent.notify_one();
        let waited = tokio::time::timeout(freshness.bound(), served.wait_for(|served| *served >= ticket)).await;
        match waited {
            Ok(Ok(_)) => Ok(()),
            _ => Err(freshness.behind()),
        }
    }
}

/// What a round reads by.
struct Statements {
    head: Statement,
    changes: Statement,
    barrier: Statement,
}

pub(super) struct Feed {
    pub(super) connector: Arc<Connector>,
    pub(super) history: Arc<History>,
    pub(super) freshness: Arc<Freshness>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) measures: Arc<Measures>,
}

/// What a round found.
enum Found {
    /// All there is, up to this.
    All,
    /// There is more to read.
    More,
}

impl Feed {
    /// Follows for as long as it is polled.
    pub(super) async fn run(self) {
        let every = EVERY.min(self.freshness.bound() / 4);
        let mut at: Option<(Session, Statements)> = None;
        let mut first = 0;
        loop {
            let next = Instant::now() + every;
            match self.round(&mut at, first).await {
                Ok(Found::All) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(next) => {}
                        () = self.pulse.urgent.notified() => {}
                        () = self.hinted() => {}
                    }
                }
                Ok(Found::More) => {}
                Err(error) => {
                    if let Some((session, _)) = at.take() {
                        // The next one may be the primary by now.
                        first = session.host + 1;
                        session.abandon();
                    }
                    self.measures.failed_rounds.fetch_add(1, Ordering::Relaxed);
                    if self.freshness.note(error.to_string()) {
                        tracing::warn!(%error, "the database does not prove that it is up to date; trying again");
                    }
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    async fn hinted(&self) {
        self.pulse.hint.notified().await;
        tokio::time::sleep(GATHER).await;
    }

    async fn round(&self, at: &mut Option<(Session, Statements)>, first: usize) -> Result<Found, PostgresError> {
        if at.is_none() {
            *at = Some(self.connect(first).await?);
        }
        let Some((session, statements)) = at else { return Ok(Found::More) };
        let ticket = self.pulse.asked.load(Ordering::Acquire);
        let began = Moment::now();
        let last = self.history.head();
        let round = within(ROUND, read(session, statements, last.revision)).await?;
        self.connector.prove(session);
        self.measures.barrier(began.elapsed());
        let found = self.take(last, round)?;
        if let Found::All = found {
            self.freshness.prove(began);
            self.pulse.served.send_replace(ticket);
        }
        Ok(found)
    }

    async fn connect(&self, first: usize) -> Result<(Session, Statements), PostgresError> {
        let session = self.connector.connect_from(first, Some(&self.pulse.hint)).await?;
        let prepared = async {
            // A pooler between refuses this; then the rounds alone tell of changes.
            let _ = session.client.batch_execute(&format!("LISTEN {CHANNEL}")).await;
            Ok(Statements::prepare(&session).await?)
        };
        let statements = within(ROUND, prepared).await?;
        Ok((session, statements))
    }

    /// Holds what a round read to what is known, and takes it up.
    fn take(&self, last: Point, round: Round) -> Result<Found, PostgresError> {
        let Round { head, changes } = round;
        self.measures.lag.store(head.revision.saturating_sub(last.revision), Ordering::Relaxed);
        let doubt = if head.lineage != last.lineage {
            Some("the store has another lineage: it was restored or replaced")
        } else if head.revision < last.revision {
            Some("the store's head went back: commits were lost")
        } else if head.revision - last.revision > FAR_BEHIND {
            Some("this process is far behind")
        } else if last.revision > 0 && changes.first().is_none_or(|first| first.change.revision != last.revision) {
            Some("the changes that follow are no longer kept")
        } else if last.revision > 0 && changes.first().is_some_and(|first| first.id != last.id) {
            Some("the store's history is another one: commits were lost and others took their numbers")
        } else if !changes.windows(2).all(|two| two[0].change.revision + 1 == two[1].change.revision) {
            Some("a change is missing")
        } else {
            None
        };
        if let Some(doubt) = doubt {
            return self.restart(head, doubt);
        }
        self.history.extend(last, &changes);
        let known = self.history.head();
        // The writer of this process may have gone farther since.
        if known.revision < head.revision { Ok(Found::More) } else { Ok(Found::All) }
    }

    /// Drops everything that was known, and begins with what the round proved.
    fn restart(&self, head: Point, doubt: &str) -> Result<Found, PostgresError> {
        self.freshness.revoke();
        tracing::error!(
            lineage = %head.lineage, head = head.revision, known = self.history.head().revision,
            "{doubt}; everything cached is dropped"
        );
        self.measures.reloads.fetch_add(1, Ordering::Relaxed);
        self.history.restart(head).map_err(|error| PostgresError::Failed(error.to_string()))?;
        Ok(Found::All)
    }
}

/// What one round read.
struct Round {
    head: Point,
    /// From the last known commit, itself included, on.
    changes: Vec<Link>,
}

impl Statements {
    async fn prepare(session: &Session) -> Result<Self, tokio_postgres::Error> {
        Ok(Statements {
            head: session.client.prepare(HEAD).await?,
            changes: session
                .client
                .prepare("SELECT rev, commit_id, keys FROM ks_change WHERE rev >= $1 ORDER BY rev LIMIT $2")
                .await?,
            barrier: session.client.prepare("SELECT pg_logical_emit_message(true, 'ks', '')").await?,
        })
    }
}

/// The newest commit, as one row: lineage, revision, id.
pub(super) const HEAD: &str =
    "SELECT m.lineage, m.rev, (SELECT c.commit_id FROM ks_change c WHERE c.rev = m.rev) FROM ks_meta m";

/// Reads [`HEAD`].
pub(super) fn point_of(row: &Row) -> Result<Point, PostgresError> {
    let (lineage, revision): (Uuid, i64) = (row.get(0), row.get(1));
    let id = match row.get::<_, Option<Uuid>>(2) {
        Some(id) => id,
        None if revision == 0 => Uuid::nil(),
        None => return Err(PostgresError::Damaged(format!("ks_change has no row {revision}, the newest"))),
    };
    Ok(Point { lineage, revision: revision_of(revision), id })
}

/// The newest commit with a barrier after it: what a store begins with.
pub(super) async fn begin(session: &Session) -> Result<(Point, Moment), PostgresError> {
    let began = Moment::now();
    let statements = Statements::prepare(session).await?;
    let round = read(session, &statements, Revision::MAX >> 1).await?;
    Ok((round.head, began))
}

async fn read(session: &Session, statements: &Statements, last: Revision) -> Result<Round, PostgresError> {
    let client = &session.client;
    let last = i64::try_from(last).unwrap_or(i64::MAX);
    let after: Parameters<'_, 2> = [&last, &PAGE];
    let (begun, head, changes, barrier) = tokio::join!(biased;
        client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ"),
        client.query_one(&statements.head, &[]),
        client.query(&statements.changes, &after),
        client.query_one(&statements.barrier, &[]),
    );
    begun?;
    let (head, changes) = (point_of(&head?)?, changes?);
    barrier?;
    session.commit().await?;
    let link = |row: Row| Link {
        id: row.get(1),
        change: Change { revision: revision_of(row.get(0)), keys: row.get::<_, Vec<Vec<u8>>>(2).into() },
    };
    Ok(Round { head, changes: changes.into_iter().map(link).collect() })
}

/// Waits until a point that was read elsewhere is known, and answers where it stands.
pub(super) async fn settle(
    history: &History,
    pulse: &Pulse,
    freshness: &Freshness,
    point: Point,
) -> Result<Standing, StoreError> {
    let standing = history.standing(point);
    if standing != Standing::Ahead {
        return Ok(standing);
    }
    pulse.round(freshness).await?;
    Ok(history.standing(point))
}
