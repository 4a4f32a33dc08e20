//! One request as the model is asked it, and what it may be refused with.

use serde_json::Value;

use super::state::Model;
use super::world::{PEOPLE, Someone};

/// A request, with the answer that the engine gave: only what is drawn there (ids, ciphertexts) may
/// be read from it.
pub(super) struct Ask<'a> {
    pub(super) step: usize,
    pub(super) region: &'static str,
    pub(super) caller: usize,
    pub(super) operation: &'static str,
    pub(super) body: &'a Value,
    pub(super) told: &'a Value,
}

/// A code, and the text where it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: String,
    pub(super) text: Option<String>,
    /// Some words of the text, where those are known.
    pub(super) words: &'static str,
}

/// What the answer must be.
pub(super) type Expected = Result<Value, Refusal>;

/// A refusal of which AWS's text is known.
pub(super) fn said(code: &str, text: impl Into<String>) -> Refusal {
    Refusal { code: code.to_owned(), text: Some(text.into()), words: "" }
}

/// A refusal in words that nobody recorded.
pub(super) fn some(code: &str) -> Refusal {
    in_words(code, "")
}

/// A refusal whose text has these words among others.
pub(super) fn in_words(code: &str, words: &'static str) -> Refusal {
    Refusal { code: code.to_owned(), text: None, words }
}

/// A refusal without a text.
pub(super) fn silent(code: &str) -> Refusal {
    said(code, "")
}

impl Ask<'_> {
    pub(super) fn who(&self) -> &'static Someone {
        &PEOPLE[self.caller]
    }

    pub(super) fn text(&self, member: &str) -> Option<&str> {
        self.body[member].as_str()
    }

    pub(super) fn must(&self, member: &str) -> &str {
        self.text(member).unwrap_or_default()
    }

    pub(super) fn number(&self, member: &str) -> Option<i64> {
        self.body[member].as_i64()
    }

    pub(super) fn truth(&self, member: &str) -> bool {
        self.body[member].as_bool().unwrap_or(false)
    }

    /// What the engine drew, if it is as it should be; a text that nothing equals otherwise.
    pub(super) fn drawn(&self, pointer: &str, is_good: impl Fn(&str) -> bool) -> String {
        let found = self.told.pointer(pointer).and_then(Value::as_str);
        found.filter(|text| is_good(text)).map_or_else(|| format!("what is good at {pointer}"), str::to_owned)
    }

    pub(super) fn is_dry(&self) -> bool {
        self.truth("DryRun")
    }
}

impl Model {
    /// DryRun's refusal of what would have been done.
    pub(super) fn unless_dry(ask: &Ask<'_>) -> Result<(), Refusal> {
        if ask.is_dry() { Err(some("DryRunOperationException")) } else { Ok(()) }
    }
}

pub(super) fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// How many bytes a Base64 text stands for; none for what is none.
pub(super) fn bytes(text: &str) -> Option<Vec<u8>> {
    data_encoding::BASE64.decode(text.as_bytes()).ok()
}
