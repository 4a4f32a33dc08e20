//! A streamed body as an upstream gets it: as it is, or in chunks with the client's checksum behind
//! them.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use super::content::{Fault, Stream};
use super::outgoing::Progress;

/// Bytes of each chunk but the last: the length of the whole is told by it before.
const CHUNK: usize = 64 << 10;

/// A body whose pieces go to an upstream.
pub(super) enum Chunker {
    /// As it is.
    Plain(Box<Stream>),
    /// In `aws-chunked` framing, unsigned, with its trailers (S3 User Guide, "Checking object
    /// integrity").
    Chunked { stream: Box<Stream>, buffer: BytesMut, is_done: bool },
}

impl Chunker {
    pub(super) fn chunked(stream: Box<Stream>) -> Self {
        Self::Chunked { stream, buffer: BytesMut::new(), is_done: false }
    }

    /// The length of all pieces together, where it is known before. `trailers` are the names that the
    /// head announces.
    pub(super) fn length(&self, trailers: &[&str]) -> Option<u64> {
        match self {
            Self::Plain(stream) => stream.length,
            Self::Chunked { stream, .. } => {
                let length = stream.length?;
                let (full, rest) = (length / CHUNK as u64, length % CHUNK as u64);
                let framed = |size: u64| format!("{size:x}").len() as u64 + 2 + size + 2;
                let mut total = full * framed(CHUNK as u64) + if rest > 0 { framed(rest) } else { 0 };
                total += "0\r\n".len() as u64;
                for name in trailers {
                    total += name.len() as u64 + ":".len() as u64 + checksum_length(name)? + "\r\n".len() as u64;
                }
                Some(total + "\r\n".len() as u64)
            }
        }
    }

    pub(super) async fn next(&mut self, progress: &Progress) -> Result<Option<Bytes>, Fault> {
        match self {
            Self::Plain(stream) => stream.next(progress).await,
            Self::Chunked { is_done: true, .. } => Ok(None),
            Self::Chunked { stream, buffer, is_done } => {
                while buffer.len() < CHUNK {
                    let Some(piece) = stream.next(progress).await? else {
                        *is_done = true;
                        break;
                    };
                    buffer.extend_from_slice(&piece);
                }
                let chunk = buffer.split_to(buffer.len().min(CHUNK));
                let mut out = BytesMut::with_capacity(chunk.len() + 256);
                if !chunk.is_empty() {
                    frame(&chunk, &mut out);
                }
                // The end came while less than a chunk was there: nothing is left behind.
                if *is_done {
                    end(stream.trailers(), &mut out);
                }
                Ok(Some(out.freeze()))
            }
        }
    }
}

fn frame(chunk: &[u8], out: &mut BytesMut) {
    out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
    out.extend_from_slice(chunk);
    out.extend_from_slice(b"\r\n");
}

fn end(trailers: &HeaderMap, out: &mut BytesMut) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b":");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// Characters of a checksum in base64.
fn checksum_length(name: &str) -> Option<u64> {
    match name {
        "x-amz-checksum-crc32" | "x-amz-checksum-crc32c" => Some(8),
        "x-amz-checksum-crc64nvme" => Some(12),
        "x-amz-checksum-sha1" => Some(28),
        "x-amz-checksum-sha256" => Some(44),
        _ => None,
    }
}
