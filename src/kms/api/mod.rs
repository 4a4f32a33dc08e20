//! The published service model: which operations KMS has, and what their requests may hold.

mod facts;

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

#[cfg(test)]
pub(super) use facts::FACTS;
pub use facts::Kind;
pub(super) use facts::{KeyIds, States};

/// Structure of AWS KMS, API version 2014-11-01.
const MODEL: &str = include_str!("kms-2014-11-01.json");

/// The model's operations, by name.
static OPERATIONS: LazyLock<HashMap<String, Modelled>> = LazyLock::new(|| load(MODEL).unwrap_or_default());

/// What the model says of an operation.
struct Modelled {
    input: Shape,
    errors: Vec<String>,
}

/// The input shape of an operation, resolved; an operation without input takes an empty structure.
pub(super) fn input(operation: &str) -> Option<&'static Shape> {
    OPERATIONS.get(operation).map(|modelled| &modelled.input)
}

/// The errors that the model lists for an operation, in its order; none for a name that KMS does
/// not have. Errors common to all operations, such as `AccessDeniedException`, are not among them.
#[must_use]
pub fn operation_errors(operation: &str) -> &'static [String] {
    OPERATIONS.get(operation).map_or(&[], |modelled| &modelled.errors)
}

/// The operations' names, sorted.
static NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let mut names: Vec<&'static str> = OPERATIONS.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
});

/// The names of all operations of the KMS API, sorted.
#[must_use]
pub fn operation_names() -> &'static [&'static str] {
    &NAMES
}

/// Whether an operation changes what is stored.
#[must_use]
pub fn is_mutation(operation: &str) -> bool {
    Kind::named(operation).is_some_and(|kind| kind.facts().mutation)
}

/// Tells whether a text is of a pattern.
type Matcher = fn(&str) -> bool;

/// What a member may hold.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) kind: ShapeKind,
    /// Smallest length or value.
    pub(super) min: Option<i64>,
    /// Largest length or value.
    pub(super) max: Option<i64>,
    /// The pattern's text, and what tells whether a value is of it.
    pub(super) pattern: Option<(String, Matcher)>,
    /// The only values; empty where any will do.
    pub(super) values: Vec<String>,
    /// Whether no error may show the value.
    pub(super) sensitive: bool,
}

#[derive(Debug)]
pub(super) enum ShapeKind {
    String,
    Blob,
    Integer,
    Boolean,
    Timestamp,
    List(Box<Shape>),
    Map(Box<Shape>),
    Structure(Vec<Member>),
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) required: bool,
    pub(super) shape: Shape,
}

impl Member {
    /// The name as validation errors spell it: `keyId` for `KeyId`.
    pub(super) fn camel(&self) -> String {
        camel(&self.name)
    }
}

/// `KeyId` as AWS spells it in validation errors and CloudTrail: `keyId`.
pub(super) fn camel(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_ascii_lowercase().to_string() + chars.as_str())
}

/// The model's patterns, each with what it says in Rust. A test holds the table to the model.
const PATTERNS: &[(&str, Matcher)] = &[
    ("[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+", |text| {
        !text.is_empty() && text.chars().all(|c| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}'))
    }),
    ("[\\u0020-\\u00FF]*", |text| text.chars().all(|c| matches!(c, '\u{20}'..='\u{ff}'))),
    ("^[a-zA-Z0-9:/_-]+$", |text| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b":/_-".contains(&b))
    }),
    ("[\\w]+", |text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')),
    ("^[\\w+=,.@:/-]+$", |text| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&b))
    }),
    ("^([a-z]+-){2,3}\\d+$", is_region),
    ("^[a-zA-Z0-9-_.]+$", |text| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    }),
    ("^[a-zA-Z0-9:/_\\s.-]+$", |text| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b":/_.-".contains(&b) || b" \t\n\x0b\x0c\r".contains(&b))
    }),
    ("[0-9]{12}", |text| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())),
    ("^[A-Z2-7]+$", |text| !text.is_empty() && text.bytes().all(|b| matches!(b, b'A'..=b'Z' | b'2'..=b'7'))),
    ("^[a-zA-Z0-9\\/+=]+$", |text| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/+=".contains(&b))
    }),
    ("^https://[a-zA-Z0-9.-]+$", |text| text.strip_prefix("https://").is_some_and(is_host)),
    ("^(/[a-zA-Z0-9\\/_-]+/kms/xks/v\\d{1,2})$|^(/kms/xks/v\\d{1,2})$", |text| {
        let Some((prefix, version)) = text.rsplit_once("/kms/xks/v") else { return false };
        let is_prefix = prefix.is_empty()
            || prefix.strip_prefix('/').is_some_and(|rest| {
                !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_-".contains(&b))
            });
        is_prefix && matches!(version.len(), 1 | 2) && version.bytes().all(|b| b.is_ascii_digit())
    }),
    ("cluster-[2-7a-zA-Z]{11,16}", |text| {
        text.strip_prefix("cluster-").is_some_and(|id| {
            matches!(id.len(), 11..=16) && id.bytes().all(|b| b.is_ascii_alphabetic() || matches!(b, b'2'..=b'7'))
        })
    }),
    ("^(com|eu)\\.amazonaws\\.vpce\\.([a-z]+-){2,3}\\d+\\.vpce-svc-[0-9a-z]+$", |text| {
        let rest = text.strip_prefix("com.").or_else(|| text.strip_prefix("eu."));
        let parts = rest.and_then(|rest| rest.strip_prefix("amazonaws.vpce."));
        parts.and_then(|parts| parts.split_once(".vpce-svc-")).is_some_and(|(region, id)| {
            is_region(region) && !id.is_empty() && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'z'))
        })
    }),
    ("^[a-f0-9]+$", |text| !text.is_empty() && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))),
];

/// Two or three words and a number, as Regions are named.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_all = |part: &str, of: fn(&u8) -> bool| !part.is_empty() && part.as_bytes().iter().all(of);
    parts.split_last().is_some_and(|(number, words)| {
        matches!(words.len(), 2 | 3)
            && is_all(number, u8::is_ascii_digit)
            && words.iter().all(|word| is_all(word, u8::is_ascii_lowercase))
    })
}

fn is_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b))
}

#[derive(Deserialize)]
struct RawModel {
    operations: HashMap<String, RawOperation>,
    shapes: HashMap<String, RawShape>,
}

#[derive(Deserialize)]
struct RawOperation {
    input: Option<String>,
    #[serde(default)]
    errors: Vec<String>,
}

#[derive(Deserialize)]
struct RawShape {
    r#type: String,
    min: Option<i64>,
    max: Option<i64>,
    pattern: Option<String>,
    #[serde(default, rename = "enum")]
    values: Vec<String>,
    #[serde(default)]
    sensitive: bool,
    member: Option<String>,
    #[cfg(test)]
    key: Option<String>,
    value: Option<String>,
    #[serde(default)]
    members: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    required: Vec<String>,
}

fn load(text: &str) -> Option<HashMap<String, Modelled>> {
    let model: RawModel = serde_json::from_str(text).ok()?;
    model
        .operations
        .iter()
        .map(|(name, operation)| {
            let input = match &operation.input {
                Some(input) => resolve(&model.shapes, input, 0)?,
                None => Shape {
                    kind: ShapeKind::Structure(Vec::new()),
                    min: None,
                    max: None,
                    pattern: None,
                    values: Vec::new(),
                    sensitive: false,
                },
            };
            Some((name.clone(), Modelled { input, errors: operation.errors.clone() }))
        })
        .collect()
}

fn resolve(shapes: &HashMap<String, RawShape>, name: &str, depth: usize) -> Option<Shape> {
    let raw = shapes.get(name).filter(|_| depth < 16)?;
    let inner = |name: &Option<String>| resolve(shapes, name.as_deref()?, depth + 1).map(Box::new);
    let kind = match raw.r#type.as_str() {
        "string" => ShapeKind::String,
        "blob" => ShapeKind::Blob,
        "integer" | "long" => ShapeKind::Integer,
        "boolean" => ShapeKind::Boolean,
        "timestamp" => ShapeKind::Timestamp,
        "list" => ShapeKind::List(inner(&raw.member)?),
        "map" => ShapeKind::Map(inner(&raw.value)?),
        "structure" => ShapeKind::Structure(
            raw.members
                .iter()
                .map(|(member, shape)| {
                    Some(Member {
                        name: member.clone(),
                        required: raw.required.contains(member),
                        shape: resolve(shapes, shape.as_str()?, depth + 1)?,
                    })
                })
                .collect::<Option<_>>()?,
        ),
        _ => return None,
    };
    let pattern = raw.pattern.as_ref().and_then(|pattern| {
        PATTERNS.iter().find(|(text, _)| text == pattern).map(|(_, matches)| (pattern.clone(), *matches))
    });
    Some(Shape { kind, min: raw.min, max: raw.max, pattern, values: raw.values.clone(), sensitive: raw.sensitive })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_loads_with_its_54_operations() {
        assert_eq!(OPERATIONS.len(), 54);
        assert!(input("EnableKeyRotation").is_some());
        assert!(input("enablekeyrotation").is_none(), "operation names are case-sensitive");
        assert!(operation_errors("Encrypt").iter().any(|code| code == "DisabledException"));
        assert!(operation_errors("Nonsense").is_empty());
    }

    #[test]
    fn a_region_is_two_or_three_words_and_a_number() {
        let (_, is_region) = PATTERNS.iter().find(|(text, _)| text.contains("{2,3}")).unwrap();
        for (text, expected) in [
            ("eu-west-1", true),
            ("us-gov-west-1", true),
            ("us-iso-x-west-12", false),
            ("eu-1", false),
            ("eu-west-", false),
            ("EU-west-1", false),
            ("eu--1", false),
            ("", false),
        ] {
            assert_eq!(is_region(text), expected, "{text}");
        }
    }

    #[test]
    fn every_pattern_that_a_served_request_can_meet_is_in_the_table() {
        fn patterns<'a>(raw: &'a HashMap<String, RawShape>, name: &str, into: &mut Vec<&'a str>) {
            let shape = &raw[name];
            into.extend(shape.pattern.as_deref());
            let inner = [&shape.member, &shape.key, &shape.value].into_iter().flatten().map(String::as_str);
            for next in inner.chain(shape.members.values().filter_map(|v| v.as_str())) {
                patterns(raw, next, into);
            }
        }
        let model: RawModel = serde_json::from_str(MODEL).unwrap();
        let mut met = Vec::new();
        for name in FACTS.iter().map(|facts| facts.name) {
            patterns(&model.shapes, model.operations[name].input.as_deref().unwrap(), &mut met);
        }
        for pattern in met {
            assert!(PATTERNS.iter().any(|(text, _)| *text == pattern), "{pattern}");
        }
    }
}
