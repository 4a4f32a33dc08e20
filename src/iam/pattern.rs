use std::borrow::Cow;
use std::fmt;

use crate::aws::{Arn, ConditionKey};

use super::Version;
use super::wildcard::{Piece, glob};

/// Text with wildcards and, in documents of version 2012-10-17, policy variables.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// Adjacent literals are joined.
    pub parts: Vec<Part>,
}

/// One piece of a [`Pattern`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Text that stands for itself; also what `${*}`, `${?}` and `${$}` give.
    Literal(String),
    /// `*`: any text, also none.
    Star,
    /// `?`: one UTF-16 unit.
    Question,
    /// `${key}` or `${key, 'default'}`; its value is literal text.
    Variable {
        /// The condition key that it names.
        key: ConditionKey,
        /// What it stands for when the key is absent.
        default: Option<String>,
    },
}

/// What a policy variable stands for in one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable<'a> {
    /// The key's single value; an empty text is a value.
    Value(Cow<'a, str>),
    /// The request does not give the key: the variable's default holds, if it has one.
    Absent,
    /// The key is multivalued and present: the variable does not resolve, default or not.
    Multivalued,
}

/// Why a text is no pattern, action or resource; says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidPattern(pub(super) String);

impl Pattern {
    /// Reads text in which `*` and `?` are wildcards.
    ///
    /// # Errors
    /// In version 2012-10-17, a malformed `${…}`. AWS's answer to those is not documented; they
    /// are refused, since a variable that never resolves would silently disarm a Deny.
    pub fn with_wildcards(text: &str, version: Version) -> Result<Self, InvalidPattern> {
        Self::read(text, version, true)
    }

    /// Reads text in which `*` and `?` stand for themselves.
    ///
    /// # Errors
    /// As [`Pattern::with_wildcards`].
    pub fn without_wildcards(text: &str, version: Version) -> Result<Self, InvalidPattern> {
        Self::read(text, version, false)
    }

    /// Text that stands for itself.
    #[must_use]
    pub fn literal(text: &str) -> Self {
        let mut pattern = Self { parts: Vec::new() };
        pattern.push_literal(text);
        pattern
    }

    /// The text, where the pattern has neither wildcards nor variables.
    #[must_use]
    pub fn as_literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The keys that its variables name, in order.
    pub fn variables(&self) -> impl Iterator<Item = &ConditionKey> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable { key, .. } => Some(key),
            _ => None,
        })
    }

    /// Whether it has a policy variable.
    #[must_use]
    pub fn has_variables(&self) -> bool {
        self.variables().next().is_some()
    }

    /// The pattern with each variable replaced by its literal value; none where one does not
    /// resolve. Allocates only where there are variables.
    pub fn bind<'v>(&self, resolve: &dyn Fn(&ConditionKey) -> Variable<'v>) -> Option<Cow<'_, Self>> {
        if !self.has_variables() {
            return Some(Cow::Borrowed(self));
        }
        let mut bound = Self { parts: Vec::with_capacity(self.parts.len()) };
        for part in &self.parts {
            match part {
                Part::Literal(text) => bound.push_literal(text),
                Part::Star | Part::Question => bound.parts.push(part.clone()),
                Part::Variable { key, default } => match (resolve(key), default) {
                    (Variable::Value(value), _) => bound.push_literal(&value),
                    (Variable::Absent, Some(default)) => bound.push_literal(default),
                    (Variable::Absent, None) | (Variable::Multivalued, _) => return None,
                },
            }
        }
        Some(Cow::Owned(bound))
    }

    /// Whether the text matches, case-sensitive; false where a variable does not resolve.
    #[must_use]
    pub fn matches<'v>(&self, text: &str, resolve: &dyn Fn(&ConditionKey) -> Variable<'v>) -> bool {
        self.bind(resolve).is_some_and(|bound| bound.matches_bound(text))
    }

    /// Whether the text matches a pattern without variables (with one: false).
    pub(super) fn matches_bound(&self, text: &str) -> bool {
        if let Some(literal) = self.as_literal() {
            return literal == text;
        }
        // Only `?` sees the difference between bytes and UTF-16 units, and only in text beyond ASCII.
        if text.is_ascii() || !self.parts.contains(&Part::Question) {
            return glob(self.parts.len(), |at| self.bytes(at), text.as_bytes(), |left, right| left == right);
        }
        let units: Vec<u16> = text.encode_utf16().collect();
        let literals: Vec<Vec<u16>> = self
            .parts
            .iter()
            .map(|part| if let Part::Literal(text) = part { text.encode_utf16().collect() } else { Vec::new() })
            .collect();
        let piece = |at: usize| match &self.parts[at] {
            Part::Literal(_) => Piece::Text(&literals[at]),
            Part::Star => Piece::Star,
            Part::Question => Piece::Question,
            Part::Variable { .. } => Piece::Never,
        };
        glob(self.parts.len(), piece, &units, |left, right| left == right)
    }

    fn matches_ignoring_ascii_case(&self, text: &str) -> bool {
        glob(self.parts.len(), |at| self.bytes(at), text.as_bytes(), <[u8]>::eq_ignore_ascii_case)
    }

    fn bytes(&self, at: usize) -> Piece<'_, u8> {
        match &self.parts[at] {
            Part::Literal(text) => Piece::Text(text.as_bytes()),
            Part::Star => Piece::Star,
            Part::Question => Piece::Question,
            Part::Variable { .. } => Piece::Never,
        }
    }

    fn read(text: &str, version: Version, wildcards: bool) -> Result<Self, InvalidPattern> {
        let mut pattern = Self { parts: Vec::new() };
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if version == Version::V2012 && rest.starts_with("${") {
                let (part, after) = variable(rest)?;
                match part {
                    Part::Literal(character) => pattern.push_literal(&character),
                    part => pattern.parts.push(part),
                }
                rest = after;
                continue;
            }
            match first {
                '*' if wildcards => pattern.parts.push(Part::Star),
                '?' if wildcards => pattern.parts.push(Part::Question),
                _ => pattern.push_literal(&rest[..first.len_utf8()]),
            }
            rest = &rest[first.len_utf8()..];
        }
        Ok(pattern)
    }

    fn push_literal(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if let Some(Part::Literal(last)) = self.parts.last_mut() {
            last.push_str(text);
        } else {
            self.parts.push(Part::Literal(text.to_owned()));
        }
    }

    /// Splits at the first `count - 1` colons that stand in literal text; none where there are fewer.
    pub(super) fn split_at_colons(&self, count: usize) -> Option<Vec<Self>> {
        let mut pieces = vec![Self { parts: Vec::new() }];
        for part in &self.parts {
            let Part::Literal(text) = part else {
                pieces.last_mut()?.parts.push(part.clone());
                continue;
            };
            let mut rest = text.as_str();
            while pieces.len() < count {
                let Some((left, right)) = rest.split_once(':') else { break };
                pieces.last_mut()?.push_literal(left);
                pieces.push(Self { parts: Vec::new() });
                rest = right;
            }
            pieces.last_mut()?.push_literal(rest);
        }
        (pieces.len() == count).then_some(pieces)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.parts).finish()
    }
}

/// Reads one `${…}` at the start of the text; gives the rest.
fn variable(text: &str) -> Result<(Part, &str), InvalidPattern> {
    const HOW: &str = "write `${key}`, `${key, 'default'}`, or `${*}`, `${?}`, `${$}` for the characters themselves";
    let malformed = |what: &str| InvalidPattern(format!("malformed policy variable ({what}): {HOW}"));
    let body = &text[2..];
    for character in ["*", "?", "$"] {
        if let Some(after) = body.strip_prefix(character).and_then(|rest| rest.strip_prefix('}')) {
            return Ok((Part::Literal(character.to_owned()), after));
        }
    }
    let end = body.find(['}', ',']).ok_or_else(|| malformed("no closing brace"))?;
    let key = body[..end].trim();
    if key.is_empty() {
        return Err(malformed("no key"));
    }
    if key.contains(['$', '{', '*', '?', '\'', '"']) {
        return Err(malformed("not a condition key's name"));
    }
    let key = ConditionKey::new(key);
    if body[end..].starts_with('}') {
        return Ok((Part::Variable { key, default: None }, &body[end + 1..]));
    }
    let quoted = body[end + 1..]
        .trim_start()
        .strip_prefix('\'')
        .ok_or_else(|| malformed("the default is not in single quotes"))?;
    let (default, after) = quoted.split_once('\'').ok_or_else(|| malformed("the default's quote is not closed"))?;
    let after = after.trim_start().strip_prefix('}').ok_or_else(|| malformed("no closing brace"))?;
    Ok((Part::Variable { key, default: Some(default.to_owned()) }, after))
}

/// `kms:Describe*`: both parts case-insensitive, held in lower case, with `*` and `?`.
/// The bare `*` is `*:*`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ActionPattern {
    /// As the document spells it.
    pub text: String,
    /// Lower case.
    pub service: Pattern,
    /// Lower case.
    pub name: Pattern,
}

impl ActionPattern {
    /// Reads `service:Name` or `*`.
    ///
    /// # Errors
    /// Any other shape, and characters that no action has.
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        let star = || Pattern { parts: vec![Part::Star] };
        if text == "*" {
            return Ok(Self { text: text.to_owned(), service: star(), name: star() });
        }
        let invalid = || {
            InvalidPattern(format!(
                "`{text}` is not an action: write `service:Action` such as `kms:Decrypt`, with `*` and `?` as wildcards, or `*`"
            ))
        };
        let (service, name) = text.split_once(':').ok_or_else(invalid)?;
        let word = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.*?".contains(&byte))
        };
        if !word(service) || !word(name) {
            return Err(invalid());
        }
        let lower = |part: &str| Pattern::with_wildcards(&part.to_ascii_lowercase(), Version::V2008);
        Ok(Self { text: text.to_owned(), service: lower(service)?, name: lower(name)? })
    }

    /// Whether its service is `*`.
    pub(super) fn is_of_every_service(&self) -> bool {
        !self.service.parts.is_empty() && self.service.parts.iter().all(|part| *part == Part::Star)
    }

    /// Whether the action of that service and name, in any case, is one of these.
    #[must_use]
    pub fn matches(&self, service: &str, name: &str) -> bool {
        self.service.matches_ignoring_ascii_case(service) && self.name.matches_ignoring_ascii_case(name)
    }
}

/// One entry of a Resource element.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ResourcePattern {
    /// `*`: in a key policy, the key that bears it.
    Any,
    /// An ARN whose wildcards stay within each of its first five segments; variables in the
    /// resource part only. That part may be empty, as in AWS's own policies
    /// (AmazonDevOpsGuruOrganizationsAccess): no resource is such.
    Arn {
        /// As the document spells it.
        text: String,
        /// Partition, service, region, account, resource.
        segments: [Pattern; 5],
    },
}

impl ResourcePattern {
    /// Reads an ARN with wildcards and variables, or `*`.
    ///
    /// # Errors
    /// Fewer than six components, a wildcard in the service, a variable before the fifth colon.
    pub fn parse(text: &str, version: Version) -> Result<Self, InvalidPattern> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let pieces: Vec<&str> = text.splitn(6, ':').collect();
        let [scheme, partition, service, region, account, resource] = pieces.as_slice() else {
            return Err(InvalidPattern(format!(
                "`{text}` is not a resource: write an ARN of six components, arn:partition:service:region:account:resource, or `*`"
            )));
        };
        let refuse = |what: &str| Err(InvalidPattern(format!("`{text}` is not a resource: {what}")));
        if *scheme != "arn" || partition.is_empty() || service.is_empty() {
            return refuse("write an ARN of six components, arn:partition:service:region:account:resource, or `*`");
        }
        if version == Version::V2012 && pieces[..5].iter().any(|piece| piece.contains("${")) {
            return refuse("policy variables stand only after the fifth colon of an ARN");
        }
        if service.contains(['*', '?']) {
            return refuse("the service segment of an ARN takes no wildcards; name the service");
        }
        let fixed = |piece: &str| Pattern::with_wildcards(piece, Version::V2008);
        Ok(Self::Arn {
            text: text.to_owned(),
            segments: [
                fixed(partition)?,
                fixed(service)?,
                fixed(region)?,
                fixed(account)?,
                Pattern::with_wildcards(resource, version)?,
            ],
        })
    }

    /// As the document spells it.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Any => "*",
            Self::Arn { text, .. } => text,
        }
    }

    /// Whether the resource is one of these, segment by segment, case-sensitive; a variable that
    /// does not resolve matches no resource.
    #[must_use]
    pub fn matches<'v>(&self, arn: &Arn, resolve: &dyn Fn(&ConditionKey) -> Variable<'v>) -> bool {
        match self {
            Self::Any => true,
            Self::Arn { segments: [partition, service, region, account, resource], .. } => {
                partition.matches_bound(arn.partition())
                    && service.matches_bound(arn.service())
                    && region.matches_bound(arn.region())
                    && account.matches_bound(arn.account())
                    && resource.matches(arn.resource(), resolve)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(_: &ConditionKey) -> Variable<'static> {
        Variable::Absent
    }

    fn like(pattern: &str, text: &str) -> bool {
        Pattern::with_wildcards(pattern, Version::V2012).unwrap().matches(text, &none)
    }

    #[test]
    fn wildcards_match_any_text_and_one_utf16_unit() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "a:b/c", true),
            ("**", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abbd", false),
            ("a*b*c", "a__b__c", true),
            ("*ab", "aab", true),
            ("*aab", "aaaab", true),
            ("a?", "a", false),
            ("a?", "ab", true),
            ("a?", "aé", true),
            ("?", "😀", false),
            ("??", "😀", true),
            ("*?", "😀", true),
            ("???", "😀", false),
            ("[ab]", "a", false),
            ("[ab]", "[ab]", true),
            ("a\\*", "a\\xyz", true),
            ("a\\*", "a*", false),
            ("A", "a", false),
            ("${*}${?}${$}", "*?$", true),
            ("${*}", "x", false),
            ("a${", "a${", false),
        ] {
            let found = Pattern::with_wildcards(pattern, Version::V2012).is_ok_and(|p| p.matches(text, &none));
            assert_eq!(found, expected, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_do_not_blow_up() {
        assert!(!like(&"a*".repeat(100), &"a".repeat(5000).replace("aaaaa", "aaaab").repeat(2).replace('a', "b")));
        assert!(!like(&format!("{}c", "*a".repeat(60)), &"a".repeat(2000)));
    }

    #[test]
    fn variables_are_text_in_2008_and_resolve_in_2012() {
        let resolve = |key: &ConditionKey| match key.as_str() {
            "aws:username" => Variable::Value("a*b".into()),
            "empty" => Variable::Value("".into()),
            "many" => Variable::Multivalued,
            _ => Variable::Absent,
        };
        for (pattern, text, expected) in [
            ("home/${aws:username}", "home/a*b", true),
            ("home/${AWS:UserName}/*", "home/a*b/x", true),
            ("home/${aws:username}", "home/axb", false),
            ("${gone}", "", false),
            ("*${gone}", "x", false),
            ("${gone, 'd*'}", "d*", true),
            ("${gone, 'd*'}", "dx", false),
            ("${gone,''}x", "x", true),
            ("${empty, 'd'}x", "x", true),
            ("${many, 'd'}", "d", false),
        ] {
            let compiled = Pattern::with_wildcards(pattern, Version::V2012).unwrap();
            assert_eq!(compiled.matches(text, &resolve), expected, "{pattern} {text}");
        }
        let literal = Pattern::with_wildcards("${aws:username}", Version::V2008).unwrap();
        assert!(literal.matches("${aws:username}", &resolve));
        assert!(!literal.matches("a*b", &resolve));
        for bad in ["${", "${a", "${}", "${ }", "${a,}", "${a,'b}", "${a,'b'", "${a,b}", "${a${b}}", "${a*}"] {
            assert!(Pattern::with_wildcards(bad, Version::V2012).is_err(), "{bad}");
            assert!(Pattern::with_wildcards(bad, Version::V2008).is_ok(), "{bad}");
        }
    }

    #[test]
    fn actions_ignore_case() {
        for (pattern, action, expected) in [
            ("*", ("kms", "Decrypt"), true),
            ("*:*", ("kms", "Decrypt"), true),
            ("KMS:decrypt", ("kms", "Decrypt"), true),
            ("kms:Describe*", ("kms", "DescribeKey"), true),
            ("kms:?ecrypt", ("kms", "Decrypt"), true),
            ("k*:Decrypt", ("kms", "Decrypt"), true),
            ("kms:ReEncrypt*", ("kms", "ReEncryptFrom"), true),
            ("kms:Decrypt", ("kms", "DecryptX"), false),
            ("s3:*", ("kms", "Decrypt"), false),
        ] {
            assert_eq!(ActionPattern::parse(pattern).unwrap().matches(action.0, action.1), expected, "{pattern}");
        }
        for bad in ["", "kms", "kms:", ":x", "a:b:c", "kms:De crypt", "kms:${a}", "**"] {
            assert!(ActionPattern::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn resource_wildcards_stay_within_their_segments() {
        let arn: Arn = "arn:aws:kms:us-east-1:111122223333:key/a:b/c".parse().unwrap();
        for (pattern, expected) in [
            ("*", true),
            ("arn:aws:kms:us-east-1:111122223333:key/a:b/c", true),
            ("arn:aws:kms:*:*:*", true),
            ("arn:*:kms:us-*-1:1111????3333:key/*", true),
            ("arn:aws:kms:us-east-1:111122223333:*c", true),
            ("arn:aws:kms:us-east-1:*:b/c", false),
            ("arn:aws:kms::111122223333:key/*", false),
            ("arn:aws:KMS:*:*:*", false),
            ("arn:aws:kms:us-east-1:111122223333:KEY/*", false),
            ("arn:aws:kms:us-east-1:111122223333:key/${gone}", false),
            ("arn:aws:kms:us-east-1:111122223333:*${gone}", false),
            ("arn:aws:kms:us-east-1:111122223333:", false),
        ] {
            assert_eq!(
                ResourcePattern::parse(pattern, Version::V2012).unwrap().matches(&arn, &none),
                expected,
                "{pattern}"
            );
        }
        for bad in [
            "",
            "**",
            "key/*",
            "arn:*",
            "arn:aws:kms:*",
            "arn:aws:k*:r:a:x",
            "arn:aws:k?s:r:a:x",
            "arn:aws:kms:${aws:r}:a:x",
            "urn:aws:kms:r:a:x",
        ] {
            assert!(ResourcePattern::parse(bad, Version::V2012).is_err(), "{bad}");
        }
    }
}
