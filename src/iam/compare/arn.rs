use crate::aws::ConditionKey;

use super::Match;
use crate::iam::pattern::{Part, Pattern, Variable};

/// A policy value under an ARN operator.
#[derive(Clone, Debug)]
pub(super) enum ArnLiteral {
    /// Six components, each compared on its own.
    Components(Box<[Pattern; 6]>),
    /// Split once its variables are known.
    Variable(Pattern),
    /// No ARN: met by a valid one, an error of its statement.
    Invalid,
}

impl ArnLiteral {
    pub(super) fn new(pattern: Pattern) -> Self {
        if pattern.has_variables() {
            return Self::Variable(pattern);
        }
        split(&pattern).map_or(Self::Invalid, |components| Self::Components(Box::new(components)))
    }

    /// The pattern, where it has variables.
    pub(super) fn pattern(&self) -> Option<&Pattern> {
        match self {
            Self::Variable(pattern) => Some(pattern),
            _ => None,
        }
    }

    pub(super) fn may_err(&self) -> bool {
        !matches!(self, Self::Components(_))
    }

    pub(super) fn may_be_an_arn(&self) -> bool {
        !matches!(self, Self::Invalid)
    }
}

/// The six components of an ARN; none where the text is no ARN. The rule is that of
/// [`crate::aws::Arn`], without a bound on the length and without an allocation.
#[must_use]
pub fn components(text: &str) -> Option<[&str; 6]> {
    let mut pieces = text.splitn(6, ':');
    let mut found = [""; 6];
    for component in &mut found {
        *component = pieces.next()?;
    }
    let [scheme, partition, service, _, _, resource] = found;
    (scheme == "arn" && !partition.is_empty() && !service.is_empty() && !resource.is_empty()).then_some(found)
}

/// `ArnEquals` and `ArnLike` alike: policy values in order, the first match or error decides.
pub(super) fn matches<'v>(
    values: &[ArnLiteral],
    request: &str,
    resolve: &dyn Fn(&ConditionKey) -> Variable<'v>,
) -> Match {
    let Some(request) = components(request) else {
        return Match::Incomparable;
    };
    for value in values {
        let found = match value {
            ArnLiteral::Components(components) => all_match(components, &request),
            ArnLiteral::Invalid => return Match::Error,
            ArnLiteral::Variable(pattern) => match pattern.bind(resolve) {
                None => false,
                Some(bound) => match split(&bound) {
                    Some(components) => all_match(&components, &request),
                    None => return Match::Error,
                },
            },
        };
        if found {
            return Match::Yes;
        }
    }
    Match::No
}

fn all_match(components: &[Pattern; 6], request: &[&str; 6]) -> bool {
    components.iter().zip(request).all(|(pattern, text)| pattern.matches_bound(text))
}

/// The six components of a policy value without variables, by the rule of [`components`]: the
/// scheme is the literal `arn`; the others may have wildcards. What AWS makes of a value such as
/// `*` or `arn:*` is not settled; read as no ARN it is an error of its statement, which closes.
fn split(pattern: &Pattern) -> Option<[Pattern; 6]> {
    let components: [Pattern; 6] = pattern.split_at_colons(6)?.try_into().ok()?;
    let [scheme, partition, service, _, _, resource] = &components;
    let scheme_is_arn = matches!(scheme.parts.as_slice(), [Part::Literal(text)] if text == "arn");
    let complete = [partition, service, resource].iter().all(|component| !component.parts.is_empty());
    (scheme_is_arn && complete).then_some(components)
}
