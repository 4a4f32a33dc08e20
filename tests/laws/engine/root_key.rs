//! The root key's rotation: cut short between any two commits, late writers, older data, backups.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use data_encoding::BASE64;
use keystile::kms::{BackupError, BackupReader, OpenError, RootKeyIds, restore};
use keystile::seal::Keyring;
use keystile::store::{
    BoxFuture, Change, ChangeStamps, Commit, CommitError, RedbSettings, RedbStore, Revision, Snapshot, Store,
    StoreError, Write,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use super::house::{House, root_key};

/// A store that fails from some commit on, as if the process had been killed there, and that can
/// hold back one commit of key material.
struct Failing {
    store: Arc<RedbStore>,
    commits_left: AtomicUsize,
    hold_back: AtomicBool,
    held: Notify,
    released: Notify,
}

impl Failing {
    fn new(store: &Arc<RedbStore>, commits: usize) -> Arc<Self> {
        Arc::new(Self {
            store: Arc::clone(store),
            commits_left: AtomicUsize::new(commits),
            hold_back: AtomicBool::new(false),
            held: Notify::new(),
            released: Notify::new(),
        })
    }
}

impl Store for Failing {
    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>, StoreError>> {
        self.store.snapshot()
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Revision, CommitError>> {
        Box::pin(async move {
            let of_material = |write: &Write| matches!(write, Write::Put(row, _) if row.starts_with(b"kms/m/"));
            if commit.writes.iter().any(of_material) && self.hold_back.swap(false, Ordering::SeqCst) {
                self.held.notify_one();
                self.released.notified().await;
            }
            let left = self.commits_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            if left.is_err() {
                return Err(CommitError::Refused("killed".to_owned()));
            }
            self.store.commit(commit).await
        })
    }

    fn head(&self) -> BoxFuture<'_, Result<Revision, StoreError>> {
        self.store.head()
    }

    fn watch(&self, after: Revision) -> BoxFuture<'_, Result<Vec<Change>, StoreError>> {
        self.store.watch(after)
    }

    fn stamps(&self) -> Arc<ChangeStamps> {
        self.store.stamps()
    }
}

fn both() -> Keyring {
    let mut keys = Keyring::from(root_key(1));
    keys.add(root_key(2));
    keys
}

fn new_store() -> (tempfile::TempDir, Arc<RedbStore>) {
    let directory = tempfile::tempdir().unwrap();
    let settings = RedbSettings { cache_bytes: 4 << 20, spare_bytes: 64 << 10 };
    let store = Arc::new(RedbStore::open(directory.path(), &settings).unwrap());
    (directory, store)
}

/// Keys with a ciphertext each, of the material that they had first.
async fn keys_with_ciphertexts(house: &House, count: usize) -> Vec<Value> {
    let mut ciphertexts = Vec::new();
    for _ in 0..count {
        let (id, _) = house.key().await;
        let sealed = house.ok("Encrypt", json!({"KeyId": id, "Plaintext": "c2VjcmV0"})).await;
        house.ok("RotateKeyOnDemand", json!({"KeyId": id})).await;
        ciphertexts.push(sealed["CiphertextBlob"].clone());
    }
    ciphertexts
}

async fn all_decrypt(house: &House, ciphertexts: &[Value]) {
    for sealed in ciphertexts {
        let opened = house.ok("Decrypt", json!({"CiphertextBlob": sealed})).await;
        assert_eq!(opened["Plaintext"], json!("c2VjcmV0"));
    }
}

async fn rows(store: &RedbStore, prefix: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let end = [prefix, &[0xff]].concat();
    let range: Range<Vec<u8>> = prefix.to_vec()..end;
    let found = store.snapshot().await.unwrap().range(range, usize::MAX).await.unwrap();
    found.into_iter().map(|(row, found)| (row, found.value.to_vec())).collect()
}

/// What wraps each material, by what its row says.
async fn wrapped_under(store: &RedbStore) -> Vec<String> {
    let of_row = |(_, value): (_, Vec<u8>)| {
        let record: Value = serde_json::from_slice(&value[1..]).unwrap();
        record["root_key"].as_str().unwrap_or("none").to_owned()
    };
    rows(store, b"kms/m/").await.into_iter().map(of_row).collect()
}

async fn refused(store: &Arc<RedbStore>, byte: u8) -> OpenError {
    House::over(Arc::clone(store) as Arc<dyn Store>, root_key(byte)).await.err().unwrap()
}

#[tokio::test]
async fn everything_is_under_the_new_root_key_and_the_old_one_is_refused() {
    let (_directory, store) = new_store();
    let house = House::over(Arc::clone(&store) as Arc<dyn Store>, root_key(1)).await.unwrap();
    let ciphertexts = keys_with_ciphertexts(&house, 150).await;
    let before = rows(&store, b"kms/").await.len();

    house.kms.begin_root_key_rotation(&root_key(2)).await.unwrap();
    house.kms.begin_root_key_rotation(&root_key(2)).await.unwrap();
    let under_way = RootKeyIds { current: root_key(1).id(), next: Some(root_key(2).id()) };
    assert_eq!(house.kms.root_key_ids(), under_way);
    let other = house.kms.begin_root_key_rotation(&root_key(3)).await.unwrap_err();
    assert!(other.internal_text().unwrap().contains("is under way"), "{other}");
    let rewrapped = AtomicUsize::new(0);
    let progress = |count| {
        rewrapped.fetch_add(usize::try_from(count).unwrap(), Ordering::Relaxed);
    };
    house.kms.complete_root_key_rotation(&progress).await.unwrap();
    assert_eq!(rewrapped.load(Ordering::Relaxed), 300);
    assert_eq!(house.kms.root_key_ids(), RootKeyIds { current: root_key(2).id(), next: None });
    assert!(wrapped_under(&store).await.iter().all(|id| *id == root_key(2).id()));
    all_decrypt(&house, &ciphertexts).await;

    let events = house.kms.pending_events(1000).await.unwrap();
    let of_root_key: Vec<_> = events.iter().filter(|event| event.key.is_none()).collect();
    let names: Vec<_> = of_root_key.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names.len(), 2);
    assert!(names.contains(&"BeginRootKeyRotation") && names.contains(&"EndRootKeyRotation"), "{names:?}");
    for event in of_root_key {
        let details = json!({"previousRootKeyId": root_key(1).id(), "newRootKeyId": root_key(2).id()});
        assert_eq!(event.details, details);
    }
    assert_eq!(rows(&store, b"kms/").await.len(), before + 2, "two events, and nothing else is new");
    let same = house.kms.begin_root_key_rotation(&root_key(2)).await.unwrap_err();
    assert!(same.internal_text().unwrap().contains("is the present one"), "{same}");

    drop(house);
    assert!(matches!(refused(&store, 1).await, OpenError::WrongRootKey { .. }));
    let house = House::over(Arc::clone(&store) as Arc<dyn Store>, root_key(2)).await.unwrap();
    all_decrypt(&house, &ciphertexts).await;
}

#[tokio::test]
async fn a_rotation_that_is_cut_short_between_any_two_commits_is_completed() {
    // Begin, three batches of material, end: whatever the number of commits that get through.
    for commits in 0..=6 {
        let (_directory, store) = new_store();
        let house = House::over(Arc::clone(&store) as Arc<dyn Store>, root_key(1)).await.unwrap();
        let mut ciphertexts = keys_with_ciphertexts(&house, 140).await;
        drop(house);

        let failing = Failing::new(&store, commits);
        let house = House::over(failing, root_key(1)).await.unwrap();
        let begun = house.kms.begin_root_key_rotation(&root_key(2)).await.is_ok();
        let ended = begun && house.kms.complete_root_key_rotation(&|_| ()).await.is_ok();
        assert_eq!((begun, ended), (commits >= 1, commits >= 5), "{commits}");
        all_decrypt(&house, &ciphertexts).await;
        drop(house);

        if begun && !ended {
            for byte in [1, 2] {
                let error = refused(&store, byte).await;
                let text = error.to_string();
                assert!(matches!(error, OpenError::RootKeyMissing { .. }), "{text}");
                assert!(text.contains(&format!("{} was not found", root_key(3 - byte).id())), "{text}");
            }
        }
        let house = House::over(Arc::clone(&store) as Arc<dyn Store>, both()).await.unwrap();
        all_decrypt(&house, &ciphertexts).await;
        ciphertexts.extend(keys_with_ciphertexts(&house, 2).await);
        house.kms.begin_root_key_rotation(&root_key(2)).await.err();
        house.kms.complete_root_key_rotation(&|_| ()).await.unwrap();
        drop(house);
        assert!(matches!(refused(&store, 1).await, OpenError::WrongRootKey { .. }));
        let house = House::over(Arc::clone(&store) as Arc<dyn Store>, root_key(2)).await.unwrap();
        all_decrypt(&house, &ciphertexts).await;
        assert!(wrapped_under(&store).await.iter().all(|id| *id == root_key(2).id()));
    }
}

#[tokio::test]
async fn what_was_wrapped_before_and_is_committed_after_is_wrapped_anew() {
    let (_directory, store) = new_store();
    let failing = Failing::new(&store, usize::MAX);
    let house = House::over(Arc::clone(&failing) as Arc<dyn Store>, root_key(1)).await.unwrap();
    let (id, _) = house.key().await;
    for operation in ["CreateKey", "RotateKeyOnDemand"] {
        let new = root_key(if operation == "CreateKey" { 2 } else { 3 });
        let body = if operation == "CreateKey" { json!({}) } else { json!({"KeyId": id}) };
        failing.hold_back.store(true, Ordering::SeqCst);
        let late = house.ok(operation, body);
        let rotation = async {
            failing.held.notified().await;
            house.kms.begin_root_key_rotation(&new).await.unwrap();
            house.kms.complete_root_key_rotation(&|_| ()).await.unwrap();
            failing.released.notify_one();
        };
        tokio::join!(late, rotation);
        assert!(wrapped_under(&store).await.iter().all(|id| *id == new.id()), "{operation}");
    }
    drop((house, failing));
    let house = House::over(Arc::clone(&store) as Arc<dyn Store>, root_key(3)).await.unwrap();
    house.ok("Encrypt", json!({"KeyId": id, "Plaintext": "c2VjcmV0"})).await;
}

#[tokio::test]
async fn none_of_many_requests_fails_while_root_keys_follow_each_other() {
    let (_directory, store) = new_store();
    let house = House::over(Arc::clone(&store) as Arc<dyn Store>, root_key(1)).await.unwrap();
    let ciphertexts = keys_with_ciphertexts(&house, 100).await;
    let done = AtomicBool::new(false);
    let rotations = async {
        for byte in 2..6 {
            house.kms.begin_root_key_rotation(&root_key(byte)).await.unwrap();
            house.kms.complete_root_key_rotation(&|_| ()).await.unwrap();
        }
        done.store(true, Ordering::SeqCst);
    };
    let requests = async {
        let mut made = Vec::new();
        while !done.load(Ordering::SeqCst) {
            made.extend(keys_with_ciphertexts(&house, 1).await);
            all_decrypt(&house, &made[made.len() - 1..]).await;
            tokio::task::yield_now().await;
        }
        made
    };
    let ((), made) = tokio::join!(rotations, requests);
    assert!(!made.is_empty());
    drop(house);
    let house = House::over(Arc::clone(&store) as Arc<dyn Store>, root_key(5)).await.unwrap();
    all_decrypt(&house, &ciphertexts).await;
    all_decrypt(&house, &made).await;
}

#[tokio::test]
async fn data_from_before_root_keys_could_be_rotated_reads_and_rotates() {
    let (_directory, store) = new_store();
    let house = House::over(Arc::clone(&store) as Arc<dyn Store>, root_key(1)).await.unwrap();
    let ciphertexts = keys_with_ciphertexts(&house, 3).await;
    drop(house);
    let mut writes = Vec::new();
    for (row, value) in rows(&store, b"kms/m").await {
        let mut record: Value = serde_json::from_slice(&value[1..]).unwrap();
        let record = record.as_object_mut().unwrap();
        record.remove("root_key");
        record.remove("rotation");
        writes.push(Write::Put(row, [&[1], &*serde_json::to_vec(&record).unwrap()].concat()));
    }
    assert_eq!(writes.len(), 7, "the materials, and kms/meta");
    store.commit(Commit { id: uuid::Uuid::new_v4(), preconditions: Vec::new(), writes }).await.unwrap();

    let house = House::over(Arc::clone(&store) as Arc<dyn Store>, root_key(1)).await.unwrap();
    all_decrypt(&house, &ciphertexts).await;
    house.kms.begin_root_key_rotation(&root_key(2)).await.unwrap();
    drop(house);
    let house = House::over(Arc::clone(&store) as Arc<dyn Store>, both()).await.unwrap();
    all_decrypt(&house, &ciphertexts).await;
    house.kms.complete_root_key_rotation(&|_| ()).await.unwrap();
    assert!(wrapped_under(&store).await.iter().all(|id| *id == root_key(2).id()));
}

#[tokio::test]
async fn a_material_that_opens_under_no_root_key_stops_the_rotation_and_nothing_is_lost() {
    let (_directory, store) = new_store();
    let house = House::over(Arc::clone(&store) as Arc<dyn Store>, root_key(1)).await.unwrap();
    let ciphertexts = keys_with_ciphertexts(&house, 2).await;
    let (id, _) = house.key().await;
    let (row, value) =
        rows(&store, b"kms/m/").await.into_iter().find(|(row, _)| String::from_utf8_lossy(row).contains(&id)).unwrap();
    let mut record: Value = serde_json::from_slice(&value[1..]).unwrap();
    record["wrapped"] = json!(BASE64.encode(&[1; 77]));
    let damaged = [&[1], &*serde_json::to_vec(&record).unwrap()].concat();
    let writes = vec![Write::Put(row.clone(), damaged)];
    store.commit(Commit { id: uuid::Uuid::new_v4(), preconditions: Vec::new(), writes }).await.unwrap();

    house.kms.begin_root_key_rotation(&root_key(2)).await.unwrap();
    let error = house.kms.complete_root_key_rotation(&|_| ()).await.unwrap_err();
    assert!(error.internal_text().unwrap().starts_with(&*String::from_utf8_lossy(&row)), "{error}");
    assert_eq!(house.kms.root_key_ids().next, Some(root_key(2).id()), "both are still needed");
    all_decrypt(&house, &ciphertexts).await;
}

#[tokio::test]
async fn a_backup_is_of_one_moment_and_restores_every_row() {
    let (_directory, store) = new_store();
    let house = House::over(Arc::clone(&store) as Arc<dyn Store>, root_key(1)).await.unwrap();
    let ciphertexts = keys_with_ciphertexts(&house, 200).await;
    let before = rows(&store, b"").await;
    let mut backup = house.kms.backup().await.unwrap();
    let mut bytes = Vec::new();
    let mut later = Vec::new();
    while let Some(piece) = backup.next().await.unwrap() {
        bytes.extend(piece);
        later.extend(keys_with_ciphertexts(&house, 1).await);
    }
    assert!(later.len() > 5);
    let root_keys = Keyring::from(root_key(1));
    let reader = BackupReader::new(&bytes[..]).unwrap();
    assert_eq!(reader.header().root_key_id, root_key(1).id());
    assert_eq!(reader.check(&root_keys).unwrap(), before.len() as u64);

    let (_other, restored) = new_store();
    restore(BackupReader::new(&bytes[..]).unwrap(), &root_keys, &*restored).await.unwrap();
    assert_eq!(rows(&restored, b"").await, before);
    let house = House::over(restored as Arc<dyn Store>, root_key(1)).await.unwrap();
    all_decrypt(&house, &ciphertexts).await;
    assert!(house.call("Decrypt", json!({"CiphertextBlob": later[0]})).await.is_err());
}

#[tokio::test]
async fn a_backup_during_a_rotation_names_both_root_keys() {
    let (_directory, store) = new_store();
    let house = House::over(Arc::clone(&store) as Arc<dyn Store>, root_key(1)).await.unwrap();
    let ciphertexts = keys_with_ciphertexts(&house, 3).await;
    house.kms.begin_root_key_rotation(&root_key(2)).await.unwrap();
    let mut backup = house.kms.backup().await.unwrap();
    // The rotation ends while the backup is made: it is of the moment before.
    house.kms.complete_root_key_rotation(&|_| ()).await.unwrap();
    let mut bytes = Vec::new();
    while let Some(piece) = backup.next().await.unwrap() {
        bytes.extend(piece);
    }
    let reader = || BackupReader::new(&bytes[..]).unwrap();
    assert_eq!(reader().header().next_root_key_id, Some(root_key(2).id()));
    for byte in [1, 2] {
        assert!(reader().check(&Keyring::from(root_key(byte))).unwrap_err().to_string().contains("not found"));
    }
    reader().check(&both()).unwrap();
    let (_other, restored) = new_store();
    restore(reader(), &both(), &*restored).await.unwrap();
    let house = House::over(Arc::clone(&restored) as Arc<dyn Store>, both()).await.unwrap();
    house.kms.complete_root_key_rotation(&|_| ()).await.unwrap();
    all_decrypt(&house, &ciphertexts).await;
}

#[tokio::test]
async fn a_backup_that_was_altered_after_it_was_checked_is_not_restored() {
    let (_directory, store) = new_store();
    let house = House::over(Arc::clone(&store) as Arc<dyn Store>, root_key(1)).await.unwrap();
    house.ok("CreateKey", json!({"Description": "mine"})).await;
    let mut backup = house.kms.backup().await.unwrap();
    let mut bytes = Vec::new();
    while let Some(piece) = backup.next().await.unwrap() {
        bytes.extend(piece);
    }
    let root_keys = Keyring::from(root_key(1));
    BackupReader::new(&bytes[..]).unwrap().check(&root_keys).unwrap();
    // Whoever alters it can make the hash right, but not the code.
    let at = bytes.windows(4).position(|four| four == b"mine").unwrap();
    bytes[at..at + 4].copy_from_slice(b"evil");
    let end = bytes.len() - 64;
    let hash = Sha256::digest(&bytes[..end]);
    bytes[end..end + 32].copy_from_slice(&hash);
    let (_other, restored) = new_store();
    let error = restore(BackupReader::new(&bytes[..]).unwrap(), &root_keys, &*restored).await.unwrap_err();
    assert!(matches!(error, BackupError::Unauthentic(_)), "{error}");
    assert_eq!(rows(&restored, b"").await, [], "the rows are few, and none was committed");
}
