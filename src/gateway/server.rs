use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown};
use prometheus_client::metrics::gauge::Gauge;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

use super::patience::{Patience, Phase};
use crate::config::Limits;

/// What a body may fail with.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How many headers hyper takes without an allocation for each request.
const HEADERS_ON_THE_STACK: u32 = 100;

/// The wait after a failed accept: out of file descriptors, most likely, which passes.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A listener with what it needs to serve HTTP/1.1.
pub(super) struct Server {
    pub(super) listener: TcpListener,
    pub(super) limits: watch::Receiver<Limits>,
    /// Connections open now.
    pub(super) connections: Gauge,
}

impl Server {
    /// Serves until `stop` turns true, then lets requests that are under way finish; done when
    /// the last connection is.
    pub(super) async fn run<H, F, B>(mut self, handle: H, mut stop: watch::Receiver<bool>)
    where
        H: Fn(SocketAddr, Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let slots = Arc::new(Slots::default());
        let graceful = GracefulShutdown::new();
        let mut limits = *self.limits.borrow_and_update();
        let mut http = http(&limits);
        loop {
            // A full house takes nobody from the backlog: no accept before a slot is free.
            let next = async {
                slots.free(limits.max_connections as usize).await;
                self.listener.accept().await
            };
            let accepted = tokio::select! {
                accepted = next => accepted,
                changed = self.limits.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    limits = *self.limits.borrow_and_update();
                    http = self::http(&limits);
                    continue;
                }
                _ = stop.wait_for(|stop| *stop) => break,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let connection = connection(&http, stream, peer, limits.header_timeout, handle.clone());
            let connection = graceful.watch(connection);
            let open = Open::new(&self.connections, &slots);
            tokio::spawn(async move {
                // A client that breaks off, or breaks the protocol, was told what can be told.
                if let Err(error) = connection.await {
                    tracing::debug!(%error, %peer, "a connection ended early");
                }
                drop(open);
            });
        }
        drop(self.listener);
        graceful.shutdown().await;
    }
}

fn http(limits: &Limits) -> http1::Builder {
    let mut http = http1::Builder::new();
    let header_bytes = usize::try_from(limits.max_header_bytes).unwrap_or(usize::MAX);
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.idle_timeout)
        .max_header_size(header_bytes)
        // hyper wants room for the head and does not need more.
        .max_buf_size(header_bytes.max(64 << 10))
        // No `pipeline_flush`: with bytes unread it never sends the answer to a malformed request.
        .half_close(false);
    if limits.max_headers != HEADERS_ON_THE_STACK {
        http.max_headers(limits.max_headers as usize);
    }
    http
}

fn connection<H, F, B>(
    http: &http1::Builder,
    stream: TcpStream,
    peer: SocketAddr,
    header_timeout: Duration,
    handle: H,
) -> impl GracefulConnection<Output = hyper::Result<()>, Error = hyper::Error> + Send + use<H, F, B>
where
    H: Fn(SocketAddr, Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    // Answers are small and written whole: nothing is gained by waiting for more.
    let _ = stream.set_nodelay(true);
    let phase = Phase::new();
    let transport = Patience::new(TokioIo::new(stream), Arc::clone(&phase), header_timeout);
    let service = service_fn(move |request| {
        phase.turn();
        let phase = Arc::clone(&phase);
        let answer = handle(peer, request);
        async move {
            let answer = answer.await;
            phase.turn();
            Ok::<_, Infallible>(answer)
        }
    });
    http.serve_connection(transport, service)
}

/// How many connections are open, and who waits for one to close.
#[derive(Debug, Default)]
struct Slots {
    taken: AtomicUsize,
    freed: Notify,
}

impl Slots {
    /// Waits until fewer than `limit` are taken.
    async fn free(&self, limit: usize) {
        while self.taken.load(Ordering::Acquire) >= limit {
            // One waits, so a wake-up between the look and the wait is kept for it.
            self.freed.notified().await;
        }
    }
}

/// Counts a connection for as long as it lives, however it ends.
struct Open {
    gauge: Gauge,
    slots: Arc<Slots>,
}

impl Open {
    fn new(gauge: &Gauge, slots: &Arc<Slots>) -> Self {
        gauge.inc();
        slots.taken.fetch_add(1, Ordering::AcqRel);
        Self { gauge: gauge.clone(), slots: Arc::clone(slots) }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.gauge.dec();
        self.slots.taken.fetch_sub(1, Ordering::AcqRel);
        self.slots.freed.notify_one();
    }
}
