use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::key_id::KeyId;
use super::records::KeyView;
use super::wire::JsonText;
use crate::aws::Arn;
use crate::store::Record;

/// What an operation answers.
pub struct Answer {
    /// The members of the answer; none where AWS sends an empty body. Blobs are base64, dates
    /// epoch seconds with milliseconds.
    pub body: Option<JsonText>,
    /// The keys and aliases concerned, for the audit.
    pub resources: Vec<Arn>,
    /// What CloudTrail shows as `responseElements`: of mutations alone, and never a secret.
    pub response_elements: Value,
    /// The key's id and when it was created, for the plain-JSON envelope.
    pub key: Option<(KeyId, Timestamp)>,
    /// The keys that it used, where the operation counts as a use.
    pub(super) used: [Option<Arc<Record<KeyView>>>; 2],
}

impl Answer {
    pub(super) fn of(body: JsonText) -> Self {
        Self { body: Some(body), resources: Vec::new(), response_elements: Value::Null, key: None, used: [None, None] }
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("resources", &self.resources).finish_non_exhaustive()
    }
}
