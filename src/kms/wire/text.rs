use bytes::Bytes;
use data_encoding::BASE64;
use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::aws::json;

/// A JSON object as text. Wiped when it is dropped: an answer can hold plaintext.
pub struct JsonText(Zeroizing<Vec<u8>>);

impl JsonText {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("null")
    }

    /// The text as bytes to send, wiped once they are sent.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self.0)
    }

    /// The text as a tree.
    #[must_use]
    pub fn to_value(&self) -> Value {
        serde_json::from_slice(&self.0).unwrap_or(Value::Null)
    }
}

impl From<&Value> for JsonText {
    fn from(value: &Value) -> Self {
        Self(Zeroizing::new(value.to_string().into_bytes()))
    }
}

impl std::fmt::Debug for JsonText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JsonText(…)")
    }
}

/// A JSON object that is written member by member. Names are the program's own: plain text.
pub(in crate::kms) struct ObjectText(Zeroizing<Vec<u8>>);

impl ObjectText {
    /// Room for what most answers take, so that no copy is left behind by growing.
    const CAPACITY: usize = 512;

    pub(in crate::kms) fn new() -> Self {
        Self(Zeroizing::new(Vec::with_capacity(Self::CAPACITY)))
    }

    /// A string.
    pub(in crate::kms) fn text(mut self, name: &str, text: &str) -> Self {
        self.name(name);
        // A string always serialises.
        let _ = json::text(&mut self.0, text);
        self
    }

    /// Bytes, as base64.
    pub(in crate::kms) fn blob(mut self, name: &str, bytes: &[u8]) -> Self {
        self.name(name);
        self.0.push(b'"');
        let start = self.0.len();
        self.0.resize(start + BASE64.encode_len(bytes.len()), 0);
        BASE64.encode_mut(bytes, &mut self.0[start..]);
        self.0.push(b'"');
        self
    }

    /// Whatever serialises: numbers, truth values, lists, objects of strings.
    pub(in crate::kms) fn value<T: Serialize + ?Sized>(mut self, name: &str, value: &T) -> Self {
        let before = self.0.len();
        self.name(name);
        if json::value(&mut self.0, value).is_err() {
            self.0.truncate(before);
        }
        self
    }

    /// A value, where there is one.
    pub(in crate::kms) fn optional<T: Serialize>(self, name: &str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.value(name, &value),
            None => self,
        }
    }

    pub(in crate::kms) fn finish(mut self) -> JsonText {
        if self.0.is_empty() {
            self.0.push(b'{');
        }
        self.0.push(b'}');
        JsonText(self.0)
    }

    /// None where no member was written.
    pub(in crate::kms) fn finish_unless_empty(self) -> Option<JsonText> {
        (!self.0.is_empty()).then(|| self.finish())
    }

    fn name(&mut self, name: &str) {
        let separator = if self.0.is_empty() { "{\"" } else { ",\"" };
        json::raw(&mut self.0, separator);
        json::raw(&mut self.0, name);
        json::raw(&mut self.0, "\":");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_become_an_object() {
        let text = ObjectText::new()
            .text("a", "x\"y")
            .blob("b", b"secret")
            .optional("c", None::<i64>)
            .optional("d", Some(1))
            .value("e", &["f"])
            .finish();
        assert_eq!(text.to_value(), json!({"a": "x\"y", "b": "c2VjcmV0", "d": 1, "e": ["f"]}));
        assert_eq!(ObjectText::new().finish().as_str(), "{}");
        assert!(ObjectText::new().finish_unless_empty().is_none());
    }
}
