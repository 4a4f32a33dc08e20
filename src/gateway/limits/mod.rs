//! What keeps one client from taking what is everyone's: limits for each address and for each caller,
//! and one budget for the bodies that nobody is known to have signed yet.

mod budget;
mod counts;
mod turns;

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

pub(super) use budget::{Budget, Reserved};
pub(super) use counts::{Excess, Turn};
pub(super) use turns::Turns;

use super::origin::Origin;
use crate::aws::{AccountId, Arn, Caller};
use crate::config::{Each, Limits, RequestLimits, TrustedAddresses};
use counts::Counts;

/// Bits of an IPv6 address that tell who has it: whoever has one has a network of that size (RFC 6177).
const NETWORK_BITS: u32 = 64;

/// The limits that are in force, with what counts against them.
pub(super) struct Guards {
    limits: Limits,
    sources: Option<Arc<Counts<IpAddr>>>,
    connections: Option<Arc<Counts<IpAddr>>>,
    callers: Option<Arc<Counts<Counted>>>,
    pub(super) bodies: Arc<Budget>,
}

/// Whose requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Counted {
    Account(AccountId),
    /// A role stands for its sessions.
    Principal(Arn),
}

impl Guards {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            sources: limits.source.and_then(|source| source.requests).map(|requests| Arc::new(Counts::new(requests))),
            connections: limits.source.and_then(|source| source.connections_at_once).map(|most| {
                let at_once = RequestLimits { requests_per_second: None, burst: 1, requests_at_once: Some(most) };
                Arc::new(Counts::new(at_once))
            }),
            callers: limits.caller.map(|caller| Arc::new(Counts::new(caller.limits))),
            bodies: Arc::new(Budget::new(limits.max_buffered_bytes)),
            limits,
        }
    }

    /// Other limits in the place of these, with the counts of those that stay the same.
    pub(super) fn with(&self, limits: Limits) -> Self {
        let mut guards = Self::new(limits);
        if limits.source == self.limits.source {
            guards.sources.clone_from(&self.sources);
            guards.connections.clone_from(&self.connections);
        }
        if limits.caller == self.limits.caller {
            guards.callers.clone_from(&self.callers);
        }
        if limits.max_buffered_bytes == self.limits.max_buffered_bytes {
            guards.bodies = Arc::clone(&self.bodies);
        }
        guards
    }

    /// Counts a connection by where it comes from. A forwarder has its clients' as its own, and as many as it needs.
    ///
    /// # Errors
    /// One connection too many.
    pub(super) fn admit_connection(
        &self,
        origin: Origin,
        forwarders: Option<&TrustedAddresses>,
    ) -> Result<Option<Turn>, Excess> {
        let (Some(connections), Some(address)) = (&self.connections, origin.ip()) else { return Ok(None) };
        if forwarders.is_some_and(|forwarders| origin.is_among(forwarders)) {
            return Ok(None);
        }
        connections.enter(source(address))
    }

    /// Counts a request by where it comes from, before anything is known of who asks. What comes from no
    /// address is not told apart, and not limited.
    ///
    /// # Errors
    /// One request too many.
    pub(super) fn admit_source(&self, origin: Origin) -> Result<Option<Turn>, Excess> {
        let (Some(sources), Some(address)) = (&self.sources, origin.ip()) else { return Ok(None) };
        sources.enter(source(address))
    }

    /// Counts a request by who signed it.
    ///
    /// # Errors
    /// One request too many.
    pub(super) fn admit_caller(&self, caller: &Caller) -> Result<Option<Turn>, Excess> {
        let (Some(callers), Some(settings)) = (&self.callers, &self.limits.caller) else { return Ok(None) };
        callers.enter(match settings.each {
            Each::Account => Counted::Account(caller.account),
            Each::Principal => Counted::Principal(caller.principal_arn.clone()),
        })
    }
}

/// An IPv4 address, or the network of an IPv6 one.
fn source(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (u128::BITS - NETWORK_BITS))).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Overrides};

    fn limits(text: &str) -> Limits {
        Config::from_text(None, text, &Overrides::default()).unwrap().limits
    }

    fn from(address: &str) -> Origin {
        Origin::of_ip(address.parse().unwrap())
    }

    #[test]
    fn an_address_is_counted_by_itself_and_an_ipv6_one_by_its_network() {
        let guards = Guards::new(limits("[limits.source]\nrequests_at_once = 1"));
        let _turn = guards.admit_source(from("192.0.2.7")).unwrap();
        assert!(guards.admit_source(from("192.0.2.7")).is_err());
        assert!(guards.admit_source(from("192.0.2.8")).is_ok());
        let _turn = guards.admit_source(from("2001:db8:0:1::1")).unwrap();
        assert!(guards.admit_source(from("2001:db8:0:1:ffff:ffff:ffff:ffff")).is_err());
        assert!(guards.admit_source(from("2001:db8:0:2::1")).is_ok());
        for origin in [Origin::Unix, Origin::Unix, Origin::Untold, Origin::Untold] {
            assert!(guards.admit_source(origin).unwrap().is_none(), "{origin}");
        }
    }

    #[test]
    fn connections_are_counted_by_address_and_a_forwarders_are_not() {
        let text = "[limits.source]\nconnections_at_once = 1\n[trusted_forwarders]\naddresses = [\"10.0.0.0/8\"]";
        let config = Config::from_text(None, text, &Overrides::default()).unwrap();
        let guards = Guards::new(config.limits);
        let admit = |address| guards.admit_connection(from(address), config.trusted_forwarders.as_ref());
        let first = admit("192.0.2.7").unwrap();
        assert!(admit("192.0.2.7").is_err());
        drop(first);
        assert!(admit("192.0.2.7").unwrap().is_some());
        for _ in 0..3 {
            assert!(admit("10.0.0.1").unwrap().is_none());
            assert!(guards.admit_source(from("192.0.2.7")).unwrap().is_none(), "requests are not limited");
        }
    }

    #[test]
    fn a_reload_forgets_only_what_it_changes() {
        let text = "[limits.source]\nrequests_at_once = 1\n[limits.caller]\nrequests_at_once = 1";
        let guards = Guards::new(limits(text));
        let _turn = guards.admit_source(from("192.0.2.7")).unwrap();
        let same = guards.with(limits(text));
        assert!(same.admit_source(from("192.0.2.7")).is_err());
        let other = same.with(limits("[limits.source]\nrequests_at_once = 2"));
        assert!(other.admit_source(from("192.0.2.7")).is_ok());
        assert!(Arc::ptr_eq(&guards.bodies, &other.bodies));
        let none = other.with(limits(""));
        assert!(none.admit_source(from("192.0.2.7")).unwrap().is_none());
    }
}
