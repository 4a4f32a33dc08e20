use std::fmt;

use serde::Serialize;

/// What came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Allowed.
    Allow,
    /// No policy allowed it.
    ImplicitDeny,
    /// A policy denied it.
    ExplicitDeny,
}

impl Outcome {
    /// As it is printed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::ImplicitDeny => "implicit_deny",
            Self::ExplicitDeny => "explicit_deny",
        }
    }
}

/// A kind of policy in the evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are AWS's")]
pub enum Layer {
    ServiceControlPolicy,
    ResourceControlPolicy,
    KeyPolicy,
    ResourcePolicy,
    IdentityPolicy,
    PermissionsBoundary,
    SessionPolicy,
    Grant,
}

impl Layer {
    /// For people: `key policy`.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::ServiceControlPolicy => "service control policy",
            Self::ResourceControlPolicy => "resource control policy",
            Self::KeyPolicy => "key policy",
            Self::ResourcePolicy => "resource policy",
            Self::IdentityPolicy => "identity policy",
            Self::PermissionsBoundary => "permissions boundary",
            Self::SessionPolicy => "session policy",
            Self::Grant => "grant",
        }
    }
}

/// A statement that decided, or (for an implicit deny) the layer that was silent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DecidedBy {
    /// The layer.
    pub layer: Layer,
    /// The level of a control policy, from the root; none elsewhere.
    pub level: Option<u32>,
    /// Which document of the layer, from 0; none where the layer was silent.
    pub document: Option<u32>,
    /// Which statement of the document, from 0; none where the layer was silent.
    pub statement: Option<u32>,
    /// The statement's Sid; a grant's id.
    pub sid: Option<String>,
    /// The document's file, where it came from one.
    pub file: Option<String>,
    /// The statement's line in its document, from 1.
    pub line: Option<u32>,
}

/// `key policy, statement 1 "RotateWithMfa" (rotation.json:12)`.
impl fmt::Display for DecidedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.layer.in_words())?;
        let is_alone = matches!(self.layer, Layer::KeyPolicy | Layer::ResourcePolicy | Layer::PermissionsBoundary);
        if let Some(document) = self.document.filter(|_| !is_alone) {
            write!(f, " {document}")?;
        }
        if let Some(level) = self.level {
            write!(f, " of level {level}")?;
        }
        if let Some(statement) = self.statement {
            write!(f, ", statement {statement}")?;
        }
        if let Some(sid) = &self.sid {
            write!(f, " {sid:?}")?;
        }
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, " ({file}:{line})"),
            (Some(file), None) => write!(f, " ({file})"),
            (None, _) => Ok(()),
        }
    }
}

/// The decision on one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What came out.
    pub outcome: Outcome,
    /// Why.
    pub decided_by: Vec<DecidedBy>,
    /// The text that AWS sends with AccessDeniedException; none for an allow.
    pub message: Option<String>,
}
