use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::case::Case;
use super::context::Given;
use super::fault::{Fault, Place, Problem};
use super::library::Library;
use super::members::{Member, Members, NAMES};
use super::toml_json::{self, NoNumber};
use crate::authz::Outcome;

/// A file of cases with what is expected of each.
#[derive(Debug)]
pub(super) struct Suite {
    /// As it was named.
    pub(super) file: Arc<str>,
    pub(super) cases: Vec<SuiteCase>,
    /// What could not be read of it.
    pub(super) faults: Vec<Fault>,
}

/// One `[[case]]`.
#[derive(Debug)]
pub(super) struct SuiteCase {
    pub(super) name: String,
    /// Where it begins.
    pub(super) line: u32,
    pub(super) expect: Expectation,
    /// The Sid of a statement that has to be among those that decide.
    pub(super) decided_by: Option<String>,
    /// One for each action, in order.
    pub(super) cases: Vec<Case>,
}

/// What a case must come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expectation {
    Allow,
    /// Either deny.
    Deny,
    ImplicitDeny,
    ExplicitDeny,
}

impl Expectation {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Allow, "allow"),
        (Self::Deny, "deny"),
        (Self::ImplicitDeny, "implicit_deny"),
        (Self::ExplicitDeny, "explicit_deny"),
    ];

    fn read(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == text).map(|(expectation, _)| *expectation)
    }

    /// As suites write it.
    pub(super) fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(expectation, _)| *expectation == self).map_or("", |(_, name)| name)
    }

    pub(super) fn is_met(self, outcome: Outcome) -> bool {
        match self {
            Self::Allow => outcome == Outcome::Allow,
            Self::Deny => outcome != Outcome::Allow,
            Self::ImplicitDeny => outcome == Outcome::ImplicitDeny,
            Self::ExplicitDeny => outcome == Outcome::ExplicitDeny,
        }
    }
}

type Value<'t, 'i> = &'t Spanned<DeValue<'i>>;

impl Suite {
    /// Reads a suite. What is wrong with a case is a fault, and the other cases are read.
    pub(super) fn read(file: &Path, text: &str, library: &Library) -> Self {
        let name: Arc<str> = file.display().to_string().into();
        let place = Place { file: &name, first_line: 1, text };
        let mut faults = Vec::new();
        let base = file.parent().unwrap_or(Path::new(""));
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let cases = Reader { place, lines, library, base, faults: &mut faults }.suite();
        Self { cases: cases.unwrap_or_default(), faults, file: Arc::clone(&name) }
    }
}

struct Reader<'r> {
    place: Place<'r>,
    /// Where each line begins.
    lines: Vec<usize>,
    library: &'r Library,
    base: &'r Path,
    faults: &'r mut Vec<Fault>,
}

/// A fault was noted.
struct Noted;

impl Reader<'_> {
    fn suite(mut self) -> Result<Vec<SuiteCase>, Noted> {
        let table = DeTable::parse(self.place.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            self.note(Problem::at(at, format!("not TOML: {}", error.message().replace('\n', " "))))
        })?;
        let mut shared = Members::default();
        let mut cases = None;
        for (name, value) in table.get_ref() {
            match &**name.get_ref() {
                "case" => cases = Some(value),
                member => self.member(&mut shared, member, name.span().start, value)?,
            }
        }
        let context = match shared.context.take() {
            Some(member) => Given::read(&member).map_err(|problem| self.note(problem))?,
            None => Given::default(),
        };
        let Some(cases) = cases else {
            return Err(self.note(Problem::at(0, "there is no case: write at least one [[case]]")));
        };
        let DeValue::Array(tables) = cases.get_ref() else {
            return Err(self.note(Problem::at(cases.span().start, "case: write [[case]], in double brackets")));
        };
        Ok(tables.iter().filter_map(|table| self.case(table, &shared, &context).ok()).collect())
    }

    fn case(&mut self, value: Value<'_, '_>, shared: &Members<'static>, context: &Given) -> Result<SuiteCase, Noted> {
        let at = value.span().start;
        let DeValue::Table(table) = value.get_ref() else {
            return Err(self.note(Problem::at(at, "case: write [[case]], in double brackets")));
        };
        let mut own = Members { offset: at, ..Members::default() };
        let (mut name, mut expect, mut decided_by, mut action) = (None, None, None, None);
        for (key, value) in table {
            match &**key.get_ref() {
                "name" => name = Some(self.text("name", value)?),
                "decided_by" => decided_by = Some(self.text("decided_by", value)?),
                "action" => action = Some(value),
                "expect" => {
                    let text = self.text("expect", value)?;
                    let read = Expectation::read(&text).ok_or_else(|| {
                        let names = Expectation::ALL.map(|(_, name)| name).join(", ");
                        self.note(Problem::at(value.span().start, format!("expect: `{text}` is none of: {names}")))
                    });
                    expect = Some(read?);
                }
                member => self.member(&mut own, member, key.span().start, value)?,
            }
        }
        let name = name.ok_or_else(|| self.note(Problem::at(at, "name is missing: say what the case shows")))?;
        let expect = expect.ok_or_else(|| {
            self.note(Problem::at(at, format!("case {name:?}: expect is missing: write what it must come to")))
        })?;
        let mut cases = Vec::new();
        for action in self.actions(action)? {
            let mut members = Members { action, ..own.clone() }.or(shared);
            keep_fitting_policy(&mut members, &own);
            let case = Case::new(&members, context, self.library, self.base).map_err(|problem| {
                let message = format!("case {name:?}: {}", problem.message);
                self.note(Problem { message, ..problem })
            });
            cases.push(case?);
        }
        Ok(SuiteCase { name, line: self.line(at), expect, decided_by, cases })
    }

    /// The member of each action; none alone where the case has none of its own.
    fn actions(&mut self, value: Option<Value<'_, '_>>) -> Result<Vec<Option<Member<'static>>>, Noted> {
        let Some(value) = value else { return Ok(vec![None]) };
        let items: Vec<Value<'_, '_>> = match value.get_ref() {
            DeValue::Array(items) if items.is_empty() => {
                return Err(self.note(Problem::at(value.span().start, "action: the list is empty")));
            }
            DeValue::Array(items) => items.iter().collect(),
            _ => vec![value],
        };
        items.into_iter().map(|item| self.json("action", item).map(Some)).collect()
    }

    fn member(
        &mut self,
        members: &mut Members<'static>,
        name: &str,
        at: usize,
        value: Value<'_, '_>,
    ) -> Result<(), Noted> {
        let json = self.json(name, value)?;
        if members.set(name, json) {
            return Ok(());
        }
        let known = NAMES.join(", ");
        let message = format!("unknown member `{name}`: a case has name, expect, decided_by, {known}");
        Err(self.note(Problem::at(at, message)))
    }

    fn json(&mut self, name: &str, value: Value<'_, '_>) -> Result<Member<'static>, Noted> {
        toml_json::member(value).map_err(|NoNumber(at)| {
            self.note(Problem::at(at, format!("{name}: JSON has no such number: write it as a string")))
        })
    }

    fn text(&mut self, name: &str, value: Value<'_, '_>) -> Result<String, Noted> {
        match value.get_ref() {
            DeValue::String(text) => Ok(text.to_string()),
            _ => Err(self.note(Problem::at(value.span().start, format!("{name}: write a string")))),
        }
    }

    /// The line of a byte, from 1.
    fn line(&self, offset: usize) -> u32 {
        u32::try_from(self.lines.partition_point(|start| *start <= offset)).unwrap_or(u32::MAX)
    }

    fn note(&mut self, problem: Problem) -> Noted {
        self.faults.push(self.place.fault(problem));
        Noted
    }
}

/// A suite may share a key policy and another resource's policy: each case takes the one that its
/// action is decided with, and its own in any case.
fn keep_fitting_policy(members: &mut Members<'_>, own: &Members<'_>) {
    let action = members.action.as_ref().and_then(|member| super::members::text(&member.json));
    let is_kms = action.is_some_and(|action| action.to_ascii_lowercase().starts_with("kms:"));
    if is_kms && own.resource_policy.is_none() {
        members.resource_policy = None;
    }
    if !is_kms && own.key_policy.is_none() {
        members.key_policy = None;
    }
}
