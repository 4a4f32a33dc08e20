//! The rotation of the root key: its keys from the configuration, its work from the engine.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};

use crate::config::{ConfigError, RootKeySource};
use crate::kms::{Kms, KmsError};

/// The wait before what failed is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// Why the root key was not rotated, or not to the end.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The root keys can't be read or written where they are configured.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The engine refused or failed.
    #[error("{}", .0.internal_text().unwrap_or("the engine refused"))]
    Kms(#[from] KmsError),
}

/// How a rotation of the root key goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationStatus {
    /// Whether there is still something to do.
    pub under_way: bool,
    /// The id of the root key that is replaced; none before the first rotation of this process.
    pub from: Option<String>,
    /// The id of the one that takes its place.
    pub to: Option<String>,
    /// How many wrapped secrets were wrapped anew since the process started or the rotation began.
    pub rewrapped: u64,
    /// What failed last; it is tried again.
    pub error: Option<String>,
}

/// Rotates the root key of a data directory that no server uses: a rotation that was cut short is
/// completed, otherwise a new one is done. `progress` is told how many were wrapped anew since
/// it was told last.
///
/// # Errors
/// [`RotationError`]; calling it again goes on.
pub async fn rotate_root_key(
    kms: &Kms,
    source: &RootKeySource,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<RotationStatus, RotationError> {
    let mut status = begin(kms, source).await?;
    complete(kms, source, progress).await?;
    status.under_way = false;
    Ok(status)
}

/// The next root key is durable before the first that it wraps.
async fn begin(kms: &Kms, source: &RootKeySource) -> Result<RotationStatus, RotationError> {
    let ids = kms.root_key_ids();
    if ids.next.is_none() {
        source.settle(&ids.current)?;
        kms.begin_root_key_rotation(&source.next(&ids.current)?).await?;
    }
    Ok(under_way(kms))
}

fn under_way(kms: &Kms) -> RotationStatus {
    let ids = kms.root_key_ids();
    RotationStatus { under_way: true, from: Some(ids.current), to: ids.next, ..RotationStatus::default() }
}

/// The files last: until then both keys are where they were.
async fn complete(kms: &Kms, source: &RootKeySource, progress: &(dyn Fn(u64) + Sync)) -> Result<(), RotationError> {
    let ids = kms.root_key_ids();
    let accept_swapped = || ids.next.as_ref().map_or(Ok(()), |next| source.accept_swapped(&ids.current, next));
    // Before the end, so that the present key is under its id however this is cut short; and after
    // it, for files that were swapped meanwhile.
    accept_swapped()?;
    kms.complete_root_key_rotation(progress).await?;
    accept_swapped()?;
    source.settle(&kms.root_key_ids().current)?;
    Ok(())
}

/// The rotations of a server: one at a time, each to its end.
pub(super) struct Rotator {
    source: RootKeySource,
    status: Mutex<RotationStatus>,
    /// Held while a rotation begins.
    beginning: tokio::sync::Mutex<()>,
    begun: Notify,
}

impl Rotator {
    /// A rotation that the last process did not complete is under way again.
    pub(super) fn new(kms: &Kms, source: RootKeySource) -> Self {
        let status = if kms.root_key_ids().next.is_some() { under_way(kms) } else { RotationStatus::default() };
        Self { source, status: Mutex::new(status), beginning: tokio::sync::Mutex::default(), begun: Notify::new() }
    }

    pub(super) fn status(&self) -> RotationStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins a rotation, or joins the one that is under way.
    pub(super) async fn begin(&self, kms: &Kms) -> Result<RotationStatus, RotationError> {
        let _one = self.beginning.lock().await;
        let status = self.status();
        if status.under_way {
            return Ok(status);
        }
        let status = begin(kms, &self.source).await?;
        tracing::info!(from = status.from, to = status.to, "the root key is being rotated");
        self.update(|present| present.clone_from(&status));
        self.begun.notify_one();
        Ok(status)
    }

    /// Completes what is under way, whenever something is, until `stop` turns true.
    pub(super) async fn run(&self, kms: &Kms, mut stop: watch::Receiver<bool>) {
        let work = async {
            loop {
                if !self.status().under_way {
                    self.begun.notified().await;
                    continue;
                }
                let progress = |count| self.update(|status| status.rewrapped += count);
                match complete(kms, &self.source, &progress).await {
                    Ok(()) => {
                        self.update(|status| (status.under_way, status.error) = (false, None));
                        let status = self.status();
                        tracing::info!(to = status.to, rewrapped = status.rewrapped, "the root key was rotated");
                    }
                    Err(error) => {
                        let text = error.to_string();
                        // Once for each thing that fails: a full disk would fill the log as well.
                        if self.status().error.as_ref() != Some(&text) {
                            tracing::error!(%error, "the root key's rotation stopped; trying again");
                        }
                        self.update(|status| status.error = Some(text));
                        tokio::time::sleep(RETRY).await;
                    }
                }
            }
        };
        tokio::select! {
            () = work => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    fn update(&self, change: impl FnOnce(&mut RotationStatus)) {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
