use super::{ActionPattern, Condition, PrincipalElement, ResourcePattern};

/// One statement of a policy document.
///
/// A statement without an Action or a Resource element is accepted in a key policy and has no
/// effect, so both are optional here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// `Sid`.
    pub sid: Option<String>,
    /// `Effect`.
    pub effect: Effect,
    /// `Principal` or `NotPrincipal`; resource-based policies only.
    pub principal: Option<PrincipalElement>,
    /// `Action` or `NotAction`.
    pub action: Option<ActionElement>,
    /// `Resource` or `NotResource`.
    pub resource: Option<ResourceElement>,
    /// `Condition`: one entry for each operator and key, in the document's order; all must hold.
    pub conditions: Vec<Condition>,
    /// Line of the statement's opening brace in its document, from 1.
    pub line: u32,
}

/// `Allow` or `Deny`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// `Allow`.
    Allow,
    /// `Deny`.
    Deny,
}

/// `Action` or `NotAction`, never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionElement {
    /// Any of these.
    Action(Vec<ActionPattern>),
    /// Everything but these.
    NotAction(Vec<ActionPattern>),
}

/// `Resource` or `NotResource`, never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceElement {
    /// Any of these.
    Resource(Vec<ResourcePattern>),
    /// Everything but these.
    NotResource(Vec<ResourcePattern>),
}
