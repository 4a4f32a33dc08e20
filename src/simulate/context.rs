//! The member `context` of a case.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::fault::Problem;
use super::members::{Member, text};
use crate::aws::{ConditionKey, ContextValue, catalogue};

/// Condition keys as a case gives them, in its spelling.
#[derive(Clone, Debug, Default)]
pub(super) struct Given(pub(super) Vec<(String, ContextValue<'static>)>);

impl Given {
    /// Reads an object of strings, numbers, booleans, lists of these, and nulls. A null, as an
    /// empty list, says that the request does not have the key, also where it would be filled in.
    pub(super) fn read(member: &Member<'_>) -> Result<Self, Problem> {
        if !member.json.starts_with('{') {
            return Err(member.problem("context: write an object of condition keys and their values"));
        }
        let Entries(entries) =
            serde_json::from_str(&member.json).map_err(|error| member.json_problem("context", &error))?;
        let mut given: Vec<(String, ContextValue<'static>)> = Vec::with_capacity(entries.len());
        for (name, raw) in entries {
            let place = member.part(raw.get());
            if !name.split_once(':').is_some_and(|(service, key)| !service.is_empty() && !key.is_empty()) {
                return Err(place.problem(format!(
                    "context: `{name}` is not a condition key: write it with its service, such as `aws:SourceIp`"
                )));
            }
            if given.iter().any(|(known, _)| *known == name) {
                return Err(place.problem(format!("context: `{name}` is given twice: keep one")));
            }
            // Tags and the pairs of an encryption context may differ by case alone, and no decision
            // is made on what they leave open.
            let is_pair = name.contains('/') || name.matches(':').count() > 1;
            if let Some((known, _)) = given.iter().find(|(known, _)| !is_pair && known.eq_ignore_ascii_case(&name)) {
                return Err(place.problem(format!("context: `{name}` is `{known}` once more: keep one")));
            }
            let value = value(&name, &place)?;
            given.push((name.into_owned(), value));
        }
        Ok(Self(given))
    }

    /// These, and those of `defaults` whose keys are not among them.
    pub(super) fn or(mut self, defaults: &Self) -> Self {
        let own = self.0.len();
        for (name, value) in &defaults.0 {
            if !self.0[..own].iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                self.0.push((name.clone(), value.clone()));
            }
        }
        self
    }

    /// The value of the key of that lower-case name; none where it is not given.
    pub(super) fn get(&self, name: &str) -> Option<&ContextValue<'static>> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

fn value(name: &str, place: &Member<'_>) -> Result<ContextValue<'static>, Problem> {
    let json = &*place.json;
    if json.starts_with('[') {
        let scalar = |item: Member<'_>| match scalar(&item.json) {
            Some(ContextValue::Many(_)) | None => {
                Err(item.problem(format!("context: `{name}`: write strings, numbers or booleans in its list")))
            }
            Some(value) => Ok(value.texts().into_iter().next().unwrap_or_default().into_owned().into()),
        };
        let items = place.items("context", "values")?;
        return Ok(ContextValue::Many(items.into_iter().map(scalar).collect::<Result<_, _>>()?));
    }
    let value = scalar(json).ok_or_else(|| {
        place.problem(format!("context: `{name}`: write a string, a number, a boolean, a list of these, or null"))
    })?;
    let key = ConditionKey::new(name);
    let is_multivalued = catalogue::condition_key(key.as_str()).is_some_and(|info| info.multivalued);
    Ok(match value {
        ContextValue::Many(_) => value,
        // One value of a key that can have several is a set of one.
        value if is_multivalued => {
            ContextValue::Many(value.texts().into_iter().map(|text| Cow::Owned(text.into_owned())).collect())
        }
        value => value,
    })
}

/// A string, a number or a boolean; null is a set without values. None for anything else.
fn scalar(json: &str) -> Option<ContextValue<'static>> {
    match json.as_bytes().first()? {
        b'"' => Some(ContextValue::Text(Cow::Owned(text(json)?.into_owned()))),
        b't' => Some(ContextValue::Bool(true)),
        b'f' => Some(ContextValue::Bool(false)),
        b'n' => Some(ContextValue::Many(Vec::new())),
        b'[' | b'{' => None,
        // A number that is no plain integer keeps its text: conditions compare it exactly.
        _ => Some(match json.parse() {
            Ok(number) => ContextValue::Number(number),
            Err(_) => ContextValue::Text(Cow::Owned(json.to_owned())),
        }),
    }
}

/// Every entry in order, repeated names included.
struct Entries<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((name, raw)) = access.next_entry::<String, &'de RawValue>()? {
                    entries.push((Cow::Owned(name), raw));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Given, Problem> {
        Given::read(&Member { json: json.into(), offset: 100, verbatim: true })
    }

    #[test]
    fn values_of_every_kind_are_read() {
        let given = read(
            r#"{"aws:username": "é\"", "kms:RotationPeriodInDays": 180, "my:n": 1.50, "aws:SecureTransport": true,
                "aws:TagKeys": ["a", 1, false], "kms:GrantOperations": "Decrypt", "aws:SourceIp": null, "my:e": []}"#,
        )
        .unwrap();
        let many = |texts: &[&str]| ContextValue::Many(texts.iter().map(|text| (*text).to_owned().into()).collect());
        assert_eq!(given.get("aws:username"), Some(&ContextValue::Text("é\"".into())));
        assert_eq!(given.get("kms:rotationperiodindays"), Some(&ContextValue::Number(180)));
        assert_eq!(given.get("my:n"), Some(&ContextValue::Text("1.50".into())));
        assert_eq!(given.get("aws:securetransport"), Some(&ContextValue::Bool(true)));
        assert_eq!(given.get("aws:tagkeys"), Some(&many(&["a", "1", "false"])));
        assert_eq!(given.get("kms:grantoperations"), Some(&many(&["Decrypt"])));
        assert_eq!(given.get("aws:sourceip"), Some(&many(&[])));
        assert_eq!(given.get("my:e"), Some(&many(&[])));
    }

    #[test]
    fn anything_else_is_refused_with_its_place() {
        for (json, offset) in [
            ("[]", 100),
            (r#"{"aws:username": {"a": 1}}"#, 117),
            (r#"{"aws:TagKeys": ["a", null]}"#, 122),
            (r#"{"aws:TagKeys": [["a"]]}"#, 117),
            (r#"{"username": "a"}"#, 113),
            (r#"{":a": "a"}"#, 107),
            (r#"{"a:b": 1, "a:b": 2}"#, 118),
            (r#"{"a:b": 1, "A:B": 2}"#, 118),
        ] {
            assert_eq!(read(json).unwrap_err().offset, offset, "{json}");
        }
        for pairs in [r#"{"a:b/c": 1, "a:b/C": 2}"#, r#"{"a:b:c": 1, "a:b:C": 2}"#] {
            assert!(read(pairs).is_ok(), "ambiguous pairs are decided, and denied: {pairs}");
        }
    }

    #[test]
    fn a_cases_own_key_beats_the_shared_one_in_any_case() {
        let shared = read(r#"{"aws:SecureTransport": true, "aws:username": "bob"}"#).unwrap();
        let merged = read(r#"{"AWS:UserName": "alice"}"#).unwrap().or(&shared);
        assert_eq!(merged.get("aws:username"), Some(&ContextValue::Text("alice".into())));
        assert_eq!(merged.0.len(), 2);
    }
}
