//! When a key was last used (KMS API Reference, "`GetKeyLastUsage`").
//!
//! A use is noted in memory, beside the key's record, and saved with others now and then: no request
//! waits for it. What a crash loses is the note of the last [`Kms::save_uses`]'s time, never a use
//! that a caller was told of, for an answer saves first.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;
use tokio::task::JoinSet;

use super::change::Change;
use super::{ATTEMPTS, Kms, answer, seconds};
use crate::kms::Answer;
use crate::kms::error::KmsError;
use crate::kms::key_use::KeyUse;
use crate::kms::name::KeyName;
use crate::kms::records::{DAY, KeyView, LastUseRecord, decode};
use crate::kms::resolve::Key;
use crate::kms::rows;
use crate::kms::wire::ObjectText;
use crate::store::{CommitError, Record};

/// How many uses are saved at a time: their commits share the disk's flushes.
const TOGETHER: usize = 64;

/// Keys whose last use is not saved yet.
pub(super) type Unsaved = std::sync::Mutex<Vec<Arc<Record<KeyView>>>>;

impl Kms {
    /// Notes that the keys of an answer were used, if its operation counts as a use.
    pub fn note_use(&self, answer: &Answer, of: KeyUse) {
        for key in answer.used.iter().flatten() {
            let noted = key.value.used.lock().map(|mut used| used.replace(of));
            if let (Ok(None), Ok(mut unsaved)) = (noted, self.inner.unsaved_uses.lock()) {
                unsaved.push(Arc::clone(key));
            }
        }
    }

    /// Saves the uses that were noted since the last time.
    ///
    /// # Errors
    /// Internal failures; what is not saved stays noted.
    pub async fn save_uses(&self) -> Result<(), KmsError> {
        let unsaved = self.inner.unsaved_uses.lock().map(|mut unsaved| std::mem::take(&mut *unsaved));
        let mut outcome = Ok(());
        for together in unsaved.unwrap_or_default().chunks(TOGETHER) {
            let mut saving = JoinSet::new();
            for key in together {
                let (kms, key) = (self.clone(), Arc::clone(key));
                saving.spawn(async move { kms.save_use(&key).await });
            }
            while let Some(saved) = saving.join_next().await {
                let saved = saved.map_err(|error| KmsError::internal(error.to_string())).flatten();
                outcome = outcome.and(saved);
            }
        }
        outcome
    }

    async fn save_use(&self, key: &Arc<Record<KeyView>>) -> Result<(), KmsError> {
        let taken = key.value.used.lock().ok().and_then(|mut used| used.take());
        let Some(of) = taken else { return Ok(()) };
        let record = LastUseRecord {
            operation: of.operation.to_owned(),
            time: of.time.as_millisecond(),
            request_id: of.request_id.to_string(),
            event_id: of.event_id.to_string(),
        };
        let saved = self.put_use(&key.value.name, &record).await;
        if saved.is_err() {
            self.keep_noted(key, of);
        }
        saved
    }

    async fn put_use(&self, name: &KeyName, record: &LastUseRecord) -> Result<(), KmsError> {
        let row = rows::last_use(name);
        for _ in 0..ATTEMPTS {
            let snapshot = self.store().snapshot().await?;
            // A key that is gone has no last use.
            let Some(present) = snapshot.get(&rows::key(name)).await? else { return Ok(()) };
            if let Some(found) = snapshot.get(&row).await? {
                let known: LastUseRecord = decode(&found.value).map_err(KmsError::internal)?;
                if known.time > record.time {
                    return Ok(());
                }
            }
            let mut change = Change::default().unchanged(rows::key(name), present.mod_rev);
            change.put(row.clone(), record)?;
            match self.commit(change).await {
                Ok(()) => return Ok(()),
                // The key changed meanwhile.
                Err(CommitError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(KmsError::conflicting())
    }

    fn keep_noted(&self, key: &Arc<Record<KeyView>>, of: KeyUse) {
        let is_noted = key.value.used.lock().map(|mut used| used.get_or_insert(of).time);
        if let (Ok(_), Ok(mut unsaved)) = (is_noted, self.inner.unsaved_uses.lock()) {
            unsaved.push(Arc::clone(key));
        }
    }

    async fn last_use(&self, name: &KeyName) -> Result<Option<LastUseRecord>, KmsError> {
        self.save_uses().await?;
        let found = self.store().snapshot().await?.get(&rows::last_use(name)).await?;
        found.map(|found| decode(&found.value).map_err(KmsError::internal)).transpose()
    }

    /// Whole days since a key was last used, or made: `kms:TrailingDaysWithoutKeyUsage`.
    pub(in crate::kms) async fn trailing_days(&self, key: &Key, now: Timestamp) -> Result<i64, KmsError> {
        let view = key.view();
        let last = self.last_use(&view.name).await?.map_or(view.record.created, |used| used.time);
        Ok(now.as_millisecond().saturating_sub(last) / DAY)
    }

    pub(super) async fn key_last_usage(&self, key: &Key) -> Result<Answer, KmsError> {
        let view = key.view();
        let usage = self.last_use(&view.name).await?.map_or_else(
            || json!({}),
            |used| {
                json!({
                    "Operation": used.operation,
                    "Timestamp": seconds(used.time),
                    "CloudTrailEventId": used.event_id,
                    "KmsRequestId": used.request_id,
                })
            },
        );
        let body = ObjectText::new()
            .text("KeyId", view.arn.as_str())
            .value("KeyLastUsage", &usage)
            .value("TrackingStartDate", &seconds(view.record.created))
            .value("KeyCreationDate", &seconds(view.record.created));
        Ok(answer(key, Some(body.finish())))
    }
}
