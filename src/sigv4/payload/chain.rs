use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};

use crate::sigv4::content_sha256::hex;
use crate::sigv4::refusal::Refusal;
use crate::sigv4::signing_key::SigningKey;
use crate::sigv4::verify::signatures_agree;

/// The SHA-256 of nothing.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The signatures of a body's chunks: each covers the one before it, the first that of the head.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>,
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>
pub(in crate::sigv4) struct Chain {
    key: Arc<SigningKey>,
    /// Date and scope, each with its line end.
    context: String,
    previous: [u8; 64],
    /// Most bytes of a chunk: it is kept here until its signature holds.
    limit: u64,
    chunk: BytesMut,
    hash: Sha256,
    /// The signature that the open chunk came with.
    sent: [u8; 64],
}

/// What the chain hangs on: the head's signature, which holds, and what it was made with.
pub(in crate::sigv4) struct Seed<'a> {
    pub(in crate::sigv4) key: Arc<SigningKey>,
    pub(in crate::sigv4) date: &'a str,
    pub(in crate::sigv4) scope: &'a str,
    pub(in crate::sigv4) signature: &'a str,
}

impl Chain {
    pub(in crate::sigv4) fn new(seed: Seed<'_>, limit: u64) -> Result<Self, Refusal> {
        let previous = digits(seed.signature.as_bytes())?;
        Ok(Self {
            key: seed.key,
            context: format!("{}\n{}\n", seed.date, seed.scope),
            previous,
            limit,
            chunk: BytesMut::new(),
            hash: Sha256::new(),
            sent: previous,
        })
    }

    /// A chunk begins.
    pub(super) fn open(&mut self, size: u64, signature: &[u8]) -> Result<(), Refusal> {
        if size > self.limit {
            return Err(Refusal::chunk_too_large(self.limit));
        }
        self.sent = digits(signature)?;
        Ok(())
    }

    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.chunk.extend_from_slice(bytes);
    }

    /// The chunk, if it is the one that was signed.
    pub(super) fn close(&mut self) -> Result<Bytes, Refusal> {
        let hash = hex(&self.hash.finalize_reset().into());
        self.check("AWS4-HMAC-SHA256-PAYLOAD", Some(EMPTY), &hash)?;
        Ok(self.chunk.split().freeze())
    }

    /// Trailers are signed last: `name:value`, each with a line end, sorted by their names.
    pub(super) fn check_trailers(&mut self, lines: &str, signature: &[u8]) -> Result<(), Refusal> {
        self.sent = digits(signature)?;
        self.check("AWS4-HMAC-SHA256-TRAILER", None, &hex(&Sha256::digest(lines).into()))
    }

    fn check(&mut self, kind: &str, headers_hash: Option<&str>, hash: &[u8; 64]) -> Result<(), Refusal> {
        let mut text = Vec::with_capacity(400);
        text.extend_from_slice(kind.as_bytes());
        text.push(b'\n');
        text.extend_from_slice(self.context.as_bytes());
        text.extend_from_slice(&self.previous);
        text.push(b'\n');
        if let Some(headers_hash) = headers_hash {
            text.extend_from_slice(headers_hash.as_bytes());
            text.push(b'\n');
        }
        text.extend_from_slice(hash);
        if !signatures_agree(&hex(&self.key.sign(&text)), &self.sent) {
            return Err(Refusal::signature_differs());
        }
        self.previous = self.sent;
        Ok(())
    }
}

/// A signature has 64 digits; which, is compared.
fn digits(signature: &[u8]) -> Result<[u8; 64], Refusal> {
    signature.try_into().map_err(|_| Refusal::signature_differs())
}
