use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use uuid::Uuid;

use super::head::HeadFile;
use super::open::open;
use super::reserve::Reserve;
use super::{AuditError, Chain, Head, Record, Recovery, ServiceEvent};
use crate::aws::Clock;

/// Where and how a log is written.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The log's file.
    pub file: PathBuf,
    /// Longest time that a record waits for the disk when nothing asks for more; under a second.
    pub flush_interval: Duration,
    /// Most bytes of records that wait in memory while the disk does not take them.
    pub max_pending_bytes: usize,
    /// Disk space kept aside for the records of mutations that are under way when the disk fills.
    pub reserve_bytes: usize,
}

impl Settings {
    /// The defaults for a log in that file.
    #[must_use]
    pub fn new(file: PathBuf) -> Self {
        Self { file, flush_interval: Duration::from_millis(400), max_pending_bytes: 64 << 20, reserve_bytes: 1 << 20 }
    }
}

/// How the log is doing, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Lines on disk.
    pub records: u64,
    /// Whether the last attempt to write succeeded.
    pub writable: bool,
    /// Bytes that wait for the disk.
    pub pending_bytes: usize,
    /// Attempts to write that failed, since the start.
    pub failures: u64,
}

/// A log that is being written.
#[derive(Debug)]
pub struct AuditLog {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    settings: Settings,
    writable: AtomicBool,
    unwritten_bytes: AtomicUsize,
    records: AtomicU64,
    failures: AtomicU64,
}

/// Records that the writer has not taken yet.
#[derive(Debug, Default)]
struct Queue {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    waiters: Vec<oneshot::Sender<Result<(), String>>>,
    urgent: bool,
    closing: bool,
}

thread_local! {
    /// Where a thread serialises its records: no allocation for each.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A queue this long is written without waiting for the interval.
const WRITE_AT_BYTES: usize = 1 << 20;

impl AuditLog {
    /// Opens a log, repairs its end and starts its writer. A repair is recorded in the log.
    ///
    /// # Errors
    /// [`AuditError::Open`]: the file can't be opened or read, or another process writes it.
    pub fn open(settings: Settings, clock: &dyn Clock) -> Result<(Self, Recovery), AuditError> {
        let (file, recovery) = open(&settings.file)?;
        let name = settings.file.display().to_string();
        let failed = |error: io::Error| AuditError::Open { file: name.clone(), reason: error.to_string() };
        let head = HeadFile::open(&settings.file).map_err(failed)?;
        let mut reserve = Reserve::open(&settings.file, settings.reserve_bytes).map_err(failed)?;
        let writable = reserve.hold().is_ok();
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            wake: Condvar::new(),
            writable: AtomicBool::new(writable),
            unwritten_bytes: AtomicUsize::new(0),
            records: AtomicU64::new(recovery.chain.records),
            failures: AtomicU64::new(0),
            settings,
        });
        let writer = Writer {
            shared: Arc::clone(&shared),
            file,
            head,
            reserve,
            on_disk: recovery.chain,
            chain: recovery.chain,
            lines: Vec::new(),
        };
        let thread =
            std::thread::Builder::new().name("audit".to_owned()).spawn(move || writer.run()).map_err(failed)?;
        let log = Self { shared, thread: Mutex::new(Some(thread)) };
        log.record_repair(&recovery, clock)?;
        Ok((log, recovery))
    }

    fn record_repair(&self, recovery: &Recovery, clock: &dyn Clock) -> Result<(), AuditError> {
        if recovery.torn_bytes == 0 && recovery.missing.is_none() && !recovery.head_unreadable {
            return Ok(());
        }
        let details = serde_json::json!({
            "tornBytesCut": recovery.torn_bytes,
            "records": recovery.chain.records,
            "expectedRecords": recovery.missing.map(|head| head.records),
            "headUnreadable": recovery.head_unreadable,
        });
        self.append(&Record::ServiceEvent(ServiceEvent {
            time: clock.now(),
            event_id: Uuid::new_v4(),
            name: "AuditLogRepaired",
            account: None,
            region: "",
            resources: &[],
            details: &details,
        }))
    }

    /// Whether a mutation may go ahead: its record could be written, as far as is known.
    ///
    /// # Errors
    /// [`AuditError::Unwritable`].
    pub fn check_writable(&self) -> Result<(), AuditError> {
        if self.shared.writable.load(Ordering::Acquire) {
            Ok(())
        } else {
            Err(AuditError::Unwritable("the last attempt failed".to_owned()))
        }
    }

    /// Records something that is on disk within a second, if the disk takes it.
    ///
    /// # Errors
    /// [`AuditError::QueueFull`]: the disk has not taken records for so long that this one would
    /// be lost; [`AuditError::Serialise`].
    pub fn append(&self, record: &Record<'_>) -> Result<(), AuditError> {
        self.enqueue(record, None)
    }

    /// Records something; the future is done when it is on disk.
    ///
    /// # Errors
    /// As [`AuditLog::append`]; the future's: [`AuditError::Unwritable`], and the record is then
    /// still queued.
    pub fn append_durably(
        &self,
        record: &Record<'_>,
    ) -> Result<impl Future<Output = Result<(), AuditError>> + Send + use<>, AuditError> {
        let (sender, receiver) = oneshot::channel();
        self.enqueue(record, Some(sender))?;
        Ok(async move {
            match receiver.await {
                Ok(result) => result.map_err(AuditError::Unwritable),
                Err(_) => Err(AuditError::Unwritable("its writer has stopped".to_owned())),
            }
        })
    }

    fn enqueue(
        &self,
        record: &Record<'_>,
        waiter: Option<oneshot::Sender<Result<(), String>>>,
    ) -> Result<(), AuditError> {
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.clear();
            record.write(scratch)?;
            let mut queue = self.shared.lock();
            let pending = queue.bytes.len() + self.shared.unwritten_bytes.load(Ordering::Acquire);
            if pending + scratch.len() > self.shared.settings.max_pending_bytes {
                return Err(AuditError::QueueFull);
            }
            queue.bytes.extend_from_slice(scratch);
            let end = queue.bytes.len();
            queue.ends.push(end);
            let urgent = waiter.is_some() || end > WRITE_AT_BYTES;
            queue.waiters.extend(waiter);
            let wake = urgent && !queue.urgent;
            queue.urgent |= urgent;
            drop(queue);
            if wake {
                self.shared.wake.notify_one();
            }
            Ok(())
        })
    }

    /// How the log is doing.
    #[must_use]
    pub fn status(&self) -> Status {
        let queued = self.shared.lock().bytes.len();
        Status {
            records: self.shared.records.load(Ordering::Acquire),
            writable: self.shared.writable.load(Ordering::Acquire),
            pending_bytes: queued + self.shared.unwritten_bytes.load(Ordering::Acquire),
            failures: self.shared.failures.load(Ordering::Acquire),
        }
    }

    /// Writes what is queued and stops. Blocks until that is done.
    pub fn close(&self) {
        self.shared.lock().closing = true;
        self.shared.wake.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the audit log's writer stopped unexpectedly");
        }
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for records, at most the interval, and takes them; answers whether to stop after.
    fn take(&self, batch: &mut Queue) -> bool {
        let queue = self.lock();
        let (mut queue, _) = self
            .wake
            .wait_timeout_while(queue, self.settings.flush_interval, |queue| !queue.urgent && !queue.closing)
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut *queue, batch);
        queue.closing = batch.closing;
        self.unwritten_bytes.fetch_add(batch.bytes.len(), Ordering::AcqRel);
        batch.closing
    }
}

/// The thread that owns the file.
struct Writer {
    shared: Arc<Shared>,
    file: File,
    head: HeadFile,
    reserve: Reserve,
    /// How far the file has come.
    on_disk: Chain,
    /// How far it will have come with `lines`.
    chain: Chain,
    /// Lines that the disk has not taken yet.
    lines: Vec<u8>,
}

impl Writer {
    fn run(mut self) {
        let mut batch = Queue::default();
        loop {
            let closing = self.shared.take(&mut batch);
            let mut start = 0;
            for &end in &batch.ends {
                self.chain.push(&batch.bytes[start..end], &mut self.lines);
                start = end;
            }
            let result = self.flush();
            for waiter in batch.waiters.drain(..) {
                // A client that went away no longer waits.
                let _ = waiter.send(result.clone());
            }
            batch.bytes.clear();
            batch.ends.clear();
            batch.urgent = false;
            batch.bytes.shrink_to(2 * WRITE_AT_BYTES);
            if closing {
                if !self.lines.is_empty() {
                    let records = self.chain.records - self.on_disk.records;
                    tracing::error!(records, "the audit log could not be written before the end");
                }
                return;
            }
        }
    }

    fn flush(&mut self) -> Result<(), String> {
        if self.lines.is_empty() {
            if !self.shared.writable.load(Ordering::Acquire) {
                self.settle();
            }
            return Ok(());
        }
        let mut written = self.write();
        if written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::StorageFull) && self.reserve.release() {
            written = self.write();
        }
        match written {
            Ok(()) => {
                self.on_disk = self.chain;
                self.lines.clear();
                self.lines.shrink_to(2 * WRITE_AT_BYTES);
                self.shared.unwritten_bytes.store(0, Ordering::Release);
                self.shared.records.store(self.on_disk.records, Ordering::Release);
                if let Err(error) = self.head.write(Head(self.on_disk)) {
                    tracing::warn!(%error, "the head of the audit log could not be written");
                }
                self.settle();
                Ok(())
            }
            Err(error) => {
                // Half a line must not stay: it would end the log for whoever reads it now.
                if let Err(error) = self.file.set_len(self.on_disk.bytes) {
                    tracing::error!(%error, "the audit log could not be cut back after a failed write");
                }
                self.shared.unwritten_bytes.store(self.lines.len(), Ordering::Release);
                self.unwritable(&error);
                Err(error.to_string())
            }
        }
    }

    fn write(&self) -> io::Result<()> {
        self.file.write_all_at(&self.lines, self.on_disk.bytes)?;
        self.file.sync_data()
    }

    /// After a successful write: the log is writable if space is held for the next failure.
    fn settle(&mut self) {
        match self.reserve.hold() {
            Ok(()) => {
                if !self.shared.writable.swap(true, Ordering::AcqRel) {
                    tracing::info!("the audit log can be written again");
                }
            }
            Err(error) => self.unwritable(&error),
        }
    }

    fn unwritable(&self, error: &io::Error) {
        self.shared.failures.fetch_add(1, Ordering::AcqRel);
        if self.shared.writable.swap(false, Ordering::AcqRel) {
            tracing::error!(%error, file = %self.shared.settings.file.display(), "the audit log cannot be written: mutations are refused");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Expectation, verify};
    use crate::aws::SystemClock;

    fn event(details: &serde_json::Value, id: Uuid) -> Record<'_> {
        Record::ServiceEvent(ServiceEvent {
            time: jiff::Timestamp::UNIX_EPOCH,
            event_id: id,
            name: "RotateKey",
            account: None,
            region: "",
            resources: &[],
            details,
        })
    }

    fn open_in(directory: &std::path::Path) -> (AuditLog, Recovery) {
        AuditLog::open(Settings::new(directory.join("audit.jsonl")), &SystemClock).unwrap()
    }

    #[tokio::test]
    async fn a_durable_record_is_in_the_file_when_its_future_is_done() {
        let directory = tempfile::tempdir().unwrap();
        let (log, _) = open_in(directory.path());
        let details = serde_json::json!({});
        log.append(&event(&details, Uuid::nil())).unwrap();
        log.append_durably(&event(&details, Uuid::nil())).unwrap().await.unwrap();
        let text = std::fs::read_to_string(directory.path().join("audit.jsonl")).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert_eq!(log.status().records, 2);
    }

    #[test]
    fn the_chain_goes_on_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        let details = serde_json::json!({});
        for round in 0..3 {
            let (log, recovery) = open_in(directory.path());
            assert_eq!(recovery.chain.records, round * 2);
            log.append(&event(&details, Uuid::from_u128(round.into()))).unwrap();
            log.append(&event(&details, Uuid::nil())).unwrap();
            log.close();
            if round == 1 {
                // Without its head the log is read from the start.
                std::fs::remove_file(Head::path(&path)).unwrap();
            }
        }
        let report = verify(&path, &Expectation::default()).unwrap();
        assert_eq!((report.records, report.problems.len()), (6, 0));
        assert!(open_in(directory.path()).1.recent_service_events.contains(&Uuid::from_u128(2)));
    }

    #[test]
    fn a_torn_last_line_is_cut_and_the_cut_recorded() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        let details = serde_json::json!({});
        let (log, _) = open_in(directory.path());
        log.append(&event(&details, Uuid::nil())).unwrap();
        log.close();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend_from_slice(br#"{"eventVersion":"1.1"#);
        std::fs::write(&path, bytes).unwrap();
        drop(log);
        let (log, recovery) = open_in(directory.path());
        assert_eq!(recovery.torn_bytes, 20);
        log.close();
        let report = verify(&path, &Expectation::default()).unwrap();
        assert_eq!((report.records, report.problems.len()), (2, 0));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.lines().last().unwrap().contains(r#""tornBytesCut":20"#));
    }

    #[test]
    fn a_log_that_lost_lines_says_so_when_it_is_opened() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        let details = serde_json::json!({});
        let (log, _) = open_in(directory.path());
        log.append(&event(&details, Uuid::nil())).unwrap();
        log.append(&event(&details, Uuid::nil())).unwrap();
        log.close();
        drop(log);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, &text[..=text.find('\n').unwrap()]).unwrap();
        let (log, recovery) = open_in(directory.path());
        assert_eq!((recovery.chain.records, recovery.missing.map(|head| head.records)), (1, Some(2)));
        log.close();
        assert!(std::fs::read_to_string(&path).unwrap().contains("AuditLogRepaired"));
    }

    #[test]
    fn two_processes_cannot_write_one_log() {
        let directory = tempfile::tempdir().unwrap();
        let (_log, _) = open_in(directory.path());
        let second = AuditLog::open(Settings::new(directory.path().join("audit.jsonl")), &SystemClock);
        assert!(second.unwrap_err().to_string().contains("another process"));
    }

    #[test]
    fn a_record_past_the_queues_limit_is_refused_and_nothing_is_lost() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        let settings =
            Settings { max_pending_bytes: 2000, flush_interval: Duration::from_mins(1), ..Settings::new(path.clone()) };
        let (log, _) = AuditLog::open(settings, &SystemClock).unwrap();
        let details = serde_json::json!({});
        let accepted = (0..100).take_while(|_| log.append(&event(&details, Uuid::nil())).is_ok()).count();
        assert!((1..100).contains(&accepted));
        log.close();
        assert_eq!(verify(&path, &Expectation::default()).unwrap().records, accepted as u64);
    }
}
