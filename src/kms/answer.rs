use jiff::Timestamp;
use serde_json::Value;
use zeroize::Zeroize;

use crate::aws::Arn;

/// What an operation answers.
pub struct Answer {
    /// The members of the answer; none where AWS sends an empty body. Blobs are base64, dates
    /// epoch seconds with milliseconds.
    pub body: Option<Value>,
    /// The keys and aliases concerned, for the audit.
    pub resources: Vec<Arn>,
    /// What CloudTrail shows as `responseElements`: of mutations alone, and never a secret.
    pub response_elements: Value,
    /// The key's id and when it was created, for the plain-JSON envelope.
    pub key: Option<(String, Timestamp)>,
}

impl Answer {
    pub(super) fn of(body: Value) -> Self {
        Self { body: Some(body), resources: Vec::new(), response_elements: Value::Null, key: None }
    }
}

/// Plaintext does not stay in memory once the answer was sent.
impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(Value::String(plaintext)) = self.body.as_mut().and_then(|body| body.get_mut("Plaintext")) {
            plaintext.zeroize();
        }
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("resources", &self.resources).finish_non_exhaustive()
    }
}
