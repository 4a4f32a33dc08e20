//! A store that fails when it is told to.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keystile::store::{
    BoxFuture, Change, ChangeStamps, Commit, CommitError, Revision, Rows, Snapshot, Store, StoreError, Versioned,
};

/// Another store, until it is broken.
pub(crate) struct Failing {
    store: Arc<dyn Store>,
    broken: Arc<AtomicBool>,
}

impl Failing {
    pub(crate) fn over(store: Arc<dyn Store>) -> (Self, Arc<AtomicBool>) {
        let broken = Arc::<AtomicBool>::default();
        (Self { store, broken: Arc::clone(&broken) }, broken)
    }

    fn works(&self) -> Result<(), StoreError> {
        works(&self.broken)
    }
}

fn works(broken: &AtomicBool) -> Result<(), StoreError> {
    if broken.load(Ordering::Relaxed) { Err(StoreError::Unavailable("it is broken".to_owned())) } else { Ok(()) }
}

struct View {
    snapshot: Box<dyn Snapshot>,
    broken: Arc<AtomicBool>,
}

impl Snapshot for View {
    fn revision(&self) -> Revision {
        self.snapshot.revision()
    }

    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Versioned>, StoreError>> {
        Box::pin(async move {
            works(&self.broken)?;
            self.snapshot.get(key).await
        })
    }

    fn range(&self, range: Range<Vec<u8>>, limit: usize) -> BoxFuture<'_, Result<Rows, StoreError>> {
        Box::pin(async move {
            works(&self.broken)?;
            self.snapshot.range(range, limit).await
        })
    }
}

impl Store for Failing {
    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>, StoreError>> {
        Box::pin(async move {
            self.works()?;
            let snapshot = self.store.snapshot().await?;
            Ok(Box::new(View { snapshot, broken: Arc::clone(&self.broken) }) as Box<dyn Snapshot>)
        })
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Revision, CommitError>> {
        Box::pin(async move {
            self.works().map_err(|error| CommitError::Refused(error.to_string()))?;
            self.store.commit(commit).await
        })
    }

    fn head(&self) -> BoxFuture<'_, Result<Revision, StoreError>> {
        Box::pin(async move {
            self.works()?;
            self.store.head().await
        })
    }

    fn watch(&self, after: Revision) -> BoxFuture<'_, Result<Vec<Change>, StoreError>> {
        self.store.watch(after)
    }

    fn stamps(&self) -> Arc<ChangeStamps> {
        self.store.stamps()
    }
}
