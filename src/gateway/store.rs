use std::sync::Arc;

use rustls::ClientConfig;
use uuid::Uuid;

use super::run::ServeError;
use super::trust;
use crate::config::{Config, ConfigError, read_secret, write_atomically};
use crate::store::{PostgresSettings, PostgresStore, PostgresTls, RedbSettings, RedbStore, Store};

/// Opens the store that is configured; the embedded one is locked by that.
///
/// # Errors
/// A store that does not open, and the files of its settings that can't be read.
pub async fn open(config: &Config) -> Result<Arc<dyn Store>, ServeError> {
    if let Some(settings) = postgres_settings(config)? {
        return Ok(Arc::new(PostgresStore::open(settings).await?));
    }
    let cache_bytes = usize::try_from(config.store.cache_bytes).unwrap_or(usize::MAX);
    let settings = RedbSettings { cache_bytes, ..RedbSettings::default() };
    Ok(Arc::new(RedbStore::open(&config.data_dir, &settings)?))
}

/// In the data directory: by which this gateway claims what one gateway alone may do.
const GATEWAY_ID_FILE: &str = "gateway.id";

/// What tells this gateway from the others that share its store; none where it is alone. Made once, and
/// kept in the data directory.
pub(super) fn gateway_id(config: &Config) -> Result<Option<Uuid>, ConfigError> {
    if config.store.postgres.is_none() {
        return Ok(None);
    }
    let file = config.data_dir.join(GATEWAY_ID_FILE);
    match std::fs::read_to_string(&file) {
        Ok(text) => match text.trim().parse() {
            Ok(id) => Ok(Some(id)),
            Err(_) => Err(config.error("data_dir", format!("{} holds no UUID; remove it", file.display()))),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let id = Uuid::new_v4();
            write_atomically(&file, format!("{id}\n").as_bytes())?;
            Ok(Some(id))
        }
        Err(error) => Err(config.error("data_dir", format!("{}: {error}", file.display()))),
    }
}

/// How the configured database is reached; none where the store is the embedded one.
///
/// # Errors
/// A file of the password or of certificate authorities that can't be read.
pub fn postgres_settings(config: &Config) -> Result<Option<PostgresSettings>, ConfigError> {
    let Some(postgres) = &config.store.postgres else { return Ok(None) };
    let password = postgres.password_file.as_deref().map(|file| read_secret(file, "read the password")).transpose()?;
    let tls = if postgres.verifies_server {
        let wrong = |message: String| config.error("store.ca_file", message);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(error.to_string()))?
            .with_root_certificates(trust::roots(postgres.ca_file.as_deref()).map_err(wrong)?)
            .with_no_client_auth();
        PostgresTls::VerifyFull(Arc::new(tls))
    } else {
        PostgresTls::Off
    };
    Ok(Some(PostgresSettings {
        hosts: postgres.hosts.clone(),
        database: postgres.database.clone(),
        user: postgres.user.clone(),
        password: password.map(|text| text.trim_end_matches(['\r', '\n']).to_owned().into()),
        tls,
        max_staleness: postgres.max_staleness,
        connections: postgres.connections as usize,
    }))
}
