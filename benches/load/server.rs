//! The two servers, each a process of its own on one core.

use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use tokio::net::TcpListener;

use crate::single_threaded;

const SERVER_CORE: &str = "0";

/// A hyper server that reads a request and answers `size` bytes: what HTTP alone costs.
pub(crate) fn bare_server(size: usize) {
    single_threaded(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("listening gateway http://{}", listener.local_addr().unwrap());
        let body = Bytes::from(vec![b'x'; size]);
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let body = body.clone();
            tokio::task::spawn_local(async move {
                let service = service_fn(move |request: Request<Incoming>| {
                    let body = body.clone();
                    async move {
                        request.into_body().collect().await.unwrap();
                        let response = Response::builder()
                            .header("content-type", "application/x-amz-json-1.1")
                            .header("x-amzn-requestid", "00000000-0000-0000-0000-000000000000")
                            .body(Full::new(body))
                            .unwrap();
                        Ok::<_, Infallible>(response)
                    }
                });
                let io = hyper_util::rt::TokioIo::new(stream);
                let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
            });
        }
    });
}

pub(crate) struct Server {
    process: Child,
    pub(crate) gateway: SocketAddr,
}

impl Server {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().expect("the server starts");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let gateway = lines
            .find_map(|line| line.unwrap().strip_prefix("listening gateway http://").map(|a| a.parse().unwrap()))
            .expect("the server says where it listens");
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, gateway }
    }

    pub(crate) fn pinned(program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("taskset");
        command.args(["-c", SERVER_CORE]).arg(program);
        command
    }

    pub(crate) fn bare(size: usize) -> Self {
        let mut command = Self::pinned(std::env::current_exe().unwrap());
        command.args(["bare", &size.to_string()]);
        Self::start(command)
    }

    pub(crate) fn keystile(directory: &Path) -> Self {
        let mut command = Self::pinned(env!("CARGO_BIN_EXE_keystile"));
        command.arg("serve").arg("--config").arg(directory.join("keystile.toml")).stderr(Stdio::null());
        Self::start(command)
    }

    /// User and system time of the process so far.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 10)
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// SIGTERM, and wait for the end.
    pub(crate) fn stop(mut self) {
        Command::new("kill").arg(self.process.id().to_string()).status().unwrap();
        assert!(self.process.wait().unwrap().success(), "a clean stop exits 0");
    }

    pub(crate) fn resident_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
