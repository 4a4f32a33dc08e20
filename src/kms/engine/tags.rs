use serde_json::json;

use super::change::Change;
use super::page::{TAGS, Window};
use super::{Kms, answer, changed};
use crate::kms::Answer;
use crate::kms::api::Kind;
use crate::kms::error::KmsError;
use crate::kms::operation::Page;
use crate::kms::records::KeyRecord;
use crate::kms::resolve::Key;

/// Most tags of a key (KMS Developer Guide, "Resource quotas").
const MOST_TAGS: usize = 50;

impl Kms {
    pub(super) async fn tag_resource(&self, key: &Key, new: &[(String, String)]) -> Result<Answer, KmsError> {
        let record = &key.view().record;
        let tags = merged(&record.tags, new)?;
        let mut change = Change::of(&key.record);
        change.put_key(key.view(), &KeyRecord { tags, ..record.clone() })?;
        self.commit(change).await?;
        Ok(changed(key))
    }

    /// A tag that the key does not bear is no error.
    pub(super) async fn untag_resource(&self, key: &Key, keys: &[String]) -> Result<Answer, KmsError> {
        if keys.iter().any(|key| is_reserved(key)) {
            return Err(reserved());
        }
        let mut record = key.view().record.clone();
        record.tags.retain(|(tag, _)| !keys.contains(tag));
        let mut change = Change::of(&key.record);
        change.put_key(key.view(), &record)?;
        self.commit(change).await?;
        Ok(changed(key))
    }

    pub(super) fn list_resource_tags(key: &Key, page: &Page) -> Result<Answer, KmsError> {
        let window = Window::read(Kind::ListResourceTags, page, &TAGS)?;
        let after = window.after_text()?;
        let tags: Vec<_> = key
            .view()
            .record
            .tags
            .iter()
            .filter(|(tag, _)| after.as_ref().is_none_or(|after| tag > after))
            .take(window.limit + 1)
            .collect();
        let body = window.answer(
            "Tags",
            tags,
            |(tag, _)| tag.clone().into_bytes(),
            |(tag, value)| json!({"TagKey": tag, "TagValue": value}),
        );
        Ok(answer(key, Some(body)))
    }
}

/// Tags with new ones set among them, sorted by key.
///
/// # Errors
/// `TagException` for more than 50 together, a key twice, or a key that AWS reserves.
pub(super) fn merged(
    present: &[(String, String)],
    new: &[(String, String)],
) -> Result<Vec<(String, String)>, KmsError> {
    if new.iter().any(|(key, _)| is_reserved(key)) {
        return Err(reserved());
    }
    if new
        .iter()
        .enumerate()
        .any(|(at, (key, _))| new[..at].iter().take(MOST_TAGS + 1).any(|(earlier, _)| earlier == key))
    {
        return Err(KmsError::new("TagException", "Duplicate tag keys"));
    }
    let mut tags: Vec<(String, String)> =
        present.iter().filter(|(key, _)| !new.iter().any(|(tag, _)| tag == key)).chain(new).cloned().collect();
    if tags.len() > MOST_TAGS {
        return Err(KmsError::new("TagException", "Too many tags"));
    }
    tags.sort_unstable();
    Ok(tags)
}

fn is_reserved(key: &str) -> bool {
    key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
}

fn reserved() -> KmsError {
    KmsError::new("TagException", "Tags beginning with aws: are reserved")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(keys: &[&str]) -> Vec<(String, String)> {
        keys.iter().map(|key| ((*key).to_owned(), "v".to_owned())).collect()
    }

    #[test]
    fn tags_are_refused_with_aws_texts() {
        let many: Vec<String> = (0..51).map(|n| format!("k{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        for (present, new, text) in [
            (tags(&[]), tags(&many), "Too many tags"),
            (tags(&many[..50]), tags(&["other"]), "Too many tags"),
            (tags(&[]), tags(&["a", "a"]), "Duplicate tag keys"),
            (tags(&[]), tags(&["AWS:x"]), "Tags beginning with aws: are reserved"),
        ] {
            assert_eq!(merged(&present, &new).unwrap_err().message(), Some(text));
        }
        assert_eq!(merged(&tags(&many[..50]), &tags(&["k1"])).unwrap().len(), 50);
        assert_eq!(merged(&tags(&["b"]), &tags(&["a", "B"])).unwrap(), tags(&["B", "a", "b"]));
    }
}
