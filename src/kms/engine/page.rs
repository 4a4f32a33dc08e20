use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

use crate::kms::api::Kind;
use crate::kms::error::{KmsError, texts};
use crate::kms::operation::Page;
use crate::kms::wire::{JsonText, ObjectText};

/// How much of a list one answer holds: the default and the most (KMS API Reference).
pub(super) struct Sizes {
    pub(super) default: usize,
    pub(super) most: usize,
}

pub(super) const LONG: Sizes = Sizes { default: 100, most: 1000 };
pub(super) const ALIASES: Sizes = Sizes { default: 50, most: 100 };
pub(super) const GRANTS: Sizes = Sizes { default: 50, most: 100 };
pub(super) const TAGS: Sizes = Sizes { default: 50, most: 50 };

/// Where a page begins and how long it is.
pub(super) struct Window {
    kind: Kind,
    pub(super) limit: usize,
    /// What the last page ended with.
    pub(super) after: Option<Vec<u8>>,
}

impl Window {
    /// # Errors
    /// `ValidationException` for a limit above the most, `InvalidMarkerException` for a marker
    /// that this operation never gave.
    pub(super) fn read(kind: Kind, page: &Page, sizes: &Sizes) -> Result<Self, KmsError> {
        let limit = match page.limit {
            None => sizes.default,
            Some(limit) => usize::try_from(limit).ok().filter(|limit| (1..=sizes.most).contains(limit)).ok_or_else(|| {
                texts::validation(format!(
                    "1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: Member must have value less than or equal to {}",
                    sizes.most
                ))
            })?,
        };
        let after = match &page.marker {
            None => None,
            Some(marker) => {
                let bytes = BASE64URL_NOPAD.decode(marker.as_bytes()).map_err(|_| texts::invalid_marker())?;
                let last = bytes.strip_prefix(prefix(kind).as_bytes()).ok_or_else(texts::invalid_marker)?;
                Some(last.to_vec())
            }
        };
        Ok(Self { kind, limit, after })
    }

    /// What the last page ended with, as text.
    pub(super) fn after_text(&self) -> Result<Option<String>, KmsError> {
        self.after.clone().map(|bytes| String::from_utf8(bytes).map_err(|_| texts::invalid_marker())).transpose()
    }

    /// Cuts what was read (up to one more than the limit) to the page, and makes the answer.
    pub(super) fn answer<T>(
        &self,
        member: &str,
        mut items: Vec<T>,
        last: impl Fn(&T) -> Vec<u8>,
        show: impl Fn(&T) -> Value,
    ) -> JsonText {
        let truncated = items.len() > self.limit;
        items.truncate(self.limit);
        let next = items.last().filter(|_| truncated).map(|item| {
            let marker = [prefix(self.kind).as_bytes(), &last(item)].concat();
            BASE64URL_NOPAD.encode(&marker)
        });
        let shown: Vec<Value> = items.iter().map(show).collect();
        ObjectText::new().value("Truncated", &truncated).value(member, &shown).optional("NextMarker", next).finish()
    }
}

fn prefix(kind: Kind) -> String {
    format!("1{}:", kind.facts().name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page(limit: Option<i64>, marker: Option<String>) -> Page {
        Page { limit, marker }
    }

    #[test]
    fn a_marker_is_good_for_its_own_operation_alone() {
        let window = Window::read(Kind::ListKeys, &page(Some(2), None), &LONG).unwrap();
        let body = window.answer("Keys", vec![1u8, 2, 3], |n| vec![*n], |n| json!(n)).to_value();
        assert_eq!((&body["Truncated"], &body["Keys"]), (&json!(true), &json!([1, 2])));
        let marker = body["NextMarker"].as_str().map(str::to_owned);
        assert_eq!(Window::read(Kind::ListKeys, &page(None, marker.clone()), &LONG).unwrap().after, Some(vec![2]));
        for (kind, marker) in [
            (Kind::ListAliases, marker),
            (Kind::ListKeys, Some("nonsense!".into())),
            (Kind::ListKeys, Some("AAAA".into())),
        ] {
            assert_eq!(
                Window::read(kind, &page(None, marker), &LONG).err().map(|e| e.code()),
                Some("InvalidMarkerException")
            );
        }
    }

    #[test]
    fn a_limit_has_a_most() {
        assert!(Window::read(Kind::ListAliases, &page(Some(100), None), &ALIASES).is_ok());
        assert!(Window::read(Kind::ListAliases, &page(Some(101), None), &ALIASES).is_err());
        assert_eq!(Window::read(Kind::ListAliases, &page(None, None), &ALIASES).unwrap().limit, 50);
    }
}
