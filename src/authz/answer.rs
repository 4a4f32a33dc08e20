//! What the documents of one layer answer, and the decisions that are made of answers.

use crate::aws::Arn;
use crate::cedar::{PrincipalClass, SatisfiedStatement};

use super::{AttachedDocument, DecidedBy, Decision, Layer, Outcome};

/// What one layer says.
#[derive(Default)]
pub(super) struct Answer {
    pub(super) denies: Vec<DecidedBy>,
    /// The ARN of the managed policy that holds the first Deny.
    pub(super) denying: Option<Arn>,
    allows: Vec<(Option<PrincipalClass>, DecidedBy)>,
}

impl Answer {
    /// Adds what one document says; `class` tells the kind of grant that each Allow makes.
    pub(super) fn add(
        &mut self,
        place: Place,
        attached: &AttachedDocument,
        satisfied: &crate::cedar::Satisfied,
        class: impl Fn(PrincipalClass) -> PrincipalClass,
    ) {
        let name = |statement: &SatisfiedStatement| place.statement(attached, statement.statement);
        if self.denies.is_empty() && !satisfied.denies.is_empty() {
            self.denying.clone_from(&attached.arn);
        }
        self.denies.extend(satisfied.denies.iter().map(name));
        // A statement whose principals are of several classes matches once for each.
        self.denies.dedup();
        self.allows.extend(satisfied.allows.iter().map(|statement| (statement.class.map(&class), name(statement))));
    }

    pub(super) fn allows(&self) -> bool {
        !self.allows.is_empty()
    }

    pub(super) fn allowing(&self) -> impl Iterator<Item = DecidedBy> {
        once_each(self.allows.iter()).into_iter()
    }

    /// The statements that grant by one of these classes.
    pub(super) fn of_class(&self, classes: &[PrincipalClass]) -> Vec<DecidedBy> {
        once_each(self.allows.iter().filter(|(class, _)| class.is_some_and(|class| classes.contains(&class))))
    }
}

/// The statements, each once where it grants by several classes: those stand side by side.
fn once_each<'a>(granting: impl Iterator<Item = &'a (Option<PrincipalClass>, DecidedBy)>) -> Vec<DecidedBy> {
    let mut statements: Vec<DecidedBy> = granting.map(|(_, statement)| statement.clone()).collect();
    statements.dedup();
    statements
}

/// The caller's own side: identity policies within boundary and session policies.
pub(super) struct OwnSide {
    /// An account's root user may do anything in its account and has no identity policies.
    pub(super) is_root: bool,
    pub(super) identity: Answer,
    pub(super) boundary: Option<Answer>,
    pub(super) session: Option<Answer>,
}

impl OwnSide {
    /// The first layer that allows nothing; none where all that there are allow.
    pub(super) fn silent(&self) -> Option<Layer> {
        if self.is_root || self.identity.allows() { self.silent_limit() } else { Some(Layer::IdentityPolicy) }
    }

    /// The first of the limits, boundary and session policies, that allows nothing.
    pub(super) fn silent_limit(&self) -> Option<Layer> {
        let is_silent = |answer: &Option<Answer>| answer.as_ref().is_some_and(|answer| !answer.allows());
        if is_silent(&self.boundary) {
            Some(Layer::PermissionsBoundary)
        } else if is_silent(&self.session) {
            Some(Layer::SessionPolicy)
        } else {
            None
        }
    }

    pub(super) fn allowing(&self) -> Vec<DecidedBy> {
        self.identity.allowing().chain(self.limits_allowing()).collect()
    }

    pub(super) fn limits_allowing(&self) -> impl Iterator<Item = DecidedBy> {
        self.boundary.iter().chain(&self.session).flat_map(Answer::allowing)
    }
}

/// Where a document stands in the evaluation.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) layer: Layer,
    pub(super) level: Option<u32>,
    pub(super) document: u32,
}

impl Place {
    /// A statement of the document that stands here, by its place from 0.
    pub(super) fn statement(self, attached: &AttachedDocument, index: u32) -> DecidedBy {
        let source = attached.source.as_ref();
        let statement = attached.document.document().statements.get(index as usize);
        DecidedBy {
            layer: self.layer,
            level: self.level,
            document: Some(self.document),
            statement: Some(index),
            sid: statement.and_then(|statement| statement.sid.clone()),
            file: source.map(|source| source.file.to_string()),
            line: statement.and_then(|statement| match source {
                None => Some(statement.line),
                Some(source) => source.first_line.map(|first| first.saturating_add(statement.line).saturating_sub(1)),
            }),
        }
    }
}

impl Place {
    /// The document, or the grant, that stands here, as a whole.
    pub(super) fn document_alone(self) -> DecidedBy {
        let Self { layer, level, document } = self;
        DecidedBy { layer, level, document: Some(document), statement: None, sid: None, file: None, line: None }
    }
}

pub(super) fn allow(decided_by: Vec<DecidedBy>) -> Decision {
    Decision { outcome: Outcome::Allow, decided_by, message: None }
}

/// A denial because a layer, or that level of it, allows nothing.
pub(super) fn implicit(layer: Layer, level: Option<u32>, message: String) -> Decision {
    let silent = DecidedBy { layer, level, document: None, statement: None, sid: None, file: None, line: None };
    Decision { outcome: Outcome::ImplicitDeny, decided_by: vec![silent], message: Some(message) }
}
