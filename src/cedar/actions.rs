//! Actions as Cedar entities, and Action elements as scopes.

use std::collections::BTreeMap;
use std::fmt;

use crate::aws::{ActionName, catalogue};
use crate::iam::{ActionElement, ActionPattern, Document, DocumentKind, Part, Pattern, Statement};

use super::resources::is_about_its_bearer;
use super::text::string;

/// `kms::Action::"Decrypt"`; other services' actions are `aws::Action::"s3:GetObject"`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ActionUid {
    pub(super) kms: bool,
    pub(super) id: String,
}

impl ActionUid {
    fn new(service: &str, name: &str) -> Self {
        if service.eq_ignore_ascii_case("kms") {
            let known = catalogue::service("kms").and_then(|kms| kms.action(name));
            Self { kms: true, id: known.map_or(name, |known| known.name).to_owned() }
        } else {
            Self { kms: false, id: format!("{service}:{name}") }
        }
    }

    /// `kms::Action`, `aws::Action`.
    pub(super) fn type_name(&self) -> &'static str {
        if self.kms { "kms::Action" } else { "aws::Action" }
    }

    /// Whether it stands for the actions that its pattern matches: a group, not an action.
    fn is_group(&self) -> bool {
        self.id.contains(['*', '?'])
    }

    /// `kms::Action::"*"`.
    pub(super) fn kms_group() -> Self {
        Self { kms: true, id: "*".to_owned() }
    }
}

impl fmt::Display for ActionUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.type_name(), string(&self.id))
    }
}

/// The actions that patterns expand to.
#[derive(Clone, Debug)]
pub(super) struct Universe {
    /// By `service:name` in lower case.
    actions: BTreeMap<String, ActionUid>,
    /// Whether this is the one action of a request that the catalogue and the document do not name.
    single: bool,
}

impl Universe {
    /// The catalogue's KMS actions and those that the document names without wildcards.
    pub(super) fn of(document: &Document) -> Self {
        let mut actions: BTreeMap<String, ActionUid> = catalogue::kms_actions()
            .iter()
            .map(|action| {
                let uid = ActionUid { kms: true, id: action.name.to_owned() };
                (format!("kms:{}", action.name.to_ascii_lowercase()), uid)
            })
            .collect();
        for pattern in document.statements.iter().flat_map(patterns) {
            if pattern.service.as_literal().is_some()
                && pattern.name.as_literal().is_some()
                && let Some((service, name)) = pattern.text.split_once(':')
            {
                actions.entry(pattern.text.to_ascii_lowercase()).or_insert_with(|| ActionUid::new(service, name));
            }
        }
        Self { actions, single: false }
    }

    /// One action alone.
    pub(super) fn single(action: &ActionName) -> Self {
        let uid = ActionUid::new(action.service(), action.name());
        Self { actions: BTreeMap::from([(action.as_str().to_ascii_lowercase(), uid)]), single: true }
    }

    /// The action's entity.
    pub(super) fn get(&self, action: &ActionName) -> Option<&ActionUid> {
        self.actions.get(&action.as_str().to_ascii_lowercase())
    }

    fn expand(&self, pattern: &ActionPattern) -> Vec<ActionUid> {
        if !self.single && pattern.service.as_literal() == Some("kms") && is_star(&pattern.name) {
            return vec![ActionUid::kms_group()];
        }
        if pattern.service.as_literal().is_some() && pattern.name.as_literal().is_some() {
            let known = self.actions.get(&pattern.text.to_ascii_lowercase());
            if self.single || known.is_some() {
                return known.cloned().into_iter().collect();
            }
        }
        let matching = self
            .actions
            .iter()
            .filter(|(name, _)| name.split_once(':').is_some_and(|(service, name)| pattern.matches(service, name)));
        let mut found: Vec<ActionUid> = matching.map(|(_, uid)| uid.clone()).collect();
        if found.is_empty() && !self.single {
            // A pattern that no action of the universe matches stands for itself: no request asks
            // for it, and one that the pattern does match is decided in a universe of its own.
            let (service, name) = pattern.text.split_once(':').unwrap_or(("*", "*"));
            found.push(ActionUid::new(service, name));
        }
        found
    }
}

/// An Action element as the action part of a Cedar scope.
pub(super) enum ActionScope {
    /// Nothing matches: the statement has no effect.
    Nothing,
    /// Every action.
    All,
    /// These.
    Only(Vec<ActionUid>),
    /// All but these.
    Except(Vec<ActionUid>),
}

impl ActionScope {
    pub(super) fn of(statement: &Statement, universe: &Universe) -> Self {
        let Some(element) = &statement.action else { return Self::Nothing };
        let (ActionElement::Action(patterns) | ActionElement::NotAction(patterns)) = element;
        let all = patterns.iter().any(|pattern| is_star(&pattern.service) && is_star(&pattern.name));
        let mut uids: Vec<ActionUid> = patterns.iter().flat_map(|pattern| universe.expand(pattern)).collect();
        uids.sort();
        uids.dedup();
        let group = ActionUid::kms_group();
        if uids.contains(&group) {
            uids.retain(|uid| !uid.kms || *uid == group);
        }
        match (element, all) {
            (ActionElement::Action(_), true) => Self::All,
            (ActionElement::NotAction(_), true) => Self::Nothing,
            (ActionElement::Action(_), false) if uids.is_empty() => Self::Nothing,
            (ActionElement::Action(_), false) => Self::Only(uids),
            (ActionElement::NotAction(_), false) if uids.is_empty() => Self::All,
            (ActionElement::NotAction(_), false) => Self::Except(uids),
        }
    }
}

/// `action == X`, `action in group`, `action in [X, Y]`: one for each type of action, for Cedar
/// compares those of one type alone.
pub(super) fn constraints(uids: &[ActionUid]) -> Vec<String> {
    let (kms, other): (Vec<&ActionUid>, Vec<&ActionUid>) = uids.iter().partition(|uid| uid.kms);
    [kms, other].iter().filter(|uids| !uids.is_empty()).map(|uids| constraint(uids)).collect()
}

fn constraint(uids: &[&ActionUid]) -> String {
    match uids {
        [uid] if uid.is_group() => format!("action in {uid}"),
        [uid] => format!("action == {uid}"),
        uids => {
            let texts: Vec<String> = uids.iter().map(ToString::to_string).collect();
            format!("action in [{}]", texts.join(", "))
        }
    }
}

/// Whether the statement can apply to the action: what slices are made by.
pub(super) fn statement_names(kind: DocumentKind, statement: &Statement, action: &ActionName) -> bool {
    let names =
        |patterns: &[ActionPattern]| patterns.iter().any(|pattern| pattern.matches(action.service(), action.name()));
    (statement.resource.is_some() || is_about_its_bearer(kind))
        && match &statement.action {
            None => false,
            Some(ActionElement::Action(patterns)) => names(patterns),
            Some(ActionElement::NotAction(patterns)) => !names(patterns),
        }
}

fn patterns(statement: &Statement) -> &[ActionPattern] {
    match &statement.action {
        Some(ActionElement::Action(patterns) | ActionElement::NotAction(patterns)) => patterns,
        None => &[],
    }
}

fn is_star(pattern: &Pattern) -> bool {
    !pattern.parts.is_empty() && pattern.parts.iter().all(|part| *part == Part::Star)
}
