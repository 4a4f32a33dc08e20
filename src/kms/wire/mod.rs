//! The body of an AWS JSON 1.1 request: text to a tree, the tree held to the model.

mod json;
mod validate;

pub(super) use json::{Json, Object, parse};
pub(super) use validate::validate;
