//! The bodies of AWS JSON 1.1: a request's text to a tree, the tree held to the model; an
//! answer's members to text.

mod json;
mod text;
mod validate;

pub(super) use json::{Json, Object, parse};
pub use text::JsonText;
pub(super) use text::ObjectText;
pub(super) use validate::validate;
