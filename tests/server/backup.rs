//! A backup of a running server, restored in another place.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;

use crate::root_key::{all_decrypt, begin_rotation, key_with_ciphertexts};
use crate::support::{Server, Setup, keystile};

const POLICY: &str = r#"{"Version": "2012-10-17", "Statement": [{"Sid": "mine", "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}]}"#;

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Runs a command that must succeed.
pub(crate) fn ok(arguments: &[&str]) -> String {
    let (code, said) = keystile(arguments);
    assert_eq!(code, Some(0), "{said}");
    said
}

/// Runs a command that must be refused, with that reason.
pub(crate) fn refused(arguments: &[&str], reason: &str) {
    let (code, said) = keystile(arguments);
    assert!(code == Some(2) && said.contains(reason), "{said}");
}

/// Everything that the API tells of every key, but those made after a key.
async fn told(kms: &Client, keys: &[String]) -> Vec<String> {
    let mut all = Vec::new();
    for key in keys {
        let metadata = kms.describe_key().key_id(key).send().await.unwrap().key_metadata;
        let policy = kms.get_key_policy().key_id(key).send().await.unwrap().policy;
        let aliases = kms.list_aliases().key_id(key).send().await.unwrap().aliases;
        let rotations = kms.list_key_rotations().key_id(key).send().await.unwrap().rotations;
        let status = kms.get_key_rotation_status().key_id(key).send().await.unwrap();
        let tags = kms.list_resource_tags().key_id(key).send().await.unwrap().tags;
        let status = (status.key_rotation_enabled, status.next_rotation_date, status.rotation_period_in_days);
        all.push(format!("{metadata:?} {policy:?} {aliases:?} {rotations:?} {status:?} {tags:?}"));
    }
    all
}

async fn keys(kms: &Client) -> Vec<String> {
    let mut all = Vec::new();
    let mut pages = kms.list_keys().into_paginator().items().send();
    while let Some(key) = pages.next().await {
        all.push(key.unwrap().key_id.unwrap());
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_made_while_writing_restores_every_key() {
    let server = Server::start();
    let kms = server.client();
    let mut ciphertexts = Vec::new();
    for number in 0..30 {
        ciphertexts.extend(key_with_ciphertexts(&kms).await);
        let key = keys(&kms).await.pop().unwrap();
        kms.create_alias().alias_name(format!("alias/n{number}")).target_key_id(&key).send().await.unwrap();
        kms.put_key_policy().key_id(&key).policy(POLICY).send().await.unwrap();
        kms.enable_key_rotation().key_id(&key).rotation_period_in_days(100 + number).send().await.unwrap();
    }
    let known = keys(&kms).await;
    let before = told(&kms, &known).await;
    let done = Arc::new(AtomicBool::new(false));
    let (writer, stop) = (kms.clone(), Arc::clone(&done));
    let load = tokio::spawn(async move {
        while !stop.load(Ordering::SeqCst) {
            key_with_ciphertexts(&writer).await;
        }
    });
    let file = server.path("keystile.backup");
    let (to, data) = (file.clone(), server.path("data"));
    let backup = move || ok(&["backup", text(&to), "--data-dir", text(&data)]);
    let said = tokio::task::spawn_blocking(backup).await.unwrap();
    assert!(said.contains("which is not in it"), "{said}");
    done.store(true, Ordering::SeqCst);
    load.await.unwrap();

    let other = Setup::new();
    std::fs::create_dir(other.path("data")).unwrap();
    std::fs::copy(server.path("data/credentials"), other.path("data/credentials")).unwrap();
    let said = ok(&[
        "restore",
        text(&file),
        "--data-dir",
        text(&other.path("data")),
        "--root-key-file",
        text(&server.path("data/root.key")),
    ]);
    assert!(said.contains("restored"), "{said}");
    let restored = other.start();
    let kms = restored.client();
    assert_eq!(told(&kms, &known).await, before);
    all_decrypt(&kms, &ciphertexts).await;
    // What was made while the backup was is there whole, or not at all.
    for key in keys(&kms).await {
        kms.encrypt().key_id(&key).plaintext(Blob::new("x")).send().await.unwrap();
    }
    assert!(!restored.path("data/.restore.tmp").exists());
}

/// A stopped server with one key, and a backup of it.
pub(crate) struct BackedUp {
    root: tempfile::TempDir,
    pub(crate) server: Server,
}

impl BackedUp {
    pub(crate) fn new() -> Self {
        let mut server = Server::start();
        assert_eq!(server.call("CreateKey", "{}").status, 200);
        server.stop("TERM");
        let root = tempfile::tempdir().unwrap();
        ok(&["backup", text(&root.path().join("b")), "--data-dir", text(&server.path("data"))]);
        Self { root, server }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn restore_fails(&self, file: &str, reason: &str) {
        let (file, to) = (self.path(file), self.path("new"));
        let key = self.server.path("data/root.key");
        refused(&["restore", text(&file), "--data-dir", text(&to), "--root-key-file", text(&key)], reason);
        assert!(!to.exists(), "nothing is written before the whole backup was checked");
    }
}

#[test]
fn what_is_cut_altered_newer_or_foreign_is_refused_before_anything_is_written() {
    let backed_up = BackedUp::new();
    let whole = std::fs::read(backed_up.path("b")).unwrap();
    let write = |bytes: &[u8]| std::fs::write(backed_up.path("x"), bytes).unwrap();
    for length in [whole.len() - 1, whole.len() - 40, whole.len() / 2, 30] {
        write(&whole[..length]);
        backed_up.restore_fails("x", "the backup is cut");
    }
    for at in [200, whole.len() / 2, whole.len() - 40] {
        let mut altered = whole.clone();
        altered[at] ^= 1;
        write(&altered);
        backed_up.restore_fails("x", "x: the backup ");
    }
    let mut newer = whole.clone();
    newer[19] = 2;
    write(&newer);
    backed_up.restore_fails("x", "a newer release made this backup (format 2");
    write(b"[root_key]\nfile = \"something else\"\n");
    backed_up.restore_fails("x", "this is no backup");
    backed_up.restore_fails("none", "No such file");
}

#[test]
fn a_restore_takes_a_new_directory_and_its_own_root_key_alone() {
    let backed_up = BackedUp::new();
    let (file, data) = (backed_up.path("b"), backed_up.server.path("data"));
    refused(&["restore", text(&file), "--data-dir", text(&data)], "is not empty");

    let to = backed_up.path("to");
    let restore = ["restore", text(&file), "--data-dir", text(&to)];
    refused(&restore, "there is no root key where the configuration says: put the one with the id");
    std::fs::create_dir(&to).unwrap();
    std::fs::write(to.join("root.key"), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n").unwrap();
    refused(&restore, "and that key was not found");
    let mine = data.join("root.key");
    refused(&[&restore[..], &["--root-key-file", text(&mine)]].concat(), "is not replaced");
    assert_eq!(std::fs::read_dir(&to).unwrap().count(), 1);
    // What a restore that was cut short leaves behind is no hindrance.
    std::fs::create_dir(to.join(".restore.tmp")).unwrap();
    std::fs::write(to.join(".restore.tmp/keystile.redb"), "half").unwrap();
    std::fs::copy(&mine, to.join("root.key")).unwrap();
    ok(&restore);
    refused(&restore, "is not empty");
    let mut names: Vec<_> = std::fs::read_dir(&to).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["keystile.lock", "keystile.redb", "root.key"]);
}

#[test]
fn a_backup_replaces_no_file_unless_it_is_told_to() {
    let backed_up = BackedUp::new();
    let (file, data) = (backed_up.path("b"), backed_up.server.path("data"));
    let before = std::fs::read(&file).unwrap();
    refused(&["backup", text(&file), "--data-dir", text(&data)], "is there already; --force replaces it");
    assert_eq!(std::fs::read(&file).unwrap(), before);
    ok(&["backup", text(&file), "--data-dir", text(&data), "--force"]);
    assert_ne!(std::fs::read(&file).unwrap(), before);
    std::fs::write(&file, "").unwrap();
    ok(&["backup", text(&file), "--data-dir", text(&data), "--force"]);
    assert!(std::fs::read(&file).unwrap().starts_with(b"keystile backup\n"));
    assert_eq!(std::fs::read_dir(backed_up.root.path()).unwrap().count(), 1);
    refused(&["backup", text(&backed_up.path("c")), "--data-dir", text(&backed_up.path("d"))], "holds no data");
    assert!(!backed_up.path("d").exists());
}

#[test]
fn a_backup_replaces_another_backup_alone_even_when_it_is_told_to() {
    let backed_up = BackedUp::new();
    let data = backed_up.server.path("data");
    std::fs::write(backed_up.path("mine"), "keystile backup?").unwrap();
    std::fs::write(data.join("empty"), "").unwrap();
    std::os::unix::fs::symlink(backed_up.path("b"), backed_up.path("link")).unwrap();
    std::fs::create_dir(backed_up.path("folder")).unwrap();
    let names = ["root.key", "keystile.redb", "keystile.lock", "audit.jsonl", "credentials", "empty"];
    let files = names.map(|name| data.join(name)).into_iter().chain([backed_up.path("mine")]);
    for file in files {
        let before = std::fs::read(&file).unwrap();
        refused(&["backup", text(&file), "--data-dir", text(&data), "--force"], "is no backup made by");
        assert_eq!(std::fs::read(&file).unwrap(), before, "{}", file.display());
    }
    for name in ["link", "folder"] {
        let file = backed_up.path(name);
        refused(&["backup", text(&file), "--data-dir", text(&data), "--force"], "is no regular file");
    }
    assert!(std::fs::symlink_metadata(backed_up.path("link")).unwrap().is_symlink());
}

#[test]
fn what_is_no_regular_file_is_not_restored() {
    let backed_up = BackedUp::new();
    let bytes = std::fs::read(backed_up.path("b")).unwrap();
    let (to, key) = (backed_up.path("to"), backed_up.server.path("data/root.key"));
    let restore = ["restore", "/dev/stdin", "--data-dir", text(&to), "--root-key-file", text(&key)];
    let ran = crate::command::run(&restore, &bytes, backed_up.root.path());
    assert!(ran.status == 2 && ran.err.contains("a regular file is needed"), "{ran:?}");
    backed_up.restore_fails(".", "a regular file is needed");
    assert!(!to.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_made_amid_a_rotation_of_the_root_key_takes_no_other_next_key() {
    let backed_up = tokio::task::spawn_blocking(BackedUp::new).await.unwrap();
    let (file, data) = (backed_up.path("amid"), backed_up.server.path("data"));
    begin_rotation(&data).await;
    ok(&["backup", text(&file), "--data-dir", text(&data)]);
    let (current, next) = (data.join("root.key"), data.join("root.key.new"));
    let to = backed_up.path("to");
    std::fs::create_dir(&to).unwrap();
    let other = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
    let restore = ["restore", text(&file), "--data-dir", text(&to), "--root-key-file", text(&current)];
    for present in [None, Some(&current)] {
        if let Some(present) = present {
            std::fs::copy(present, to.join("root.key")).unwrap();
        }
        std::fs::write(to.join("root.key.new"), other).unwrap();
        refused(&restore, "root.key.new: another root key (");
        assert_eq!(std::fs::read_dir(&to).unwrap().count(), 1 + usize::from(present.is_some()), "nothing is written");
        assert_eq!(std::fs::read_to_string(to.join("root.key.new")).unwrap(), other);
    }
    std::fs::remove_file(to.join("root.key.new")).unwrap();
    ok(&restore);
    assert_eq!(std::fs::read(to.join("root.key")).unwrap(), std::fs::read(&current).unwrap());
    assert_eq!(std::fs::read(to.join("root.key.new")).unwrap(), std::fs::read(&next).unwrap());
    ok(&["root-key", "rotate", "--data-dir", text(&to)]);
}

#[test]
fn a_backup_from_before_a_rotation_of_the_root_key_restores_under_the_older_key() {
    let backed_up = BackedUp::new();
    let (file, data) = (backed_up.path("b"), backed_up.server.path("data"));
    ok(&["root-key", "rotate", "--data-dir", text(&data)]);
    let new = data.join("root.key");
    let to = backed_up.path("to");
    // The older key lies beside the newer one, under its id, and is found there.
    ok(&["restore", text(&file), "--data-dir", text(&to), "--root-key-file", text(&new)]);
    assert_ne!(std::fs::read(to.join("root.key")).unwrap(), std::fs::read(&new).unwrap());
}
