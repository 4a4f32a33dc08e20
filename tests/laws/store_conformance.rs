//! What every backend of the store must do, and that redb and PostgreSQL do it.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use keystile::store::{
    BoxFuture, Commit, CommitError, Image, ImageSettings, MAX_COMMIT_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES,
    PostgresSettings, PostgresStore, Precondition, RedbSettings, RedbStore, Revision, Store, StoreError, Versioned,
    Write,
};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tempfile::TempDir;
use uuid::Uuid;

use crate::postgres::Cluster;

/// A backend under test: opens its store, and opens it again after it was closed.
trait Backend: Sync {
    fn open(&self) -> Opening<'_>;
}

type Opening<'a> = BoxFuture<'a, Arc<dyn Store>>;

struct Redb(TempDir);

impl Redb {
    fn new() -> Self {
        Redb(tempfile::tempdir().unwrap())
    }

    fn open(&self) -> RedbStore {
        RedbStore::open(self.0.path(), &RedbSettings { cache_bytes: 4 << 20, spare_bytes: 64 << 10 }).unwrap()
    }
}

impl Backend for Redb {
    fn open(&self) -> Opening<'_> {
        Box::pin(async { Arc::new(Redb::open(self)) as Arc<dyn Store> })
    }
}

struct Postgres(PostgresSettings);

impl Backend for Postgres {
    fn open(&self) -> Opening<'_> {
        Box::pin(async { Arc::new(PostgresStore::open(self.0.clone()).await.unwrap()) as Arc<dyn Store> })
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

fn put(key: &str, value: &str) -> Write {
    Write::Put(key.into(), value.into())
}

fn delete(key: &str) -> Write {
    Write::Delete(key.into())
}

fn commit_if(preconditions: Vec<Precondition>, writes: Vec<Write>) -> Commit {
    Commit { id: Uuid::new_v4(), preconditions, writes }
}

fn commit_of(writes: Vec<Write>) -> Commit {
    commit_if(vec![], writes)
}

async fn get(store: &dyn Store, key: &str) -> Option<(Revision, String)> {
    let found = store.snapshot().await.unwrap().get(key.as_bytes()).await.unwrap();
    found.map(|found| (found.mod_rev, String::from_utf8(found.value.to_vec()).unwrap()))
}

async fn keys(store: &dyn Store, range: Range<&str>, limit: usize) -> Vec<String> {
    let range = range.start.into()..range.end.into();
    let found = store.snapshot().await.unwrap().range(range, limit).await.unwrap();
    found.into_iter().map(|(key, _)| String::from_utf8(key).unwrap()).collect()
}

/// The laws, one after the other, each on a fresh store.
async fn conforms<B: Backend>(fresh: impl AsyncFn() -> B) {
    revisions_are_consecutive_and_values_bear_them(&*fresh().await.open().await).await;
    keys_are_ordered_bytes_and_ranges_half_open(&*fresh().await.open().await).await;
    a_snapshot_does_not_move(&*fresh().await.open().await).await;
    each_precondition_holds_or_refuses_all(&*fresh().await.open().await).await;
    writes_of_a_commit_apply_in_order(&*fresh().await.open().await).await;
    an_id_commits_once(&*fresh().await.open().await).await;
    watching_misses_nothing(fresh().await.open().await).await;
    concurrent_writers_get_distinct_revisions(fresh().await.open().await).await;
    of_many_who_read_the_same_one_commits(fresh().await.open().await).await;
    sizes_are_limited(&*fresh().await.open().await).await;
    stamps_follow_commits(&*fresh().await.open().await).await;
    reopening_keeps_everything(&fresh().await).await;
}

async fn revisions_are_consecutive_and_values_bear_them(store: &dyn Store) {
    assert_eq!(store.head().await.unwrap(), 0);
    for n in 1..=3 {
        assert_eq!(store.commit(commit_of(vec![put(&format!("k{n}"), "v")])).await.unwrap(), n);
        assert_eq!(store.head().await.unwrap(), n);
        assert_eq!(store.snapshot().await.unwrap().revision(), n);
    }
    assert_eq!(get(store, "k2").await, Some((2, "v".into())));
    assert_eq!(get(store, "k4").await, None);
    assert_eq!(store.commit(commit_of(vec![])).await.unwrap(), 4);
}

async fn keys_are_ordered_bytes_and_ranges_half_open(store: &dyn Store) {
    let all: Vec<Vec<u8>> =
        vec![vec![], vec![0], vec![0, 0], b"a".to_vec(), b"a/b".to_vec(), b"b".to_vec(), vec![0xff]];
    let writes = all.iter().rev().map(|key| Write::Put(key.clone(), vec![1])).collect();
    store.commit(commit_of(writes)).await.unwrap();
    let snapshot = store.snapshot().await.unwrap();
    let read = async |range: Range<Vec<u8>>, limit| -> Vec<Vec<u8>> {
        snapshot.range(range, limit).await.unwrap().into_iter().map(|(key, _)| key).collect()
    };
    assert_eq!(read(vec![]..vec![0xff, 0], 100).await, all);
    assert_eq!(read(vec![]..vec![0xff], 100).await, all[..6]);
    assert_eq!(read(b"a".to_vec()..b"b".to_vec(), 100).await, all[3..5]);
    assert_eq!(read(vec![]..vec![0xff], 2).await, all[..2]);
    assert!(read(vec![]..vec![0xff], 0).await.is_empty());
    assert!(read(b"b".to_vec()..b"a".to_vec(), 9).await.is_empty());
    assert!(read(b"a".to_vec()..b"a".to_vec(), 9).await.is_empty());
    assert!(read(b"c".to_vec()..b"d".to_vec(), 9).await.is_empty());
}

async fn a_snapshot_does_not_move(store: &dyn Store) {
    store.commit(commit_of(vec![put("a", "1"), put("b", "1")])).await.unwrap();
    let before = store.snapshot().await.unwrap();
    store.commit(commit_of(vec![put("a", "2"), delete("b"), put("c", "2")])).await.unwrap();
    assert_eq!(before.revision(), 1);
    assert_eq!(&*before.get(b"a").await.unwrap().unwrap().value, b"1");
    assert_eq!(before.range(b"a".to_vec()..b"z".to_vec(), 9).await.unwrap().len(), 2);
    assert_eq!(get(store, "a").await, Some((2, "2".into())));
    assert_eq!(keys(store, "a".."z", 9).await, ["a", "c"]);
}

async fn each_precondition_holds_or_refuses_all(store: &dyn Store) {
    store.commit(commit_of(vec![put("p/1", "x"), put("p/2", "x")])).await.unwrap();
    store.commit(commit_of(vec![put("p/2", "y")])).await.unwrap();
    let unchanged = |key: &str, revision| Precondition::Unchanged(key.into(), revision);
    let absent = |key: &str| Precondition::Absent(key.into());
    let empty = |from: &str, to: &str| Precondition::EmptyRange(from.into()..to.into());
    for refused in [
        unchanged("p/1", 2),
        unchanged("p/2", 1),
        unchanged("p/2", 3),
        unchanged("nothing", 0),
        absent("p/1"),
        empty("p/", "p0"),
        empty("p/2", "p/3"),
        empty("a", "p/10"),
    ] {
        for preconditions in [vec![refused.clone()], vec![unchanged("p/1", 1), refused.clone(), absent("new")]] {
            let answer = store.commit(commit_if(preconditions, vec![put("p/1", "no"), put("new", "no")])).await;
            assert!(matches!(answer, Err(CommitError::Conflict)), "{refused:?}");
        }
    }
    assert_eq!(store.head().await.unwrap(), 2, "a conflict takes no revision");
    assert_eq!((get(store, "p/1").await, get(store, "new").await), (Some((1, "x".into())), None));
    for holds in [unchanged("p/1", 1), absent("p/3"), empty("p/3", "p/9"), empty("p/2a", "p0"), empty("z", "a")] {
        let answer = store.commit(commit_if(vec![holds.clone()], vec![put("last", "yes")])).await;
        assert!(answer.is_ok(), "{holds:?}: {answer:?}");
    }
    store.commit(commit_of(vec![delete("p/1"), delete("never was")])).await.unwrap();
    store.commit(commit_if(vec![absent("p/1")], vec![])).await.unwrap();
}

async fn writes_of_a_commit_apply_in_order(store: &dyn Store) {
    let writes = vec![put("a", "1"), delete("a"), put("a", "2"), put("b", "1"), delete("b")];
    store.commit(commit_of(writes)).await.unwrap();
    assert_eq!((get(store, "a").await, get(store, "b").await), (Some((1, "2".into())), None));
}

async fn an_id_commits_once(store: &dyn Store) {
    let first = commit_if(vec![Precondition::Absent(b"a".to_vec())], vec![put("a", "1")]);
    assert_eq!(store.commit(first.clone()).await.unwrap(), 1);
    store.commit(commit_of(vec![put("a", "2")])).await.unwrap();
    assert_eq!(store.commit(first.clone()).await.unwrap(), 1);
    assert_eq!(get(store, "a").await, Some((2, "2".into())));
    assert_eq!(store.head().await.unwrap(), 2);
    // At once, too.
    let twice = commit_of(vec![put("b", "1")]);
    let (one, other) = tokio::join!(store.commit(twice.clone()), store.commit(twice));
    assert_eq!((one.unwrap(), other.unwrap()), (3, 3));
    // A commit that conflicted did not happen, so its id is free.
    let conflicted = commit_if(vec![Precondition::Absent(b"a".to_vec())], vec![put("a", "3")]);
    assert!(store.commit(conflicted.clone()).await.is_err());
    store.commit(commit_of(vec![delete("a")])).await.unwrap();
    assert_eq!(store.commit(conflicted).await.unwrap(), 5);
}

async fn watching_misses_nothing(store: Arc<dyn Store>) {
    let watcher = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            let mut seen = Vec::new();
            while seen.len() < 100 {
                seen.extend(store.watch(seen.len() as u64).await.unwrap());
            }
            seen
        }
    });
    for n in 1..=100 {
        store.commit(commit_of(vec![put(&format!("k{n}"), "v"), delete("x")])).await.unwrap();
    }
    for (at, change) in watcher.await.unwrap().iter().enumerate() {
        assert_eq!(change.revision, at as u64 + 1);
        assert_eq!(change.keys[..], [format!("k{}", at + 1).into_bytes(), b"x".to_vec()]);
    }
    let waits = tokio::time::timeout(Duration::from_millis(50), store.watch(100)).await;
    assert!(waits.is_err(), "there is nothing after the head");
}

async fn concurrent_writers_get_distinct_revisions(store: Arc<dyn Store>) {
    let writers: Vec<_> = (0..16)
        .map(|writer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut revisions = Vec::new();
                for n in 0..20 {
                    let key = format!("{writer}/{n}");
                    let revision = store.commit(commit_of(vec![put(&key, "v")])).await.unwrap();
                    assert!(store.head().await.unwrap() >= revision);
                    assert_eq!(get(&*store, &key).await, Some((revision, "v".into())), "its own write is seen");
                    revisions.push(revision);
                }
                assert!(revisions.is_sorted());
                revisions
            })
        })
        .collect();
    let mut all = HashSet::new();
    for writer in writers {
        all.extend(writer.await.unwrap());
    }
    assert_eq!(all, (1..=320).collect());
    assert_eq!(store.head().await.unwrap(), 320);
}

async fn of_many_who_read_the_same_one_commits(store: Arc<dyn Store>) {
    store.commit(commit_of(vec![put("counter", "0")])).await.unwrap();
    let writers: Vec<_> = (0..16)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut done = 0;
                while done < 10 {
                    let (mod_rev, value) = get(&*store, "counter").await.unwrap();
                    let next = (value.parse::<u64>().unwrap() + 1).to_string();
                    let unchanged = vec![Precondition::Unchanged(b"counter".to_vec(), mod_rev)];
                    match store.commit(commit_if(unchanged, vec![put("counter", &next)])).await {
                        Ok(_) => done += 1,
                        Err(CommitError::Conflict) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(get(&*store, "counter").await.unwrap().1, "160");
}

async fn sizes_are_limited(store: &dyn Store) {
    let value = vec![7; MAX_VALUE_BYTES];
    let key = vec![b'k'; MAX_KEY_BYTES];
    store.commit(commit_of(vec![Write::Put(key.clone(), value.clone())])).await.unwrap();
    assert_eq!(&*store.snapshot().await.unwrap().get(&key).await.unwrap().unwrap().value, &value[..]);
    let too_many = (0..=MAX_COMMIT_BYTES / MAX_VALUE_BYTES)
        .map(|n| Write::Put(vec![u8::try_from(n).unwrap()], value.clone()))
        .collect();
    for writes in [
        vec![Write::Put([&key[..], b"k"].concat(), vec![])],
        vec![Write::Delete([&key[..], b"k"].concat())],
        vec![put("before", "x"), Write::Put(b"long".to_vec(), [&value[..], b"x"].concat())],
        too_many,
    ] {
        assert!(matches!(store.commit(commit_of(writes)).await, Err(CommitError::Refused(_))));
    }
    assert_eq!(get(store, "before").await, None);
    assert_eq!(store.head().await.unwrap(), 1);
}

async fn stamps_follow_commits(store: &dyn Store) {
    let stamps = store.stamps();
    for n in 1..50 {
        let key = format!("k{n}");
        let revision = store.commit(commit_of(vec![put(&key, "v"), delete("gone")])).await.unwrap();
        assert!(stamps.of(key.as_bytes()) >= revision && stamps.of(b"gone") >= revision);
    }
}

async fn reopening_keeps_everything(backend: &dyn Backend) {
    let store = backend.open().await;
    let unknown = commit_of(vec![put("a", "1"), put("b", "1")]);
    store.commit(unknown).await.unwrap();
    store.commit(commit_of(vec![put("b", "2")])).await.unwrap();
    drop(store);
    let store = backend.open().await;
    assert_eq!(store.head().await.unwrap(), 2);
    assert_eq!(get(&*store, "a").await, Some((1, "1".into())));
    assert_eq!(get(&*store, "b").await, Some((2, "2".into())));
    assert_eq!(store.commit(commit_of(vec![put("c", "3")])).await.unwrap(), 3);
    assert_eq!(store.watch(2).await.unwrap().len(), 1);
    assert!(matches!(store.watch(0).await, Err(StoreError::Compacted(0))), "changes are not kept over a restart");
}

#[test]
fn redb_keeps_the_laws_of_a_store() {
    block_on(conforms(async || Redb::new()));
}

#[test]
fn postgresql_keeps_the_laws_of_a_store() {
    let cluster = Cluster::start();
    block_on(async {
        conforms(async || Postgres(cluster.new_store().await)).await;
        image_is_never_staler(&Postgres(cluster.new_store().await).open().await, 200).await;
        image_knows_absence(&Postgres(cluster.new_store().await).open().await).await;
    });
    let mut runner = TestRunner::new(ProptestConfig { cases: 6, ..ProptestConfig::default() });
    let history = (prop::collection::vec(step(), 1..40), 0usize..40);
    let equal = |(steps, closes)| {
        block_on(async { equals_a_map(&Postgres(cluster.new_store().await), steps, closes).await });
        Ok(())
    };
    runner.run(&history, equal).unwrap();
}

/// A step of a random history over few keys, so that they meet.
#[derive(Clone, Debug)]
struct Step {
    preconditions: Vec<(u8, u8, u8)>,
    writes: Vec<(u8, Option<u8>)>,
}

fn step() -> impl Strategy<Value = Step> {
    let preconditions = prop::collection::vec((0u8..3, 0u8..12, 0u8..12), 0..3);
    let writes = prop::collection::vec((0u8..12, prop::option::weighted(0.7, any::<u8>())), 0..4);
    (preconditions, writes).prop_map(|(preconditions, writes)| Step { preconditions, writes })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn random_histories_equal_a_map(steps in prop::collection::vec(step(), 1..40), closes in 0usize..40) {
        block_on(equals_a_map(&Redb::new(), steps, closes));
    }
}

async fn equals_a_map(backend: &dyn Backend, steps: Vec<Step>, closes: usize) {
    let mut store = Some(backend.open().await);
    let mut model: BTreeMap<Vec<u8>, (Revision, Vec<u8>)> = BTreeMap::new();
    let mut head = 0;
    for (at, step) in steps.into_iter().enumerate() {
        if at == closes {
            drop(store.take());
            store = Some(backend.open().await);
        }
        let store = store.as_deref().unwrap();
        let mut holds = true;
        let preconditions = step
            .preconditions
            .iter()
            .map(|&(kind, a, b)| {
                let known = model.get(&vec![a]);
                match kind {
                    0 => {
                        // Half of the time the revision that the key has.
                        let revision = if b % 2 == 0 { known.map_or(1, |known| known.0) } else { u64::from(b) };
                        holds &= known.is_some_and(|known| known.0 == revision);
                        Precondition::Unchanged(vec![a], revision)
                    }
                    1 => {
                        holds &= known.is_none();
                        Precondition::Absent(vec![a])
                    }
                    _ => {
                        let range = vec![a]..vec![b];
                        holds &= a >= b || model.range(range.clone()).next().is_none();
                        Precondition::EmptyRange(range)
                    }
                }
            })
            .collect();
        let writes = step
            .writes
            .iter()
            .map(|&(key, value)| match value {
                Some(value) => Write::Put(vec![key], vec![value; usize::from(value)]),
                None => Write::Delete(vec![key]),
            })
            .collect();
        match store.commit(commit_if(preconditions, writes)).await {
            Ok(revision) => {
                assert!(holds);
                head += 1;
                assert_eq!(revision, head);
                for (key, value) in step.writes {
                    match value {
                        Some(value) => drop(model.insert(vec![key], (head, vec![value; usize::from(value)]))),
                        None => drop(model.remove(&vec![key])),
                    }
                }
            }
            Err(CommitError::Conflict) => assert!(!holds),
            Err(other) => panic!("{other}"),
        }
        let snapshot = store.snapshot().await.unwrap();
        assert_eq!(snapshot.revision(), head);
        let all = snapshot.range(vec![]..vec![255], usize::MAX).await.unwrap();
        let expected: Vec<(Vec<u8>, Versioned)> = model
            .iter()
            .map(|(key, (mod_rev, value))| {
                (key.clone(), Versioned { mod_rev: *mod_rev, value: value.as_slice().into() })
            })
            .collect();
        assert_eq!(all, expected);
    }
}

fn decode(_: &[u8], value: &[u8]) -> Result<u64, String> {
    value.try_into().map(u64::from_be_bytes).map_err(|_| format!("{} bytes are no number", value.len()))
}

fn image(store: &Arc<dyn Store>, capacity_bytes: usize) -> Arc<Image<u64>> {
    Arc::new(Image::new(Arc::clone(store), ImageSettings { capacity_bytes, decode, weigh: |_| 8 }))
}

#[test]
fn an_image_is_never_staler_than_an_acknowledged_write() {
    let backend = Redb::new();
    block_on(async { image_is_never_staler(&Backend::open(&backend).await, 1500).await });
}

async fn image_is_never_staler(store: &Arc<dyn Store>, commits: u32) {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    const KEYS: u64 = 7;
    // Too small for all keys in one case, so that entries are evicted and read again.
    for capacity in [1 << 20, 1 << 10] {
        let image = image(store, capacity);
        let acknowledged: Arc<Vec<AtomicU64>> = Arc::new((0..KEYS).map(|_| AtomicU64::new(0)).collect());
        let done = Arc::new(AtomicBool::new(false));
        let hits = Arc::new(AtomicU64::new(0));
        let readers: Vec<_> = (0..4)
            .map(|reader| {
                let (image, acknowledged) = (Arc::clone(&image), Arc::clone(&acknowledged));
                let (done, hits) = (Arc::clone(&done), Arc::clone(&hits));
                tokio::spawn(async move {
                    let mut n = reader;
                    while !done.load(Ordering::Relaxed) {
                        n += 1;
                        let at = n % KEYS;
                        let floor = acknowledged[usize::try_from(at).unwrap()].load(Ordering::Acquire);
                        let key = at.to_be_bytes();
                        let warm = image.peek(&key);
                        hits.fetch_add(u64::from(warm.is_some()), Ordering::Relaxed);
                        let record = match warm {
                            Some(record) => record,
                            None => image.get(&key).await.unwrap(),
                        };
                        let seen = record.map_or(0, |record| {
                            assert_eq!(record.value, record.mod_rev, "a value is its commit's revision");
                            record.value
                        });
                        assert!(seen >= floor, "read {seen} after {floor} was acknowledged");
                        if n % 64 == 0 {
                            tokio::task::yield_now().await;
                        }
                    }
                })
            })
            .collect();
        for _ in 0..commits {
            let head = store.head().await.unwrap() + 1;
            let at = head % KEYS;
            let write = Write::Put(at.to_be_bytes().to_vec(), head.to_be_bytes().to_vec());
            assert_eq!(store.commit(commit_of(vec![write])).await.unwrap(), head);
            acknowledged[usize::try_from(at).unwrap()].store(head, Ordering::Release);
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.await.unwrap();
        }
        assert!(hits.load(Ordering::Relaxed) > 1000, "the readers must have met the image");
    }
}

#[test]
fn an_image_knows_absence_deletion_and_what_it_cannot_read() {
    let backend = Redb::new();
    block_on(async { image_knows_absence(&Backend::open(&backend).await).await });
}

async fn image_knows_absence(store: &Arc<dyn Store>) {
    let image = image(store, 1 << 20);
    assert!(image.peek(b"a").is_none());
    assert!(image.get(b"a").await.unwrap().is_none());
    assert!(matches!(image.peek(b"a"), Some(None)), "absence is remembered");
    store.commit(commit_of(vec![Write::Put(b"a".to_vec(), 5u64.to_be_bytes().to_vec())])).await.unwrap();
    assert!(image.try_get_fresh(b"a").is_none());
    let first = image.get(b"a").await.unwrap().unwrap();
    assert_eq!((first.value, first.mod_rev), (5, 1));
    assert!(Arc::ptr_eq(&first, &image.try_get_fresh(b"a").unwrap()));
    store.commit(commit_of(vec![delete("a")])).await.unwrap();
    assert!(image.get(b"a").await.unwrap().is_none());
    store.commit(commit_of(vec![put("bad", "123")])).await.unwrap();
    let error = image.get(b"bad").await.unwrap_err();
    assert_eq!(error.to_string(), "a stored record cannot be read: bad: 3 bytes are no number");
}
