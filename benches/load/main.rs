//! The end-to-end load: `serve` beside a bare hyper server, in one run.
//!
//! `cargo bench --bench load` starts both servers as processes of their own, pinned to one core
//! with one worker thread each, and loads them in turn from the other core over 64 keep-alive
//! connections with signed requests: GetKeyRotationStatus and GenerateDataKey over 10,000 keys by
//! 200 callers with real policies, decisions warm, audit on. The bare server reads the same
//! requests and answers bodies of the same size. Printed: requests/s, CPU time of the server
//! process for each request, p50, p99, and the ratios: absolute figures of two runs do not compare,
//! the ratios of one run do.
//!
//! `cargo bench --bench load -- scale` compares a store of 300,000 keys with one of 1,000: start-up
//! after a clean stop and after `kill -9`, p50, resident memory.
//!
//! `KEYSTILE_LOAD_KEYS`, `KEYSTILE_LOAD_SECONDS`, `KEYSTILE_LOAD_ROUNDS` change the size.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark stops at the first surprise")]
#![expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "figures")]

mod account;
mod connection;
mod server;
mod sign;

use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use account::{CALLERS, create_keys, write_account};
use connection::{CONNECTIONS, Connection, load};
use server::Server;
use sign::{Signer, root_signer};

const LOAD_CORE: &str = "1";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["bare", size] => server::bare_server(size.parse().unwrap()),
        ["pinned", "scale"] => single_threaded(scale()),
        ["pinned"] => single_threaded(measure()),
        // `cargo bench` passes --bench; `cargo test --benches`, which has nothing to check here, does not.
        [.., "--bench"] => pin_self(&words[..words.len() - 1]),
        _ => {}
    }
}

/// Starts this program again on the core of the load.
fn pin_self(arguments: &[&str]) {
    let status = Command::new("taskset")
        .args(["-c", LOAD_CORE])
        .arg(std::env::current_exe().unwrap())
        .arg("pinned")
        .args(arguments)
        .status()
        .expect("taskset (util-linux) pins the processes to their cores");
    std::process::exit(status.code().unwrap_or(1));
}

pub(crate) fn single_threaded<F: Future<Output = ()>>(future: F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, future);
}

/// The load never sleeps: a server would otherwise be billed for waking its core, and a slower
/// one more often than a faster one.
fn stay_awake() {
    tokio::task::spawn_local(async {
        loop {
            tokio::task::yield_now().await;
        }
    });
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect(name))
}

/// One signed request for each key, the callers in turn.
fn requests(host: &str, callers: &[(String, String)], ids: &[String], operation: &str, more: &str) -> Rc<Vec<Vec<u8>>> {
    let signers: Vec<Signer> = callers.iter().map(|(id, secret)| Signer::new(id, secret)).collect();
    let request = |index: usize| {
        let body = format!("{{\"KeyId\":\"{}\"{more}}}", ids[index % ids.len()]);
        signers[index % CALLERS].request(host, operation, &body)
    };
    Rc::new((0..ids.len().max(CALLERS)).map(request).collect())
}

async fn measure() {
    stay_awake();
    let keys = setting("KEYSTILE_LOAD_KEYS", 10_000) as usize;
    let seconds = Duration::from_secs(setting("KEYSTILE_LOAD_SECONDS", 5));
    let rounds = setting("KEYSTILE_LOAD_ROUNDS", 5);
    let directory = tempfile::tempdir().unwrap();
    let callers = write_account(directory.path());
    let keystile = Server::keystile(directory.path());
    let host = keystile.gateway.to_string();

    let started = Instant::now();
    let ids = create_keys(&keystile, Rc::new(root_signer(directory.path())), keys).await;
    println!(
        "{keys} keys created in {:.1} s; {CALLERS} callers, {CONNECTIONS} connections, one core for the server",
        started.elapsed().as_secs_f64()
    );

    for (operation, more) in [("GetKeyRotationStatus", ""), ("GenerateDataKey", ",\"KeySpec\":\"AES_256\"")] {
        let requests = requests(&host, &callers, &ids, operation, more);
        let mut probe = Connection::open(keystile.gateway).await;
        let (status, body) = probe.exchange(&requests[0]).await;
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&probe.buffer[body]));
        let bare = Server::bare(body.len());
        println!("\n{operation} ({} B answered)", body.len());

        // Warm both: every request once.
        load(&keystile, &requests, seconds.max(Duration::from_secs(2))).await;
        load(&bare, &requests, Duration::from_secs(1)).await;

        let mut ratios: Vec<[f64; 3]> = Vec::new();
        for _ in 0..rounds {
            let floor = load(&bare, &requests, seconds).await;
            let ours = load(&keystile, &requests, seconds).await;
            for (name, figures) in [("bare hyper", &floor), ("keystile", &ours)] {
                println!(
                    "  {name:<11} {:>9} requests {:>9.0}/s {:>7.2} µs CPU/request  p50 {:>6.0} µs  p99 {:>6.0} µs",
                    figures.requests, figures.rate, figures.cpu_us, figures.p50_us, figures.p99_us
                );
            }
            ratios.push([ours.rate / floor.rate, floor.cpu_us / ours.cpu_us, ours.p99_us / floor.p99_us]);
        }
        for (index, name) in
            ["requests/s, of bare hyper's", "bare hyper's CPU time, of ours", "p99, times bare hyper's"]
                .into_iter()
                .enumerate()
        {
            let mut column: Vec<f64> = ratios.iter().map(|row| row[index]).collect();
            column.sort_by(f64::total_cmp);
            println!(
                "  ratio {name:<32} min {:.2}  median {:.2}  max {:.2}",
                column[0],
                column[column.len() / 2],
                column[column.len() - 1]
            );
        }
    }
    println!("\nresident memory of the server: {:.0} MiB", keystile.resident_mib());
}

/// 1,000 keys beside many: what the number of keys costs.
async fn scale() {
    let many = setting("KEYSTILE_LOAD_KEYS", 300_000) as usize;
    let seconds = Duration::from_secs(setting("KEYSTILE_LOAD_SECONDS", 5));
    let mut p50 = Vec::new();
    for count in [1_000, many] {
        let directory = tempfile::tempdir().unwrap();
        let callers = write_account(directory.path());
        let server = Server::keystile(directory.path());
        let started = Instant::now();
        let ids = create_keys(&server, Rc::new(root_signer(directory.path())), count).await;
        println!(
            "{count} keys created in {:.1} s ({} MiB on disk)",
            started.elapsed().as_secs_f64(),
            size_mib(directory.path())
        );
        server.kill();
        let server = timed_start("after kill -9", directory.path());
        server.stop();
        let server = timed_start("after a clean stop", directory.path());
        // A thousand keys are in use at a time, of however many there are.
        let used: Vec<String> = ids.iter().step_by((count / 1_000).max(1)).cloned().collect();
        let requests = requests(&server.gateway.to_string(), &callers, &used, "GetKeyRotationStatus", "");
        load(&server, &requests, Duration::from_secs(2)).await;
        let figures = load(&server, &requests, seconds).await;
        println!("  {:.0} requests/s  p50 {:.0} µs  p99 {:.0} µs", figures.rate, figures.p50_us, figures.p99_us);
        p50.push(figures.p50_us);
        // Every key once: what the caches hold at the most.
        let all = self::requests(&server.gateway.to_string(), &callers, &ids, "GetKeyRotationStatus", "");
        load(&server, &all, seconds * 4).await;
        println!("  resident memory after requests to every key: {:.0} MiB", server.resident_mib());
    }
    println!("  ratio p50, of 1,000 keys': {:.2}", p50[1] / p50[0]);
}

fn timed_start(when: &str, directory: &Path) -> Server {
    let started = Instant::now();
    let server = Server::keystile(directory);
    println!("  start-up {when}: {:.2} s", started.elapsed().as_secs_f64());
    server
}

fn size_mib(directory: &Path) -> u64 {
    let files = std::fs::read_dir(directory.join("data")).unwrap();
    files.map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>() / (1 << 20)
}
