use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::store::{Freshness, Reading};

/// What operators measure of the store.
#[derive(Default)]
pub(super) struct Measures {
    pub(super) commits: AtomicU64,
    pub(super) conflicts: AtomicU64,
    /// Attempts whose outcome was unknown; most are resolved by trying again.
    pub(super) unknown: AtomicU64,
    pub(super) unresolved: AtomicU64,
    pub(super) reloads: AtomicU64,
    pub(super) lag: AtomicU64,
    pub(super) failed_rounds: AtomicU64,
    rounds: AtomicU64,
    rounds_microseconds: AtomicU64,
    last_round_microseconds: AtomicU64,
}

impl Measures {
    /// A round took so long.
    pub(super) fn barrier(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.rounds.fetch_add(1, Ordering::Relaxed);
        self.rounds_microseconds.fetch_add(took, Ordering::Relaxed);
        self.last_round_microseconds.store(took, Ordering::Relaxed);
    }

    pub(super) fn readings(&self, freshness: &Freshness) -> Vec<Reading> {
        let row = |name, help, counts, value| Reading { name, help, counts, value };
        let counter = |name, help, count: &AtomicU64| row(name, help, true, count.load(Ordering::Relaxed));
        let gauge = |name, help, value: &AtomicU64| row(name, help, false, value.load(Ordering::Relaxed));
        let age = freshness.age().map_or(u64::MAX, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        vec![
            row("store_fresh", "Whether the staleness bound is kept", false, freshness.holds().into()),
            row("store_staleness_milliseconds", "Age of the newest proof of being up to date", false, age),
            counter("store_barriers", "Barriers that were answered", &self.rounds),
            counter("store_barrier_microseconds", "Time that barriers took, all together", &self.rounds_microseconds),
            gauge("store_barrier_last_microseconds", "Time that the last barrier took", &self.last_round_microseconds),
            counter("store_barrier_failures", "Barriers that were not answered", &self.failed_rounds),
            counter("store_commits", "Commits of this process", &self.commits),
            counter("store_conflicts", "Commits of this process that met a conflict", &self.conflicts),
            counter("store_unknown_outcomes", "Attempts to commit whose outcome was unknown", &self.unknown),
            counter("store_unresolved_outcomes", "Commits whose outcome stayed unknown", &self.unresolved),
            counter("store_reloads", "Times that everything cached was dropped", &self.reloads),
            gauge("store_feed_lag", "Commits of others that the last barrier found", &self.lag),
        ]
    }
}
