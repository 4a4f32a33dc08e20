//! What is said of a case: as a line of JSON, and to a person.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use super::case::Case;
use crate::authz::{DecidedBy, Decision, Explanation, Layer, NearMiss, Outcome};
use crate::iam::DocumentKind;

/// The decision on a case, explained.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub(super) decision: std::sync::Arc<Decision>,
    pub(super) explanation: Explanation,
}

/// One line of `--format json`.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    decision: Outcome,
    decided_by: Vec<Statement<'a>>,
    message: Option<&'a str>,
    missing_context_keys: &'a [String],
    near_misses: Vec<Miss<'a>>,
}

/// A statement by its place; a line number means nothing without a file.
struct Statement<'a>(&'a DecidedBy);

struct Miss<'a>(&'a NearMiss);

impl<'a> From<&'a Verdict> for Line<'a> {
    fn from(verdict: &'a Verdict) -> Self {
        Self::new(&verdict.decision, &verdict.explanation)
    }
}

impl<'a> Line<'a> {
    pub(super) fn new(decision: &'a Decision, explanation: &'a Explanation) -> Self {
        Self {
            decision: decision.outcome,
            decided_by: decision.decided_by.iter().map(Statement).collect(),
            message: decision.message.as_deref(),
            missing_context_keys: &explanation.missing_context_keys,
            near_misses: explanation.near_misses.iter().map(Miss).collect(),
        }
    }
}

impl Statement<'_> {
    fn fields<S: SerializeStruct>(&self, object: &mut S) -> Result<(), S::Error> {
        let by = self.0;
        object.serialize_field("layer", &by.layer)?;
        object.serialize_field("level", &by.level)?;
        object.serialize_field("document", &by.document)?;
        object.serialize_field("statement", &by.statement)?;
        object.serialize_field("sid", &by.sid)?;
        object.serialize_field("file", &by.file)?;
        object.serialize_field("line", &by.line.filter(|_| by.file.is_some()))
    }
}

impl Serialize for Statement<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Statement", 7)?;
        self.fields(&mut object)?;
        object.end()
    }
}

impl Serialize for Miss<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("NearMiss", 8)?;
        Statement(&self.0.statement).fields(&mut object)?;
        object.serialize_field("failed", &self.0.failed)?;
        object.end()
    }
}

/// What a person is told of a case.
pub(super) fn text(case: &Case, verdict: &Verdict, paint: Paint) -> String {
    let mut text = String::with_capacity(512);
    let request = &case.request;
    let resource = request.resource.arn().map_or("*", crate::aws::Arn::as_str);
    let principal = request.caller.principal.to_string();
    let _ = writeln!(
        text,
        "{}  {}  {} on {}",
        paint.outcome(verdict.decision.outcome),
        printable(&principal),
        request.action,
        printable(resource)
    );
    text.push_str(&explanation(case, verdict));
    text
}

/// Why, in indented lines.
pub(super) fn explanation(case: &Case, verdict: &Verdict) -> String {
    let mut text = String::new();
    let Verdict { decision, explanation } = verdict;
    for by in &decision.decided_by {
        let _ = match by.statement.or(by.document) {
            Some(_) => writeln!(text, "  decided by {}", printable(&by.to_string())),
            None => writeln!(text, "  decided by silence: {}", silence(case, by)),
        };
        // What makes a Deny apply stands below it.
        let own = explanation.near_misses.iter().filter(|miss| miss.statement == *by);
        for failed in own.flat_map(|miss| &miss.failed) {
            let _ = writeln!(text, "    because of {failed}");
        }
    }
    if decision.decided_by.is_empty() {
        let is_root = case.request.caller.is_root_user();
        let why = if is_root { "the root user may do anything in its account" } else { "no permission is needed" };
        let _ = writeln!(text, "  decided by no statement: {why}");
    }
    if let Some(message) = &decision.message {
        let _ = writeln!(text, "  message: {}", printable(message));
    }
    for miss in explanation.near_misses.iter().filter(|miss| !decision.decided_by.contains(&miss.statement)) {
        let _ = writeln!(text, "  nearest: {}", printable(&miss.statement.to_string()));
        for failed in &miss.failed {
            let _ = writeln!(text, "    {failed}");
        }
    }
    if !explanation.missing_context_keys.is_empty() {
        let _ = writeln!(text, "  read and not given: {}", explanation.missing_context_keys.join(", "));
    }
    text
}

fn silence(case: &Case, by: &DecidedBy) -> String {
    let action = &case.request.action;
    let name = by.layer.in_words();
    let level = by.level.map_or_else(String::new, |level| format!(" of level {level}"));
    let policies = &*case.policies;
    let is_empty = match by.layer {
        Layer::KeyPolicy | Layer::ResourcePolicy => policies.resource_policy.is_none(),
        Layer::IdentityPolicy => policies.principal.identity().is_empty(),
        _ => false,
    };
    if is_empty {
        return format!("there is no {name}, and {action} needs one that allows it");
    }
    format!("no statement of the {name}{level} allows {action} here")
}

/// The layer that a kind of document is of, in words.
pub(super) fn kind_name(kind: DocumentKind) -> &'static str {
    match kind {
        DocumentKind::KeyPolicy => Layer::KeyPolicy,
        DocumentKind::ResourcePolicy => Layer::ResourcePolicy,
        DocumentKind::IdentityPolicy => Layer::IdentityPolicy,
        DocumentKind::PermissionsBoundary => Layer::PermissionsBoundary,
        DocumentKind::SessionPolicy => Layer::SessionPolicy,
        DocumentKind::ServiceControlPolicy => Layer::ServiceControlPolicy,
        DocumentKind::ResourceControlPolicy => Layer::ResourceControlPolicy,
    }
    .in_words()
}

/// Text that a terminal shows and does not obey: control characters are escaped, and those that
/// end lines, are not seen, or turn the direction of writing.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    let commands = |character: char| {
        character.is_control()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    if !text.chars().any(commands) {
        return Cow::Borrowed(text);
    }
    let escape = |character: char| {
        if commands(character) { character.escape_debug().to_string() } else { character.to_string() }
    };
    Cow::Owned(text.chars().map(escape).collect())
}

/// Whether words are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// No.
    Plain,
    /// With the escape sequences of terminals.
    Colours,
}

impl Paint {
    fn outcome(self, outcome: Outcome) -> String {
        match outcome {
            Outcome::Allow => self.green(outcome.as_str()),
            Outcome::ImplicitDeny | Outcome::ExplicitDeny => self.red(outcome.as_str()),
        }
    }

    /// Good news.
    #[must_use]
    pub fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    /// Bad news.
    #[must_use]
    pub fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    fn with(self, colour: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colours => format!("\x1b[{colour}m{text}\x1b[0m"),
        }
    }
}
