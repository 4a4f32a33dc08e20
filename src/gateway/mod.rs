//! The gateway: HTTP in, AWS's answers out, and the straight line between them.
//!
//! ```text
//! bytes ─▶ admission ─▶ route ─▶ sigv4 ─▶ dispatch ─▶ resolve ─▶ authorize ─▶ execute ─▶ audit ─▶ bytes
//! ```
//!
//! [`pipeline`] is that line; the other files are its stations and what keeps the process
//! running: listeners, the admin endpoints, the scheduler of rotations, reloading, metrics.

mod admin;
mod admin_access;
mod admin_client;
mod admission;
mod asked;
mod auth_request;
mod authorize;
mod backup;
mod body;
mod call;
mod dispatch;
mod door;
mod engine;
mod explanation;
mod form;
mod forward;
mod http_1;
mod http_2;
mod key_sets;
mod kms_call;
mod limits;
mod listener;
mod origin;
mod outbound;
mod patience;
mod pipeline;
mod plain_json;
mod proxy_protocol;
mod reload;
mod request_id;
mod respond;
mod revision;
mod root_key;
mod route;
mod run;
mod scheduler;
mod server;
mod state;
mod store;
mod sts_call;
mod telemetry;
mod trust;
mod trusted_forwarders;

pub use admin_client::{AdminClient, AdminError};
pub use engine::open_stopped;
pub use root_key::{RotationError, RotationStatus, rotate_root_key};
pub use run::{Options, ServeError, run};
pub use store::{open as open_store, postgres_settings};
pub use telemetry::init_logging;
