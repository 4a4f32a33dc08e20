use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;
use zeroize::Zeroizing;

use super::ConfigError;
use super::directory::secret;
use super::files::read_text;
use super::load::Ranges;
use super::units::{Size, Span};
use crate::aws::{AccountId, Arn, Region};
use crate::identity::{SecretSource, Source};
use crate::services::{
    ContextTable, Definition, DefinitionTable, NeedsTable, Protocol, RouteTable, TargetsTable, shipped,
};

/// `[[upstream]]`: an HTTP service behind the gateway.
#[derive(Clone, PartialEq, Eq)]
pub struct UpstreamSettings {
    /// The service's name in the credential scope of its requests.
    pub service: Arc<str>,
    /// Where it is: `http` or `https`, a host and a port. The first that answers is used; without any,
    /// requests are only decided (`GET /auth`).
    pub urls: Vec<String>,
    /// What its requests ask for.
    pub definition: Arc<Definition>,
    /// Whose resources it holds.
    pub account: UpstreamAccount,
    /// The credential that requests are signed with anew; none where they go on unsigned.
    pub resign: Option<ResignSettings>,
    /// The hosts by which clients reach it and before which, as another label, they name a bucket (S3's
    /// virtual-hosted addresses). In lower case, without a port.
    pub virtual_hosts: Vec<String>,
    /// Takes SigV4a too; the region of a request whose region set leaves a choice. None: SigV4 alone.
    pub sigv4a_region: Option<Region>,
    /// The certificate authorities of its certificates, as PEM; none for the system's.
    pub ca_file: Option<PathBuf>,
    /// Policies of its resources.
    pub resource_policies: Vec<ResourcePolicySettings>,
    /// For a connection, TLS included. 50 ms to 1 min, default 5 s.
    pub connect_timeout: Duration,
    /// From the end of a request to the head of its answer. 50 ms to 1 h, default 60 s.
    pub response_timeout: Duration,
    /// Between two pieces of a body, either way. 50 ms to 1 h, default 30 s.
    pub idle_timeout: Duration,
    /// Bytes of a body that is read before its request is decided. 1 KiB to 64 MiB, default 16 MiB.
    pub max_body_bytes: u64,
    /// Requests at once. 1 to 100,000, default 1,024.
    pub max_requests: u32,
    /// Failures in a row after which a URL is left alone. 1 to 1,000, default 3.
    pub unhealthy_after: u32,
    /// How long it is left alone. 100 ms to 1 h, default 10 s.
    pub unhealthy_for: Duration,
}

/// Whose resources an upstream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamAccount {
    /// This account's.
    Of(AccountId),
    /// Each caller's own: the upstream keeps accounts apart by itself.
    Callers,
    /// Nothing was said; then there must be one account alone.
    TheOnlyOne,
}

/// How requests are signed for an upstream.
#[derive(Clone, PartialEq, Eq)]
pub struct ResignSettings {
    /// The access key.
    pub access_key_id: String,
    /// Its secret.
    pub secret: SecretSource,
    /// Its session token, where it is a temporary key.
    pub session_token: Option<Zeroizing<String>>,
    /// The Region that requests are signed for; none for the one that the client signed for.
    pub region: Option<Region>,
    /// Line and column, for errors.
    place: (u32, u32),
}

/// A policy of an upstream's resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourcePolicySettings {
    /// The resource; policies of S3 buckets hold for their objects too.
    pub resource: Arn,
    /// The policy's file.
    pub policy: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UpstreamTable {
    service: Spanned<String>,
    url: Option<Spanned<Urls>>,
    #[serde(default)]
    protocol: Option<Spanned<Protocol>>,
    account: Option<Spanned<String>>,
    resign: Option<Spanned<ResignTable>>,
    virtual_hosts: Option<Spanned<Vec<String>>>,
    sigv4a_region: Option<Region>,
    ca_file: Option<PathBuf>,
    #[serde(default)]
    resource_policy: Vec<Spanned<ResourcePolicyTable>>,
    connect_timeout: Option<Spanned<Span>>,
    response_timeout: Option<Spanned<Span>>,
    idle_timeout: Option<Spanned<Span>>,
    max_body_bytes: Option<Spanned<Size>>,
    max_requests: Option<Spanned<u32>>,
    unhealthy_after: Option<Spanned<u32>>,
    unhealthy_for: Option<Spanned<Span>>,
    action_prefix: Option<Spanned<String>>,
    target_prefix: Option<TargetsTable>,
    #[serde(default)]
    action: Vec<Spanned<RouteTable>>,
    #[serde(default)]
    resources: BTreeMap<String, Spanned<NeedsTable>>,
    #[serde(default)]
    context: BTreeMap<String, Spanned<ContextTable>>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "give a URL, or a list of URLs")]
enum Urls {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResignTable {
    access_key_id: String,
    secret: Option<String>,
    secret_file: Option<PathBuf>,
    secret_env: Option<String>,
    session_token: Option<String>,
    region: Option<Region>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResourcePolicyTable {
    resource: String,
    policy: PathBuf,
}

/// All upstreams, no service twice.
pub(super) fn resolve(
    tables: Vec<UpstreamTable>,
    base: &Path,
    source: Source<'_>,
) -> Result<Vec<UpstreamSettings>, ConfigError> {
    let mut seen = BTreeSet::new();
    let mut upstreams = Vec::with_capacity(tables.len());
    for table in tables {
        let place = table.service.span().start;
        let service = table.service.get_ref().clone();
        if !seen.insert(service.clone()) {
            let message = format!("`{service}` has an upstream already; give one upstream several URLs");
            return Err(source.at(place, "upstream.service", message).into());
        }
        if service == "sts" {
            let message = "STS is built in: the sessions that the gateway accepts are those that it issued";
            return Err(source.at(place, "upstream.service", message).into());
        }
        upstreams.push(table.resolve(base, source)?);
    }
    Ok(upstreams)
}

impl UpstreamTable {
    fn resolve(self, base: &Path, source: Source<'_>) -> Result<UpstreamSettings, ConfigError> {
        let within = Ranges(source);
        let service = self.service.get_ref().as_str();
        let wrong = |offset: usize, member: &str, message: String| {
            ConfigError::from(source.at(offset, format!("upstream.{member}"), message))
        };
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if service.is_empty() || !service.bytes().all(is_name) {
            let message = format!("`{service}` is not a service's name in a credential scope, such as dynamodb");
            return Err(wrong(self.service.span().start, "service", message));
        }
        let definition = DefinitionTable {
            protocol: self.protocol.as_ref().map(|protocol| *protocol.get_ref()),
            action_prefix: self.action_prefix,
            target_prefix: self.target_prefix,
            action: self.action,
            resources: self.resources,
            context: self.context,
        };
        let definition = definition.resolve(service, shipped(service).as_deref()).map_err(|fault| {
            let at = if fault.at.is_empty() { self.service.span().start } else { fault.at.start };
            wrong(at, &fault.member, fault.message)
        })?;
        let urls_place = self.url.as_ref().map_or(0, |urls| urls.span().start);
        let urls = match self.url.map(Spanned::into_inner) {
            None => Vec::new(),
            Some(Urls::One(url)) => vec![url],
            Some(Urls::Several(urls)) if urls.is_empty() => {
                return Err(wrong(urls_place, "url", "give at least one URL, or leave it out".to_owned()));
            }
            Some(Urls::Several(urls)) => urls,
        };
        for url in &urls {
            check_url(url).map_err(|message| wrong(urls_place, "url", message))?;
        }
        let account = match &self.account {
            None => UpstreamAccount::TheOnlyOne,
            Some(text) if text.get_ref() == "caller" => UpstreamAccount::Callers,
            Some(text) => UpstreamAccount::Of(text.get_ref().parse().map_err(|_| {
                let message = format!("`{}` is neither an account id nor \"caller\"", text.get_ref());
                wrong(text.span().start, "account", message)
            })?),
        };
        let mut borne = BTreeSet::new();
        let resource_policies = self.resource_policy.into_iter().map(|table| {
            let place = table.span().start;
            let ResourcePolicyTable { resource, policy } = table.into_inner();
            let resource = bearer(&resource, &definition, account)
                .and_then(|arn| {
                    if borne.insert(arn.as_str().to_owned()) {
                        Ok(arn)
                    } else {
                        Err("it has a policy already".to_owned())
                    }
                })
                .map_err(|message| wrong(place, "resource_policy.resource", message))?;
            Ok::<_, ConfigError>(ResourcePolicySettings { resource, policy: base.join(policy) })
        });
        let resource_policies = resource_policies.collect::<Result<Vec<_>, _>>()?;
        let virtual_hosts = self.virtual_hosts.map_or_else(
            || Ok(Vec::new()),
            |hosts| {
                let place = hosts.span().start;
                virtual_hosts(hosts.into_inner(), definition.protocol())
                    .map_err(|message| wrong(place, "virtual_hosts", message))
            },
        )?;
        let least = Duration::from_millis(50);
        let time = |member: &str, value, default: u64, most: Duration| {
            let range = Span(least)..=Span(most);
            let member = format!("upstream.{member}");
            within.range(&member, value, Span(Duration::from_secs(default)), range).map(|span| span.0)
        };
        let hour = Duration::from_hours(1);
        Ok(UpstreamSettings {
            definition: Arc::new(definition),
            urls,
            account,
            resign: self.resign.map(|table| ResignTable::resolve(table, source)).transpose()?,
            virtual_hosts,
            sigv4a_region: self.sigv4a_region,
            ca_file: self.ca_file.map(|file| base.join(file)),
            resource_policies,
            connect_timeout: time("connect_timeout", self.connect_timeout, 5, Duration::from_mins(1))?,
            response_timeout: time("response_timeout", self.response_timeout, 60, hour)?,
            idle_timeout: time("idle_timeout", self.idle_timeout, 30, hour)?,
            max_body_bytes: within.size(
                "upstream.max_body_bytes",
                self.max_body_bytes,
                16 << 20,
                1 << 10..=64 << 20,
            )?,
            max_requests: within.range("upstream.max_requests", self.max_requests, 1024, 1..=100_000)?,
            unhealthy_after: within.range("upstream.unhealthy_after", self.unhealthy_after, 3, 1..=1000)?,
            unhealthy_for: time("unhealthy_for", self.unhealthy_for, 10, hour)?,
            service: service.into(),
        })
    }
}

impl ResignTable {
    fn resolve(table: Spanned<Self>, source: Source<'_>) -> Result<ResignSettings, ConfigError> {
        let place = table.span().start;
        let table = table.into_inner();
        let secret = match (table.secret, table.secret_file, table.secret_env) {
            (Some(secret), None, None) => SecretSource::Inline(Zeroizing::new(secret)),
            (None, Some(file), None) => SecretSource::File(file),
            (None, None, Some(name)) => SecretSource::Env(name),
            _ => {
                let message = "give exactly one of `secret`, `secret_file` and `secret_env`";
                return Err(source.at(place, "upstream.resign", message).into());
            }
        };
        Ok(ResignSettings {
            access_key_id: table.access_key_id,
            secret,
            session_token: table.session_token.map(Zeroizing::new),
            region: table.region,
            place: source.position(place),
        })
    }
}

impl ResignSettings {
    /// The secret, from where it is named.
    ///
    /// # Errors
    /// A file that can't be read, a variable that is not set.
    pub fn read_secret(&self, config: &super::Config) -> Result<Zeroizing<String>, ConfigError> {
        let base = config.file.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
        let wrong = |member: &str, message: String| ConfigError {
            file: config.file.as_ref().map(|file| file.display().to_string()),
            place: Some(self.place),
            member: format!("upstream.resign.{member}"),
            message,
        };
        let secret = secret(base, &self.secret).map_err(|(member, message)| wrong(member, message))?;
        if secret.is_empty() {
            return Err(wrong("secret", "the secret that is named here is empty".to_owned()));
        }
        Ok(secret)
    }
}

impl ResourcePolicySettings {
    /// The policy's text.
    ///
    /// # Errors
    /// A file that can't be read.
    pub fn read(&self) -> Result<String, ConfigError> {
        read_text(&self.policy, "read the resource policy")
    }
}

/// `http://host:port`, nothing after it: what is verified is what goes on, so no path is put before it.
fn check_url(url: &str) -> Result<(), String> {
    let wrong = || {
        Err(format!(
            "`{url}` is not where an upstream can be; give http:// or https://, a host and perhaps a port, nothing else"
        ))
    };
    let Some(rest) = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")) else { return wrong() };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
    if rest.is_empty() || !rest.bytes().all(is_host) || rest.parse::<http::uri::Authority>().is_err() {
        return wrong();
    }
    Ok(())
}

/// The resource that bears a policy: what no request could name bears none.
fn bearer(text: &str, definition: &Definition, account: UpstreamAccount) -> Result<Arn, String> {
    let arn: Arn = text.parse().map_err(|error| format!("{error}"))?;
    if arn.service() != definition.action_prefix() {
        return Err(format!("`{text}` is not a resource of {}", definition.action_prefix()));
    }
    if text.contains(['*', '?']) {
        return Err(format!("`{text}` is a pattern; a policy is borne by one resource"));
    }
    if arn.service() == "s3" && arn.resource().contains('/') {
        return Err(format!("`{text}` is an object; its bucket bears the policy"));
    }
    match account {
        UpstreamAccount::Of(account) if !arn.account().is_empty() && arn.account() != account.as_str() => {
            Err(format!("`{text}` is not of account {account}"))
        }
        UpstreamAccount::Of(_) | UpstreamAccount::Callers | UpstreamAccount::TheOnlyOne => Ok(arn),
    }
}

/// Names before which a bucket can stand.
fn virtual_hosts(hosts: Vec<String>, protocol: Protocol) -> Result<Vec<String>, String> {
    if protocol != Protocol::S3 {
        return Err("S3 alone has buckets in the names of hosts".to_owned());
    }
    let check = |host: String| {
        let is_label =
            |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if host.split('.').all(is_label) && host.parse::<std::net::IpAddr>().is_err() {
            Ok(host.to_ascii_lowercase())
        } else {
            Err(format!("`{host}` is not the name of a host; give one such as s3.example.com, without a port"))
        }
    };
    hosts.into_iter().map(check).collect()
}

impl fmt::Debug for UpstreamSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamSettings")
            .field("service", &self.service)
            .field("urls", &self.urls)
            .finish_non_exhaustive()
    }
}
