//! What is wrong with a policy before it ships: what AWS would refuse, and what AWS takes and its
//! author can hardly have meant. `docs/checks.md` lists the rules.

mod actions;
mod conditions;
mod fault;
mod keys;
mod nearest;
mod overlap;
mod place;
mod principals;
mod resources;
mod rule;
mod satisfiable;
mod scope;
mod size;
mod statements;
#[cfg(test)]
mod tests;
mod values;

use super::json;
use super::parse::{Reading, Source};
use super::{Document, DocumentKind};

pub use rule::{Level, POLICY_RULES, Rule};

use place::{Places, Spot};

/// One thing that is wrong in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked for: its name, level and reason.
    pub rule: &'static Rule,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// The statement, from 0; none where the document is meant.
    pub statement: Option<usize>,
    /// What is wrong here.
    pub what: String,
    /// How to mend it.
    pub mend: String,
}

/// Most bytes of a document that is looked at: several times the largest that any service takes.
const MAX_BYTES: usize = 256 << 10;

/// Everything that is wrong with a document of that kind, in the order of its lines. A document
/// with a fault outside its statements has that finding alone; a statement with a fault is left
/// out of the other rules.
#[must_use]
pub fn lint(text: &str, kind: DocumentKind) -> Vec<Finding> {
    // Of what is far beyond any policy nothing more is asked: the rules take their time.
    if text.len() > MAX_BYTES {
        let what = format!("the document has {} bytes; no policy has more than {MAX_BYTES}", text.len());
        let (rule, mend) = (&rule::TOO_LARGE, rule::TOO_LARGE.mend.to_owned());
        return vec![Finding { rule, line: 1, column: 1, statement: None, what, mend }];
    }
    let reading = match Reading::of(text, kind) {
        Ok(reading) => reading,
        Err(fault) => return vec![fault::finding(&fault, kind)],
    };
    let Ok(root) = json::parse(text) else { return Vec::new() };
    let mut findings = Findings {
        places: Places::new(Source::new(text), root),
        statements: &reading.places,
        found: reading.faults.iter().map(|error| fault::finding(error, kind)).collect(),
    };
    let policy = Policy {
        kind,
        document: &reading.document,
        is_whole: reading.faults.is_empty(),
        scopes: reading.document.statements.iter().map(scope::Scope::of).collect(),
    };
    size::check(text, kind, &mut findings);
    statements::check(&policy, &mut findings);
    principals::check(&policy, &mut findings);
    actions::check(&policy, &mut findings);
    resources::check(&policy, &mut findings);
    conditions::check(&policy, &mut findings);
    values::check(&policy, &mut findings);
    satisfiable::check(&policy, &mut findings);
    keys::check(&policy, &mut findings);
    let mut found = findings.found;
    found.sort_by_key(|finding| (finding.line, finding.column, finding.rule.name));
    found.dedup();
    found
}

/// A document that is being looked at.
struct Policy<'a> {
    kind: DocumentKind,
    document: &'a Document,
    /// Whether every statement could be read: else nothing is said of the document as a whole.
    is_whole: bool,
    /// What each statement is about.
    scopes: Vec<scope::Scope>,
}

/// What was found so far.
struct Findings<'a> {
    places: Places<'a>,
    /// The places of the statements in the text's list.
    statements: &'a [usize],
    found: Vec<Finding>,
}

impl Findings<'_> {
    /// Adds a finding, mended as its rule says.
    fn add(&mut self, rule: &'static Rule, spot: Spot<'_>, what: String) {
        self.add_with(rule, spot, what, rule.mend.to_owned());
    }

    /// Adds a finding with what to do about this one.
    fn add_with(&mut self, rule: &'static Rule, spot: Spot<'_>, what: String, mend: String) {
        let spot = spot.in_the_text(self.statements);
        let (line, column) = self.places.position(spot);
        self.found.push(Finding { rule, line, column, statement: spot.statement(), what, mend });
    }
}
