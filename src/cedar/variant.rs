//! A document rendered in one mode, parsed and validated.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::Arc;

use cedar_policy::{Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};

use crate::iam::{Document, DocumentKind};

use super::actions::Universe;
use super::atoms::{Atom, PreparedCondition};
use super::compile::CompileError;
use super::schema::{self, Inputs, Purpose};
use super::translate::{self, Mode, PrincipalClass, TranslatedPolicy};

/// A document with what every rendering of it needs.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) kind: DocumentKind,
    pub(super) document: Document,
    /// The conditions of each statement.
    pub(super) conditions: Vec<Vec<Arc<PreparedCondition>>>,
    /// Whether Cedar validates what it reads.
    pub(super) is_validated: bool,
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

    /// Renders, parses and (where it is to be) validates.
    pub(super) fn compile(&self, universe: &Universe, mode: Mode) -> Result<Variant, CompileError> {
        let (translated, atoms) = self.render(universe, mode);
        let parsed = self.parse(&translated)?;
        if self.is_validated {
            self.validate(&translated, &parsed)?;
        }
        let policies = translated
            .into_iter()
            .zip(parsed)
            .map(|(TranslatedPolicy { statement, class, inputs, .. }, policy)| CompiledPolicy {
                policy,
                statement,
                class,
                inputs,
            })
            .collect();
        Ok(Variant { policies, atoms })
    }

    /// Renders for people, under the schema of the whole catalogue.
    pub(super) fn translation(&self, universe: &Universe) -> Result<Translation, CompileError> {
        let mode = Mode { atoms_only: false, bounded: false };
        let (translated, atoms) = self.render(universe, mode);
        let warnings = self.validate(&translated, &self.parse(&translated)?)?;
        let with_effect: BTreeSet<u32> = translated.iter().map(|policy| policy.statement).collect();
        let all = 0..u32::try_from(self.document.statements.len()).unwrap_or(u32::MAX);
        Ok(Translation {
            policies: joined(&translated),
            schema: self.schema(&translated, Purpose::Reading),
            atoms,
            without_effect: all.filter(|statement| !with_effect.contains(statement)).collect(),
            warnings,
        })
    }

    fn schema(&self, translated: &[TranslatedPolicy], purpose: Purpose) -> String {
        let mut inputs = Inputs::default();
        for policy in translated {
            inputs.attributes.extend(policy.inputs.attributes.iter().cloned());
            inputs.atoms.extend(policy.inputs.atoms.iter().cloned());
            inputs.resource |= policy.inputs.resource;
            inputs.principal |= policy.inputs.principal;
        }
        // The policies of one statement share its atoms.
        let mut seen = BTreeSet::new();
        inputs.atoms.retain(|name| seen.insert(name.clone()));
        let named: Vec<_> = translated.iter().map(|policy| &policy.actions).collect();
        schema::text(&inputs, &named, self.kind == DocumentKind::KeyPolicy, purpose)
    }

    /// The policies in order, each under an id of its own. Their texts are read in one go: Cedar's
    /// reader takes most of its time to begin.
    fn parse(&self, translated: &[TranslatedPolicy]) -> Result<Vec<Policy>, CompileError> {
        let Ok(set) = PolicySet::from_str(&joined(translated)) else {
            return Err(self.unreadable(translated));
        };
        let policies: Vec<Policy> = (0..translated.len())
            .filter_map(|at| Some(set.policy(&PolicyId::new(format!("policy{at}")))?.new_id(policy_id(at))))
            .collect();
        if policies.len() == translated.len() { Ok(policies) } else { Err(self.unreadable(translated)) }
    }

    /// The first policy that Cedar does not read.
    fn unreadable(&self, translated: &[TranslatedPolicy]) -> CompileError {
        let first = translated.iter().find_map(|policy| {
            let error = Policy::parse(None, &policy.text).err()?;
            Some(self.failed(policy.statement, &format!("becomes no Cedar policy: {error}")))
        });
        first.unwrap_or_else(|| self.failed(0, "becomes Cedar that is another text"))
    }

    /// Strict validation, of a few policies at a time: what it costs grows with the square of their
    /// number. Gives the warnings.
    fn validate(&self, translated: &[TranslatedPolicy], parsed: &[Policy]) -> Result<Vec<String>, CompileError> {
        const TOGETHER: usize = 8;
        let mut warnings = Vec::new();
        for (at, (translated, parsed)) in translated.chunks(TOGETHER).zip(parsed.chunks(TOGETHER)).enumerate() {
            let statement = |id: &PolicyId| {
                let among = (0..translated.len()).find(|among| *id == policy_id(at * TOGETHER + among));
                translated.get(among.unwrap_or_default()).map_or(0, |policy| policy.statement)
            };
            let first = translated.first().map_or(0, |policy| policy.statement);
            let schema = Schema::from_str(&self.schema(translated, Purpose::Validating))
                .map_err(|error| self.failed(first, &format!("has a schema that Cedar refuses: {error}")))?;
            let set = PolicySet::from_policies(parsed.iter().cloned())
                .map_err(|error| self.failed(first, &error.to_string()))?;
            let result = Validator::new(schema).validate(&set, ValidationMode::Strict);
            if let Some(error) = result.validation_errors().next() {
                let message = format!("fails Cedar's validation: {error}");
                return Err(self.failed(statement(error.policy_id()), &message));
            }
            warnings.extend(result.validation_warnings().map(ToString::to_string));
        }
        Ok(warnings)
    }

    fn failed(&self, statement: u32, what: &str) -> CompileError {
        let line = self.document.statements.get(statement as usize).map(|statement| statement.line);
        CompileError::internal(format!("Statement[{statement}] {what}"), line)
    }
}

fn joined(translated: &[TranslatedPolicy]) -> String {
    translated.iter().map(|policy| policy.text.as_str()).collect::<Vec<_>>().join("\n\n")
}

fn policy_id(at: usize) -> PolicyId {
    PolicyId::new(format!("P{at}"))
}
