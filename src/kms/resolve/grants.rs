//! The grants that a request's checks read, and the grant that one is to be retired.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Asking, Found, Key, Scene, Target};
use crate::authz::{Check, Grant, GrantPrincipal, GrantSet, Resource};
use crate::aws::catalogue;
use crate::aws::{ActionName, Caller, Principal};
use crate::kms::api::KeyIds;
use crate::kms::conditions;
use crate::kms::engine::Kms;
use crate::kms::error::{KmsError, texts};
use crate::kms::grant_token::GrantToken;
use crate::kms::name::{KeyName, Named};
use crate::kms::operation::{CreateGrant, EncryptionContext, Input, RetireGrant};
use crate::kms::records::{GrantRecord, decode};
use crate::kms::rows;
use crate::store::Revision;

/// A grant as it was read.
pub(in crate::kms) struct GrantFound {
    pub(in crate::kms) id: String,
    pub(in crate::kms) record: GrantRecord,
    pub(in crate::kms) mod_rev: Revision,
}

impl Target {
    fn key_of(&self, resource: &Resource) -> Option<&Key> {
        let Resource::Key { arn, .. } = resource else { return None };
        let found: &[&Found] = match self {
            Self::Key(found) => &[found],
            Self::ReEncrypt { source, destination } => &[source, destination],
            _ => &[],
        };
        found.iter().filter_map(|found| found.key().ok()).find(|key| key.arn() == arn)
    }
}

impl Input {
    /// The encryption context that grants compare for an action of this request.
    fn context_for(&self, action: &ActionName) -> Option<&EncryptionContext> {
        match self {
            Self::Encrypt { context, .. }
            | Self::Decrypt { context, .. }
            | Self::DataKey { context, .. }
            | Self::DataKeyPair { context, .. } => Some(context),
            Self::ReEncrypt(request) if action.name() == "ReEncryptFrom" => Some(&request.source_context),
            Self::ReEncrypt(request) => Some(&request.destination_context),
            Self::CreateGrant(create) => create.equals.as_ref().or(create.subset.as_ref()),
            _ => None,
        }
    }
}

impl CreateGrant {
    /// What it asks for as a grant, to be compared with its parents.
    fn wanted(&self, caller: &Caller) -> Grant {
        Grant {
            id: None,
            grantee: caller.principal.clone().into(),
            retiring: None,
            operations: self.operations.clone(),
            constraints: crate::authz::GrantConstraints {
                encryption_context_equals: self.equals.as_ref().map(EncryptionContext::to_map),
                encryption_context_subset: self.subset.as_ref().map(EncryptionContext::to_map),
                source_arn: None,
            },
            issuing_account: caller.account,
        }
    }
}

impl Kms {
    /// Gives each check the grants that may allow it: those of the caller on the key.
    pub(super) async fn add_grants(
        &self,
        input: &Input,
        caller: &Caller,
        target: &Target,
        checks: &mut [Check],
    ) -> Result<(), KmsError> {
        for check in checks {
            let action = &check.request.action;
            let Some(key) = target.key_of(&check.request.resource) else { continue };
            if !key.view().record.granted || !catalogue::kms::is_grantable(action) {
                continue;
            }
            let context: Option<BTreeMap<String, String>> = input.context_for(action).map(EncryptionContext::to_map);
            for principal in GrantPrincipal::of_caller(caller) {
                let Some(set) = self.grants_of(&key.view().name, &principal).await? else { continue };
                match input {
                    // A parent that is narrower than the grant that is asked for is no leave to make it.
                    Input::CreateGrant(create) => {
                        let wanted = create.wanted(caller);
                        check.grants.extend(set.iter().filter(|parent| parent.encloses(&wanted)).cloned());
                    }
                    _ => set.candidates(action, context.as_ref(), &mut check.grants),
                }
            }
            check.encryption_context = context.filter(|_| !check.grants.is_empty());
        }
        Ok(())
    }

    /// The grants of a grantee on a key; none where it has none.
    async fn grants_of(&self, name: &KeyName, grantee: &Principal) -> Result<Option<Arc<GrantSet>>, KmsError> {
        let text = grantee.to_string();
        let row = rows::grantee(name, &text);
        loop {
            let Some(view) = self.grantees().get(&row).await? else { return Ok(None) };
            if let Some(set) = view.value.grants.get() {
                return Ok(Some(Arc::clone(set)));
            }
            let snapshot = self.store().snapshot().await?;
            // Read as of another revision, the set would not be the record's.
            if snapshot.get(&row).await?.map(|found| found.mod_rev) != Some(view.mod_rev) {
                continue;
            }
            let prefix = rows::grants_of_grantee(name, &text);
            let mut range = rows::under(&prefix);
            let mut grants = Vec::with_capacity(view.value.record.grants);
            loop {
                let page = snapshot.range(range.clone(), PAGE).await?;
                let Some((last, _)) = page.last() else { break };
                range.start.clone_from(last);
                range.start.push(0);
                for (row, _) in &page {
                    let id = std::str::from_utf8(&row[prefix.len()..]).unwrap_or_default();
                    let found = snapshot.get(&rows::grant(name, id)).await?;
                    let found = found.ok_or_else(|| KmsError::internal("a grant in the index is not there"))?;
                    let record: GrantRecord = decode(&found.value).map_err(KmsError::internal)?;
                    grants.push((record.created, record.grant(id).map_err(KmsError::internal)?));
                }
            }
            grants.sort_by_key(|(created, _)| *created);
            let set = Arc::new(GrantSet::new(grants.into_iter().map(|(_, grant)| grant).collect()));
            return Ok(Some(Arc::clone(view.value.grants.get_or_init(|| set))));
        }
    }

    /// `RetireGrant`: the grant decides who may.
    pub(super) async fn resolve_retirement(
        &self,
        asking: &Asking<'_>,
        action: &ActionName,
        request: &RetireGrant,
        scene: &Scene,
    ) -> Result<(Target, Vec<Check>), KmsError> {
        let (name, id) = match request {
            RetireGrant::Token(token) => {
                let named = GrantToken::read(token)?;
                if named.key.region != scene.region {
                    return Err(texts::other_region(named.key.region.as_str()));
                }
                (named.key, named.grant)
            }
            RetireGrant::Grant { key_id, grant_id } => {
                if !key_id.starts_with("arn:") {
                    return Err(KmsError::new("NotFoundException", format!("Invalid arn {key_id}")));
                }
                match Named::parse(key_id, scene.account, &scene.region, KeyIds::KeysOnly)? {
                    Named::Key(name) => (name, grant_id.clone()),
                    Named::Alias(_) => return Err(texts::no_such_key(key_id)),
                }
            }
        };
        let found = self.find(&name, scene.now).await?;
        let Some(grant) = self.grant(&name, &id).await? else {
            // The caller's own policies decide whether it may know that there is none.
            let arn = name.arn()?;
            let check = asking.on(action, Resource::MissingKey { arn: arn.clone() }, Vec::new());
            let error = found.key().map_or_else(|missing| missing, |_| texts::no_such_grant(&id));
            return Ok((Target::Key(Found::Missing { arn, error }), vec![check]));
        };
        let constraints = |pairs: Option<&BTreeMap<String, String>>| {
            pairs.map(|pairs| EncryptionContext(pairs.clone().into_iter().collect()))
        };
        let (equals, subset) = (constraints(grant.record.equals.as_ref()), constraints(grant.record.subset.as_ref()));
        let conditions = conditions::of_constraints(equals.as_ref(), subset.as_ref());
        let mut check = asking.on_found(action, &found, conditions);
        check.grants.push(grant.record.grant(&grant.id).map_err(KmsError::internal)?);
        Ok((Target::Grant { key: found, grant }, vec![check]))
    }

    /// A grant by its id, as it stands; none for what is no id of a grant.
    pub(in crate::kms) async fn grant(&self, key: &KeyName, id: &str) -> Result<Option<GrantFound>, KmsError> {
        if !is_grant_id(id) {
            return Ok(None);
        }
        let Some(found) = self.store().snapshot().await?.get(&rows::grant(key, id)).await? else { return Ok(None) };
        let record = decode(&found.value).map_err(KmsError::internal)?;
        Ok(Some(GrantFound { id: id.to_owned(), record, mod_rev: found.mod_rev }))
    }
}

/// How many rows of an index are read at a time.
const PAGE: usize = 1024;

/// 64 hexadecimal digits.
fn is_grant_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
