use super::request::{Reading, Undetermined};
use super::template::Template;
use crate::aws::{ActionName, Arn};

/// One of the things that an operation needs: an action on resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Need {
    /// None for the action of the operation's own name.
    pub(super) action: Option<ActionName>,
    pub(super) on: On,
    /// Whether the operation needs it only where this makes something of the request.
    pub(super) when: Option<Template>,
    /// Whether the operation needs it only where this makes nothing of the request.
    pub(super) unless: Option<Template>,
    /// Whether a request may name no such resource.
    pub(super) optional: bool,
}

/// What an action is needed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum On {
    /// No resource: `*`.
    Nothing,
    Resources(Template),
    /// What nobody can be allowed here: a request for which it holds is denied.
    Refused,
}

impl Need {
    pub(super) fn reads_body(&self) -> bool {
        self.templates().any(Template::reads_body)
    }

    pub(super) fn path_variables(&self) -> impl Iterator<Item = &str> {
        self.templates().flat_map(Template::path_variables)
    }

    fn templates(&self) -> impl Iterator<Item = &Template> {
        let on = match &self.on {
            On::Nothing | On::Refused => None,
            On::Resources(template) => Some(template),
        };
        on.into_iter().chain(&self.when).chain(&self.unless)
    }

    /// The pairs of action and resource that a request needs for it; no ARN is no resource.
    pub(super) fn pairs(
        &self,
        reading: &Reading<'_>,
        own: &ActionName,
        into: &mut Vec<(ActionName, Option<Arn>)>,
    ) -> Result<(), Undetermined> {
        let is_needed = self.when.is_none() || holds(self.when.as_ref(), reading)?;
        if !is_needed || holds(self.unless.as_ref(), reading)? {
            return Ok(());
        }
        let action = self.action.as_ref().unwrap_or(own);
        let mut need = |resource| {
            let pair = (action.clone(), resource);
            if !into.contains(&pair) {
                into.push(pair);
            }
        };
        let template = match &self.on {
            On::Nothing => {
                need(None);
                return Ok(());
            }
            On::Refused => {
                return Err(Undetermined(format!("what the request asks for beside {own} can't be told")));
            }
            On::Resources(template) => template,
        };
        let arns = template.arns(reading)?;
        if arns.is_empty() && !self.optional {
            return Err(Undetermined(format!("the request does not name the resource of {action}")));
        }
        arns.into_iter().map(Some).for_each(need);
        Ok(())
    }
}

/// Whether a condition makes something of the request. An empty text is neither something nor nothing:
/// some readers take it for what is not there.
fn holds(condition: Option<&Template>, reading: &Reading<'_>) -> Result<bool, Undetermined> {
    let Some(condition) = condition else { return Ok(false) };
    let texts = condition.texts(reading)?;
    if texts.iter().any(|value| value.text.is_empty()) {
        return Err(Undetermined("what the request asks for depends on a text that is empty".to_owned()));
    }
    Ok(!texts.is_empty())
}
