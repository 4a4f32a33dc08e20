//! `keystile.toml` and the files that it names: read, checked as a whole, with every error naming
//! its place; the data directory and its first secrets; files replaced atomically.

mod access_keys;
mod admin_token;
mod data_dir;
mod data_lock;
mod directory;
mod error;
mod external_key_stores;
mod files;
mod listen;
mod load;
mod organization;
mod quotas;
mod request_limits;
mod root_key;
mod settings;
mod store;
mod tls;
mod token_service;
mod trusted;
mod units;
mod upstreams;

pub use access_keys::{AddedKey, add_access_key};
pub use admin_token::AdminToken;
pub use data_dir::{DataDir, UNFINISHED_RESTORE, prepare_data_dir, require_new_data_dir};
pub use data_lock::DataLock;
pub use directory::load_directory;
pub use error::ConfigError;
pub use external_key_stores::ExternalKeyStoreSettings;
pub(crate) use files::end_of_text;
pub use files::{read_secret, write_atomically};
pub use listen::{ListenAddress, SocketMode};
pub use load::Overrides;
pub use request_limits::{CallerLimits, Each, RequestLimits, SourceLimits};
pub use settings::{
    AuditSettings, Config, DecisionCacheSettings, EngineSettings, ExplainSettings, IamSettings, Limits, LogFormat,
    LogSettings, QuotaSettings, RootKeySource, SignatureSettings,
};
pub use store::{PostgresStoreSettings, StoreSettings};
pub use tls::{ClientCertificates, TlsSettings};
pub use token_service::{KeySetSource, MfaDeviceSettings, MfaSecret, OidcProviderSettings};
pub use trusted::{OtherConnections, ProxyProtocolSettings, TrustedAddresses};
pub use upstreams::{ResignSettings, ResourcePolicySettings, UpstreamAccount, UpstreamSettings};
