//! What falls due: scheduled rotations, the deletions of keys whose window ended, and the expiry of
//! imported key material.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;
use tokio::task::JoinSet;

use super::change::Change;
use super::grants::remove_grant;
use super::{ATTEMPTS, Kms};
use crate::kms::custom_key_stores::CustomKeyStoreName;
use crate::kms::error::KmsError;
use crate::kms::name::AliasName;
use crate::kms::records::{CountRecord, KeyRecord, KeyView, PolicyRef, RotationType, Schedule, State, decode};
use crate::kms::rows::{self, Due};
use crate::store::{CommitError, Record, Snapshot};

/// How many dates are read at a time.
const PAGE: usize = 256;
/// How many keys are worked on at a time: their commits share the disk's flushes.
const TOGETHER: usize = 64;
/// Rows of one kind that a key has at most beside its limits: read at a time when it is deleted.
const ROWS: usize = 1024;

/// Whether something is due for a key.
pub(super) fn is_overdue(record: &KeyRecord, now: i64) -> bool {
    date_of_state(record).into_iter().chain(record.first_expiry()).any(|date| date <= now)
}

/// When the state of a key makes something due: a rotation, or its deletion.
fn date_of_state(record: &KeyRecord) -> Option<i64> {
    match record.state {
        State::Enabled => record.schedule.map(|schedule| schedule.next),
        State::PendingDeletion { date, .. } => Some(date),
        State::Disabled | State::PendingReplicaDeletion { .. } | State::PendingImport => None,
    }
}

impl Kms {
    /// Does every rotation, key deletion and expiry that is due at the engine clock's now, each once
    /// and dated its due date, and answers how many this call did. Others may call it at the same time.
    ///
    /// # Errors
    /// The first failure, after everything else that is due was tried.
    pub async fn rotate_due(&self) -> Result<usize, KmsError> {
        let now = self.clock_now();
        let mut all = 0;
        // What is done may make something else due that long: a replica's end begins its primary's
        // waiting period.
        loop {
            let done = self.rotate_due_once(now).await?;
            if done == 0 {
                return Ok(all);
            }
            all += done;
        }
    }

    /// Goes through the dates until now, in order.
    async fn rotate_due_once(&self, now: Timestamp) -> Result<usize, KmsError> {
        let (mut done, mut failure) = (0, None);
        let mut range = rows::due_until(now);
        loop {
            let page = self.store().snapshot().await?.range(range.clone(), PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            range.start.clone_from(last);
            range.start.push(0);
            let mut working = JoinSet::new();
            for (row, _) in page {
                if working.len() >= TOGETHER {
                    tally(working.join_next().await, &mut done, &mut failure);
                }
                let kms = self.clone();
                working.spawn(async move { kms.work_off(row, now.as_millisecond()).await });
            }
            while let Some(outcome) = working.join_next().await {
                tally(Some(outcome), &mut done, &mut failure);
            }
        }
        failure.map_or(Ok(done), Err)
    }

    /// When the next rotation, deletion or expiry is due.
    ///
    /// # Errors
    /// Internal failures.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, KmsError> {
        let found = self.store().snapshot().await?.range(rows::all_due(), 1).await?;
        let Some((row, _)) = found.first() else { return Ok(None) };
        let (when, _) = rows::read_due(row).ok_or_else(|| malformed(row))?;
        Timestamp::from_millisecond(when).map(Some).map_err(|error| KmsError::internal(error.to_string()))
    }

    /// Does what a row of the index of dates says.
    async fn work_off(&self, row: Vec<u8>, now: i64) -> Result<usize, KmsError> {
        let (when, name) = rows::read_due(&row).ok_or_else(|| malformed(&row))?;
        let mut done = 0;
        for _ in 0..ATTEMPTS {
            let Some(record) = self.inner.keys.get(&rows::key(&name)).await? else { return Ok(done) };
            if !is_overdue(&record.value.record, now) {
                self.drop_stale(&record, &row, when).await?;
                return Ok(done);
            }
            done += self.catch_up(record, now).await?;
        }
        Ok(done)
    }

    /// Does what is due for a key, in order, each in a commit of its own, and answers how many.
    /// Whoever comes second finds the record changed and does nothing.
    pub(super) async fn catch_up(&self, record: Arc<Record<KeyView>>, now: i64) -> Result<usize, KmsError> {
        let mut done = 0;
        let mut record = record;
        while is_overdue(&record.value.record, now) {
            let name = record.value.name.clone();
            let expiry = record.value.record.first_expiry().filter(|date| *date <= now);
            let change = match record.value.record.state {
                State::PendingDeletion { date, .. } if expiry.is_none_or(|expiry| date < expiry) => {
                    match self.delete_grants(&record).await {
                        Ok(()) => self.deletion(&record, date).await,
                        Err(error) => Err(error),
                    }
                }
                _ => match expiry {
                    Some(date) => self.expiry(&record, date).await,
                    None => self.scheduled_rotation(&record).await,
                },
            };
            let change = match change {
                Ok(change) => change,
                // The key changed, or one of its other Regions' went, while the change was made.
                Err(error) if error.is_conflict() => return Ok(done),
                Err(error) => return Err(error),
            };
            match self.commit(change).await {
                Ok(()) => {
                    if let Some(date) = expiry {
                        self.forget_expired(&record.value, date);
                    }
                    done += 1;
                }
                Err(CommitError::Conflict) => return Ok(done),
                Err(error) => return Err(error.into()),
            }
            match self.inner.keys.get(&rows::key(&name)).await? {
                Some(next) => record = next,
                None => return Ok(done),
            }
        }
        Ok(done)
    }

    /// One rotation, dated its due date; the next one is a period later.
    async fn scheduled_rotation(&self, key: &Record<KeyView>) -> Result<Change, KmsError> {
        let view = &key.value;
        let mut change = Change::of(key);
        let mut record = view.record.clone();
        if let Some(schedule) = view.record.schedule {
            self.rotate(view, &mut record, schedule.next, RotationType::Automatic, &mut change).await?;
            let next = Schedule::starting(schedule.next, schedule.period_days);
            record.schedule = Some(next);
            Self::move_date(view, Some(next.next), &mut change)?;
        }
        change.put_key(view, &record)?;
        Ok(change)
    }

    /// The grants of a key that is to go, in commits of bounded size: one of all could be too large.
    async fn delete_grants(&self, key: &Record<KeyView>) -> Result<(), KmsError> {
        let name = &key.value.name;
        if !key.value.record.granted {
            return Ok(());
        }
        loop {
            let prefix = rows::grants(name);
            let page = self.store().snapshot().await?.range(rows::under(&prefix), PAGE).await?;
            if page.is_empty() {
                break;
            }
            let mut change = Change::of(key);
            for (row, value) in page {
                let id = String::from_utf8_lossy(&row[prefix.len()..]);
                remove_grant(name, &id, &decode(&value.value).map_err(KmsError::internal)?, &mut change)?;
            }
            self.commit(change).await?;
        }
        for prefix in rows::grant_indexes(name) {
            let mut range = rows::under(&prefix);
            loop {
                let page = self.store().snapshot().await?.range(range.clone(), ROWS).await?;
                let Some((last, _)) = page.last() else { break };
                range.start.clone_from(last);
                let mut change = Change::of(key);
                for (row, _) in page {
                    change.delete(row);
                }
                range.start.push(0);
                self.commit(change).await?;
            }
        }
        Ok(())
    }

    /// Everything of a key goes, its wrapped material with it.
    async fn deletion(&self, key: &Record<KeyView>, date: i64) -> Result<Change, KmsError> {
        let view = &key.value;
        let name = &view.name;
        let mut change = Change::of(key);
        let snapshot = self.store().snapshot().await?;
        self.leave_regions(view, date, &mut change).await?;
        // A replica's material is its primary's too, unless it was imported here alone.
        if view.primary_of_replica().is_none() {
            for prefix in [rows::materials(name), rows::rotations(name)] {
                delete_under(&*snapshot, &prefix, &mut change).await?;
            }
        } else {
            for import in view.record.imports.iter().filter(|import| import.is_there) {
                self.leave_material(view, &import.material, &mut change).await?;
            }
        }
        if let PolicyRef::Text { sha256, .. } = &view.record.policy {
            change.delete(rows::policy(name, sha256));
        }
        for alias in &view.record.aliases {
            change.delete(rows::alias(&AliasName {
                account: name.account,
                region: name.region.clone(),
                name: alias.clone(),
            }));
        }
        let shard = rows::count(name);
        if let Some(found) = snapshot.get(&shard).await? {
            let count: CountRecord = decode(&found.value).map_err(KmsError::internal)?;
            change = change.unchanged(shard.clone(), found.mod_rev);
            change.put(shard, &CountRecord { keys: count.keys.saturating_sub(1) })?;
        }
        change.delete(rows::due(date, Due::Deletion, name));
        change.delete(rows::last_use(name));
        if let Some(expiry) = view.record.first_expiry() {
            change.delete(rows::due(expiry, Due::Expiry, name));
        }
        if let Some(place) = &view.record.custom_key_store {
            let store = CustomKeyStoreName::read(&place.store, name.account, &name.region)?;
            change.delete(rows::external_key(&store, &place.xks_key));
        }
        change.delete(rows::key(name));
        Self::add_event(view, "DeleteKey", date, json!({"keyId": name.id.to_string()}), &mut change)?;
        Ok(change)
    }

    /// A row whose date is not the record's any more says nothing: it goes, if the record holds.
    async fn drop_stale(&self, record: &Record<KeyView>, row: &[u8], when: i64) -> Result<(), KmsError> {
        let present = &record.value.record;
        if [date_of_state(present), present.first_expiry()].contains(&Some(when)) {
            return Ok(());
        }
        let mut change = Change::of(record);
        change.delete(row.to_vec());
        match self.commit(change).await {
            Ok(()) | Err(CommitError::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

async fn delete_under(snapshot: &dyn Snapshot, prefix: &[u8], change: &mut Change) -> Result<(), KmsError> {
    let mut range = rows::under(prefix);
    loop {
        let page = snapshot.range(range.clone(), ROWS).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        range.start.clone_from(last);
        range.start.push(0);
        for (row, _) in page {
            change.delete(row);
        }
    }
}

type Outcome = Result<Result<usize, KmsError>, tokio::task::JoinError>;

fn tally(outcome: Option<Outcome>, done: &mut usize, failure: &mut Option<KmsError>) {
    let error = match outcome {
        None => return,
        Some(Ok(Ok(count))) => {
            *done += count;
            return;
        }
        Some(Ok(Err(error))) => error,
        Some(Err(error)) => KmsError::internal(error.to_string()),
    };
    failure.get_or_insert(error);
}

fn malformed(row: &[u8]) -> KmsError {
    KmsError::internal(format!("a malformed row in the index of dates: {}", row.escape_ascii()))
}
