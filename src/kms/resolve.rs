mod grants;
mod regions;

use std::sync::Arc;

use jiff::Timestamp;

use super::api::{KeyIds, Kind};
use super::ciphertext::Ciphertext;
use super::conditions::{self, Conditions};
use super::custom_key_stores::CustomKeyStoreRecord;
use super::engine::Kms;
use super::error::{KmsError, texts};
use super::key_id::KeyId;
use super::name::{AliasName, KeyName, Named, alias_name};
use super::operation::{Input, Operation};
use super::records::{AliasRecord, KeyView, State};
use super::rows;
use crate::authz::{AttachedDocument, AuthzRequest, Check, Resource, Subject, Supplied};
use crate::aws::{AccountId, ActionName, Arn, Caller, ContextValue, Region, Surroundings};
use crate::cedar::CompiledDocument;
use crate::store::Record;

pub(super) use grants::GrantFound;

/// A request with everything that it names, looked up once.
pub struct Resolved {
    pub(super) operation: Operation,
    pub(super) checks: Vec<Check>,
    pub(super) target: Target,
    pub(super) scene: Scene,
}

/// Where and when the request is made.
#[derive(Clone)]
pub(super) struct Scene {
    pub(super) account: AccountId,
    pub(super) region: Region,
    pub(super) now: Timestamp,
    /// `aws:PrincipalArn` of the caller.
    pub(super) principal: Arn,
}

/// What the request is about.
pub(super) enum Target {
    /// Nothing in particular.
    Nothing,
    /// A key that is about to be made.
    New(KeyName),
    Key(Found),
    Alias {
        name: AliasName,
        /// The alias as it stands.
        row: Option<Arc<Record<AliasRecord>>>,
        /// The key that it stands for.
        present: Option<Found>,
        /// The key that it shall stand for.
        new: Option<Found>,
    },
    ReEncrypt {
        source: Found,
        destination: Found,
    },
    /// A replica that is about to be made.
    Replica {
        primary: Found,
        name: KeyName,
    },
    /// The key of another Region that is to become the primary.
    NewPrimary {
        primary: Found,
        region: Region,
        new: Found,
    },
    /// A grant that is to be retired.
    Grant {
        key: Found,
        grant: GrantFound,
    },
}

/// A key that was looked up.
#[derive(Clone)]
pub(super) enum Found {
    Key(Key),
    /// The AWS managed key of a predefined alias, which its first use makes: as it will be.
    Unmade(Key),
    /// There is none; what the caller is told if it may know.
    Missing {
        arn: Arn,
        error: KmsError,
    },
}

/// A key as it was read, with its policy.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) record: Arc<Record<KeyView>>,
    pub(super) policy: Arc<CompiledDocument>,
    /// The custom key store that it is in.
    pub(super) store: Option<Arc<Record<CustomKeyStoreRecord>>>,
}

impl Key {
    pub(super) fn view(&self) -> &KeyView {
        &self.record.value
    }

    pub(super) fn arn(&self) -> &Arn {
        &self.record.value.arn
    }

    /// Whether it is `Unavailable`: in a custom key store that is not connected. A key that is to be
    /// deleted stays `PendingDeletion` (KMS Developer Guide, "Key states of AWS KMS keys").
    pub(super) fn is_unavailable(&self) -> bool {
        let is_cut_off = self.store.as_ref().is_some_and(|store| !store.value.is_connected());
        is_cut_off && matches!(self.view().record.state, State::Enabled | State::Disabled)
    }
}

impl Target {
    /// The keys that an operation on keys is done with.
    pub(super) fn keys(&self) -> [Option<Arc<Record<KeyView>>>; 2] {
        let record = |found: &Found| found.key().ok().map(|key| Arc::clone(&key.record));
        match self {
            Self::Key(found) => [record(found), None],
            Self::ReEncrypt { source, destination } => [record(source), record(destination)],
            _ => [None, None],
        }
    }

    /// The AWS managed keys that the request is the first to use.
    pub(super) fn unmade(&self) -> impl Iterator<Item = &Key> {
        let found: [Option<&Found>; 2] = match self {
            Self::Key(found) => [Some(found), None],
            Self::ReEncrypt { source, destination } => [Some(source), Some(destination)],
            _ => [None, None],
        };
        found.into_iter().flatten().filter_map(|found| if let Found::Unmade(key) = found { Some(key) } else { None })
    }
}

impl Found {
    /// # Errors
    /// `NotFoundException` for what is missing; a conflict for what is to be made first.
    pub(super) fn key(&self) -> Result<&Key, KmsError> {
        match self {
            Self::Key(key) => Ok(key),
            Self::Unmade(_) => Err(KmsError::conflicting()),
            Self::Missing { error, .. } => Err(error.clone()),
        }
    }

    fn is_same_key(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Key(one) | Self::Unmade(one), Self::Key(two) | Self::Unmade(two)) => {
                one.view().name == two.view().name
            }
            _ => false,
        }
    }
}

impl Resolved {
    /// The operation.
    #[must_use]
    pub fn operation(&self) -> &Operation {
        &self.operation
    }

    /// The keys and aliases that the request names, for the audit: also of a request that is
    /// denied.
    #[must_use]
    pub fn resources(&self) -> Vec<Arn> {
        let mut arns: Vec<Arn> = Vec::new();
        for check in &self.checks {
            if let Some(arn) = check.request.resource.arn()
                && !arns.contains(arn)
            {
                arns.push(arn.clone());
            }
        }
        arns
    }
}

impl Subject for Resolved {
    fn checks(&self) -> &[Check] {
        &self.checks
    }
}

impl std::fmt::Debug for Resolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolved")
            .field("operation", &self.operation)
            .field("resources", &self.resources())
            .finish_non_exhaustive()
    }
}

/// Makes the checks of one request.
struct Asking<'a> {
    caller: &'a Arc<Caller>,
    surroundings: &'a Arc<Surroundings>,
    cross_account: bool,
    through_ciphertext: bool,
}

impl Asking<'_> {
    fn on(&self, action: &ActionName, resource: Resource, operation: Conditions) -> Check {
        Check {
            request: AuthzRequest {
                caller: Arc::clone(self.caller),
                action: action.clone(),
                resource,
                operation,
                surroundings: Arc::clone(self.surroundings),
                supplied: Supplied::All,
                determined: None,
            },
            resource_policy: None,
            grants: Vec::new(),
            encryption_context: None,
            cross_account: self.cross_account,
            through_ciphertext: self.through_ciphertext,
        }
    }

    fn on_found(&self, action: &ActionName, found: &Found, operation: Conditions) -> Check {
        match found {
            Found::Key(key) | Found::Unmade(key) => {
                let resource = Resource::Key { arn: key.arn().clone(), attributes: Arc::clone(&key.view().attributes) };
                let policy = AttachedDocument::from(Arc::clone(&key.policy));
                Check { resource_policy: Some(policy), ..self.on(action, resource, operation) }
            }
            Found::Missing { arn, .. } => self.on(action, Resource::MissingKey { arn: arn.clone() }, operation),
        }
    }
}

impl Kms {
    /// Finds what a request names, and which permissions it needs. A rotation or deletion of a
    /// named key that is overdue is done first.
    ///
    /// # Errors
    /// What AWS answers to a key id that names nothing; internal failures.
    pub async fn resolve(
        &self,
        operation: Operation,
        caller: &Arc<Caller>,
        surroundings: &Arc<Surroundings>,
    ) -> Result<Resolved, KmsError> {
        operation.check_encryption_contexts(self.settings().encryption_context_max_bytes)?;
        let facts = operation.kind.facts();
        let scene = Scene {
            account: caller.account,
            region: surroundings.region.clone(),
            now: surroundings.now,
            principal: caller.principal_arn.clone(),
        };
        let asking = Asking { caller, surroundings, cross_account: facts.cross_account, through_ciphertext: false };
        let action = &facts.action;
        let (target, mut checks) = match &operation.input {
            Input::List { key_id: None, .. }
            | Input::Random { .. }
            | Input::CustomKeyStore(_)
            | Input::ListRetirableGrants { .. } => {
                (Target::Nothing, vec![asking.on(action, Resource::None, Vec::new())])
            }
            Input::CreateKey(create) => {
                let name = KeyName {
                    account: scene.account,
                    region: scene.region.clone(),
                    id: KeyId::random(create.multi_region),
                };
                let mut checks = vec![asking.on(action, Resource::None, conditions::of_new_key(create))];
                // KMS API Reference, "CreateKey": tags need kms:TagResource in an IAM policy.
                if !create.tags.is_empty() {
                    let resource = Resource::MissingKey { arn: name.arn()? };
                    checks.push(asking.on(
                        &ActionName::of("kms:TagResource"),
                        resource,
                        conditions::tags(&create.tags),
                    ));
                }
                (Target::New(name), checks)
            }
            // ListAliases of one key: its permission is on no key.
            Input::List { key_id: Some(id), .. } if operation.kind == Kind::ListAliases => {
                let found = match self.named(id, facts.key_ids, &scene).await? {
                    // Not across accounts: another account's key is as good as none.
                    Found::Key(key) if key.view().name.account != scene.account => {
                        let arn = key.view().name.arn()?;
                        Found::Missing { error: texts::no_such_key(arn.as_str()), arn }
                    }
                    found => found,
                };
                (Target::Key(found), vec![asking.on(action, Resource::None, Vec::new())])
            }
            Input::Alias { alias_name: name, target } => {
                self.resolve_alias(&asking, action, name, target.as_deref(), &scene).await?
            }
            Input::ReplicateKey(request) => self.resolve_replication(&asking, request, &scene).await?,
            Input::UpdatePrimaryRegion { key_id, region } => {
                self.resolve_primary(&asking, &operation.input, key_id, region, &scene).await?
            }
            Input::RetireGrant(request) => self.resolve_retirement(&asking, action, request, &scene).await?,
            Input::ReEncrypt(request) => {
                if request.source_key_id.as_ref().is_some_and(|id| names_sibling(id, &scene.region)) {
                    return Err(texts::incorrect_key());
                }
                let source = match &request.source_key_id {
                    Some(id) => self.named(id, KeyIds::WithAliases, &scene).await?,
                    None => self.of_ciphertext(&request.ciphertext, &scene).await?,
                };
                let destination = self.named(&request.destination_key_id, KeyIds::WithAliases, &scene).await?;
                let same = source.is_same_key(&destination);
                let conditions = |id: Option<&str>, context, algorithm: &Option<String>| {
                    let mut all = conditions::cryptographic(id, context, algorithm.as_deref());
                    all.push(("kms:reencryptonsamekey".into(), ContextValue::Bool(same)));
                    all
                };
                let through_ciphertext = request.source_key_id.is_none();
                let from = Asking { caller, surroundings, cross_account: true, through_ciphertext }.on_found(
                    &ActionName::of("kms:ReEncryptFrom"),
                    &source,
                    conditions(request.source_key_id.as_deref(), &request.source_context, &request.source_algorithm),
                );
                let to = Asking { caller, surroundings, cross_account: true, through_ciphertext: false }.on_found(
                    &ActionName::of("kms:ReEncryptTo"),
                    &destination,
                    conditions(
                        Some(&request.destination_key_id),
                        &request.destination_context,
                        &request.destination_algorithm,
                    ),
                );
                (Target::ReEncrypt { source, destination }, vec![from, to])
            }
            Input::Decrypt { key_id: None, ciphertext, context, algorithm } => {
                let found = self.of_ciphertext(ciphertext, &scene).await?;
                let conditions = conditions::cryptographic(None, context, algorithm.as_deref());
                let check = Asking { through_ciphertext: true, ..asking }.on_found(action, &found, conditions);
                (Target::Key(found), vec![check])
            }
            Input::Decrypt { key_id: Some(id), .. } if names_sibling(id, &scene.region) => {
                return Err(texts::incorrect_key());
            }
            input => {
                let id = input.key_id().unwrap_or_default();
                let found = self.named(id, facts.key_ids, &scene).await?;
                let mut check = asking.on_found(action, &found, conditions::of(operation.kind, input));
                if let (Kind::ScheduleKeyDeletion | Kind::DisableKey, Found::Key(key)) = (operation.kind, &found) {
                    let days = ContextValue::Number(self.trailing_days(key, scene.now).await?);
                    check.request.operation.push(("kms:trailingdayswithoutkeyusage".into(), days));
                }
                (Target::Key(found), vec![check])
            }
        };
        self.add_grants(&operation.input, caller, &target, &mut checks).await?;
        Ok(Resolved { operation, checks, target, scene })
    }

    async fn resolve_alias(
        &self,
        asking: &Asking<'_>,
        action: &ActionName,
        name: &str,
        target: Option<&str>,
        scene: &Scene,
    ) -> Result<(Target, Vec<Check>), KmsError> {
        let name = alias_name(name, scene.account, &scene.region)?;
        let new = match target {
            Some(id) if id.starts_with("alias/") || id.contains(":alias/") => {
                return Err(texts::validation("Aliases must refer to keys. Not aliases"));
            }
            Some(id) => Some(self.named(id, KeyIds::KeysOnly, scene).await?),
            None => None,
        };
        let mut row = self.alias(&name).await?;
        let mut present = match &row {
            Some(row) => Some(self.find(&name.key(row.value.target), scene.now).await?),
            None => self.unmade(&name, scene.now).await?.map(Found::Unmade),
        };
        // A key whose end was overdue has gone now, and taken its aliases along.
        if let Some(Found::Missing { .. }) = present {
            row = self.alias(&name).await?;
            present = present.filter(|_| row.is_some());
        }
        let mut checks = vec![asking.on(action, Resource::Alias { arn: name.arn()? }, Vec::new())];
        checks.extend(new.as_ref().map(|found| asking.on_found(action, found, Vec::new())));
        // CreateAlias on a name that is taken: who may not create it shall not learn of its key.
        if *action != ActionName::of("kms:CreateAlias")
            && let Some(present) =
                present.as_ref().filter(|present| !new.as_ref().is_some_and(|new| new.is_same_key(present)))
        {
            checks.push(asking.on_found(action, present, Vec::new()));
        }
        Ok((Target::Alias { name, row, present, new }, checks))
    }

    /// The key that a `KeyId` member names.
    async fn named(&self, id: &str, accepted: KeyIds, scene: &Scene) -> Result<Found, KmsError> {
        match Named::parse(id, scene.account, &scene.region, accepted)? {
            Named::Key(name) => self.find(&name, scene.now).await,
            Named::Alias(alias) => {
                // A key whose end is overdue goes now, and takes its aliases along.
                if let Some(row) = self.alias(&alias).await?
                    && let found @ Found::Key(_) = self.find(&alias.key(row.value.target), scene.now).await?
                {
                    return Ok(found);
                }
                if let Some(key) = self.unmade(&alias, scene.now).await? {
                    return Ok(Found::Unmade(key));
                }
                let arn = alias.arn()?;
                let error = texts::no_such_alias(arn.as_str());
                // An account learns of its own aliases; of another's, what its policies allow.
                if alias.account == scene.account { Err(error) } else { Ok(Found::Missing { arn, error }) }
            }
        }
    }

    /// The key that a ciphertext names.
    async fn of_ciphertext(&self, bytes: &[u8], scene: &Scene) -> Result<Found, KmsError> {
        let ciphertext = Ciphertext::read(bytes)?;
        let name = KeyName { account: ciphertext.account, region: scene.region.clone(), id: ciphertext.key };
        self.find(&name, scene.now).await
    }
}

/// Whether a `KeyId` member names a multi-Region key of another Region: no ciphertext is decrypted
/// under that name here.
fn names_sibling(id: &str, here: &Region) -> bool {
    id.parse::<Arn>().is_ok_and(|arn| arn.region() != here.as_str() && arn.resource().starts_with("key/mrk-"))
}

impl AliasName {
    /// The key of that id beside the alias.
    fn key(&self, id: KeyId) -> KeyName {
        KeyName { account: self.account, region: self.region.clone(), id }
    }
}

impl Kms {
    async fn alias(&self, name: &AliasName) -> Result<Option<Arc<Record<AliasRecord>>>, KmsError> {
        Ok(self.aliases().get(&rows::alias(name)).await?)
    }
}
