use std::net::IpAddr;

use cedar_policy::RestrictedExpression;

use crate::aws::{ConditionKey, ContextValue, KeyType, catalogue};
use crate::iam::compare;

use super::text::string;

/// One attribute of the Cedar context: a condition key in one of the shapes that policies read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Attribute {
    pub(super) key: ConditionKey,
    pub(super) shape: Shape,
}

/// The Cedar type of an attribute and how a request's value takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    Text,
    TextSet,
    Long,
    Bool,
    Date,
    Ip,
    Arn,
    /// The text of a value of another type, under `<key>#string`.
    AsText,
    /// The text in lower case, under `<key>#lower`.
    Lower,
}

/// The request's value does not have the type that the catalogue gives its key.
pub(super) struct Unfit;

impl Attribute {
    /// The key in its own type; a key that the catalogue does not know is a single text.
    pub(super) fn native(key: &ConditionKey) -> Self {
        let shape = match catalogue::condition_key(key.as_str()) {
            Some(info) if info.multivalued => Shape::TextSet,
            Some(info) => match info.key_type {
                KeyType::String | KeyType::Binary => Shape::Text,
                KeyType::Numeric => Shape::Long,
                KeyType::Bool => Shape::Bool,
                KeyType::Date => Shape::Date,
                KeyType::Ip => Shape::Ip,
                KeyType::Arn => Shape::Arn,
            },
            None => Shape::Text,
        };
        Self { key: key.clone(), shape }
    }

    /// The same key in another shape.
    pub(super) fn shadow(&self, shape: Shape) -> Self {
        Self { key: self.key.clone(), shape }
    }

    /// The attribute's name: the key in AWS's spelling, an open suffix in lower case. Names of
    /// one word are the house's own (`atoms`, `resource`), so a key without a colon gets one.
    pub(super) fn name(&self) -> String {
        let spelling = catalogue::condition_key_spelling(self.key.as_str());
        let colon = if spelling.starts_with(':') || !spelling.contains(':') { ":" } else { "" };
        let shadow = match self.shape {
            Shape::AsText => "#string",
            Shape::Lower => "#lower",
            _ => "",
        };
        format!("{colon}{spelling}{shadow}")
    }

    /// `context["…"]`.
    pub(super) fn reference(&self) -> String {
        format!("context[{}]", string(&self.name()))
    }

    /// `context has "…"`.
    pub(super) fn has(&self) -> String {
        format!("context has {}", string(&self.name()))
    }

    /// Its type in the schema.
    pub(super) fn cedar_type(&self) -> &'static str {
        match self.shape {
            Shape::Text | Shape::AsText | Shape::Lower => "String",
            Shape::TextSet => "Set<String>",
            Shape::Long => "Long",
            Shape::Bool => "Bool",
            Shape::Date => "datetime",
            Shape::Ip => "ipaddr",
            Shape::Arn => super::resources::ARN_TYPE,
        }
    }

    /// The request's value in this shape; none where the key is absent (an empty set is).
    pub(super) fn value(&self, value: ContextValue<'_>) -> Result<Option<RestrictedExpression>, Unfit> {
        if let ContextValue::Many(values) = &value {
            return match self.shape {
                _ if values.is_empty() => Ok(None),
                Shape::TextSet => {
                    let texts = values.iter().map(|text| RestrictedExpression::new_string(text.to_string()));
                    Ok(Some(RestrictedExpression::new_set(texts)))
                }
                _ => Err(Unfit),
            };
        }
        let expression = match (self.shape, value) {
            (Shape::TextSet, _) => return Err(Unfit),
            (Shape::Text | Shape::AsText, value) => RestrictedExpression::new_string(single(value)),
            (Shape::Lower, value) => RestrictedExpression::new_string(compare::lower_case(&single(value)).into_owned()),
            (Shape::Long, ContextValue::Number(number)) => RestrictedExpression::new_long(number),
            (Shape::Long, value) => {
                let number = compare::Decimal::parse(&single(value)).and_then(|number| number.to_i64()).ok_or(Unfit)?;
                RestrictedExpression::new_long(number)
            }
            (Shape::Bool, ContextValue::Bool(value)) => RestrictedExpression::new_bool(value),
            (Shape::Bool, value) => RestrictedExpression::new_bool(compare::is_true(&single(value))),
            (Shape::Date, ContextValue::Time(time)) => datetime(time.as_millisecond())?,
            (Shape::Date, value) => datetime(compare::epoch_milliseconds(&single(value)).ok_or(Unfit)?)?,
            (Shape::Ip, ContextValue::Ip(address)) => ip(address),
            (Shape::Ip, value) => ip(compare::address(&single(value)).ok_or(Unfit)?),
            (Shape::Arn, value) => {
                let text = single(value);
                let components = compare::arn_components(&text).ok_or(Unfit)?;
                super::resources::arn_record(&text, components).ok_or(Unfit)?
            }
        };
        Ok(Some(expression))
    }
}

/// The text of a value that is not several.
fn single(value: ContextValue<'_>) -> String {
    match value {
        ContextValue::Text(text) => text.into_owned(),
        other => other.texts().first().map(std::string::ToString::to_string).unwrap_or_default(),
    }
}

fn ip(address: IpAddr) -> RestrictedExpression {
    RestrictedExpression::new_ip(address.to_canonical().to_string())
}

/// Cedar's spelling of a point in time; none beyond the years that it reads.
pub(super) fn datetime_text(milliseconds: i64) -> Option<String> {
    let time = jiff::Timestamp::from_millisecond(milliseconds).ok()?;
    let civil = jiff::tz::Offset::UTC.to_datetime(time);
    (0..=9999).contains(&civil.year()).then(|| {
        let (year, month, day) = (civil.year(), civil.month(), civil.day());
        let (hour, minute, second, fraction) = (civil.hour(), civil.minute(), civil.second(), civil.millisecond());
        let fraction = if fraction == 0 { String::new() } else { format!(".{fraction:03}") };
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
    })
}

fn datetime(milliseconds: i64) -> Result<RestrictedExpression, Unfit> {
    datetime_text(milliseconds).map(RestrictedExpression::new_datetime).ok_or(Unfit)
}
