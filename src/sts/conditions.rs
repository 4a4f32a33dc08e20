//! The condition keys that STS's own operations give (IAM User Guide, "IAM and AWS STS condition context
//! keys"), by their names in lower case.

use std::borrow::Cow;

use crate::aws::ContextValue;
use crate::identity::Described;

pub(super) type Conditions = Vec<(Cow<'static, str>, ContextValue<'static>)>;

pub(super) fn text(value: &str) -> ContextValue<'static> {
    ContextValue::Text(Cow::Owned(value.to_owned()))
}

pub(super) fn many<'a>(values: impl Iterator<Item = &'a str>) -> ContextValue<'static> {
    ContextValue::Many(values.map(|value| Cow::Owned(value.to_owned())).collect())
}

/// What the tags that a request passes give.
pub(super) fn of_tags(tags: &[(String, String)], transitive: &[String]) -> Conditions {
    let mut conditions: Conditions = tags
        .iter()
        .map(|(key, value)| (Cow::Owned(format!("aws:requesttag/{}", key.to_lowercase())), text(value)))
        .collect();
    if !tags.is_empty() {
        conditions.push(("aws:tagkeys".into(), many(tags.iter().map(|(key, _)| key.as_str()))));
    }
    if !transitive.is_empty() {
        conditions.push(("sts:transitivetagkeys".into(), many(transitive.iter().map(String::as_str))));
    }
    conditions
}

/// What the role itself gives; nothing where there is no such role.
pub(super) fn of_role(role: Option<Described<'_>>) -> Conditions {
    let tags = role.map(Described::tags).unwrap_or_default();
    let both = |(key, value): &(String, String)| {
        let key = key.to_lowercase();
        ["aws:resourcetag/", "iam:resourcetag/"].map(|prefix| (Cow::Owned(format!("{prefix}{key}")), text(value)))
    };
    tags.iter().flat_map(both).collect()
}

/// What the name of a role's session and its source identity give.
pub(super) fn of_session(name: &str, source_identity: Option<&str>) -> Conditions {
    let mut conditions = vec![("sts:rolesessionname".into(), text(name))];
    conditions.extend(source_identity.map(|identity| ("sts:sourceidentity".into(), text(identity))));
    conditions
}
