//! The body of a request, on its way from the client: proven piece by piece.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::outgoing::Progress;
use crate::sigv4::{Payload, PayloadVerifier, Refusal};

/// What a verified request carries.
pub(in super::super) enum Content {
    /// All of it, proven.
    Whole(Bytes),
    /// What is still to come.
    Streamed(Box<Stream>),
    /// What somebody else holds, who only asks: nothing that the body tells can be told.
    Elsewhere,
}

/// A body that is read, held to its signature and passed on, no faster than its receiver takes it.
pub(in super::super) struct Stream {
    body: Incoming,
    /// Until the end has been proven.
    verifier: Option<PayloadVerifier>,
    /// What may go on.
    ready: VecDeque<Bytes>,
    trailers: HeaderMap,
    pub(super) payload: Payload,
    /// How long the body is without its framing, where that is known before.
    pub(super) length: Option<u64>,
    /// Between two pieces.
    idle: Duration,
}

/// Why a body did not come to its end.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// It is not the one that was signed.
    Refused(Refusal),
    /// The client sent nothing for too long.
    TimedOut,
    /// The client went away, or its framing is broken.
    Broken,
    /// It is longer than what is read before a request is decided.
    TooLarge,
}

impl Stream {
    pub(in super::super) fn new(
        body: Incoming,
        verifier: PayloadVerifier,
        payload: Payload,
        declared: Option<u64>,
        idle: Duration,
    ) -> Self {
        let length = match payload {
            Payload::SignedChunks { .. } | Payload::UnsignedChunks => verifier.decoded_length(),
            Payload::Whole | Payload::Sha256 | Payload::Unsigned => declared,
        };
        Self {
            body,
            verifier: Some(verifier),
            ready: VecDeque::new(),
            trailers: HeaderMap::new(),
            payload,
            length,
            idle,
        }
    }

    /// The next piece that may go on; none at the end, which is then proven.
    pub(super) async fn next(&mut self, progress: &Progress) -> Result<Option<Bytes>, Fault> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Ok(Some(piece));
            }
            let Some(verifier) = &mut self.verifier else { return Ok(None) };
            let frame = tokio::time::timeout(self.idle, self.body.frame()).await.map_err(|_| Fault::TimedOut)?;
            progress.touch();
            match frame {
                Some(Err(_)) => return Err(Fault::Broken),
                // HTTP's own trailers are nobody's: no signature is over them.
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        self.ready.extend(verifier.push(bytes).map_err(Fault::Refused)?);
                    }
                }
                None => {
                    let Some(verifier) = self.verifier.take() else { return Ok(None) };
                    let proven = verifier.finish().map_err(Fault::Refused)?;
                    self.trailers = proven.trailers;
                    if !proven.last.is_empty() {
                        self.ready.push_back(proven.last);
                    }
                }
            }
        }
    }

    /// Puts a piece back to the front.
    pub(super) fn put_back(&mut self, piece: Bytes) {
        self.ready.push_front(piece);
    }

    /// The trailers behind the chunks; once there is no more piece.
    pub(super) fn trailers(&self) -> &HeaderMap {
        &self.trailers
    }

    /// Reads all of it.
    pub(super) async fn collect(mut self: Box<Self>, limit: usize) -> Result<Bytes, Fault> {
        let progress = Arc::new(Progress::default());
        let mut whole = BytesMut::new();
        while let Some(piece) = self.next(&progress).await? {
            if whole.len() + piece.len() > limit {
                return Err(Fault::TooLarge);
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }
}
