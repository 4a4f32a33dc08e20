use serde_json::{Value, json};

use super::change::Change;
use super::page::{LONG, Window};
use super::policies::NewPolicy;
use super::{ATTEMPTS, Kms, answer, changed, changed_to, seconds, tags};
use crate::authz::{Permit, PrincipalDirectory};
use crate::kms::Answer;
use crate::kms::api::{Kind, camel};
use crate::kms::error::{KmsError, texts};
use crate::kms::key_id::KeyId;
use crate::kms::name::KeyName;
use crate::kms::operation::{CreateKey, Page};
use crate::kms::records::{CountRecord, KeyRecord, KeyView, MultiRegion, PolicyRef, State, decode, encode};
use crate::kms::resolve::{Key, Resolved, Scene};
use crate::kms::rows::{self, Due};
use crate::kms::spec::{KeySpec, Origin};
use crate::kms::wire::ObjectText;
use crate::store::CommitError;

/// The deletion window where none is given (KMS API Reference, "`ScheduleKeyDeletion`").
const DEFAULT_WINDOW_DAYS: i64 = 30;

impl Kms {
    pub(super) async fn create_key(
        &self,
        permit: &Permit<Resolved>,
        name: &KeyName,
        create: &CreateKey,
        directory: &dyn PrincipalDirectory,
        now: i64,
    ) -> Result<Answer, KmsError> {
        let key_tags = tags::merged(&[], &create.tags)?;
        let mut record = KeyRecord {
            created: now,
            description: create.description.clone().unwrap_or_default(),
            state: State::Enabled,
            policy: PolicyRef::Default,
            tags: key_tags,
            aliases: Vec::new(),
            schedule: None,
            material: "0".repeat(64),
            first_material: String::new(),
            rotations: 0,
            on_demand: 0,
            granted: false,
            multi_region: create
                .multi_region
                .then(|| MultiRegion { primary: name.region.clone(), replicas: Vec::new() }),
            spec: create.spec,
            usage: create.usage,
            origin: create.origin,
            imports: Vec::new(),
            custom_key_store: create.custom_key_store.clone(),
        };
        record.state = record.state_with_material(State::Enabled);
        let policy = match &create.policy {
            None => None,
            Some(text) => {
                let policy = self.new_policy(text, directory)?;
                if !create.bypass.unwrap_or(false) {
                    let view = view_of(name, &record)?;
                    self.hold_open(permit, &view, &policy)?;
                }
                record.policy = policy.reference();
                Some(policy)
            }
        };
        let store = match &create.custom_key_store {
            Some(place) => Some((place, self.external_key(permit.operation(), place).await?)),
            None => None,
        };
        let secret = match create.origin {
            Origin::External => None,
            _ => Some(self.new_secret(create.spec).await?),
        };
        for _ in 0..4 * ATTEMPTS {
            let mut change = self.count_one_more(name).await?.absent(rows::key(name));
            if let Some((place, store)) = &store {
                self.place_outside(name, place, store, &mut change).await?;
            }
            if let Some(secret) = &secret {
                record.material = self.put_material(name, secret, now, &mut change)?;
                record.first_material.clone_from(&record.material);
            }
            if let Some(NewPolicy { text, hash, .. }) = &policy {
                change.put(rows::policy(name, hash), text)?;
            }
            change.put(rows::key(name), &record)?;
            match self.commit(change).await {
                Ok(()) => {
                    let view = view_of(name, &record)?;
                    let body = json!({"KeyMetadata": metadata(&view)});
                    return Ok(Answer {
                        resources: vec![view.arn.clone()],
                        response_elements: camel_case(&body),
                        key: jiff::Timestamp::from_millisecond(now).ok().map(|created| (name.id, created)),
                        body: Some((&body).into()),
                        used: [None, None],
                    });
                }
                // Another key was counted in the same shard: count again.
                Err(CommitError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(KmsError::conflicting())
    }

    /// A change that counts one key more in its account and region.
    pub(super) async fn count_one_more(&self, name: &KeyName) -> Result<Change, KmsError> {
        let prefix = rows::counts(name.account, &name.region);
        let shard = rows::count(name);
        let snapshot = self.store().snapshot().await?;
        let counts = snapshot.range(rows::under(&prefix), usize::from(rows::COUNT_SHARDS)).await?;
        let (mut total, mut own) = (0u64, None);
        for (row, found) in &counts {
            let count: CountRecord = decode(&found.value).map_err(KmsError::internal)?;
            total = total.saturating_add(count.keys);
            if *row == shard {
                own = Some((count.keys, found.mod_rev));
            }
        }
        let most = self.enforced().quotas.keys;
        if total >= most {
            return Err(texts::limit(format!("The account has reached its limit of {most} keys in this Region.")));
        }
        let mut change = match own {
            Some((_, mod_rev)) => Change::default().unchanged(shard.clone(), mod_rev),
            None => Change::default().absent(shard.clone()),
        };
        change.put(shard, &CountRecord { keys: own.map_or(0, |(keys, _)| keys) + 1 })?;
        Ok(change)
    }

    pub(super) fn describe_key(key: &Key) -> Answer {
        answer(key, Some(ObjectText::new().value("KeyMetadata", &metadata_now(key)).finish()))
    }

    pub(super) async fn list_keys(&self, scene: &Scene, page: &Page) -> Result<Answer, KmsError> {
        let window = Window::read(Kind::ListKeys, page, &LONG)?;
        let prefix = rows::keys(scene.account, &scene.region);
        let range = match window.after_text()? {
            Some(last) => {
                rows::under_after(&prefix, KeyId::read(&last).ok_or_else(texts::invalid_marker)?.to_string().as_bytes())
            }
            None => rows::under(&prefix),
        };
        let snapshot = self.store().snapshot().await?;
        let found = snapshot.range(range, window.limit + 1).await?;
        let mut names = Vec::with_capacity(found.len());
        for (row, _) in &found {
            let id = std::str::from_utf8(&row[prefix.len()..]).ok().and_then(KeyId::read);
            let id = id.ok_or_else(|| KmsError::internal("a malformed row of a key"))?;
            names.push(KeyName { account: scene.account, region: scene.region.clone(), id });
        }
        let arn = |name: &KeyName| name.arn().map_or(Value::Null, |arn| json!(arn.as_str()));
        Ok(Answer::of(window.answer(
            "Keys",
            names,
            |name| name.id.to_string().into_bytes(),
            |name| json!({"KeyId": name.id.to_string(), "KeyArn": arn(name)}),
        )))
    }

    /// A key that missed dates while it was disabled rotates at once.
    pub(super) async fn enable_key(&self, key: &Key, now: i64) -> Result<Answer, KmsError> {
        let view = key.view();
        if view.record.state == State::Enabled {
            return Ok(changed(key));
        }
        let mut change = Change::of(&key.record);
        let mut record = KeyRecord { state: State::Enabled, ..view.record.clone() };
        self.make_up(view, &mut record, now, &mut change).await?;
        if let Some(schedule) = record.schedule {
            change.put(rows::due(schedule.next, Due::Rotation, &view.name), &())?;
        }
        change.put_key(view, &record)?;
        self.commit(change).await?;
        Ok(changed(key))
    }

    /// The schedule stays with the record and leaves the index of dates.
    pub(super) async fn disable_key(&self, key: &Key) -> Result<Answer, KmsError> {
        let view = key.view();
        if view.record.state == State::Disabled {
            return Ok(changed(key));
        }
        let mut change = Change::of(&key.record);
        Self::move_date(view, None, &mut change)?;
        change.put_key(view, &KeyRecord { state: State::Disabled, ..view.record.clone() })?;
        self.commit(change).await?;
        Ok(changed(key))
    }

    pub(super) async fn update_key_description(&self, key: &Key, description: &str) -> Result<Answer, KmsError> {
        let mut change = Change::of(&key.record);
        change.put_key(key.view(), &KeyRecord { description: description.to_owned(), ..key.view().record.clone() })?;
        self.commit(change).await?;
        Ok(changed(key))
    }

    pub(super) async fn schedule_key_deletion(
        &self,
        key: &Key,
        window: Option<i64>,
        now: i64,
    ) -> Result<Answer, KmsError> {
        let view = key.view();
        let window_days = window.unwrap_or(DEFAULT_WINDOW_DAYS);
        let date = State::deletion_date(now, window_days);
        let mut change = Change::of(&key.record);
        Self::move_date(view, None, &mut change)?;
        let state = if view.has_replicas() {
            State::PendingReplicaDeletion { window_days }
        } else {
            change.put(rows::due(date, Due::Deletion, &view.name), &())?;
            State::PendingDeletion { date, window_days }
        };
        change.put_key(view, &KeyRecord { state, ..view.record.clone() })?;
        self.commit(change).await?;
        let mut body = json!({
            "KeyId": view.arn.as_str(),
            "KeyState": state.name(),
            "PendingWindowInDays": window_days,
        });
        if let State::PendingDeletion { .. } = state {
            body["DeletionDate"] = seconds(date);
        }
        let elements = camel_case(&body);
        let mut answer = answer(key, Some((&body).into()));
        answer.response_elements = elements;
        Ok(answer)
    }

    /// The key is disabled afterwards, or waits for imported material that is missing. Its schedule is
    /// restored; a date that passed meanwhile is made up for at once (KMS Developer Guide, "Rotate AWS
    /// KMS keys", "KMS keys pending deletion").
    pub(super) async fn cancel_key_deletion(&self, key: &Key, now: i64) -> Result<Answer, KmsError> {
        let view = key.view();
        let mut change = Change::of(&key.record);
        if let State::PendingDeletion { date, .. } = view.record.state {
            change.delete(rows::due(date, Due::Deletion, &view.name));
        }
        let state = view.record.state_with_material(State::Disabled);
        let mut record = KeyRecord { state, ..view.record.clone() };
        self.make_up(view, &mut record, now, &mut change).await?;
        change.put_key(view, &record)?;
        self.commit(change).await?;
        Ok(changed_to(key, Some(ObjectText::new().text("KeyId", view.arn.as_str()).finish())))
    }
}

/// What a record will look like once it is stored.
pub(super) fn view_of(name: &KeyName, record: &KeyRecord) -> Result<KeyView, KmsError> {
    KeyView::decode(&rows::key(name), &encode(record)?).map_err(KmsError::internal)
}

/// What DescribeKey shows of a key: also whether it can be reached.
fn metadata_now(key: &Key) -> Value {
    let mut metadata = metadata(key.view());
    if key.is_unavailable() {
        metadata["KeyState"] = json!("Unavailable");
        metadata["Enabled"] = json!(false);
    }
    metadata
}

pub(super) fn metadata(view: &KeyView) -> Value {
    let record = &view.record;
    let mut metadata = json!({
        "AWSAccountId": view.name.account.as_str(),
        "KeyId": view.name.id.to_string(),
        "Arn": view.arn.as_str(),
        "CreationDate": seconds(record.created),
        "Enabled": record.state == State::Enabled,
        "Description": record.description,
        "KeyUsage": record.usage.name(),
        "KeyState": record.state.name(),
        "Origin": record.origin.name(),
        "KeyManager": record.manager(),
        "CustomerMasterKeySpec": record.spec.name(),
        "KeySpec": record.spec.name(),
        "MultiRegion": record.multi_region.is_some(),
    });
    let (member, algorithms) = record.spec.algorithms(record.usage);
    metadata[member] = json!(algorithms);
    if let Some((model, date)) = record.expiration() {
        metadata["ExpirationModel"] = json!(model.name());
        if let Some(date) = date {
            metadata["ValidTo"] = seconds(date);
        }
    }
    if let Some(place) = &record.custom_key_store {
        metadata["CustomKeyStoreId"] = json!(place.store);
        metadata["XksKeyConfiguration"] = json!({"Id": place.xks_key});
    }
    // Of the origins AWS_KMS and EXTERNAL alone, whose keys rotate (KMS API Reference, "KeyMetadata").
    let rotates = record.spec == KeySpec::SymmetricDefault && record.custom_key_store.is_none();
    if rotates && !record.first_material.is_empty() {
        metadata["CurrentKeyMaterialId"] = json!(record.material);
    }
    if let State::PendingDeletion { date, .. } = record.state {
        metadata["DeletionDate"] = seconds(date);
    }
    if let State::PendingReplicaDeletion { window_days } = record.state {
        metadata["PendingDeletionWindowInDays"] = json!(window_days);
    }
    if let Some(regions) = &record.multi_region {
        metadata["MultiRegionConfiguration"] = regions.shown(view);
    }
    metadata
}

/// Members as CloudTrail spells them.
pub(super) fn camel_case(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (camel(name), camel_case(value))).collect())
        }
        other => other.clone(),
    }
}
