use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// Where time comes from. No code outside this file asks the system for the date.
///
/// Two clocks run in a server: wall-clock for signatures, the dates of responses and audit
/// times, and the engine's clock ([`OffsetClock`]) for schedules, policies and sessions.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time now, to the millisecond.
    fn now(&self) -> Timestamp;
}

/// Wall-clock time.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let milliseconds = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::MAX)
    }
}

/// Another clock moved forward by an offset that only grows: the engine's clock.
#[derive(Clone, Debug)]
pub struct OffsetClock {
    base: Arc<dyn Clock>,
    offset_seconds: Arc<AtomicI64>,
}

impl OffsetClock {
    /// A clock `offset_seconds` ahead of `base`.
    #[must_use]
    pub fn new(base: Arc<dyn Clock>, offset_seconds: i64) -> Self {
        Self { base, offset_seconds: Arc::new(AtomicI64::new(offset_seconds)) }
    }

    /// Seconds ahead of the base clock.
    #[must_use]
    pub fn offset_seconds(&self) -> i64 {
        self.offset_seconds.load(Ordering::Acquire)
    }

    /// What time it is by the base clock.
    #[must_use]
    pub fn base_now(&self) -> Timestamp {
        self.base.now()
    }

    /// Sets the offset; one smaller than the present offset is ignored, for time never goes back.
    pub fn set_offset_seconds(&self, seconds: i64) {
        self.offset_seconds.fetch_max(seconds, Ordering::AcqRel);
    }
}

impl Clock for OffsetClock {
    fn now(&self) -> Timestamp {
        let offset = jiff::SignedDuration::from_secs(self.offset_seconds());
        self.base.now().checked_add(offset).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_clock_runs_ahead_and_never_back() {
        let clock = OffsetClock::new(Arc::new(SystemClock), 0);
        let before = clock.now();
        clock.set_offset_seconds(3600);
        clock.set_offset_seconds(60);
        assert_eq!(clock.offset_seconds(), 3600);
        assert!(clock.now().duration_since(before).as_secs() >= 3600);
    }
}
