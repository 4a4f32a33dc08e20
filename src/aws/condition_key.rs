use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

/// A condition key's name, such as `kms:EncryptionContext:Tenant`.
///
/// Names are case-insensitive, the tag key and encryption context key parts included, so the
/// name is held in lower case; [`ConditionKey::as_str`] is what look-ups compare.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConditionKey(Arc<str>);

impl ConditionKey {
    /// The key of that name, in any case.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.to_lowercase().into())
    }

    /// The name in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConditionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ConditionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a condition key holds, by AWS's service authorization reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// Text.
    String,
    /// A number.
    Numeric,
    /// `true` or `false`.
    Bool,
    /// A point in time.
    Date,
    /// An address.
    Ip,
    /// An ARN.
    Arn,
    /// Base64.
    Binary,
}

/// The value of a condition key in one request.
#[derive(Clone, Debug, PartialEq)]
pub enum ContextValue<'a> {
    /// Text; also the form of whatever a test case or a client gave as text.
    Text(Cow<'a, str>),
    /// An integer.
    Number(i64),
    /// A truth value.
    Bool(bool),
    /// A point in time.
    Time(Timestamp),
    /// An address.
    Ip(IpAddr),
    /// Several values (a multivalued key), possibly none.
    Many(Vec<Cow<'a, str>>),
}

impl ContextValue<'_> {
    /// The values as policies see them: text. Times are RFC 3339 in UTC with milliseconds only
    /// where they are not zero.
    #[must_use]
    pub fn texts(&self) -> Vec<Cow<'_, str>> {
        match self {
            Self::Text(text) => vec![Cow::Borrowed(text.as_ref())],
            Self::Number(number) => vec![Cow::Owned(number.to_string())],
            Self::Bool(value) => vec![Cow::Borrowed(if *value { "true" } else { "false" })],
            Self::Time(time) => vec![Cow::Owned(time.to_string())],
            Self::Ip(address) => vec![Cow::Owned(address.to_string())],
            Self::Many(values) => values.iter().map(|value| Cow::Borrowed(value.as_ref())).collect(),
        }
    }
}
