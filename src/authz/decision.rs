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
    /// The statement's Sid.
    pub sid: Option<String>,
    /// The document's file, where it came from one.
    pub file: Option<String>,
    /// The statement's line in its document, from 1.
    pub line: Option<u32>,
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
