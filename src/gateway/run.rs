use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, Semaphore, watch};

use super::admin_access::AdminAccess;
use super::door::Door;
use super::key_sets::KeySetFetcher;
use super::limits::Guards;
use super::listener::Listener;
use super::outbound::Outbound;
use super::reload::Reloader;
use super::root_key::Rotator;
use super::route::Routes;
use super::server::Server;
use super::state::{Live, State};
use super::telemetry::{Limit, Reading, Readings, Telemetry, init_logging};
use super::{admin, engine, pipeline, scheduler};
use crate::audit::{self, AuditError, AuditLog};
use crate::authz::{self, Authorizer};
use crate::aws::{Clock, OffsetClock, SystemClock};
use crate::cedar::Documents;
use crate::config::{
    AdminToken, Config, ConfigError, DataDir, DataLock, ListenAddress, Overrides, TlsSettings, load_directory,
    prepare_data_dir,
};
use crate::kms;
use crate::seal::SealError;
use crate::sigv4::InvalidSkew;
use crate::simulate::Questions;
use crate::store::{self, Store};
use crate::sts::Sts;

/// How `serve` was called.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// The flags that beat the file.
    pub overrides: Overrides,
}

/// Why the server did not start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Something in the configuration, or in a file that it names.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The signature settings are out of range.
    #[error(transparent)]
    Skew(#[from] InvalidSkew),
    /// The system has no random bytes.
    #[error(transparent)]
    Random(#[from] SealError),
    /// A command found nothing to work on.
    #[error("{0} holds no data")]
    NoData(PathBuf),
    /// A restore was cut short: there may be nothing else in the directory, which is yet not new.
    #[error(
        "{data_dir}: a restore into this data directory was not finished: run `keystile restore` again, or remove \
         {unfinished} to begin with an empty store"
    )]
    UnfinishedRestore {
        /// The data directory.
        data_dir: PathBuf,
        /// What the restore left.
        unfinished: PathBuf,
    },
    /// A command found data and no root key.
    #[error("the root key of {0} is not there: put it back")]
    NoRootKey(PathBuf),
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] store::OpenError),
    /// The database that gateways share does not open.
    #[error("[store] {0}")]
    Postgres(#[from] store::PostgresError),
    /// The store is what a copy that was cut short left, or can't be read.
    #[error(transparent)]
    Copy(#[from] store::copy::CopyError),
    /// The engine does not open.
    #[error(transparent)]
    Engine(#[from] kms::OpenError),
    /// The key that seals sessions can't be read, or made.
    #[error("the key that seals sessions: {0}")]
    SealingKey(String),
    /// The audit log does not open.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// A listener can't be had.
    #[error("cannot listen on {address} ({member}): {error}")]
    Listen {
        /// The configuration's member.
        member: &'static str,
        /// The address.
        address: ListenAddress,
        /// What the system said.
        error: io::Error,
    },
    /// The system refused a thread, a signal handler or standard output.
    #[error("{0}")]
    System(#[from] io::Error),
}

/// Signal 25, "file size limit exceeded": handled, so that a write past the limit is an error of
/// that write and not the end of the process.
const SIGXFSZ: i32 = 25;

/// Runs the server until SIGTERM or SIGINT, and drains it.
///
/// # Errors
/// [`ServeError`]: nothing was served. Once the listeners are announced, only a failing system
/// call ends it with an error.
pub fn run(options: Options) -> Result<(), ServeError> {
    let config = Config::load(options.config.as_deref(), &options.overrides)?;
    init_logging(config.log);
    runtime(config.limits.worker_threads)?.block_on(serve(config, options))
}

/// For one worker no second thread, whose hand-overs would only cost.
fn runtime(workers: u32) -> io::Result<Runtime> {
    match workers {
        1 => tokio::runtime::Builder::new_current_thread().enable_all().build(),
        workers => tokio::runtime::Builder::new_multi_thread().worker_threads(workers as usize).enable_all().build(),
    }
}

async fn serve(config: Config, options: Options) -> Result<(), ServeError> {
    let mut signals = Signals::new()?;
    let listeners = Listeners::bind(&config).await?;
    let documents = Arc::new(Documents::default());
    // Before anything is made on disk: broken identities leave no half-made data directory.
    load_directory(&config, &documents)?;
    let tls = config.tls.as_ref().map(TlsSettings::load).transpose()?;
    let admin_token = config.admin_token_file.as_deref().map(AdminToken::load).transpose()?;
    // Held until everything else of this function is gone.
    let _lock = DataLock::take(&config.data_dir)?;
    engine::require_finished_restore(&config)?;
    let data_dir = prepare_data_dir(&config)?;
    let access = AdminAccess::new(listeners.admin.address()?)?;
    let state = Arc::new(open(&config, &data_dir, &documents, access, admin_token, tls).await?);
    let written = state.access.write(&data_dir.path)?;
    let reloader = Arc::new(Reloader {
        file: options.config,
        overrides: options.overrides,
        documents,
        current: Mutex::new(config.clone()),
    });

    let (stop, stopped) = watch::channel(false);
    let (stop_admin, admin_stopped) = watch::channel(false);
    listeners.announce(&data_dir, state.tls.borrow().is_some())?;
    let scheduler = tokio::spawn(scheduler::run(Arc::clone(&state), stopped.clone()));
    let shared = Arc::clone(&state);
    let count_connection = move |origin| {
        let live = shared.live.load();
        let admitted = live.guards.admit_connection(origin, live.trusted_forwarders.as_ref());
        admitted.inspect_err(|_| shared.telemetry.limited(Limit::source_connections))
    };
    let gateway = Server {
        listener: listeners.gateway,
        limits: state.limits.subscribe(),
        tls: state.tls.subscribe(),
        door: Some(Door {
            proxy_protocol: state.proxy_protocol.subscribe(),
            unproxied: state.telemetry.unproxied.clone(),
            admit: Arc::new(count_connection),
        }),
        connections: state.telemetry.connections.clone(),
    };
    let shared = Arc::clone(&state);
    let gateway =
        tokio::spawn(gateway.run(move |peer, request| pipeline::handle(Arc::clone(&shared), peer, request), stopped));
    let admin = Server {
        listener: listeners.admin,
        limits: state.limits.subscribe(),
        tls: watch::channel(None).1,
        door: None,
        connections: state.telemetry.admin_connections.clone(),
    };
    let shared = Arc::clone(&state);
    let rotator = Arc::clone(&state);
    let stopped = admin_stopped.clone();
    let rotator = tokio::spawn(async move { rotator.rotator.run(&rotator.kms, stopped).await });
    let admin =
        tokio::spawn(admin.run(move |peer, request| admin::handle(Arc::clone(&shared), peer, request), admin_stopped));

    signals.until_told_to_stop(&state, &reloader).await;
    tracing::info!("draining");
    state.draining.store(true, Ordering::Release);
    stop.send_replace(true);
    let within = state.live.load().limits.drain_timeout;
    // The admin listener stays until the gateway is done: readiness is asked of it meanwhile.
    if tokio::time::timeout(within, gateway).await.is_err() {
        tracing::warn!("requests were still under way at the end of the drain time; their connections are cut");
    }
    stop_admin.send_replace(true);
    let _ = tokio::time::timeout(std::time::Duration::from_millis(500), admin).await;
    let _ = scheduler.await;
    let _ = rotator.await;
    if let Err(error) = state.kms.save_uses().await {
        tracing::error!(%error, "the last uses of keys could not be saved");
    }
    drop(written);
    let closing = Arc::clone(&state);
    let _ = tokio::task::spawn_blocking(move || closing.audit.close()).await;
    tracing::info!("stopped");
    Ok(())
}

async fn open(
    config: &Config,
    data_dir: &DataDir,
    documents: &Arc<Documents>,
    access: AdminAccess,
    admin_token: Option<AdminToken>,
    tls: Option<Arc<ServerConfig>>,
) -> Result<State, ServeError> {
    let directory = load_directory(config, documents)?;
    let routes = Routes::new(config, &directory, documents)?;
    let outbound = Outbound::new(config)?;
    let key_sets = KeySetFetcher::new(config)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let engine_clock = OffsetClock::new(Arc::clone(&clock), 0);
    let authorizer = Arc::new(Authorizer::new(authz::Settings { max_bytes: config.decision_cache.max_bytes }));
    let store = super::store::open(config).await?;
    let kms = engine::open(
        config,
        Arc::clone(&store),
        data_dir.root_key.clone(),
        engine_clock.clone(),
        documents,
        &authorizer,
        config.test_clock,
    )
    .await?;
    let sealing_key = kms.sealing_key().await.map_err(|error| ServeError::SealingKey(error.to_string()))?;
    let sts = Sts::new(Arc::new(sealing_key), Arc::clone(documents));
    sts.fetch_key_sets(Box::new(key_sets));
    let (sealing_key, guards) = (Arc::clone(sts.sealing_key()), Guards::new(config.limits));
    let live = Live::new(config, directory, sealing_key, Arc::clone(documents), routes, guards, admin_token)?;
    kms.serve_regions(config.regions.clone());
    kms.enforce_quotas(engine::quotas(&config.quotas));
    kms.reach_external_key_stores(Arc::new(outbound));
    let (audit, recovery) = AuditLog::open(audit::Settings::new(config.audit.file.clone()), clock.as_ref())?;
    if recovery.torn_bytes > 0 {
        tracing::warn!(bytes = recovery.torn_bytes, "the audit log ended in an unfinished record, which was cut");
    }
    if let Some(missing) = recovery.missing {
        let (expected, found) = (missing.records, recovery.chain.records);
        tracing::error!(expected, found, "records are missing from the audit log, or were changed");
    }
    let audit = Arc::new(audit);
    let telemetry = telemetry(&audit, &authorizer, &store);
    Ok(State {
        rotator: Rotator::new(&kms, config.root_key.clone()),
        questions: Questions::default(),
        backups: Arc::new(Semaphore::new(1)),
        access,
        limits: watch::Sender::new(config.limits),
        tls: watch::Sender::new(tls),
        proxy_protocol: watch::Sender::new(config.proxy_protocol.clone().map(Arc::new)),
        live: ArcSwap::from_pointee(live),
        authorizer,
        kms,
        store,
        sts,
        audit,
        clock,
        engine_clock,
        telemetry,
        test_clock: config.test_clock,
        draining: AtomicBool::new(false),
        scheduler: Notify::new(),
        gateway_id: super::store::gateway_id(config)?,
        recorded_events: tokio::sync::Mutex::new(recovery.recent_service_events),
    })
}

/// The metrics, those included that others keep.
fn telemetry(audit: &Arc<AuditLog>, authorizer: &Arc<Authorizer>, store: &Arc<dyn Store>) -> Telemetry {
    let mut telemetry = Telemetry::new();
    let (audit, authorizer, store) = (Arc::clone(audit), Arc::clone(authorizer), Arc::clone(store));
    telemetry.collect(Readings(move || {
        let counters = authorizer.counters();
        let status = audit.status();
        let row = |name, help, counts, label, value| Reading { name, help, counts, label, value };
        let decision = |kind, count: &std::sync::atomic::AtomicU64| {
            row("decisions", "Decisions by kind", true, Some(("kind", kind)), count.load(Ordering::Relaxed))
        };
        let cache = |result, count: &std::sync::atomic::AtomicU64| {
            row(
                "decision_cache",
                "Look-ups of the decision cache by result",
                true,
                Some(("result", result)),
                count.load(Ordering::Relaxed),
            )
        };
        let mut rows = vec![
            decision("allow", &counters.allows),
            decision("implicit_deny", &counters.implicit_denies),
            decision("explicit_deny", &counters.explicit_denies),
            decision("error", &counters.errors),
            cache("hit", &counters.hits),
            cache("miss", &counters.misses),
            cache("uncached", &counters.uncached),
            row("audit_records", "Records of the audit log on disk", false, None, status.records),
            row("audit_writable", "Whether the audit log can be written", false, None, status.writable.into()),
            row(
                "audit_pending_bytes",
                "Bytes of records that wait for the disk",
                false,
                None,
                status.pending_bytes as u64,
            ),
            row("audit_failures", "Attempts to write the audit log that failed", true, None, status.failures),
        ];
        let told = store.readings();
        rows.extend(told.into_iter().map(|told| row(told.name, told.help, told.counts, None, told.value)));
        rows
    }));
    telemetry
}

struct Listeners {
    gateway: Listener,
    admin: Listener,
}

impl Listeners {
    async fn bind(config: &Config) -> Result<Self, ServeError> {
        let bind = async |member, address: &ListenAddress, mode| {
            let bound = Listener::bind(address, mode).await;
            bound.map_err(|error| ServeError::Listen { member, address: address.clone(), error })
        };
        Ok(Self {
            gateway: bind("listen", &config.listen, config.listen_mode).await?,
            admin: bind("admin_listen", &config.admin_listen, config.admin_listen_mode).await?,
        })
    }

    /// Tells programs, on stdout, where to connect, and people, on stderr, how to begin.
    fn announce(&self, data_dir: &DataDir, is_secure: bool) -> io::Result<()> {
        let scheme = if is_secure { "https" } else { "http" };
        let gateway = self.gateway.address()?;
        let mut err = io::stderr().lock();
        // Nobody may be reading; that is no reason not to serve.
        let _ = writeln!(err, "keystile keeps its data in {}", data_dir.path.display());
        // No SDK connects to a Unix-domain socket by itself.
        if let (Some(credentials), ListenAddress::Tcp(_)) = (&data_dir.credentials, &gateway) {
            let file = std::path::absolute(credentials).unwrap_or_else(|_| credentials.clone());
            let _ = writeln!(
                err,
                "try:\nAWS_SHARED_CREDENTIALS_FILE={} aws --endpoint-url {scheme}://{gateway} --region us-east-1 kms create-key",
                shell_quoted(&file.display().to_string())
            );
        }
        let mut out = io::stdout().lock();
        writeln!(out, "listening gateway {}", url(scheme, &gateway))?;
        writeln!(out, "listening admin {}", url("http", &self.admin.address()?))?;
        out.flush()
    }
}

/// A listener as programs are told of it: a URL, or `unix:` and a path.
fn url(scheme: &str, address: &ListenAddress) -> String {
    match address {
        ListenAddress::Tcp(address) => format!("{scheme}://{address}"),
        socket @ ListenAddress::Unix(_) => socket.to_string(),
    }
}

/// A path as a shell takes it for one word.
fn shell_quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@%,=".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    _file_size: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            _file_size: signal(SignalKind::from_raw(SIGXFSZ))?,
        })
    }

    async fn until_told_to_stop(&mut self, state: &Arc<State>, reloader: &Arc<Reloader>) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => {
                    let (state, reloader) = (Arc::clone(state), Arc::clone(reloader));
                    // One after the other: two reloads at once could end in either order.
                    let _ = tokio::task::spawn_blocking(move || reloader.reload(&state)).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_of_the_shell() {
        assert_eq!(shell_quoted("/a/b-c.d"), "/a/b-c.d");
        assert_eq!(shell_quoted("/a b/c'd"), r"'/a b/c'\''d'");
    }
}
