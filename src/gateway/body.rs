use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::Semaphore;

use super::limits::Reserved;

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It is longer than the limit.
    TooLarge,
    /// It took too long.
    TimedOut,
    /// The bodies of others take all the memory that there is for them.
    NoRoom,
    /// The client went away, or its framing is broken.
    Broken,
}

/// Reads all of a body within a time and a number of bytes, once it has a turn, taking what it holds from
/// `reserved`. Trailers are dropped.
pub(super) async fn read(
    body: Incoming,
    limit: usize,
    within: Duration,
    turns: Option<&Semaphore>,
    reserved: Option<&mut Reserved<'_>>,
) -> Result<Bytes, BodyError> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let reading = async {
        let _turn = match turns {
            Some(turns) => Some(turns.acquire().await),
            None => None,
        };
        collect(body, limit, reserved).await
    };
    tokio::time::timeout(within, reading).await.unwrap_or(Err(BodyError::TimedOut))
}

async fn collect(
    mut body: Incoming,
    limit: usize,
    mut reserved: Option<&mut Reserved<'_>>,
) -> Result<Bytes, BodyError> {
    // Most bodies come in one piece, which is then used as it is.
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        if first.len().max(whole.len()) + data.len() > limit {
            return Err(BodyError::TooLarge);
        }
        // What is there at once never waits in memory: only who sends piece by piece takes from the rest.
        let is_all = first.is_empty() && whole.is_empty() && body.is_end_stream();
        if let Some(reserved) = reserved.as_mut().filter(|_| !is_all) {
            reserved.take(data.len()).await.map_err(|_| BodyError::NoRoom)?;
        }
        if first.is_empty() && whole.is_empty() {
            first = data;
        } else {
            if whole.is_empty() {
                whole.extend_from_slice(&first);
            }
            whole.extend_from_slice(&data);
        }
        if body.is_end_stream() {
            break;
        }
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}
