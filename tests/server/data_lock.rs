//! A data directory belongs to one process at a time, while it is being restored too.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use keystile::config::DataLock;

use crate::backup::{BackedUp, ok, refused, text};
use crate::support::{Server, Setup};

/// A restore that was stopped while it was making the data.
struct Stopped {
    child: Child,
    setup: Setup,
}

impl Stopped {
    /// Tries until the signal comes in time.
    fn new(backed_up: &BackedUp) -> Self {
        for _ in 0..50 {
            let setup = Setup::new();
            let stopped = Self { child: restore(backed_up, &setup), setup };
            let deadline = Instant::now() + Duration::from_secs(20);
            while !stopped.data().join(".restore.tmp/keystile.redb").exists() && !stopped.finished() {
                assert!(Instant::now() < deadline, "the restore does not begin");
            }
            stopped.signal("STOP");
            std::thread::sleep(Duration::from_millis(50));
            if !stopped.finished() {
                return stopped;
            }
            stopped.ends("CONT");
        }
        panic!("no restore could be stopped in time");
    }

    fn data(&self) -> PathBuf {
        self.setup.path("data")
    }

    fn finished(&self) -> bool {
        self.data().join("keystile.redb").exists()
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Ends it with a signal: what it said, and where.
    fn ends(self, signal: &str) -> (Output, Setup) {
        self.signal(signal);
        (self.child.wait_with_output().unwrap(), self.setup)
    }
}

fn restore(backed_up: &BackedUp, setup: &Setup) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keystile"));
    command.args(restore_arguments(&backed_up.path("b"), &backed_up.server.path("data/root.key"), &setup.path("data")));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn restore_arguments<'a>(file: &'a Path, key: &'a Path, to: &'a Path) -> [&'a str; 6] {
    ["restore", text(file), "--data-dir", text(to), "--root-key-file", text(key)]
}

/// What a backup or a restore says of its records.
fn records(said: &str) -> &str {
    let end = said.find(" records").unwrap_or_else(|| panic!("{said}"));
    said[..end].rsplit(' ').next().unwrap()
}

const USED: &str = "another process uses this data directory";

#[test]
fn nothing_else_uses_a_data_directory_that_is_being_restored() {
    let backed_up = BackedUp::new();
    let stopped = Stopped::new(&backed_up);
    let (data, check) = (stopped.data(), backed_up.path("check"));
    let (code, said) = stopped.setup.fails();
    assert!(code == Some(2) && said.contains(USED), "{said}");
    refused(&restore_arguments(&backed_up.path("b"), &backed_up.server.path("data/root.key"), &data), USED);
    refused(&["backup", text(&check), "--data-dir", text(&data)], USED);
    refused(&["root-key", "rotate", "--data-dir", text(&data)], USED);
    let (output, setup) = stopped.ends("CONT");
    assert!(output.status.success(), "{output:?}");
    let restored = String::from_utf8(output.stdout).unwrap();
    assert_eq!(records(&ok(&["backup", text(&check), "--data-dir", text(&data)])), records(&restored));
    std::fs::copy(backed_up.server.path("data/credentials"), data.join("credentials")).unwrap();
    let keys = setup.start().call("ListKeys", "{}");
    assert!(keys.status == 200 && keys.text().matches("KeyArn").count() == 1, "{}", keys.text());
}

#[test]
fn a_restore_that_was_killed_is_not_a_new_data_directory_and_is_made_anew() {
    let backed_up = BackedUp::new();
    let (_, setup) = Stopped::new(&backed_up).ends("KILL");
    let data = setup.path("data");
    let names = || {
        let names = std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    let before = names();
    let (code, said) = setup.fails();
    assert!(code == Some(2) && said.contains("was not finished: run `keystile restore` again, or remove"), "{said}");
    refused(&["backup", text(&backed_up.path("check")), "--data-dir", text(&data)], "was not finished");
    refused(&["root-key", "rotate", "--data-dir", text(&data)], "was not finished");
    assert_eq!(names(), before, "nothing was made");
    ok(&restore_arguments(&backed_up.path("b"), &backed_up.server.path("data/root.key"), &data));
    // What is left where the data has its name already is in nobody's way.
    std::fs::create_dir(data.join(".restore.tmp")).unwrap();
    let mut server = setup.start();
    assert!(!data.join(".restore.tmp").exists());
    server.stop("TERM");
}

#[test]
fn restores_of_one_directory_at_once_are_one_restore() {
    let backed_up = BackedUp::new();
    let setup = Setup::new();
    let all: Vec<Child> = (0..4).map(|_| restore(&backed_up, &setup)).collect();
    let all: Vec<Output> = all.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    let (done, refused): (Vec<_>, Vec<_>) = all.into_iter().partition(|output| output.status.success());
    assert_eq!(done.len(), 1, "{done:?}");
    for output in refused {
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(USED) || said.contains("is not empty"), "{said}");
    }
    let check = backed_up.path("check");
    let said = ok(&["backup", text(&check), "--data-dir", text(&setup.path("data"))]);
    assert_eq!(records(&said), records(&String::from_utf8(done[0].stdout.clone()).unwrap()));
}

#[test]
fn who_comes_second_is_told_of_another_process() {
    let mut server = Server::start();
    server.stop("TERM");
    let data = server.path("data");
    let lock = DataLock::take(&data).unwrap();
    refused(&["root-key", "rotate", "--data-dir", text(&data)], USED);
    refused(&["backup", text(&server.path("b")), "--data-dir", text(&data)], USED);
    let setup = server.into_setup();
    let (code, said) = setup.fails();
    assert!(code == Some(2) && said.contains(USED), "{said}");
    drop(lock);
    let server = setup.start();
    assert!(DataLock::try_take(&data).unwrap().is_none(), "a server holds it while it runs");
    drop(server);
    DataLock::take(&data).unwrap();
}
