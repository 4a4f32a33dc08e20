//! AWS policy documents in AWS JSON: what they hold, how they are read and printed, and how
//! their patterns and condition operators compare. No decision is made here.

pub mod compare;
mod condition;
mod document;
mod json;
pub mod lint;
mod parse;
mod pattern;
mod principal;
mod print;
mod statement;
mod wildcard;

pub use compare::{CompiledValues, Match, Verdict};
pub use condition::{BaseOperator, Condition, Operator, Quantifier, UnknownOperator};
pub use document::{Document, DocumentKind, Version};
pub use parse::{ParseError, ParseErrorKind};
pub use pattern::{ActionPattern, InvalidPattern, Part, Pattern, ResourcePattern, Variable};
pub use principal::{InvalidPrincipalPattern, PrincipalElement, PrincipalPattern};
pub use statement::{ActionElement, Effect, ResourceElement, Statement};
