//! What the operations do, one file for each family.

mod aliases;
mod change;
mod cryptography;
mod custom_key_stores;
mod due;
mod external_keys;
mod grants;
mod heavy;
mod import_token;
mod imports;
mod key_pairs;
mod keys;
mod last_use;
mod macs;
mod managed;
mod material;
mod outbox;
mod page;
mod policies;
mod public_encryption;
mod regional_imports;
mod regions;
mod root_key;
mod rotation;
mod sealing_key;
mod signatures;
mod tags;

use root_key::RootKeys;
pub use root_key::{RootKeyIds, root_key_ids};

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::api::{Kind, States};
use super::ciphertext::BackingKey;
use super::custom_key_stores::CustomKeyStoreRecord;
use super::error::{KmsError, texts};
use super::name::KeyName;
use super::operation::{Input, Operation};
use super::quotas::{Enforced, Quotas};
use super::records::{AliasRecord, ClockRecord, GranteeView, KeyView, State, decode};
use super::resolve::{Found, Key, Resolved, Target};
use super::working_key::WorkingKey;
use super::xks::{NoTransport, XksTransport};
use super::{Answer, rows};
use crate::authz::{Authorizer, Permit, PrincipalDirectory};
use crate::aws::{AccountId, Clock, OffsetClock, Region};
use crate::cedar::Documents;
use crate::kms::wire::{JsonText, ObjectText};
use crate::seal::Keyring;
use crate::store::{Image, ImageSettings, Store, StoreError};

/// The rotation period where none is given (KMS API Reference, "`EnableKeyRotation`").
pub(super) const DEFAULT_PERIOD_DAYS: i64 = 365;

/// Memory for the records of custom key stores, of which an account has few.
const CUSTOM_KEY_STORE_CACHE_BYTES: usize = 1 << 20;

/// How the engine is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Most memory that records of keys, aliases and grants may take, in bytes.
    pub record_cache_bytes: usize,
    /// Most backing keys that are kept unwrapped in memory, and as many HMAC keys and key pairs
    /// (which take about 10 KB each with RSA or ML-DSA).
    pub material_cache_entries: u64,
    /// Most bytes of an encryption context, keys and values together.
    pub encryption_context_max_bytes: usize,
}

impl Default for Settings {
    /// 256 MiB of records, 100,000 backing keys (about 20 MB), and 8 KiB of encryption context.
    fn default() -> Self {
        Self { record_cache_bytes: 256 << 20, material_cache_entries: 100_000, encryption_context_max_bytes: 8 << 10 }
    }
}

/// Why the engine could not open its store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data was made under another root key.
    #[error(
        "the root key is not the one that this data was sealed under (its id is {given}, the data's is {expected})"
    )]
    WrongRootKey {
        /// The id that the store records.
        expected: String,
        /// The id of the key that was given.
        given: String,
    },
    /// A rotation of the root key is under way, which needs two root keys.
    #[error(
        "a rotation of the root key from {old} to {new} is under way and needs both; {missing} was not found: put it \
         back beside the root key's file, under the same name with `.{missing}` added (or into its variable with \
         `_NEW` added), and start again"
    )]
    RootKeyMissing {
        /// The id of the root key that is not there.
        missing: String,
        /// The id of the root key that is replaced.
        old: String,
        /// The id of the root key that takes its place.
        new: String,
    },
    /// The store has been run with a test clock and opens with one only.
    #[error("the clock of this data was moved by {0} s: it opens with --test-clock only")]
    ClockMoved(i64),
    /// A record of the store can't be read by this version.
    #[error("{0}")]
    Unreadable(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store refused what a new one must record.
    #[error(transparent)]
    Commit(#[from] crate::store::CommitError),
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Kms {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    root_keys: ArcSwap<RootKeys>,
    clock: OffsetClock,
    documents: Arc<Documents>,
    authorizer: Arc<Authorizer>,
    settings: Settings,
    keys: Image<KeyView>,
    aliases: Image<AliasRecord>,
    grantees: Image<GranteeView>,
    custom_key_stores: Image<CustomKeyStoreRecord>,
    materials: moka::sync::Cache<material::MaterialKey, Arc<BackingKey>>,
    working_keys: moka::sync::Cache<material::MaterialKey, Arc<WorkingKey>>,
    heavy: heavy::Heavy,
    unsaved_uses: last_use::Unsaved,
    /// The Regions that are served; none where all are.
    regions: ArcSwapOption<Vec<Region>>,
    enforced: ArcSwap<Enforced>,
    /// How proxies of external key stores are reached.
    xks_transport: ArcSwap<Arc<dyn XksTransport>>,
}

impl Kms {
    /// Opens the engine over a store, and moves the clock to the offset that the store records.
    /// A new store records the root key's id.
    ///
    /// # Errors
    /// Where a root key that the data needs is not there, where the store's clock was moved and
    /// `test_clock` is false, or where the store fails.
    pub async fn open(
        store: Arc<dyn Store>,
        root_keys: impl Into<Keyring>,
        clock: OffsetClock,
        documents: Arc<Documents>,
        authorizer: Arc<Authorizer>,
        settings: Settings,
        test_clock: bool,
    ) -> Result<Self, OpenError> {
        let root_keys = ArcSwap::from_pointee(RootKeys::open(&*store, root_keys.into()).await?);
        let offset = read_offset(&*store).await?.map_or(0, |(record, _)| record.offset_seconds);
        if offset != 0 && !test_clock {
            return Err(OpenError::ClockMoved(offset));
        }
        clock.set_offset_seconds(offset);
        let keys = ImageSettings {
            capacity_bytes: settings.record_cache_bytes / 8 * 6,
            decode: KeyView::decode,
            weigh: KeyView::weigh,
        };
        let aliases = ImageSettings {
            capacity_bytes: settings.record_cache_bytes / 8,
            decode: |_, value| decode(value),
            weigh: |_: &AliasRecord| size_of::<AliasRecord>(),
        };
        let grantees = ImageSettings {
            capacity_bytes: settings.record_cache_bytes / 8,
            decode: GranteeView::decode,
            weigh: GranteeView::weigh,
        };
        let materials = moka::sync::Cache::new(settings.material_cache_entries);
        let keys = Image::new(Arc::clone(&store), keys);
        let aliases = Image::new(Arc::clone(&store), aliases);
        let grantees = Image::new(Arc::clone(&store), grantees);
        let custom_key_stores = ImageSettings {
            capacity_bytes: CUSTOM_KEY_STORE_CACHE_BYTES,
            decode: |_, value| decode(value),
            weigh: CustomKeyStoreRecord::weigh,
        };
        let custom_key_stores = Image::new(Arc::clone(&store), custom_key_stores);
        let inner = Inner {
            store,
            root_keys,
            clock,
            documents,
            authorizer,
            settings,
            keys,
            aliases,
            grantees,
            custom_key_stores,
            materials,
            working_keys: moka::sync::Cache::new(settings.material_cache_entries),
            heavy: heavy::Heavy::new(),
            unsaved_uses: last_use::Unsaved::default(),
            regions: ArcSwapOption::empty(),
            enforced: ArcSwap::from_pointee(Enforced::new(Quotas::default())),
            xks_transport: ArcSwap::from_pointee(Arc::new(NoTransport)),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Says which Regions are served, so that no key is replicated where nobody reaches it; none for
    /// every one. At first all are.
    pub fn serve_regions(&self, regions: Option<Vec<Region>>) {
        self.inner.regions.store(regions.map(Arc::new));
    }

    /// Puts quotas in force; at first AWS's resource quotas are, and no request quota. What there is more
    /// than they allow stays. Where the request rates are others, counting begins anew.
    pub fn enforce_quotas(&self, quotas: Quotas) {
        let enforced = self.inner.enforced.load().with(quotas);
        self.inner.enforced.store(Arc::new(enforced));
    }

    /// Counts a request against its caller's request quotas, once for each request however often it
    /// is tried.
    ///
    /// # Errors
    /// `ThrottlingException` for one that comes too soon.
    pub fn count_request(&self, resolved: &Resolved) -> Result<(), KmsError> {
        self.inner.enforced.load().throttle.count(resolved)
    }

    /// [`Kms::count_request`] for one that could not be resolved.
    ///
    /// # Errors
    /// `ThrottlingException` for one that comes too soon.
    pub fn count_unresolved(&self, operation: &str, account: AccountId, region: &Region) -> Result<(), KmsError> {
        let Some(kind) = Kind::named(operation) else { return Ok(()) };
        self.inner.enforced.load().throttle.count_unresolved(kind, account, region)
    }

    pub(super) fn enforced(&self) -> arc_swap::Guard<Arc<Enforced>> {
        self.inner.enforced.load()
    }

    /// Says how proxies of external key stores are reached. At first none is.
    pub fn reach_external_key_stores(&self, transport: Arc<dyn XksTransport>) {
        self.inner.xks_transport.store(Arc::new(transport));
    }

    /// Whether a region is served.
    #[must_use]
    pub fn serves(&self, region: &Region) -> bool {
        self.inner.regions.load().as_ref().is_none_or(|regions| regions.contains(region))
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// Does what is permitted. `directory` tells which principals a key policy may name.
    ///
    /// # Errors
    /// What AWS answers. On [`KmsError::is_conflict`] nothing was done, but that an AWS managed key which
    /// the request is the first to use may have been made: parse, resolve, authorise and execute anew, a
    /// bounded number of times.
    pub async fn execute(
        &self,
        permit: Permit<Resolved>,
        directory: &dyn PrincipalDirectory,
    ) -> Result<Answer, KmsError> {
        self.make_what_is_first_used(&permit.operation().target).await?;
        let operation = &permit.operation().operation;
        // What changes nothing may be done to the end, so that every error comes before the dry run's.
        let only_tried = operation.dry_run && !operation.is_mutation();
        let mut answer = self.execute_now(&permit, directory).await?;
        if only_tried {
            return Err(texts::dry_run());
        }
        if operation.kind.uses_its_key() {
            answer.used = permit.operation().target.keys();
        }
        Ok(answer)
    }

    async fn execute_now(
        &self,
        permit: &Permit<Resolved>,
        directory: &dyn PrincipalDirectory,
    ) -> Result<Answer, KmsError> {
        let resolved = permit.operation();
        let (kind, now) = (resolved.operation.kind, resolved.scene.now.as_millisecond());
        if let Target::Key(found) = &resolved.target {
            let key = found.key()?;
            available(&resolved.operation, key)?;
            in_state(kind.facts().states, key)?;
        }
        match (&resolved.target, &resolved.operation.input) {
            (Target::New(name), Input::CreateKey(create)) => {
                self.create_key(permit, name, create, directory, now).await
            }
            (target, Input::List { page, all_material, .. }) => match (kind, target) {
                (Kind::ListKeys, _) => self.list_keys(&resolved.scene, page).await,
                (Kind::ListAliases, Target::Key(found)) => {
                    self.list_aliases(&resolved.scene, Some(found.key()?), page).await
                }
                (Kind::ListAliases, _) => self.list_aliases(&resolved.scene, None, page).await,
                (Kind::ListKeyPolicies, Target::Key(found)) => Self::list_key_policies(found.key()?, page),
                (Kind::ListResourceTags, Target::Key(found)) => Self::list_resource_tags(found.key()?, page),
                (Kind::ListKeyRotations, Target::Key(found)) => {
                    self.list_key_rotations(found.key()?, page, *all_material).await
                }
                _ => Err(astray()),
            },
            (Target::Replica { primary, name }, Input::ReplicateKey(request)) => {
                in_state(States::Enabled, primary.key()?)?;
                self.replicate_key(permit, primary.key()?, name, request, directory, now).await
            }
            (Target::NewPrimary { primary, region, new }, _) => {
                in_state(States::Enabled, primary.key()?)?;
                self.update_primary_region(primary.key()?, region, new).await
            }
            (Target::Nothing, Input::Random { bytes, store: None }) => Self::generate_random(*bytes),
            (Target::Nothing, Input::Random { store: Some(store), .. }) => {
                self.refuse_random_of(&resolved.scene, store).await
            }
            (Target::Nothing, Input::CustomKeyStore(request)) => self.on_custom_key_store(resolved, request, now).await,
            (Target::Nothing, Input::ListRetirableGrants { retiring, page }) => {
                self.list_retirable_grants(&resolved.scene, retiring, page).await
            }
            (Target::Grant { key, grant }, _) => self.delete_grant(key.key()?, grant, resolved.operation.dry_run).await,
            (Target::Alias { name, row, present, new }, Input::Alias { .. }) => match (kind, new) {
                (Kind::CreateAlias, Some(new)) => self.create_alias(name, row.is_some(), new.key()?, now).await,
                (Kind::UpdateAlias, Some(new)) => {
                    self.update_alias(name, row.as_ref(), present.as_ref(), new.key()?, now).await
                }
                (Kind::DeleteAlias, None) => self.delete_alias(name, row.as_ref(), present.as_ref()).await,
                _ => Err(astray()),
            },
            (Target::ReEncrypt { source, destination }, Input::ReEncrypt(request)) => {
                for found in [source, destination] {
                    let key = found.key()?;
                    available(&resolved.operation, key)?;
                    in_state(States::Enabled, key)?;
                }
                if resolved.operation.ignores_ciphertext {
                    return Self::try_re_encrypt(source.key()?, destination.key()?, request);
                }
                self.re_encrypt(resolved, source.key()?, destination.key()?, request).await
            }
            (Target::Key(found), input) => self.execute_on(permit, found.key()?, input, directory, now).await,
            _ => Err(astray()),
        }
    }

    async fn execute_on(
        &self,
        permit: &Permit<Resolved>,
        key: &Key,
        input: &Input,
        directory: &dyn PrincipalDirectory,
        now: i64,
    ) -> Result<Answer, KmsError> {
        match (permit.operation().operation.kind, input) {
            (Kind::DescribeKey, _) => Ok(Self::describe_key(key)),
            (Kind::EnableKey, _) => self.enable_key(key, now).await,
            (Kind::DisableKey, _) => self.disable_key(key).await,
            (Kind::CancelKeyDeletion, _) => self.cancel_key_deletion(key, now).await,
            (_, Input::ScheduleKeyDeletion { window_days, .. }) => {
                self.schedule_key_deletion(key, *window_days, now).await
            }
            (_, Input::UpdateKeyDescription { description, .. }) => self.update_key_description(key, description).await,
            (_, Input::GetKeyPolicy { policy_name, .. }) => Self::key_policy(key, policy_name.as_deref()),
            (_, Input::PutKeyPolicy { policy_name, policy, bypass, .. }) => {
                self.put_key_policy(permit, key, policy_name.as_deref(), policy, bypass.unwrap_or(false), directory)
                    .await
            }
            (_, Input::Tag { tags, .. }) => self.tag_resource(key, tags).await,
            (_, Input::Untag { tag_keys, .. }) => self.untag_resource(key, tag_keys).await,
            (_, Input::EnableKeyRotation { period_days, .. }) => self.enable_key_rotation(key, *period_days, now).await,
            (_, Input::CreateGrant(create)) => {
                let resolved = permit.operation();
                self.create_grant(key, create, &resolved.scene, directory, resolved.operation.dry_run).await
            }
            (_, Input::ListGrants { grant_id, grantee, page, .. }) => {
                self.list_grants(key, grant_id.as_deref(), grantee.as_deref(), page).await
            }
            (_, Input::RevokeGrant { grant_id, .. }) => {
                let grant = self.grant(&key.view().name, grant_id).await?;
                let grant = grant.ok_or_else(|| texts::no_such_grant(grant_id))?;
                self.delete_grant(key, &grant, permit.operation().operation.dry_run).await
            }
            (Kind::DisableKeyRotation, _) => self.disable_key_rotation(key).await,
            (Kind::GetKeyLastUsage, _) => self.key_last_usage(key).await,
            (Kind::GetKeyRotationStatus, _) => self.key_rotation_status(key).await,
            (Kind::RotateKeyOnDemand, _) => self.rotate_key_on_demand(key, now).await,
            (_, Input::Encrypt { plaintext, context, algorithm, .. }) => {
                self.encrypt(permit.operation(), key, plaintext, context, algorithm.as_deref()).await
            }
            (_, Input::Decrypt { context, algorithm, .. }) if permit.operation().operation.ignores_ciphertext => {
                Self::try_decrypt(key, context, algorithm.as_deref())
            }
            (_, Input::Decrypt { ciphertext, context, algorithm, .. }) => {
                self.decrypt(permit.operation(), key, ciphertext, context, algorithm.as_deref()).await
            }
            (_, Input::DataKey { context, spec, bytes, .. }) => {
                self.generate_data_key(permit.operation(), key, context, spec.as_deref(), *bytes).await
            }
            (_, Input::DataKeyPair { context, pair_spec, .. }) => {
                self.generate_data_key_pair(permit.operation(), key, context, *pair_spec).await
            }
            (Kind::GetPublicKey, _) => self.public_key(key).await,
            (_, Input::GetParametersForImport { algorithm, wrapping_spec, .. }) => {
                self.parameters_for_import(key, *algorithm, *wrapping_spec, now).await
            }
            (_, Input::ImportKeyMaterial(request)) => self.import_key_material(key, request, now).await,
            (_, Input::DeleteImportedKeyMaterial { material_id, .. }) => {
                self.delete_imported_key_material(key, material_id.as_deref()).await
            }
            (_, Input::Agreement { algorithm, public_key, .. }) => {
                self.derive_shared_secret(key, *algorithm, public_key).await
            }
            (Kind::GenerateMac, Input::Mac(request)) => self.generate_mac(key, request).await,
            (Kind::VerifyMac, Input::Mac(request)) => self.verify_mac(key, request).await,
            (Kind::Sign, Input::Signature(request)) => self.sign(key, request).await,
            (Kind::Verify, Input::Signature(request)) => self.verify(key, request).await,
            _ => Err(astray()),
        }
    }

    /// A key by its name, with its policy compiled. What is overdue for it is done first.
    pub(super) async fn find(&self, name: &KeyName, now: Timestamp) -> Result<Found, KmsError> {
        let row = rows::key(name);
        for _ in 0..ATTEMPTS {
            let Some(record) = self.inner.keys.get(&row).await? else {
                let arn = name.arn()?;
                return Ok(Found::Missing { error: texts::no_such_key(arn.as_str()), arn });
            };
            if due::is_overdue(&record.value.record, now.as_millisecond()) {
                self.catch_up(record, now.as_millisecond()).await?;
                continue;
            }
            // None where the policy's row has gone: the record was replaced meanwhile.
            if let Some(policy) = self.policy_of(&record.value).await? {
                let store = self.store_of(&record.value).await?;
                return Ok(Found::Key(Key { record, policy, store }));
            }
        }
        Err(KmsError::conflicting())
    }

    /// Moves the engine's clock forward, durably, does what fell due, and answers the clock's now.
    ///
    /// # Errors
    /// `ValidationException` for a date past the year 9000; internal failures.
    pub async fn advance_clock(&self, seconds: u64) -> Result<Timestamp, KmsError> {
        let too_far = || texts::validation("advance_seconds leads past the year 9000.");
        let step = i64::try_from(seconds).map_err(|_| too_far())?;
        for _ in 0..ATTEMPTS {
            let present =
                read_offset(&*self.inner.store).await.map_err(|error| KmsError::internal(error.to_string()))?;
            let offset =
                present.map_or(0, |(record, _)| record.offset_seconds).checked_add(step).ok_or_else(too_far)?;
            let now = self.inner.clock.now().as_second();
            if now.saturating_add(step) > LAST_SECOND {
                return Err(too_far());
            }
            let mut change = match present {
                Some((_, mod_rev)) => change::Change::default().unchanged(rows::CLOCK.to_vec(), mod_rev),
                None => change::Change::default().absent(rows::CLOCK.to_vec()),
            };
            change.put(rows::CLOCK.to_vec(), &ClockRecord { offset_seconds: offset })?;
            match self.commit(change).await {
                Ok(()) => {
                    self.inner.clock.set_offset_seconds(offset);
                    self.rotate_due().await?;
                    return Ok(self.inner.clock.now());
                }
                Err(crate::store::CommitError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(KmsError::conflicting())
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.inner.store
    }

    pub(super) fn aliases(&self) -> &Image<AliasRecord> {
        &self.inner.aliases
    }

    pub(super) fn grantees(&self) -> &Image<GranteeView> {
        &self.inner.grantees
    }

    fn root_keys(&self) -> Arc<RootKeys> {
        self.inner.root_keys.load_full()
    }

    fn materials(&self) -> &moka::sync::Cache<material::MaterialKey, Arc<BackingKey>> {
        &self.inner.materials
    }

    fn working_keys(&self) -> &moka::sync::Cache<material::MaterialKey, Arc<WorkingKey>> {
        &self.inner.working_keys
    }

    fn heavy(&self) -> &heavy::Heavy {
        &self.inner.heavy
    }

    pub(super) fn clock_now(&self) -> Timestamp {
        self.inner.clock.now()
    }
}

impl std::fmt::Debug for Kms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kms").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

/// How often reading and changing is tried anew where another writer came between.
const ATTEMPTS: usize = 16;

/// 9000-01-01T00:00:00Z, in seconds since 1970: no test clock goes past it.
const LAST_SECOND: i64 = 221_845_392_000;

async fn read_offset(store: &dyn Store) -> Result<Option<(ClockRecord, u64)>, OpenError> {
    let found = store.snapshot().await?.get(rows::CLOCK).await?;
    found
        .map(|found| {
            decode(&found.value)
                .map(|record| (record, found.mod_rev))
                .map_err(|what| OpenError::Unreadable(format!("kms/clock: {what}")))
        })
        .transpose()
}

/// Whether an operation reaches its key, where it needs to: cryptographic operations alone do.
fn available(operation: &Operation, key: &Key) -> Result<(), KmsError> {
    if operation.kind.uses_its_key() && key.is_unavailable() {
        return Err(texts::unavailable(key.arn().as_str()));
    }
    Ok(())
}

/// Whether an operation works in its key's state (the table of [`States`]).
fn in_state(states: States, key: &Key) -> Result<(), KmsError> {
    let arn = key.arn().as_str();
    match (states, key.view().record.state) {
        (States::PendingDeletion, State::Enabled | State::Disabled | State::PendingImport) => {
            Err(texts::not_pending_deletion(arn))
        }
        (States::Any | States::PendingDeletion, _) | (_, State::Enabled) => Ok(()),
        (_, State::PendingDeletion { .. }) => Err(texts::pending_deletion(arn)),
        (_, State::PendingReplicaDeletion { .. }) => Err(texts::pending_replica_deletion(arn)),
        (States::Enabled | States::EnabledOrPendingImport, State::Disabled) => Err(texts::disabled(arn)),
        (States::Enabled | States::EnabledOrDisabled, State::PendingImport) => Err(texts::pending_import(arn)),
        (_, State::Disabled | State::PendingImport) => Ok(()),
    }
}

/// The answer about a key.
fn answer(key: &Key, body: Option<JsonText>) -> Answer {
    let view = key.view();
    Answer {
        body,
        resources: vec![view.arn.clone()],
        response_elements: Value::Null,
        key: Timestamp::from_millisecond(view.record.created).ok().map(|created| (view.name.id, created)),
        used: [None, None],
    }
}

/// An answer of members beside the key's ARN.
fn answered(key: &Key, members: impl FnOnce(ObjectText) -> ObjectText) -> Answer {
    answer(key, Some(members(ObjectText::new().text("KeyId", key.arn().as_str())).finish()))
}

/// The answer of a change to a key, which the audit shows by the key's ARN.
fn changed_to(key: &Key, body: Option<JsonText>) -> Answer {
    let mut answer = answer(key, body);
    answer.response_elements = json!({"keyId": key.arn().as_str()});
    answer
}

/// The empty answer of a change to a key.
fn changed(key: &Key) -> Answer {
    changed_to(key, None)
}

/// A date as AWS JSON has it: seconds since 1970 with milliseconds.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of this era fit 53 bits")]
fn seconds(milliseconds: i64) -> Value {
    json!(milliseconds as f64 / 1000.0)
}

/// An operation met a target that resolving never gives it.
fn astray() -> KmsError {
    KmsError::internal("the operation and what was resolved for it do not belong together")
}
