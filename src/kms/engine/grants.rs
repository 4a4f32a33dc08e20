use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::change::Change;
use super::material::random;
use super::page::{GRANTS, Window};
use super::{ATTEMPTS, Kms, answer, changed_to, seconds};
use crate::authz::{PrincipalDirectory, PrincipalLookup};
use crate::aws::Principal;
use crate::kms::Answer;
use crate::kms::api::Kind;
use crate::kms::error::{KmsError, texts};
use crate::kms::grant_token::GrantToken;
use crate::kms::name::KeyName;
use crate::kms::operation::{CreateGrant, EncryptionContext, Page};
use crate::kms::records::{CountRecord, GrantRecord, GrantedTo, GranteeRecord, KeyRecord, decode};
use crate::kms::resolve::{GrantFound, Key, Scene};
use crate::kms::rows;
use crate::kms::spec::{KeySpec, KeyUsage};
use crate::kms::wire::ObjectText;
use crate::store::{CommitError, Snapshot, Versioned};

impl Kms {
    /// The same name with the same parameters is the same grant, with another token.
    pub(super) async fn create_grant(
        &self,
        key: &Key,
        create: &CreateGrant,
        scene: &Scene,
        directory: &dyn PrincipalDirectory,
        dry_run: bool,
    ) -> Result<Answer, KmsError> {
        fits_key(key, create)?;
        let name = &key.view().name;
        let record = GrantRecord {
            created: scene.now.as_millisecond(),
            name: create.name.clone(),
            grantee: granted_to(&create.grantee, directory)?,
            retiring: create.retiring.as_deref().map(|text| granted_to(text, directory)).transpose()?,
            operations: create.operations.clone(),
            equals: create.equals.as_ref().map(EncryptionContext::to_map),
            subset: create.subset.as_ref().map(EncryptionContext::to_map),
            issuer: scene.account,
        };
        let same =
            record.name.as_ref().map(|_| identity(&record)).transpose()?.map(|hash| rows::named_grant(name, &hash));
        for _ in 0..ATTEMPTS {
            let snapshot = self.store().snapshot().await?;
            if let Some(same) = &same
                && let Some(found) = snapshot.get(same).await?
            {
                let id: String = decode(&found.value).map_err(KmsError::internal)?;
                return if dry_run { Err(texts::dry_run()) } else { Ok(created(key, &id)) };
            }
            let id = new_id()?;
            let mut change = self.count_grant(&*snapshot, key, &id).await?;
            if dry_run {
                return Err(texts::dry_run());
            }
            let grantee = &record.grantee.principal;
            let row = rows::grantee(name, grantee);
            let count = count_of::<GranteeRecord>(snapshot.get(&row).await?)?;
            change = change.while_read_as(row.clone(), count.map(|(_, mod_rev)| mod_rev));
            change.put(row, &GranteeRecord { grants: count.map_or(0, |(count, _)| count.grants) + 1 })?;
            change.put(rows::grant(name, &id), &record)?;
            change.put(rows::grant_of_grantee(name, grantee, &id), &())?;
            if let Some(retiring) = &record.retiring {
                change.put(rows::retirable_grant(name, &retiring.principal, &id), &())?;
            }
            if let Some(same) = &same {
                change = change.absent(same.clone());
                change.put(same.clone(), &id)?;
            }
            if !key.view().record.granted {
                change.put_key(key.view(), &KeyRecord { granted: true, ..key.view().record.clone() })?;
            }
            match self.commit(change).await {
                Ok(()) => return Ok(created(key, &id)),
                // Another grant was counted meanwhile, or the key changed.
                Err(CommitError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(KmsError::conflicting())
    }

    /// A change that holds only while the key is as it was read, and that counts one grant more.
    async fn count_grant(&self, snapshot: &dyn Snapshot, key: &Key, id: &str) -> Result<Change, KmsError> {
        let name = &key.view().name;
        let (prefix, shard) = (rows::grant_counts(name), rows::grant_count(name, id));
        let (mut total, mut own) = (0u64, None);
        for (row, found) in snapshot.range(rows::under(&prefix), rows::GRANT_COUNT_SHARDS).await? {
            let count: CountRecord = decode(&found.value).map_err(KmsError::internal)?;
            total = total.saturating_add(count.keys);
            if row == shard {
                own = Some((count.keys, found.mod_rev));
            }
        }
        let most = self.enforced().quotas.grants_per_key;
        if total >= most {
            return Err(texts::limit(format!("The key has its most of {most} grants.")));
        }
        let mut change = Change::of(&key.record).while_read_as(shard.clone(), own.map(|(_, mod_rev)| mod_rev));
        change.put(shard, &CountRecord { keys: own.map_or(0, |(count, _)| count) + 1 })?;
        Ok(change)
    }

    /// Takes a grant away: from the next request on it allows nothing.
    pub(super) async fn delete_grant(&self, key: &Key, grant: &GrantFound, dry_run: bool) -> Result<Answer, KmsError> {
        if dry_run {
            return Err(texts::dry_run());
        }
        let name = &key.view().name;
        let GrantFound { id, record, mod_rev } = grant;
        for _ in 0..ATTEMPTS {
            let snapshot = self.store().snapshot().await?;
            let mut change = Change::default().unchanged(rows::grant(name, id), *mod_rev);
            let shard = rows::grant_count(name, id);
            if let Some((count, mod_rev)) = count_of::<CountRecord>(snapshot.get(&shard).await?)? {
                change = change.unchanged(shard.clone(), mod_rev);
                change.put(shard, &CountRecord { keys: count.keys.saturating_sub(1) })?;
            }
            let row = rows::grantee(name, &record.grantee.principal);
            if let Some((count, mod_rev)) = count_of::<GranteeRecord>(snapshot.get(&row).await?)? {
                change = change.unchanged(row.clone(), mod_rev);
                match count.grants {
                    0 | 1 => change.delete(row),
                    more => change.put(row, &GranteeRecord { grants: more - 1 })?,
                }
            }
            remove_grant(name, id, record, &mut change)?;
            match self.commit(change).await {
                Ok(()) => {
                    let mut answer = changed_to(key, None);
                    answer.response_elements = json!({"keyId": key.arn().as_str(), "grantId": id});
                    return Ok(answer);
                }
                // Another grant of the key changed, or this one has gone.
                Err(CommitError::Conflict) => {
                    if self.grant(name, id).await?.is_none() {
                        return Err(texts::no_such_grant(id));
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(KmsError::conflicting())
    }

    pub(super) async fn list_grants(
        &self,
        key: &Key,
        grant_id: Option<&str>,
        grantee: Option<&str>,
        page: &Page,
    ) -> Result<Answer, KmsError> {
        let window = Window::read(Kind::ListGrants, page, &GRANTS)?;
        let name = &key.view().name;
        let after = window.after_text()?;
        let mut found: Vec<(String, GrantRecord)> = Vec::new();
        if let Some(id) = grant_id {
            let grant = self.grant(name, id).await?.ok_or_else(|| texts::no_such_grant(id))?;
            let is_wanted = grantee.is_none_or(|grantee| grant.record.grantee.principal == grantee);
            found.extend(is_wanted.then_some((grant.id, grant.record)));
        } else {
            let prefix = grantee.map_or_else(|| rows::grants(name), |grantee| rows::grants_of_grantee(name, grantee));
            let range = match &after {
                Some(last) => rows::under_after(&prefix, last.as_bytes()),
                None => rows::under(&prefix),
            };
            let snapshot = self.store().snapshot().await?;
            for (row, value) in snapshot.range(range, window.limit + 1).await? {
                let id = String::from_utf8_lossy(&row[prefix.len()..]).into_owned();
                let value = match grantee {
                    None => Some(value),
                    Some(_) => snapshot.get(&rows::grant(name, &id)).await?,
                };
                if let Some(value) = value {
                    found.push((id, decode(&value.value).map_err(KmsError::internal)?));
                }
            }
        }
        let arn = key.arn().as_str();
        let body =
            window.answer("Grants", found, |(id, _)| id.clone().into_bytes(), |(id, grant)| entry(arn, id, grant));
        Ok(answer(key, Some(body)))
    }

    /// The grants of any account's keys that a principal of the caller's account may retire.
    pub(super) async fn list_retirable_grants(
        &self,
        scene: &Scene,
        retiring: &str,
        page: &Page,
    ) -> Result<Answer, KmsError> {
        let window = Window::read(Kind::ListRetirableGrants, page, &GRANTS)?;
        let principal: Principal = retiring.parse().map_err(|_| texts::invalid_arn(retiring))?;
        if principal.account() != Some(scene.account) {
            return Err(texts::no_such_principal(retiring));
        }
        let prefix = rows::retirable(&scene.region, retiring);
        let range = match window.after_text()? {
            // The whole row: a marker of another principal's list is none of this one's.
            Some(last) => {
                let last = last.as_bytes().strip_prefix(prefix.as_slice()).ok_or_else(texts::invalid_marker)?;
                rows::under_after(&prefix, last)
            }
            None => rows::under(&prefix),
        };
        let snapshot = self.store().snapshot().await?;
        let mut found = Vec::new();
        for (row, _) in snapshot.range(range, window.limit + 1).await? {
            let rest = &row[prefix.len()..];
            let (name, id) = rows::read_retirable(&scene.region, rest)
                .ok_or_else(|| KmsError::internal("a malformed row of a grant"))?;
            if let Some(value) = snapshot.get(&rows::grant(&name, id)).await? {
                let record: GrantRecord = decode(&value.value).map_err(KmsError::internal)?;
                found.push((row.clone(), entry(name.arn()?.as_str(), id, &record)));
            }
        }
        Ok(Answer::of(window.answer("Grants", found, |(last, _)| last.clone(), |(_, entry)| entry.clone())))
    }
}

/// A grant is for what its key can do; only symmetric encryption has a context to constrain (KMS API
/// Reference, "`CreateGrant`").
fn fits_key(key: &Key, create: &CreateGrant) -> Result<(), KmsError> {
    let KeyRecord { spec, usage, .. } = key.view().record;
    let supported = grant_operations(spec, usage);
    let is_supported = |name: &str| supported.contains(&name) || OF_ALL_KEYS.contains(&name);
    if let Some(operation) = create.operations.iter().find(|name| !is_supported(name)) {
        return Err(texts::validation(format!(
            "The operation {operation} is not supported by {}, whose key usage is {}.",
            key.arn(),
            usage.name()
        )));
    }
    if spec != KeySpec::SymmetricDefault && (create.equals.is_some() || create.subset.is_some()) {
        return Err(texts::validation(
            "Grant constraints on the encryption context are for symmetric encryption keys alone.",
        ));
    }
    Ok(())
}

/// What a grant on any key may allow (KMS Developer Guide, "Grant operations").
const OF_ALL_KEYS: [&str; 3] = ["CreateGrant", "DescribeKey", "RetireGrant"];

/// What a grant may allow beside, by the kind of its key.
fn grant_operations(spec: KeySpec, usage: KeyUsage) -> &'static [&'static str] {
    match usage {
        KeyUsage::EncryptDecrypt if spec == KeySpec::SymmetricDefault => &[
            "Decrypt",
            "Encrypt",
            "GenerateDataKey",
            "GenerateDataKeyPair",
            "GenerateDataKeyPairWithoutPlaintext",
            "GenerateDataKeyWithoutPlaintext",
            "ReEncryptFrom",
            "ReEncryptTo",
        ],
        KeyUsage::EncryptDecrypt => &["Decrypt", "Encrypt", "GetPublicKey", "ReEncryptFrom", "ReEncryptTo"],
        KeyUsage::SignVerify => &["GetPublicKey", "Sign", "Verify"],
        KeyUsage::GenerateVerifyMac => &["GenerateMac", "VerifyMac"],
        KeyUsage::KeyAgreement => &["DeriveSharedSecret", "GetPublicKey"],
    }
}

/// Everything of one grant that is a row of its own, but its counts.
pub(super) fn remove_grant(
    name: &KeyName,
    id: &str,
    record: &GrantRecord,
    change: &mut Change,
) -> Result<(), KmsError> {
    change.delete(rows::grant(name, id));
    change.delete(rows::grant_of_grantee(name, &record.grantee.principal, id));
    if let Some(retiring) = &record.retiring {
        change.delete(rows::retirable_grant(name, &retiring.principal, id));
    }
    if record.name.is_some() {
        change.delete(rows::named_grant(name, &identity(record)?));
    }
    Ok(())
}

fn count_of<T: serde::de::DeserializeOwned>(found: Option<Versioned>) -> Result<Option<(T, u64)>, KmsError> {
    found.map(|found| decode(&found.value).map(|count| (count, found.mod_rev)).map_err(KmsError::internal)).transpose()
}

/// Everything that a named grant was asked as, its order aside.
fn identity(record: &GrantRecord) -> Result<String, KmsError> {
    let mut operations = record.operations.clone();
    operations.sort_unstable();
    let asked = GrantRecord { created: 0, operations, ..record.clone() };
    let text = serde_json::to_vec(&asked).map_err(|error| KmsError::internal(error.to_string()))?;
    Ok(HEXLOWER.encode(&Sha256::digest(&text)))
}

fn new_id() -> Result<String, KmsError> {
    let mut id = [0u8; 32];
    random(&mut id)?;
    Ok(HEXLOWER.encode(&id))
}

/// A principal of a grant, held to its unique id.
fn granted_to(text: &str, directory: &dyn PrincipalDirectory) -> Result<GrantedTo, KmsError> {
    let principal: Principal = text.parse().map_err(|_| texts::invalid_arn(text))?;
    let unique_id = match &principal {
        // Services make grants for themselves inside AWS alone.
        Principal::WebIdentity(_) | Principal::Service(_) | Principal::Anonymous => {
            return Err(texts::invalid_arn(text));
        }
        _ => match directory.look_up(&principal) {
            PrincipalLookup::Missing => return Err(texts::no_such_principal(text)),
            PrincipalLookup::Known(id) => Some(id.to_string()),
            PrincipalLookup::Unknown => None,
        },
    };
    Ok(GrantedTo { principal: text.to_owned(), unique_id })
}

fn created(key: &Key, id: &str) -> Answer {
    let token = GrantToken { key: key.view().name.clone(), grant: id.to_owned() }.issue();
    let mut answer = answer(key, Some(ObjectText::new().text("GrantToken", &token).text("GrantId", id).finish()));
    answer.response_elements = json!({"keyId": key.arn().as_str(), "grantId": id});
    answer
}

/// A grant as lists show it.
fn entry(arn: &str, id: &str, grant: &GrantRecord) -> Value {
    let partition = arn.split(':').nth(1).unwrap_or("aws");
    let mut entry = json!({
        "KeyId": arn,
        "GrantId": id,
        "Name": grant.name.as_deref().unwrap_or_default(),
        "CreationDate": seconds(grant.created),
        "GranteePrincipal": grant.grantee.principal,
        "IssuingAccount": format!("arn:{partition}:iam::{}:root", grant.issuer),
        "Operations": grant.operations,
    });
    if let Some(retiring) = &grant.retiring {
        entry["RetiringPrincipal"] = json!(retiring.principal);
    }
    let mut constraints = Map::new();
    let mut add = |name: &str, pairs: &Option<BTreeMap<String, String>>| {
        if let Some(pairs) = pairs {
            constraints.insert(name.to_owned(), json!(pairs));
        }
    };
    add("EncryptionContextEquals", &grant.equals);
    add("EncryptionContextSubset", &grant.subset);
    if !constraints.is_empty() {
        entry["Constraints"] = Value::Object(constraints);
    }
    entry
}
