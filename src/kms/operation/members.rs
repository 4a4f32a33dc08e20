use zeroize::Zeroizing;

use super::{EncryptionContext, Page};
use crate::kms::error::{KmsError, texts};
use crate::kms::spec::not_served;
use crate::kms::wire::{Json, Object};

/// Takes members out of a request that the model was held to: a member of another type, or a
/// required one that is missing, can't be here.
pub(super) struct Members<'a>(pub(super) Object<'a>);

impl Members<'_> {
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match self.0.take(name) {
            Some(Json::Text(text)) => Some(text.into_owned()),
            _ => None,
        }
    }

    pub(super) fn required(&mut self, name: &str) -> String {
        self.text(name).unwrap_or_default()
    }

    pub(super) fn number(&mut self, name: &str) -> Option<i64> {
        match self.0.take(name) {
            Some(Json::Integer(number)) => Some(number),
            _ => None,
        }
    }

    /// A date in whole seconds since 1970: what is less than a second is cut off.
    pub(super) fn seconds(&mut self, name: &str) -> Option<i64> {
        match self.0.take(name) {
            Some(Json::Integer(seconds)) => Some(seconds),
            #[expect(clippy::cast_possible_truncation, reason = "a date that is too far away for it is refused")]
            Some(Json::Fraction(seconds)) => Some(seconds.floor() as i64),
            _ => None,
        }
    }

    pub(super) fn truth(&mut self, name: &str) -> Option<bool> {
        match self.0.take(name) {
            Some(Json::Bool(value)) => Some(value),
            _ => None,
        }
    }

    pub(super) fn blob(&mut self, name: &str) -> Option<Zeroizing<Vec<u8>>> {
        match self.0.take(name) {
            Some(Json::Blob(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// A blob that is no secret.
    pub(super) fn bytes(&mut self, name: &str) -> Vec<u8> {
        self.blob(name).map(|bytes| bytes.to_vec()).unwrap_or_default()
    }

    /// A required member whose values bear names: the model knows all of them, the engine most.
    pub(super) fn value<T>(&mut self, name: &str, named: fn(&str) -> Option<T>) -> Result<T, KmsError> {
        let text = self.required(name);
        named(&text).ok_or_else(|| not_served(name, &text))
    }

    /// Empty where there is none and none is needed: a ciphertext has a byte at least.
    pub(super) fn ciphertext(&mut self, is_needed: bool) -> Result<Vec<u8>, KmsError> {
        let ciphertext = self.bytes("CiphertextBlob");
        if ciphertext.is_empty() && is_needed {
            return Err(texts::validation(
                "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null",
            ));
        }
        Ok(ciphertext)
    }

    pub(super) fn texts(&mut self, name: &str) -> Vec<String> {
        match self.0.take(name) {
            Some(Json::List(list)) => list
                .into_iter()
                .filter_map(|item| if let Json::Text(text) = item { Some(text.into_owned()) } else { None })
                .collect(),
            _ => Vec::new(),
        }
    }

    pub(super) fn tags(&mut self) -> Vec<(String, String)> {
        match self.0.take("Tags") {
            Some(Json::List(list)) => list
                .into_iter()
                .filter_map(|item| if let Json::Object(object) = item { Some(Members(object)) } else { None })
                .map(|mut tag| (tag.required("TagKey"), tag.required("TagValue")))
                .collect(),
            _ => Vec::new(),
        }
    }

    pub(super) fn context(&mut self, name: &str) -> EncryptionContext {
        let Some(Json::Object(object)) = self.0.take(name) else {
            return EncryptionContext::default();
        };
        let pairs =
            object
                .0
                .into_iter()
                .filter_map(|(key, value)| {
                    if let Json::Text(text) = value { Some((key.into_owned(), text.into_owned())) } else { None }
                })
                .collect();
        EncryptionContext(pairs)
    }

    /// A structure's members.
    pub(super) fn object(&mut self, name: &str) -> Option<Self> {
        match self.0.take(name) {
            Some(Json::Object(object)) => Some(Self(object)),
            _ => None,
        }
    }

    /// The name of a member that is not among these.
    pub(super) fn other_than(&self, names: &[&str]) -> Option<String> {
        self.0.0.iter().map(|(name, _)| name).find(|name| !names.contains(&name.as_ref())).map(ToString::to_string)
    }

    pub(super) fn has(&mut self, name: &str) -> bool {
        self.0.get_mut(name).is_some()
    }

    pub(super) fn page(&mut self) -> Page {
        Page { limit: self.number("Limit"), marker: self.text("Marker") }
    }
}
