//! What is known of the store's history: which commits, by their ids, and what they wrote.
//!
//! A revision is only a number: after a fail-over that lost commits, or a restore, the same number
//! names another commit. So what is read anywhere is held to the commit's id as well, and where that
//! differs the history begins anew: nothing that was cached before is served again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use uuid::Uuid;

use crate::store::recent::Changes;
use crate::store::stamps::{LAST_HISTORY, stamp};
use crate::store::{Change, ChangeStamps, Revision, Stamp, StoreError};

/// How many ids of commits are remembered: 1 MiB of them.
const IDS: usize = 65_536;

/// A commit, as a point of the history. The id is nil before the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) lineage: Uuid,
    pub(super) revision: Revision,
    pub(super) id: Uuid,
}

/// A commit with what it wrote.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) id: Uuid,
    pub(super) change: Change,
}

/// Where a point stands to what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is of this history, and what is read there bears this stamp.
    Known(Stamp),
    /// It is newer than what is known here.
    Ahead,
    /// It is of another history, or too old to tell.
    Foreign,
}

pub(super) struct History {
    inner: Mutex<Inner>,
    stamps: Arc<ChangeStamps>,
    /// Tells those who wait how far the history is known.
    reached: watch::Sender<Revision>,
}

struct Inner {
    lineage: Uuid,
    /// How often the history began anew.
    number: u32,
    head: Revision,
    /// The newest that this process acknowledged, or the head: others may have committed in between.
    acknowledged: Revision,
    /// Of the revisions up to the head, the newest last; never empty.
    ids: VecDeque<Uuid>,
    changes: Changes,
}

impl History {
    pub(super) fn new(at: Point) -> Self {
        let inner = Inner {
            lineage: at.lineage,
            number: 0,
            head: at.revision,
            acknowledged: at.revision,
            ids: VecDeque::from([at.id]),
            changes: Changes::after(at.revision),
        };
        History {
            inner: Mutex::new(inner),
            stamps: Arc::new(ChangeStamps::new(stamp(0, at.revision))),
            reached: watch::Sender::new(at.revision),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stamps(&self) -> &Arc<ChangeStamps> {
        &self.stamps
    }

    /// The newest commit that is known.
    pub(super) fn head(&self) -> Point {
        let inner = self.lock();
        Point { lineage: inner.lineage, revision: inner.head, id: inner.ids.back().copied().unwrap_or_default() }
    }

    /// Which history this is, and how much of it is known here or was acknowledged by this process.
    pub(super) fn reached(&self) -> (Uuid, Revision) {
        let inner = self.lock();
        (inner.lineage, inner.acknowledged.max(inner.head))
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Revision> {
        self.reached.subscribe()
    }

    /// The oldest of the changes after a revision.
    pub(super) fn since(&self, after: Revision) -> Result<Vec<Change>, StoreError> {
        self.lock().changes.since(after)
    }

    pub(super) fn standing(&self, point: Point) -> Standing {
        self.lock().standing(point)
    }

    /// Commits of this process, or of others, that are durable and that follow `after`: their keys are
    /// stamped before anyone is told. What does not join on to what is known is left to the feed.
    pub(super) fn extend(&self, after: Point, links: &[Link]) {
        let mut inner = self.lock();
        for link in links {
            for key in link.change.keys.iter() {
                self.stamps.raise(key, stamp(inner.number, link.change.revision));
            }
        }
        let newest = links.last().map_or(0, |link| link.change.revision);
        inner.acknowledged = inner.acknowledged.max(newest);
        if !matches!(inner.standing(after), Standing::Known(_)) {
            return;
        }
        for link in links {
            if link.change.revision == inner.head + 1 {
                inner.push(link.clone());
            }
        }
        let head = inner.head;
        drop(inner);
        self.reached.send_replace(head);
    }

    /// Another history took the place of the one that was known: nothing cached before is served again.
    ///
    /// # Errors
    /// Where that happened a million times: the process must be started anew.
    pub(super) fn restart(&self, at: Point) -> Result<(), StoreError> {
        let mut inner = self.lock();
        if inner.number == LAST_HISTORY {
            return Err(StoreError::Behind("the history changed too often: restart".into()));
        }
        inner.number += 1;
        inner.lineage = at.lineage;
        inner.head = at.revision;
        inner.acknowledged = at.revision;
        inner.ids = VecDeque::from([at.id]);
        inner.changes = Changes::after(at.revision);
        // While the lock is held: what is read in the new history gets its stamp under it.
        self.stamps.raise_all(stamp(inner.number, 0));
        drop(inner);
        self.reached.send_replace(at.revision);
        Ok(())
    }
}

impl Inner {
    fn standing(&self, point: Point) -> Standing {
        if point.lineage != self.lineage {
            return Standing::Foreign;
        }
        let Some(back) = self.head.checked_sub(point.revision) else { return Standing::Ahead };
        let at = usize::try_from(back).ok().and_then(|back| self.ids.len().checked_sub(back + 1));
        match at.and_then(|at| self.ids.get(at)) {
            Some(id) if *id == point.id => Standing::Known(stamp(self.number, point.revision)),
            _ => Standing::Foreign,
        }
    }

    fn push(&mut self, link: Link) {
        self.head = link.change.revision;
        self.ids.push_back(link.id);
        if self.ids.len() > IDS {
            self.ids.pop_front();
        }
        self.changes.push(link.change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(lineage: u128, revision: Revision, id: u128) -> Point {
        Point { lineage: Uuid::from_u128(lineage), revision, id: Uuid::from_u128(id) }
    }

    fn link(revision: Revision, id: u128, key: &str) -> Link {
        Link { id: Uuid::from_u128(id), change: Change { revision, keys: vec![key.into()].into() } }
    }

    #[test]
    fn what_follows_joins_and_what_does_not_is_stamped_only() {
        let history = History::new(point(7, 10, 100));
        history.extend(point(7, 10, 100), &[link(11, 110, "a"), link(12, 120, "b")]);
        assert_eq!(history.head(), point(7, 12, 120));
        history.extend(point(7, 13, 130), &[link(14, 140, "c")]);
        assert_eq!(history.head(), point(7, 12, 120), "13 is missing");
        assert_eq!(history.stamps().of(b"c"), 14);
        // The feed brings what is missing, and again what is known.
        history.extend(point(7, 11, 110), &[link(12, 120, "b"), link(13, 130, "x"), link(14, 140, "c")]);
        assert_eq!(history.head(), point(7, 14, 140));
        assert_eq!(history.since(12).unwrap().len(), 2);
    }

    #[test]
    fn a_number_is_not_a_commit() {
        let history = History::new(point(7, 10, 100));
        history.extend(point(7, 10, 100), &[link(11, 110, "a")]);
        assert_eq!(history.standing(point(7, 11, 110)), Standing::Known(11));
        assert_eq!(history.standing(point(7, 10, 100)), Standing::Known(10));
        for foreign in [point(7, 11, 111), point(8, 11, 110), point(7, 9, 90), point(8, 12, 120)] {
            assert_eq!(history.standing(foreign), Standing::Foreign, "{foreign:?}");
        }
        assert_eq!(history.standing(point(7, 12, 120)), Standing::Ahead);
        history.extend(point(7, 11, 111), &[link(12, 121, "a")]);
        assert_eq!(history.head(), point(7, 11, 110), "it follows another commit");
    }

    #[test]
    fn a_history_that_begins_anew_outdates_all_that_was_read_before() {
        let history = History::new(point(7, 50, 1));
        let Standing::Known(before) = history.standing(point(7, 50, 1)) else { panic!("known") };
        history.restart(point(8, 20, 2)).unwrap();
        assert!(history.stamps().of(b"anything") > before);
        let Standing::Known(after) = history.standing(point(8, 20, 2)) else { panic!("known") };
        assert!(history.stamps().of(b"anything") <= after, "though its revision is lower");
        assert_eq!(history.standing(point(7, 50, 1)), Standing::Foreign);
        assert!(matches!(history.since(19), Err(StoreError::Compacted(19))));
    }
}
