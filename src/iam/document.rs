use super::{PrincipalElement, PrincipalPattern, Statement};

/// One policy document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The policy language's version; a document without one is [`Version::V2008`].
    pub version: Version,
    /// `Id`.
    pub id: Option<String>,
    /// In the document's order; a single statement object is a list of one.
    pub statements: Vec<Statement>,
}

impl Document {
    /// The unique ids (`AIDA…`, `AROA…`) that its Principal elements name, with their statements'
    /// places from 0. `PutKeyPolicy` refuses them; a stored policy may have come to hold them.
    pub fn unique_ids(&self) -> impl Iterator<Item = (usize, &str)> {
        self.statements.iter().enumerate().flat_map(|(index, statement)| {
            let patterns = match &statement.principal {
                Some(PrincipalElement::Principal(patterns) | PrincipalElement::NotPrincipal(patterns)) => {
                    patterns.as_slice()
                }
                None => &[],
            };
            patterns.iter().filter_map(move |pattern| match pattern {
                PrincipalPattern::UniqueId(id) => Some((index, id.as_str())),
                _ => None,
            })
        })
    }
}

/// What a document is attached to: its grammar depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DocumentKind {
    /// A KMS key's policy: every statement has a Principal or NotPrincipal; one without Action or
    /// Resource is accepted and has no effect.
    KeyPolicy,
    /// A policy of a user, a group or a role, inline or managed.
    IdentityPolicy,
    /// A permissions boundary.
    PermissionsBoundary,
    /// A policy passed with a session.
    SessionPolicy,
    /// A policy of an organisation that limits an account's principals: the language of identity
    /// policies.
    ServiceControlPolicy,
    /// A policy of an organisation that guards an account's resources: Denies alone, about everyone.
    ResourceControlPolicy,
    /// The policy of another service's resource (a bucket, a queue, a topic, a function, a secret),
    /// or a role's trust policy, whose statements have no Resource: they are about the role.
    ResourcePolicy,
}

impl DocumentKind {
    /// Longest key policy, in bytes (KMS Developer Guide, "Resource quotas").
    pub const MAX_KEY_POLICY_BYTES: usize = 32_768;

    /// For messages: `a key policy`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::KeyPolicy => "a key policy",
            Self::IdentityPolicy => "an identity policy",
            Self::PermissionsBoundary => "a permissions boundary",
            Self::SessionPolicy => "a session policy",
            Self::ServiceControlPolicy => "a service control policy",
            Self::ResourceControlPolicy => "a resource control policy",
            Self::ResourcePolicy => "a resource policy",
        }
    }

    /// Whether its statements name principals.
    #[must_use]
    pub fn is_resource_based(self) -> bool {
        matches!(self, Self::KeyPolicy | Self::ResourcePolicy | Self::ResourceControlPolicy)
    }

    /// Whether IAM stores it, which takes Sids of letters and digits alone, each once.
    pub(super) fn is_stored_by_iam(self) -> bool {
        matches!(self, Self::IdentityPolicy | Self::PermissionsBoundary | Self::SessionPolicy)
    }

    /// Whether literals that their operators can't read are stored all the same: by KMS and by other
    /// services with their resources.
    pub(super) fn keeps_bad_literals(self) -> bool {
        matches!(self, Self::KeyPolicy | Self::ResourcePolicy)
    }
}

/// The policy language's version (IAM User Guide, "IAM JSON policy elements: Version").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// `2008-10-17`, also where the element is missing: `${…}` is literal text.
    V2008,
    /// `2012-10-17`.
    V2012,
}

impl Version {
    /// As documents write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2008 => "2008-10-17",
            Self::V2012 => "2012-10-17",
        }
    }
}
