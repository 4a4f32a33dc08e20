use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use tokio::time::Sleep;

/// Where a connection is in its sequence of requests; shared by its transport and its service.
///
/// Counts the turns: even while a head is awaited or under way, odd while a request is served.
#[derive(Debug)]
pub(super) struct Phase(AtomicU64);

impl Phase {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(0)))
    }

    /// A request's head is complete, or the request is answered.
    pub(super) fn turn(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// How long a connection that we close still takes what its client sends.
const LINGER: Duration = Duration::from_millis(500);

/// How much of that is taken, in bytes.
const LINGER_BYTES: usize = 1 << 20;

/// A transport that gives up on a request whose head does not come to its end in time, and on a client
/// that takes nothing of its answer for as long; and that lets a client read its answer before the connection is gone.
///
/// hyper has one time-out for the wait between requests and for the head together. A client
/// may be idle for long; it may not take as long over a head.
///
/// A socket that is closed with bytes unread resets the connection, and the reset can overtake
/// the answer to a request that was refused early (RFC 9112, section 9.6): so after the last
/// answer what still comes is read and dropped for a while.
#[derive(Debug)]
pub(super) struct Patience<T> {
    inner: T,
    phase: Arc<Phase>,
    limit: Duration,
    /// The phase when a read was last asked for.
    turn: u64,
    /// Whether part of a head has come in that phase.
    begun: bool,
    deadline: Option<Pin<Box<Sleep>>>,
    /// When to give up on a client that takes nothing of what is written.
    stalled: Option<Pin<Box<Sleep>>>,
    /// The end of lingering, once our side is closed.
    farewell: Option<Pin<Box<Sleep>>>,
    dropped_bytes: usize,
}

impl<T> Patience<T> {
    pub(super) fn new(inner: T, phase: Arc<Phase>, limit: Duration) -> Self {
        Self {
            inner,
            phase,
            limit,
            turn: 0,
            begun: false,
            deadline: None,
            stalled: None,
            farewell: None,
            dropped_bytes: 0,
        }
    }
}

impl<T: Read + Unpin> Read for Patience<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let turn = this.phase.0.load(Ordering::Relaxed);
        if turn != this.turn {
            this.turn = turn;
            this.begun = false;
            this.deadline = None;
        }
        if turn % 2 == 1 {
            return Pin::new(&mut this.inner).poll_read(cx, buf);
        }
        // A head that comes in one piece is never asked after again, so it costs no timer.
        if this.begun {
            let limit = this.limit;
            let deadline = this.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
            if deadline.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        let result = Pin::new(&mut this.inner).poll_read(cx, buf);
        if matches!(result, Poll::Ready(Ok(()))) {
            this.begun = true;
        }
        result
    }
}

impl<T> Patience<T> {
    /// What a write came to, or its end where it has come to nothing for too long.
    fn unless_stalled<R>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let limit = self.limit;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        stalled.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: Read + Write + Unpin> Write for Patience<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.unless_stalled(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        self.unless_stalled(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.farewell.is_none() {
            let closed = Pin::new(&mut this.inner).poll_shutdown(cx);
            ready!(this.unless_stalled(cx, closed))?;
        }
        let farewell = this.farewell.get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
        let mut scratch = [0; 4096];
        while this.dropped_bytes < LINGER_BYTES {
            let mut buf = ReadBuf::new(&mut scratch);
            match Pin::new(&mut this.inner).poll_read(cx, buf.unfilled()) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => this.dropped_bytes += buf.filled().len(),
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return farewell.as_mut().poll(cx).map(Ok),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.unless_stalled(cx, written)
    }
}
