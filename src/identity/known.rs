//! Users and roles, as a directory knows them.

use std::sync::Arc;

use super::authorization_details::DEFAULT_SESSION_SECONDS;
use super::unique_id::stand_in;
use crate::authz::{AttachedDocument, PrincipalPolicies};
use crate::aws::Arn;

/// A user or a role.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) arn: Arn,
    pub(super) id: Arc<str>,
    pub(super) tags: Vec<(String, String)>,
    pub(super) policies: Arc<PrincipalPolicies>,
    /// A role's trust policy.
    pub(super) trust: Option<AttachedDocument>,
    pub(super) max_session_seconds: u32,
}

impl Known {
    /// A principal that no authorization details describe: it has no policies, and nobody assumes it.
    pub(super) fn without_details(prefix: &str, arn: Arn) -> Self {
        Self {
            id: stand_in(prefix, &arn),
            arn,
            tags: Vec::new(),
            policies: Arc::default(),
            trust: None,
            max_session_seconds: DEFAULT_SESSION_SECONDS,
        }
    }
}

/// A user or a role, for whoever asks what is known of it.
#[derive(Clone, Copy)]
pub struct Described<'a>(pub(super) &'a Known);

impl<'a> Described<'a> {
    /// Its ARN, path included.
    #[must_use]
    pub fn arn(self) -> &'a Arn {
        &self.0.arn
    }

    /// `AIDA…` or `AROA…`.
    #[must_use]
    pub fn id(self) -> &'a Arc<str> {
        &self.0.id
    }

    /// Its own tags.
    #[must_use]
    pub fn tags(self) -> &'a [(String, String)] {
        &self.0.tags
    }

    /// Its policies.
    #[must_use]
    pub fn policies(self) -> &'a Arc<PrincipalPolicies> {
        &self.0.policies
    }

    /// A role's trust policy; none where nobody may assume it.
    #[must_use]
    pub fn trust(self) -> Option<&'a AttachedDocument> {
        self.0.trust.as_ref()
    }

    /// A role's `MaxSessionDuration`.
    #[must_use]
    pub fn max_session_seconds(self) -> u32 {
        self.0.max_session_seconds
    }
}
