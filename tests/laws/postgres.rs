//! A PostgreSQL cluster of the test's own: in a temporary directory, reached by a Unix socket there,
//! gone with the value.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use keystile::store::{PostgresSettings, PostgresStore, PostgresTls};
use tempfile::TempDir;
use uuid::Uuid;

const BINARIES: &str = "/usr/lib/postgresql/15/bin";

pub(crate) struct Cluster {
    directory: TempDir,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let directory = tempfile::Builder::new().prefix("pg").tempdir_in("/tmp").unwrap();
        let cluster = Cluster { directory };
        if is_root() {
            done(&Command::new("chown").arg("postgres").arg(cluster.path()).output().unwrap());
        }
        let data = cluster.data();
        done(&cluster.command("initdb").args(["-A", "trust", "-U", "postgres", "-D"]).arg(&data).output().unwrap());
        let options = format!("-c listen_addresses= -c unix_socket_directories={}", cluster.path().display());
        let log = cluster.path().join("log");
        let mut start = cluster.command("pg_ctl");
        start.args(["-w", "-D"]).arg(&data).arg("-l").arg(&log).args(["-o", &options, "start"]);
        // Not by `output`: the server would hold its pipes open.
        assert!(start.stdout(std::process::Stdio::null()).status().unwrap().success(), "the server did not start");
        cluster
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// A program of PostgreSQL's, which refuses to run as root.
    fn command(&self, program: &str) -> Command {
        let program = Path::new(BINARIES).join(program);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(self.path());
        command
    }

    /// A new database with a new store.
    pub(crate) async fn new_store(&self) -> PostgresSettings {
        let settings = self.new_database().await;
        PostgresStore::init(settings.clone()).await.unwrap();
        settings
    }

    pub(crate) async fn new_database(&self) -> PostgresSettings {
        let database = format!("db{}", Uuid::new_v4().simple());
        self.execute("postgres", &format!("CREATE DATABASE {database}")).await;
        PostgresSettings {
            hosts: vec![(self.path().display().to_string(), 5432)],
            database,
            user: "postgres".into(),
            password: None,
            tls: PostgresTls::Off,
            max_staleness: Duration::from_secs(2),
            connections: 8,
        }
    }

    /// Runs SQL beside the stores.
    pub(crate) async fn execute(&self, database: &str, sql: &str) {
        let mut config = tokio_postgres::Config::new();
        config.host_path(self.path()).dbname(database).user("postgres");
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        client.batch_execute(sql).await.unwrap();
        drop(client);
        connection.await.unwrap().unwrap();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let stopped = self.command("pg_ctl").arg("-D").arg(self.data()).args(["-m", "immediate", "stop"]).output();
        if let Err(error) = stopped {
            eprintln!("the server was not stopped: {error}");
        }
    }
}

fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0
}

fn done(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
