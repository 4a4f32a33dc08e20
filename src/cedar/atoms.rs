use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::aws::{Arn, ConditionKey, ContextValue, catalogue};
use crate::iam::{CompiledValues, Condition, Operator, ResourcePattern, Variable, Verdict};

/// Where the values of condition keys come from.
pub trait Values {
    /// The request's value of that key; none where the request does not give it.
    fn value(&self, key: &ConditionKey) -> Option<ContextValue<'_>>;
}

/// A truth value that is computed for each request because Cedar cannot say it.
///
/// Printed as `A1 := aws:username StringLike "dev-??"`.
#[derive(Clone, Debug)]
pub struct Atom {
    pub(super) name: String,
    pub(super) kind: AtomKind,
}

#[derive(Clone, Debug)]
pub(super) enum AtomKind {
    /// The positive match of a condition's operator alone: false on a missing key.
    Positive(Arc<PreparedCondition>),
    /// The whole condition: quantifier, negation, `IfExists` and missing keys included. A
    /// statement in error is false here.
    Whole(Arc<PreparedCondition>),
    /// Whether one of the conditions puts its statement in error.
    Error(Vec<Arc<PreparedCondition>>),
    /// Whether the resource's ARN matches one of the patterns.
    Resource(Arc<[ResourcePattern]>),
}

/// A condition with its values read.
#[derive(Clone, Debug)]
pub struct PreparedCondition {
    pub(super) condition: Condition,
    pub(super) values: CompiledValues,
}

impl Atom {
    /// Its name in `context.atoms`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its truth in one request.
    pub(super) fn holds(&self, resource: Option<&Arn>, values: &dyn Values) -> bool {
        match &self.kind {
            AtomKind::Positive(prepared) => {
                let base = prepared.condition.operator.base;
                let positive = Operator { quantifier: None, base: base.negates().unwrap_or(base), if_exists: false };
                prepared.verdict(positive, values) == Verdict::True
            }
            AtomKind::Whole(prepared) => prepared.verdict(prepared.condition.operator, values) == Verdict::True,
            AtomKind::Error(conditions) => conditions
                .iter()
                .any(|prepared| prepared.verdict(prepared.condition.operator, values) == Verdict::StatementError),
            AtomKind::Resource(patterns) => {
                let resolve = |key: &ConditionKey| variable(values, key);
                resource.is_some_and(|arn| patterns.iter().any(|pattern| pattern.matches(arn, &resolve)))
            }
        }
    }
}

impl PreparedCondition {
    /// The condition.
    #[must_use]
    pub fn condition(&self) -> &Condition {
        &self.condition
    }

    /// What becomes of it in one request.
    pub fn holds(&self, values: &dyn Values) -> Verdict {
        self.verdict(self.condition.operator, values)
    }

    /// The condition keys that its values' variables name.
    pub fn variables(&self) -> impl Iterator<Item = &ConditionKey> {
        self.values.variables()
    }

    fn verdict(&self, operator: Operator, values: &dyn Values) -> Verdict {
        let value = values.value(&self.condition.key);
        let multivalued = matches!(value, Some(ContextValue::Many(_)));
        let texts: Option<Vec<Cow<'_, str>>> = value.as_ref().map(ContextValue::texts);
        let texts: Option<Vec<&str>> = texts.as_ref().map(|texts| texts.iter().map(AsRef::as_ref).collect());
        operator.evaluate(&self.values, texts.as_deref(), multivalued, &|key| variable(values, key))
    }
}

/// What a policy variable stands for.
pub fn variable<'v>(values: &'v dyn Values, key: &ConditionKey) -> Variable<'v> {
    match values.value(key) {
        None => Variable::Absent,
        Some(ContextValue::Many(several)) if several.is_empty() => Variable::Absent,
        Some(ContextValue::Many(_)) => Variable::Multivalued,
        Some(ContextValue::Text(text)) => Variable::Value(text),
        Some(other) => Variable::Value(Cow::Owned(other.texts().first().map(ToString::to_string).unwrap_or_default())),
    }
}

pub(super) fn may_be_several(key: &ConditionKey) -> bool {
    catalogue::condition_key(key.as_str()).is_some_and(|info| info.multivalued)
}

/// A condition key in AWS's spelling. A document may write anything for a key of a tag: no line of
/// the text may end with it.
fn shown(key: &ConditionKey) -> String {
    catalogue::condition_key_spelling(key.as_str()).escape_debug().to_string()
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} := ", self.name)?;
        let list = |values: &[String]| {
            let quoted: Vec<String> = values.iter().map(|value| super::text::string(value)).collect();
            if quoted.len() == 1 { quoted[0].clone() } else { format!("[{}]", quoted.join(", ")) }
        };
        match &self.kind {
            AtomKind::Positive(prepared) => {
                let Condition { operator, key, values, .. } = &prepared.condition;
                let positive = operator.base.negates().unwrap_or(operator.base);
                let key = shown(key);
                write!(f, "{key} {} {}", positive.as_str(), list(values))
            }
            AtomKind::Whole(prepared) => {
                let Condition { operator, key, values, .. } = &prepared.condition;
                write!(f, "{} {operator} {}", shown(key), list(values))
            }
            AtomKind::Error(conditions) => {
                let keys: Vec<_> = conditions.iter().map(|prepared| shown(&prepared.condition.key)).collect();
                write!(f, "a policy value that is no ARN met one in {}", keys.join(", "))
            }
            AtomKind::Resource(patterns) => {
                let texts: Vec<String> = patterns.iter().map(|pattern| pattern.text().to_owned()).collect();
                write!(f, "the resource matches {}", list(&texts))
            }
        }
    }
}
