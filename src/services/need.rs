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
    /// Whether a request may name no such resource.
    pub(super) optional: bool,
}

/// What an action is needed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum On {
    /// No resource: `*`.
    Nothing,
    Resources(Template),
}

impl Need {
    pub(super) fn reads_body(&self) -> bool {
        let on = match &self.on {
            On::Nothing => false,
            On::Resources(template) => template.reads_body(),
        };
        on || self.when.as_ref().is_some_and(Template::reads_body)
    }

    pub(super) fn path_variables(&self) -> impl Iterator<Item = &str> {
        let on = match &self.on {
            On::Nothing => None,
            On::Resources(template) => Some(template),
        };
        on.into_iter().chain(&self.when).flat_map(Template::path_variables)
    }

    /// The pairs of action and resource that a request needs for it; no ARN is no resource.
    pub(super) fn pairs(
        &self,
        reading: &Reading<'_>,
        own: &ActionName,
        into: &mut Vec<(ActionName, Option<Arn>)>,
    ) -> Result<(), Undetermined> {
        if let Some(when) = &self.when
            && when.texts(reading)?.is_empty()
        {
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
            On::Resources(template) => template,
        };
        let arns = template.arns(reading, own.service())?;
        if arns.is_empty() && !self.optional {
            return Err(Undetermined(format!("the request does not name the resource of {action}")));
        }
        arns.into_iter().map(Some).for_each(need);
        Ok(())
    }
}
