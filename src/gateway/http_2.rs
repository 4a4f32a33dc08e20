use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::rt::{Read, Write};
use hyper::server::conn::http2;
use hyper::service::HttpService;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use super::server::BoxError;
use crate::config::Limits;

/// Most requests of a connection at once (RFC 9113, section 5.1.2, recommends no fewer).
const MAX_STREAMS: u32 = 100;

/// Bytes of a body that a client may send ahead of what was read: the protocol's own default.
const STREAM_WINDOW: u32 = 65_535;

/// The same for all bodies of a connection together.
const CONNECTION_WINDOW: u32 = 1 << 20;

/// Most bodies of a connection that are read at once; the others wait for their turn. What a connection
/// holds in memory before anybody is known to have signed is these and [`CONNECTION_WINDOW`].
pub(super) const BODIES: usize = 4;

/// How long a client that was told to go has to take its answers and to agree.
const FAREWELL: Duration = Duration::from_secs(3);

/// The requests of a connection that are under way.
#[derive(Debug, Default)]
pub(super) struct Streams {
    under_way: AtomicUsize,
    changed: Notify,
}

/// One request, until it is answered or given up.
pub(super) struct UnderWay(Arc<Streams>);

impl Streams {
    pub(super) fn begin(streams: &Arc<Self>) -> UnderWay {
        streams.under_way.fetch_add(1, Ordering::AcqRel);
        streams.changed.notify_one();
        UnderWay(Arc::clone(streams))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
        self.0.changed.notify_one();
    }
}

/// Serves one connection until its client ends it, until no request was under way for the idle
/// time-out, or until `stop` turns true and the requests that are under way are answered.
pub(super) async fn serve<T, S, F, B>(
    transport: T,
    service: S,
    limits: &Limits,
    streams: &Streams,
    mut stop: watch::Receiver<bool>,
) -> Result<(), BoxError>
where
    T: Read + Write + Unpin + Send + 'static,
    S: HttpService<Incoming, ResBody = B, Error = Infallible, Future = F>,
    F: Future + Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    TokioExecutor: hyper::rt::bounds::Http2ServerConnExec<F, B>,
{
    let mut connection = pin!(http(limits).serve_connection(transport, service));
    let mut quiet_since = Instant::now();
    loop {
        let is_quiet = streams.under_way.load(Ordering::Acquire) == 0;
        tokio::select! {
            ended = connection.as_mut() => return Ok(ended?),
            () = streams.changed.notified() => quiet_since = Instant::now(),
            () = sleep_until(quiet_since + limits.idle_timeout), if is_quiet => break,
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    connection.as_mut().graceful_shutdown();
    quiet_since = Instant::now();
    loop {
        let is_quiet = streams.under_way.load(Ordering::Acquire) == 0;
        tokio::select! {
            ended = connection.as_mut() => return Ok(ended?),
            () = streams.changed.notified() => quiet_since = Instant::now(),
            () = sleep_until(quiet_since + FAREWELL), if is_quiet => return Ok(()),
        }
    }
}

fn http(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.max_header_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        // A peer that is gone without a word is found out.
        .keep_alive_interval(limits.idle_timeout)
        .keep_alive_timeout(limits.header_timeout);
    http
}
