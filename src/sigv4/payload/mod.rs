//! A body that is proven while it streams.
//!
//! What comes out may go on; what is not proven stays inside. The last piece of a body stays until
//! the whole of it is: an upstream that was told its length never has all of it before.

mod chain;
mod checksums;
mod chunks;

use std::fmt;

use bytes::Bytes;
use http::HeaderMap;
use sha2::{Digest, Sha256};

use super::content_sha256::hex;
use super::refusal::Refusal;

pub(super) use chain::{Chain, Seed};
pub(super) use checksums::Checksums;
use chunks::{Chunks, Signing};

/// Holds a body to what its head says of it, without I/O and in bounded memory: bytes go in as
/// they come, and the body, freed of its framing, comes out as far as it may go on.
#[must_use = "a body is proven only when this has finished"]
pub struct PayloadVerifier {
    body: Body,
    checksums: Checksums,
    /// The last piece so far, where something is proven at the end.
    held: Option<Bytes>,
    /// After a refusal there is nothing but that.
    refused: Option<Refusal>,
}

/// The rest of a body whose every byte is proven.
#[derive(Debug, Default)]
pub struct Proven {
    /// The last piece of it; empty where nothing had to be kept back.
    pub last: Bytes,
    /// The trailers behind its chunks, names in lower case, without their signature.
    pub trailers: HeaderMap,
}

enum Body {
    /// The SHA-256 that was signed, in lower-case hex, and that of what came so far.
    Hashed {
        expected: [u8; 64],
        hash: Sha256,
    },
    /// Nothing but checksums proves it.
    Unsigned,
    Chunked(Box<Chunks>),
}

impl PayloadVerifier {
    pub(super) fn hashed(expected: [u8; 64], checksums: Checksums) -> Self {
        Self::new(Body::Hashed { expected, hash: Sha256::new() }, checksums)
    }

    pub(super) fn unsigned(checksums: Checksums) -> Self {
        Self::new(Body::Unsigned, checksums)
    }

    /// `length`: the value of `x-amz-decoded-content-length`.
    pub(super) fn signed_chunks(
        checksums: Checksums,
        headers: &HeaderMap,
        length: Option<&[u8]>,
        chain: Chain,
        trailer: bool,
    ) -> Result<Self, Refusal> {
        Self::chunked(checksums, headers, length, Signing::Signed { chain, trailer })
    }

    pub(super) fn unsigned_chunks(
        checksums: Checksums,
        headers: &HeaderMap,
        length: Option<&[u8]>,
    ) -> Result<Self, Refusal> {
        Self::chunked(checksums, headers, length, Signing::Unsigned)
    }

    fn chunked(
        mut checksums: Checksums,
        headers: &HeaderMap,
        length: Option<&[u8]>,
        signing: Signing,
    ) -> Result<Self, Refusal> {
        let chunks = Chunks::new(headers, length, signing, &mut checksums)?;
        Ok(Self::new(Body::Chunked(Box::new(chunks)), checksums))
    }

    fn new(body: Body, checksums: Checksums) -> Self {
        Self { body, checksums, held: None, refused: None }
    }

    /// How long the body is without its framing, where it comes in chunks. Where it is empty, there
    /// is nothing to keep back: nothing may go on before [`PayloadVerifier::finish`].
    #[must_use]
    pub fn decoded_length(&self) -> Option<u64> {
        match &self.body {
            Body::Chunked(chunks) => Some(chunks.length()),
            Body::Hashed { .. } | Body::Unsigned => None,
        }
    }

    /// Takes in the next bytes of the body as they came, and gives what may go on now: nothing,
    /// or pieces in their order.
    ///
    /// # Errors
    /// Where the body cannot be the one that was signed. What was not given out must then never be;
    /// every further call gives the same refusal.
    pub fn push(&mut self, bytes: Bytes) -> Result<Vec<Bytes>, Refusal> {
        if let Some(refusal) = &self.refused {
            return Err(refusal.clone());
        }
        self.take(bytes).inspect_err(|refusal| self.refused = Some(refusal.clone()))
    }

    fn take(&mut self, bytes: Bytes) -> Result<Vec<Bytes>, Refusal> {
        let mut pieces = Vec::new();
        match &mut self.body {
            Body::Hashed { hash, .. } => {
                hash.update(&bytes);
                pieces.push(bytes);
            }
            Body::Unsigned => pieces.push(bytes),
            Body::Chunked(chunks) => chunks.push(bytes, &mut pieces)?,
        }
        pieces.retain(|piece| !piece.is_empty());
        for piece in &pieces {
            self.checksums.update(piece);
        }
        if self.proves_at_the_end()
            && let Some(last) = pieces.pop()
        {
            if let Some(held) = self.held.replace(last) {
                pieces.insert(0, held);
            }
        }
        Ok(pieces)
    }

    /// The body is complete: proves what is left of it.
    ///
    /// # Errors
    /// Where the body is not the one that was signed, or not all of it came.
    pub fn finish(self) -> Result<Proven, Refusal> {
        if let Some(refusal) = self.refused {
            return Err(refusal);
        }
        let mut checksums = self.checksums;
        let trailers = match self.body {
            Body::Hashed { expected, hash } => {
                if hex(&hash.finalize().into()) != expected {
                    return Err(Refusal::payload_hash());
                }
                HeaderMap::new()
            }
            Body::Unsigned => HeaderMap::new(),
            Body::Chunked(chunks) => {
                let trailers = chunks.finish()?;
                checksums.expect_all(&trailers)?;
                trailers
            }
        };
        checksums.finish()?;
        Ok(Proven { last: self.held.unwrap_or_default(), trailers })
    }

    fn proves_at_the_end(&self) -> bool {
        match &self.body {
            Body::Hashed { .. } | Body::Chunked(_) => true,
            Body::Unsigned => !self.checksums.is_empty(),
        }
    }
}

impl fmt::Debug for PayloadVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = match &self.body {
            Body::Hashed { .. } => "hashed",
            Body::Unsigned => "unsigned",
            Body::Chunked(_) => "chunked",
        };
        f.debug_struct("PayloadVerifier").field("body", &body).field("refused", &self.refused).finish_non_exhaustive()
    }
}
