//! A document rendered in one mode, parsed and validated.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::Arc;

use cedar_policy::{Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};

use crate::iam::{Document, DocumentKind};

use super::actions::Universe;
use super::atoms::{Atom, PreparedCondition};
use super::compile::CompileError;
use super::schema::{self, Inputs};
use super::translate::{self, Mode, PrincipalClass, TranslatedPolicy};

/// A document with what every rendering of it needs.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) kind: DocumentKind,
    pub(super) document: Document,
    /// The conditions of each statement.
    pub(super) conditions: Vec<Vec<Arc<PreparedCondition>>>,
}

/// The policies of a document in one mode.
#[derive(Debug)]
pub(super) struct Variant {
    pub(super) policies: Vec<CompiledPolicy>,
    pub(super) atoms: Vec<Atom>,
}

/// One Cedar policy and what it reads.
#[derive(Debug)]
pub(super) struct CompiledPolicy {
    pub(super) policy: Policy,
    pub(super) statement: u32,
    pub(super) class: Option<PrincipalClass>,
    pub(super) inputs: Inputs,
}

/// A document as Cedar text, for people.
#[derive(Clone, Debug)]
pub struct Translation {
    /// The policies, one a statement and class, separated by empty lines.
    pub policies: String,
    /// The schema under which they validate.
    pub schema: String,
    /// What the policies read from `context.atoms`.
    pub atoms: Vec<Atom>,
    /// Statements without effect, from 0: they became no policy.
    pub without_effect: Vec<u32>,
    /// What Cedar's validator warns of; none is expected.
    pub warnings: Vec<String>,
}

impl Source {
    fn render(&self, universe: &Universe, mode: Mode) -> (Vec<TranslatedPolicy>, Vec<Atom>) {
        let mut atoms = Vec::new();
        let mut policies = Vec::new();
        for (index, (statement, conditions)) in self.document.statements.iter().zip(&self.conditions).enumerate() {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            let version = self.document.version;
            policies.extend(translate::statement(
                self.kind, version, index, statement, conditions, universe, mode, &mut atoms,
            ));
        }
        (policies, atoms)
    }

    /// Renders, parses and validates.
    pub(super) fn compile(&self, universe: &Universe, mode: Mode) -> Result<Variant, CompileError> {
        let (translated, atoms) = self.render(universe, mode);
        let place = |statement: u32| self.document.statements.get(statement as usize).map(|statement| statement.line);
        let (schema, set) = self.parse(&translated, false, &place)?;
        validate(schema, &set, &place)?;
        let policies = translated
            .into_iter()
            .enumerate()
            .filter_map(|(at, translated)| {
                let policy = set.policy(&policy_id(at))?.clone();
                let TranslatedPolicy { statement, class, inputs, .. } = translated;
                Some(CompiledPolicy { policy, statement, class, inputs })
            })
            .collect();
        Ok(Variant { policies, atoms })
    }

    /// Renders for people, under the schema of the whole catalogue.
    pub(super) fn translation(&self, universe: &Universe) -> Result<Translation, CompileError> {
        let mode = Mode { atoms_only: false, bounded: false };
        let (translated, atoms) = self.render(universe, mode);
        let place = |statement: u32| self.document.statements.get(statement as usize).map(|statement| statement.line);
        let (schema, set) = self.parse(&translated, true, &place)?;
        let warnings = validate(schema, &set, &place)?;
        let with_effect: BTreeSet<u32> = translated.iter().map(|policy| policy.statement).collect();
        let all = 0..u32::try_from(self.document.statements.len()).unwrap_or(u32::MAX);
        let texts: Vec<&str> = translated.iter().map(|policy| policy.text.as_str()).collect();
        Ok(Translation {
            policies: texts.join("\n\n"),
            schema: self.schema(&translated, true),
            atoms,
            without_effect: all.filter(|statement| !with_effect.contains(statement)).collect(),
            warnings,
        })
    }

    fn schema(&self, translated: &[TranslatedPolicy], whole_catalogue: bool) -> String {
        let mut inputs = Inputs::default();
        let mut named = BTreeSet::new();
        for policy in translated {
            inputs.attributes.extend(policy.inputs.attributes.iter().cloned());
            inputs.atoms.extend(policy.inputs.atoms.iter().cloned());
            inputs.resource |= policy.inputs.resource;
            named.extend(policy.actions.iter().cloned());
        }
        // The policies of one statement share its atoms.
        let mut seen = BTreeSet::new();
        inputs.atoms.retain(|name| seen.insert(name.clone()));
        schema::text(&inputs, &named, self.kind == DocumentKind::KeyPolicy, whole_catalogue)
    }

    fn parse(
        &self,
        translated: &[TranslatedPolicy],
        whole_catalogue: bool,
        place: &dyn Fn(u32) -> Option<u32>,
    ) -> Result<(Schema, PolicySet), CompileError> {
        let text = self.schema(translated, whole_catalogue);
        let schema = Schema::from_str(&text).map_err(|error| {
            CompileError::internal(format!("the schema for this document is refused: {error}"), None)
        })?;
        let policies = translated
            .iter()
            .enumerate()
            .map(|(at, translated)| {
                Policy::parse(Some(policy_id(at)), &translated.text).map_err(|error| {
                    let message = format!("Statement[{}] becomes no Cedar policy: {error}", translated.statement);
                    CompileError::internal(message, place(translated.statement))
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let set =
            PolicySet::from_policies(policies).map_err(|error| CompileError::internal(error.to_string(), None))?;
        Ok((schema, set))
    }
}

/// Strict validation; gives the warnings.
fn validate(schema: Schema, set: &PolicySet, place: &dyn Fn(u32) -> Option<u32>) -> Result<Vec<String>, CompileError> {
    let result = Validator::new(schema).validate(set, ValidationMode::Strict);
    if let Some(error) = result.validation_errors().next() {
        let statement = set
            .annotation(error.policy_id(), "source")
            .and_then(|source| source.rsplit('#').next()?.parse::<u32>().ok());
        let message = format!("Statement[{}] fails Cedar's validation: {error}", statement.unwrap_or_default());
        return Err(CompileError::internal(message, statement.and_then(place)));
    }
    Ok(result.validation_warnings().map(ToString::to_string).collect())
}

fn policy_id(at: usize) -> PolicyId {
    PolicyId::new(format!("P{at}"))
}
