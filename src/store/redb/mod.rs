//! The embedded store: one data file, one process, one thread that commits.
//!
//! Keys are bytes in order; a value is stored behind the eight bytes of its `mod_rev`, big-endian.
//! A second table holds the format's version, the lineage and the head. Reads go to the file from
//! the calling thread (a page that is not cached is one read of 4 KiB); commits go to the writer.

mod backend;
mod writer;

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use ::redb::backends::FileBackend;
use ::redb::{Database, DatabaseError, ReadOnlyTable, ReadableDatabase, StorageBackend, StorageError, TableDefinition};
use arc_swap::ArcSwapOption;
use tokio::sync::{Semaphore, oneshot, watch};
use uuid::Uuid;

use self::backend::{Backend, Health, Spare, private_file};
use self::writer::{Job, Message, Writer};
use super::recent::Changes;
use super::{
    BoxFuture, Change, ChangeStamps, Commit, CommitError, Revision, Rows, Snapshot, Store, StoreError, Versioned,
    check_sizes,
};

/// The data file, in the data directory.
pub const DATA_FILE: &str = "keystile.redb";
/// The file that keeps space for a commit under way when the disk fills up.
pub const SPARE_FILE: &str = "keystile.spare";

/// The version of the layout that this release writes.
const FORMAT: u32 = 1;
const RECORDS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("records");
const META: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("meta");
const META_FORMAT: &str = "format";
const META_LINEAGE: &str = "lineage";
const META_HEAD: &str = "head";

/// How many commits may wait for the writer before further ones wait for a place.
const QUEUE: usize = 4096;
/// Bytes of `mod_rev` in front of a stored value.
const MOD_REV_BYTES: usize = 8;

/// How to open a store.
#[derive(Clone, Debug)]
pub struct RedbSettings {
    /// Memory for pages of the data file, in bytes.
    pub cache_bytes: usize,
    /// Disk space kept for a commit under way when the disk fills up, in bytes.
    pub spare_bytes: u64,
}

impl Default for RedbSettings {
    /// 64 MiB of cache, 8 MiB of spare space.
    fn default() -> Self {
        RedbSettings { cache_bytes: 64 << 20, spare_bytes: 8 << 20 }
    }
}

/// Why a store did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A data directory belongs to one process at a time.
    #[error("{0} is in use by another process; a data directory belongs to one process at a time")]
    Locked(PathBuf),
    /// It is no data file, or was altered by something else.
    #[error("{path} is not a readable data file: {detail}; restore it from a backup")]
    Corrupt {
        /// The data file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A newer release wrote it.
    #[error("{path} has format version {found}, this release knows versions up to {FORMAT}; use a newer release")]
    NewerFormat {
        /// The data file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// The system refused, for instance permission or a full disk.
    #[error("{path} cannot be opened: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// A store in a directory of this machine. Dropping it finishes the commits under way and closes
/// the file.
pub struct RedbStore {
    shared: Arc<Shared>,
    /// Taken when dropped, which ends the writer.
    sender: Option<mpsc::Sender<Message>>,
    queue: Arc<Semaphore>,
    writer: Option<JoinHandle<()>>,
    lineage: Uuid,
}

/// What readers and the writer share.
struct Shared {
    /// None while the file is closed after a failure.
    database: ArcSwapOption<Database>,
    head: AtomicU64,
    changes: Mutex<Changes>,
    /// Wakes those who watch.
    wake: watch::Sender<Revision>,
    stamps: Arc<ChangeStamps>,
}

/// Makes a backend of the data file; tests put failures in between.
type MakeBackend = Box<dyn Fn(File) -> Result<Box<dyn StorageBackend>, DatabaseError> + Send>;

impl RedbStore {
    /// Opens the store in a directory, or makes both.
    pub fn open(directory: &Path, settings: &RedbSettings) -> Result<Self, OpenError> {
        Self::open_with(directory, settings, Box::new(|file| Ok(Box::new(FileBackend::new(file)?))))
    }

    fn open_with(directory: &Path, settings: &RedbSettings, make: MakeBackend) -> Result<Self, OpenError> {
        create_directory(directory)?;
        let mut file = DataFile {
            path: directory.join(DATA_FILE),
            cache_bytes: settings.cache_bytes,
            spare: Arc::new(Spare::new(directory.join(SPARE_FILE), settings.spare_bytes)),
            health: Arc::default(),
            make,
        };
        let (database, meta) = file.open()?;
        if let Err(error) = file.spare.fill() {
            tracing::warn!(%error, "no space for the spare file: commits are refused until there is");
        }
        let shared = Arc::new(Shared {
            database: ArcSwapOption::from_pointee(database),
            head: AtomicU64::new(meta.head),
            changes: Mutex::new(Changes::after(meta.head)),
            wake: watch::Sender::new(meta.head),
            stamps: Arc::new(ChangeStamps::new(meta.head)),
        });
        let (sender, receiver) = mpsc::channel();
        let writer = Writer::new(Arc::clone(&shared), file, receiver);
        let writer = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || writer.run())
            .map_err(|source| OpenError::Io { path: directory.to_owned(), source })?;
        Ok(RedbStore {
            shared,
            sender: Some(sender),
            queue: Arc::new(Semaphore::new(QUEUE)),
            writer: Some(writer),
            lineage: meta.lineage,
        })
    }

    /// Names the history of this store: made once, kept by every copy that continues it.
    pub fn lineage(&self) -> Uuid {
        self.lineage
    }

    /// One key's newest value, at once: what [`Store::snapshot`] and [`Snapshot::get`] answer
    /// together, without their boxes.
    pub fn get(&self, key: &[u8]) -> Result<Option<Versioned>, StoreError> {
        let table = self.records()?;
        let found = table.get(key).map_err(unavailable)?;
        found.map(|value| versioned(key, value.value())).transpose()
    }

    fn records(&self) -> Result<ReadOnlyTable<&'static [u8], &'static [u8]>, StoreError> {
        let database = self.database()?;
        let table = database.begin_read().map_err(::redb::Error::from);
        table.and_then(|read| Ok(read.open_table(RECORDS)?)).map_err(|error| self.failed(&error))
    }

    fn open_snapshot(&self) -> Result<RedbSnapshot, StoreError> {
        let database = self.database()?;
        let open = || -> Result<RedbSnapshot, ::redb::Error> {
            let read = database.begin_read()?;
            let head = read.open_table(META)?.get(META_HEAD)?.map(|value| value.value().to_vec());
            Ok(RedbSnapshot {
                revision: head.as_deref().and_then(number).unwrap_or_default(),
                records: read.open_table(RECORDS)?,
            })
        };
        open().map_err(|error| self.failed(&error))
    }

    fn database(&self) -> Result<Arc<Database>, StoreError> {
        let closed = || StoreError::Unavailable("the data file is closed after a failure".into());
        self.shared.database.load_full().ok_or_else(closed)
    }

    /// A read failed: the writer shall see whether the file must be opened anew.
    fn failed(&self, error: &::redb::Error) -> StoreError {
        if let Some(sender) = &self.sender {
            drop(sender.send(Message::Check));
        }
        StoreError::Unavailable(error.to_string())
    }

    async fn enqueue(&self, commit: Commit) -> Result<Revision, CommitError> {
        check_sizes(&commit)?;
        let stopped = || CommitError::Refused("the store is closed".into());
        let place = Arc::clone(&self.queue).acquire_owned().await.map_err(|_| stopped())?;
        let (reply, answer) = oneshot::channel();
        let job = Message::Commit(Job { commit, reply, place });
        self.sender.as_ref().ok_or_else(stopped)?.send(job).map_err(|_| stopped())?;
        answer.await.unwrap_or_else(|_| Err(CommitError::Unknown("the store's writer ended".into())))
    }

    async fn wait(&self, after: Revision) -> Result<Vec<Change>, StoreError> {
        let mut wake = self.shared.wake.subscribe();
        loop {
            wake.mark_unchanged();
            let changes = self.shared.changes.lock().unwrap_or_else(PoisonError::into_inner).since(after)?;
            if !changes.is_empty() {
                return Ok(changes);
            }
            let closed = |_| StoreError::Unavailable("the store is closed".into());
            wake.changed().await.map_err(closed)?;
        }
    }
}

impl Drop for RedbStore {
    fn drop(&mut self) {
        drop(self.sender.take());
        if let Some(writer) = self.writer.take() {
            drop(writer.join());
        }
        self.shared.database.store(None);
    }
}

impl Store for RedbStore {
    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>, StoreError>> {
        Box::pin(async move { Ok(Box::new(self.open_snapshot()?) as Box<dyn Snapshot>) })
    }

    /// A commit that was queued is carried out, even if its future is dropped.
    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Revision, CommitError>> {
        Box::pin(self.enqueue(commit))
    }

    fn head(&self) -> BoxFuture<'_, Result<Revision, StoreError>> {
        Box::pin(async { Ok(self.shared.head.load(Ordering::Acquire)) })
    }

    fn watch(&self, after: Revision) -> BoxFuture<'_, Result<Vec<Change>, StoreError>> {
        Box::pin(self.wait(after))
    }

    fn stamps(&self) -> Arc<ChangeStamps> {
        Arc::clone(&self.shared.stamps)
    }
}

/// A read transaction. It keeps the pages that it sees from being used again, so hold it briefly.
struct RedbSnapshot {
    revision: Revision,
    records: ReadOnlyTable<&'static [u8], &'static [u8]>,
}

impl RedbSnapshot {
    fn read_range(&self, range: &Range<Vec<u8>>, limit: usize) -> Result<Rows, StoreError> {
        if range.start >= range.end {
            return Ok(Vec::new());
        }
        let entries = self.records.range(range.start.as_slice()..range.end.as_slice()).map_err(unavailable)?;
        let mut found = Vec::new();
        for entry in entries.take(limit) {
            let (key, value) = entry.map_err(unavailable)?;
            found.push((key.value().to_vec(), versioned(key.value(), value.value())?));
        }
        Ok(found)
    }
}

impl Snapshot for RedbSnapshot {
    fn revision(&self) -> Revision {
        self.revision
    }

    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Versioned>, StoreError>> {
        Box::pin(async move {
            let found = self.records.get(key).map_err(unavailable)?;
            found.map(|value| versioned(key, value.value())).transpose()
        })
    }

    fn range(&self, range: Range<Vec<u8>>, limit: usize) -> BoxFuture<'_, Result<Rows, StoreError>> {
        Box::pin(async move { self.read_range(&range, limit) })
    }
}

/// Splits a stored value.
fn versioned(key: &[u8], stored: &[u8]) -> Result<Versioned, StoreError> {
    let malformed = || StoreError::Malformed(format!("{} has no revision", key.escape_ascii()));
    let (mod_rev, value) = stored.split_first_chunk::<MOD_REV_BYTES>().ok_or_else(malformed)?;
    Ok(Versioned { mod_rev: u64::from_be_bytes(*mod_rev), value: value.into() })
}

fn number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().map(u64::from_be_bytes).ok()
}

#[expect(clippy::needless_pass_by_value, reason = "given to map_err")]
fn unavailable(error: StorageError) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

/// Makes a directory that its owner alone may read, if there is none.
fn create_directory(path: &Path) -> Result<(), OpenError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|source| OpenError::Io { path: path.to_owned(), source })
}

/// The data file, to be opened once at the start and anew after a failure.
struct DataFile {
    path: PathBuf,
    cache_bytes: usize,
    spare: Arc<Spare>,
    /// Of the database opened last.
    health: Arc<Health>,
    make: MakeBackend,
}

/// What the file says of itself.
struct Meta {
    lineage: Uuid,
    head: Revision,
}

impl DataFile {
    fn open(&mut self) -> Result<(Database, Meta), OpenError> {
        let io = |source| OpenError::Io { path: self.path.clone(), source };
        let is_new = !self.path.exists();
        let file = private_file().truncate(false).open(&self.path).map_err(io)?;
        if is_new && let Some(directory) = self.path.parent() {
            // The file's name must be as durable as what is acknowledged in it.
            File::open(directory).and_then(|directory| directory.sync_all()).map_err(io)?;
        }
        self.health = Arc::default();
        let file = (self.make)(file).map_err(|error| self.explain(error.into()))?;
        let backend = Backend { file, spare: Arc::clone(&self.spare), health: Arc::clone(&self.health) };
        let cache_bytes = self.cache_bytes;
        // redb may panic over a file that something else has altered.
        let opened = panic::catch_unwind(AssertUnwindSafe(|| {
            let database = Database::builder().set_cache_size(cache_bytes).create_with_backend(backend)?;
            let meta = read_meta(&database)?;
            Ok((database, meta))
        }));
        match opened {
            Ok(Ok((database, Ok(meta)))) => Ok((database, meta)),
            Ok(Ok((_, Err(found)))) => Err(OpenError::NewerFormat { path: self.path.clone(), found }),
            Ok(Err(error)) => Err(self.explain(error)),
            Err(_) => Err(self.corrupt("it does not fit together".into())),
        }
    }

    fn explain(&self, error: ::redb::Error) -> OpenError {
        match error {
            ::redb::Error::DatabaseAlreadyOpen => OpenError::Locked(self.path.clone()),
            ::redb::Error::Io(source) if source.kind() != io::ErrorKind::InvalidData => {
                OpenError::Io { path: self.path.clone(), source }
            }
            other => self.corrupt(other.to_string()),
        }
    }

    fn corrupt(&self, detail: String) -> OpenError {
        OpenError::Corrupt { path: self.path.clone(), detail }
    }
}

/// Reads the meta table, or makes the tables of a new file. The inner error is the version of a
/// newer format.
fn read_meta(database: &Database) -> Result<Result<Meta, u32>, ::redb::Error> {
    let malformed = |what: &str| ::redb::Error::Corrupted(format!("its {what} is missing"));
    let read = database.begin_read()?;
    match read.open_table(META) {
        Ok(meta) => {
            let get = |name: &str| Ok::<_, ::redb::Error>(meta.get(name)?.map(|value| value.value().to_vec()));
            let format = get(META_FORMAT)?.and_then(|bytes| bytes.try_into().map(u32::from_be_bytes).ok());
            let format = format.ok_or_else(|| malformed("format version"))?;
            if format > FORMAT {
                return Ok(Err(format));
            }
            let lineage = get(META_LINEAGE)?.and_then(|bytes| Uuid::from_slice(&bytes).ok());
            let head = get(META_HEAD)?.and_then(|bytes| number(&bytes));
            Ok(Ok(Meta {
                lineage: lineage.ok_or_else(|| malformed("lineage"))?,
                head: head.ok_or_else(|| malformed("head"))?,
            }))
        }
        Err(::redb::TableError::TableDoesNotExist(_)) => {
            let fresh = Meta { lineage: Uuid::new_v4(), head: 0 };
            let write = database.begin_write()?;
            {
                write.open_table(RECORDS)?;
                let mut meta = write.open_table(META)?;
                meta.insert(META_FORMAT, FORMAT.to_be_bytes().as_slice())?;
                meta.insert(META_LINEAGE, fresh.lineage.as_bytes().as_slice())?;
                meta.insert(META_HEAD, fresh.head.to_be_bytes().as_slice())?;
            }
            write.commit()?;
            Ok(Ok(fresh))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;
