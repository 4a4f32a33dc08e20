//! The tables, and their versions.

use tokio_postgres::Client;
use uuid::Uuid;

use super::PostgresError;

/// The version of the tables that this release makes and needs.
pub(super) const FORMAT: i32 = 1;

/// One row of `ks_meta` numbers the commits: whoever commits locks it first. It is updated in its
/// page, which therefore keeps room. `ks_kv` has the records, in the order of their bytes; `ks_change`
/// tells which commit wrote what.
const TABLES: &str = "
CREATE TABLE ks_meta (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    format integer NOT NULL,
    lineage uuid NOT NULL,
    rev bigint NOT NULL,
    compacted bigint NOT NULL
) WITH (fillfactor = 10);
CREATE TABLE ks_kv (
    k bytea PRIMARY KEY,
    mod_rev bigint NOT NULL,
    v bytea NOT NULL
);
CREATE TABLE ks_change (
    rev bigint PRIMARY KEY,
    commit_id uuid NOT NULL UNIQUE,
    keys bytea[] NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX ks_change_at ON ks_change (at);";

/// The version of the tables; none where there are none.
pub(super) async fn format(client: &Client) -> Result<Option<i32>, PostgresError> {
    let there = client.query_one("SELECT to_regclass('ks_meta') IS NOT NULL", &[]).await?;
    if !there.get::<_, bool>(0) {
        return Ok(None);
    }
    let row = client.query_opt("SELECT format FROM ks_meta", &[]).await?;
    match row {
        Some(row) => Ok(Some(row.get(0))),
        None => Err(PostgresError::Damaged("ks_meta has no row".into())),
    }
}

/// Makes the tables of a new store.
pub(super) async fn create(client: &mut Client) -> Result<Uuid, PostgresError> {
    let lineage = Uuid::new_v4();
    let transaction = client.transaction().await?;
    transaction.batch_execute(TABLES).await?;
    let row = "INSERT INTO ks_meta (format, lineage, rev, compacted) VALUES ($1, $2, 0, 0)";
    transaction.execute(row, &[&FORMAT, &lineage]).await?;
    transaction.commit().await?;
    Ok(lineage)
}

/// Brings the tables to this release's version, and answers the one that they had.
pub(super) async fn migrate(client: &mut Client) -> Result<i32, PostgresError> {
    let found = require_known(client).await?;
    // Version 1 is the first: there is nothing older to bring forward.
    Ok(found)
}

/// Refuses what this release can't serve.
pub(super) async fn require_known(client: &Client) -> Result<i32, PostgresError> {
    match format(client).await? {
        None => Err(PostgresError::NotInitialised),
        Some(found) if found > FORMAT => Err(PostgresError::NewerFormat { found }),
        Some(found) => Ok(found),
    }
}
