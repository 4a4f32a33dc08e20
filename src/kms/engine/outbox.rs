use jiff::Timestamp;
use uuid::Uuid;

use super::Kms;
use super::change::Change;
use crate::kms::ServiceEvent;
use crate::kms::error::KmsError;
use crate::kms::records::{EventClaim, EventRecord, decode};
use crate::kms::rows;
use crate::store::CommitError;

/// How long a gateway has to record what it claimed, in milliseconds: then another does, so that nothing
/// is lost with a gateway that does not come back.
const CLAIM: i64 = 15 * 60_000;
/// How many events are looked at for each that is asked for: others may have claimed most.
const LOOKED_AT: usize = 8;

impl Kms {
    /// Of the pending events, at most `limit` that this gateway is to record and no other: where several
    /// share a store, each has an audit log of its own. A claim is durable before it is answered, and
    /// found again after a restart. `now` is wall-clock time in milliseconds since 1970.
    ///
    /// # Errors
    /// Internal failures.
    pub async fn claim_events(&self, gateway: Uuid, now: i64, limit: usize) -> Result<Vec<ServiceEvent>, KmsError> {
        let by = gateway.to_string();
        let found = self.store().snapshot().await?.range(rows::all_events(), limit * LOOKED_AT).await?;
        let (mut ours, mut change) = (Vec::new(), Change::default());
        for (row, found) in found {
            if ours.len() == limit {
                break;
            }
            let record: EventRecord = decode(&found.value).map_err(KmsError::internal)?;
            match &record.claim {
                Some(claim) if claim.by == by => {}
                Some(claim) if now.saturating_sub(claim.at) < CLAIM => continue,
                Some(_) | None => {
                    change.hold(row.clone(), found.mod_rev);
                    change.put(
                        row.clone(),
                        &EventRecord { claim: Some(EventClaim { by: by.clone(), at: now }), ..record },
                    )?;
                }
            }
            ours.push(read(row, &found.value)?);
        }
        if change.is_empty() {
            return Ok(ours);
        }
        match self.commit(change).await {
            Ok(()) => Ok(ours),
            // Another gateway claimed some of them at this moment: the next look finds the others.
            Err(CommitError::Conflict) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

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
