//! Keep-alive connections that send requests made before and time the answers.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::Server;

pub(crate) const CONNECTIONS: usize = 64;

pub(crate) struct Connection {
    stream: TcpStream,
    pub(crate) buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::with_capacity(8192) }
    }

    /// Sends one request and answers the status and the body's range in the buffer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> (u16, std::ops::Range<usize>) {
        self.stream.write_all(request).await.unwrap();
        self.buffer.clear();
        loop {
            let read = self.stream.read_buf(&mut self.buffer).await.unwrap();
            assert!(read > 0, "the server closed the connection");
            let Some(head) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let text = std::str::from_utf8(&self.buffer[..head]).unwrap();
            let status = text[9..12].parse().unwrap();
            let length: usize = text
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("content-length:").map(|v| v.trim().parse().unwrap())
                })
                .unwrap_or(0);
            if self.buffer.len() >= head + 4 + length {
                return (status, head + 4..head + 4 + length);
            }
        }
    }
}

pub(crate) struct Figures {
    pub(crate) requests: usize,
    pub(crate) rate: f64,
    pub(crate) cpu_us: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

/// Loads a server with `requests`, round and round, for the time given.
pub(crate) async fn load(server: &Server, requests: &Rc<Vec<Vec<u8>>>, time: Duration) -> Figures {
    let (cpu_before, start) = (server.cpu(), Instant::now());
    let mut workers = Vec::new();
    for worker in 0..CONNECTIONS {
        let requests = Rc::clone(requests);
        let address = server.gateway;
        workers.push(tokio::task::spawn_local(async move {
            let mut connection = Connection::open(address).await;
            let mut latencies = Vec::new();
            let mut next = worker * requests.len() / CONNECTIONS;
            while start.elapsed() < time {
                let sent = Instant::now();
                let (status, body) = connection.exchange(&requests[next % requests.len()]).await;
                assert_eq!(status, 200, "{}", String::from_utf8_lossy(&connection.buffer[body]));
                latencies.push(sent.elapsed().as_nanos() as u32);
                next += 1;
            }
            latencies
        }));
    }
    let mut latencies = Vec::new();
    for worker in workers {
        latencies.append(&mut worker.await.unwrap());
    }
    let (elapsed, cpu) = (start.elapsed(), server.cpu().saturating_sub(cpu_before));
    latencies.sort_unstable();
    let at = |share: f64| f64::from(latencies[((latencies.len() - 1) as f64 * share) as usize]) / 1000.0;
    Figures {
        requests: latencies.len(),
        rate: latencies.len() as f64 / elapsed.as_secs_f64(),
        cpu_us: cpu.as_secs_f64() * 1e6 / latencies.len() as f64,
        p50_us: at(0.5),
        p99_us: at(0.99),
    }
}
