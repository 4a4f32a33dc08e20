use std::fmt;
use std::str::FromStr;

use crate::aws::ConditionKey;

/// One operator on one condition key with the values that it compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The operator with its prefix and suffix.
    pub operator: Operator,
    /// The key.
    pub key: ConditionKey,
    /// The key as the document spells it.
    pub key_text: String,
    /// The values as text (booleans and numbers may stand unquoted in the document), not empty
    /// unless the document has an empty list, which matches nothing.
    pub values: Vec<String>,
    /// Line of the key in its document, from 1.
    pub line: u32,
}

/// `ForAnyValue:StringNotEqualsIfExists` and its like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Operator {
    /// `ForAllValues:` or `ForAnyValue:`.
    pub quantifier: Option<Quantifier>,
    /// The operator itself.
    pub base: BaseOperator,
    /// `…IfExists`: a missing key satisfies it. Never on `Null`.
    pub if_exists: bool,
}

/// The prefix for multivalued keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quantifier {
    /// True on a missing or empty key.
    ForAllValues,
    /// False on a missing or empty key.
    ForAnyValue,
}

/// The operators of the policy language (IAM User Guide, "IAM JSON policy elements: Condition
/// operators").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are AWS's")]
pub enum BaseOperator {
    StringEquals,
    StringNotEquals,
    StringEqualsIgnoreCase,
    StringNotEqualsIgnoreCase,
    StringLike,
    StringNotLike,
    NumericEquals,
    NumericNotEquals,
    NumericLessThan,
    NumericLessThanEquals,
    NumericGreaterThan,
    NumericGreaterThanEquals,
    DateEquals,
    DateNotEquals,
    DateLessThan,
    DateLessThanEquals,
    DateGreaterThan,
    DateGreaterThanEquals,
    Bool,
    BinaryEquals,
    IpAddress,
    NotIpAddress,
    ArnEquals,
    ArnLike,
    ArnNotEquals,
    ArnNotLike,
    Null,
}

impl BaseOperator {
    /// Every operator with its name, the single table of both.
    pub const ALL: [(Self, &'static str); 27] = [
        (Self::StringEquals, "StringEquals"),
        (Self::StringNotEquals, "StringNotEquals"),
        (Self::StringEqualsIgnoreCase, "StringEqualsIgnoreCase"),
        (Self::StringNotEqualsIgnoreCase, "StringNotEqualsIgnoreCase"),
        (Self::StringLike, "StringLike"),
        (Self::StringNotLike, "StringNotLike"),
        (Self::NumericEquals, "NumericEquals"),
        (Self::NumericNotEquals, "NumericNotEquals"),
        (Self::NumericLessThan, "NumericLessThan"),
        (Self::NumericLessThanEquals, "NumericLessThanEquals"),
        (Self::NumericGreaterThan, "NumericGreaterThan"),
        (Self::NumericGreaterThanEquals, "NumericGreaterThanEquals"),
        (Self::DateEquals, "DateEquals"),
        (Self::DateNotEquals, "DateNotEquals"),
        (Self::DateLessThan, "DateLessThan"),
        (Self::DateLessThanEquals, "DateLessThanEquals"),
        (Self::DateGreaterThan, "DateGreaterThan"),
        (Self::DateGreaterThanEquals, "DateGreaterThanEquals"),
        (Self::Bool, "Bool"),
        (Self::BinaryEquals, "BinaryEquals"),
        (Self::IpAddress, "IpAddress"),
        (Self::NotIpAddress, "NotIpAddress"),
        (Self::ArnEquals, "ArnEquals"),
        (Self::ArnLike, "ArnLike"),
        (Self::ArnNotEquals, "ArnNotEquals"),
        (Self::ArnNotLike, "ArnNotLike"),
        (Self::Null, "Null"),
    ];

    /// The positive operator that this one negates; none for a positive operator.
    #[must_use]
    pub fn negates(self) -> Option<Self> {
        match self {
            Self::StringNotEquals => Some(Self::StringEquals),
            Self::StringNotEqualsIgnoreCase => Some(Self::StringEqualsIgnoreCase),
            Self::StringNotLike => Some(Self::StringLike),
            Self::NumericNotEquals => Some(Self::NumericEquals),
            Self::DateNotEquals => Some(Self::DateEquals),
            Self::NotIpAddress => Some(Self::IpAddress),
            Self::ArnNotEquals => Some(Self::ArnEquals),
            Self::ArnNotLike => Some(Self::ArnLike),
            _ => None,
        }
    }
}

impl BaseOperator {
    /// As documents write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(operator, _)| *operator == self).map_or("", |(_, name)| name)
    }
}

/// The text is no condition operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a condition operator{hint}", hint = hint(.0))]
pub struct UnknownOperator(String);

/// The operator that differs only in its case, for the message.
fn hint(text: &str) -> String {
    let bare = text.rsplit(':').next().unwrap_or(text);
    BaseOperator::ALL
        .iter()
        .find(|(_, name)| name.eq_ignore_ascii_case(bare))
        .map_or_else(String::new, |(_, name)| format!("; did you mean `{name}`?"))
}

impl FromStr for Operator {
    type Err = UnknownOperator;

    /// Reads `[ForAllValues:|ForAnyValue:]Name[IfExists]`. `Null` takes neither: AWS refuses
    /// `NullIfExists`, and a set operator on `Null` has no documented meaning, so it is refused too.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownOperator(text.to_owned());
        let (quantifier, rest) = match text.split_once(':') {
            Some(("ForAllValues", rest)) => (Some(Quantifier::ForAllValues), rest),
            Some(("ForAnyValue", rest)) => (Some(Quantifier::ForAnyValue), rest),
            Some(_) => return Err(unknown()),
            None => (None, text),
        };
        let (name, if_exists) = match rest.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (rest, false),
        };
        let (base, _) = *BaseOperator::ALL.iter().find(|(_, known)| *known == name).ok_or_else(unknown)?;
        if base == BaseOperator::Null && (quantifier.is_some() || if_exists) {
            return Err(unknown());
        }
        Ok(Self { quantifier, base, if_exists })
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.quantifier {
            Some(Quantifier::ForAllValues) => "ForAllValues:",
            Some(Quantifier::ForAnyValue) => "ForAnyValue:",
            None => "",
        })?;
        f.write_str(self.base.as_str())?;
        f.write_str(if self.if_exists { "IfExists" } else { "" })
    }
}
