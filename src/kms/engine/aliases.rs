use std::sync::Arc;

use serde_json::{Value, json};

use super::change::Change;
use super::page::{ALIASES, Window};
use super::{Kms, answer, in_state, seconds};
use crate::kms::Answer;
use crate::kms::api::{Kind, States};
use crate::kms::error::{KmsError, texts};
use crate::kms::managed;
use crate::kms::name::AliasName;
use crate::kms::operation::Page;
use crate::kms::records::{AliasRecord, KeyRecord, KeyView, decode};
use crate::kms::resolve::{Found, Key, Scene};
use crate::kms::rows;
use crate::store::Record;

impl Kms {
    pub(super) async fn create_alias(
        &self,
        name: &AliasName,
        taken: bool,
        key: &Key,
        now: i64,
    ) -> Result<Answer, KmsError> {
        in_state(States::NotPendingDeletion, key)?;
        if name.name.starts_with(managed::PREFIX) {
            return Err(KmsError::new(
                "InvalidAliasNameException",
                format!("Names that begin with {} are reserved", managed::PREFIX),
            ));
        }
        let arn = name.arn()?;
        if taken {
            return Err(KmsError::new(
                "AlreadyExistsException",
                format!("An alias with the name {arn} already exists"),
            ));
        }
        let mut change = Change::of(&key.record).absent(rows::alias(name));
        change.put(rows::alias(name), &AliasRecord { target: key.view().name.id, created: now, updated: now })?;
        change.put_key(key.view(), &self.with_alias(key.view(), &name.name)?)?;
        self.commit(change).await?;
        Ok(about(key, &arn))
    }

    pub(super) async fn update_alias(
        &self,
        name: &AliasName,
        row: Option<&Arc<Record<AliasRecord>>>,
        present: Option<&Found>,
        new: &Key,
        now: i64,
    ) -> Result<Answer, KmsError> {
        let (arn, row, present) = standing(name, row, present)?;
        in_state(States::NotPendingDeletion, new)?;
        // KMS API Reference, "UpdateAlias": who uses the alias must find a key that does the same.
        let kind = |key: &Key| (key.view().record.spec.family(), key.view().record.usage);
        if present.is_some_and(|old| kind(old) != kind(new)) {
            return Err(texts::validation(format!(
                "Alias {arn} can be moved to a KMS key of the same type and key usage only."
            )));
        }
        let mut change = Change::of(&new.record).unchanged(rows::alias(name), row.mod_rev);
        change.put(
            rows::alias(name),
            &AliasRecord { target: new.view().name.id, created: row.value.created, updated: now },
        )?;
        if let Some(old) = present.filter(|old| old.view().name != new.view().name) {
            change = change.unchanged(rows::key(&old.view().name), old.record.mod_rev);
            change.put_key(old.view(), &without_alias(old.view(), &name.name))?;
            change.put_key(new.view(), &self.with_alias(new.view(), &name.name)?)?;
        }
        self.commit(change).await?;
        Ok(about(new, &arn))
    }

    pub(super) async fn delete_alias(
        &self,
        name: &AliasName,
        row: Option<&Arc<Record<AliasRecord>>>,
        present: Option<&Found>,
    ) -> Result<Answer, KmsError> {
        let (arn, row, present) = standing(name, row, present)?;
        let mut change = Change::default().unchanged(rows::alias(name), row.mod_rev);
        change.delete(rows::alias(name));
        let Some(key) = present else {
            self.commit(change).await?;
            return Ok(Answer {
                body: None,
                resources: vec![arn],
                response_elements: Value::Null,
                key: None,
                used: [None, None],
            });
        };
        change = change.unchanged(rows::key(&key.view().name), key.record.mod_rev);
        change.put_key(key.view(), &without_alias(key.view(), &name.name))?;
        self.commit(change).await?;
        Ok(about(key, &arn))
    }

    /// Of an account, among them the predefined aliases whose key is not made yet.
    pub(super) async fn list_aliases(&self, scene: &Scene, key: Option<&Key>, page: &Page) -> Result<Answer, KmsError> {
        let window = Window::read(Kind::ListAliases, page, &ALIASES)?;
        let (account, region) =
            key.map_or((scene.account, &scene.region), |key| (key.view().name.account, &key.view().name.region));
        let prefix = rows::aliases(account, region);
        let after = window.after_text()?;
        let snapshot = self.store().snapshot().await?;
        let mut found = Vec::new();
        match key {
            None => {
                let range = match &after {
                    Some(last) => rows::under_after(&prefix, last.as_bytes()),
                    None => rows::under(&prefix),
                };
                for (row, value) in snapshot.range(range, window.limit + 1).await? {
                    let name = String::from_utf8_lossy(&row[prefix.len()..]).into_owned();
                    found.push((name, Some(decode::<AliasRecord>(&value.value).map_err(KmsError::internal)?)));
                }
                let unmade: Vec<String> = managed::aliases()
                    .filter(|name| after.as_ref().is_none_or(|after| name > after))
                    .filter(|name| !found.iter().any(|(other, _)| other == name))
                    .collect();
                found.extend(unmade.into_iter().map(|name| (name, None)));
                // What lies beyond the rows that were read is cut off, so that none of it is told wrongly.
                found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
                found.truncate(window.limit + 1);
            }
            Some(key) => {
                let names =
                    key.view().record.aliases.iter().filter(|name| after.as_ref().is_none_or(|after| *name > after));
                for name in names.take(window.limit + 1) {
                    let row = rows::alias(&AliasName { account, region: region.clone(), name: name.clone() });
                    if let Some(value) = snapshot.get(&row).await? {
                        let record = decode::<AliasRecord>(&value.value).map_err(KmsError::internal)?;
                        found.push((name.clone(), Some(record)));
                    }
                }
            }
        }
        let show = |(name, record): &(String, Option<AliasRecord>)| {
            let alias = AliasName { account, region: region.clone(), name: name.clone() };
            let mut entry = json!({
                "AliasName": name,
                "AliasArn": alias.arn().map_or(Value::Null, |arn| json!(arn.as_str())),
            });
            if let Some(record) = record {
                entry["TargetKeyId"] = json!(record.target.to_string());
                entry["CreationDate"] = seconds(record.created);
                entry["LastUpdatedDate"] = seconds(record.updated);
            }
            entry
        };
        Ok(Answer::of(window.answer("Aliases", found, |(name, _)| name.clone().into_bytes(), show)))
    }

    fn with_alias(&self, view: &KeyView, name: &str) -> Result<KeyRecord, KmsError> {
        let mut record = view.record.clone();
        let most = self.enforced().quotas.aliases_per_key;
        if record.aliases.len() >= most {
            return Err(texts::limit(format!("The key has its most of {most} aliases.")));
        }
        record.aliases.push(name.to_owned());
        record.aliases.sort_unstable();
        Ok(record)
    }
}

type Standing<'a> = (crate::aws::Arn, &'a Arc<Record<AliasRecord>>, Option<&'a Key>);

/// An alias that exists, with its key (none where the key was deleted meanwhile).
fn standing<'a>(
    name: &AliasName,
    row: Option<&'a Arc<Record<AliasRecord>>>,
    present: Option<&'a Found>,
) -> Result<Standing<'a>, KmsError> {
    let arn = name.arn()?;
    let row = row.ok_or_else(|| texts::no_such_alias(arn.as_str()))?;
    Ok((arn, row, present.and_then(|found| found.key().ok())))
}

fn without_alias(view: &KeyView, name: &str) -> KeyRecord {
    let mut record = view.record.clone();
    record.aliases.retain(|alias| alias != name);
    record
}

/// The empty answer of a change to an alias and its key.
fn about(key: &Key, alias: &crate::aws::Arn) -> Answer {
    let mut answer = answer(key, None);
    answer.resources.insert(0, alias.clone());
    answer
}
