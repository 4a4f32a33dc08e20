use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// A policy value under an IP operator: a network; without a prefix, a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

impl Network {
    /// Reads an address with an optional prefix length. IPv4 host bits are masked away; IPv6 host
    /// bits make the literal invalid. Leading zeros are decimal. IPv4-mapped IPv6 stays IPv6 here
    /// and so matches no request, whose addresses are converted.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (host, prefix) = match text.split_once('/') {
            Some((host, prefix)) => (host, Some(prefix)),
            None => (text, None),
        };
        let address = literal(host)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => longest,
            Some(text) => decimal(text).and_then(|bits| u8::try_from(bits).ok()).filter(|bits| *bits <= longest)?,
        };
        let network = IpNet::new(address, prefix).ok()?;
        (network.addr().is_ipv4() || network.trunc() == network).then(|| Self(network.trunc()))
    }

    /// Whether the address lies in it; never across the two families.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }

    /// The network, host bits masked.
    #[must_use]
    pub fn net(&self) -> IpNet {
        self.0
    }
}

/// A request value under an IP operator; none where it is no address (a CIDR, a bare integer,
/// dotted IPv6 but for `::ffff:`). IPv4-mapped IPv6 becomes IPv4.
#[must_use]
pub fn address(text: &str) -> Option<IpAddr> {
    Some(match literal(text)? {
        IpAddr::V6(address) => address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4),
        address @ IpAddr::V4(_) => address,
    })
}

fn literal(text: &str) -> Option<IpAddr> {
    if !text.contains(':') {
        return dotted(text).map(IpAddr::V4);
    }
    let address: Ipv6Addr = text.parse().ok()?;
    (!text.contains('.') || address.to_ipv4_mapped().is_some()).then_some(IpAddr::V6(address))
}

fn dotted(text: &str) -> Option<Ipv4Addr> {
    let mut parts = text.split('.');
    let mut octets = [0; 4];
    for octet in &mut octets {
        *octet = u8::try_from(decimal(parts.next()?)?).ok()?;
    }
    parts.next().is_none().then(|| octets.into())
}

/// One to three digits, leading zeros without meaning.
fn decimal(text: &str) -> Option<u16> {
    (matches!(text.len(), 1..=3) && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_addresses() {
        for (network, request, expected) in [
            ("0.0.0.0/0", "203.0.113.7", true),
            ("203.0.113.0/24", "203.0.113.7", true),
            ("203.0.113.99/24", "203.0.113.7", true),
            ("203.0.113.7", "203.0.113.7", true),
            ("203.0.113.7", "203.0.113.8", false),
            ("203.0.113.007/032", "203.0.113.7", true),
            ("10.0.0.0/08", "010.1.2.3", true),
            ("2001:db8::/32", "2001:DB8:0::1", true),
            ("2001:db8::1", "2001:db8:0:0:0:0:0:1", true),
            ("::/0", "203.0.113.7", false),
            ("203.0.113.0/24", "::ffff:203.0.113.7", true),
            ("203.0.113.0/24", "::ffff:cb00:7107", true),
            ("::ffff:203.0.113.7", "::ffff:203.0.113.7", false),
            ("::ffff:0:0/96", "203.0.113.7", false),
        ] {
            let found = Network::parse(network).unwrap().contains(address(request).unwrap());
            assert_eq!(found, expected, "{network} {request}");
        }
    }

    #[test]
    fn what_is_no_address_or_network_is_told() {
        for bad in [
            "",
            "203.0.113",
            "203.0.113.256",
            "203.0.113.7/24",
            "3405803783",
            "64:ff9b::1.2.3.4",
            "::1.2.3.4",
            " 1.2.3.4",
            "[::1]",
            "fe80::1%eth0",
            "1.2.3.0004",
        ] {
            assert_eq!(address(bad), None, "{bad}");
        }
        for bad in
            ["", "1.2.3.4/", "1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/8/8", "::/129", "2001:db8::1/32", "1.2.3.*", "/8"]
        {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
    }
}
