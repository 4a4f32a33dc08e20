use percent_encoding::percent_decode_str;

use crate::aws::{AccountId, Region};

/// How AWS's services let a client spell the name of a resource. There is one form for each resource;
/// what could be read in two ways has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// `bucket`: of a general purpose bucket (Amazon S3 User Guide, "General purpose bucket naming rules").
    Bucket,
    /// `copy-source`: `BUCKET/KEY` of `x-amz-copy-source`.
    CopySource,
    /// `function`: `NAME` or `NAME:QUALIFIER` of a Lambda function.
    Function,
    /// `key`: of an S3 object, in a body.
    Key,
    /// `key-id`: of a KMS key; an alias is refused.
    KeyId,
    /// `parameter`: of SSM's Parameter Store, with a slash at its beginning and without the selector.
    Parameter,
    /// `queue`: the name in the URL of an SQS queue.
    Queue,
    /// `secret`: of a secret, by its name or its ARN, with the six characters that end it or without.
    Secret,
    /// `secret-name`: of a secret, by its name alone.
    NamedSecret,
}

impl Name {
    pub(super) const ALL: [(&'static str, Self); 9] = [
        ("bucket", Self::Bucket),
        ("copy-source", Self::CopySource),
        ("function", Self::Function),
        ("key", Self::Key),
        ("key-id", Self::KeyId),
        ("parameter", Self::Parameter),
        ("queue", Self::Queue),
        ("secret", Self::Secret),
        ("secret-name", Self::NamedSecret),
    ];

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(name, _)| *name == text).map(|(_, name)| *name)
    }

    /// The forms of it in an ARN that begins with `prefix`: one, or two where it is not known which;
    /// none where it is not the name of such a resource.
    pub(super) fn normal(self, value: &str, prefix: &str, region: &Region, account: AccountId) -> Vec<String> {
        if self == Self::Secret && value.starts_with("arn:") {
            return value.strip_prefix(prefix).map(secret_of_arn).unwrap_or_default();
        }
        let one = match self {
            Self::Bucket => is_bucket(value).then(|| value.to_owned()),
            Self::CopySource => copy_source(value),
            Self::Function => function(value, account.as_str()),
            Self::Key => is_object_key(value).then(|| value.to_owned()),
            Self::KeyId => is_word(value, "-").then(|| value.to_owned()),
            Self::Parameter => parameter(value),
            Self::Queue => queue(value, region.as_str(), account.as_str()).map(str::to_owned),
            Self::Secret | Self::NamedSecret => is_word(value, SECRET).then(|| format!("{value}-{SUFFIX}")),
        };
        one.into_iter().collect()
    }
}

/// What may be in the name of a secret beside letters and digits (Secrets Manager API Reference,
/// "CreateSecret").
const SECRET: &str = "/_+=.@-";

/// Stands for the six characters that end a secret's ARN: they are not known of a name, and policies
/// are written with them (Secrets Manager User Guide, "Determine who has permissions").
const SUFFIX: &str = "??????";

/// Letters, digits and these others, at least one.
fn is_word(value: &str, others: &str) -> bool {
    !value.is_empty() && value.chars().all(|letter| letter.is_ascii_alphanumeric() || others.contains(letter))
}

fn is_bucket(value: &str) -> bool {
    // These are names of access points and of buckets of other kinds, which have other ARNs.
    const RESERVED: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];
    (3..=63).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte))
        && !value.starts_with(['-', '.'])
        && !value.ends_with(['-', '.'])
        && !value.contains("..")
        && !RESERVED.iter().any(|suffix| value.ends_with(suffix))
}

/// Amazon S3 API Reference, "CopyObject": the value is URL-encoded; `?versionId=` may follow.
fn copy_source(value: &str) -> Option<String> {
    let path = match value.split_once('?') {
        None => value,
        Some((path, query)) => {
            let version = query.strip_prefix("versionId=")?;
            is_word(version, "._-").then_some(path)?
        }
    };
    // A plus is a space to some, and what follows `#` or `;` no part of the path.
    if path.contains(['+', '#', ';']) {
        return None;
    }
    let path = percent_decode_str(path.strip_prefix('/').unwrap_or(path)).decode_utf8().ok()?;
    let (bucket, key) = path.split_once('/')?;
    let is_plain = is_bucket(bucket) && !key.contains(['?', '#']) && is_object_key(key);
    is_plain.then(|| path.clone().into_owned())
}

/// Whether a path has one meaning as the key of an object: what removes dot segments and empty ones
/// would find another object.
pub(super) fn is_object_key(key: &str) -> bool {
    let mut segments = key.split('/').peekable();
    let mut is_first = true;
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        if matches!(segment, "." | "..") || (segment.is_empty() && (is_first || !is_last)) {
            return false;
        }
        is_first = false;
    }
    true
}

/// `NAME`, `ACCOUNT:function:NAME` or, of an ARN, what follows `function:`, each with `:QUALIFIER` or
/// without (Lambda API Reference, "Invoke"). Lambda takes still others, that leave parts out.
fn function(value: &str, account: &str) -> Option<String> {
    let own = value.strip_prefix(account).and_then(|rest| rest.strip_prefix(":function:"));
    let (name, qualifier) = match own.unwrap_or(value).split_once(':') {
        None => (own.unwrap_or(value), None),
        Some((name, qualifier)) => (name, Some(qualifier)),
    };
    let is_qualified = match qualifier {
        None => true,
        // `function:NAME`, `ACCOUNT:NAME` and `REGION:NAME` are names without a qualifier.
        Some(qualifier) => {
            let is_part = name == "function" || is_account(name) || Region::is_well_formed(name);
            !is_part && (qualifier == "$LATEST" || is_word(qualifier, "_-"))
        }
    };
    let normal = own.unwrap_or(value);
    (is_word(name, "_-") && is_qualified).then(|| normal.to_owned())
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `NAME`, `/PATH/NAME`, each with `:SELECTOR` or without (Systems Manager API Reference,
/// "GetParameter").
fn parameter(value: &str) -> Option<String> {
    let (name, selector) = value.split_once(':').map_or((value, None), |(name, selector)| (name, Some(selector)));
    if selector.is_some_and(|selector| !is_word(selector, "_.-")) || name.is_empty() {
        return None;
    }
    let inside = name.strip_prefix('/').unwrap_or(name);
    let inside = inside.strip_suffix('/').unwrap_or(inside);
    let is_plain =
        inside.is_empty() || inside.split('/').all(|part| is_word(part, "_.-") && part != "." && part != "..");
    // Behind `/aws/reference/` there are secrets of Secrets Manager, which are another service's.
    let is_reference = inside.to_ascii_lowercase().starts_with("aws/reference");
    (is_plain && !is_reference).then(|| format!("/{inside}"))
}

/// `https://HOST/ACCOUNT/NAME`, `…/queue/NAME` or `…/queue/REGION/ACCOUNT/NAME` (the latter two of
/// emulators). A Region in the host or the path is the request's.
fn queue<'u>(url: &'u str, region: &str, account: &str) -> Option<&'u str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let (host, path) = rest.split_once('/')?;
    let is_elsewhere = |label: &str| Region::is_well_formed(label) && label != region;
    if !is_word(host, ".-:[]") || host.split(['.', ':']).any(is_elsewhere) {
        return None;
    }
    let parts: Vec<&str> = path.split('/').collect();
    let (owner, name) = match parts[..] {
        ["queue", name] => (account, name),
        [owner, name] => (owner, name),
        ["queue", place, owner, name] if place == region => (owner, name),
        _ => return None,
    };
    (owner == account && is_word(name.strip_suffix(".fifo").unwrap_or(name), "_-")).then_some(name)
}

/// An ARN ends with the name and six characters, or with the name alone. That it ends with the six can
/// only be told from how they look: letters in lower case could be a word of the name, and it is both.
fn secret_of_arn(value: &str) -> Vec<String> {
    if !is_word(value, SECRET) {
        return Vec::new();
    }
    let partial = format!("{value}-{SUFFIX}");
    let suffix = value.rsplit_once('-').filter(|(name, _)| !name.is_empty()).map_or("", |(_, suffix)| suffix);
    if suffix.len() != 6 || !suffix.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        vec![partial]
    } else if suffix.bytes().all(|byte| byte.is_ascii_lowercase()) {
        vec![value.to_owned(), partial]
    } else {
        vec![value.to_owned()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(name: &str, value: &str) -> Vec<String> {
        let (region, account) = ("us-east-1".parse().unwrap(), "111122223333".parse().unwrap());
        let prefix = "arn:aws:secretsmanager:us-east-1:111122223333:secret:";
        Name::parse(name).unwrap().normal(value, prefix, &region, account)
    }

    fn hold(name: &str, cases: &[(&str, &str)], refused: &[&str]) {
        for (value, expected) in cases {
            assert_eq!(normal(name, value), [*expected], "{name} {value}");
        }
        for value in refused {
            assert!(normal(name, value).is_empty(), "{name} {value}");
        }
    }

    #[test]
    fn a_bucket_has_one_name() {
        hold(
            "bucket",
            &[("my-bucket.1", "my-bucket.1")],
            &["", "ab", "My-bucket", "a_b_c", "a:b:c", "a/b/c", "..", "a..b", ".abc", "point-abc-s3alias", "b--x-s3"],
        );
        hold(
            "copy-source",
            &[
                ("bucket/key", "bucket/key"),
                ("/bucket/a%20b/c%2Bd", "bucket/a b/c+d"),
                ("bucket/key?versionId=a.B_-1", "bucket/key"),
                ("bucket/folder/", "bucket/folder/"),
            ],
            &[
                "",
                "bucket",
                "bucket/",
                "//bucket/key",
                "bucket//key",
                "bucket/a/../b",
                "bucket/%2e%2e/b",
                "bucket/a+b",
                "bucket/a%3FversionId=1",
                "bucket/a?versionId=1?versionId=2",
                "bucket/a?versionId=1&x=y",
                "bucket/a?versionId=",
                "bucket/a?VersionId=1",
                "bucket/a#b",
                "bucket/%ff",
                "http://host/bucket/key",
                "arn:aws:s3:us-east-1:111122223333:accesspoint/p/object/key",
            ],
        );
    }

    #[test]
    fn a_function_is_named_by_its_name() {
        hold(
            "function",
            &[
                ("f", "f"),
                ("f:prod", "f:prod"),
                ("f:$LATEST", "f:$LATEST"),
                ("111122223333:function:f", "f"),
                ("111122223333:function:f:1", "f:1"),
                ("function", "function"),
            ],
            &[
                "",
                "f:",
                "f:a:b",
                "f/g",
                "function:f",
                "111122223333:f",
                "us-east-1:f",
                "us-east-1:111122223333:function:f",
                "444455556666:function:f",
                "111122223333:function:function:f",
                "f:$OTHER",
                "arn:aws:lambda:us-east-1:444455556666:function:f",
            ],
        );
    }

    #[test]
    fn a_parameter_has_a_slash_and_no_selector() {
        hold(
            "parameter",
            &[("a", "/a"), ("/a/b", "/a/b"), ("a:3", "/a"), ("/a/b:label", "/a/b"), ("/", "/"), ("/a/", "/a")],
            &[
                "",
                ":1",
                "a:",
                "a:1:2",
                "//a",
                "/a//b",
                "/a/../b",
                "a b",
                "a*",
                "/aws/reference/secretsmanager/x",
                "aws/reference/secretsmanager/x",
                "/AWS/Reference/secretsmanager/x",
                "arn:aws:ssm:us-east-1:444455556666:parameter/a",
            ],
        );
    }

    #[test]
    fn a_queue_is_the_last_part_of_its_url() {
        hold(
            "queue",
            &[
                ("https://sqs.us-east-1.amazonaws.com/111122223333/q", "q"),
                ("http://localhost:9324/111122223333/q-1_a.fifo", "q-1_a.fifo"),
                ("http://localhost:9324/queue/q", "q"),
                ("http://localhost:4566/queue/us-east-1/111122223333/q", "q"),
            ],
            &[
                "",
                "q",
                "/111122223333/q",
                "https://sqs.eu-west-1.amazonaws.com/111122223333/q",
                "https://sqs.us-east-1.amazonaws.com/444455556666/q",
                "https://sqs.us-east-1.amazonaws.com/111122223333/q/",
                "https://sqs.us-east-1.amazonaws.com/111122223333/a/q",
                "https://sqs.us-east-1.amazonaws.com/111122223333/q?x=/444455556666/p",
                "https://sqs.us-east-1.amazonaws.com/111122223333/q#p",
                "https://sqs.us-east-1.amazonaws.com/111122223333/%71",
                "https://sqs.us-east-1.amazonaws.com//q",
                "https://sqs.us-east-1.amazonaws.com/111122223333/",
                "https://user@host/111122223333/q",
                "http://localhost:4566/queue/eu-west-1/111122223333/q",
                "http://localhost:4566/queue/us-east-1/444455556666/q",
                "arn:aws:sqs:us-east-1:111122223333:q",
            ],
        );
    }

    #[test]
    fn a_secret_has_six_characters_more_than_its_name() {
        // A name that looks as if it had them is a name all the same: else a policy for
        // `prod-??????` would give away the secret `prod-master`.
        hold(
            "secret",
            &[("db", "db-??????"), ("prod/db", "prod/db-??????"), ("prod-Master1", "prod-Master1-??????")],
            &["", "a:b", "a*", "a?", "a b"],
        );
        let arn =
            |name: &str| normal("secret", &format!("arn:aws:secretsmanager:us-east-1:111122223333:secret:{name}"));
        assert_eq!(arn("db-AbC123"), ["db-AbC123"]);
        assert_eq!(arn("db"), ["db-??????"]);
        assert_eq!(arn("prod-master"), ["prod-master", "prod-master-??????"]);
        assert!(arn("").is_empty() && arn("db-??????").is_empty() && arn("a:b").is_empty());
        let elsewhere = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db";
        assert!(normal("secret", elsewhere).is_empty() && normal("secret-name", elsewhere).is_empty());
        hold("key", &[("a b/c:d", "a b/c:d"), ("a/", "a/")], &["", "/a", "a//b", "../a", "a/./b"]);
        hold("key-id", &[("mrk-1234", "mrk-1234")], &["alias/a", "arn:aws:kms:x", "key/1", ""]);
    }
}
