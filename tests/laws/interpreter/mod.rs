//! A plain interpreter of IAM, written from AWS's rules alone: obvious, slow, and without a line of
//! the library's code. What the fast path decides is held to what this decides.
//!
//! Where AWS's rules leave something open, it takes the closed side.

mod address;
mod case;
mod condition;
mod date;
mod document;
mod flow;
mod grant;
mod implied;
mod letters;
mod number;
mod principal;
mod wildcard;

pub(crate) use case::{Beyond, Case, Context, Grant, Values};
pub(crate) use condition::condition;
pub(crate) use flow::{Layer, Outcome, Verdict, decide};
pub(crate) use wildcard::pattern_matches;
