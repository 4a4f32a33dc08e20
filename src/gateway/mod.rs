//! The gateway: HTTP in, AWS's answers out, and the straight line between them.
//!
//! ```text
//! bytes ─▶ admission ─▶ sigv4 ─▶ dispatch ─▶ resolve ─▶ authorize ─▶ execute ─▶ audit ─▶ bytes
//! ```
//!
//! [`pipeline`] is that line; the other files are its stations and what keeps the process
//! running: listeners, the admin endpoints, the scheduler of rotations, reloading, metrics.

mod admin;
mod admission;
mod body;
mod dispatch;
mod explanation;
mod form;
mod patience;
mod pipeline;
mod plain_json;
mod reload;
mod request_id;
mod respond;
mod run;
mod scheduler;
mod server;
mod state;
mod telemetry;

pub use run::{Options, ServeError, run};
pub use telemetry::init_logging;
