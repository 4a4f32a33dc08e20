//! Who may ask the admin listener for more than to look: whoever can read the data directory.
//!
//! A server writes a random token, with the address of its admin listener, into a file there that
//! its owner alone may read, and takes what it guards only from who shows that token. It is a new
//! one for each start. The commands that must go through a running server read the file.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use data_encoding::BASE64URL_NOPAD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::config::{AdminToken, ConfigError, ListenAddress, read_secret, write_atomically};
use crate::seal::SealError;

/// The file, in the data directory.
const FILE: &str = "admin.json";

/// What stands before a token (RFC 6750, section 2.1).
const SCHEME: &[u8] = b"Bearer ";

/// What the file says.
#[derive(Serialize, Deserialize)]
pub(super) struct AdminAccess {
    /// Where the admin listener is.
    pub(super) address: ListenAddress,
    token: Token,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
struct Token(String);

impl AdminAccess {
    /// A new token for the listener at an address.
    pub(super) fn new(address: ListenAddress) -> Result<Self, SealError> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        aws_lc_rs::rand::fill(&mut *bytes).map_err(|_| SealError::Random)?;
        Ok(Self { address: reachable(address), token: Token(BASE64URL_NOPAD.encode(&*bytes)) })
    }

    /// What the server that uses a data directory wrote.
    pub(super) fn read(data_dir: &Path) -> Result<Self, ConfigError> {
        let path = data_dir.join(FILE);
        let text = read_secret(&path, "read the running server's address")?;
        // The error must not quote the text.
        serde_json::from_str(&text).map_err(|_| ConfigError {
            file: Some(path.display().to_string()),
            place: None,
            member: String::new(),
            message: "is malformed; it is written anew when the server starts".to_owned(),
        })
    }

    /// Writes the file; gone again when the answer is dropped.
    pub(super) fn write(&self, data_dir: &Path) -> Result<Written, ConfigError> {
        let path = data_dir.join(FILE);
        let text = Zeroizing::new(serde_json::json!({"address": self.address, "token": self.token.0}).to_string());
        write_atomically(&path, text.as_bytes())?;
        Ok(Written(path))
    }

    /// The header that shows the token.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let text = Zeroizing::new(format!("Bearer {}", self.token.0));
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Whether a request shows the token, or the one that the operator gave.
    pub(super) fn allows(&self, headers: &HeaderMap, operators: Option<&AdminToken>) -> bool {
        bearer(headers).is_some_and(|shown| {
            bool::from(shown.ct_eq(self.token.0.as_bytes())) || operators.is_some_and(|token| token.is(shown))
        })
    }
}

/// What a request shows in `Authorization`, whose scheme is written in either case (RFC 9110, section 11.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, shown) = headers.get(AUTHORIZATION)?.as_bytes().split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then_some(shown)
}

/// The file of a running server.
pub(super) struct Written(PathBuf);

impl Drop for Written {
    fn drop(&mut self) {
        // One that stays says nothing: the next start writes its own.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Where a listener on all addresses is reached from its own machine.
fn reachable(address: ListenAddress) -> ListenAddress {
    let ListenAddress::Tcp(address) = address else { return address };
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    ListenAddress::Tcp(SocketAddr::new(ip, address.port()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_socket_is_found_again() {
        let root = tempfile::tempdir().unwrap();
        let access = AdminAccess::new("unix:/run/keystile admin.sock".parse().unwrap()).unwrap();
        let _written = access.write(root.path()).unwrap();
        assert_eq!(AdminAccess::read(root.path()).unwrap().address, access.address);
    }

    #[test]
    fn only_its_own_token_is_taken() {
        let root = tempfile::tempdir().unwrap();
        let access = AdminAccess::new("0.0.0.0:4600".parse().unwrap()).unwrap();
        let written = access.write(root.path()).unwrap();
        assert_eq!(std::fs::metadata(&written.0).unwrap().permissions().mode() & 0o777, 0o600);
        let read = AdminAccess::read(root.path()).unwrap();
        assert_eq!(read.address.to_string(), "127.0.0.1:4600");
        let shows = |value: Option<HeaderValue>| {
            let mut headers = HeaderMap::new();
            headers.extend(value.map(|value| (AUTHORIZATION, value)));
            access.allows(&headers, None)
        };
        assert!(shows(read.header()));
        assert!(!shows(None));
        for wrong in ["", "Bearer ", "Bearer x", "Basic x"] {
            assert!(!shows(Some(HeaderValue::from_static(wrong))), "{wrong}");
        }
        assert!(!shows(AdminAccess::new(read.address.clone()).unwrap().header()));
        let file = root.path().join("token");
        std::fs::write(&file, "o".repeat(40)).unwrap();
        let operators = AdminToken::load(&file).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, format!("bearer {}", "o".repeat(40)).parse().unwrap());
        assert!(access.allows(&headers, Some(&operators)) && !access.allows(&headers, None));
        headers.insert(AUTHORIZATION, read.header().unwrap());
        assert!(access.allows(&headers, Some(&operators)), "commands show the server's own");
        let path = written.0.clone();
        drop(written);
        assert!(!path.exists());
    }
}
