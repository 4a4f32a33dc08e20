//! How old the newest proof is that nothing acknowledged elsewhere is missing here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::StoreError;

/// Whether what is known of others' commits is recent enough to decide by.
///
/// A proof is dated by the moment BEFORE it was asked for, by a clock that goes on while the machine
/// is suspended. It is asked at each use, and not kept by a task: a process that was stopped finds
/// out before it serves anything.
#[derive(Debug)]
pub struct Freshness {
    bound: Duration,
    /// Nanoseconds since the machine started, of the last proof; 0 where there is none.
    proven_at: AtomicU64,
    /// Why there is no newer proof, for operators.
    trouble: Mutex<Option<String>>,
}

/// A moment by the clock of proofs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment(u64);

impl Moment {
    pub(super) fn now() -> Self {
        Moment(nanoseconds())
    }

    pub(super) fn elapsed(self) -> Duration {
        Duration::from_nanos(nanoseconds().saturating_sub(self.0))
    }
}

/// Since the machine started, the time in which it slept included where the system tells that.
fn nanoseconds() -> u64 {
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    let now = rustix::time::clock_gettime(clock);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(now.tv_nsec).unwrap_or_default())
}

impl Freshness {
    /// Nothing is proven yet.
    pub(super) fn new(bound: Duration) -> Self {
        Freshness { bound, proven_at: AtomicU64::new(0), trouble: Mutex::new(None) }
    }

    /// How old a proof may be.
    #[must_use]
    pub fn bound(&self) -> Duration {
        self.bound
    }

    /// Whether the last proof is recent enough.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.age().is_some_and(|age| age <= self.bound)
    }

    /// [`Freshness::holds`], with the reason where it does not.
    ///
    /// # Errors
    /// [`StoreError::Behind`].
    pub fn check(&self) -> Result<(), StoreError> {
        if self.holds() { Ok(()) } else { Err(self.behind()) }
    }

    /// How old the last proof is; none where there is none.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        match self.proven_at.load(Ordering::Acquire) {
            0 => None,
            at => Some(Moment(at).elapsed()),
        }
    }

    /// Everything acknowledged before that moment is known here.
    pub(super) fn prove(&self, at: Moment) {
        self.proven_at.fetch_max(at.0.max(1), Ordering::Release);
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// What was proven holds no longer.
    pub(super) fn revoke(&self) {
        self.proven_at.store(0, Ordering::Release);
    }

    /// Why there is no proof now. Answers whether that is news.
    pub(super) fn note(&self, trouble: String) -> bool {
        let mut noted = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = noted.is_none();
        *noted = Some(trouble);
        is_news
    }

    pub(super) fn behind(&self) -> StoreError {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let trouble = trouble.unwrap_or_else(|| "the database has not answered yet".to_owned());
        StoreError::Behind(match self.age() {
            Some(age) => format!("the last proof is {} ms old; {trouble}", age.as_millis()),
            None => trouble,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_as_old_as_the_moment_before_it_was_asked_for() {
        let freshness = Freshness::new(Duration::from_millis(40));
        assert!(!freshness.holds() && freshness.age().is_none(), "nothing is proven at first");
        let before = Moment::now();
        freshness.prove(before);
        assert!(freshness.holds());
        std::thread::sleep(Duration::from_millis(50));
        assert!(!freshness.holds());
        assert!(freshness.note("the primary is gone".into()), "news");
        assert!(!freshness.note("the primary is gone".into()));
        let Err(StoreError::Behind(text)) = freshness.check() else { panic!("it is behind") };
        assert!(text.ends_with("the primary is gone"), "{text}");
        freshness.prove(before);
        assert!(!freshness.holds(), "an old proof that comes late proves nothing new");
        freshness.prove(Moment::now());
        assert!(freshness.holds());
        freshness.revoke();
        assert!(!freshness.holds());
    }
}
