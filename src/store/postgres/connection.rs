//! Connections to whichever host is the primary.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::{AsyncMessage, CancelToken, Client, Config, Connection, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;
use uuid::Uuid;

use super::{PostgresError, PostgresSettings, PostgresTls, explain};

/// How long a host has for the whole handshake: name, TCP, TLS, password, and the answer that it is a
/// primary. A frozen host accepts a connection and then says nothing.
const HANDSHAKE: Duration = Duration::from_millis(500);
/// How long the kernel waits for data to be acknowledged.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(5);

/// What a fresh connection is told and asked. A commit must wait for the synchronous standby, whatever
/// the role's defaults are; a transaction that its gateway forgot must not hold the head's lock.
const GREETING: &str = "
SET client_min_messages = 'warning';
SELECT set_config('synchronous_commit',
    CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false);
SET lock_timeout = '3s';
SET idle_in_transaction_session_timeout = '150s'";

/// Opens connections.
pub(super) struct Connector {
    settings: PostgresSettings,
    /// The host that answered a barrier last, which is asked first: a deposed primary cannot.
    proven: AtomicUsize,
    /// What notifications of this process bear, which need not wake it.
    name: Arc<str>,
}

/// A connection to the primary. What is dropped amid a request is closed.
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) host: usize,
    /// Warnings that came on it, one of which may belie the success of a COMMIT.
    warnings: Arc<AtomicU64>,
    cancel: CancelToken,
    tls: PostgresTls,
    driver: JoinHandle<()>,
}

impl Connector {
    pub(super) fn new(settings: PostgresSettings) -> Self {
        Connector { settings, proven: AtomicUsize::new(0), name: Uuid::new_v4().to_string().into() }
    }

    /// What notifications of this process bear.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether a connection is to the host that answered a barrier last.
    pub(super) fn is_current(&self, session: &Session) -> bool {
        self.proven.load(Ordering::Relaxed) == session.host
    }

    /// A connection answered a barrier.
    pub(super) fn prove(&self, session: &Session) {
        self.proven.store(session.host, Ordering::Relaxed);
    }

    pub(super) fn settings(&self) -> &PostgresSettings {
        &self.settings
    }

    /// A connection to the host that answered a barrier last, if it says that it is the primary, or to
    /// another that does.
    pub(super) async fn connect(&self) -> Result<Session, PostgresError> {
        self.connect_from(self.proven.load(Ordering::Relaxed), None).await
    }

    /// A connection to the first host, in turn from one of them on, that says it is the primary. A
    /// deposed one says so too: what it is trusted with must be proven otherwise. `woken` is told of
    /// notifications.
    pub(super) async fn connect_from(
        &self,
        first: usize,
        woken: Option<&Arc<Notify>>,
    ) -> Result<Session, PostgresError> {
        let hosts = self.settings.hosts.len();
        let mut troubles = Vec::new();
        for host in (0..hosts).map(|at| (first + at) % hosts) {
            let trouble = match tokio::time::timeout(HANDSHAKE, self.greet(host, woken.cloned())).await {
                Ok(Ok(session)) => return Ok(session),
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {} ms", HANDSHAKE.as_millis()),
            };
            let (name, port) = &self.settings.hosts[host];
            troubles.push(format!("{name}:{port}: {trouble}"));
        }
        Err(PostgresError::Unreachable(troubles.join("; ")))
    }

    async fn greet(&self, host: usize, woken: Option<Arc<Notify>>) -> Result<Session, PostgresError> {
        let session = self.open(host, woken).await?;
        let asked = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool";
        let (told, row) =
            tokio::join!(biased; session.client.batch_execute(GREETING), session.client.query_one(asked, &[]));
        told?;
        if row?.get(0) {
            return Err(PostgresError::ReadOnly);
        }
        Ok(session)
    }

    async fn open(&self, host: usize, woken: Option<Arc<Notify>>) -> Result<Session, PostgresError> {
        let settings = &self.settings;
        let (name, port) = &settings.hosts[host];
        let mut config = Config::new();
        config.host(name).port(*port).dbname(&settings.database).user(&settings.user).application_name("keystile");
        config.connect_timeout(HANDSHAKE).tcp_user_timeout(TCP_USER_TIMEOUT);
        if let Some(password) = &settings.password {
            config.password(password.as_bytes());
        }
        match &settings.tls {
            PostgresTls::Off => {
                let (client, connection) = config.ssl_mode(SslMode::Disable).connect(NoTls).await?;
                Ok(self.session(host, client, connection, woken))
            }
            PostgresTls::VerifyFull(tls) => {
                let tls = MakeRustlsConnect::new(tls.as_ref().clone());
                let (client, connection) = config.ssl_mode(SslMode::Require).connect(tls).await?;
                Ok(self.session(host, client, connection, woken))
            }
        }
    }

    fn session<S, T>(
        &self,
        host: usize,
        client: Client,
        mut connection: Connection<S, T>,
        woken: Option<Arc<Notify>>,
    ) -> Session
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let warnings = Arc::new(AtomicU64::new(0));
        let (counted, name) = (Arc::clone(&warnings), Arc::clone(&self.name));
        // A warning is counted before the answer that follows it is passed on: both come this way.
        let driver = tokio::spawn(async move {
            loop {
                match poll_fn(|context| connection.poll_message(context)).await {
                    Some(Ok(AsyncMessage::Notice(notice))) => {
                        counted.fetch_add(1, Ordering::Release);
                        tracing::warn!(code = notice.code().code(), text = notice.message(), "PostgreSQL warns");
                    }
                    Some(Ok(AsyncMessage::Notification(notification))) => {
                        if let Some(woken) = &woken
                            && notification.payload() != &*name
                        {
                            woken.notify_one();
                        }
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return,
                }
            }
        });
        let cancel = client.cancel_token();
        Session { client, host, warnings, cancel, tls: self.settings.tls.clone(), driver }
    }
}

impl Session {
    /// COMMIT, which succeeded only if no warning came with it: where the wait for the synchronous
    /// standby is cancelled, PostgreSQL warns and says that all is well.
    pub(super) async fn commit(&self) -> Result<(), PostgresError> {
        let before = self.warnings.load(Ordering::Acquire);
        self.client.batch_execute("COMMIT").await?;
        if self.warnings.load(Ordering::Acquire) == before { Ok(()) } else { Err(PostgresError::NotReplicated) }
    }

    /// Gives up a connection whose answer does not come. The server would go on waiting for its
    /// standby, a process for each connection that was given up: so it is told to stop.
    pub(super) fn abandon(self) {
        let (cancel, tls) = (self.cancel.clone(), self.tls.clone());
        drop(self);
        tokio::spawn(async move {
            let cancelled = async {
                match tls {
                    PostgresTls::Off => cancel.cancel_query(NoTls).await,
                    PostgresTls::VerifyFull(tls) => {
                        cancel.cancel_query(MakeRustlsConnect::new(tls.as_ref().clone())).await
                    }
                }
            };
            let _ = tokio::time::timeout(HANDSHAKE, cancelled).await;
        });
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// What the database answers within a time.
pub(super) async fn within<T>(
    time: Duration,
    work: impl Future<Output = Result<T, PostgresError>>,
) -> Result<T, PostgresError> {
    tokio::time::timeout(time, work).await.unwrap_or(Err(PostgresError::TimedOut(time)))
}

impl From<tokio_postgres::Error> for PostgresError {
    fn from(error: tokio_postgres::Error) -> Self {
        PostgresError::Failed(explain(&error))
    }
}
