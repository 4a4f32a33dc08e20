use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

/// How long a body waits for others to be done.
const WAIT: Duration = Duration::from_secs(1);

/// Bytes of bodies that may be in memory before their signatures are proven, of all connections together.
pub(in super::super) struct Budget {
    free: Semaphore,
}

/// What one body has taken of a budget, until it is dropped.
pub(in super::super) struct Reserved<'a> {
    budget: &'a Budget,
    permit: Option<SemaphorePermit<'a>>,
}

/// There was no room in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Exhausted;

impl Budget {
    pub(super) fn new(bytes: u64) -> Self {
        let size = usize::try_from(bytes).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { free: Semaphore::new(size) }
    }

    /// Nothing yet.
    pub(in super::super) fn reserve(&self) -> Reserved<'_> {
        Reserved { budget: self, permit: None }
    }
}

impl Reserved<'_> {
    /// Takes more, piece by piece as it comes: who only announces a body takes nothing.
    ///
    /// # Errors
    /// Others hold too much, for too long.
    pub(in super::super) async fn take(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let bytes = u32::try_from(bytes).map_err(|_| Exhausted)?;
        let more = if let Ok(more) = self.budget.free.try_acquire_many(bytes) {
            more
        } else {
            let waiting = tokio::time::timeout(WAIT, self.budget.free.acquire_many(bytes)).await;
            waiting.ok().and_then(Result::ok).ok_or(Exhausted)?
        };
        match &mut self.permit {
            Some(held) => held.merge(more),
            none @ None => *none = Some(more),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bodies_fill_the_budget_to_its_last_byte_and_one_more_waits_in_vain() {
        let budget = Budget::new(10);
        let (mut first, mut second) = (budget.reserve(), budget.reserve());
        first.take(4).await.unwrap();
        first.take(3).await.unwrap();
        second.take(3).await.unwrap();
        assert_eq!(budget.free.available_permits(), 0);
        assert_eq!(second.take(1).await, Err(Exhausted));
        assert_eq!(second.take(0).await, Ok(()));
        let (waited, ()) = tokio::join!(second.take(5), async move {
            tokio::time::sleep(WAIT / 2).await;
            drop(first);
        });
        assert_eq!((waited, budget.free.available_permits()), (Ok(()), 2));
        drop(second);
        assert_eq!(budget.free.available_permits(), 10);
    }
}
