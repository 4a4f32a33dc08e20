//! The built-in AWS Security Token Service: who a caller is, and sessions for those who may have them
//! (STS API Reference, version 2011-06-15).
//!
//! A call takes the line that every call takes: its parameters are parsed into an [`Operation`] once,
//! [`Sts::resolve`] finds the role, the device or the identity provider that it names and makes the
//! checks that it needs, `authz` decides them, and [`Sts::execute`] does what its permit allows.
//! Nothing is kept: a session is all in its token.

mod authorization_message;
mod conditions;
mod constraints;
mod engine;
mod error;
mod execute;
mod key_sets;
mod mfa;
mod operation;
mod parameters;
mod resolve;
mod web_identity;
mod xml;

pub use engine::{Asking, Sts};
pub use error::StsError;
pub use execute::StsAnswer;
pub use key_sets::KeySetTransport;
pub use operation::Operation;
pub use parameters::Parameters;
pub use resolve::Resolved;
pub use web_identity::WebIdentity;
