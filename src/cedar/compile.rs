use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use sha2::{Digest, Sha256};

use crate::aws::ActionName;
use crate::iam::{Document, DocumentKind, ParseError};

use super::actions::{Universe, statement_names};
use super::atoms::PreparedCondition;
use super::slice::{Renderings, Slice};
use super::translate::Mode;
use super::variant::{Source, Translation};

/// A policy document, translated and parsed once, by the hash of its text.
#[derive(Debug)]
pub struct CompiledDocument {
    kind: DocumentKind,
    hash: [u8; 32],
    text: Box<str>,
    source: Arc<Source>,
    renderings: Arc<Renderings>,
    /// By action, as requests spell it.
    slices: RwLock<HashMap<Box<str>, Arc<Slice>>>,
}

/// Why a document could not be compiled: it names the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CompileError {
    /// What is wrong and where.
    pub message: String,
    /// Line in the document, from 1, where it is known.
    pub line: Option<u32>,
    /// What the parser said, where the document is no valid policy; none where a valid one could
    /// not be translated.
    pub parse: Option<ParseError>,
}

impl CompileError {
    pub(super) fn internal(message: String, line: Option<u32>) -> Self {
        Self { message, line, parse: None }
    }
}

impl CompiledDocument {
    /// Most actions that slices are kept for; more are decided without being kept.
    const MAX_SLICES: usize = 1024;

    /// Compiles one document of that kind.
    ///
    /// # Errors
    /// Where the text is no valid document of that kind, or a statement can't be translated, with
    /// the place.
    pub fn compile(kind: DocumentKind, text: &str) -> Result<Self, CompileError> {
        let source = source(kind, text)?;
        let universe = Universe::of(&source.document);
        let native = source.compile(&universe, Mode { atoms_only: false, bounded: false })?;
        let document = Self::of(source, universe, text);
        let _ = document.renderings.variants[0].set(Ok(native));
        Ok(document)
    }

    /// Reads one document of that kind to decide with it a few times at most, where compiling would
    /// take longer than deciding: Cedar does not validate its policies, and reads them when they are
    /// first asked for. What validation would have refused, and what fails to be read then, fails the
    /// decision, which denies.
    ///
    /// # Errors
    /// Where the text is no valid document of that kind, with the place.
    pub fn unvalidated(kind: DocumentKind, text: &str) -> Result<Self, CompileError> {
        let source = Source { is_validated: false, ..source(kind, text)? };
        let universe = Universe::of(&source.document);
        Ok(Self::of(source, universe, text))
    }

    fn of(source: Source, universe: Universe, text: &str) -> Self {
        let source = Arc::new(source);
        Self {
            kind: source.kind,
            hash: Sha256::digest(text.as_bytes()).into(),
            text: text.into(),
            renderings: Arc::new(Renderings::new(Arc::clone(&source), universe)),
            source,
            slices: RwLock::default(),
        }
    }

    /// The Cedar text of a document, for people, without compiling it for use.
    ///
    /// # Errors
    /// As [`CompiledDocument::compile`].
    pub fn translate(kind: DocumentKind, text: &str) -> Result<Translation, CompileError> {
        let source = source(kind, text)?;
        source.translation(&Universe::of(&source.document))
    }

    /// What the document is attached to.
    #[must_use]
    pub fn kind(&self) -> DocumentKind {
        self.kind
    }

    /// SHA-256 of its text.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// Its text, as it was given.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it says.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.source.document
    }

    /// The conditions of a statement, by its place from 0, in its order; empty where there is no
    /// such statement.
    #[must_use]
    pub fn conditions(&self, statement: usize) -> &[Arc<PreparedCondition>] {
        self.source.conditions.get(statement).map_or(&[], Vec::as_slice)
    }

    /// The statements that can match the action.
    #[must_use]
    pub fn slice(&self, action: &ActionName) -> Arc<Slice> {
        let known = self.slices.read().unwrap_or_else(PoisonError::into_inner).get(action.as_str()).cloned();
        known.unwrap_or_else(|| self.new_slice(action))
    }

    fn new_slice(&self, action: &ActionName) -> Arc<Slice> {
        let statements: Box<[u32]> = (0..)
            .zip(&self.source.document.statements)
            .filter(|(_, statement)| statement_names(self.kind, statement, action))
            .map(|(index, _)| index)
            .collect();
        let renderings = if self.renderings.universe.get(action).is_some() || statements.is_empty() {
            Arc::clone(&self.renderings)
        } else {
            Arc::new(Renderings::new(Arc::clone(&self.source), Universe::single(action)))
        };
        let mut slices = self.slices.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = slices.get(action.as_str()) {
            return Arc::clone(known);
        }
        // Actions that the same statements can match share one slice.
        let shared = slices.values().find(|slice| slice.is_of(&renderings, &statements)).cloned();
        let slice = shared.unwrap_or_else(|| Arc::new(Slice::new(renderings, statements)));
        if slices.len() < Self::MAX_SLICES {
            slices.insert(action.as_str().into(), Arc::clone(&slice));
        }
        slice
    }

    /// About how much memory it takes, in bytes, slices that are yet to come included.
    pub(super) fn weight(&self) -> u32 {
        let statements = self.source.document.statements.len();
        // A parsed policy takes about 4 KB beside what its text takes several times over.
        u32::try_from(4096 + self.text.len() * 12 + statements * 6144).unwrap_or(u32::MAX)
    }
}

fn source(kind: DocumentKind, text: &str) -> Result<Source, CompileError> {
    let document = Document::parse(text, kind).map_err(|error| CompileError {
        message: error.to_string(),
        line: Some(error.line),
        parse: Some(error),
    })?;
    let mut conditions = Vec::with_capacity(document.statements.len());
    for (index, statement) in document.statements.iter().enumerate() {
        let prepare = |condition: &crate::iam::Condition| {
            let values = condition.compile(document.version).map_err(|error| {
                let message = format!("Statement[{index}].Condition.{}: {error}", condition.operator);
                CompileError::internal(message, Some(condition.line))
            })?;
            Ok(Arc::new(PreparedCondition { condition: condition.clone(), values }))
        };
        conditions.push(statement.conditions.iter().map(prepare).collect::<Result<Vec<_>, CompileError>>()?);
    }
    Ok(Source { kind, document, conditions, is_validated: true })
}
