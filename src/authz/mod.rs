//! Deciding: from a request and the policies that apply to it to a decision, and from an allow
//! to the [`Permit`] without which nothing is executed.

mod authorizer;
mod cache;
mod decision;
mod explain;
mod flow;
mod permit;
mod policies;
mod request;
#[cfg(test)]
mod tests;
mod values;

pub use authorizer::{Authorizer, Counters, Settings};
pub use decision::{DecidedBy, Decision, Layer, Outcome};
pub use permit::{Denial, Permit, Subject};
pub use policies::{AttachedDocument, DocumentSource, PrincipalDirectory, PrincipalPolicies};
pub use request::{AuthzRequest, Check, KeyAttributes, Resource};
