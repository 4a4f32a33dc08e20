use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::Clock;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use moka::sync::Cache;

use crate::config::RequestLimits;

/// Who is counted at once. Those that ask most often stay; who comes new to a full table is forgotten
/// first, which gives it no more than a burst each time.
const COUNTED: u64 = 1 << 17;

/// Requests under way, and the room that a rate has left, for each of many.
pub(super) struct Counts<K> {
    limits: RequestLimits,
    counts: Cache<K, Arc<Count>>,
}

struct Count {
    rate: Option<DefaultDirectRateLimiter>,
    under_way: AtomicU32,
}

/// A place among the requests that are under way at once, until it is dropped.
pub(in super::super) struct Turn(Arc<Count>);

/// One request too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Excess {
    /// Whole seconds after which another one may be let through; one at the least.
    pub(in super::super) retry_after: u64,
}

impl<K: Eq + Hash + Send + Sync + 'static> Counts<K> {
    pub(super) fn new(limits: RequestLimits) -> Self {
        // By then a rate has room again for all that it ever has.
        let full = limits.requests_per_second.map_or(0, |rate| limits.burst.div_ceil(rate));
        let forgotten_after = Duration::from_mins(1) + Duration::from_secs(full.into());
        Self { limits, counts: Cache::builder().max_capacity(COUNTED).time_to_idle(forgotten_after).build() }
    }

    /// Lets a request in; a turn only where their number at once is limited.
    ///
    /// # Errors
    /// One too many.
    pub(super) fn enter(&self, who: K) -> Result<Option<Turn>, Excess> {
        let count = self.counts.get_with(who, || Arc::new(Count::new(self.limits)));
        let turn = match self.limits.requests_at_once {
            None => None,
            Some(most) => Some(Turn::take(&count, most).ok_or(Excess { retry_after: 1 })?),
        };
        if let Some(rate) = &count.rate
            && let Err(not_until) = rate.check()
        {
            let wait = not_until.wait_time_from(rate.clock().now());
            let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            return Err(Excess { retry_after: whole.max(1) });
        }
        Ok(turn)
    }
}

impl Count {
    fn new(limits: RequestLimits) -> Self {
        let rate = limits.requests_per_second.and_then(NonZeroU32::new).map(|rate| {
            let burst = NonZeroU32::new(limits.burst).unwrap_or(NonZeroU32::MIN);
            RateLimiter::direct(Quota::per_second(rate).allow_burst(burst))
        });
        Self { rate, under_way: AtomicU32::new(0) }
    }
}

impl Turn {
    fn take(count: &Arc<Count>, most: u32) -> Option<Self> {
        let one_more = |under_way: u32| (under_way < most).then(|| under_way + 1);
        count.under_way.try_update(Ordering::AcqRel, Ordering::Acquire, one_more).ok()?;
        Some(Self(Arc::clone(count)))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(requests_per_second: Option<u32>, burst: u32, requests_at_once: Option<u32>) -> Counts<u8> {
        Counts::new(RequestLimits { requests_per_second, burst, requests_at_once })
    }

    #[test]
    fn a_burst_is_let_in_and_then_one_too_many_waits() {
        // At one a second, a test that takes a second for four calls would be the only one to fail.
        let counts = counts(Some(1), 3, None);
        for _ in 0..3 {
            assert!(counts.enter(1).is_ok());
        }
        assert_eq!(counts.enter(1).err(), Some(Excess { retry_after: 1 }));
        assert!(counts.enter(2).is_ok(), "another one has its own");
    }

    #[test]
    fn requests_at_once_are_those_that_are_not_over() {
        let counts = counts(None, 1, Some(2));
        let first = counts.enter(1).unwrap();
        let second = counts.enter(1).unwrap();
        assert_eq!(counts.enter(1).err(), Some(Excess { retry_after: 1 }));
        drop(first);
        let third = counts.enter(1).unwrap();
        assert!(counts.enter(1).is_err());
        drop((second, third));
        assert!(counts.enter(1).is_ok());
    }

    #[test]
    fn what_the_rate_refuses_takes_no_place() {
        let counts = counts(Some(1), 1, Some(1));
        drop(counts.enter(1).unwrap());
        assert!(counts.enter(1).is_err());
        assert_eq!(counts.counts.get(&1).unwrap().under_way.load(Ordering::Acquire), 0);
    }

    #[test]
    fn however_many_ask_the_memory_for_it_is_bounded() {
        let counts = Counts::new(RequestLimits { requests_per_second: Some(1), burst: 1, requests_at_once: None });
        for who in 0..COUNTED + COUNTED / 2 {
            let _ = counts.enter(who);
        }
        counts.counts.run_pending_tasks();
        assert!(counts.counts.entry_count() <= COUNTED);
    }
}
