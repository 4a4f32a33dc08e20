use jiff::Timestamp;
use uuid::Uuid;

use super::Kms;
use super::change::Change;
use crate::kms::ServiceEvent;
use crate::kms::error::KmsError;
use crate::kms::records::{EventRecord, decode};
use crate::kms::rows;

impl Kms {
    /// Service events that no audit log has recorded yet, oldest first, at most `limit`.
    ///
    /// # Errors
    /// Internal failures.
    pub async fn pending_events(&self, limit: usize) -> Result<Vec<ServiceEvent>, KmsError> {
        let found = self.store().snapshot().await?.range(rows::all_events(), limit).await?;
        found.into_iter().map(|(row, found)| read(row, &found.value)).collect()
    }

    /// Removes events that the audit log has on disk. One that is gone already is no error.
    ///
    /// # Errors
    /// Internal failures: the events are still there then.
    pub async fn forget_events(&self, events: &[ServiceEvent]) -> Result<(), KmsError> {
        if events.is_empty() {
            return Ok(());
        }
        let mut change = Change::default();
        for event in events {
            change.delete(event.row.clone());
        }
        Ok(self.commit(change).await?)
    }
}

fn read(row: Vec<u8>, value: &[u8]) -> Result<ServiceEvent, KmsError> {
    let malformed = || KmsError::internal(format!("a malformed row of an event: {}", row.escape_ascii()));
    let record: EventRecord = decode(value).map_err(KmsError::internal)?;
    let id = row.len().checked_sub(36).and_then(|start| std::str::from_utf8(&row[start..]).ok());
    let id = id.and_then(|id| Uuid::try_parse(id).ok()).ok_or_else(malformed)?;
    let time = Timestamp::from_millisecond(record.time).map_err(|_| malformed())?;
    Ok(ServiceEvent {
        id,
        name: record.name,
        time,
        account: record.account,
        region: record.region,
        key: record.key,
        details: record.details,
        row,
    })
}
