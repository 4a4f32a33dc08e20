//! The proxy of an external key store: the XKS Proxy API, version 1, that AWS publishes
//! (github.com/aws/aws-kms-xksproxy-api-spec). Requests, answers and errors are values here; what
//! carries them is a trait, [`XksTransport`], so that this room does no I/O.

mod answer;
mod failure;
mod proxy;
mod request;
mod signing;
mod transport;

pub(super) use failure::Failure;
pub(super) use proxy::{Place, Proxy};
pub(super) use request::{Encrypted, Metadata};
pub(super) use signing::Credential;
pub(super) use transport::NoTransport;
pub use transport::{XksAnswer, XksRequest, XksTransport, XksTransportError};
