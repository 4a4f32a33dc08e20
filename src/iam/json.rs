//! A JSON tree that knows where each value stands. serde_json reads; what it is asked for are
//! slices of the source, whose addresses give their places.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A value and its byte offset in the source.
pub(super) struct Node<'a> {
    pub(super) offset: usize,
    pub(super) value: Value<'a>,
}

pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    /// As written.
    Number(&'a str),
    String(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    Object(Vec<Member<'a>>),
}

pub(super) struct Member<'a> {
    pub(super) name: Cow<'a, str>,
    /// Of the name's opening quote.
    pub(super) offset: usize,
    pub(super) node: Node<'a>,
}

impl Value<'_> {
    /// What it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

/// The place of a value by its path from the root, for messages.
#[derive(Clone, Copy)]
pub(super) enum Path<'p> {
    Root,
    Member(&'p Path<'p>, &'p str),
    Index(&'p Path<'p>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Member(Self::Root, name) => f.write_str(name),
            Self::Member(parent, name) => write!(f, "{parent}.{name}"),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// Why a text is no JSON tree, and where.
pub(super) enum Fault {
    /// Not JSON; where serde_json stopped, line and column from 1 as it counts (in bytes).
    Syntax { line: usize, byte_column: usize, message: String },
    /// A string that holds no valid text (a lone surrogate).
    Text { offset: usize, path: String },
    /// A member that its object has already.
    Duplicate { offset: usize, path: String },
    /// Deeper than [`MAX_DEPTH`].
    Depth { offset: usize, path: String },
}

/// Deepest nesting that is read. A policy document needs six levels.
pub(super) const MAX_DEPTH: usize = 16;

/// Reads one JSON value that is the whole text.
pub(super) fn parse(source: &str) -> Result<Node<'_>, Fault> {
    let raw: &RawValue = serde_json::from_str(source).map_err(|error| {
        let text = error.to_string();
        let message = text.split_once(" at line ").map_or(text.as_str(), |(message, _)| message).to_owned();
        Fault::Syntax { line: error.line(), byte_column: error.column(), message }
    })?;
    Reader { source }.node(raw, &Path::Root, 0)
}

struct Reader<'a> {
    source: &'a str,
}

impl<'a> Reader<'a> {
    fn node(&self, raw: &'a RawValue, path: &Path<'_>, depth: usize) -> Result<Node<'a>, Fault> {
        let text = raw.get();
        let offset = self.offset_of(text);
        let bad_text = || Fault::Text { offset, path: path.to_string() };
        if depth > MAX_DEPTH {
            return Err(Fault::Depth { offset, path: path.to_string() });
        }
        let value = match text.as_bytes().first() {
            Some(b'{') => self.object(text, offset, path, depth)?,
            Some(b'[') => {
                let Items(items) = serde_json::from_str(text).map_err(|_| bad_text())?;
                let nodes = items
                    .into_iter()
                    .enumerate()
                    .map(|(index, item)| self.node(item, &Path::Index(path, index), depth + 1));
                Value::Array(nodes.collect::<Result<_, _>>()?)
            }
            Some(b'"') => Value::String(string(text).ok_or_else(bad_text)?),
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'n') => Value::Null,
            _ => Value::Number(text),
        };
        Ok(Node { offset, value })
    }

    fn object(&self, text: &'a str, offset: usize, path: &Path<'_>, depth: usize) -> Result<Value<'a>, Fault> {
        let Members(raw_members) =
            serde_json::from_str(text).map_err(|_| Fault::Text { offset, path: path.to_string() })?;
        let mut members: Vec<Member<'a>> = Vec::with_capacity(raw_members.len());
        // The name stands at the first quote after the previous value (or the opening brace).
        let mut after = offset;
        for (name, raw) in raw_members {
            let name_offset = after + self.source[after..].find('"').unwrap_or(0);
            let member_path = Path::Member(path, &name);
            if members.iter().any(|member| member.name == name) {
                return Err(Fault::Duplicate { offset: name_offset, path: member_path.to_string() });
            }
            let node = self.node(raw, &member_path, depth + 1)?;
            after = node.offset + raw.get().len();
            members.push(Member { name, offset: name_offset, node });
        }
        Ok(Value::Object(members))
    }

    /// Where a slice of the source begins.
    fn offset_of(&self, slice: &str) -> usize {
        slice.as_ptr().addr().saturating_sub(self.source.as_ptr().addr())
    }
}

/// The text of a JSON string, borrowed where it has no escapes.
fn string(text: &str) -> Option<Cow<'_, str>> {
    match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) if !inner.contains('\\') => Some(Cow::Borrowed(inner)),
        _ => serde_json::from_str::<String>(text).ok().map(Cow::Owned),
    }
}

struct Items<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Items<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Items<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = access.next_element()? {
                    items.push(item);
                }
                Ok(Items(items))
            }
        }
        deserializer.deserialize_seq(Collect)
    }
}

/// Every member in order, duplicates included.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = access.next_entry::<String, &'de RawValue>()? {
                    members.push((Cow::Owned(name), value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}
