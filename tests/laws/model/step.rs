//! What happens in a history.

use serde_json::Value;

use super::proxy::Proxy;
use super::world::{PEOPLE, Policies};

#[derive(Clone, Debug)]
pub(super) enum Step {
    Request {
        region: &'static str,
        caller: usize,
        operation: &'static str,
        /// With what the engine drew named by the step that made it.
        body: Value,
    },
    /// Time passes; whether the scheduler comes before the next request.
    Sleep { seconds: i64, scheduled: bool },
    /// The engine is closed and opened again.
    Restart,
    /// Someone's own policies change.
    Policies { who: usize, policies: Policies },
    /// The accounts are in another of the organisations.
    Organization(usize),
    /// The proxy of the external key stores behaves in another way.
    Proxy(Proxy),
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Request { region, caller, operation, body } => {
                write!(f, "{operation} in {region} by {}: {body}", PEOPLE[*caller].principal)
            }
            Self::Sleep { seconds, scheduled } => {
                let who = if *scheduled { "the scheduler" } else { "a request" };
                write!(f, "{seconds} seconds pass, and {who} comes first")
            }
            Self::Restart => f.write_str("the engine starts anew"),
            Self::Policies { who, policies } => write!(f, "{} has {policies:?}", PEOPLE[*who].principal),
            Self::Organization(which) => write!(f, "the accounts are in organisation {which}"),
            Self::Proxy(proxy) => write!(f, "the proxy is {proxy:?}"),
        }
    }
}
