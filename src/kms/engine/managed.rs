//! AWS managed keys come into being when their alias is first used.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use super::change::Change;
use super::keys::view_of;
use super::{DEFAULT_PERIOD_DAYS, Kms};
use crate::kms::error::KmsError;
use crate::kms::managed::{Service, key_id};
use crate::kms::name::{AliasName, KeyName};
use crate::kms::records::{AliasRecord, KeyRecord, PolicyRef, Schedule, State};
use crate::kms::resolve::{Key, Target};
use crate::kms::rows::{self, Due};
use crate::kms::spec::{KeySpec, KeyUsage, Origin};
use crate::store::{CommitError, Record};

impl Kms {
    /// The AWS managed key that a predefined alias will stand for, as it will be made; none for any
    /// other alias. Its policy decides on its first use like on every later one.
    pub(in crate::kms) async fn unmade(&self, alias: &AliasName, now: Timestamp) -> Result<Option<Key>, KmsError> {
        let Some(service) = Service::of_alias(&alias.name) else { return Ok(None) };
        let name = KeyName { account: alias.account, region: alias.region.clone(), id: key_id(alias) };
        let now = now.as_millisecond();
        let record = KeyRecord {
            created: now,
            description: service.description(),
            state: State::Enabled,
            policy: PolicyRef::Managed { service: service.name.to_owned() },
            tags: Vec::new(),
            aliases: vec![alias.name.clone()],
            schedule: Some(Schedule::starting(now, DEFAULT_PERIOD_DAYS)),
            material: "0".repeat(64),
            first_material: String::new(),
            rotations: 0,
            on_demand: 0,
            multi_region: None,
            granted: false,
            spec: KeySpec::SymmetricDefault,
            usage: KeyUsage::EncryptDecrypt,
            origin: Origin::AwsKms,
            imports: Vec::new(),
            custom_key_store: None,
        };
        let view = view_of(&name, &record)?;
        let policy = self.policy_of(&view).await?;
        let policy = policy.ok_or_else(|| KmsError::internal("an AWS managed key has no policy"))?;
        Ok(Some(Key { record: Arc::new(Record { value: view, mod_rev: 0 }), policy, store: None }))
    }

    /// Makes the AWS managed keys that a permitted request is the first to use, each once, whoever else
    /// makes it at the same time.
    ///
    /// # Errors
    /// A conflict where there were any: the request is then to be resolved anew, and finds them.
    pub(super) async fn make_what_is_first_used(&self, target: &Target) -> Result<(), KmsError> {
        let mut unmade = target.unmade().peekable();
        if unmade.peek().is_none() {
            return Ok(());
        }
        for key in unmade {
            match self.commit(self.making(key)?).await {
                Ok(()) | Err(CommitError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(KmsError::conflicting())
    }

    /// An AWS managed key with its material, its alias and its first date of rotation. It counts against
    /// no quota (AWS KMS quotas, "Resource quotas").
    fn making(&self, key: &Key) -> Result<Change, KmsError> {
        let view = key.view();
        let mut record = view.record.clone();
        let mut change = Change::default().absent(rows::key(&view.name));
        record.material = self.add_material(&view.name, record.created, &mut change)?;
        record.first_material.clone_from(&record.material);
        for name in &record.aliases {
            let alias = AliasName { account: view.name.account, region: view.name.region.clone(), name: name.clone() };
            change = change.absent(rows::alias(&alias));
            let row = AliasRecord { target: view.name.id, created: record.created, updated: record.created };
            change.put(rows::alias(&alias), &row)?;
        }
        if let Some(schedule) = record.schedule {
            change.put(rows::due(schedule.next, Due::Rotation, &view.name), &())?;
        }
        change.put_key(view, &record)?;
        let details = json!({"keyId": view.name.id.to_string(), "aliasNames": record.aliases, "keyManager": "AWS"});
        Self::add_event(view, "CreateKey", record.created, details, &mut change)?;
        Ok(change)
    }
}
