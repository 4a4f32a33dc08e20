//! Failures of the disk, and files that are not ours.

use std::process::Command;
use std::sync::atomic::AtomicBool;

use super::*;
use crate::store::Write;

/// What the disk refuses at the moment.
#[derive(Debug, Default)]
struct Disk {
    full: AtomicBool,
    broken: AtomicBool,
    unsyncable: AtomicBool,
    /// Writes that still succeed before `full` holds.
    writes_left: AtomicU64,
}

#[derive(Debug)]
struct Faulty(FileBackend, Arc<Disk>);

impl Faulty {
    fn check(&self) -> io::Result<()> {
        let left = &self.1.writes_left;
        if self.1.full.load(Ordering::SeqCst)
            && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err()
        {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl StorageBackend for Faulty {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if self.1.broken.load(Ordering::SeqCst) {
            return Err(io::Error::other("a bad sector"));
        }
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check()?;
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.1.unsyncable.load(Ordering::SeqCst) {
            return Err(io::Error::other("lost pages"));
        }
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check()?;
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }
}

const SETTINGS: RedbSettings = RedbSettings { cache_bytes: 1 << 20, spare_bytes: 64 << 10 };

fn faulty(directory: &Path) -> (RedbStore, Arc<Disk>) {
    let disk = Arc::new(Disk::default());
    let make = Arc::clone(&disk);
    let make: MakeBackend = Box::new(move |file| Ok(Box::new(Faulty(FileBackend::new(file)?, Arc::clone(&make)))));
    (RedbStore::open_with(directory, &SETTINGS, make).unwrap(), disk)
}

fn commit(store: &RedbStore, key: &str, bytes: usize) -> Result<Revision, CommitError> {
    let writes = vec![Write::Put(key.into(), vec![1; bytes])];
    retry(store, Commit { id: Uuid::new_v4(), preconditions: vec![], writes })
}

fn retry(store: &RedbStore, commit: Commit) -> Result<Revision, CommitError> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(store.commit(commit))
}

fn has(store: &RedbStore, key: &str) -> bool {
    store.get(key.as_bytes()).unwrap().is_some()
}

#[test]
fn a_commit_under_way_when_the_disk_fills_is_refused_whole_and_the_next_works() {
    // The failure moves through all the writes of a commit.
    for writes_left in 0..12 {
        let directory = tempfile::tempdir().unwrap();
        let (store, disk) = faulty(directory.path());
        commit(&store, "before", 100).unwrap();
        disk.writes_left.store(writes_left, Ordering::SeqCst);
        disk.full.store(true, Ordering::SeqCst);
        let attempt = Commit {
            id: Uuid::new_v4(),
            preconditions: vec![],
            writes: vec![Write::Put(b"during".to_vec(), vec![1; 5000]), Write::Put(b"during/2".to_vec(), vec![2])],
        };
        let answer = retry(&store, attempt.clone());
        disk.full.store(false, Ordering::SeqCst);
        let next = retry(&store, attempt);
        assert_eq!(next.unwrap(), 2, "{writes_left} writes left, first {answer:?}");
        assert!(has(&store, "before") && has(&store, "during") && has(&store, "during/2"));
        assert_eq!(commit(&store, "after", 100).unwrap(), 3);
        assert!(writes_left > 0 || answer.is_err(), "the disk was full");
    }
}

#[test]
fn a_failed_synchronisation_leaves_the_outcome_unknown_and_stops_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let (store, disk) = faulty(directory.path());
    commit(&store, "before", 100).unwrap();
    disk.unsyncable.store(true, Ordering::SeqCst);
    assert!(matches!(commit(&store, "during", 100), Err(CommitError::Unknown(_))));
    disk.unsyncable.store(false, Ordering::SeqCst);
    assert!(matches!(commit(&store, "after", 100), Err(CommitError::Refused(_))));
    assert!(matches!(store.get(b"before"), Err(StoreError::Unavailable(_))));
    drop(store);
    let store = RedbStore::open(directory.path(), &SETTINGS).unwrap();
    assert!(has(&store, "before") && !has(&store, "after"));
}

#[test]
fn a_read_that_failed_does_not_end_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let (store, disk) = faulty(directory.path());
    for n in 0..100 {
        commit(&store, &format!("key/{n}"), 100_000).unwrap();
    }
    disk.broken.store(true, Ordering::SeqCst);
    let failed = (0..100).any(|n| store.get(format!("key/{n}").as_bytes()).is_err());
    assert!(failed, "more than the cache holds");
    disk.broken.store(false, Ordering::SeqCst);
    commit(&store, "after", 100).unwrap();
    assert!((0..100).all(|n| has(&store, &format!("key/{n}"))));
}

#[test]
fn a_second_process_is_refused_and_the_directory_is_free_after_a_drop() {
    let directory = tempfile::tempdir().unwrap();
    let store = RedbStore::open(directory.path(), &SETTINGS).unwrap();
    let lineage = store.lineage();
    let Err(error) = RedbStore::open(directory.path(), &SETTINGS) else { panic!("opened twice") };
    assert!(matches!(error, OpenError::Locked(_)), "{error}");
    assert!(error.to_string().contains("in use by another process"));
    drop(store);
    assert_eq!(RedbStore::open(directory.path(), &SETTINGS).unwrap().lineage(), lineage);
}

#[test]
fn files_that_are_not_ours_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(DATA_FILE);
    for content in [vec![b'x'; 10], vec![0; 100_000], b"redb\x1a\x0a\xa9\x0d\x0a".repeat(1000)] {
        fs::write(&path, content).unwrap();
        let Err(error) = RedbStore::open(directory.path(), &SETTINGS) else { panic!("opened") };
        assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let Err(error) = RedbStore::open(directory.path(), &SETTINGS) else { panic!("opened") };
    assert!(matches!(error, OpenError::Io { .. }), "{error:?}");
}

#[test]
fn a_newer_format_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    drop(RedbStore::open(directory.path(), &SETTINGS).unwrap());
    let database = Database::open(directory.path().join(DATA_FILE)).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(META).unwrap().insert(META_FORMAT, (FORMAT + 1).to_be_bytes().as_slice()).unwrap();
    write.commit().unwrap();
    drop(database);
    let Err(error) = RedbStore::open(directory.path(), &SETTINGS) else { panic!("opened") };
    assert!(matches!(error, OpenError::NewerFormat { found: 2, .. }), "{error:?}");
}

#[cfg(unix)]
#[test]
fn the_files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let inner = directory.path().join("data");
    let _store = RedbStore::open(&inner, &SETTINGS).unwrap();
    for (path, mode) in [(inner.clone(), 0o700), (inner.join(DATA_FILE), 0o600), (inner.join(SPARE_FILE), 0o600)] {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
    }
}

/// A small file system of its own, unmounted when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(megabytes: u32) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let size = format!("size={megabytes}m");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(directory.path()).output();
        mount.is_ok_and(|output| output.status.success()).then_some(SmallDisk(directory))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(self.0.path()).status());
    }
}

#[test]
fn a_full_disk_refuses_commits_serves_reads_and_recovers() {
    let Some(disk) = SmallDisk::mount(16) else {
        eprintln!("SKIPPED: a tmpfs cannot be mounted here, so no disk can be filled");
        return;
    };
    let directory = disk.0.path().join("data");
    let settings = RedbSettings { cache_bytes: 256 << 10, spare_bytes: 4 << 20 };
    let store = RedbStore::open(&directory, &settings).unwrap();
    let mut acknowledged = 0;
    let error = loop {
        match commit(&store, &format!("key/{acknowledged}"), 20_000) {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
        // Something else uses the disk as well.
        if acknowledged == 20 {
            fs::write(disk.0.path().join("other"), vec![1; 5 << 20]).unwrap();
        }
    };
    assert!(matches!(error, CommitError::Refused(_)), "{error}");
    assert!(error.to_string().contains("space"), "{error}");
    assert!(acknowledged > 20);
    for _ in 0..20 {
        assert!(matches!(commit(&store, "refused", 10), Err(CommitError::Refused(_))));
    }
    assert!((0..acknowledged).all(|n| has(&store, &format!("key/{n}"))), "a full disk hides nothing");
    fs::remove_file(disk.0.path().join("other")).unwrap();
    commit(&store, "after", 10).unwrap();
    assert!(has(&store, "after") && !has(&store, "refused"));
    drop(store);
    let store = RedbStore::open(&directory, &settings).unwrap();
    assert!((0..acknowledged).all(|n| has(&store, &format!("key/{n}"))) && has(&store, "after"));
}
