use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::ConfigError;
use super::load::Ranges;
use super::units::Span;
use crate::identity::Source;

/// `[external_key_stores]`: which proxies of external key stores are called, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalKeyStoreSettings {
    /// The only hosts that are called, in lower case; without any, external key stores are off.
    pub hosts: BTreeSet<String>,
    /// Where hosts are reached whose address and port DNS and 443 are not.
    pub connect: BTreeMap<String, SocketAddr>,
    /// The certificate authorities of proxies, as PEM; none for the system's.
    pub ca_file: Option<PathBuf>,
    /// For one request to a proxy, the connection included. 50 ms to 10 s, default 1 s.
    pub timeout: Duration,
    /// Requests to a host at once. 1 to 10,000, default 256.
    pub max_requests: u32,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ExternalKeyStoreTable {
    hosts: Vec<Spanned<String>>,
    connect: BTreeMap<String, Spanned<String>>,
    ca_file: Option<PathBuf>,
    timeout: Option<Spanned<Span>>,
    max_requests: Option<Spanned<u32>>,
}

impl ExternalKeyStoreTable {
    pub(super) fn resolve(self, base: &Path, source: Source<'_>) -> Result<ExternalKeyStoreSettings, ConfigError> {
        let within = Ranges(source);
        let mut hosts = BTreeSet::new();
        for host in &self.hosts {
            let place = host.span().start;
            hosts.insert(host_name(host.get_ref(), place, "external_key_stores.hosts", source)?);
        }
        let mut connect = BTreeMap::new();
        for (host, address) in &self.connect {
            let member = "external_key_stores.connect";
            let (place, text) = (address.span().start, address.get_ref());
            let host = host_name(host, place, member, source)?;
            let address = text.parse().map_err(|_| {
                let message = format!(
                    "`{text}` is not an address to connect to; give an IP address and a port, such as 10.0.0.7:443"
                );
                source.at(place, member, message)
            })?;
            // Who says where a host is means it to be called.
            hosts.insert(host.clone());
            connect.insert(host, address);
        }
        Ok(ExternalKeyStoreSettings {
            hosts,
            connect,
            ca_file: self.ca_file.map(|file| base.join(file)),
            timeout: within
                .range(
                    "external_key_stores.timeout",
                    self.timeout,
                    Span(Duration::from_secs(1)),
                    Span(Duration::from_millis(50))..=Span(Duration::from_secs(10)),
                )?
                .0,
            max_requests: within.range("external_key_stores.max_requests", self.max_requests, 256, 1..=10_000)?,
        })
    }
}

/// A name that an endpoint of a key store can have: no address, which a certificate seldom names.
fn host_name(text: &str, place: usize, member: &str, source: Source<'_>) -> Result<String, ConfigError> {
    let is_label =
        |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if text.split('.').all(is_label) && text.parse::<IpAddr>().is_err() {
        return Ok(text.to_ascii_lowercase());
    }
    Err(source
        .at(place, member, format!("`{text}` is not the name of a host; give one such as xks.example.com"))
        .into())
}
