use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use prometheus_client::metrics::gauge::Gauge;
use rustls::ServerConfig;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::door::Door;
use super::http_1;
use super::http_2::{self, Streams};
use super::listener::{Listener, Stream};
use super::origin::Origin;
use super::patience::{Patience, Phase};
use crate::config::Limits;

/// What a body may fail with.
pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The wait after a failed accept: out of file descriptors, most likely, which passes.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Who asks, as far as a connection tells it, or those do who are trusted to tell it.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) origin: Origin,
    /// Whether it came by TLS.
    pub(super) is_secure: bool,
    /// How many bodies of the connection are read at once; none where the protocol has one at a time.
    pub(super) bodies: Option<Arc<Semaphore>>,
}

/// A listener with what it needs to serve HTTP.
pub(super) struct Server {
    pub(super) listener: Listener,
    pub(super) limits: watch::Receiver<Limits>,
    /// How it speaks TLS; none where it speaks in the clear.
    pub(super) tls: watch::Receiver<Option<Arc<ServerConfig>>>,
    /// What connections pass first; none where all are served.
    pub(super) door: Option<Door>,
    /// Connections open now.
    pub(super) connections: Gauge,
}

impl Server {
    /// Serves until `stop` turns true, then lets requests that are under way finish; done when
    /// the last connection is.
    pub(super) async fn run<H, F, B>(mut self, handle: H, mut stop: watch::Receiver<bool>)
    where
        H: Fn(Peer, Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let slots = Arc::new(Slots::default());
        let mut limits = *self.limits.borrow_and_update();
        loop {
            // A full house takes nobody from the backlog: no accept before a slot is free.
            let next = async {
                slots.fewer_than(limits.max_connections as usize).await;
                self.listener.accept().await
            };
            let accepted = tokio::select! {
                accepted = next => accepted,
                changed = self.limits.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    limits = *self.limits.borrow_and_update();
                    continue;
                }
                _ = stop.wait_for(|stop| *stop) => break,
            };
            let (stream, origin) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let tls = self.tls.borrow().clone();
            let peer = Peer { origin, is_secure: tls.is_some(), bodies: None };
            let connection = serve(stream, self.door.clone(), tls, limits, peer, handle.clone(), stop.clone());
            let open = Open::new(&self.connections, &slots);
            tokio::spawn(async move {
                // A client that breaks off, or breaks the protocol, was told what can be told.
                if let Err(error) = connection.await {
                    tracing::debug!(error, %origin, "a connection ended early");
                }
                drop(open);
            });
        }
        drop(self.listener);
        slots.fewer_than(1).await;
    }
}

async fn serve<H, F, B>(
    mut stream: Stream,
    door: Option<Door>,
    tls: Option<Arc<ServerConfig>>,
    limits: Limits,
    mut peer: Peer,
    handle: H,
    stop: watch::Receiver<bool>,
) -> Result<(), BoxError>
where
    H: Fn(Peer, Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let mut _turn = None;
    if let Some(door) = door {
        (peer.origin, _turn) = door.pass(&mut stream, peer.origin, limits.header_timeout).await?;
    }
    let phase = Phase::new();
    let turns = Arc::clone(&phase);
    let service = {
        let (handle, peer) = (handle.clone(), peer.clone());
        service_fn(move |request| {
            turns.turn();
            let turns = Arc::clone(&turns);
            let answer = handle(peer.clone(), request);
            async move {
                let answer = answer.await;
                turns.turn();
                Ok::<_, Infallible>(answer)
            }
        })
    };
    let Some(tls) = tls else {
        let transport = Patience::new(TokioIo::new(stream), phase, limits.header_timeout);
        return http_1::serve(transport, service, &limits, stop).await;
    };
    let stream = tokio::time::timeout(limits.header_timeout, TlsAcceptor::from(tls).accept(stream)).await??;
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        let transport = Patience::new(TokioIo::new(stream), phase, limits.header_timeout);
        return http_1::serve(transport, service, &limits, stop).await;
    }
    let streams = Arc::new(Streams::default());
    let under_way = Arc::clone(&streams);
    let peer = Peer { bodies: Some(Arc::new(Semaphore::new(http_2::BODIES))), ..peer };
    let service = service_fn(move |request| {
        let under_way = Streams::begin(&under_way);
        let answer = handle(peer.clone(), request);
        async move {
            let answer = answer.await;
            drop(under_way);
            Ok::<_, Infallible>(answer)
        }
    });
    http_2::serve(TokioIo::new(stream), service, &limits, &streams, stop).await
}

/// How many connections are open, and who waits for one to close.
#[derive(Debug, Default)]
struct Slots {
    taken: AtomicUsize,
    freed: Notify,
}

impl Slots {
    /// Waits until fewer than `limit` are taken.
    async fn fewer_than(&self, limit: usize) {
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
