use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use super::{
    CallerLimits, ExternalKeyStoreSettings, ListenAddress, MfaDeviceSettings, OidcProviderSettings,
    ProxyProtocolSettings, SocketMode, SourceLimits, StoreSettings, TlsSettings, TrustedAddresses, UpstreamSettings,
};
use crate::aws::Region;
use crate::aws::catalogue::request_rates::RequestRates;

/// The whole configuration, checked, with every default filled in and every path resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The file it was read from; none for pure defaults.
    pub file: Option<PathBuf>,
    /// Line and column of what it sets, by member: `listen`, `audit`, `audit.file`.
    pub(super) places: BTreeMap<String, (u32, u32)>,
    /// Where the gateway listens. Port 0 picks a free port.
    pub listen: ListenAddress,
    /// The mode of the gateway's socket, where it listens on a Unix-domain socket. Default 0660: a
    /// connection alone opens nothing.
    pub listen_mode: SocketMode,
    /// `[tls]`; none where the gateway speaks HTTP in the clear.
    pub tls: Option<TlsSettings>,
    /// Where the admin listener is.
    pub admin_listen: ListenAddress,
    /// The mode of the admin listener's socket. Default 0600.
    pub admin_listen_mode: SocketMode,
    /// The file of the token that opens the admin listener; without one, it is on this machine alone.
    pub admin_token_file: Option<PathBuf>,
    /// `[proxy_protocol]`; none where no connection begins with a header.
    pub proxy_protocol: Option<ProxyProtocolSettings>,
    /// `[trusted_forwarders]`: whose `X-Forwarded-` headers are believed; none for nobody's.
    pub trusted_forwarders: Option<TrustedAddresses>,
    /// Where the data is kept.
    pub data_dir: PathBuf,
    /// Whether `POST /clock` moves the engine's clock (the flag `--test-clock` alone sets it).
    pub test_clock: bool,
    /// The regions that are served; none for every well-formed name.
    pub regions: Option<Vec<Region>>,
    /// `[iam]`.
    pub iam: IamSettings,
    /// `[signature]`.
    pub signature: SignatureSettings,
    /// `[decision_cache]`.
    pub decision_cache: DecisionCacheSettings,
    /// `[root_key]`.
    pub root_key: RootKeySource,
    /// `[audit]`.
    pub audit: AuditSettings,
    /// `[log]`.
    pub log: LogSettings,
    /// `[explain]`.
    pub explain: ExplainSettings,
    /// `[limits]`.
    pub limits: Limits,
    /// `[engine]`.
    pub engine: EngineSettings,
    /// `[quotas]`.
    pub quotas: QuotaSettings,
    /// `[store]`.
    pub store: StoreSettings,
    /// `[external_key_stores]`.
    pub external_key_stores: ExternalKeyStoreSettings,
    /// `[[upstream]]`.
    pub upstreams: Vec<UpstreamSettings>,
}

/// `[iam]`: where identities come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IamSettings {
    /// What `aws iam get-account-authorization-details` printed, one file for each account.
    pub authorization_details: Vec<PathBuf>,
    /// Files of access keys; none where not configured, which means `credentials.toml` in the
    /// data directory, if it exists.
    pub credentials: Option<Vec<PathBuf>>,
    /// The organisation's service and resource control policies; none where there is no
    /// organisation.
    pub organization: Option<PathBuf>,
    /// `[[iam.mfa_device]]`
    pub mfa_devices: Vec<MfaDeviceSettings>,
    /// `[[iam.oidc_provider]]`
    pub oidc_providers: Vec<OidcProviderSettings>,
}

/// `[signature]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureSettings {
    /// How far a request's date may be from the wall-clock. 60 s to 900 s, default 300 s.
    pub max_skew: Duration,
}

/// `[decision_cache]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecisionCacheSettings {
    /// Bytes of decisions that are kept; 0 keeps none. Default 256 MiB.
    pub max_bytes: u64,
}

/// `[root_key]`: where the base64 of the root key's 32 bytes is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootKeySource {
    /// In that file; default `root.key` in the data directory.
    File(PathBuf),
    /// In that environment variable.
    Env(String),
}

/// `[audit]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSettings {
    /// The log; default `audit.jsonl` in the data directory.
    pub file: PathBuf,
}

/// `[log]`: the server's own log, on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// Default text.
    pub format: LogFormat,
    /// `off`, `error`, `warn`, `info` (default), `debug` or `trace`.
    pub level: LevelFilter,
}

/// `[explain]`: who is told why a request is denied, beside the audit log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExplainSettings {
    /// Whether a denial of a caller on its own account's resource bears the header
    /// `x-keystile-explanation`, which tells of policies. Default false.
    pub response_header: bool,
    /// Whether the text of such a denial ends with a message that `sts:DecodeAuthorizationMessage`
    /// decodes for who may. Default false: the text is AWS's.
    pub encoded_message: bool,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// `[limits]`: what the listeners accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Threads that serve requests. 1 to 1,024, default as many as the machine has cores.
    pub worker_threads: u32,
    /// Connections open at once, on the gateway's listener. 1 to 1,000,000, default 8,192.
    pub max_connections: u32,
    /// Bytes of the request line and all headers. 8 KiB to 1 MiB, default 32 KiB.
    pub max_header_bytes: u64,
    /// Headers of a request. 16 to 1,024, default 100.
    pub max_headers: u32,
    /// Bytes of a request's body. 64 KiB to 64 MiB, default 1 MiB.
    pub max_body_bytes: u64,
    /// Bytes of bodies that are held, by all connections together, before their signatures are proven.
    /// 64 KiB to 1 TiB, default 256 MiB.
    pub max_buffered_bytes: u64,
    /// From a request's first byte to the end of its headers. 100 ms to 1 h, default 10 s.
    pub header_timeout: Duration,
    /// From the end of the headers to the end of the body. 100 ms to 1 h, default 20 s.
    pub body_timeout: Duration,
    /// Between two requests of a connection. 100 ms to 1 h, default 75 s.
    pub idle_timeout: Duration,
    /// From the end of the body to the answer. 100 ms to 1 h, default 30 s.
    pub request_timeout: Duration,
    /// For requests under way after SIGTERM. 0 to 1 h, default 30 s.
    pub drain_timeout: Duration,
    /// `[limits.caller]`; none where callers are not limited.
    pub caller: Option<CallerLimits>,
    /// `[limits.source]`: of each address that requests come from; none where they are not limited.
    pub source: Option<SourceLimits>,
}

/// `[engine]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineSettings {
    /// Bytes of key records and aliases that are kept in memory. Default 256 MiB.
    pub key_cache_bytes: u64,
    /// Bytes of an encryption context, names and values. 1 KiB to 64 KiB, default 8 KiB.
    pub encryption_context_max_bytes: u64,
}

/// `[quotas]`: AWS's, where nothing else is said (KMS Developer Guide, "Resource quotas" and "Request
/// quotas").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaSettings {
    /// Customer managed keys of an account in a Region. 1 to 1,000,000,000, default 100,000.
    pub keys: u64,
    /// Aliases of a key. 1 to 1,000, default 50.
    pub aliases_per_key: u32,
    /// Grants on a key. 1 to 1,000,000, default 50,000.
    pub grants_per_key: u64,
    /// Bytes of a key policy. 1 KiB to 128 KiB, default 32 KiB.
    pub key_policy_bytes: u64,
    /// Custom key stores of an account in a Region. 1 to 1,000, default 10.
    pub custom_key_stores: u32,
    /// How often an account may call; by default as often as it likes.
    pub request_rates: RequestRates,
}
