//! What holds between several processes' stores over one database: here several stores in one process.

use std::sync::Arc;
use std::time::Duration;

use keystile::store::copy::{CopyError, copy, require_finished};
use keystile::store::{
    Commit, CommitError, Image, ImageSettings, PostgresError, PostgresStore, Precondition, RedbSettings, RedbStore,
    Store, StoreError, Write,
};
use uuid::Uuid;

use crate::postgres::Cluster;

fn put(key: &str, value: &str) -> Commit {
    Commit { id: Uuid::new_v4(), preconditions: vec![], writes: vec![Write::Put(key.into(), value.into())] }
}

fn image(store: &Arc<PostgresStore>) -> Image<String> {
    let store: Arc<dyn Store> = Arc::<PostgresStore>::clone(store);
    let decode = |_: &[u8], value: &[u8]| String::from_utf8(value.to_vec()).map_err(|error| error.to_string());
    Image::new(store, ImageSettings { capacity_bytes: 1 << 20, decode, weigh: String::len })
}

async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..400 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within 4 s: {what}");
}

#[test]
fn stores_of_one_database_share_one_history() {
    let cluster = Cluster::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        others_commits_reach_an_image(&cluster).await;
        of_many_stores_one_wins(&cluster).await;
        a_watcher_misses_nothing_of_other_writers(&cluster).await;
        copies_are_equal_and_whole(&cluster).await;
        another_history_is_told_by_its_ids(&cluster).await;
        another_lineage_is_taken_up(&cluster).await;
        a_store_that_is_not_there_or_too_new_is_refused(&cluster).await;
    });
}

async fn others_commits_reach_an_image(cluster: &Cluster) {
    let settings = cluster.new_store().await;
    let one = Arc::new(PostgresStore::open(settings.clone()).await.unwrap());
    let other = Arc::new(PostgresStore::open(settings).await.unwrap());
    let image = image(&other);
    for n in 0..20 {
        let value = n.to_string();
        let revision = one.commit(put("k", &value)).await.unwrap();
        // Whoever names the revision is served no older one.
        assert!(other.head().await.unwrap() >= revision);
        assert_eq!(image.get(b"k").await.unwrap().unwrap().value, value);
        assert!(image.peek(b"k").is_some(), "it is cached");
    }
    one.commit(put("k", "last")).await.unwrap();
    eventually("the feed brings it", async || image.get(b"k").await.unwrap().unwrap().value == "last").await;
}

async fn of_many_stores_one_wins(cluster: &Cluster) {
    let settings = cluster.new_store().await;
    let mut stores = Vec::new();
    for _ in 0..3 {
        stores.push(Arc::new(PostgresStore::open(settings.clone()).await.unwrap()));
    }
    let counters: Vec<_> = (0..12)
        .map(|at| {
            let store = Arc::clone(&stores[at % 3]);
            tokio::spawn(async move {
                let mut done = 0;
                while done < 10 {
                    let found = store.snapshot().await.unwrap().get(b"n").await.unwrap();
                    let (precondition, n) = match &found {
                        None => (Precondition::Absent(b"n".to_vec()), 0),
                        Some(found) => {
                            let n = std::str::from_utf8(&found.value).unwrap().parse::<u32>().unwrap();
                            (Precondition::Unchanged(b"n".to_vec(), found.mod_rev), n)
                        }
                    };
                    let commit = Commit { preconditions: vec![precondition], ..put("n", &(n + 1).to_string()) };
                    match store.commit(commit).await {
                        Ok(_) => done += 1,
                        Err(CommitError::Conflict) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
            })
        })
        .collect();
    for counter in counters {
        counter.await.unwrap();
    }
    let found = stores[0].snapshot().await.unwrap().get(b"n").await.unwrap().unwrap();
    assert_eq!((&*found.value, found.mod_rev), (&b"120"[..], 120));
    // The same attempt, made by two processes.
    let twice = put("twice", "x");
    let (one, two) = tokio::join!(stores[0].commit(twice.clone()), stores[1].commit(twice));
    assert_eq!((one.unwrap(), two.unwrap()), (121, 121));
}

async fn a_watcher_misses_nothing_of_other_writers(cluster: &Cluster) {
    const EACH: u64 = 100;
    let settings = cluster.new_store().await;
    let watcher = PostgresStore::open(settings.clone()).await.unwrap();
    let mut writers = Vec::new();
    for name in ["a", "b", "c"] {
        let store = PostgresStore::open(settings.clone()).await.unwrap();
        writers.push(tokio::spawn(async move {
            for n in 0..EACH {
                store.commit(put(&format!("{name}/{n}"), "v")).await.unwrap();
            }
        }));
    }
    let mut seen = Vec::new();
    while seen.len() < 3 * usize::try_from(EACH).unwrap() {
        seen.extend(watcher.watch(seen.len() as u64).await.unwrap());
    }
    assert!(seen.iter().map(|change| change.revision).eq(1..=3 * EACH), "each once, in order");
    let keys: std::collections::HashSet<_> = seen.iter().flat_map(|change| change.keys.iter().cloned()).collect();
    assert_eq!(keys.len(), seen.len());
    for writer in writers {
        writer.await.unwrap();
    }
}

async fn copies_are_equal_and_whole(cluster: &Cluster) {
    let rows = async |store: &dyn Store| {
        let all = store.snapshot().await.unwrap().range(vec![]..vec![0xff, 0xff, 0xff], usize::MAX).await.unwrap();
        all.into_iter().map(|(key, found)| (key, found.value)).collect::<Vec<_>>()
    };
    let redb = || {
        let directory = tempfile::tempdir().unwrap();
        let settings = RedbSettings { cache_bytes: 4 << 20, spare_bytes: 64 << 10 };
        let store = RedbStore::open(directory.path(), &settings).unwrap();
        (directory, store)
    };
    let (_one, source) = redb();
    for n in 0u32..700 {
        let value = vec![7; usize::try_from(n * 37 % 9000).unwrap()];
        let writes = vec![Write::Put([&n.to_be_bytes()[..], &[0xff]].concat(), value)];
        source.commit(Commit { id: Uuid::new_v4(), preconditions: vec![], writes }).await.unwrap();
    }
    let settings = cluster.new_store().await;
    let target = PostgresStore::open(settings.clone()).await.unwrap();
    let copied = copy(&source, &target, &|_| {}).await.unwrap();
    assert_eq!((copied.rows, rows(&source).await), (700, rows(&target).await));
    assert!(matches!(copy(&source, &target, &|_| {}).await, Err(CopyError::NotEmpty)));
    let (_other, back) = redb();
    assert_eq!(copy(&target, &back, &|_| {}).await.unwrap().sha256, copied.sha256);
    assert_eq!(rows(&source).await, rows(&back).await);
    require_finished(&target).await.unwrap();
    // What a copy that was cut short leaves is no store, and no source.
    target.commit(put("copy/unfinished", "")).await.unwrap();
    assert!(matches!(require_finished(&target).await, Err(CopyError::Unfinished)));
    let (_third, other) = redb();
    assert!(matches!(copy(&target, &other, &|_| {}).await, Err(CopyError::Unfinished)));
}

/// A fail-over that lost acknowledged commits: other commits have their numbers, on the same keys.
async fn another_history_is_told_by_its_ids(cluster: &Cluster) {
    let settings = cluster.new_store().await;
    let store = Arc::new(PostgresStore::open(settings.clone()).await.unwrap());
    store.commit(put("a", "kept")).await.unwrap();
    store.commit(put("a", "lost")).await.unwrap();
    let image = image(&store);
    assert_eq!(image.get(b"a").await.unwrap().unwrap().value, "lost");
    let reloads =
        |store: &PostgresStore| store.readings().iter().find(|reading| reading.name == "store_reloads").unwrap().value;
    assert_eq!(reloads(&store), 0);
    let fork = "UPDATE ks_kv SET v = 'other' WHERE k = 'a';
                UPDATE ks_change SET commit_id = gen_random_uuid() WHERE rev = 2";
    cluster.execute(&settings.database, fork).await;
    eventually("the other history is told", async || reloads(&store) == 1).await;
    assert_eq!(image.get(b"a").await.unwrap().unwrap().value, "other", "the revision is the same");
    assert_eq!(store.commit(put("a", "next")).await.unwrap(), 3);
    // The head goes back.
    let lose = "DELETE FROM ks_change WHERE rev > 1; UPDATE ks_meta SET rev = 1;
                UPDATE ks_kv SET v = 'kept', mod_rev = 1 WHERE k = 'a'";
    cluster.execute(&settings.database, lose).await;
    eventually("the loss is told", async || reloads(&store) == 2).await;
    assert_eq!(image.get(b"a").await.unwrap().unwrap().value, "kept");
    assert!(image.peek(b"a").is_some(), "what is read now is cached, though its revision is lower");
    assert_eq!(store.commit(put("a", "again")).await.unwrap(), 2);
    assert_eq!(image.get(b"a").await.unwrap().unwrap().value, "again");
}

async fn another_lineage_is_taken_up(cluster: &Cluster) {
    let settings = cluster.new_store().await;
    let store = Arc::new(PostgresStore::open(settings.clone()).await.unwrap());
    store.commit(put("a", "1")).await.unwrap();
    let (image, before) = (image(&store), store.lineage());
    assert_eq!(image.get(b"a").await.unwrap().unwrap().value, "1");
    let restore = "UPDATE ks_meta SET lineage = gen_random_uuid(); UPDATE ks_kv SET v = 'restored'";
    cluster.execute(&settings.database, restore).await;
    // A commit meets it first: it is made in the new history, or not at all.
    let revision = store.commit(put("b", "1")).await.unwrap();
    assert_eq!(revision, 2);
    assert_ne!(store.lineage(), before);
    assert_eq!(image.get(b"a").await.unwrap().unwrap().value, "restored");
    assert!(matches!(store.watch(0).await, Err(StoreError::Compacted(0))));
}

async fn a_store_that_is_not_there_or_too_new_is_refused(cluster: &Cluster) {
    let settings = cluster.new_database().await;
    assert!(matches!(PostgresStore::open(settings.clone()).await, Err(PostgresError::NotInitialised)));
    PostgresStore::init(settings.clone()).await.unwrap();
    assert!(matches!(PostgresStore::init(settings.clone()).await, Err(PostgresError::AlreadyThere)));
    assert_eq!(PostgresStore::migrate(settings.clone()).await.unwrap(), (1, 1));
    cluster.execute(&settings.database, "UPDATE ks_meta SET format = 2").await;
    let newer = |error| matches!(error, PostgresError::NewerFormat { found: 2 });
    assert!(PostgresStore::open(settings.clone()).await.is_err_and(newer));
    assert!(PostgresStore::migrate(settings).await.is_err_and(newer));
}
