//! The PROXY protocol (HAProxy, "The PROXY protocol, versions 1 & 2"): the first bytes of a connection
//! say where it comes from, before TLS and before HTTP.

use crc::{CRC_32_ISCSI, Crc};
use ppp::{v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::origin::Origin;
use crate::config::{OtherConnections, ProxyProtocolSettings};

/// Longest header of version 1, in bytes (section 2.1).
const MAX_V1: usize = 107;

/// Longest header of version 2 that is taken, in bytes: addresses, and what proxies say beside them.
const MAX_V2: usize = 4096;

/// Bytes of version 2 before what its length counts (section 2.2).
const FIXED_V2: usize = 16;

/// The checksum over a header of version 2 (section 2.2.3).
const CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// Why a connection is not served.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProxyError {
    /// Only trusted proxies may connect.
    #[error("{0} is not among the trusted proxies")]
    Untrusted(Origin),
    /// The connection ended, or failed.
    #[error("the connection ended in the PROXY protocol's header: {0}")]
    Io(#[from] std::io::Error),
    /// A trusted proxy said nothing, or what can't be read.
    #[error("the PROXY protocol's header is {0}")]
    Malformed(&'static str),
}

/// Reads the header that a connection must begin with, and not a byte more: where the connection comes
/// from. What a proxy opens for itself, or can't tell the origin of, comes from the proxy.
///
/// # Errors
/// Somebody else than a trusted proxy, or a header that is missing or malformed.
pub(super) async fn origin<S: AsyncRead + Unpin>(
    stream: &mut S,
    proxy: Origin,
    settings: &ProxyProtocolSettings,
) -> Result<Origin, ProxyError> {
    if !proxy.is_among(&settings.addresses) {
        return match settings.others {
            OtherConnections::Direct => Ok(proxy),
            OtherConnections::Refused => Err(ProxyError::Untrusted(proxy)),
        };
    }
    // The shortest header of version 1 is longer than the signature of version 2.
    let mut header = vec![0; v2::PROTOCOL_PREFIX.len()];
    stream.read_exact(&mut header).await?;
    let told = if header == v2::PROTOCOL_PREFIX {
        binary(&read_binary(stream, header).await?)?
    } else if header.starts_with(b"PROXY ") {
        text(&read_text(stream, header).await?)?
    } else {
        return Err(ProxyError::Malformed("missing"));
    };
    Ok(told.unwrap_or(proxy))
}

/// Byte by byte: where the line ends something else begins.
async fn read_text<S: AsyncRead + Unpin>(stream: &mut S, mut header: Vec<u8>) -> Result<Vec<u8>, ProxyError> {
    while !header.ends_with(b"\r\n") {
        if header.len() == MAX_V1 {
            return Err(ProxyError::Malformed("longer than a line of version 1 may be"));
        }
        header.push(stream.read_u8().await?);
    }
    Ok(header)
}

async fn read_binary<S: AsyncRead + Unpin>(stream: &mut S, mut header: Vec<u8>) -> Result<Vec<u8>, ProxyError> {
    header.resize(FIXED_V2, 0);
    stream.read_exact(&mut header[v2::PROTOCOL_PREFIX.len()..]).await?;
    let length = FIXED_V2 + usize::from(u16::from_be_bytes([header[14], header[15]]));
    if length > MAX_V2 {
        return Err(ProxyError::Malformed("longer than what is taken of version 2"));
    }
    header.resize(length, 0);
    stream.read_exact(&mut header[FIXED_V2..]).await?;
    Ok(header)
}

/// The origin that a header of version 1 tells; none where it tells that it does not know.
fn text(header: &[u8]) -> Result<Option<Origin>, ProxyError> {
    // Whatever stands behind it is to be ignored.
    if header.starts_with(b"PROXY UNKNOWN\r") || header.starts_with(b"PROXY UNKNOWN ") {
        return Ok(None);
    }
    let read = v1::Header::try_from(header).map_err(|_| ProxyError::Malformed("not one of version 1"))?;
    Ok(match read.addresses {
        v1::Addresses::Tcp4(addresses) => Some(Origin::of_ip(addresses.source_address.into())),
        v1::Addresses::Tcp6(addresses) => Some(Origin::of_ip(addresses.source_address.into())),
        v1::Addresses::Unknown => None,
    })
}

/// The same of version 2, whose checksum holds if it has one.
fn binary(header: &[u8]) -> Result<Option<Origin>, ProxyError> {
    let read = v2::Header::try_from(header).map_err(|_| ProxyError::Malformed("not one of version 2"))?;
    if read.protocol == v2::Protocol::Datagram {
        return Err(ProxyError::Malformed("about datagrams"));
    }
    if read.command == v2::Command::Local {
        // The proxy's own, such as a look at our health: what else it says is to be ignored.
        return Ok(None);
    }
    check(header, &read)?;
    Ok(match read.addresses {
        v2::Addresses::IPv4(addresses) => Some(Origin::of_ip(addresses.source_address.into())),
        v2::Addresses::IPv6(addresses) => Some(Origin::of_ip(addresses.source_address.into())),
        v2::Addresses::Unix(_) => Some(Origin::Untold),
        v2::Addresses::Unspecified => None,
    })
}

/// Walks what stands behind the addresses, and holds the header to its checksum: that of the header with
/// zeroes in the checksum's place.
fn check(header: &[u8], read: &v2::Header<'_>) -> Result<(), ProxyError> {
    let wrong = ProxyError::Malformed;
    let mut told = None;
    let mut at = FIXED_V2 + read.address_bytes().len();
    while let Some((&kind, rest)) = header.get(at..).and_then(<[u8]>::split_first) {
        let length = rest.first_chunk().map(|bytes| usize::from(u16::from_be_bytes(*bytes)));
        let value = length.and_then(|length| rest.get(2..2 + length));
        let Some(value) = value else { return Err(wrong("cut short in a value of version 2")) };
        if kind == u8::from(v2::Type::CRC32C) {
            let Ok(bytes) = value.try_into() else { return Err(wrong("with a checksum that is none")) };
            if told.replace((at + 3, u32::from_be_bytes(bytes))).is_some() {
                return Err(wrong("with two checksums"));
            }
        }
        at += 3 + value.len();
    }
    let Some((place, expected)) = told else { return Ok(()) };
    let mut digest = CRC32C.digest();
    for part in [&header[..place], &[0; 4], &header[place + 4..]] {
        digest.update(part);
    }
    if digest.finalize() == expected { Ok(()) } else { Err(wrong("not the one that its checksum is of")) }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use proptest::prelude::*;

    use super::*;
    use crate::config::{Config, Overrides};

    const PROXY: Origin = Origin::Ip(std::net::IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)));

    /// The origin that bytes tell, and how many bytes are left for what follows.
    async fn told_to(proxy: Origin, others: &str, bytes: &[u8]) -> Result<(String, usize), String> {
        let text = format!("[proxy_protocol]\naddresses = [\"10.0.0.0/8\"]\nothers = \"{others}\"");
        let settings = Config::from_text(None, &text, &Overrides::default()).unwrap().proxy_protocol.unwrap();
        let mut stream = bytes;
        let origin = origin(&mut stream, proxy, &settings).await.map_err(|error| error.to_string())?;
        Ok((origin.to_string(), stream.len()))
    }

    async fn told(bytes: &[u8]) -> Result<(String, usize), String> {
        told_to(PROXY, "refused", bytes).await
    }

    fn v2_of(command: v2::Command, addresses: impl Into<v2::Addresses>) -> v2::Builder {
        v2::Builder::with_addresses(v2::Version::Two | command, v2::Protocol::Stream, addresses)
    }

    fn client() -> v2::Addresses {
        let (from, to): (SocketAddr, SocketAddr) = ("192.0.2.7:1".parse().unwrap(), "10.0.0.2:443".parse().unwrap());
        (from, to).into()
    }

    #[tokio::test]
    async fn a_line_of_version_1_tells_the_client_and_nothing_behind_it_is_read() {
        for (line, origin) in [
            ("PROXY TCP4 192.0.2.7 10.0.0.2 1 443\r\n", "192.0.2.7"),
            ("PROXY TCP6 2001:db8::7 2001:db8::2 1 443\r\n", "2001:db8::7"),
            ("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 443\r\n", "192.0.2.7"),
            ("PROXY UNKNOWN\r\n", "10.0.0.1"),
            ("PROXY UNKNOWN ffff::1 a b c d e f g h\r\n", "10.0.0.1"),
        ] {
            let bytes = [line.as_bytes(), b"GET / HTTP/1.1\r\n"].concat();
            assert_eq!(told(&bytes).await, Ok((origin.to_owned(), 16)), "{line}");
        }
        for line in [
            "GET / HTTP/1.1\r\n\r\n",
            "PROXY TCP4 192.0.2.7 10.0.0.2 1\r\n",
            "PROXY TCP4 192.0.2.7 10.0.0.2 1 65536\r\n",
            "PROXY TCP4 192.0.2.07 10.0.0.2 1 443\r\n",
            "PROXY TCP4 2001:db8::7 10.0.0.2 1 443\r\n",
            "PROXY UDP4 192.0.2.7 10.0.0.2 1 443\r\n",
            "PROXY  TCP4 192.0.2.7 10.0.0.2 1 443\r\n",
            "PROXY TCP4 192.0.2.7 10.0.0.2 1 443 \r\n",
            "PROXY UNKNOWNX\r\n",
            "proxy TCP4 192.0.2.7 10.0.0.2 1 443\r\n",
            "PROXY TCP4 192.0.2.7",
            "",
        ] {
            assert!(told(line.as_bytes()).await.is_err(), "{line}");
        }
    }

    #[tokio::test]
    async fn a_line_of_version_1_has_107_bytes_at_most() {
        let line = |length: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(length - 16));
        assert_eq!(told(line(MAX_V1).as_bytes()).await, Ok(("10.0.0.1".to_owned(), 0)));
        assert!(told(line(MAX_V1 + 1).as_bytes()).await.unwrap_err().contains("longer"));
    }

    #[tokio::test]
    async fn version_2_tells_the_client_and_what_it_says_beside_is_skipped() {
        let built = v2_of(v2::Command::Proxy, client())
            .write_tlv(v2::Type::Authority, b"example.com")
            .and_then(|builder| builder.write_tlv(0xEAu8, b"\x01vpce-1"))
            .and_then(v2::Builder::build);
        let bytes = [built.unwrap().as_slice(), b"rest"].concat();
        assert_eq!(told(&bytes).await, Ok(("192.0.2.7".to_owned(), 4)));
        let six: (SocketAddr, SocketAddr) = ("[2001:db8::7]:1".parse().unwrap(), "[::1]:1".parse().unwrap());
        assert_eq!(told(&v2_of(v2::Command::Proxy, six).build().unwrap()).await.unwrap().0, "2001:db8::7");
        let local = v2_of(v2::Command::Local, client()).build().unwrap();
        assert_eq!(told(&local).await.unwrap().0, "10.0.0.1");
        let unix = v2_of(v2::Command::Proxy, v2::Unix::new([1; 108], [2; 108])).build().unwrap();
        assert_eq!(told(&unix).await.unwrap().0, "untold");
        let unspecified = v2_of(v2::Command::Proxy, v2::Addresses::Unspecified).build().unwrap();
        assert_eq!(told(&unspecified).await.unwrap().0, "10.0.0.1");
    }

    #[tokio::test]
    async fn what_is_wrong_in_version_2_ends_the_connection() {
        let good = v2_of(v2::Command::Proxy, client()).build().unwrap();
        for (at, byte) in [(12, 0x11), (12, 0x22), (13, 0x41), (13, 0x13), (13, 0x12), (15, 11), (15, 13), (11, 0)] {
            let mut bad = good.clone();
            bad[at] = byte;
            // What a longer length calls for is there.
            bad.push(0);
            assert!(told(&bad).await.is_err(), "byte {at}");
        }
        for length in 0..good.len() {
            assert!(told(&good[..length]).await.is_err(), "{length} bytes");
        }
    }

    #[tokio::test]
    async fn version_2_is_taken_up_to_its_limit() {
        let padded = |length: usize| {
            let padding = vec![0; length - FIXED_V2 - 12 - 3];
            v2_of(v2::Command::Proxy, client()).write_tlv(v2::Type::NoOp, &padding).unwrap().build().unwrap()
        };
        assert_eq!(told(&padded(MAX_V2)).await, Ok(("192.0.2.7".to_owned(), 0)));
        assert!(told(&padded(MAX_V2 + 1)).await.unwrap_err().contains("longer"));
    }

    #[tokio::test]
    async fn a_checksum_must_hold() {
        let with = |sum: &[u8]| {
            let builder = v2_of(v2::Command::Proxy, client()).write_tlv(v2::Type::NoOp, b"x").unwrap();
            builder.write_tlv(v2::Type::CRC32C, sum).unwrap().write_tlv(v2::Type::NoOp, b"y").unwrap().build().unwrap()
        };
        let sum = CRC32C.checksum(&with(&[0; 4])).to_be_bytes();
        assert_eq!(told(&with(&sum)).await, Ok(("192.0.2.7".to_owned(), 0)));
        let mut wrong = sum;
        wrong[3] ^= 1;
        assert!(told(&with(&wrong)).await.unwrap_err().contains("checksum"));
        assert!(told(&with(&sum[..3])).await.is_err());
        let twice = v2_of(v2::Command::Proxy, client()).write_tlv(v2::Type::CRC32C, &sum).unwrap();
        let twice = twice.write_tlv(v2::Type::CRC32C, &sum).unwrap().build().unwrap();
        assert!(told(&twice).await.unwrap_err().contains("two"));
        // "123456789", of which the catalogue of checksums has it.
        assert_eq!(CRC32C.checksum(b"123456789"), 0xE306_9283);
    }

    proptest! {
        #[test]
        fn no_header_panics_its_reader(rest in proptest::collection::vec(any::<u8>(), 4..300), lines in ".{0,100}") {
            let mut header = [v2::PROTOCOL_PREFIX, &rest].concat();
            // Most random bytes are no version 2, and none are as long as they say.
            for command in [0x20, 0x21] {
                header[12] = command;
                header[13] &= 0x33;
                let length = u16::try_from(header.len() - FIXED_V2).unwrap();
                header[14..16].copy_from_slice(&length.to_be_bytes());
                let _ = binary(&header);
            }
            let _ = text(&rest);
            let _ = text(format!("PROXY TCP4 {lines}\r\n").as_bytes());
        }
    }

    #[tokio::test]
    async fn who_is_not_trusted_is_refused_or_served_without_a_header() {
        let stranger = Origin::of_ip("11.0.0.1".parse().unwrap());
        let line = b"PROXY TCP4 192.0.2.7 10.0.0.2 1 443\r\n";
        assert!(told_to(stranger, "refused", line).await.unwrap_err().contains("11.0.0.1 is not among"));
        assert_eq!(told_to(stranger, "direct", line).await, Ok(("11.0.0.1".to_owned(), line.len())));
        assert!(told_to(Origin::Unix, "refused", line).await.is_err());
    }
}
