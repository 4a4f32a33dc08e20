use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::sync::{Mutex, Notify, Semaphore, watch};
use uuid::Uuid;

use super::admin_access::AdminAccess;
use super::limits::Guards;
use super::root_key::Rotator;
use super::route::Routes;
use super::telemetry::Telemetry;
use crate::audit::AuditLog;
use crate::authz::Authorizer;
use crate::aws::{Clock, OffsetClock};
use crate::cedar::Documents;
use crate::config::{AdminToken, Config, ExplainSettings, Limits, ProxyProtocolSettings, TrustedAddresses};
use crate::identity::{Directory, Sessions};
use crate::kms::Kms;
use crate::seal::SealingKey;
use crate::sigv4::{InvalidSkew, Settings, Verifier};
use crate::simulate::Questions;
use crate::store::Store;
use crate::sts::Sts;

/// Everything that requests share.
pub(super) struct State {
    /// What a reload replaces, as a whole.
    pub(super) live: ArcSwap<Live>,
    /// What the listeners keep to; changes with `live`.
    pub(super) limits: watch::Sender<Limits>,
    /// How the gateway's listener speaks TLS; changes with `live`.
    pub(super) tls: watch::Sender<Option<Arc<ServerConfig>>>,
    /// Who speaks the PROXY protocol to the gateway's listener; changes with `live`.
    pub(super) proxy_protocol: watch::Sender<Option<Arc<ProxyProtocolSettings>>>,
    pub(super) authorizer: Arc<Authorizer>,
    pub(super) kms: Kms,
    /// What the engine keeps its records in.
    pub(super) store: Arc<dyn Store>,
    pub(super) sts: Sts,
    pub(super) audit: Arc<AuditLog>,
    /// Wall-clock: signatures, the audit's times.
    pub(super) clock: Arc<dyn Clock>,
    /// Schedules, policies, sessions.
    pub(super) engine_clock: OffsetClock,
    pub(super) telemetry: Telemetry,
    /// Whether `POST /clock` is served.
    pub(super) test_clock: bool,
    /// Who may use what the admin listener guards.
    pub(super) access: AdminAccess,
    /// Rotates the root key.
    pub(super) rotator: Rotator,
    /// Decides the cases of `POST /authorize`.
    pub(super) questions: Questions,
    /// One backup at a time.
    pub(super) backups: Arc<Semaphore>,
    /// Whether the server is on its way out: not ready for more.
    pub(super) draining: AtomicBool,
    /// Wakes the scheduler before its time.
    pub(super) scheduler: Notify,
    /// By which this gateway claims events, where several share the store: none where it is alone.
    pub(super) gateway_id: Option<Uuid>,
    /// Held by who moves service events into the audit log; holds the ids of events that were
    /// recorded before the last start and may come again.
    pub(super) recorded_events: Mutex<HashSet<Uuid>>,
}

/// What a reload replaces.
pub(super) struct Live {
    pub(super) directory: Arc<Directory>,
    /// The access keys of the directory, and the sessions of who is in it.
    pub(super) sessions: Sessions,
    pub(super) verifier: Verifier,
    pub(super) routes: Routes,
    pub(super) limits: Limits,
    pub(super) explain: ExplainSettings,
    pub(super) guards: Guards,
    /// Whose `X-Forwarded-` headers are believed.
    pub(super) trusted_forwarders: Option<TrustedAddresses>,
    /// What opens the admin listener; none where it is open.
    pub(super) admin_token: Option<AdminToken>,
}

impl Live {
    pub(super) fn new(
        config: &Config,
        directory: Directory,
        sealing_key: Arc<SealingKey>,
        documents: Arc<Documents>,
        routes: Routes,
        guards: Guards,
        admin_token: Option<AdminToken>,
    ) -> Result<Self, InvalidSkew> {
        let directory = Arc::new(directory);
        let verifier = Verifier::new(Settings {
            max_skew_seconds: u32::try_from(config.signature.max_skew.as_secs()).unwrap_or(u32::MAX),
            regions: config.regions.clone(),
            ..Settings::default()
        })?;
        Ok(Self {
            sessions: Sessions::new(Arc::clone(&directory), sealing_key, documents),
            directory,
            verifier,
            routes,
            limits: config.limits,
            explain: config.explain,
            guards,
            trusted_forwarders: config.trusted_forwarders.clone(),
            admin_token,
        })
    }

    /// The longest body, in bytes.
    pub(super) fn max_body_bytes(&self) -> usize {
        usize::try_from(self.limits.max_body_bytes).unwrap_or(usize::MAX)
    }
}
