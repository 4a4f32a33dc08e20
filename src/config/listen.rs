use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Longest path of a Unix-domain socket, in bytes (unix(7): 108 with the byte that ends it).
const MAX_SOCKET_PATH: usize = 107;

/// What comes before the path of a Unix-domain socket.
const UNIX: &str = "unix:";

/// Where a listener is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// An IP address and a port; port 0 picks a free one.
    Tcp(SocketAddr),
    /// The file of a Unix-domain socket.
    Unix(PathBuf),
}

impl ListenAddress {
    /// Whether nobody but the machine's own processes can connect to it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }

    /// A socket's path that is relative, taken from a directory.
    pub(super) fn within(self, base: &Path) -> Self {
        match self {
            Self::Unix(path) => Self::Unix(base.join(path)),
            tcp @ Self::Tcp(_) => tcp,
        }
    }
}

/// `127.0.0.1:4599`, `unix:/run/keystile.sock`.
impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

/// An IP address and a port, `localhost` and a port, or `unix:` and the path of a socket.
impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix(UNIX) {
            if path.is_empty() || path.contains('\0') || path.ends_with('/') {
                return Err(format!("`{text}` names no socket; give its path, such as unix:/run/keystile.sock"));
            }
            if path.len() > MAX_SOCKET_PATH {
                return Err(format!("`{text}` is too long: the path of a socket has at most {MAX_SOCKET_PATH} bytes"));
            }
            return Ok(Self::Unix(path.into()));
        }
        let numeric = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        numeric.as_deref().unwrap_or(text).parse().map(Self::Tcp).map_err(|_| {
            format!(
                "`{text}` is not an address to listen on; give an IP address and a port, such as 127.0.0.1:4599, or a \
                 Unix-domain socket, such as unix:/run/keystile.sock"
            )
        })
    }
}

impl Serialize for ListenAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ListenAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Who may connect to a Unix-domain socket: the permissions of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketMode(pub u32);

impl<'de> Deserialize<'de> for SocketMode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let is_octal = (3..=4).contains(&text.len()) && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
        match u32::from_str_radix(&text, 8) {
            Ok(mode) if is_octal && mode <= 0o777 => Ok(Self(mode)),
            _ => Err(de::Error::custom(format!("`{text}` is not a file's mode; give it in octal, such as \"0660\""))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_of_an_interface_or_a_socket() {
        for (text, shown, is_local) in [
            ("127.0.0.1:4599", "127.0.0.1:4599", true),
            ("localhost:0", "127.0.0.1:0", true),
            ("127.9.9.9:1", "127.9.9.9:1", true),
            ("[::1]:1", "[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", "[::ffff:127.0.0.1]:1", true),
            ("0.0.0.0:1", "0.0.0.0:1", false),
            ("[::]:1", "[::]:1", false),
            ("10.0.0.1:1", "10.0.0.1:1", false),
            ("unix:/run/k.sock", "unix:/run/k.sock", true),
            ("unix:k.sock", "unix:k.sock", true),
        ] {
            let address: ListenAddress = text.parse().unwrap();
            assert_eq!((address.to_string().as_str(), address.is_local()), (shown, is_local));
        }
        for text in ["", "4599", "127.0.0.1", "example.com:1", "unix:", "unix:/run/", "/run/k.sock", "UNIX:/k"] {
            assert!(text.parse::<ListenAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_path_of_a_socket_is_as_long_as_the_system_takes_it() {
        let path = |length: usize| format!("unix:/{}", "a".repeat(length - 1)).parse::<ListenAddress>();
        assert!(path(MAX_SOCKET_PATH).is_ok());
        assert!(path(MAX_SOCKET_PATH + 1).is_err());
    }
}
