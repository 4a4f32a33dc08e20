use serde_json::{Value, json};
use uuid::Uuid;

use super::change::Change;
use super::external_keys::refuse_custom_key_store;
use super::imports::{refuse_imported, show_import};
use super::page::{LONG, Window};
use super::regional_imports::is_ready;
use super::regions::refuse_replica;
use super::{DEFAULT_PERIOD_DAYS, Kms, changed, seconds};
use crate::kms::Answer;
use crate::kms::api::Kind;
use crate::kms::error::{KmsError, texts};
use crate::kms::operation::Page;
use crate::kms::records::{EventRecord, KeyRecord, KeyView, RotationRecord, RotationType, Schedule, State, decode};
use crate::kms::resolve::Key;
use crate::kms::rows::{self, Due};
use crate::kms::spec::{KeySpec, Origin};
use crate::kms::wire::ObjectText;

/// The place of material that waits for its rotation in a list of rotations.
const PENDING: u32 = u32::MAX;

/// On-demand rotations of a key, all its life (KMS Developer Guide, "Resource quotas").
const MOST_ON_DEMAND: u32 = 25;

impl Kms {
    pub(super) async fn enable_key_rotation(
        &self,
        key: &Key,
        period_days: Option<i64>,
        now: i64,
    ) -> Result<Answer, KmsError> {
        refuse_custom_key_store(key)?;
        rotates(key, "EnableKeyRotation")?;
        refuse_imported(key)?;
        let view = key.view();
        let present = view.record.schedule;
        // An omitted or equal period changes nothing, the next date included.
        if present.is_some_and(|schedule| period_days.is_none_or(|days| days == schedule.period_days)) {
            return Ok(changed(key));
        }
        let schedule = Schedule::starting(now, period_days.unwrap_or(DEFAULT_PERIOD_DAYS));
        let mut change = Change::of(&key.record);
        Self::move_date(view, Some(schedule.next), &mut change)?;
        change.put_key(view, &KeyRecord { schedule: Some(schedule), ..view.record.clone() })?;
        self.commit(change).await?;
        Ok(changed(key))
    }

    pub(super) async fn disable_key_rotation(&self, key: &Key) -> Result<Answer, KmsError> {
        refuse_custom_key_store(key)?;
        refuse_replica(key, "DisableKeyRotation")?;
        refuse_imported(key)?;
        let view = key.view();
        if view.record.schedule.is_none() {
            return Ok(changed(key));
        }
        let mut change = Change::of(&key.record);
        Self::move_date(view, None, &mut change)?;
        change.put_key(view, &KeyRecord { schedule: None, ..view.record.clone() })?;
        self.commit(change).await?;
        Ok(changed(key))
    }

    /// A replica answers its primary's.
    pub(super) async fn key_rotation_status(&self, key: &Key) -> Result<Answer, KmsError> {
        refuse_custom_key_store(key)?;
        let view = key.view();
        let primary = match view.primary_of_replica() {
            Some(name) => self.inner.keys.get(&rows::key(&name)).await?,
            None => None,
        };
        let record = primary.as_ref().map_or(&view.record, |primary| &primary.value.record);
        let pending = matches!(record.state, State::PendingDeletion { .. });
        let schedule = record.schedule.filter(|_| !pending);
        let body = ObjectText::new()
            .text("KeyId", view.arn.as_str())
            .value("KeyRotationEnabled", &schedule.is_some())
            .optional("NextRotationDate", schedule.map(|schedule| seconds(schedule.next)))
            .optional("RotationPeriodInDays", schedule.map(|schedule| schedule.period_days));
        Ok(super::answer(key, Some(body.finish())))
    }

    pub(super) async fn rotate_key_on_demand(&self, key: &Key, now: i64) -> Result<Answer, KmsError> {
        refuse_custom_key_store(key)?;
        rotates(key, "RotateKeyOnDemand")?;
        let view = key.view();
        if view.record.on_demand >= MOST_ON_DEMAND {
            return Err(texts::limit(format!(
                "The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed for this key: {}",
                view.arn
            )));
        }
        let mut change = Change::of(&key.record);
        let mut record = view.record.clone();
        self.rotate(view, &mut record, now, RotationType::OnDemand, &mut change).await?;
        change.put_key(view, &record)?;
        self.commit(change).await?;
        Ok(super::changed_to(key, Some(ObjectText::new().text("KeyId", view.arn.as_str()).finish())))
    }

    /// One rotation in a change: new material, the rotation's row, its event, and the record as it
    /// will be. The caller moves the schedule and writes the record.
    pub(super) async fn rotate(
        &self,
        view: &KeyView,
        record: &mut KeyRecord,
        date: i64,
        rotation_type: RotationType,
        change: &mut Change,
    ) -> Result<(), KmsError> {
        let material = match record.origin {
            Origin::External => self.take_pending(view, record, change).await?,
            _ => self.add_material(&view.name, date, change)?,
        };
        // Pending material may have expired meanwhile: the key needs it from now on.
        record.state = record.state_with_material(record.state);
        let previous = std::mem::replace(&mut record.material, material.clone());
        let row = rows::rotation(&view.name, record.rotations);
        change.put(row, &RotationRecord { date, rotation_type, material: material.clone() })?;
        record.rotations += 1;
        if rotation_type == RotationType::OnDemand {
            record.on_demand += 1;
        }
        let details = json!({
            "keyId": view.name.id.to_string(),
            "keyOrigin": record.origin.name(),
            "rotationType": rotation_type.name(),
            "previousKeyMaterialId": previous,
            "currentKeyMaterialId": material,
        });
        self.share_material(view, record, change).await?;
        Self::add_event(view, "RotateKey", date, details, change)
    }

    pub(super) fn add_event(
        view: &KeyView,
        name: &str,
        time: i64,
        details: Value,
        change: &mut Change,
    ) -> Result<(), KmsError> {
        let event = EventRecord {
            name: name.to_owned(),
            time,
            account: Some(view.name.account),
            region: Some(view.name.region.clone()),
            key: Some(view.arn.clone()),
            details,
            claim: None,
        };
        change.put(rows::event(time, Uuid::new_v4()), &event)
    }

    /// Takes a key's date of rotation out of the index of dates, and puts a new one there.
    pub(super) fn move_date(view: &KeyView, next: Option<i64>, change: &mut Change) -> Result<(), KmsError> {
        if let Some(schedule) = view.record.schedule {
            change.delete(rows::due(schedule.next, Due::Rotation, &view.name));
        }
        match next {
            Some(date) => change.put(rows::due(date, Due::Rotation, &view.name), &()),
            None => Ok(()),
        }
    }

    /// Rotates now what fell due while the key could not rotate, and starts the schedule anew from
    /// now, in the change that makes the key able again.
    pub(super) async fn make_up(
        &self,
        view: &KeyView,
        record: &mut KeyRecord,
        now: i64,
        change: &mut Change,
    ) -> Result<(), KmsError> {
        if let Some(schedule) = record.schedule.filter(|schedule| schedule.next <= now) {
            self.rotate(view, record, now, RotationType::Automatic, change).await?;
            record.schedule = Some(Schedule::starting(now, schedule.period_days));
        }
        Ok(())
    }

    pub(super) async fn list_key_rotations(
        &self,
        key: &Key,
        page: &Page,
        all_material: bool,
    ) -> Result<Answer, KmsError> {
        refuse_custom_key_store(key)?;
        let view = key.view();
        if all_material && view.record.spec != KeySpec::SymmetricDefault {
            return Err(texts::only_symmetric("includeKeyMaterial"));
        }
        let window = Window::read(Kind::ListKeyRotations, page, &LONG)?;
        // Place 0 is the first material; rotation n has place n + 1.
        let next = match &window.after {
            None => u32::from(!all_material),
            Some(bytes) => {
                let place: [u8; 4] = bytes.as_slice().try_into().map_err(|_| texts::invalid_marker())?;
                u32::from_be_bytes(place).checked_add(1).ok_or_else(texts::invalid_marker)?
            }
        };
        let snapshot = self.store().snapshot().await?;
        let mut entries: Vec<(u32, String, Option<RotationRecord>)> = Vec::new();
        if next == 0 && !view.record.first_material.is_empty() {
            entries.push((0, view.record.first_material.clone(), None));
        }
        let prefix = rows::rotations(&view.name);
        let range = rows::rotation(&view.name, next.saturating_sub(1))..rows::under(&prefix).end;
        for (row, found) in snapshot.range(range, window.limit + 1).await? {
            let number = row.get(prefix.len()..).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
            let record: RotationRecord = decode(&found.value).map_err(KmsError::internal)?;
            let number = number.ok_or_else(|| KmsError::internal("a malformed row of a rotation"))?;
            entries.push((number + 1, record.material.clone(), Some(record)));
        }
        // Material that waits for its rotation comes last, in a place that no rotation has.
        let mut pending_state = "PENDING_ROTATION";
        if let Some(pending) = view.record.pending_import().filter(|_| all_material) {
            if !is_ready(pending, &self.siblings(view).await?) {
                pending_state = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION";
            }
            entries.push((PENDING, pending.material.clone(), None));
        }
        let show = |(place, material, rotation): &(u32, String, Option<RotationRecord>)| {
            let state = match *place {
                PENDING => pending_state,
                _ if *material == view.record.material => "CURRENT",
                _ => "NON_CURRENT",
            };
            let mut entry = json!({"KeyId": view.arn.as_str(), "KeyMaterialId": material, "KeyMaterialState": state});
            if let Some(import) = view.record.import(material) {
                show_import(import, &mut entry);
            }
            if let Some(rotation) = rotation {
                entry["RotationDate"] = seconds(rotation.date);
                entry["RotationType"] = json!(rotation.rotation_type.name());
            }
            entry
        };
        let body = window.answer("Rotations", entries, |(place, ..)| place.to_be_bytes().to_vec(), show);
        Ok(super::answer(key, Some(body)))
    }
}

/// Whether a key is of a kind that rotates: symmetric keys alone do.
fn rotates(key: &Key, operation: &str) -> Result<(), KmsError> {
    match key.view().record.spec {
        KeySpec::SymmetricDefault => refuse_replica(key, operation),
        _ => Err(KmsError::silent("UnsupportedOperationException")),
    }
}
