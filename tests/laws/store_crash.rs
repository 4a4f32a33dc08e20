//! Killed at any moment, the store keeps every write that it acknowledged.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use keystile::store::{Commit, RedbSettings, RedbStore, Store, Write};
use uuid::Uuid;

/// Names the data directory to the child.
const DIRECTORY: &str = "KEYSTILE_CRASH_DIRECTORY";
const KILLS: u64 = 6;

fn open(directory: &Path) -> RedbStore {
    RedbStore::open(directory, &RedbSettings { cache_bytes: 4 << 20, spare_bytes: 64 << 10 }).unwrap()
}

#[test]
#[ignore = "the child of the test below"]
fn commits_until_it_is_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let store = open(Path::new(&directory));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        loop {
            // Two at once: members of a batch are acknowledged alike.
            let commit = |name: &str| {
                let key = format!("{name}/{}", Uuid::new_v4()).into_bytes();
                let writes = vec![Write::Put(key.clone(), vec![7; 700]), Write::Put(b"shared".to_vec(), key.clone())];
                (key, store.commit(Commit { id: Uuid::new_v4(), preconditions: vec![], writes }))
            };
            let ((a_key, a), (b_key, b)) = (commit("a"), commit("b"));
            let (a, b) = tokio::join!(a, b);
            for (key, revision) in [(a_key, a), (b_key, b)] {
                println!("acknowledged {} {}", revision.unwrap(), String::from_utf8(key).unwrap());
            }
        }
    });
}

#[test]
fn every_acknowledged_write_survives_kill_9() {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged: Vec<(u64, String)> = Vec::new();
    for round in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store_crash::commits_until_it_is_killed", "--ignored", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let reader = std::thread::spawn(move || -> Vec<(u64, String)> {
            let parse = |line: String| {
                let (revision, key) = line.split_once("acknowledged ")?.1.split_once(' ')?;
                Some((revision.parse().ok()?, key.to_owned()))
            };
            lines.map_while(Result::ok).filter_map(parse).collect()
        });
        std::thread::sleep(Duration::from_millis(150 + 37 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let seen = reader.join().unwrap();
        assert!(!seen.is_empty(), "the child must have committed");
        acknowledged.extend(seen.into_iter().filter(|(_, key)| key.len() == 38));

        let store = open(directory.path());
        for (revision, key) in &acknowledged {
            let found = store.get(key.as_bytes()).unwrap().unwrap_or_else(|| panic!("{key} is lost"));
            assert_eq!((found.mod_rev, found.value.len()), (*revision, 700));
        }
    }
}
