//! The body of a request, on its way to an upstream.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant};

use super::super::server::BoxError;

/// When a body last moved.
#[derive(Debug)]
pub(super) struct Progress {
    began: Instant,
    /// Milliseconds after `began`.
    last: AtomicU64,
}

impl Default for Progress {
    fn default() -> Self {
        Self { began: Instant::now(), last: AtomicU64::new(0) }
    }
}

impl Progress {
    pub(super) fn touch(&self) {
        let passed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.fetch_max(passed, Ordering::Relaxed);
    }

    pub(super) fn last(&self) -> Instant {
        self.began + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }
}

/// What hyper takes as a request's body.
pub(super) enum Outgoing {
    Whole(Option<Bytes>),
    Piped { pipe: Arc<Pipe>, length: Option<u64>, sent: u64 },
}

/// The receiving end of a streamed body. Whoever asks first has it: an attempt that never began to read
/// leaves it to the next one.
pub(super) struct Pipe {
    pieces: Mutex<mpsc::Receiver<Result<Bytes, BoxError>>>,
    begun: AtomicBool,
}

impl Pipe {
    /// The pipe, and where its pieces go in. What is closed without an end is an abort.
    pub(super) fn new() -> (Arc<Self>, mpsc::Sender<Result<Bytes, BoxError>>) {
        let (sender, receiver) = mpsc::channel(1);
        (Arc::new(Self { pieces: Mutex::new(receiver), begun: AtomicBool::new(false) }), sender)
    }

    /// Whether an upstream has some of it.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Acquire)
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Whole(bytes) => {
                Poll::Ready(bytes.take().filter(|bytes| !bytes.is_empty()).map(|bytes| Ok(Frame::data(bytes))))
            }
            Self::Piped { pipe, sent, .. } => {
                let next = pipe.pieces.lock().unwrap_or_else(PoisonError::into_inner).poll_recv(context);
                next.map(|piece| {
                    let piece = piece?;
                    pipe.begun.store(true, Ordering::Release);
                    Some(piece.map(|bytes| {
                        *sent += bytes.len() as u64;
                        Frame::data(bytes)
                    }))
                })
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Self::Piped { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Piped { length: Some(length), sent, .. } => SizeHint::with_exact(length.saturating_sub(*sent)),
            Self::Piped { length: None, .. } => SizeHint::default(),
        }
    }
}
