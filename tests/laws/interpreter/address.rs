//! Addresses and networks, as texts of bits.

fn bits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:08b}")).collect::<Vec<_>>().concat()
}

/// 32 or 128 bits.
fn literal_address(text: &str) -> Option<String> {
    if text.contains(':') {
        let address: std::net::Ipv6Addr = text.parse().ok()?;
        let address = bits(&address.octets());
        let mapped = format!("{}{}", "0".repeat(80), "1".repeat(16));
        return (!text.contains('.') || address.starts_with(&mapped)).then_some(address);
    }
    let parts: Vec<&str> = text.split('.').collect();
    if parts.len() != 4 {
        return None;
    }
    let mut bytes = Vec::new();
    for part in parts {
        if part.is_empty() || part.len() > 3 || !part.chars().all(|c| c.is_ascii_digit()) {
            return None;
        }
        bytes.push(part.parse::<u8>().ok()?);
    }
    Some(bits(&bytes))
}

/// The address of a request value: an IPv4-mapped one is IPv4.
pub(super) fn request_address(text: &str) -> Option<String> {
    let address = literal_address(text)?;
    let mapped = format!("{}{}", "0".repeat(80), "1".repeat(16));
    Some(address.strip_prefix(&mapped).map_or(address.clone(), str::to_owned))
}

/// Whether the network of a policy holds the address; a bad policy value holds none.
pub(super) fn network_holds(network: &str, address: &str) -> bool {
    let (host, prefix) = network.split_once('/').map_or((network, None), |(host, prefix)| (host, Some(prefix)));
    let Some(host) = literal_address(host) else { return false };
    let length = match prefix {
        None => host.len(),
        Some(text) => {
            if text.is_empty() || text.len() > 3 || !text.chars().all(|c| c.is_ascii_digit()) {
                return false;
            }
            text.parse().unwrap()
        }
    };
    if length > host.len() || (host.len() == 128 && host[length..].contains('1')) {
        return false;
    }
    host.len() == address.len() && host[..length] == address[..length]
}
