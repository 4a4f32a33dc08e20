use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ServerConfig;

use super::engine;
use super::key_sets::KeySetFetcher;
use super::outbound::Outbound;
use super::route::Routes;
use super::state::{Live, State};
use crate::cedar::Documents;
use crate::config::{AdminToken, Config, ConfigError, Overrides, TlsSettings, load_directory};

/// Reads the configuration anew and puts it in the old one's place: all of it, or nothing.
pub(super) struct Reloader {
    pub(super) file: Option<PathBuf>,
    pub(super) overrides: Overrides,
    pub(super) documents: Arc<Documents>,
    /// The configuration in force.
    pub(super) current: Mutex<Config>,
}

/// What a configuration brings.
type Prepared = (Config, Live, Option<Arc<ServerConfig>>, Outbound, KeySetFetcher);

impl Reloader {
    /// Reloads, reads files and compiles policies: not for an async thread.
    pub(super) fn reload(&self, state: &State) {
        match self.prepare(state) {
            Ok((config, live, tls, outbound, key_sets)) => {
                state.limits.send_replace(config.limits);
                state.tls.send_replace(tls);
                state.proxy_protocol.send_replace(config.proxy_protocol.clone().map(Arc::new));
                state.kms.serve_regions(config.regions.clone());
                state.kms.enforce_quotas(engine::quotas(&config.quotas));
                state.kms.reach_external_key_stores(Arc::new(outbound));
                state.sts.fetch_key_sets(Box::new(key_sets));
                state.live.store(Arc::new(live));
                *self.current.lock().unwrap_or_else(PoisonError::into_inner) = config;
                state.telemetry.reloads.inc();
                tracing::info!("reloaded");
            }
            Err(error) => {
                state.telemetry.failed_reloads.inc();
                tracing::error!(%error, "not reloaded: the configuration in force stays");
            }
        }
    }

    fn prepare(&self, state: &State) -> Result<Prepared, ConfigError> {
        let config = Config::load(self.file.as_deref(), &self.overrides)?;
        self.current.lock().unwrap_or_else(PoisonError::into_inner).reload_compatible(&config)?;
        let directory = load_directory(&config, &self.documents)?;
        let routes = Routes::new(&config, &directory, &self.documents)?;
        let (sealing_key, documents) = (Arc::clone(state.sts.sealing_key()), Arc::clone(&self.documents));
        let guards = state.live.load().guards.with(config.limits);
        let admin_token = config.admin_token_file.as_deref().map(AdminToken::load).transpose()?;
        let live = Live::new(&config, directory, sealing_key, documents, routes, guards, admin_token);
        let live = live.map_err(|error| ConfigError {
            file: self.file.as_ref().map(|file| file.display().to_string()),
            place: None,
            member: "signature.max_skew_seconds".to_owned(),
            message: error.to_string(),
        })?;
        let tls = config.tls.as_ref().map(TlsSettings::load).transpose()?;
        let outbound = Outbound::new(&config)?;
        let key_sets = KeySetFetcher::new(&config)?;
        Ok((config, live, tls, outbound, key_sets))
    }
}
