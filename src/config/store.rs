use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::ConfigError;
use super::load::Ranges;
use super::units::{Size, Span};
use crate::identity::Source;

const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;
/// PostgreSQL's port.
const PORT: u16 = 5432;

/// `[store]`: where records are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// Bytes of the embedded database's pages that are kept in memory. 1 MiB to 1 TiB, default 64 MiB.
    pub cache_bytes: u64,
    /// The database that several gateways share; none for the embedded one in the data directory.
    pub postgres: Option<PostgresStoreSettings>,
}

/// `[store]` with `engine = "postgres"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresStoreSettings {
    /// Hosts that may be the primary: names, addresses, or directories of Unix sockets, with their ports.
    pub hosts: Vec<(String, u16)>,
    /// The database. Default `keystile`.
    pub database: String,
    /// The role. Default `keystile`.
    pub user: String,
    /// The file of its password; none where the server asks for none.
    pub password_file: Option<PathBuf>,
    /// Whether the server's certificate must be good for the host's name. Default true, unless every host
    /// is this machine.
    pub verifies_server: bool,
    /// The certificate authorities of the servers, as PEM; none for the system's.
    pub ca_file: Option<PathBuf>,
    /// How old the proof may be that nothing acknowledged by another gateway is missing. 500 ms to 1 min,
    /// default 2 s.
    pub max_staleness: Duration,
    /// Connections that read. 2 to 100, default 8.
    pub connections: u32,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StoreTable {
    engine: Option<Spanned<Engine>>,
    cache_bytes: Option<Spanned<Size>>,
    hosts: Option<Spanned<Vec<Spanned<String>>>>,
    database: Option<Spanned<String>>,
    user: Option<Spanned<String>>,
    password_file: Option<Spanned<PathBuf>>,
    tls: Option<Spanned<Tls>>,
    ca_file: Option<Spanned<PathBuf>>,
    max_staleness: Option<Spanned<Span>>,
    connections: Option<Spanned<u32>>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Engine {
    Redb,
    Postgres,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Tls {
    VerifyFull,
    Off,
}

impl StoreTable {
    pub(super) fn resolve(self, base: &Path, source: Source<'_>) -> Result<StoreSettings, ConfigError> {
        let within = Ranges(source);
        let is_postgres = self.engine.as_ref().is_some_and(|engine| *engine.get_ref() == Engine::Postgres);
        if is_postgres {
            if let Some(cache) = &self.cache_bytes {
                let message = "is of the embedded engine; with engine = \"postgres\" leave it out";
                return Err(source.at(cache.span().start, "store.cache_bytes", message).into());
            }
            let cache_bytes = 64 * MIB;
            return Ok(StoreSettings { cache_bytes, postgres: Some(self.postgres(base, source, &within)?) });
        }
        self.refuse_what_is_postgres(source)?;
        let cache_bytes = within.size("store.cache_bytes", self.cache_bytes, 64 * MIB, MIB..=TIB)?;
        Ok(StoreSettings { cache_bytes, postgres: None })
    }

    fn postgres(
        self,
        base: &Path,
        source: Source<'_>,
        within: &Ranges<'_>,
    ) -> Result<PostgresStoreSettings, ConfigError> {
        let engine = self.engine.as_ref().map_or(0, |engine| engine.span().start);
        let Some(listed) = self.hosts else {
            return Err(source.at(engine, "store.hosts", "name the database's hosts: hosts = [\"db1:5432\"]").into());
        };
        if listed.get_ref().is_empty() {
            return Err(source.at(listed.span().start, "store.hosts", "no host is named").into());
        }
        let mut hosts = Vec::new();
        for host in listed.get_ref() {
            hosts.push(parse_host(host.get_ref()).ok_or_else(|| {
                let message = format!(
                    "`{}` is not a host; give a name or an address, with a port if it is not {PORT}, or the directory \
                     of a Unix socket: db1, db1:5433, [fd00::7]:5432, /run/postgresql",
                    host.get_ref()
                );
                source.at(host.span().start, "store.hosts", message)
            })?);
        }
        let verifies_server = match &self.tls {
            Some(tls) => *tls.get_ref() == Tls::VerifyFull,
            None => !hosts.iter().all(|(host, _)| is_this_machine(host)),
        };
        if let (Some(file), false) = (&self.ca_file, verifies_server) {
            let message = "no certificate is asked for: give tls = \"verify-full\" as well";
            return Err(source.at(file.span().start, "store.ca_file", message).into());
        }
        if let Some(host) = hosts.iter().find(|(host, _)| verifies_server && host.starts_with('/')) {
            let message = format!("a Unix socket ({}) has no TLS: give tls = \"off\"", host.0);
            return Err(source.at(listed.span().start, "store.hosts", message).into());
        }
        let name = |member, value: Option<Spanned<String>>| match value {
            None => Ok("keystile".to_owned()),
            Some(value) if value.get_ref().is_empty() || value.get_ref().contains('\0') => {
                Err(ConfigError::from(source.at(value.span().start, member, "not a name")))
            }
            Some(value) => Ok(value.into_inner()),
        };
        Ok(PostgresStoreSettings {
            hosts,
            database: name("store.database", self.database)?,
            user: name("store.user", self.user)?,
            password_file: self.password_file.map(|file| base.join(file.into_inner())),
            verifies_server,
            ca_file: self.ca_file.map(|file| base.join(file.into_inner())),
            max_staleness: within
                .range(
                    "store.max_staleness",
                    self.max_staleness,
                    Span(Duration::from_secs(2)),
                    Span(Duration::from_millis(500))..=Span(Duration::from_mins(1)),
                )?
                .0,
            connections: within.range("store.connections", self.connections, 8, 2..=100)?,
        })
    }

    /// What would have no effect is an error.
    fn refuse_what_is_postgres(&self, source: Source<'_>) -> Result<(), ConfigError> {
        let given = [
            ("store.hosts", self.hosts.as_ref().map(Spanned::span)),
            ("store.database", self.database.as_ref().map(Spanned::span)),
            ("store.user", self.user.as_ref().map(Spanned::span)),
            ("store.password_file", self.password_file.as_ref().map(Spanned::span)),
            ("store.tls", self.tls.as_ref().map(Spanned::span)),
            ("store.ca_file", self.ca_file.as_ref().map(Spanned::span)),
            ("store.max_staleness", self.max_staleness.as_ref().map(Spanned::span)),
            ("store.connections", self.connections.as_ref().map(Spanned::span)),
        ];
        match given.into_iter().find_map(|(member, span)| Some((member, span?))) {
            None => Ok(()),
            Some((member, span)) => {
                Err(source.at(span.start, member, "has an effect with engine = \"postgres\" only").into())
            }
        }
    }
}

/// A host with its port.
fn parse_host(text: &str) -> Option<(String, u16)> {
    let (host, port) = match text.rsplit_once(':') {
        // An address of IPv6 without a port.
        Some((front, _)) if front.contains(':') && !front.ends_with(']') => (text, None),
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_socket = host.starts_with('/') && host.len() > 1;
    let is_name =
        |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if !is_socket && host.parse::<IpAddr>().is_err() && !host.split('.').all(is_name) {
        return None;
    }
    let port = port.map_or(Some(PORT), |port| port.parse().ok().filter(|port| *port > 0))?;
    Some((host.to_owned(), port))
}

fn is_this_machine(host: &str) -> bool {
    host.starts_with('/') || host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Overrides};
    use super::*;

    fn store(text: &str) -> Result<StoreSettings, String> {
        let config = Config::from_text(Some(Path::new("etc/keystile.toml")), text, &Overrides::default());
        config.map(|config| config.store).map_err(|error| error.to_string())
    }

    #[test]
    fn the_server_is_verified_unless_every_host_is_this_machine() {
        let verifies = |hosts: &str, more: &str| {
            let text = format!("[store]\nengine = \"postgres\"\nhosts = {hosts}\n{more}");
            store(&text).unwrap().postgres.unwrap().verifies_server
        };
        assert!(!verifies(r#"["/run/postgresql", "localhost:5433", "127.0.0.1", "[::1]:5432"]"#, ""));
        assert!(verifies(r#"["127.0.0.1", "db2"]"#, ""));
        assert!(verifies(r#"["localhost"]"#, "tls = \"verify-full\""));
        assert!(!verifies(r#"["db1"]"#, "tls = \"off\""));
        let settings = store("[store]\nengine = \"postgres\"\nhosts = [\"db1\"]\npassword_file = \"p\"").unwrap();
        let postgres = settings.postgres.unwrap();
        assert_eq!((postgres.max_staleness, postgres.connections), (Duration::from_secs(2), 8));
        assert_eq!((postgres.database.as_str(), postgres.user.as_str()), ("keystile", "keystile"));
        assert_eq!(postgres.password_file.as_deref(), Some(Path::new("etc/p")));
    }

    #[test]
    fn what_has_no_effect_or_makes_no_sense_is_an_error_with_its_place() {
        assert_eq!(store("").unwrap(), StoreSettings { cache_bytes: 64 << 20, postgres: None });
        for (text, place) in [
            ("hosts = [\"db1\"]", "etc/keystile.toml:2:"),
            ("max_staleness = \"1s\"", "store.max_staleness"),
            ("engine = \"postgres\"", "store.hosts"),
            ("engine = \"postgres\"\nhosts = []", "store.hosts"),
            ("engine = \"postgres\"\nhosts = [\"db1\", \"a b\"]", "etc/keystile.toml:3:17"),
            ("engine = \"postgres\"\nhosts = [\"db1\"]\ncache_bytes = 1048576", "store.cache_bytes"),
            ("engine = \"postgres\"\nhosts = [\"db1\"]\nmax_staleness = \"499ms\"", "store.max_staleness"),
            ("engine = \"postgres\"\nhosts = [\"db1\"]\nconnections = 1", "store.connections"),
            ("engine = \"postgres\"\nhosts = [\"db1\"]\ntls = \"off\"\nca_file = \"ca\"", "store.ca_file"),
            ("engine = \"postgres\"\nhosts = [\"/run\"]\ntls = \"verify-full\"", "Unix socket"),
            ("engine = \"mysql\"", "redb"),
            ("engine = \"postgres\"\nhosts = [\"db1\"]\nuser = \"\"", "store.user"),
        ] {
            let error = store(&format!("[store]\n{text}")).unwrap_err();
            assert!(error.contains(place), "{text}: {error}");
        }
    }

    #[test]
    fn a_host_is_a_name_an_address_or_a_sockets_directory() {
        let host = |text| parse_host(text).map(|(host, port)| format!("{host} {port}"));
        for (text, expected) in [
            ("db1", "db1 5432"),
            ("db1.example.com:5433", "db1.example.com 5433"),
            ("10.0.0.7", "10.0.0.7 5432"),
            ("10.0.0.7:1", "10.0.0.7 1"),
            ("fd00::7", "fd00::7 5432"),
            ("[fd00::7]:6000", "fd00::7 6000"),
            ("/run/postgresql", "/run/postgresql 5432"),
            ("/run/postgresql:5433", "/run/postgresql 5433"),
        ] {
            assert_eq!(host(text).as_deref(), Some(expected), "{text}");
        }
        for bad in ["", ":5432", "db1:", "db1:0", "db1:65536", "db1:x", "a b", "postgres://db1", "/"] {
            assert_eq!(host(bad), None, "{bad}");
        }
    }
}
