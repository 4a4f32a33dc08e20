//! Deciding: from a request and the policies that apply to it to a decision, and from an allow
//! to the [`Permit`] without which nothing is executed.

mod answer;
mod applicable;
mod authorizer;
mod cache;
mod controls;
mod cross_account;
mod decision;
mod elements;
mod explain;
mod failed;
mod flow;
mod grant;
mod grant_miss;
mod grant_set;
mod grants;
mod inputs;
mod near_miss;
mod organization;
mod permit;
mod policies;
mod request;
mod same_account;
mod similar;
mod slices;
#[cfg(test)]
mod tests;
mod values;

pub use applicable::Applicable;
pub use authorizer::{Authorizer, Counters, Settings};
pub use decision::{DecidedBy, Decision, Layer, Outcome};
pub use grant::{Grant, GrantConstraints, GrantPrincipal};
pub use grant_set::GrantSet;
pub use near_miss::{Actual, Element, Explanation, FailedElement, NearMiss, conditions_of_match, explain};
pub use organization::{ControlPolicies, Membership, Organization};
pub use permit::{Denial, Permit, Subject};
pub use policies::{AttachedDocument, DocumentSource, PrincipalDirectory, PrincipalLookup, PrincipalPolicies};
pub use request::{AuthzRequest, Check, KeyAttributes, Resource, Supplied};
