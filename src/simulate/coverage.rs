//! Which statements the cases made match, and which conditions they saw both hold and fail.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::case::Case;
use super::outcome::kind_name;
use crate::authz::{AttachedDocument, conditions_of_match};

/// What the cases of suites made of the documents that they name or bear.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    documents: BTreeMap<Key, DocumentSeen>,
    /// The one name of each file, by the names that suites give it.
    names: HashMap<Arc<str>, Arc<str>>,
}

/// A document is one, however many suites name its file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    /// The file without links and detours, or the suite that bears the document.
    place: Arc<str>,
    kind: &'static str,
    /// Of a document that a suite bears: its hash.
    inline: Option<[u8; 32]>,
}

#[derive(Clone, Debug)]
struct DocumentSeen {
    /// The place as it was named first.
    shown: Arc<str>,
    statements: Vec<StatementSeen>,
}

#[derive(Clone, Debug)]
struct StatementSeen {
    sid: Option<String>,
    line: u32,
    matched: bool,
    conditions: Vec<ConditionSeen>,
}

#[derive(Clone, Debug)]
struct ConditionSeen {
    name: String,
    line: u32,
    held: bool,
    failed: bool,
}

/// Something that no case has shown.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Gap {
    /// The policy's file, or the suite that bears the policy.
    pub file: String,
    /// The line of the statement or the condition; none where the suite bears the policy.
    pub line: Option<u32>,
    /// What kind of policy.
    pub layer: String,
    /// Which statement, from 0.
    pub statement: usize,
    /// Its Sid.
    pub sid: Option<String>,
    /// The condition, operator and key; none where the statement itself was never matched.
    pub condition: Option<String>,
    /// What is missing.
    pub missing: &'static str,
}

impl Coverage {
    /// Adds what a case of a suite shows.
    pub(super) fn see(&mut self, suite: &Arc<str>, case: &Case) {
        for attached in case.policies.documents() {
            self.entry(suite, attached);
        }
        conditions_of_match(&case.request, &case.applicable(), |attached, index, holds| {
            let Some(holds) = holds else { return };
            let Some(seen) = self.entry(suite, attached).get_mut(index) else { return };
            seen.matched |= holds.iter().all(|holds| *holds);
            for (condition, holds) in seen.conditions.iter_mut().zip(holds) {
                condition.held |= holds;
                condition.failed |= !holds;
            }
        });
    }

    fn entry(&mut self, suite: &Arc<str>, attached: &AttachedDocument) -> &mut Vec<StatementSeen> {
        let document = &attached.document;
        let source = attached.source.as_ref();
        let shown = source.map_or(suite, |source| &source.file);
        let key = Key {
            place: self.one_name(shown),
            kind: kind_name(document.kind()),
            inline: source.is_none().then(|| document.hash()),
        };
        let seen = self.documents.entry(key).or_insert_with(|| {
            let statement = |statement: &crate::iam::Statement| StatementSeen {
                sid: statement.sid.clone(),
                line: statement.line,
                matched: false,
                conditions: statement
                    .conditions
                    .iter()
                    .map(|condition| ConditionSeen {
                        name: format!("{} {}", condition.operator, condition.key_text),
                        line: condition.line,
                        held: false,
                        failed: false,
                    })
                    .collect(),
            };
            let statements = document.document().statements.iter().map(statement).collect();
            DocumentSeen { shown: Arc::clone(shown), statements }
        });
        &mut seen.statements
    }

    fn one_name(&mut self, shown: &Arc<str>) -> Arc<str> {
        if let Some(known) = self.names.get(shown) {
            return Arc::clone(known);
        }
        let canonical = std::fs::canonicalize(&**shown);
        let name = canonical.map_or_else(|_| Arc::clone(shown), |path| path.to_string_lossy().into());
        self.names.insert(Arc::clone(shown), Arc::clone(&name));
        name
    }

    /// Adds what another suite's cases have shown.
    pub(super) fn merge(&mut self, other: Self) {
        for (key, document) in other.documents {
            let Some(known) = self.documents.get_mut(&key) else {
                self.documents.insert(key, document);
                continue;
            };
            for (known, other) in known.statements.iter_mut().zip(document.statements) {
                known.matched |= other.matched;
                for (known, other) in known.conditions.iter_mut().zip(other.conditions) {
                    known.held |= other.held;
                    known.failed |= other.failed;
                }
            }
        }
    }

    /// How many statements and conditions there are.
    #[must_use]
    pub fn total(&self) -> usize {
        let statements = self.documents.values().flat_map(|document| &document.statements);
        statements.map(|statement| 1 + statement.conditions.len()).sum()
    }

    /// Those that no case has shown, by file and line.
    #[must_use]
    pub fn gaps(&self) -> Vec<Gap> {
        let mut gaps = Vec::new();
        for (key, document) in &self.documents {
            for (index, statement) in document.statements.iter().enumerate() {
                let gap = |line: u32, condition: Option<&ConditionSeen>, missing| Gap {
                    file: document.shown.to_string(),
                    line: key.inline.is_none().then_some(line),
                    layer: key.kind.to_owned(),
                    statement: index,
                    sid: statement.sid.clone(),
                    condition: condition.map(|condition| condition.name.clone()),
                    missing,
                };
                if !statement.matched {
                    gaps.push(gap(statement.line, None, "no case matches it"));
                }
                gaps.extend(statement.conditions.iter().filter_map(|condition| {
                    let missing = match (condition.held, condition.failed) {
                        (true, true) => return None,
                        (true, false) => "no case sees it fail",
                        (false, true) => "no case sees it hold",
                        (false, false) => "no case reaches it",
                    };
                    Some(gap(condition.line, Some(condition), missing))
                }));
            }
        }
        gaps
    }

    /// The share of statements and conditions that cases have shown, in percent. With nothing to
    /// show it is whole.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of statements are small")]
    pub fn percent(&self) -> f64 {
        let (total, gaps) = (self.total(), self.gaps().len());
        if total == 0 { 100.0 } else { (total - gaps) as f64 * 100.0 / total as f64 }
    }
}
