use percent_encoding::percent_decode_str;

use super::names;
use crate::aws::{AccountId, Region};

/// What is done to a value before it is put into its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// `or-arn`: of a value that is an ARN, what follows the text that the template makes before this
    /// place; an ARN that begins otherwise is refused.
    OrArn,
    /// `arn`: the same, and what is no ARN is refused.
    Arn,
    /// `any`: `/`, `:` and spaces may be in it.
    Any,
    /// `segment:N`: the part number N between slashes, from 0, or from the end where N is negative.
    Segment(isize),
    /// `account`: the account that the upstream is of; what is no account id stands for it, and another
    /// account's id is refused.
    Account,
    /// `decode`: percent-decoded.
    Decode,
    /// `before:X`: what stands before the first X, or all of it.
    Before(String),
    /// `after:X`: what stands after the first X; refused where there is none.
    After(String),
    /// `strip:X`: without X at the beginning.
    Strip(String),
    /// `with:X`, `without:X`: only values that have X in them, or have not.
    With(String, bool),
    /// `only:A,B`: only these values.
    Only(Vec<String>),
    /// `one-of:A,B`: any other value is refused.
    OneOf(Vec<String>),
    /// `like:A,B`: what is not like one of these is refused. `*` is a text without `/` and `:`, `**` any.
    Like(Vec<String>),
    /// `number`: digits, without a zero at the beginning.
    Number,
    /// A name as one of AWS's services spells it.
    Name(names::Name),
}

/// What a filter makes of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Filtered {
    /// At least one: several where it is not known which of them is meant.
    Values(Vec<String>),
    /// The request is as if it did not have it.
    Left,
    Refused,
}

/// What a filter knows beside the value.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    /// What the template makes before the place.
    pub(super) prefix: &'a str,
    pub(super) region: &'a Region,
    pub(super) account: AccountId,
}

impl Filter {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (name, argument) = text.split_once(':').map_or((text, None), |(name, argument)| (name, Some(argument)));
        let list = |text: &str| text.split(',').map(str::to_owned).collect();
        match (name, argument.filter(|argument| !argument.is_empty())) {
            ("or-arn", None) => Ok(Self::OrArn),
            ("arn", None) => Ok(Self::Arn),
            ("any", None) => Ok(Self::Any),
            ("account", None) => Ok(Self::Account),
            ("decode", None) => Ok(Self::Decode),
            ("number", None) => Ok(Self::Number),
            ("segment", Some(number)) => {
                number.parse().map(Self::Segment).map_err(|_| format!("`{number}` is not the number of a segment"))
            }
            ("before", Some(text)) => Ok(Self::Before(text.to_owned())),
            ("after", Some(text)) => Ok(Self::After(text.to_owned())),
            ("strip", Some(text)) => Ok(Self::Strip(text.to_owned())),
            ("with", Some(text)) => Ok(Self::With(text.to_owned(), true)),
            ("without", Some(text)) => Ok(Self::With(text.to_owned(), false)),
            ("only", Some(texts)) => Ok(Self::Only(list(texts))),
            ("one-of", Some(texts)) => Ok(Self::OneOf(list(texts))),
            ("like", Some(texts)) => Ok(Self::Like(list(texts))),
            (name, None) if names::Name::parse(name).is_some() => {
                names::Name::parse(name).map(Self::Name).ok_or_else(|| unknown(text))
            }
            _ => Err(unknown(text)),
        }
    }

    /// Whether it vouches for the `/` and `:` in what it makes.
    pub(super) fn is_any(&self) -> bool {
        matches!(self, Self::Any | Self::Like(_) | Self::Name(_))
    }

    /// Whether it leaves values out.
    pub(super) fn leaves_out(&self) -> bool {
        matches!(self, Self::With(..) | Self::Only(_))
    }

    /// Whether it must know what the template makes before the place: nothing of the request, then.
    pub(super) fn reads_prefix(&self) -> bool {
        matches!(self, Self::OrArn | Self::Arn | Self::Name(names::Name::Secret))
    }

    pub(super) fn apply(&self, value: &str, around: Around<'_>) -> Filtered {
        let account = around.account;
        let made = match self {
            Self::OrArn if !value.starts_with("arn:") => Some(value.to_owned()),
            Self::Arn if !value.starts_with("arn:") => None,
            Self::OrArn | Self::Arn => value.strip_prefix(around.prefix).map(str::to_owned),
            Self::Segment(number) => segment(value, *number).map(str::to_owned),
            Self::Account => {
                let is_account = value.len() == 12 && value.bytes().all(|byte| byte.is_ascii_digit());
                (!is_account || value == account.as_str()).then(|| account.as_str().to_owned())
            }
            Self::Decode => percent_decode_str(value).decode_utf8().ok().map(std::borrow::Cow::into_owned),
            Self::Before(text) => Some(value.split_once(text.as_str()).map_or(value, |(before, _)| before).to_owned()),
            Self::After(text) => value.split_once(text.as_str()).map(|(_, after)| after.to_owned()),
            Self::Strip(text) => Some(value.strip_prefix(text.as_str()).unwrap_or(value).to_owned()),
            Self::With(text, wanted) if value.contains(text.as_str()) != *wanted => return Filtered::Left,
            Self::Only(texts) if !texts.iter().any(|text| text == value) => return Filtered::Left,
            Self::Any | Self::With(..) | Self::Only(_) => Some(value.to_owned()),
            Self::OneOf(texts) => texts.iter().any(|text| text == value).then(|| value.to_owned()),
            Self::Like(patterns) => patterns.iter().any(|pattern| is_like(value, pattern)).then(|| value.to_owned()),
            Self::Number => is_number(value).then(|| value.to_owned()),
            Self::Name(name) => {
                let forms = name.normal(value, around.prefix, around.region, account);
                return if forms.is_empty() { Filtered::Refused } else { Filtered::Values(forms) };
            }
        };
        made.map_or(Filtered::Refused, |value| Filtered::Values(vec![value]))
    }
}

fn unknown(text: &str) -> String {
    format!(
        "there is no filter `{text}`; there are or-arn, arn, any, account, decode, number, segment:N, before:X, after:X, strip:X, with:X, without:X, only:A,B, one-of:A,B, like:A,B and the names {}",
        names::Name::ALL.map(|(name, _)| name).join(", ")
    )
}

fn segment(value: &str, number: isize) -> Option<&str> {
    let segments: Vec<&str> = value.split('/').collect();
    let index = if number < 0 { segments.len().checked_sub(number.unsigned_abs())? } else { number.unsigned_abs() };
    segments.get(index).copied()
}

fn is_number(value: &str) -> bool {
    !value.is_empty() && !value.starts_with('0') && value.bytes().all(|byte| byte.is_ascii_digit())
}

/// The pattern is of whoever wrote the definition and has few stars.
fn is_like(value: &str, pattern: &str) -> bool {
    let Some((text, rest)) = pattern.split_once('*') else { return value == pattern };
    let Some(value) = value.strip_prefix(text) else { return false };
    let (is_deep, rest) = rest.strip_prefix('*').map_or((false, rest), |rest| (true, rest));
    let end = if is_deep { value.len() } else { value.find([':', '/']).unwrap_or(value.len()) };
    (1..=end).filter(|at| value.is_char_boundary(*at)).any(|at| is_like(&value[at..], rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(filter: &str, value: &str) -> Filtered {
        let around = Around {
            prefix: "arn:aws:x:us-east-1:111122223333:t/",
            region: &"us-east-1".parse().unwrap(),
            account: "111122223333".parse().unwrap(),
        };
        Filter::parse(filter).unwrap().apply(value, around)
    }

    #[test]
    fn each_filter_does_one_thing() {
        for (filter, value, expected) in [
            ("segment:-1", "http://h/123456789012/q", Some("q")),
            ("segment:-2", "http://h/123456789012/q", Some("123456789012")),
            ("segment:9", "a/b", None),
            ("segment:-9", "a/b", None),
            ("account", "111122223333", Some("111122223333")),
            ("account", "123456789012", None),
            ("account", "queue", Some("111122223333")),
            ("decode", "a%2Fb", Some("a/b")),
            ("decode", "%ff", None),
            ("before:?", "key?versionId=1", Some("key")),
            ("after:/", "bucket/a/b", Some("a/b")),
            ("after:/", "bucket", None),
            ("strip:/", "/a/b", Some("a/b")),
            ("any", "a:b", Some("a:b")),
            ("or-arn", "a", Some("a")),
            ("or-arn", "arn:aws:x:us-east-1:111122223333:t/a", Some("a")),
            ("or-arn", "arn:aws:x:us-east-1:444455556666:t/a", None),
            ("arn", "arn:aws:x:us-east-1:111122223333:t/a", Some("a")),
            ("arn", "a", None),
            ("with:b", "abc", Some("abc")),
            ("without:x", "abc", Some("abc")),
            ("only:a,b", "b", Some("b")),
            ("one-of:a,b", "b", Some("b")),
            ("one-of:a,b", "c", None),
            ("like:table/*,index/*", "table/t", Some("table/t")),
            ("like:table/*", "table/t/stream/s", None),
            ("like:table/*", "table/", None),
            ("like:table/*/backup/*", "table/t/backup/b", Some("table/t/backup/b")),
            ("like:arn:*:iam::*:role/**", "arn:aws:iam::1:role/a/b", Some("arn:aws:iam::1:role/a/b")),
            ("like:arn:*:iam::*:role/**", "arn:aws:iam::1:user/a", None),
            ("number", "12", Some("12")),
            ("number", "012", None),
            ("number", "+1", None),
            ("number", "", None),
        ] {
            let expected = expected.map_or(Filtered::Refused, |text| Filtered::Values(vec![text.to_owned()]));
            assert_eq!(apply(filter, value), expected, "{filter} of {value}");
        }
        for (filter, value) in [("with:x", "abc"), ("without:b", "abc"), ("only:a,b", "c")] {
            assert_eq!(apply(filter, value), Filtered::Left, "{filter} of {value}");
        }
        for wrong in ["", "segment", "segment:x", "nonsense", "any:1", "before:", "queue:1", "like"] {
            assert!(Filter::parse(wrong).is_err(), "{wrong}");
        }
    }
}
