//! Multi-Region keys (KMS Developer Guide, "Multi-Region keys in AWS KMS"): a primary and its
//! replicas have id and material in common; policy, aliases, tags, grants and state are each one's
//! own. All Regions are served from one store, so that a change of what they share is one commit.

use std::sync::Arc;

use serde_json::{Value, json};

use super::change::Change;
use super::imports::move_expiry;
use super::keys::{camel_case, metadata, view_of};
use super::policies::NewPolicy;
use super::{ATTEMPTS, Kms, answer, changed, tags};
use crate::authz::{Permit, PrincipalDirectory};
use crate::aws::Region;
use crate::kms::Answer;
use crate::kms::error::{KmsError, texts};
use crate::kms::name::KeyName;
use crate::kms::operation::ReplicateKey;
use crate::kms::records::{KeyRecord, KeyView, MultiRegion, PolicyRef, Schedule, State};
use crate::kms::resolve::{Found, Key, Resolved};
use crate::kms::rows::{self, Due};
use crate::store::{CommitError, Record};

impl KeyView {
    /// The name of the same key in another Region.
    fn in_region(&self, region: &Region) -> KeyName {
        KeyName { region: region.clone(), ..self.name.clone() }
    }

    /// The Regions of a multi-Region key; none for any other.
    fn regions(&self) -> Option<&MultiRegion> {
        self.record.multi_region.as_ref()
    }

    /// The primary's name, for a replica.
    pub(super) fn primary_of_replica(&self) -> Option<KeyName> {
        let regions = self.regions().filter(|regions| regions.primary != self.name.region)?;
        Some(self.in_region(&regions.primary))
    }

    /// Whether it has replicas, which must go before it does.
    pub(super) fn has_replicas(&self) -> bool {
        self.primary_of_replica().is_none() && self.regions().is_some_and(|regions| !regions.replicas.is_empty())
    }
}

impl MultiRegion {
    /// `MultiRegionConfiguration` as DescribeKey shows it.
    pub(super) fn shown(&self, view: &KeyView) -> Value {
        let key = |region: &Region| {
            let arn = view.in_region(region).arn().map_or(Value::Null, |arn| json!(arn.as_str()));
            json!({"Arn": arn, "Region": region.as_str()})
        };
        let replicas: Vec<Value> = self.replicas.iter().map(key).collect();
        json!({
            "MultiRegionKeyType": self.key_type(&view.name.region),
            "PrimaryKey": key(&self.primary),
            "ReplicaKeys": replicas,
        })
    }
}

/// What operations on the primary alone answer for a replica.
pub(super) fn refuse_replica(key: &Key, operation: &str) -> Result<(), KmsError> {
    match key.view().primary_of_replica() {
        None => Ok(()),
        Some(_) => Err(texts::unsupported(format!(
            "{} is a multi-region replica key which is not valid for {operation}.",
            key.arn()
        ))),
    }
}

fn multi_region<'a>(key: &'a Key, operation: &str) -> Result<&'a MultiRegion, KmsError> {
    key.view()
        .regions()
        .ok_or_else(|| texts::unsupported(format!("{} is not a multi-region key, which {operation} needs.", key.arn())))
}

impl Kms {
    /// The records of the key's other Regions.
    pub(super) async fn siblings(&self, view: &KeyView) -> Result<Vec<Arc<Record<KeyView>>>, KmsError> {
        let mut siblings = Vec::new();
        if let Some(regions) = view.regions() {
            let all = std::iter::once(&regions.primary).chain(&regions.replicas);
            for region in all.filter(|region| **region != view.name.region) {
                let row = rows::key(&view.in_region(region));
                // None where it went meanwhile: the record that names it has changed too, then.
                let found = self.inner.keys.get(&row).await?.ok_or_else(KmsError::conflicting)?;
                siblings.push(found);
            }
        }
        Ok(siblings)
    }

    /// Puts a change of what all Regions have in common into a change of one Region's key.
    pub(super) async fn change_siblings(
        &self,
        view: &KeyView,
        change: &mut Change,
        apply: impl Fn(&KeyView, &mut KeyRecord),
    ) -> Result<(), KmsError> {
        for sibling in self.siblings(view).await? {
            let mut record = sibling.value.record.clone();
            apply(&sibling.value, &mut record);
            move_expiry(&sibling.value, &record, change)?;
            change.hold(rows::key(&sibling.value.name), sibling.mod_rev);
            change.put_key(&sibling.value, &record)?;
        }
        Ok(())
    }

    /// Gives the replicas what a rotation of the primary made current, and what was imported into it
    /// for the first time.
    pub(super) async fn share_material(
        &self,
        view: &KeyView,
        changed: &KeyRecord,
        change: &mut Change,
    ) -> Result<(), KmsError> {
        self.change_siblings(view, change, |_, record| {
            record.material.clone_from(&changed.material);
            record.first_material.clone_from(&changed.first_material);
            record.rotations = changed.rotations;
            record.on_demand = changed.on_demand;
            record.know(&changed.imports);
        })
        .await
    }

    /// Takes a Region whose key is to be deleted out of the others' lists. The last replica's end
    /// begins the waiting period of a primary that waits for it.
    pub(super) async fn leave_regions(&self, view: &KeyView, now: i64, change: &mut Change) -> Result<(), KmsError> {
        let is_left_alone = view.regions().is_some_and(|regions| regions.replicas.len() == 1);
        for sibling in self.siblings(view).await? {
            let mut record = sibling.value.record.clone();
            if let Some(regions) = &mut record.multi_region {
                regions.replicas.retain(|region| *region != view.name.region);
            }
            if let (State::PendingReplicaDeletion { window_days }, true) = (record.state, is_left_alone) {
                let date = State::deletion_date(now, window_days);
                record.state = State::PendingDeletion { date, window_days };
                change.put(rows::due(date, Due::Deletion, &sibling.value.name), &())?;
            }
            change.hold(rows::key(&sibling.value.name), sibling.mod_rev);
            change.put_key(&sibling.value, &record)?;
        }
        Ok(())
    }

    /// A replica has its primary's id and material, a policy of its own, and neither its tags nor its
    /// description. Imported material it knows and has not: it waits for it.
    pub(super) async fn replicate_key(
        &self,
        permit: &Permit<Resolved>,
        primary: &Key,
        name: &KeyName,
        request: &ReplicateKey,
        directory: &dyn PrincipalDirectory,
        now: i64,
    ) -> Result<Answer, KmsError> {
        let regions = multi_region(primary, "ReplicateKey")?;
        refuse_replica(primary, "ReplicateKey")?;
        if name.region == regions.primary || regions.replicas.contains(&name.region) {
            return Err(KmsError::new(
                "AlreadyExistsException",
                format!("The key {} already exists in the Region {}.", name.id, name.region),
            ));
        }
        let view = primary.view();
        let mut regions = regions.clone();
        regions.replicas.push(name.region.clone());
        regions.replicas.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        let mut record = KeyRecord {
            created: now,
            description: request.description.clone().unwrap_or_default(),
            state: State::Enabled,
            policy: PolicyRef::Default,
            tags: tags::merged(&[], &request.tags)?,
            aliases: Vec::new(),
            schedule: None,
            granted: false,
            multi_region: Some(regions.clone()),
            imports: Vec::new(),
            ..view.record.clone()
        };
        record.know(&view.record.imports);
        let policy = match &request.policy {
            None => None,
            Some(text) => {
                let policy = self.new_policy(text, directory)?;
                if !request.bypass.unwrap_or(false) {
                    self.hold_open(permit, &view_of(name, &record)?, &policy)?;
                }
                record.policy = policy.reference();
                Some(policy)
            }
        };
        for _ in 0..ATTEMPTS {
            let mut change = self.count_one_more(name).await?.absent(rows::key(name));
            if let Some(NewPolicy { text, hash, .. }) = &policy {
                change.put(rows::policy(name, hash), text)?;
            }
            change.put(rows::key(name), &record)?;
            change.hold(rows::key(&view.name), primary.record.mod_rev);
            change.put_key(view, &KeyRecord { multi_region: Some(regions.clone()), ..view.record.clone() })?;
            self.change_siblings(view, &mut change, |_, sibling| sibling.multi_region = Some(regions.clone())).await?;
            match self.commit(change).await {
                Ok(()) => return self.replicated(primary, name, &record).await,
                Err(CommitError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(KmsError::conflicting())
    }

    async fn replicated(&self, primary: &Key, name: &KeyName, record: &KeyRecord) -> Result<Answer, KmsError> {
        let replica = view_of(name, record)?;
        let policy = self.policy_of(&replica).await?;
        let shown: Vec<Value> =
            record.tags.iter().map(|(key, value)| json!({"TagKey": key, "TagValue": value})).collect();
        let body = json!({
            "ReplicaKeyMetadata": metadata(&replica),
            "ReplicaPolicy": policy.as_ref().map_or("", |policy| policy.text()),
            "ReplicaTags": shown,
        });
        let mut answer = answer(primary, Some((&body).into()));
        answer.resources.push(replica.arn.clone());
        answer.response_elements = camel_case(&body);
        Ok(answer)
    }

    /// The schedule of rotation goes with the primary.
    pub(super) async fn update_primary_region(
        &self,
        primary: &Key,
        region: &Region,
        new: &Found,
    ) -> Result<Answer, KmsError> {
        let regions = multi_region(primary, "UpdatePrimaryRegion")?;
        let view = primary.view();
        if regions.primary != view.name.region {
            return Err(KmsError::new(
                "KMSInvalidStateException",
                format!("{} is a multi-region replica key which is not valid for UpdatePrimaryRegion.", view.arn),
            ));
        }
        if *region == regions.primary {
            return Ok(changed(primary));
        }
        let new = new.key()?;
        super::in_state(crate::kms::api::States::Enabled, new)?;
        let mut regions = regions.clone();
        regions.replicas.retain(|other| other != region);
        regions.replicas.push(std::mem::replace(&mut regions.primary, region.clone()));
        regions.replicas.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        let schedule = view.record.schedule;
        let mut change = Change::of(&primary.record);
        Self::move_date(view, None, &mut change)?;
        if let Some(Schedule { next, .. }) = schedule {
            change.put(rows::due(next, Due::Rotation, &new.view().name), &())?;
        }
        change
            .put_key(view, &KeyRecord { schedule: None, multi_region: Some(regions.clone()), ..view.record.clone() })?;
        self.change_siblings(view, &mut change, |sibling, record| {
            record.multi_region = Some(regions.clone());
            if sibling.name.region == *region {
                record.schedule = schedule;
            }
        })
        .await?;
        self.commit(change).await?;
        let mut answer = changed(primary);
        answer.resources.push(new.arn().clone());
        Ok(answer)
    }
}
