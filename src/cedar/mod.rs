//! From an AWS policy document to Cedar: schema, text, atoms, entities, contexts.
//!
//! Every statement becomes Cedar policies of our own text, which is parsed and held to strict
//! validation under a schema made for the document. What Cedar cannot say is an atom: a truth
//! value that is computed for each request and that Cedar reads from the context.

mod actions;
mod atoms;
mod attributes;
mod compile;
mod conditions;
mod documents;
mod entities;
mod layout;
mod projection;
mod resources;
mod schema;
mod slice;
#[cfg(test)]
mod tests;
mod text;
mod translate;
mod variant;

pub use atoms::{Atom, PreparedCondition, Values, variable};
pub use compile::{CompileError, CompiledDocument};
pub use documents::Documents;
pub use entities::CallerEntities;
pub use projection::{Clockwork, Projection, TimeKey};
pub use resources::ResourceEntity;
pub use slice::{EvaluationError, Query, Satisfied, SatisfiedStatement, Slice};
pub use translate::PrincipalClass;
pub use variant::Translation;
