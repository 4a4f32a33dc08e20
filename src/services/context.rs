use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::request::{Reading, Undetermined};
use super::template::Template;
use crate::aws::ContextValue;

/// A condition key that a service's requests give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ContextRule {
    /// In lower case.
    pub(super) key: Arc<str>,
    pub(super) gives: Gives,
    /// The operations whose requests have it; none for all.
    pub(super) operations: Option<BTreeSet<String>>,
}

/// What a condition key is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Gives {
    /// A value.
    One(Template),
    /// Several values (a multivalued key).
    Many(Template),
    /// A value for each name: the names follow the key after a slash.
    Tags { keys: Template, values: Template },
}

impl ContextRule {
    pub(super) fn is_of(&self, operation: &str) -> bool {
        self.operations.as_ref().is_none_or(|operations| operations.contains(operation))
    }

    pub(super) fn reads_body(&self) -> bool {
        match &self.gives {
            Gives::One(template) | Gives::Many(template) => template.reads_body(),
            Gives::Tags { keys, values } => keys.reads_body() || values.reads_body(),
        }
    }

    pub(super) fn give(
        &self,
        reading: &Reading<'_>,
        into: &mut Vec<(Cow<'static, str>, ContextValue<'static>)>,
    ) -> Result<(), Undetermined> {
        match &self.gives {
            Gives::One(template) => {
                let mut values = template.texts(reading)?;
                if values.len() > 1 {
                    return Err(Undetermined(format!("the request gives {} more than once", self.key)));
                }
                if let Some(value) = values.pop() {
                    into.push((self.key.to_string().into(), ContextValue::Text(value.into())));
                }
            }
            Gives::Many(template) => {
                let values = template.texts(reading)?;
                if !values.is_empty() {
                    let values = values.into_iter().map(Cow::Owned).collect();
                    into.push((self.key.to_string().into(), ContextValue::Many(values)));
                }
            }
            Gives::Tags { keys, values } => {
                let (keys, values) = (keys.texts(reading)?, values.texts(reading)?);
                if keys.len() != values.len() {
                    return Err(Undetermined(format!("the request gives {} names without values", self.key)));
                }
                for (name, value) in keys.into_iter().zip(values) {
                    let key = format!("{}/{}", self.key, name.to_lowercase());
                    into.push((key.into(), ContextValue::Text(value.into())));
                }
            }
        }
        Ok(())
    }
}
