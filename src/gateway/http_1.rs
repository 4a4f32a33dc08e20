use std::convert::Infallible;
use std::pin::pin;

use hyper::body::{Body, Incoming};
use hyper::rt::{Read, Write};
use hyper::server::conn::http1;
use hyper::service::HttpService;
use hyper_util::rt::TokioTimer;
use tokio::sync::watch;

use super::server::BoxError;
use crate::config::Limits;

/// How many headers hyper takes without an allocation for each request.
const HEADERS_ON_THE_STACK: u32 = 100;

/// Serves one connection until its client or a time-out ends it, or until `stop` turns true and the
/// request that is under way is answered.
pub(super) async fn serve<T, S, B>(
    transport: T,
    service: S,
    limits: &Limits,
    mut stop: watch::Receiver<bool>,
) -> Result<(), BoxError>
where
    T: Read + Write + Unpin + 'static,
    S: HttpService<Incoming, ResBody = B, Error = Infallible>,
    B: Body<Error: Into<BoxError>> + 'static,
{
    let mut connection = pin!(http(limits).serve_connection(transport, service));
    tokio::select! {
        ended = connection.as_mut() => return Ok(ended?),
        _ = stop.wait_for(|stop| *stop) => {}
    }
    connection.as_mut().graceful_shutdown();
    Ok(connection.await?)
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
