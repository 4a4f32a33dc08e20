use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::kms::error::KmsError;

/// Work that takes a processor for milliseconds (RSA's private operation) or seconds (generating an
/// RSA key). It runs on threads of its own, so that no other request waits behind it, and each kind
/// on no more threads than there are processors, so that the requests' own threads get their share.
pub(super) struct Heavy {
    generating: Arc<Semaphore>,
    computing: Arc<Semaphore>,
}

impl Heavy {
    pub(super) fn new() -> Self {
        let processors = available_parallelism().map_or(1, usize::from);
        Self {
            generating: Arc::new(Semaphore::new(processors.div_ceil(2))),
            computing: Arc::new(Semaphore::new(processors)),
        }
    }

    /// Work of seconds.
    pub(super) async fn generate<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, KmsError> {
        run(&self.generating, work).await
    }

    /// Work of milliseconds.
    pub(super) async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, KmsError> {
        run(&self.computing, work).await
    }
}

async fn run<T: Send + 'static>(
    places: &Arc<Semaphore>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, KmsError> {
    let place = Arc::clone(places).acquire_owned().await.map_err(|error| KmsError::internal(error.to_string()))?;
    // The place is the work's: it is kept where the request is given up.
    let working = spawn_blocking(move || {
        let _place = place;
        work()
    });
    working.await.map_err(|error| KmsError::internal(error.to_string()))
}
