use percent_encoding::percent_decode_str;

/// What is done to a value before it is put into its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// `or-arn`: a value that is an ARN already is the whole of what the template makes.
    OrArn,
    /// `any`: `/` and `:` may be in it.
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
    /// `after:X`: what stands after the first X; nothing where there is none.
    After(String),
    /// `strip:X`: without X at the beginning.
    Strip(String),
    /// `secret`: the name of a secret with six characters at its end, as its ARN has; a name without
    /// them gets `??????`, which is how policies are written for it (Secrets Manager User Guide,
    /// "Determine who has permissions").
    Secret,
}

impl Filter {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (name, argument) = text.split_once(':').map_or((text, None), |(name, argument)| (name, Some(argument)));
        match (name, argument.filter(|argument| !argument.is_empty())) {
            ("or-arn", None) => Ok(Self::OrArn),
            ("any", None) => Ok(Self::Any),
            ("account", None) => Ok(Self::Account),
            ("decode", None) => Ok(Self::Decode),
            ("secret", None) => Ok(Self::Secret),
            ("segment", Some(number)) => {
                number.parse().map(Self::Segment).map_err(|_| format!("`{number}` is not the number of a segment"))
            }
            ("before", Some(text)) => Ok(Self::Before(text.to_owned())),
            ("after", Some(text)) => Ok(Self::After(text.to_owned())),
            ("strip", Some(text)) => Ok(Self::Strip(text.to_owned())),
            _ => Err(format!(
                "there is no filter `{text}`; there are or-arn, any, account, decode, secret, segment:N, before:X, after:X and strip:X"
            )),
        }
    }

    /// The value after it; none where it takes all away.
    pub(super) fn apply(&self, value: &str, account: &str) -> Option<String> {
        match self {
            Self::OrArn | Self::Any => Some(value.to_owned()),
            Self::Segment(number) => segment(value, *number).map(str::to_owned),
            Self::Account => {
                let is_account = value.len() == 12 && value.bytes().all(|byte| byte.is_ascii_digit());
                (!is_account || value == account).then(|| account.to_owned())
            }
            Self::Decode => percent_decode_str(value).decode_utf8().ok().map(std::borrow::Cow::into_owned),
            Self::Before(text) => Some(value.split_once(text.as_str()).map_or(value, |(before, _)| before).to_owned()),
            Self::After(text) => value.split_once(text.as_str()).map(|(_, after)| after.to_owned()),
            Self::Strip(text) => Some(value.strip_prefix(text.as_str()).unwrap_or(value).to_owned()),
            Self::Secret => Some(secret(value)),
        }
    }
}

fn segment(value: &str, number: isize) -> Option<&str> {
    let segments: Vec<&str> = value.split('/').collect();
    let index = if number < 0 { segments.len().checked_sub(number.unsigned_abs())? } else { number.unsigned_abs() };
    segments.get(index).copied()
}

fn secret(name: &str) -> String {
    let has_suffix = name.rsplit_once('-').is_some_and(|(stem, suffix)| {
        !stem.is_empty() && suffix.len() == 6 && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    if has_suffix { name.to_owned() } else { format!("{name}-??????") }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("secret", "db", Some("db-??????")),
            ("secret", "db-AbC123", Some("db-AbC123")),
            ("any", "a:b", Some("a:b")),
        ] {
            let applied = Filter::parse(filter).unwrap().apply(value, "111122223333");
            assert_eq!(applied.as_deref(), expected, "{filter} of {value}");
        }
        for wrong in ["", "segment", "segment:x", "nonsense", "any:1", "before:"] {
            assert!(Filter::parse(wrong).is_err(), "{wrong}");
        }
    }
}
