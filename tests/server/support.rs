//! A server of one's own: started on free ports with a data directory that is gone afterwards.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use aws_sdk_kms::config::{BehaviorVersion, Credentials, Region};
use serde_json::Value;
use tempfile::TempDir;

use crate::raw::{Request, Response, Signer};

pub(crate) const REGION: &str = "us-east-1";

/// How a server is to be started.
pub(crate) struct Setup {
    directory: TempDir,
    config: String,
    listen: [String; 2],
    flags: Vec<&'static str>,
    variables: Vec<(&'static str, String)>,
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    setup: Setup,
    pub(crate) gateway: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Setup {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            config: String::new(),
            listen: ["127.0.0.1:0", "127.0.0.1:0"].map(str::to_owned),
            flags: Vec::new(),
            variables: Vec::new(),
        }
    }

    /// Lines of `keystile.toml`.
    pub(crate) fn config(mut self, text: &str) -> Self {
        text.clone_into(&mut self.config);
        self
    }

    /// Where the gateway and the admin listener are.
    pub(crate) fn listen(mut self, gateway: &str, admin: &str) -> Self {
        self.listen = [gateway, admin].map(str::to_owned);
        self
    }

    pub(crate) fn flag(mut self, flag: &'static str) -> Self {
        self.flags.push(flag);
        self
    }

    /// An environment variable of the server's.
    pub(crate) fn variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.retain(|(known, _)| *known != name);
        self.variables.push((name, value.to_owned()));
        self
    }

    /// A file beside the configuration.
    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        self.write(name, text);
        self
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self) -> Command {
        self.write("keystile.toml", &self.config);
        let mut command = Command::new(env!("CARGO_BIN_EXE_keystile"));
        command.arg("serve").arg("--config").arg(self.path("keystile.toml"));
        command.args(["--listen", &self.listen[0], "--admin-listen", &self.listen[1]]);
        command.arg("--data-dir").arg(self.path("data")).args(&self.flags);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts a server that must not come up: its exit status and what it said on stderr.
    pub(crate) fn fails(&self) -> (Option<i32>, String) {
        let mut child = self.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(40);
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > deadline {
                child.kill().unwrap();
                panic!("the server came up: {:?}", child.wait_with_output());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let output = child.wait_with_output().unwrap();
        assert!(output.stdout.is_empty(), "nothing is announced by a server that does not start");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }

    pub(crate) fn start(self) -> Server {
        let log = File::options().create(true).append(true).open(self.path("stderr")).unwrap();
        let mut child = self.command().stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address = |prefix: &str| -> SocketAddr {
            let line = lines.next().map_or_else(
                || panic!("the server did not start: {}", std::fs::read_to_string(self.path("stderr")).unwrap()),
                Result::unwrap,
            );
            let told = line.strip_prefix(prefix).unwrap_or_else(|| panic!("{line}"));
            match told.strip_prefix("http://") {
                Some(address) => address.parse().unwrap(),
                // A socket has no address; its test knows its path.
                None => told.starts_with("unix:/").then(|| ([0, 0, 0, 0], 0).into()).unwrap(),
            }
        };
        let gateway = address("listening gateway ");
        let admin = address("listening admin ");
        Server { child, setup: self, gateway, admin }
    }
}

impl Server {
    /// A server on pure defaults.
    pub(crate) fn start() -> Self {
        Setup::new().start()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.setup.path(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        self.setup.write(name, text);
    }

    /// What the server said on stderr so far.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.path("stderr")).unwrap()
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + Duration::from_secs(40);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the server does not stop");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends the process with a signal and starts another one over the same data.
    pub(crate) fn restart_after(mut self, signal: &str) -> Self {
        self.stop(signal);
        self.into_setup().start()
    }

    /// Ends the process with a signal; the data stays.
    pub(crate) fn stop(&mut self, signal: &str) -> ExitStatus {
        self.signal(signal);
        self.wait()
    }

    /// What it was started with, to start again.
    pub(crate) fn into_setup(mut self) -> Setup {
        std::mem::replace(&mut self.setup, Setup::new())
    }

    /// How many files and sockets the process has open.
    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// The most memory that the process ever had, in bytes.
    pub(crate) fn peak_memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
    }

    /// The root user's access key, as it stands in the data directory.
    pub(crate) fn root(&self) -> (String, String) {
        shared_credentials(&self.path("data/credentials"))
    }

    pub(crate) fn signer(&self) -> Signer {
        let (id, secret) = self.root();
        Signer::new(&id, &secret)
    }

    pub(crate) fn client(&self) -> aws_sdk_kms::Client {
        let (id, secret) = self.root();
        self.client_of(&id, &secret, None)
    }

    pub(crate) fn client_of(&self, id: &str, secret: &str, token: Option<&str>) -> aws_sdk_kms::Client {
        let config = aws_sdk_kms::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .endpoint_url(format!("http://{}", self.gateway))
            .credentials_provider(Credentials::new(id, secret, token.map(str::to_owned), None, "test"))
            .build();
        aws_sdk_kms::Client::from_conf(config)
    }

    /// A signed AWS JSON request on a connection of its own.
    pub(crate) fn call(&self, operation: &str, body: &str) -> Response {
        Request::aws(self.gateway, operation, body).signed(&self.signer()).send(self.gateway)
    }

    /// A request to the admin listener: its status and body.
    pub(crate) fn admin(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            self.admin,
            body.len()
        );
        let response = crate::raw::exchange(self.admin, request.as_bytes());
        (response.status, response.text())
    }

    /// The audit log's records once there are at least `count`.
    pub(crate) fn audit(&self, count: usize) -> Vec<Value> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let text = std::fs::read_to_string(self.path("data/audit.jsonl")).unwrap();
            let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            if records.len() >= count {
                return records;
            }
            assert!(Instant::now() < deadline, "only {} records: {text}", records.len());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Id and secret of an AWS shared credentials file.
pub(crate) fn shared_credentials(path: &Path) -> (String, String) {
    let text = std::fs::read_to_string(path).unwrap();
    let value = |name: &str| {
        let of_line =
            |line: &str| line.split_once('=').filter(|(key, _)| key.trim() == name).map(|(_, v)| v.trim().to_owned());
        text.lines().find_map(of_line).unwrap_or_else(|| panic!("no {name}"))
    };
    (value("aws_access_key_id"), value("aws_secret_access_key"))
}

/// Runs the program for its output.
pub(crate) fn keystile(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_keystile")).args(arguments).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap())
}
