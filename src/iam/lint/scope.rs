use crate::aws::catalogue::{self, Action, Service};
use crate::iam::{ActionElement, ActionPattern, Statement};

/// The actions of the catalogue that a statement is about.
pub(super) struct Scope {
    /// For each entry of its Action element, what it matches; none where that can't be told: there
    /// is no Action element, or an entry is of every service or of one that the catalogue does not
    /// know, or names an action that it does not know.
    pub(super) entries: Option<Vec<Vec<Known>>>,
}

/// An action with its service.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) service: &'static Service,
    pub(super) action: &'static Action,
}

impl Known {
    /// `kms:Decrypt`.
    pub(super) fn name(self) -> String {
        format!("{}:{}", self.service.name(), self.action.name)
    }

    pub(super) fn supports(self, key: &str) -> bool {
        self.service.supports(self.action, key)
    }
}

impl Scope {
    pub(super) fn of(statement: &Statement) -> Self {
        let entries = match &statement.action {
            Some(ActionElement::Action(patterns)) => patterns.iter().map(matches).collect(),
            _ => None,
        };
        Self { entries }
    }
}

/// The actions that a pattern matches; none where the catalogue can't tell. A pattern with
/// wildcards that matches nothing is a finding of its own and limits nothing here.
pub(super) fn matches(pattern: &ActionPattern) -> Option<Vec<Known>> {
    let service = catalogue::service(pattern.service.as_literal()?).filter(|service| !service.actions().is_empty())?;
    if let Some(name) = pattern.name.as_literal() {
        return service.action(name).map(|action| vec![Known { service, action }]);
    }
    let actions = service.actions().iter().filter(|action| pattern.matches(service.name(), action.name));
    Some(actions.map(|action| Known { service, action }).collect())
}
