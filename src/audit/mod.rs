//! The audit log: one CloudTrail record a line, chained by hashes, on disk before a mutation is
//! answered.
//!
//! Callers on any thread serialise a [`Record`] and hand it over; one thread chains, writes and
//! synchronises them in groups.

mod api_call;
mod chain;
mod head;
mod open;
mod record;
mod reserve;
mod resources;
mod seconds;
mod service_event;
mod user_identity;
mod verify;
mod writer;

pub use chain::{Chain, Hash};
pub use head::Head;
pub use open::Recovery;
pub use record::{ApiCall, Identity, Record, ServiceEvent};
pub use user_identity::user_identity;
pub use verify::{Expectation, Problem, Report, verify};
pub use writer::{AuditLog, Settings, Status};

/// What can go wrong with the log.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The log can't be opened.
    #[error("the audit log `{file}` cannot be opened: {reason}")]
    Open {
        /// The file.
        file: String,
        /// Why.
        reason: String,
    },
    /// The log can't be written at present.
    #[error("the audit log cannot be written: {0}")]
    Unwritable(String),
    /// More records wait for the disk than memory should hold.
    #[error("the audit log cannot be written, and its queue in memory is full")]
    QueueFull,
    /// A record could not be put into JSON.
    #[error("an audit record cannot be serialised: {0}")]
    Serialise(String),
}
