use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use http::uri::{Authority, Scheme};
use tokio::time::{Duration, Instant};

/// One URL of an upstream, with what its last requests told of it.
pub(super) struct Endpoint {
    pub(super) scheme: Scheme,
    pub(super) authority: Authority,
    /// Failures in a row.
    failures: AtomicU32,
    began: Instant,
    /// Milliseconds after `began` until which it is left alone.
    out_until: AtomicU64,
}

impl Endpoint {
    /// Of a URL that the configuration has checked.
    pub(super) fn new(url: &str) -> Option<Self> {
        let uri: http::Uri = url.parse().ok()?;
        let parts = uri.into_parts();
        Some(Self {
            scheme: parts.scheme?,
            authority: parts.authority?,
            failures: AtomicU32::new(0),
            began: Instant::now(),
            out_until: AtomicU64::new(0),
        })
    }

    pub(super) fn is_out(&self) -> bool {
        self.passed() < self.out_until.load(Ordering::Relaxed)
    }

    pub(super) fn answered(&self) {
        self.failures.store(0, Ordering::Relaxed);
    }

    /// Counts a failure; with `most` in a row it is left alone for a time, and the next failure after
    /// that is enough for another.
    pub(super) fn failed(&self, most: u32, time: Duration) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if failures >= most {
            let until = self.passed().saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
            self.out_until.store(until, Ordering::Relaxed);
            tracing::warn!(upstream = %self.authority, failures, "an upstream is left alone for a time");
        }
    }

    fn passed(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_that_fails_again_and_again_is_left_alone_for_a_time() {
        let endpoint = Endpoint::new("http://127.0.0.1:1").unwrap();
        let hour = Duration::from_hours(1);
        endpoint.failed(2, hour);
        endpoint.answered();
        endpoint.failed(2, hour);
        assert!(!endpoint.is_out());
        endpoint.failed(2, hour);
        assert!(endpoint.is_out());
        // The time is over at once; one more failure is enough for another.
        endpoint.failed(2, Duration::ZERO);
        assert!(!endpoint.is_out());
        endpoint.failed(2, hour);
        assert!(endpoint.is_out());
    }
}
