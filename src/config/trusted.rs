//! Who is believed when it says for whom it asks: proxies by the PROXY protocol, forwarders by their
//! headers.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;
use toml::Spanned;

use super::ConfigError;
use crate::identity::Source;

/// Addresses that are trusted with something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedAddresses {
    networks: Vec<IpNet>,
    /// Whether who connects to the gateway's Unix-domain socket is among them.
    pub unix: bool,
}

impl TrustedAddresses {
    /// Whether an address is among them.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }
}

/// `[proxy_protocol]`: who says by the PROXY protocol (HAProxy, "The PROXY protocol, versions 1 & 2")
/// where a connection comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyProtocolSettings {
    /// Whose connections must begin with a header.
    pub addresses: TrustedAddresses,
    /// What comes of connections from elsewhere.
    pub others: OtherConnections,
}

/// What comes of connections that no trusted proxy makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OtherConnections {
    /// They are closed.
    #[default]
    Refused,
    /// They are served, and begin without a header.
    Direct,
}

/// `[proxy_protocol]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProxyProtocolTable {
    addresses: Spanned<Vec<Spanned<String>>>,
    #[serde(default)]
    others: OtherConnections,
}

/// `[trusted_forwarders]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ForwardersTable {
    addresses: Spanned<Vec<Spanned<String>>>,
}

impl ProxyProtocolTable {
    /// # Errors
    /// What is no address or network; nobody.
    pub(super) fn resolve(self, source: Source<'_>) -> Result<ProxyProtocolSettings, ConfigError> {
        let addresses = addresses(self.addresses, "proxy_protocol.addresses", source)?;
        Ok(ProxyProtocolSettings { addresses, others: self.others })
    }
}

impl ForwardersTable {
    /// # Errors
    /// What is no address or network; nobody.
    pub(super) fn resolve(self, source: Source<'_>) -> Result<TrustedAddresses, ConfigError> {
        addresses(self.addresses, "trusted_forwarders.addresses", source)
    }
}

fn addresses(
    texts: Spanned<Vec<Spanned<String>>>,
    member: &str,
    source: Source<'_>,
) -> Result<TrustedAddresses, ConfigError> {
    if texts.get_ref().is_empty() {
        let message = "nobody would be trusted; name at least one address, or leave the table out";
        return Err(source.at(texts.span().start, member, message).into());
    }
    let mut trusted = TrustedAddresses::default();
    for text in texts.into_inner() {
        match text.get_ref().as_str() {
            "unix" => trusted.unix = true,
            address => {
                let network = network(address).map_err(|why| source.at(text.span().start, member, why))?;
                trusted.networks.push(network);
            }
        }
    }
    Ok(trusted)
}

/// `10.0.0.7`, `10.0.0.0/8`, `fd00::/8`.
fn network(text: &str) -> Result<IpNet, String> {
    let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    let Some(network) = network else {
        return Err(format!(
            "`{text}` is neither an IP address nor a network; give such as 10.0.0.7, 10.0.0.0/8, fd00::/8, or unix for \
             the gateway's Unix-domain socket"
        ));
    };
    // A slip of the pen trusts more than was meant.
    if network.addr() != network.network() {
        return Err(format!("`{text}` has bits behind its prefix; the network is {}", network.trunc()));
    }
    Ok(network)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_single_addresses_are_trusted_and_nobody_else() {
        let networks = ["10.0.0.0/8", "192.0.2.7", "fd00::/8"].map(|text| network(text).unwrap());
        let trusted = TrustedAddresses { networks: networks.to_vec(), unix: false };
        for (address, expected) in [
            ("10.255.255.255", true),
            ("11.0.0.0", false),
            ("9.255.255.255", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("::ffff:10.0.0.1", true),
            ("fdff::1", true),
            ("fe80::1", false),
        ] {
            assert_eq!(trusted.contain(address.parse().unwrap()), expected, "{address}");
        }
        for wrong in ["", "10.0.0.0/33", "10.0.0.1/8", "example.com", "10.0.0", "::1/129"] {
            assert!(network(wrong).is_err(), "{wrong}");
        }
    }
}
