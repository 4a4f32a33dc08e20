use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de};
use toml::Spanned;
use zeroize::Zeroizing;

use super::access_key::{id_fault, secret_fault};
use super::{IdentityError, NewAccessKey, Source};
use crate::aws::Principal;

/// One `[[access_key]]` of a credentials file, checked on its own.
#[derive(Debug)]
pub struct AccessKeyEntry {
    /// The file, as it was named.
    pub file: Arc<str>,
    /// `access_key[0]`, …: the start of its members' names in errors.
    pub member: String,
    /// Line and column of the id.
    pub place: (u32, u32),
    /// The access key id.
    pub id: String,
    /// Where the secret is.
    pub secret: SecretSource,
    /// Line and column of the secret, or of what names it.
    pub secret_place: (u32, u32),
    /// A temporary key's token.
    pub session_token: Option<Zeroizing<String>>,
    /// A user, a root user, a role session or a federated user.
    pub principal: Principal,
    /// When a temporary key ends.
    pub expires: Option<Timestamp>,
    /// When a temporary key was issued: `aws:TokenIssueTime`.
    pub issued_at: Option<Timestamp>,
    /// When the session's second factor was last proven.
    pub mfa_authenticated_at: Option<Timestamp>,
    /// Files of session policies, relative to the credentials file.
    pub session_policies: Vec<SessionPolicyEntry>,
    /// Session tags.
    pub session_tags: Vec<(String, String)>,
}

/// Where a secret access key is.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// In the file itself.
    Inline(Zeroizing<String>),
    /// In that file, relative to the one that names it.
    File(PathBuf),
    /// In that environment variable.
    Env(String),
}

/// One path of `session_policies`.
#[derive(Debug)]
pub struct SessionPolicyEntry {
    /// The path as it was given.
    pub path: PathBuf,
    /// Line and column of the path.
    pub place: (u32, u32),
}

impl std::fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Inline(_) => f.write_str("Inline(redacted)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Env(name) => f.debug_tuple("Env").field(name).finish(),
        }
    }
}

/// Reads a credentials file.
///
/// # Errors
/// Bad TOML, unknown members, and whatever does not fit together, with file, line, column and
/// member; a secret is never repeated.
pub fn parse_credentials(file: &Arc<str>, text: &str) -> Result<Vec<AccessKeyEntry>, IdentityError> {
    let source = Source::new(file, text);
    let read: File = toml::from_str(text).map_err(|error| source.toml_of_tables(&error, "access_key"))?;
    read.access_key.into_iter().enumerate().map(|(index, table)| entry(source, index, table)).collect()
}

/// A credentials file's text with one more long-term key at its end; what was there stays as it is.
///
/// # Errors
/// Where the text can't be read, or would not be readable with the key added.
pub fn append_access_key(
    file: &Arc<str>,
    text: &str,
    key: &NewAccessKey,
    principal: &Principal,
) -> Result<Zeroizing<String>, IdentityError> {
    parse_credentials(file, text)?;
    let gap = match text {
        "" => "",
        _ if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    // A TOML basic string: ids, secrets and ARNs need no escapes but for what `Debug` does alike.
    let principal = toml::Value::String(principal.to_string());
    let appended = Zeroizing::new(format!(
        "{text}{gap}[[access_key]]\nid = \"{}\"\nsecret = \"{}\"\nprincipal = {principal}\n",
        key.id,
        key.secret.as_str(),
    ));
    parse_credentials(file, &appended)?;
    Ok(appended)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    access_key: Vec<Spanned<AccessKeyTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccessKeyTable {
    id: Spanned<String>,
    secret: Option<Spanned<SecretText>>,
    secret_file: Option<Spanned<PathBuf>>,
    secret_env: Option<Spanned<String>>,
    session_token: Option<Spanned<SecretText>>,
    principal: Spanned<String>,
    expires: Option<Spanned<Time>>,
    issued_at: Option<Spanned<Time>>,
    mfa_authenticated_at: Option<Spanned<Time>>,
    session_policies: Option<Spanned<Vec<Spanned<PathBuf>>>>,
    session_tags: Option<Spanned<BTreeMap<String, String>>>,
}

/// Text of a TOML file that errors do not repeat.
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// The text.
    #[must_use]
    pub fn into_inner(self) -> Zeroizing<String> {
        self.0
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => Ok(Self(Zeroizing::new(text))),
            _ => Err(de::Error::custom("expected text in quotation marks")),
        }
    }
}

/// RFC 3339, as text or as TOML's own date-time.
struct Time(Timestamp);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => text,
            toml::Value::Datetime(time) => time.to_string(),
            other => return Err(de::Error::custom(not_a_time(&other.to_string()))),
        };
        text.parse().map(Self).map_err(|_| de::Error::custom(not_a_time(&text)))
    }
}

fn not_a_time(text: &str) -> String {
    format!("`{text}` is not a time with its zone, such as \"2027-01-01T00:00:00Z\"")
}

fn entry(source: Source<'_>, index: usize, table: Spanned<AccessKeyTable>) -> Result<AccessKeyEntry, IdentityError> {
    let start = table.span().start;
    let table = table.into_inner();
    let member = format!("access_key[{index}]");
    let fault = |offset: usize, name: &str, message: &str| source.at(offset, format!("{member}.{name}"), message);

    if let Some(message) = id_fault(table.id.get_ref()) {
        return Err(fault(table.id.span().start, "id", message));
    }
    let (secret_at, secret) = match (table.secret, table.secret_file, table.secret_env) {
        (Some(text), None, None) => {
            let at = text.span().start;
            if let Some(message) = secret_fault(&text.get_ref().0) {
                return Err(fault(at, "secret", message));
            }
            (at, SecretSource::Inline(text.into_inner().0))
        }
        (None, Some(path), None) => (path.span().start, SecretSource::File(path.into_inner())),
        (None, None, Some(name)) => {
            let at = name.span().start;
            if name.get_ref().is_empty() || name.get_ref().contains(['=', '\0']) {
                return Err(fault(at, "secret_env", "is not the name of an environment variable"));
            }
            (at, SecretSource::Env(name.into_inner()))
        }
        _ => return Err(source.at(start, member, "give exactly one of `secret`, `secret_file` and `secret_env`")),
    };
    let principal_at = table.principal.span().start;
    let principal: Principal =
        table.principal.get_ref().parse().map_err(|error| fault(principal_at, "principal", &format!("{error}")))?;
    let of_session = match &principal {
        Principal::User(_) | Principal::Root(_) => false,
        Principal::Session(_) | Principal::FederatedUser(_) => true,
        Principal::Role(arn) => {
            let message = format!(
                "a role has no access keys; name one of its sessions: arn:{}:sts::{}:assumed-role/{}/SESSION",
                arn.partition(),
                arn.account(),
                principal.name().unwrap_or_default()
            );
            return Err(fault(principal_at, "principal", &message));
        }
        Principal::WebIdentity(_) | Principal::Service(_) | Principal::Anonymous => {
            return Err(fault(
                principal_at,
                "principal",
                "has no access keys; name a user, a root user or a role session",
            ));
        }
    };
    let session_token = match table.session_token {
        None => None,
        Some(token) => {
            if let Some(message) = secret_fault(&token.get_ref().0) {
                return Err(fault(token.span().start, "session_token", message));
            }
            if table.id.get_ref().starts_with("AKIA") {
                let message = "a long-term key (AKIA…) has no session token; remove it, or give the id of a temporary key (ASIA…)";
                return Err(fault(token.span().start, "session_token", message));
            }
            Some(token.into_inner().0)
        }
    };
    if session_token.is_none() {
        if of_session {
            return Err(fault(principal_at, "principal", "a session's key is temporary; give its `session_token`"));
        }
        if table.id.get_ref().starts_with("ASIA") {
            return Err(fault(table.id.span().start, "id", "a temporary key (ASIA…) needs its `session_token`"));
        }
        let temporary_only = [
            ("expires", table.expires.as_ref().map(Spanned::span)),
            ("issued_at", table.issued_at.as_ref().map(Spanned::span)),
            ("mfa_authenticated_at", table.mfa_authenticated_at.as_ref().map(Spanned::span)),
        ];
        for (name, span) in temporary_only {
            if let Some(span) = span {
                return Err(fault(
                    span.start,
                    name,
                    "only a temporary key, one with a `session_token`, has this; remove it",
                ));
            }
        }
    }
    if !of_session {
        let session_only = [
            ("session_policies", table.session_policies.as_ref().map(Spanned::span)),
            ("session_tags", table.session_tags.as_ref().map(Spanned::span)),
        ];
        for (name, span) in session_only {
            if let Some(span) = span {
                return Err(fault(span.start, name, "only a role session or federated user has this; remove it"));
            }
        }
    }
    let session_tags = match table.session_tags {
        None => Vec::new(),
        Some(tags) => {
            let at = tags.span().start;
            let tags: Vec<_> = tags.into_inner().into_iter().collect();
            if let Some(message) = tags_fault(&tags) {
                return Err(fault(at, "session_tags", &message));
            }
            tags
        }
    };
    Ok(AccessKeyEntry {
        file: Arc::clone(source.file()),
        place: source.position(table.id.span().start),
        secret_place: source.position(secret_at),
        member,
        id: table.id.into_inner(),
        secret,
        session_token,
        principal,
        expires: table.expires.map(|time| time.into_inner().0),
        issued_at: table.issued_at.map(|time| time.into_inner().0),
        mfa_authenticated_at: table.mfa_authenticated_at.map(|time| time.into_inner().0),
        session_policies: table
            .session_policies
            .map(Spanned::into_inner)
            .unwrap_or_default()
            .into_iter()
            .map(|path| SessionPolicyEntry { place: source.position(path.span().start), path: path.into_inner() })
            .collect(),
        session_tags,
    })
}

/// What is wrong with a principal's tags, if anything (IAM User Guide, "Rules for tagging in IAM
/// and AWS STS"): keys are told apart without regard to case.
pub(super) fn tags_fault(tags: &[(String, String)]) -> Option<String> {
    let mut seen = std::collections::HashMap::new();
    for (key, value) in tags {
        if !(1..=128).contains(&key.chars().count()) || value.chars().count() > 256 {
            return Some(format!("the tag `{key}` is too long; a key has 1 to 128 characters, a value at most 256"));
        }
        if let Some(other) = seen.insert(key.to_lowercase(), key) {
            return Some(format!("the tag keys `{other}` and `{key}` differ by case only; keep one"));
        }
    }
    (tags.len() > 50).then(|| format!("{} tags are more than the 50 that a principal may have", tags.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error(text: &str) -> String {
        parse_credentials(&"c.toml".into(), text).unwrap_err().to_string()
    }

    const TEMPORARY: &str = r#"
[[access_key]]
id = "ASIAIOSFODNN7EXAMPLE"
secret = "hush"
session_token = "token"
principal = "arn:aws:sts::111122223333:assumed-role/Rotator/nightly"
expires = "2027-01-01T00:00:00Z"
mfa_authenticated_at = 2026-12-31T23:00:00Z
session_policies = ["session.json"]
session_tags = { team = "security" }
"#;

    #[test]
    fn a_temporary_key_has_a_token_and_what_belongs_to_its_session() {
        let entries = parse_credentials(&"c.toml".into(), TEMPORARY).unwrap();
        let entry = &entries[0];
        assert_eq!(entry.place, (3, 6));
        assert_eq!(entry.session_token.as_deref().map(String::as_str), Some("token"));
        assert_eq!(entry.expires.unwrap().to_string(), "2027-01-01T00:00:00Z");
        assert_eq!(entry.mfa_authenticated_at.unwrap().to_string(), "2026-12-31T23:00:00Z");
        assert_eq!(entry.session_policies[0].path.to_str(), Some("session.json"));
        assert_eq!(entry.session_tags, [("team".to_owned(), "security".to_owned())]);
        assert!(!format!("{entry:?}").contains("hush"));
    }

    #[test]
    fn each_fault_is_named_with_its_place_and_no_secret_is_repeated() {
        let key = |rest: &str| format!("[[access_key]]\n{rest}\n");
        let user = "principal = \"arn:aws:iam::111122223333:user/alice\"";
        let session = "principal = \"arn:aws:sts::111122223333:assumed-role/R/s\"";
        let long = "id = \"AKIAIOSFODNN7EXAMPLE\"";
        let short = "id = \"ASIAIOSFODNN7EXAMPLE\"";
        let table = [
            ("acess_key = 1".to_owned(), "c.toml:1:1: acess_key: unknown field `acess_key`"),
            (
                key(&format!("{long}\nsecret = \"x\"\n{user}\nrole = 1")),
                "c.toml:5:1: access_key[0].role: unknown field `role`",
            ),
            (key(&format!("{long}\nsecret = \"x\"")), "c.toml:1:1: access_key[0]: missing field `principal`"),
            (
                key(&format!("{long}\nsecret = 123456\n{user}")),
                "c.toml:3:10: access_key[0].secret: expected text in quotation marks",
            ),
            (
                key(&format!("{long}\nsecret = \"hu sh\"\n{user}")),
                "c.toml:3:10: access_key[0].secret: holds white space",
            ),
            (
                key(&format!("id = \"short\"\nsecret = \"x\"\n{user}")),
                "c.toml:2:6: access_key[0].id: an access key id is 16 to 128",
            ),
            (key(&format!("{long}\n{user}")), "c.toml:1:1: access_key[0]: give exactly one of `secret`"),
            (
                key(&format!("{long}\nsecret = \"x\"\nsecret_env = \"X\"\n{user}")),
                "c.toml:1:1: access_key[0]: give exactly one of `secret`",
            ),
            (
                key(&format!("{long}\nsecret_env = \"\"\n{user}")),
                "c.toml:3:14: access_key[0].secret_env: is not the name",
            ),
            (
                key(&format!("{long}\nsecret = \"x\"\nprincipal = \"alice\"")),
                "c.toml:4:13: access_key[0].principal: `alice` is not a principal",
            ),
            (
                key(&format!("{long}\nsecret = \"x\"\nprincipal = \"arn:aws:iam::111122223333:role/R\"")),
                "c.toml:4:13: access_key[0].principal: a role has no access keys; name one of its sessions: arn:aws:sts::111122223333:assumed-role/R/SESSION",
            ),
            (
                key(&format!("{long}\nsecret = \"x\"\nprincipal = \"s3.amazonaws.com\"")),
                "c.toml:4:13: access_key[0].principal: has no access keys",
            ),
            (
                key(&format!("{long}\nsecret = \"x\"\n{session}")),
                "c.toml:4:13: access_key[0].principal: a session's key is temporary; give its",
            ),
            (
                key(&format!("{long}\nsecret = \"x\"\nsession_token = \"t\"\n{user}")),
                "c.toml:4:17: access_key[0].session_token: a long-term key (AKIA…) has no",
            ),
            (
                key(&format!("{short}\nsecret = \"x\"\n{user}")),
                "c.toml:2:6: access_key[0].id: a temporary key (ASIA…) needs its `session_token`",
            ),
            (
                key(&format!("{long}\nsecret = \"x\"\n{user}\nexpires = \"2027-01-01T00:00:00Z\"")),
                "c.toml:5:11: access_key[0].expires: only a temporary key",
            ),
            (
                key(&format!("{short}\nsecret = \"x\"\nsession_token = \"t\"\n{session}\nexpires = \"soon\"")),
                "c.toml:6:11: access_key[0].expires: `soon` is not a time",
            ),
            (
                key(&format!("{long}\nsecret = \"x\"\n{user}\nsession_policies = [\"a\"]")),
                "c.toml:5:20: access_key[0].session_policies: only a role session",
            ),
            (
                key(&format!(
                    "{short}\nsecret = \"x\"\nsession_token = \"t\"\n{session}\nsession_tags = {{ T = \"1\", t = \"2\" }}"
                )),
                "c.toml:6:16: access_key[0].session_tags: the tag keys `T` and `t` differ by case only",
            ),
            ("[[access_key]".to_owned(), "c.toml:1:"),
        ];
        let wrong: Vec<_> = table
            .into_iter()
            .filter_map(|(text, expected)| {
                let found = error(&text);
                let leaks = found.contains("hu sh") || found.contains("123456");
                (!found.starts_with(expected) || leaks).then(|| format!("expected {expected}\n   found {found}"))
            })
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn a_key_is_appended_and_the_text_before_it_stays() {
        let key = NewAccessKey::generate().unwrap();
        let principal = "arn:aws:iam::111122223333:user/alice".parse().unwrap();
        for before in ["", "# mine\n", "# no newline", TEMPORARY] {
            let after = append_access_key(&"c.toml".into(), before, &key, &principal).unwrap();
            assert!(after.starts_with(before));
            let entries = parse_credentials(&"c.toml".into(), &after).unwrap();
            assert_eq!(entries.last().unwrap().id, key.id);
        }
        assert!(append_access_key(&"c.toml".into(), "access_key = []\n", &key, &principal).is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics_the_reader(cut in 0usize..400, text in ".{0,60}") {
            let _ = parse_credentials(&"c.toml".into(), &text);
            let cut: String = TEMPORARY.chars().take(cut).collect();
            let _ = parse_credentials(&"c.toml".into(), &format!("{cut}{text}"));
        }
    }
}
