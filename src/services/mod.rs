//! What requests to AWS's services ask for, without performing them: which action, on which
//! resources, with which condition keys.
//!
//! A [`Definition`] says it of one service, by templates over path, query, headers and body. Those of
//! AWS's own services are in `definitions/`, in the very language in which a user describes another
//! one. What a definition can't tell of a request is [`Undetermined`], and such a request is denied.

mod context;
mod definition;
mod filter;
mod need;
mod placeholder;
mod protocol;
mod request;
mod route;
mod shipped;
mod table;
mod template;
mod tree;

pub use definition::{Asked, Definition};
pub use protocol::Protocol;
pub use request::{ServiceRequest, Undetermined};
pub use shipped::{is_shipped, shipped};
pub use table::{ContextTable, DefinitionTable, Fault, NeedsTable, RouteTable};
