//! The root key is rotated under a running server, a killed one, a stopped one.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use keystile::config::{Config, Overrides};
use keystile::gateway::open_stopped;
use serde_json::Value;

use crate::support::{Server, Setup, keystile};

/// A key with a ciphertext of each material that it had.
pub(crate) async fn key_with_ciphertexts(kms: &Client) -> Vec<Blob> {
    let key = kms.create_key().send().await.unwrap().key_metadata.unwrap().key_id;
    let mut ciphertexts = Vec::new();
    for round in 0..2 {
        if round > 0 {
            kms.rotate_key_on_demand().key_id(&key).send().await.unwrap();
        }
        let sealed = kms.encrypt().key_id(&key).plaintext(Blob::new("secret")).send().await.unwrap();
        ciphertexts.push(sealed.ciphertext_blob.unwrap());
    }
    ciphertexts
}

pub(crate) async fn all_decrypt(kms: &Client, ciphertexts: &[Blob]) {
    for sealed in ciphertexts {
        let opened = kms.decrypt().ciphertext_blob(sealed.clone()).send().await.unwrap();
        assert_eq!(opened.plaintext.unwrap().as_ref(), b"secret");
    }
}

/// Many keys, made side by side.
async fn many(kms: &Client, keys: usize) -> Vec<Blob> {
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let kms = kms.clone();
            tokio::spawn(async move {
                let mut ciphertexts = Vec::new();
                for _ in 0..keys / 8 {
                    ciphertexts.extend(key_with_ciphertexts(&kms).await);
                }
                ciphertexts
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    all
}

/// Begins a rotation of a stopped server's root key, and goes no further.
pub(crate) async fn begin_rotation(data: &Path) {
    let overrides = Overrides { data_dir: Some(data.to_owned()), ..Overrides::default() };
    let config = Config::load(None, &overrides).unwrap();
    let (_lock, kms) = open_stopped(&config).await.unwrap().unwrap();
    let next = config.root_key.next(&kms.root_key_ids().current).unwrap();
    kms.begin_root_key_rotation(&next).await.unwrap();
}

/// Runs `keystile root-key rotate` on a server's data.
async fn rotate(data: &Path) -> (Option<i32>, String) {
    let data = data.to_str().unwrap().to_owned();
    tokio::task::spawn_blocking(move || keystile(&["root-key", "rotate", "--data-dir", &data])).await.unwrap()
}

fn root_keys(data: &Path) -> BTreeSet<String> {
    let names = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("root.key")).collect()
}

/// How the rotation of a running server goes.
fn status(server: &Server) -> Value {
    ask(server, "GET")
}

/// A request to the admin listener with the token of the data directory.
fn ask(server: &Server, method: &str) -> Value {
    let access: Value =
        serde_json::from_str(&std::fs::read_to_string(server.path("data/admin.json")).unwrap()).unwrap();
    let request = format!(
        "{method} /root-key/rotation HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        access["token"].as_str().unwrap()
    );
    let answer = crate::raw::exchange(server.admin, request.as_bytes());
    assert_eq!(answer.status, 200);
    serde_json::from_str(&answer.text()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_root_key_is_rotated_under_load_and_no_request_fails() {
    let server = Server::start();
    let kms = server.client();
    let ciphertexts = many(&kms, 160).await;
    let old = std::fs::read_to_string(server.path("data/root.key")).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (kms, done, known) = (kms.clone(), Arc::clone(&done), ciphertexts.clone());
            tokio::spawn(async move {
                let mut made = Vec::new();
                while !done.load(Ordering::SeqCst) {
                    let new = key_with_ciphertexts(&kms).await;
                    all_decrypt(&kms, &new).await;
                    all_decrypt(&kms, &known[made.len() % known.len()..][..1]).await;
                    made.extend(new);
                }
                made
            })
        })
        .collect();
    for rotations in 1..=3 {
        let (code, said) = rotate(&server.path("data")).await;
        assert!(code == Some(0) && said.contains("the root key is now"), "{said}");
        assert_eq!(root_keys(&server.path("data")).len(), 1 + rotations, "{said}");
    }
    done.store(true, Ordering::SeqCst);
    let mut all = ciphertexts;
    for task in load {
        all.extend(task.await.unwrap());
    }
    all_decrypt(&kms, &all).await;
    assert_ne!(std::fs::read_to_string(server.path("data/root.key")).unwrap(), old);

    // The new root key is enough, and the old one opens nothing any more.
    let mut server = server;
    server.stop("TERM");
    assert!(!server.path("data/admin.json").exists());
    let data = server.path("data");
    let setup = server.into_setup();
    for name in root_keys(&data).into_iter().filter(|name| name != "root.key") {
        std::fs::remove_file(data.join(name)).unwrap();
    }
    let new = std::fs::read_to_string(data.join("root.key")).unwrap();
    std::fs::write(data.join("root.key"), old).unwrap();
    let (code, said) = setup.fails();
    assert!(code == Some(2) && said.contains("the root key is not the one that this data was sealed under"), "{said}");
    std::fs::write(data.join("root.key"), new).unwrap();
    let server = setup.start();
    all_decrypt(&server.client(), &all).await;

    let records: Vec<Value> = server.audit(1);
    let events = |name: &str| records.iter().filter(|record| record["eventName"] == name).count();
    assert_eq!((events("BeginRootKeyRotation"), events("EndRootKeyRotation")), (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_amid_a_rotation_completes_it() {
    let mut server = Server::start();
    let ciphertexts = many(&server.client(), 1600).await;
    let mut amid = 0;
    for round in 0..8 {
        let data = server.path("data");
        let (before, command) = (root_keys(&data), tokio::spawn(async move { rotate(&data).await }));
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let status = status(&server);
            let far = status["rewrapped"].as_u64().unwrap() >= 200 * round;
            if status["under_way"] == true && far || root_keys(&server.path("data")).len() > before.len() + 1 {
                break;
            }
            assert!(Instant::now() < deadline, "{status}");
        }
        server = server.restart_after("KILL");
        // What it says does not matter: the server was killed under it.
        let _ = command.await.unwrap();
        let now = status(&server);
        amid += usize::from(now["to"].is_string());
        all_decrypt(&server.client(), &ciphertexts[..20]).await;
        while status(&server)["under_way"] == true {
            assert!(Instant::now() < deadline, "{}", server.said());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert!(amid >= 2, "few of the kills came amid a rotation: {amid}");
    let (code, said) = rotate(&server.path("data")).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(!server.path("data/root.key.new").exists());
    all_decrypt(&server.client(), &ciphertexts).await;
    server.stop("TERM");
    let data = server.path("data");
    for name in root_keys(&data).into_iter().filter(|name| name != "root.key") {
        std::fs::remove_file(data.join(name)).unwrap();
    }
    let server = server.into_setup().start();
    all_decrypt(&server.client(), &ciphertexts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_rotates_the_root_key_of_a_stopped_server() {
    let mut server = Server::start();
    let ciphertexts = many(&server.client(), 8).await;
    // As if it had been killed: its address stays behind.
    server.stop("KILL");
    let data = server.path("data");
    assert!(data.join("admin.json").exists());
    let mine = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
    std::fs::write(data.join("root.key.new"), mine).unwrap();
    let (code, said) = rotate(&data).await;
    // The backing keys, and the key that seals session tokens.
    assert!(code == Some(0) && said.starts_with("re-wrapped 17 keys: "), "{said}");
    assert_eq!(std::fs::read_to_string(data.join("root.key")).unwrap(), mine, "the operator's own key is taken");
    let server = server.into_setup().start();
    all_decrypt(&server.client(), &ciphertexts).await;

    let nothing = tempfile::tempdir().unwrap();
    let (code, said) = rotate(&nothing.path().join("none")).await;
    assert!(code == Some(2) && said.contains("holds no data"), "{said}");
    assert!(!nothing.path().join("none").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn root_keys_in_variables_are_rotated_by_a_second_variable() {
    const OLD: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const NEW: &str = "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA=";
    let config = "[root_key]\nenv = \"KEYSTILE_TEST_ROOT\"\n";
    let server = Setup::new().config(config).variable("KEYSTILE_TEST_ROOT", OLD).start();
    let ciphertexts = many(&server.client(), 8).await;
    let (toml, data) = (server.path("keystile.toml"), server.path("data"));
    let command =
        || keystile(&["root-key", "rotate", "--config", toml.to_str().unwrap(), "--data-dir", data.to_str().unwrap()]);
    let (code, said) = command();
    assert!(code == Some(2) && said.contains("KEYSTILE_TEST_ROOT_NEW"), "{said}");

    let mut server = server;
    server.stop("TERM");
    let mut server = server.into_setup().variable("KEYSTILE_TEST_ROOT_NEW", NEW).start();
    let (code, said) = command();
    assert!(code == Some(0) && said.contains("set KEYSTILE_TEST_ROOT to what KEYSTILE_TEST_ROOT_NEW holds"), "{said}");
    let (code, said) = command();
    assert!(code == Some(2) && said.contains("KEYSTILE_TEST_ROOT_NEW holds the present root key"), "{said}");
    server = server.restart_after("TERM");
    all_decrypt(&server.client(), &ciphertexts).await;
    server.stop("TERM");
    let setup = server.into_setup().variable("KEYSTILE_TEST_ROOT_NEW", OLD);
    let (code, said) = setup.fails();
    assert!(code == Some(2) && said.contains("root key"), "{said}");
    let server = setup.variable("KEYSTILE_TEST_ROOT", NEW).start();
    all_decrypt(&server.client(), &ciphertexts).await;
    assert!(root_keys(&data).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_key_that_was_replaced_is_not_taken_back() {
    let mut server = Server::start();
    let data = server.path("data");
    assert_eq!(rotate(&data).await.0, Some(0));
    let retired = root_keys(&data).into_iter().find(|name| name != "root.key").unwrap();
    let present = std::fs::read(data.join("root.key")).unwrap();
    std::fs::copy(data.join(&retired), data.join("root.key.new")).unwrap();
    for stopped in [false, true] {
        if stopped {
            server.stop("TERM");
        }
        let (code, said) = rotate(&data).await;
        assert!(code == Some(2) && said.contains("holds a root key that was replaced before"), "{said}");
        assert_eq!(std::fs::read(data.join("root.key")).unwrap(), present);
    }
    std::fs::remove_file(data.join("root.key.new")).unwrap();
    assert_eq!(rotate(&data).await.0, Some(0));
    assert_eq!(root_keys(&data).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_were_swapped_amid_a_rotation_end_as_others_do() {
    let mut server = Server::start();
    let ciphertexts = many(&server.client(), 8).await;
    let data = server.path("data");
    for by_the_server in [false, true] {
        server.stop("TERM");
        begin_rotation(&data).await;
        let read = |name| std::fs::read(data.join(name)).unwrap();
        let (old, new, count) = (read("root.key"), read("root.key.new"), root_keys(&data).len());
        std::fs::write(data.join("root.key"), &new).unwrap();
        std::fs::write(data.join("root.key.new"), &old).unwrap();
        if !by_the_server {
            let (code, said) = rotate(&data).await;
            assert_eq!(code, Some(0), "{said}");
        }
        server = server.into_setup().start();
        let deadline = Instant::now() + Duration::from_secs(20);
        while status(&server)["under_way"] == true {
            assert!(Instant::now() < deadline, "{}", server.said());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(read("root.key"), new);
        let names = root_keys(&data);
        assert!(names.len() == count && !names.contains("root.key.new"), "{names:?}");
        assert!(names.iter().any(|name| name != "root.key" && std::fs::read(data.join(name)).unwrap() == old));
        all_decrypt(&server.client(), &ciphertexts).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_tells_of_the_rotation_that_it_began() {
    let server = Server::start();
    many(&server.client(), 8).await;
    let data = server.path("data");
    let command = tokio::spawn(async move { rotate(&data).await });
    let deadline = Instant::now() + Duration::from_secs(20);
    let first = loop {
        let status = status(&server);
        if status["to"].is_string() && status["under_way"] == false {
            break status;
        }
        assert!(Instant::now() < deadline, "{status}");
    };
    // Before the command asks again how its own goes.
    let second = ask(&server, "POST");
    assert_eq!(second["from"], first["to"]);
    let (code, said) = command.await.unwrap();
    let (from, to) = (first["from"].as_str().unwrap(), first["to"].as_str().unwrap());
    assert!(code == Some(0) && said.contains(from) && said.contains(to), "{said}");
    assert!(!said.contains(second["to"].as_str().unwrap()), "{said}");
    let kept = format!("root.key.{from}");
    assert!(said.contains(&kept) && root_keys(&server.path("data")).contains(&kept), "{said}");
}

#[test]
fn a_root_key_that_others_may_read_is_warned_of() {
    let mut server = Server::start();
    assert!(!server.said().contains("open to other users"), "{}", server.said());
    server.stop("TERM");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o640);
    std::fs::set_permissions(server.path("data/root.key"), mode).unwrap();
    let server = server.into_setup().start();
    let said = server.said();
    assert!(said.lines().any(|line| line.contains("open to other users") && line.contains("root.key")), "{said}");
}

#[test]
fn only_who_reads_the_data_directory_may_ask_for_rotations_and_backups() {
    let server = Server::start();
    for (method, path) in
        [("GET", "/root-key/rotation"), ("POST", "/root-key/rotation"), ("POST", "/backup"), ("GET", "/backup")]
    {
        let (status, said) = server.admin(method, path, "");
        assert_eq!(status, 403, "{said}");
        for token in ["", "x"] {
            let request = format!(
                "{method} {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            assert_eq!(crate::raw::exchange(server.admin, request.as_bytes()).status, 403);
        }
    }
    assert_eq!(status(&server)["under_way"], false);
    assert_eq!(root_keys(&server.path("data")).len(), 1);
}
