use std::collections::BTreeSet;
use std::sync::Arc;

use super::ConditionKey;

/// Which condition keys the requests to a service can be relied on to have, where a policy reads them.
///
/// A policy that reads another key of the service would decide on a value that is not there, and a
/// condition on an absent key may hold (`ForAllValues`, `StringNotEquals`, `…IfExists`): such a request
/// is denied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeterminedKeys {
    /// In lower case; one of several (`aws:requesttag`) without what follows its slash.
    keys: BTreeSet<Arc<str>>,
}

impl DeterminedKeys {
    /// Whether a request has the key's value, or is known not to have one.
    #[must_use]
    pub fn has(&self, key: &ConditionKey) -> bool {
        let name = key.as_str();
        let stem = name.split_once('/').map_or(name, |(stem, _)| stem);
        let is_given = self.keys.contains(stem) || self.keys.contains(name);
        match name.split_once(':') {
            // What follows from the caller and the surroundings is known of every request; what follows
            // from the request's own tags and from the resource is not.
            Some(("aws", _)) => is_given || !matches!(stem, "aws:resourcetag" | "aws:requesttag" | "aws:tagkeys"),
            _ => is_given,
        }
    }
}

impl FromIterator<Arc<str>> for DeterminedKeys {
    /// Of keys in lower case.
    fn from_iter<K: IntoIterator<Item = Arc<str>>>(keys: K) -> Self {
        Self { keys: keys.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_from_the_caller_is_known_and_the_rest_must_be_given() {
        let keys: DeterminedKeys = ["s3:prefix", "aws:requesttag"].into_iter().map(Arc::from).collect();
        let has = |key: &str| keys.has(&ConditionKey::new(key));
        for key in ["s3:prefix", "S3:Prefix", "aws:RequestTag/team", "aws:SourceIp", "aws:PrincipalTag/team"] {
            assert!(has(key), "{key}");
        }
        for key in ["s3:ExistingObjectTag/a", "aws:ResourceTag/team", "aws:TagKeys", "dynamodb:LeadingKeys"] {
            assert!(!has(key), "{key}");
        }
    }
}
