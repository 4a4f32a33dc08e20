//! Removes what nobody follows any more from `ks_change`.

use std::sync::Arc;
use std::time::Duration;

use super::PostgresError;
use super::connection::{Connector, within};

/// How often a gateway looks.
const EVERY: Duration = Duration::from_mins(1);
/// How long it may take.
const WITHIN: Duration = Duration::from_secs(10);
/// Changes are kept for an hour, and so many of them at least: a commit is tried again under its id
/// for seconds, and a gateway that is farther behind begins anew. At most so many are removed at once.
const COMPACT: &str = "
WITH upto AS (
    SELECT least(
        coalesce((SELECT max(rev) FROM ks_change WHERE at < now() - interval '1 hour'), 0),
        (SELECT rev - 65536 FROM ks_meta),
        (SELECT compacted + 20000 FROM ks_meta)
    ) AS rev
), moved AS (
    UPDATE ks_meta SET compacted = upto.rev FROM upto
    WHERE upto.rev > compacted RETURNING compacted
)
DELETE FROM ks_change WHERE rev <= (SELECT compacted FROM moved)";

/// Compacts for as long as it is polled. What fails is tried again.
pub(super) async fn run(connector: Arc<Connector>) {
    loop {
        tokio::time::sleep(EVERY).await;
        let compacted = async {
            let session = connector.connect().await?;
            Ok::<u64, PostgresError>(session.client.execute(COMPACT, &[]).await?)
        };
        match within(WITHIN, compacted).await {
            Ok(0) => {}
            Ok(removed) => tracing::debug!(removed, "old changes were removed from the store"),
            Err(error) => tracing::debug!(%error, "old changes were not removed; trying again"),
        }
    }
}
