use std::fmt;
use std::net::IpAddr;

use crate::config::TrustedAddresses;

/// Where a connection, or a request on it, comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// An address, IPv4 as IPv4.
    Ip(IpAddr),
    /// The listener's own Unix-domain socket: a process on this machine.
    Unix,
    /// A proxy says that it comes from no address.
    Untold,
}

impl Origin {
    pub(super) fn of_ip(address: IpAddr) -> Self {
        Self::Ip(address.to_canonical())
    }

    /// `aws:SourceIp`, which what comes from no address does not have.
    pub(super) fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Ip(address) => Some(address),
            Self::Unix | Self::Untold => None,
        }
    }

    pub(super) fn is_among(self, trusted: &TrustedAddresses) -> bool {
        match self {
            Self::Ip(address) => trusted.contain(address),
            Self::Unix => trusted.unix,
            Self::Untold => false,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix => f.write_str("unix"),
            Self::Untold => f.write_str("untold"),
        }
    }
}
