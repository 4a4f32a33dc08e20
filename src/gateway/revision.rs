//! How a client that goes from one gateway to another is served nothing older than it has seen.

use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

use super::respond::{Answer, Failure};
use crate::store::{Revision, Store, StoreError};

/// In an answer: how far the gateway knows the store that it shares with others. Sent back, to any of
/// them: what must be known before the request is decided.
const NAME: HeaderName = HeaderName::from_static("x-keystile-revision");

/// Waits until what a request names is known here. What is malformed, or of another history, is
/// nothing to wait for.
///
/// # Errors
/// Where the store does not catch up in time.
pub(super) async fn catch_up(store: &dyn Store, headers: &HeaderMap) -> Result<(), Failure> {
    let Some((lineage, known)) = store.place() else { return Ok(()) };
    let named = headers.get(NAME).and_then(|value| parse(value.to_str().ok()?));
    if named.is_none_or(|(of, revision)| of != short(lineage) || revision <= known) {
        return Ok(());
    }
    // One barrier proves everything that was acknowledged before; a revision beyond it was never told.
    match store.head().await {
        Ok(_) => Ok(()),
        Err(error) => Err(behind(&error)),
    }
}

/// Tells in an answer how far the store is known.
pub(super) fn tell(store: &dyn Store, answer: &mut Answer) {
    let Some((lineage, revision)) = store.place() else { return };
    if let Ok(value) = HeaderValue::try_from(format!("{:08x}-{revision}", short(lineage))) {
        answer.headers_mut().insert(NAME, value);
    }
}

fn behind(error: &StoreError) -> Failure {
    tracing::debug!(%error, "the store did not catch up with what a request names");
    Failure::unavailable("The store has not caught up with the revision that the request names.")
}

fn parse(text: &str) -> Option<(u32, Revision)> {
    let (lineage, revision) = text.split_once('-')?;
    Some((u32::from_str_radix(lineage, 16).ok()?, revision.parse().ok()?))
}

fn short(lineage: Uuid) -> u32 {
    lineage.as_fields().0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_names_its_history() {
        assert_eq!(parse("00ab12cd-17"), Some((0x00ab_12cd, 17)));
        for bad in ["", "17", "-17", "zz-17", "00ab12cd-", "00ab12cd-x", "100ab12cd-17"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
