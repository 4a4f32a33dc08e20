//! How the values of a condition compare with those of a request: exactly as AWS compares them,
//! edge values included. Policy values are read once, when a document is compiled.

mod arn;
mod date;
mod ip;
mod number;
mod text;

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::aws::ConditionKey;

use super::pattern::{InvalidPattern, Pattern, Variable};
use super::{BaseOperator, Condition, Operator, Quantifier, Version};

pub use arn::components as arn_components;
pub use date::epoch_milliseconds;
pub use ip::{Network, address};
pub use number::Decimal;
pub use text::lower_case;

use arn::ArnLiteral;

/// What becomes of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// A policy value is no ARN and met a valid one: the statement is in error. An Allow then does
    /// not apply, a Deny does.
    StatementError,
}

impl Verdict {
    /// All conditions of a statement must hold. An error outlasts a false: AWS's order among the
    /// conditions of a statement is not documented, and this side is the closed one (a Deny in
    /// error applies, an Allow does not either way).
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::StatementError, _) | (_, Self::StatementError) => Self::StatementError,
            (Self::True, Self::True) => Self::True,
            _ => Self::False,
        }
    }
}

impl From<bool> for Verdict {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// What the positive form of an operator says of one request value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Match {
    /// A policy value matches.
    Yes,
    /// None does.
    No,
    /// The request value is no ARN, or no address: the positive and the negated operator are both
    /// false.
    Incomparable,
    /// A policy value is no ARN and met a valid one before any match.
    Error,
}

/// The values of one condition, read for their operator.
#[derive(Clone, Debug)]
pub struct CompiledValues(Literals);

#[derive(Clone, Debug)]
enum Literals {
    Text(Vec<Pattern>),
    IgnoreCase(Vec<LowerCase>),
    /// A value that is no number is none and satisfies no relation.
    Number(Relation, Vec<Option<Decimal<'static>>>),
    /// Milliseconds since the epoch; a value that is no date is none and satisfies no relation.
    Date(Relation, Vec<Option<i64>>),
    Bool(Vec<bool>),
    Binary(Vec<String>),
    /// A value that is no network is skipped.
    Ip(Vec<Network>),
    Arn(Vec<ArnLiteral>),
    /// Whether the key must be absent.
    Null(Vec<bool>),
}

#[derive(Clone, Debug)]
enum LowerCase {
    Fixed(String),
    /// Lower-cased once its variables are known, since a final sigma depends on its neighbours.
    Variable(Pattern),
}

/// How the request value must stand to the policy value.
#[derive(Clone, Copy, Debug)]
enum Relation {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Relation {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

impl CompiledValues {
    /// Reads the values for an operator. Values that are no number, date, ARN or network are kept
    /// as such: AWS evaluates them, each type in its own way.
    ///
    /// # Errors
    /// A malformed policy variable under a String or ARN operator.
    pub fn new(base: BaseOperator, values: &[String], version: Version) -> Result<Self, InvalidPattern> {
        use BaseOperator as Op;
        let patterns = |read: fn(&str, Version) -> Result<Pattern, InvalidPattern>| {
            values.iter().map(|value| read(value, version)).collect::<Result<Vec<_>, _>>()
        };
        let numbers = |relation| {
            Literals::Number(
                relation,
                values.iter().map(|value| Decimal::parse(value).map(Decimal::into_owned)).collect(),
            )
        };
        let dates = |relation| Literals::Date(relation, values.iter().map(|value| epoch_milliseconds(value)).collect());
        let truths = || values.iter().map(|value| is_true(value)).collect();
        Ok(Self(match base {
            Op::StringEquals | Op::StringNotEquals => Literals::Text(patterns(Pattern::without_wildcards)?),
            Op::StringLike | Op::StringNotLike => Literals::Text(patterns(Pattern::with_wildcards)?),
            Op::StringEqualsIgnoreCase | Op::StringNotEqualsIgnoreCase => Literals::IgnoreCase(
                patterns(Pattern::without_wildcards)?
                    .into_iter()
                    .map(|pattern| match pattern.as_literal() {
                        Some(text) => LowerCase::Fixed(lower_case(text).into_owned()),
                        None => LowerCase::Variable(pattern),
                    })
                    .collect(),
            ),
            Op::NumericEquals | Op::NumericNotEquals => numbers(Relation::Equal),
            Op::NumericLessThan => numbers(Relation::Less),
            Op::NumericLessThanEquals => numbers(Relation::LessOrEqual),
            Op::NumericGreaterThan => numbers(Relation::Greater),
            Op::NumericGreaterThanEquals => numbers(Relation::GreaterOrEqual),
            Op::DateEquals | Op::DateNotEquals => dates(Relation::Equal),
            Op::DateLessThan => dates(Relation::Less),
            Op::DateLessThanEquals => dates(Relation::LessOrEqual),
            Op::DateGreaterThan => dates(Relation::Greater),
            Op::DateGreaterThanEquals => dates(Relation::GreaterOrEqual),
            Op::Bool => Literals::Bool(truths()),
            Op::BinaryEquals => Literals::Binary(values.to_vec()),
            Op::IpAddress | Op::NotIpAddress => {
                Literals::Ip(values.iter().filter_map(|value| Network::parse(value)).collect())
            }
            Op::ArnEquals | Op::ArnLike | Op::ArnNotEquals | Op::ArnNotLike => {
                Literals::Arn(patterns(Pattern::with_wildcards)?.into_iter().map(ArnLiteral::new).collect())
            }
            Op::Null => Literals::Null(truths()),
        }))
    }

    /// What the positive form of the operator says of one request value: the first value that
    /// matches, or is in error, decides. `Null` has no such form (it reads no value): [`Match::No`].
    #[must_use]
    pub fn matches<'v>(&self, request: &str, resolve: &dyn Fn(&ConditionKey) -> Variable<'v>) -> Match {
        match &self.0 {
            Literals::Text(patterns) => patterns.iter().any(|pattern| pattern.matches(request, resolve)).into(),
            Literals::IgnoreCase(values) => {
                let request = lower_case(request);
                values
                    .iter()
                    .any(|value| match value {
                        LowerCase::Fixed(text) => *text == request,
                        LowerCase::Variable(pattern) => pattern
                            .bind(resolve)
                            .is_some_and(|bound| bound.as_literal().is_some_and(|text| lower_case(text) == request)),
                    })
                    .into()
            }
            Literals::Number(relation, values) => Decimal::parse(request)
                .is_some_and(|request| values.iter().flatten().any(|value| relation.holds(request.cmp(value))))
                .into(),
            Literals::Date(relation, values) => epoch_milliseconds(request)
                .is_some_and(|request| values.iter().flatten().any(|value| relation.holds(request.cmp(value))))
                .into(),
            Literals::Bool(values) => values.contains(&is_true(request)).into(),
            Literals::Binary(values) => values.iter().any(|value| value == request).into(),
            Literals::Ip(networks) => match address(request) {
                Some(address) => networks.iter().any(|network| network.contains(address)).into(),
                None => Match::Incomparable,
            },
            Literals::Arn(values) => arn::matches(values, request, resolve),
            Literals::Null(_) => Match::No,
        }
    }

    /// The condition keys that the values' variables name.
    pub fn variables(&self) -> impl Iterator<Item = &ConditionKey> {
        let patterns: Vec<&Pattern> = match &self.0 {
            Literals::Text(patterns) => patterns.iter().collect(),
            Literals::IgnoreCase(values) => values
                .iter()
                .filter_map(|value| match value {
                    LowerCase::Variable(pattern) => Some(pattern),
                    LowerCase::Fixed(_) => None,
                })
                .collect(),
            Literals::Arn(values) => values.iter().filter_map(ArnLiteral::pattern).collect(),
            _ => Vec::new(),
        };
        patterns.into_iter().flat_map(Pattern::variables)
    }

    /// Whether a value may put its statement in error: an ARN operator with a value that is no ARN
    /// or that has variables.
    #[must_use]
    pub fn may_err(&self) -> bool {
        matches!(&self.0, Literals::Arn(values) if values.iter().any(ArnLiteral::may_err))
    }
}

impl From<bool> for Match {
    fn from(matches: bool) -> Self {
        if matches { Self::Yes } else { Self::No }
    }
}

impl Condition {
    /// Reads the condition's values for its operator; see [`CompiledValues::new`].
    ///
    /// # Errors
    /// A malformed policy variable.
    pub fn compile(&self, version: Version) -> Result<CompiledValues, InvalidPattern> {
        CompiledValues::new(self.operator.base, &self.values, version)
    }
}

impl Operator {
    /// What becomes of a condition with this operator: quantifier, `IfExists`, `Null`, negation and
    /// missing keys included.
    ///
    /// `request` holds the key's values, none where the request does not give the key. A key
    /// without values counts as missing, as AWS never sends an empty set. `multivalued` says
    /// whether the key can have several values: without a set operator such a key does not match
    /// once present, even negated.
    ///
    /// Request values are tried in order and the first that settles the set operator ends it, so
    /// that it spares later values' errors, as an earlier match does among policy values.
    #[must_use]
    pub fn evaluate<'v>(
        &self,
        values: &CompiledValues,
        request: Option<&[&str]>,
        multivalued: bool,
        resolve: &dyn Fn(&ConditionKey) -> Variable<'v>,
    ) -> Verdict {
        let request = request.filter(|request| !request.is_empty());
        if let Literals::Null(absent) = &values.0 {
            return absent.contains(&request.is_none()).into();
        }
        let Some(request) = request else {
            return self.holds_when_missing().into();
        };
        match self.quantifier {
            None => match request {
                [single] if !multivalued => self.holds_for(values, single, resolve),
                _ => Verdict::False,
            },
            Some(quantifier) => {
                let settles = match quantifier {
                    Quantifier::ForAllValues => Verdict::False,
                    Quantifier::ForAnyValue => Verdict::True,
                };
                request
                    .iter()
                    .map(|value| self.holds_for(values, value, resolve))
                    .find(|verdict| *verdict == settles || *verdict == Verdict::StatementError)
                    .unwrap_or_else(|| (settles == Verdict::False).into())
            }
        }
    }

    /// What a missing key makes of a condition with this operator. For `Null` this depends on the
    /// value: false here.
    #[must_use]
    pub fn holds_when_missing(&self) -> bool {
        match self.quantifier {
            _ if self.if_exists => true,
            Some(Quantifier::ForAllValues) => true,
            Some(Quantifier::ForAnyValue) => false,
            None => self.base.negates().is_some(),
        }
    }

    /// The base operator, negation included, on one request value.
    fn holds_for<'v>(
        self,
        values: &CompiledValues,
        request: &str,
        resolve: &dyn Fn(&ConditionKey) -> Variable<'v>,
    ) -> Verdict {
        match values.matches(request, resolve) {
            Match::Yes => self.base.negates().is_none().into(),
            Match::No => self.base.negates().is_some().into(),
            Match::Incomparable => Verdict::False,
            Match::Error => Verdict::StatementError,
        }
    }
}

/// `true` in any case, untrimmed; all else is false (so `Bool` compares policy and request).
#[must_use]
pub fn is_true(text: &str) -> bool {
    text.eq_ignore_ascii_case("true")
}

/// Whether the text is a literal of the operator's type, as AWS asks of identity policies when it
/// stores them; odd Bool and Null text is accepted. ARNs with variables can't be told yet: true.
#[must_use]
pub(super) fn is_well_formed(base: BaseOperator, text: &str, version: Version) -> bool {
    use BaseOperator as Op;
    match base {
        Op::NumericEquals
        | Op::NumericNotEquals
        | Op::NumericLessThan
        | Op::NumericLessThanEquals
        | Op::NumericGreaterThan
        | Op::NumericGreaterThanEquals => Decimal::parse(text).is_some(),
        Op::DateEquals
        | Op::DateNotEquals
        | Op::DateLessThan
        | Op::DateLessThanEquals
        | Op::DateGreaterThan
        | Op::DateGreaterThanEquals => epoch_milliseconds(text).is_some(),
        Op::BinaryEquals => data_encoding::BASE64.decode(text.as_bytes()).is_ok(),
        Op::IpAddress | Op::NotIpAddress => Network::parse(text).is_some(),
        Op::ArnEquals | Op::ArnLike | Op::ArnNotEquals | Op::ArnNotLike => {
            Pattern::with_wildcards(text, version).is_ok_and(|pattern| ArnLiteral::new(pattern).may_be_an_arn())
        }
        _ => true,
    }
}

/// For callers that only have borrowed text to give.
impl<'a> From<&'a str> for Variable<'a> {
    fn from(text: &'a str) -> Self {
        Self::Value(Cow::Borrowed(text))
    }
}
