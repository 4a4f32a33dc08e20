//! What the store and the sealing cost, beside the floor on the same machine at the same minute.
//!
//! `cargo bench --bench store -- [commits|reads|seal|open [keys]]`; all but `open` by default.
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a measurement that fails may panic"
)]

use std::fs::File;
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keystile::seal::envelope;
use keystile::store::{Commit, Image, ImageSettings, RedbSettings, RedbStore, Store, Write};
use uuid::Uuid;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let keys = arguments.get(1).and_then(|keys| keys.parse().ok()).unwrap_or(300_000);
    match arguments.first().map(String::as_str) {
        Some("commits") => commits(),
        Some("reads") => reads(),
        Some("seal") => seal(),
        Some("open") => open(keys),
        // Opened and killed by `open`.
        Some("linger") => linger(Path::new(&arguments[1])),
        _ => {
            commits();
            reads();
            seal();
        }
    }
}

fn store(directory: &Path) -> RedbStore {
    RedbStore::open(directory, &RedbSettings::default()).unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn commit(key: Vec<u8>, value: Vec<u8>) -> Commit {
    Commit { id: Uuid::new_v4(), preconditions: vec![], writes: vec![Write::Put(key, value)] }
}

/// Distinct values of 1 KB, committed for a while, in turns with the floor.
fn commits() {
    const FOR: Duration = Duration::from_millis(700);
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(store(directory.path()));
    let runtime = runtime();
    let (mut floors, mut ones, mut manys) = (vec![], vec![], vec![]);
    for _ in 0..5 {
        floors.push(append(directory.path(), FOR));
        ones.push(runtime.block_on(committers(&store, 1, FOR)));
        manys.push(runtime.block_on(committers(&store, 32, FOR)));
    }
    let (floor, one, many) = (median(floors), median(ones), median(manys));
    println!("append + fdatasync, 1 KB  {floor:>9.0} /s");
    println!("1 writer                  {one:>9.0} /s  {:.2} of the floor", one / floor);
    println!("32 writers                {many:>9.0} /s  {:.2} of the floor", many / floor);
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn append(directory: &Path, time: Duration) -> f64 {
    let mut file = File::create(directory.join("floor")).unwrap();
    let start = Instant::now();
    let mut count = 0u32;
    while start.elapsed() < time {
        file.write_all(&vec![count as u8; 1000]).unwrap();
        file.sync_data().unwrap();
        count += 1;
    }
    f64::from(count) / start.elapsed().as_secs_f64()
}

async fn committers(store: &Arc<RedbStore>, writers: u32, time: Duration) -> f64 {
    let start = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|_| {
            let store = Arc::clone(store);
            tokio::spawn(async move {
                let mut count = 0u32;
                while start.elapsed() < time {
                    let key = Uuid::new_v4();
                    store.commit(commit(key.as_bytes().to_vec(), vec![count as u8; 1000])).await.unwrap();
                    count += 1;
                }
                count
            })
        })
        .collect();
    let mut all = 0;
    for task in tasks {
        all += task.await.unwrap();
    }
    f64::from(all) / start.elapsed().as_secs_f64()
}

const KEYS: u32 = 10_000;

fn key(n: u32) -> Vec<u8> {
    format!("key/111122223333/{n:08}").into_bytes()
}

fn reads() {
    let directory = tempfile::tempdir().unwrap();
    let redb = Arc::new(store(directory.path()));
    let runtime = runtime();
    runtime.block_on(async {
        let writes = (0..KEYS).map(|n| Write::Put(key(n), vec![7; 300])).collect();
        redb.commit(Commit { id: Uuid::new_v4(), preconditions: vec![], writes }).await.unwrap();
    });
    let keys: Vec<Vec<u8>> = (0..KEYS).map(|n| key(n.wrapping_mul(7919) % KEYS)).collect();
    each("point read of the store", &keys, |key| {
        black_box(redb.get(key).unwrap().unwrap());
    });
    each("snapshot and get, boxed", &keys, |key| {
        runtime.block_on(async { black_box(redb.snapshot().await.unwrap().get(key).await.unwrap().unwrap()) });
    });
    for (name, capacity_bytes) in [("image, warm, 10,000 keys, 256 MiB", 256 << 20), ("the same, 16 MiB", 16 << 20)] {
        let store: Arc<dyn Store> = Arc::<RedbStore>::clone(&redb);
        let settings = ImageSettings { capacity_bytes, decode: |_, value| Ok(value.to_vec()), weigh: Vec::len };
        let image = Image::new(store, settings);
        runtime.block_on(async {
            for key in &keys {
                image.get(key).await.unwrap();
            }
        });
        each(name, &keys, |key| {
            black_box(image.try_get_fresh(key).unwrap());
        });
        each(&format!("{name}, one key"), &vec![keys[0].clone(); keys.len()], |key| {
            black_box(image.try_get_fresh(key).unwrap());
        });
    }
}

/// The mean over all keys of the best time of each stretch: what another process takes of the
/// processor falls on some stretches of some passes, and drops out.
fn each(name: &str, keys: &[Vec<u8>], read: impl Fn(&[u8])) {
    let stretches: Vec<&[Vec<u8>]> = keys.chunks(500).collect();
    let mut best = vec![u128::MAX; stretches.len()];
    for _ in 0..15 {
        for (stretch, best) in stretches.iter().zip(&mut best) {
            let start = Instant::now();
            for key in *stretch {
                read(key);
            }
            *best = start.elapsed().as_nanos().min(*best);
        }
    }
    println!("{name:<45}{:>8.0} ns", best.iter().sum::<u128>() as f64 / keys.len() as f64);
}

fn seal() {
    let (key, aad) = ([7; 32], [1; 64]);
    let sealed = envelope::seal(&key, b"bench", &aad, &[3; 32]).unwrap();
    let rounds = vec![vec![3; 32]; 20_000];
    each("random bytes, 28", &rounds, |_| {
        let mut out = [0u8; 28];
        aws_lc_rs::rand::fill(&mut out).unwrap();
        black_box(out);
    });
    each("derive a key", &rounds, |_| {
        black_box(keystile::seal::derive::derive_key(&key, b"bench", &aad[..16]));
    });
    each("seal 32 bytes", &rounds, |plaintext| {
        black_box(envelope::seal(&key, b"bench", &aad, plaintext).unwrap());
    });
    each("open 32 bytes", &rounds, |_| {
        black_box(envelope::open(&key, b"bench", &aad, &sealed).unwrap());
    });
}

/// Four rows a key, 1.5 KB in all; then opened after a clean close, and after kill -9.
fn open(keys: u32) {
    let directory = tempfile::tempdir_in("target").unwrap();
    let path = directory.path();
    let runtime = runtime();
    let first = store(path);
    let start = Instant::now();
    for from in (0..keys).step_by(1000) {
        let mut writes = Vec::new();
        for n in from..(from + 1000).min(keys) {
            let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, &n.to_be_bytes());
            for (table, bytes) in [("key", 500), ("policy", 600), ("material", 250), ("due", 30)] {
                writes.push(Write::Put(format!("{table}/111122223333/{id}").into_bytes(), vec![n as u8; bytes]));
            }
        }
        runtime.block_on(first.commit(Commit { id: Uuid::new_v4(), preconditions: vec![], writes })).unwrap();
    }
    println!("{keys} keys written in {:?}", start.elapsed());
    drop(first);
    let bytes = path.join("keystile.redb").metadata().unwrap().len();
    println!("the file has {} MB", bytes >> 20);
    timed_open("after a clean close", path, &runtime);
    for _ in 0..2 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["linger".as_ref(), path.as_os_str()])
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_secs(2));
        child.kill().unwrap();
        child.wait().unwrap();
        timed_open("after kill -9", path, &runtime);
    }
    timed_open("after a clean close", path, &runtime);
}

fn timed_open(when: &str, path: &Path, runtime: &tokio::runtime::Runtime) {
    let start = Instant::now();
    let store = store(path);
    let opened = start.elapsed();
    let found = runtime.block_on(async {
        let range = b"key/".to_vec()..b"key0".to_vec();
        store.snapshot().await.unwrap().range(range, 5).await.unwrap().len()
    });
    println!("opened {when} in {opened:?}, {found} rows seen");
    let start = Instant::now();
    drop(store);
    println!("closed in {:?}", start.elapsed());
}

fn linger(path: &Path) {
    let store = store(path);
    runtime().block_on(async {
        loop {
            store.commit(commit(Uuid::new_v4().as_bytes().to_vec(), vec![9; 500])).await.unwrap();
        }
    });
}
