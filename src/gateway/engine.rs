use std::fs;
use std::sync::Arc;

use super::run::ServeError;
use crate::authz::{self, Authorizer};
use crate::aws::{OffsetClock, SystemClock};
use crate::cedar::Documents;
use crate::config::Config;
use crate::kms::{self, Kms};
use crate::seal::RootKey;
use crate::store::{self, DATA_FILE, RedbSettings, RedbStore};

/// Opens the store, which locks the data directory.
pub(super) fn open_store(config: &Config) -> Result<RedbStore, store::OpenError> {
    let settings = RedbSettings { cache_bytes: bytes(config.store.cache_bytes), ..RedbSettings::default() };
    RedbStore::open(&config.data_dir, &settings)
}

fn bytes(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Opens the engine over a store, with every root key that it needs. What a rotation of the root
/// key that was cut short left to do with its files is done.
pub(super) async fn open(
    config: &Config,
    store: RedbStore,
    root_key: RootKey,
    clock: OffsetClock,
    documents: &Arc<Documents>,
    authorizer: &Arc<Authorizer>,
    test_clock: bool,
) -> Result<Kms, ServeError> {
    let needed = kms::root_key_ids(&store).await?;
    let ids = needed.iter().flat_map(|ids| [Some(ids.current.as_str()), ids.next.as_deref()]).flatten();
    let root_keys = config.root_key.find(root_key, ids)?;
    let settings = kms::Settings {
        record_cache_bytes: bytes(config.engine.key_cache_bytes),
        max_keys: config.engine.max_keys,
        max_grants_per_key: config.engine.max_grants_per_key,
        encryption_context_max_bytes: bytes(config.engine.encryption_context_max_bytes),
        ..kms::Settings::default()
    };
    let (documents, authorizer) = (Arc::clone(documents), Arc::clone(authorizer));
    let kms = Kms::open(Arc::new(store), root_keys, clock, documents, authorizer, settings, test_clock).await?;
    let ids = kms.root_key_ids();
    if ids.next.is_none()
        && let Err(error) = config.root_key.settle(&ids.current)
    {
        tracing::warn!(%error, "the root key was rotated, and its files could not be put in order: the next start tries again");
    }
    Ok(kms)
}

/// The engine over a data directory that no server uses; none where one does.
///
/// # Errors
/// A directory that holds no data, and whatever keeps a server from starting there.
pub async fn open_stopped(config: &Config) -> Result<Option<Kms>, ServeError> {
    let file = config.data_dir.join(DATA_FILE);
    if !fs::exists(&file)? {
        return Err(ServeError::NoData(config.data_dir.clone()));
    }
    let store = match open_store(config) {
        Ok(store) => store,
        Err(store::OpenError::Locked(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // After the lock: where a server runs, the root key may be in a variable of its own.
    let root_key = config.root_key.read()?.ok_or_else(|| ServeError::NoRootKey(config.data_dir.clone()))?;
    let clock = OffsetClock::new(Arc::new(SystemClock), 0);
    let authorizer = Arc::new(Authorizer::new(authz::Settings { max_bytes: 0 }));
    let documents = Arc::new(Documents::default());
    // A clock that was moved is no matter here: it dates an event or two.
    open(config, store, root_key, clock, &documents, &authorizer, true).await.map(Some)
}
