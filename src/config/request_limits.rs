//! `[limits.caller]` and `[limits.source]`: what one caller, and one address, may take of what is
//! everyone's.

use serde::Deserialize;
use toml::Spanned;

use super::ConfigError;
use super::load::Ranges;

/// How often somebody may ask, and how much at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// 1 to 1,000,000; none for as often as it likes.
    pub requests_per_second: Option<u32>,
    /// Requests that may come at once after a rest. 1 to 1,000,000, default `requests_per_second`.
    pub burst: u32,
    /// Requests under way at once. 1 to 1,000,000; none for any number.
    pub requests_at_once: Option<u32>,
}

/// `[limits.source]`: of each address, counted before a signature is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceLimits {
    /// None where its requests are not limited.
    pub requests: Option<RequestLimits>,
    /// Connections open at once. 1 to 1,000,000; none for any number.
    pub connections_at_once: Option<u32>,
}

/// `[limits.caller]`: counted once the signature is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallerLimits {
    /// Whose requests are counted together.
    pub each: Each,
    /// What each may do.
    pub limits: RequestLimits,
}

/// Whose requests are counted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Each {
    /// Those of an account.
    #[default]
    Account,
    /// Those of a user, or of a role with all its sessions.
    Principal,
}

/// `[limits.caller]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallerTable {
    #[serde(default)]
    each: Each,
    requests_per_second: Option<Spanned<u32>>,
    burst: Option<Spanned<u32>>,
    requests_at_once: Option<Spanned<u32>>,
}

/// `[limits.source]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceTable {
    requests_per_second: Option<Spanned<u32>>,
    burst: Option<Spanned<u32>>,
    requests_at_once: Option<Spanned<u32>>,
    connections_at_once: Option<Spanned<u32>>,
}

/// What stands in both tables.
struct Members {
    requests_per_second: Option<Spanned<u32>>,
    burst: Option<Spanned<u32>>,
    requests_at_once: Option<Spanned<u32>>,
}

impl CallerTable {
    /// # Errors
    /// A value out of range; nothing that is limited.
    pub(super) fn resolve(table: Spanned<Self>, within: &Ranges<'_>) -> Result<CallerLimits, ConfigError> {
        let place = table.span().start;
        let Self { each, requests_per_second, burst, requests_at_once } = table.into_inner();
        let members = Members { requests_per_second, burst, requests_at_once };
        let limits = members.resolve("limits.caller", place, within)?;
        let limits = limits.ok_or_else(|| {
            within.0.at(place, "limits.caller", "give `requests_per_second`, `requests_at_once`, or both")
        })?;
        Ok(CallerLimits { each, limits })
    }
}

impl SourceTable {
    /// # Errors
    /// A value out of range; nothing that is limited.
    pub(super) fn resolve(table: Spanned<Self>, within: &Ranges<'_>) -> Result<SourceLimits, ConfigError> {
        let place = table.span().start;
        let Self { requests_per_second, burst, requests_at_once, connections_at_once } = table.into_inner();
        let members = Members { requests_per_second, burst, requests_at_once };
        let requests = members.resolve("limits.source", place, within)?;
        let connections_at_once = number("limits.source.connections_at_once", connections_at_once, within)?;
        if requests.is_none() && connections_at_once.is_none() {
            let message = "give at least one of `requests_per_second`, `requests_at_once` and `connections_at_once`";
            return Err(within.0.at(place, "limits.source", message).into());
        }
        Ok(SourceLimits { requests, connections_at_once })
    }
}

impl Members {
    /// None where nothing is limited.
    fn resolve(self, table: &str, place: usize, within: &Ranges<'_>) -> Result<Option<RequestLimits>, ConfigError> {
        let requests_per_second = number(&format!("{table}.requests_per_second"), self.requests_per_second, within)?;
        let requests_at_once = number(&format!("{table}.requests_at_once"), self.requests_at_once, within)?;
        let burst = number(&format!("{table}.burst"), self.burst, within)?;
        if burst.is_some() && requests_per_second.is_none() {
            let message = "`burst` goes with `requests_per_second`; give both, or neither";
            return Err(within.0.at(place, table, message).into());
        }
        let burst = burst.or(requests_per_second).unwrap_or(1);
        let is_limited = requests_per_second.is_some() || requests_at_once.is_some();
        Ok(is_limited.then_some(RequestLimits { requests_per_second, burst, requests_at_once }))
    }
}

fn number(member: &str, value: Option<Spanned<u32>>, within: &Ranges<'_>) -> Result<Option<u32>, ConfigError> {
    value.map(|value| within.only_range(member, value, 1..=1_000_000)).transpose()
}
