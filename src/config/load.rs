use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use tracing::level_filters::LevelFilter;

use super::external_key_stores::ExternalKeyStoreTable;
use super::quotas::QuotasTable;
use super::request_limits::{CallerTable, SourceTable};
use super::store::StoreTable;
use super::tls::TlsTable;
use super::token_service::{MfaDeviceTable, OidcProviderTable};
use super::trusted::{ForwardersTable, ProxyProtocolTable};
use super::units::{Shown, Size, Span};
use super::upstreams::{self, UpstreamTable};
use super::{
    AuditSettings, Config, ConfigError, DecisionCacheSettings, EngineSettings, ExplainSettings, IamSettings, Limits,
    ListenAddress, LogFormat, LogSettings, RootKeySource, SignatureSettings, SocketMode,
};
use crate::aws::Region;
use crate::identity::Source;

/// What the command line sets; it beats the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--listen`.
    pub listen: Option<ListenAddress>,
    /// `--admin-listen`.
    pub admin_listen: Option<ListenAddress>,
    /// `--data-dir`, relative to the working directory.
    pub data_dir: Option<PathBuf>,
    /// `--test-clock`.
    pub test_clock: bool,
}

impl Config {
    /// Reads and checks a configuration file; without one, the defaults. Only the file itself is
    /// read: what it names is read by [`super::prepare_data_dir`] and [`super::load_directory`].
    ///
    /// # Errors
    /// A file that can't be read, bad TOML, unknown members, wrong types and values out of range,
    /// each with file, line, column and member.
    pub fn load(path: Option<&Path>, overrides: &Overrides) -> Result<Self, ConfigError> {
        let text = match path {
            Some(path) => super::files::read_text(path, "read the configuration")?,
            None => String::new(),
        };
        Self::from_text(path, &text, overrides)
    }

    /// Checks a configuration's text as if it were in the file `path`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_text(path: Option<&Path>, text: &str, overrides: &Overrides) -> Result<Self, ConfigError> {
        let name: Arc<str> = path.map_or_else(|| "defaults".into(), |path| path.display().to_string().into());
        let source = Source::new(&name, text);
        let file: File = toml::from_str(text).map_err(|error| source.toml(&error))?;
        let base = path.and_then(Path::parent).unwrap_or(Path::new(""));
        let config = file.resolve(path, base, source, overrides)?;
        config.require_guarded_admin()?;
        config.require_room_for_bodies()?;
        Ok(config)
    }

    /// The admin listener tells and does much: who can reach it from another machine shows a token.
    fn require_guarded_admin(&self) -> Result<(), ConfigError> {
        if self.admin_listen.is_local() || self.admin_token_file.is_some() {
            return Ok(());
        }
        let message = format!(
            "`{}` can be reached from other machines: name the token that opens it (`admin_token_file`, a file with \
             what `openssl rand -base64 32` prints), or listen on a loopback address or a Unix-domain socket",
            self.admin_listen
        );
        Err(self.error("admin_listen", message))
    }

    /// Every body that is short enough for its service fits into what there is for all of them.
    fn require_room_for_bodies(&self) -> Result<(), ConfigError> {
        let longest = self.upstreams.iter().map(|upstream| upstream.max_body_bytes).max().unwrap_or(0);
        let longest = longest.max(self.limits.max_body_bytes);
        if self.limits.max_buffered_bytes >= longest {
            return Ok(());
        }
        let message = format!("one body alone may have {longest} bytes (`max_body_bytes`): give as many at least");
        Err(self.error("limits.max_buffered_bytes", message))
    }

    /// Whether a running server can take `new` in the place of this configuration.
    ///
    /// # Errors
    /// Names the first of the settings that differ and that a running server does not take up:
    /// these are fixed for as long as the process runs.
    pub fn reload_compatible(&self, new: &Self) -> Result<(), ConfigError> {
        let fixed = [
            ("listen", self.listen == new.listen),
            ("listen_mode", self.listen_mode == new.listen_mode),
            ("admin_listen", self.admin_listen == new.admin_listen),
            ("admin_listen_mode", self.admin_listen_mode == new.admin_listen_mode),
            ("tls", self.tls.is_some() == new.tls.is_some()),
            ("data_dir", self.data_dir == new.data_dir),
            ("root_key", self.root_key == new.root_key),
            ("limits.worker_threads", self.limits.worker_threads == new.limits.worker_threads),
            ("audit.file", self.audit.file == new.audit.file),
            ("store", self.store == new.store),
            ("decision_cache", self.decision_cache == new.decision_cache),
            ("engine", self.engine == new.engine),
            ("log", self.log == new.log),
        ];
        match fixed.iter().find(|(_, same)| !same) {
            None => Ok(()),
            Some((member, _)) => {
                Err(new.error(member, "cannot change while the server runs; restart it to apply this"))
            }
        }
    }

    /// What is wrong with a member, in its place.
    #[must_use]
    pub fn error(&self, member: &str, message: impl Into<String>) -> ConfigError {
        ConfigError {
            file: self.file.as_ref().map(|file| file.display().to_string()),
            place: self.places.get(member).copied(),
            member: member.to_owned(),
            message: message.into(),
        }
    }

    /// What is wrong at a place of the configuration file.
    pub(super) fn at(&self, place: (u32, u32), member: &str, message: String) -> ConfigError {
        ConfigError { place: Some(place), ..self.error(member, message) }
    }

    /// The credentials files to read, in order: those configured, or `credentials.toml` in the
    /// data directory where none are.
    #[must_use]
    pub fn credentials_files(&self) -> Vec<PathBuf> {
        self.iam.credentials.clone().unwrap_or_else(|| vec![self.data_dir.join("credentials.toml")])
    }
}

/// Where each member and each member of a table stands.
fn places(source: Source<'_>) -> BTreeMap<String, (u32, u32)> {
    let mut places = BTreeMap::new();
    for (name, value) in DeTable::parse(source.text()).iter().flat_map(Spanned::get_ref) {
        places.insert(name.get_ref().to_string(), source.position(name.span().start));
        let DeValue::Table(members) = value.get_ref() else { continue };
        for (member, _) in members {
            places.insert(format!("{}.{}", name.get_ref(), member.get_ref()), source.position(member.span().start));
        }
    }
    places
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct File {
    listen: Option<ListenAddress>,
    listen_mode: Option<SocketMode>,
    admin_listen: Option<ListenAddress>,
    admin_listen_mode: Option<SocketMode>,
    #[serde(rename = "admin_token_file")]
    admin_token: Option<PathBuf>,
    data_dir: Option<PathBuf>,
    regions: Option<Spanned<Vec<Region>>>,
    tls: Option<Spanned<TlsTable>>,
    proxy_protocol: Option<ProxyProtocolTable>,
    trusted_forwarders: Option<ForwardersTable>,
    iam: IamTable,
    signature: SignatureTable,
    decision_cache: DecisionCacheTable,
    root_key: Option<Spanned<RootKeyTable>>,
    audit: AuditTable,
    log: LogTable,
    explain: ExplainTable,
    limits: LimitsTable,
    engine: EngineTable,
    quotas: QuotasTable,
    store: StoreTable,
    external_key_stores: ExternalKeyStoreTable,
    upstream: Vec<UpstreamTable>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct IamTable {
    authorization_details: Vec<PathBuf>,
    credentials: Option<Vec<PathBuf>>,
    organization: Option<PathBuf>,
    mfa_device: Vec<Spanned<MfaDeviceTable>>,
    oidc_provider: Vec<Spanned<OidcProviderTable>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct SignatureTable {
    max_skew_seconds: Option<Spanned<u32>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct DecisionCacheTable {
    max_bytes: Option<Spanned<Size>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RootKeyTable {
    file: Option<PathBuf>,
    env: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct AuditTable {
    file: Option<PathBuf>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct LogTable {
    format: LogFormat,
    level: Option<Level>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct LimitsTable {
    worker_threads: Option<Spanned<u32>>,
    max_connections: Option<Spanned<u32>>,
    max_header_bytes: Option<Spanned<Size>>,
    max_headers: Option<Spanned<u32>>,
    max_body_bytes: Option<Spanned<Size>>,
    max_buffered_bytes: Option<Spanned<Size>>,
    header_timeout: Option<Spanned<Span>>,
    body_timeout: Option<Spanned<Span>>,
    idle_timeout: Option<Spanned<Span>>,
    request_timeout: Option<Spanned<Span>>,
    drain_timeout: Option<Spanned<Span>>,
    caller: Option<Spanned<CallerTable>>,
    source: Option<Spanned<SourceTable>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct ExplainTable {
    response_header: bool,
    encoded_message: bool,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct EngineTable {
    key_cache_bytes: Option<Spanned<Size>>,
    encryption_context_max_bytes: Option<Spanned<Size>>,
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;

impl File {
    fn resolve(
        self,
        path: Option<&Path>,
        base: &Path,
        source: Source<'_>,
        overrides: &Overrides,
    ) -> Result<Config, ConfigError> {
        let within = Ranges(source);
        let data_dir = match (&overrides.data_dir, self.data_dir) {
            (Some(flag), _) => flag.clone(),
            (None, Some(member)) => base.join(member),
            (None, None) => base.join("keystile-data"),
        };
        let regions = match self.regions {
            Some(regions) if regions.get_ref().is_empty() => {
                return Err(source
                    .at(
                        regions.span().start,
                        "regions",
                        "no region would be served; name at least one, or leave it out to serve all",
                    )
                    .into());
            }
            regions => regions.map(Spanned::into_inner),
        };
        let (limits, engine) = (self.limits, self.engine);
        Ok(Config {
            file: path.map(Path::to_path_buf),
            places: places(source),
            listen: listener(overrides.listen.as_ref(), self.listen, base, 4599),
            listen_mode: self.listen_mode.unwrap_or(SocketMode(0o660)),
            tls: self.tls.map(|table| TlsTable::resolve(table, base, source)).transpose()?,
            proxy_protocol: self.proxy_protocol.map(|table| table.resolve(source)).transpose()?,
            trusted_forwarders: self.trusted_forwarders.map(|table| table.resolve(source)).transpose()?,
            admin_listen: listener(overrides.admin_listen.as_ref(), self.admin_listen, base, 4600),
            admin_listen_mode: self.admin_listen_mode.unwrap_or(SocketMode(0o600)),
            admin_token_file: self.admin_token.map(|file| base.join(file)),
            test_clock: overrides.test_clock,
            regions,
            iam: IamSettings {
                authorization_details: joined(base, self.iam.authorization_details),
                credentials: self.iam.credentials.map(|files| joined(base, files)),
                organization: self.iam.organization.map(|file| base.join(file)),
                mfa_devices: each(self.iam.mfa_device, |table| MfaDeviceTable::resolve(table, base, source))?,
                oidc_providers: each(self.iam.oidc_provider, |table| OidcProviderTable::resolve(table, base, source))?,
            },
            signature: SignatureSettings {
                max_skew: Duration::from_secs(u64::from(within.range(
                    "signature.max_skew_seconds",
                    self.signature.max_skew_seconds,
                    300,
                    60..=900,
                )?)),
            },
            decision_cache: DecisionCacheSettings {
                max_bytes: within.size(
                    "decision_cache.max_bytes",
                    self.decision_cache.max_bytes,
                    256 * MIB,
                    0..=TIB,
                )?,
            },
            root_key: root_key(self.root_key, base, &data_dir, source)?,
            audit: AuditSettings {
                file: self.audit.file.map_or_else(|| data_dir.join("audit.jsonl"), |file| base.join(file)),
            },
            log: LogSettings {
                format: self.log.format,
                level: self.log.level.map_or(LevelFilter::INFO, |level| level.0),
            },
            limits: Limits {
                worker_threads: within.range("limits.worker_threads", limits.worker_threads, cores(), 1..=1024)?,
                max_connections: within.range("limits.max_connections", limits.max_connections, 8192, 1..=1_000_000)?,
                max_header_bytes: within.size(
                    "limits.max_header_bytes",
                    limits.max_header_bytes,
                    32 * KIB,
                    8 * KIB..=MIB,
                )?,
                max_headers: within.range("limits.max_headers", limits.max_headers, 100, 16..=1024)?,
                max_body_bytes: within.size(
                    "limits.max_body_bytes",
                    limits.max_body_bytes,
                    MIB,
                    64 * KIB..=64 * MIB,
                )?,
                max_buffered_bytes: within.size(
                    "limits.max_buffered_bytes",
                    limits.max_buffered_bytes,
                    256 * MIB,
                    64 * KIB..=TIB,
                )?,
                header_timeout: within.time("limits.header_timeout", limits.header_timeout, 10, 100)?,
                body_timeout: within.time("limits.body_timeout", limits.body_timeout, 20, 100)?,
                idle_timeout: within.time("limits.idle_timeout", limits.idle_timeout, 75, 100)?,
                request_timeout: within.time("limits.request_timeout", limits.request_timeout, 30, 100)?,
                drain_timeout: within.time("limits.drain_timeout", limits.drain_timeout, 30, 0)?,
                caller: limits.caller.map(|table| CallerTable::resolve(table, &within)).transpose()?,
                source: limits.source.map(|table| SourceTable::resolve(table, &within)).transpose()?,
            },
            explain: ExplainSettings {
                response_header: self.explain.response_header,
                encoded_message: self.explain.encoded_message,
            },
            engine: EngineSettings {
                key_cache_bytes: within.size("engine.key_cache_bytes", engine.key_cache_bytes, 256 * MIB, 0..=TIB)?,
                encryption_context_max_bytes: within.size(
                    "engine.encryption_context_max_bytes",
                    engine.encryption_context_max_bytes,
                    8 * KIB,
                    KIB..=64 * KIB,
                )?,
            },
            quotas: self.quotas.resolve(&within)?,
            store: self.store.resolve(base, source)?,
            external_key_stores: self.external_key_stores.resolve(base, source)?,
            upstreams: upstreams::resolve(self.upstream, base, source)?,
            data_dir,
        })
    }
}

fn each<T, R>(tables: Vec<T>, resolve: impl FnMut(T) -> Result<R, ConfigError>) -> Result<Vec<R>, ConfigError> {
    tables.into_iter().map(resolve).collect()
}

fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1024).min(1024))
}

fn joined(base: &Path, files: Vec<PathBuf>) -> Vec<PathBuf> {
    files.into_iter().map(|file| base.join(file)).collect()
}

/// Where a listener is: the flag says it, else the file, else it is on the loopback address.
fn listener(flag: Option<&ListenAddress>, member: Option<ListenAddress>, base: &Path, port: u16) -> ListenAddress {
    let configured = flag.cloned().or(member.map(|address| address.within(base)));
    configured.unwrap_or_else(|| ListenAddress::Tcp(SocketAddr::from(([127, 0, 0, 1], port))))
}

fn root_key(
    table: Option<Spanned<RootKeyTable>>,
    base: &Path,
    data_dir: &Path,
    source: Source<'_>,
) -> Result<RootKeySource, ConfigError> {
    let Some(table) = table else { return Ok(RootKeySource::File(data_dir.join("root.key"))) };
    let place = table.span().start;
    match table.into_inner() {
        RootKeyTable { file: Some(file), env: None } => Ok(RootKeySource::File(base.join(file))),
        RootKeyTable { file: None, env: Some(name) } if !name.is_empty() && !name.contains(['=', '\0']) => {
            Ok(RootKeySource::Env(name))
        }
        RootKeyTable { file: None, env: Some(_) } => {
            Err(source.at(place, "root_key.env", "not the name of an environment variable").into())
        }
        _ => Err(source.at(place, "root_key", "give exactly one of `file` and `env`").into()),
    }
}

/// Holds values to their ranges; an error names both ends.
pub(super) struct Ranges<'a>(pub(super) Source<'a>);

impl Ranges<'_> {
    pub(super) fn range<T: PartialOrd + Shown + Copy>(
        &self,
        member: &str,
        value: Option<Spanned<T>>,
        default: T,
        range: RangeInclusive<T>,
    ) -> Result<T, ConfigError> {
        let Some(value) = value else { return Ok(default) };
        self.held(member, value, &range, &format!(" (default {})", default.shown()))
    }

    /// Of what has no default.
    pub(super) fn only_range<T: PartialOrd + Shown + Copy>(
        &self,
        member: &str,
        value: Spanned<T>,
        range: RangeInclusive<T>,
    ) -> Result<T, ConfigError> {
        self.held(member, value, &range, "")
    }

    fn held<T: PartialOrd + Shown + Copy>(
        &self,
        member: &str,
        value: Spanned<T>,
        range: &RangeInclusive<T>,
        default: &str,
    ) -> Result<T, ConfigError> {
        if range.contains(value.get_ref()) {
            return Ok(value.into_inner());
        }
        let (found, least, most) = (value.get_ref().shown(), range.start().shown(), range.end().shown());
        let message = format!("{found} is out of range; give {least} to {most}{default}");
        Err(self.0.at(value.span().start, member, message).into())
    }

    /// In bytes.
    pub(super) fn size(
        &self,
        member: &str,
        value: Option<Spanned<Size>>,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> Result<u64, ConfigError> {
        self.range(member, value, Size(default), Size(*range.start())..=Size(*range.end())).map(|size| size.0)
    }

    /// The default in seconds, the least in milliseconds; the most is an hour.
    fn time(
        &self,
        member: &str,
        value: Option<Spanned<Span>>,
        default: u64,
        least: u64,
    ) -> Result<Duration, ConfigError> {
        let range = Span(Duration::from_millis(least))..=Span(Duration::from_hours(1));
        self.range(member, value, Span(Duration::from_secs(default)), range).map(|span| span.0)
    }
}

struct Level(LevelFilter);

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let known = ["off", "error", "warn", "info", "debug", "trace"];
        match text.parse() {
            Ok(level) if known.contains(&text.as_str()) => Ok(Self(level)),
            _ => Err(de::Error::custom(format!("`{text}` is not a log level; give one of {}", known.join(", ")))),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{CallerLimits, Each, RequestLimits, SourceLimits};
    use super::*;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::from_text(Some(Path::new("etc/keystile.toml")), text, &Overrides::default())
    }

    #[test]
    fn without_a_file_there_are_defaults() {
        let config = Config::load(None, &Overrides::default()).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:4599");
        assert_eq!(config.admin_listen.to_string(), "127.0.0.1:4600");
        assert_eq!(config.data_dir, Path::new("keystile-data"));
        assert_eq!(config.root_key, RootKeySource::File("keystile-data/root.key".into()));
        assert_eq!(config.audit.file, Path::new("keystile-data/audit.jsonl"));
        assert_eq!(config.credentials_files(), [Path::new("keystile-data/credentials.toml")]);
        assert_eq!((config.regions, config.test_clock), (None, false));
        assert_eq!(config.signature.max_skew, Duration::from_mins(5));
        assert_eq!(config.decision_cache.max_bytes, 256 << 20);
        assert_eq!(config.log, LogSettings { format: LogFormat::Text, level: LevelFilter::INFO });
    }

    #[test]
    fn paths_are_relative_to_the_file_and_flags_to_the_working_directory() {
        let text = "data_dir = \"data\"\n[iam]\nauthorization_details = [\"iam/a.json\"]\ncredentials = [\"/abs/c.toml\"]\norganization = \"iam/o.toml\"\n\
            [root_key]\nfile = \"data/root.key\"\n[audit]\nfile = \"audit.jsonl\"\n";
        let config = parse(text).unwrap();
        assert_eq!(config.data_dir, Path::new("etc/data"));
        assert_eq!(config.iam.authorization_details, [Path::new("etc/iam/a.json")]);
        assert_eq!(config.credentials_files(), [Path::new("/abs/c.toml")]);
        assert_eq!(config.iam.organization.as_deref(), Some(Path::new("etc/iam/o.toml")));
        assert_eq!(config.root_key, RootKeySource::File("etc/data/root.key".into()));
        assert_eq!(config.audit.file, Path::new("etc/audit.jsonl"));
        let overrides = Overrides {
            listen: Some("unix:x.sock".parse().unwrap()),
            data_dir: Some("elsewhere".into()),
            ..Overrides::default()
        };
        let config =
            Config::from_text(Some(Path::new("etc/keystile.toml")), "listen = \"[::1]:1\"", &overrides).unwrap();
        assert_eq!(
            (config.listen.to_string().as_str(), config.data_dir.as_path()),
            ("unix:x.sock", Path::new("elsewhere"))
        );
        assert_eq!(parse("listen = \"unix:x.sock\"").unwrap().listen.to_string(), "unix:etc/x.sock");
        assert_eq!(config.root_key, RootKeySource::File("elsewhere/root.key".into()));
    }

    #[test]
    fn every_limit_holds_at_its_ends_and_not_one_past_them() {
        let limits = [
            ("signature", "max_skew_seconds", "60", "900", "59", "901"),
            ("limits", "worker_threads", "1", "1024", "0", "1025"),
            ("limits", "max_connections", "1", "1000000", "0", "1000001"),
            ("limits", "max_header_bytes", "\"8KiB\"", "\"1MiB\"", "8191", "1048577"),
            ("limits", "max_headers", "16", "1024", "15", "1025"),
            ("limits", "max_body_bytes", "\"64KiB\"", "\"64MiB\"", "65535", "67108865"),
            ("limits", "max_buffered_bytes", "\"1MiB\"", "\"1TiB\"", "65535", "\"1025GiB\""),
            ("limits", "header_timeout", "\"100ms\"", "\"1h\"", "\"99ms\"", "3601"),
            ("limits", "body_timeout", "\"100ms\"", "\"1h\"", "\"99ms\"", "3601"),
            ("limits", "idle_timeout", "\"100ms\"", "\"1h\"", "\"99ms\"", "3601"),
            ("limits", "request_timeout", "\"100ms\"", "\"1h\"", "\"99ms\"", "3601"),
            ("limits", "drain_timeout", "0", "\"1h\"", "-1", "3601"),
            ("decision_cache", "max_bytes", "0", "\"1TiB\"", "-1", "\"1025GiB\""),
            ("engine", "key_cache_bytes", "0", "\"1TiB\"", "-1", "\"1025GiB\""),
            ("engine", "encryption_context_max_bytes", "1024", "\"64KiB\"", "1023", "65537"),
            ("quotas", "keys", "1", "1000000000", "0", "1000000001"),
            ("quotas", "aliases_per_key", "1", "1000", "0", "1001"),
            ("quotas", "grants_per_key", "1", "1000000", "0", "1000001"),
            ("quotas", "custom_key_stores", "1", "1000", "0", "1001"),
            ("quotas", "key_policy_bytes", "1024", "\"128KiB\"", "1023", "131073"),
            ("store", "cache_bytes", "\"1MiB\"", "\"1TiB\"", "1048575", "\"1025GiB\""),
            ("external_key_stores", "timeout", "\"50ms\"", "10", "\"49ms\"", "11"),
            ("external_key_stores", "max_requests", "1", "10000", "0", "10001"),
        ];
        for (table, member, least, most, below, above) in limits {
            for value in [least, most] {
                assert!(parse(&format!("[{table}]\n{member} = {value}")).is_ok(), "{table}.{member} = {value}");
            }
            for value in [below, above] {
                let error = parse(&format!("[{table}]\n{member} = {value}")).unwrap_err().to_string();
                let start = format!("etc/keystile.toml:2:{}: {table}.{member}: ", member.len() + 4);
                assert!(error.starts_with(&start), "{error}");
            }
        }
    }

    #[test]
    fn each_fault_is_named_with_its_place() {
        let table = [
            ("lisen = \"x\"", "etc/keystile.toml:1:1: lisen: unknown field `lisen`, expected one of"),
            ("[limits]\nmax_heders = 3", "etc/keystile.toml:2:1: limits.max_heders: unknown field `max_heders`"),
            ("[nonsense]\na = 3", "etc/keystile.toml:1:2: nonsense: unknown field `nonsense`"),
            (
                "\nlisten = \"4599\"",
                "etc/keystile.toml:2:10: listen: `4599` is not an address to listen on; give an IP address",
            ),
            ("listen = 4599", "etc/keystile.toml:1:10: listen: invalid type: integer `4599`, expected a string"),
            ("regions = [\"us_east_1\"]", "etc/keystile.toml:1:11: regions: `us_east_1` is not a region name"),
            ("regions = []", "etc/keystile.toml:1:11: regions: no region would be served"),
            ("[iam]\norganization = 5", "etc/keystile.toml:2:16: iam.organization: invalid type: integer `5`"),
            (
                "[limits]\nheader_timeout = \"10 sec\"",
                "etc/keystile.toml:2:18: limits.header_timeout: invalid value: string \"10 sec\", expected a duration",
            ),
            (
                "[decision_cache]\nmax_bytes = \"256MB\"",
                "etc/keystile.toml:2:13: decision_cache.max_bytes: invalid value: string \"256MB\", expected a size",
            ),
            (
                "[signature]\nmax_skew_seconds = 59",
                "etc/keystile.toml:2:20: signature.max_skew_seconds: 59 is out of range; give 60 to 900 (default 300)",
            ),
            ("[tls]\ncertificate = \"a\"", "etc/keystile.toml:1:1: tls: give both `certificate` and `private_key`"),
            (
                "[tls]\ncertificate = \"a\"\nprivate_key = \"b\"\nclient_certificates = \"optional\"",
                "etc/keystile.toml:1:1: tls: `client_certificates` needs the `client_ca` that signs them",
            ),
            (
                "[root_key]\nfile = \"a\"\nenv = \"B\"",
                "etc/keystile.toml:1:1: root_key: give exactly one of `file` and `env`",
            ),
            ("[root_key]\nenv = \"\"", "etc/keystile.toml:1:1: root_key.env: not the name of an environment variable"),
            ("[log]\nlevel = \"loud\"", "etc/keystile.toml:2:9: log.level: `loud` is not a log level; give one of off"),
            (
                "[log]\nformat = \"xml\"",
                "etc/keystile.toml:2:10: log.format: unknown variant `xml`, expected `text` or `json`",
            ),
            (
                "[quotas]\nrequests_per_second = { CreateKey = 0.001 }",
                "etc/keystile.toml:2:37: quotas.requests_per_second: 0.001 is out of range; give 0.01 to 1000000",
            ),
            (
                "[quotas.requests_per_second]\nEncrypt = 5",
                "etc/keystile.toml:2:1: quotas.requests_per_second: `Encrypt` is not the name of a request quota; those are",
            ),
            (
                "[quotas]\nrequest_rates = \"none\"",
                "etc/keystile.toml:2:17: quotas.request_rates: unknown variant `none`, expected `unlimited` or `aws`",
            ),
            (
                "[external_key_stores]\nhosts = [\"xks.example.com\", \"10.0.0.7\"]",
                "etc/keystile.toml:2:29: external_key_stores.hosts: `10.0.0.7` is not the name of a host",
            ),
            (
                "[external_key_stores]\nhosts = [\"https://xks.example.com\"]",
                "etc/keystile.toml:2:10: external_key_stores.hosts: `https://xks.example.com` is not the name of a host",
            ),
            (
                "[external_key_stores.connect]\n\"xks.example.com\" = \"localhost:1\"",
                "etc/keystile.toml:2:21: external_key_stores.connect: `localhost:1` is not an address to connect to",
            ),
            ("listen = \"unix:\"", "etc/keystile.toml:1:10: listen: `unix:` names no socket"),
            ("listen_mode = \"0888\"", "etc/keystile.toml:1:15: listen_mode: `0888` is not a file's mode"),
            ("listen_mode = \"1777\"", "etc/keystile.toml:1:15: listen_mode: `1777` is not a file's mode"),
            ("admin_listen_mode = 384", "etc/keystile.toml:1:21: admin_listen_mode: invalid type: integer"),
            (
                "\nadmin_listen = \"0.0.0.0:4600\"",
                "etc/keystile.toml:2:1: admin_listen: `0.0.0.0:4600` can be reached from other machines: name the token",
            ),
            ("admin_listen = \"[::]:4600\"", "etc/keystile.toml:1:1: admin_listen: `[::]:4600` can be reached"),
            (
                "[proxy_protocol]\nothers = \"direct\"",
                "etc/keystile.toml:1:1: proxy_protocol: missing field `addresses`",
            ),
            (
                "[proxy_protocol]\naddresses = []",
                "etc/keystile.toml:2:13: proxy_protocol.addresses: nobody would be trusted",
            ),
            (
                "[proxy_protocol]\naddresses = [\"10.0.0.0/8\", \"10.0.0.1/8\"]",
                "etc/keystile.toml:2:28: proxy_protocol.addresses: `10.0.0.1/8` has bits behind its prefix; the network is 10.0.0.0/8",
            ),
            (
                "[proxy_protocol]\naddresses = [\"10.0.0.7\"]\nothers = \"any\"",
                "etc/keystile.toml:3:10: proxy_protocol.others: unknown variant `any`, expected `refused` or `direct`",
            ),
            (
                "[trusted_forwarders]\naddresses = [\"nginx\"]",
                "etc/keystile.toml:2:14: trusted_forwarders.addresses: `nginx` is neither an IP address nor a network",
            ),
            (
                "[limits.caller]\neach = \"principal\"",
                "etc/keystile.toml:1:1: limits.caller: give `requests_per_second`, `requests_at_once`, or both",
            ),
            (
                "[limits.source]\nrequests_at_once = 5\nburst = 5",
                "etc/keystile.toml:1:1: limits.source: `burst` goes with `requests_per_second`",
            ),
            ("[limits.source]", "etc/keystile.toml:1:1: limits.source: give at least one of `requests_per_second`"),
            (
                "[limits.source]\nconnections_at_once = 0",
                "etc/keystile.toml:2:23: limits.source.connections_at_once: 0 is out of range; give 1 to 1000000",
            ),
            (
                "[limits.source]\nrequests_per_second = 0",
                "etc/keystile.toml:2:23: limits.source.requests_per_second: 0 is out of range; give 1 to 1000000",
            ),
            (
                "[limits.caller]\nrequests_at_once = 1000001",
                "etc/keystile.toml:2:20: limits.caller.requests_at_once: 1000001 is out of range; give 1 to 1000000",
            ),
            (
                "[limits]\nmax_body_bytes = \"2MiB\"\nmax_buffered_bytes = 2097151",
                "etc/keystile.toml:3:1: limits.max_buffered_bytes: one body alone may have 2097152 bytes",
            ),
            ("listen = \"127.0.0.1:1\"\nlisten = \"127.0.0.1:2\"", "etc/keystile.toml:2:1: duplicate key"),
            ("listen = ", "etc/keystile.toml:1:"),
        ];
        let wrong: Vec<_> = table
            .into_iter()
            .filter_map(|(text, expected)| {
                let found = parse(text).unwrap_err().to_string();
                (!found.starts_with(expected)).then(|| format!("expected {expected}\n   found {found}"))
            })
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn a_reload_may_change_anything_but_what_is_open() {
        let old = parse("").unwrap();
        assert_eq!(old.reload_compatible(&parse("[signature]\nmax_skew_seconds = 60").unwrap()), Ok(()));
        for (text, member) in [
            ("listen = \"127.0.0.1:1\"", "1:1: listen"),
            ("\nadmin_listen = \"127.0.0.1:1\"", "2:1: admin_listen"),
            ("listen_mode = \"0600\"", "1:1: listen_mode"),
            ("admin_listen_mode = \"0660\"", "1:1: admin_listen_mode"),
            ("data_dir = \"x\"", "1:1: data_dir"),
            ("[tls]\ncertificate = \"a\"\nprivate_key = \"b\"", "1:2: tls"),
            ("[root_key]\nenv = \"K\"", "1:2: root_key"),
            ("[audit]\nfile = \"x\"", "2:1: audit.file"),
            ("[store]\ncache_bytes = \"2MiB\"", "1:2: store"),
            ("[decision_cache]\nmax_bytes = 0", "1:2: decision_cache"),
            ("[engine]\nkey_cache_bytes = 7", "1:2: engine"),
            ("[log]\nlevel = \"debug\"", "1:2: log"),
        ] {
            let error = old.reload_compatible(&parse(text).unwrap()).unwrap_err().to_string();
            assert_eq!(
                error,
                format!("etc/keystile.toml:{member}: cannot change while the server runs; restart it to apply this")
            );
        }
    }

    #[test]
    fn what_guards_the_listeners_is_off_until_it_is_asked_for() {
        let config = parse("").unwrap();
        assert_eq!((config.limits.caller, config.limits.source), (None, None));
        assert_eq!(config.limits.max_buffered_bytes, 256 << 20);
        assert_eq!((config.proxy_protocol, config.trusted_forwarders), (None, None));
        assert_eq!((config.listen_mode, config.admin_listen_mode), (SocketMode(0o660), SocketMode(0o600)));
        let config = parse(
            "admin_listen = \"0.0.0.0:4600\"\nadmin_token_file = \"admin.token\"\n[limits.caller]\n\
             requests_per_second = 5\n[limits.source]\nrequests_per_second = 5\nburst = 9\nrequests_at_once = 3\n",
        )
        .unwrap();
        assert_eq!(config.admin_token_file.as_deref(), Some(Path::new("etc/admin.token")));
        let caller = RequestLimits { requests_per_second: Some(5), burst: 5, requests_at_once: None };
        assert_eq!(config.limits.caller, Some(CallerLimits { each: Each::Account, limits: caller }));
        let source = RequestLimits { requests_per_second: Some(5), burst: 9, requests_at_once: Some(3) };
        assert_eq!(config.limits.source, Some(SourceLimits { requests: Some(source), connections_at_once: None }));
    }

    #[test]
    fn a_host_of_which_is_said_where_it_is_may_be_called() {
        let text = "[external_key_stores]\nhosts = [\"Xks.Example.com\"]\nca_file = \"ca.pem\"\n\
            [external_key_stores.connect]\n\"other.example.com\" = \"10.0.0.7:8443\"\n";
        let settings = parse(text).unwrap().external_key_stores;
        assert_eq!(settings.hosts.iter().collect::<Vec<_>>(), ["other.example.com", "xks.example.com"]);
        assert_eq!(settings.connect["other.example.com"].to_string(), "10.0.0.7:8443");
        assert_eq!(settings.ca_file.as_deref(), Some(Path::new("etc/ca.pem")));
        assert!(parse("").unwrap().external_key_stores.hosts.is_empty(), "nobody is called who is not named");
    }

    proptest! {
        #[test]
        fn no_text_panics_the_reader(text in ".{0,80}", member in "[a-z_]{1,12}", value in "[\\[\\]{}\"0-9a-z=.-]{0,12}") {
            let _ = parse(&text);
            let _ = parse(&format!("[limits]\n{member} = {value}\n{text}"));
        }
    }
}
