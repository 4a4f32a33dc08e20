//! The data file as redb sees it, with a spare file beside it against a full disk.
//!
//! redb gives up for good after any failed write, so a full disk must not show in the middle of a
//! commit. A spare file holds space that only this process can free. When a write finds the disk
//! full, the spare is emptied and the write tried again, so the commit under way ends well; no
//! other begins until the spare could be filled again.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use ::redb::{BackendError, StorageBackend};

/// The spare file.
#[derive(Debug)]
pub(super) struct Spare {
    path: PathBuf,
    bytes: u64,
    /// It was emptied, and not filled since.
    spent: AtomicBool,
}

impl Spare {
    pub(super) fn new(path: PathBuf, bytes: u64) -> Self {
        Spare { path, bytes, spent: AtomicBool::new(true) }
    }

    /// Fills the spare if it is not full; an error means that there is no space to begin a commit.
    pub(super) fn fill(&self) -> io::Result<()> {
        if !self.spent.load(Ordering::Acquire) {
            return Ok(());
        }
        let result = self.write_all();
        match &result {
            Ok(()) => self.spent.store(false, Ordering::Release),
            // What was written of it goes back to whoever needs it.
            Err(_) => drop(self.truncate()),
        }
        result
    }

    /// Gives the spare's space back to the disk; whether there was any.
    fn spend(&self) -> bool {
        !self.spent.swap(true, Ordering::AcqRel) && self.truncate().is_ok()
    }

    fn write_all(&self) -> io::Result<()> {
        let mut file = private_file().truncate(false).open(&self.path)?;
        if file.metadata()?.len() == self.bytes {
            return Ok(());
        }
        file.set_len(0)?;
        // Not zeros, which some file systems store as nothing.
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut left = self.bytes;
        while left > 0 {
            let chunk: Vec<u8> = (0..8192)
                .flat_map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    state.to_le_bytes()
                })
                .collect();
            let take = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
            file.write_all(&chunk[..take])?;
            left -= take as u64;
        }
        Ok(())
    }

    fn truncate(&self) -> io::Result<()> {
        private_file().truncate(true).open(&self.path).map(drop)
    }
}

/// Options that create a file which its owner alone may read.
pub(super) fn private_file() -> OpenOptions {
    let mut options = File::options();
    options.read(true).write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// The worst that happened to the data file since it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Failure {
    /// Nothing.
    None,
    /// A read or write failed: what was synchronised before still stands.
    Io,
    /// Synchronising failed: the system may have dropped pages that it reports as clean, so
    /// nothing read from now on proves what is on the disk.
    Sync,
}

/// What the backend, which redb owns, tells the writer.
#[derive(Debug, Default)]
pub(super) struct Health(AtomicU8);

impl Health {
    pub(super) fn failure(&self) -> Failure {
        match self.0.load(Ordering::Acquire) {
            0 => Failure::None,
            1 => Failure::Io,
            _ => Failure::Sync,
        }
    }

    fn note<T>(&self, failure: Failure, result: io::Result<T>) -> io::Result<T> {
        if result.is_err() {
            self.0.fetch_max(failure as u8, Ordering::AcqRel);
        }
        result
    }
}

/// A file, the spare that saves its writes from a full disk, and its health.
#[derive(Debug)]
pub(super) struct Backend {
    pub(super) file: Box<dyn StorageBackend>,
    pub(super) spare: Arc<Spare>,
    pub(super) health: Arc<Health>,
}

impl Backend {
    fn saved(&self, operation: impl Fn() -> io::Result<()>) -> io::Result<()> {
        let result = match operation() {
            Err(error) if is_full(&error) && self.spare.spend() => {
                tracing::error!(%error, "the disk is full: no more commits until there is space");
                operation()
            }
            result => result,
        };
        self.health.note(Failure::Io, result)
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.health.note(Failure::Io, self.file.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.health.note(Failure::Io, self.file.read(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.saved(|| self.file.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.health.note(Failure::Sync, self.file.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.saved(|| self.file.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
