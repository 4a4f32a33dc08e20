use std::fs;
use std::sync::Arc;

use super::run::ServeError;
use super::store::open as open_store;
use crate::authz::{self, Authorizer};
use crate::aws::{OffsetClock, SystemClock};
use crate::cedar::Documents;
use crate::config::{Config, DataLock, QuotaSettings, UNFINISHED_RESTORE};
use crate::kms::{self, Kms, Quotas};
use crate::seal::RootKey;
use crate::store::{self, DATA_FILE, Store};

fn bytes(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// The quotas as they are set.
pub(super) fn quotas(settings: &QuotaSettings) -> Quotas {
    Quotas {
        keys: settings.keys,
        aliases_per_key: settings.aliases_per_key as usize,
        grants_per_key: settings.grants_per_key,
        key_policy_bytes: bytes(settings.key_policy_bytes),
        custom_key_stores: settings.custom_key_stores,
        request_rates: settings.request_rates.clone(),
    }
}

/// Opens the engine over a store, with every root key that it needs. What a rotation of the root
/// key that was cut short left to do with its files is done.
pub(super) async fn open(
    config: &Config,
    store: Arc<dyn Store>,
    root_key: RootKey,
    clock: OffsetClock,
    documents: &Arc<Documents>,
    authorizer: &Arc<Authorizer>,
    test_clock: bool,
) -> Result<Kms, ServeError> {
    store::copy::require_finished(&*store).await?;
    let needed = kms::root_key_ids(&*store).await?;
    let ids = needed.iter().flat_map(|ids| [Some(ids.current.as_str()), ids.next.as_deref()]).flatten();
    let root_keys = config.root_key.find(root_key, ids)?;
    let settings = kms::Settings {
        record_cache_bytes: bytes(config.engine.key_cache_bytes),
        encryption_context_max_bytes: bytes(config.engine.encryption_context_max_bytes),
        ..kms::Settings::default()
    };
    let (documents, authorizer) = (Arc::clone(documents), Arc::clone(authorizer));
    let kms = Kms::open(store, root_keys, clock, documents, authorizer, settings, test_clock).await?;
    let ids = kms.root_key_ids();
    if ids.next.is_none()
        && let Err(error) = config.root_key.settle(&ids.current)
    {
        tracing::warn!(%error, "the root key was rotated, and its files could not be put in order: the next start tries again");
    }
    Ok(kms)
}

/// Refuses a data directory whose data a restore was to make and did not finish. What a finished
/// one left behind is removed. The caller holds the directory's lock: no restore is at work.
pub(super) fn require_finished_restore(config: &Config) -> Result<(), ServeError> {
    let unfinished = config.data_dir.join(UNFINISHED_RESTORE);
    if !fs::exists(&unfinished)? {
        return Ok(());
    }
    if fs::exists(config.data_dir.join(DATA_FILE))? {
        fs::remove_dir_all(&unfinished)?;
        return Ok(());
    }
    Err(ServeError::UnfinishedRestore { data_dir: config.data_dir.clone(), unfinished })
}

/// The engine over a data directory that no other process uses, behind the lock of that directory;
/// none where one does.
///
/// # Errors
/// A directory that holds no data, and whatever keeps a server from starting there.
pub async fn open_stopped(config: &Config) -> Result<Option<(DataLock, Kms)>, ServeError> {
    let holds = |name| fs::exists(config.data_dir.join(name));
    let is_embedded = config.store.postgres.is_none();
    if is_embedded && !holds(DATA_FILE)? && !holds(UNFINISHED_RESTORE)? {
        return Err(ServeError::NoData(config.data_dir.clone()));
    }
    let Some(lock) = DataLock::try_take(&config.data_dir)? else { return Ok(None) };
    require_finished_restore(config)?;
    // A restore may have failed since: what opens the store would make one.
    if is_embedded && !holds(DATA_FILE)? {
        return Err(ServeError::NoData(config.data_dir.clone()));
    }
    let store = match open_store(config).await {
        Ok(store) => store,
        Err(ServeError::Store(store::OpenError::Locked(_))) => return Ok(None),
        Err(error) => return Err(error),
    };
    // After the lock: where a server runs, the root key may be in a variable of its own.
    let root_key = config.root_key.read()?.ok_or_else(|| ServeError::NoRootKey(config.data_dir.clone()))?;
    let clock = OffsetClock::new(Arc::new(SystemClock), 0);
    let authorizer = Arc::new(Authorizer::new(authz::Settings { max_bytes: 0 }));
    let documents = Arc::new(Documents::default());
    // A clock that was moved is no matter here: it dates an event or two.
    let kms = open(config, store, root_key, clock, &documents, &authorizer, true).await?;
    Ok(Some((lock, kms)))
}
