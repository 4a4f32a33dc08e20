use std::sync::Arc;

use super::slices::{Fingerprint, PerAction, Reads};
use crate::aws::{ActionName, Arn, Principal};
use crate::cedar::{CompiledDocument, Slice};
use crate::iam::PrincipalPattern;

/// A compiled document as it is attached somewhere.
#[derive(Clone, Debug)]
pub struct AttachedDocument {
    /// What it says.
    pub document: Arc<CompiledDocument>,
    /// The managed policy's ARN; none for an inline policy.
    pub arn: Option<Arn>,
    /// Where it was read from, for explanations.
    pub source: Option<DocumentSource>,
}

impl From<Arc<CompiledDocument>> for AttachedDocument {
    /// An inline document that no file holds.
    fn from(document: Arc<CompiledDocument>) -> Self {
        Self { document, arn: None, source: None }
    }
}

/// Where a document stands.
#[derive(Clone, Debug)]
pub struct DocumentSource {
    /// The file.
    pub file: Arc<str>,
    /// The line of the file on which the document begins, from 1; none where the document's lines
    /// are not the file's (URL-encoded text).
    pub first_line: Option<u32>,
}

/// The policies of one principal: made when identities are loaded, shared by its requests.
#[derive(Clone, Debug)]
pub struct PrincipalPolicies {
    identity: Vec<AttachedDocument>,
    boundary: Option<AttachedDocument>,
    session: Option<Vec<AttachedDocument>>,
    /// Names all of the above, with their order and layers.
    fingerprint: [u8; 16],
    by_action: Arc<PerAction<ActionPolicies>>,
}

/// The slices of a principal's documents for one action, in the documents' order, with what they
/// can read.
#[derive(Debug)]
pub(super) struct ActionPolicies {
    pub(super) identity: Vec<Arc<Slice>>,
    pub(super) boundary: Option<Arc<Slice>>,
    pub(super) session: Option<Vec<Arc<Slice>>>,
    pub(super) reads: Reads,
}

impl PrincipalPolicies {
    /// The policies of a principal: its inline and attached policies (a user's groups' included),
    /// its permissions boundary, and its session's policies (none where the session has none,
    /// which limits nothing).
    #[must_use]
    pub fn new(
        identity: Vec<AttachedDocument>,
        boundary: Option<AttachedDocument>,
        session: Option<Vec<AttachedDocument>>,
    ) -> Self {
        let mut fingerprint = Fingerprint::new();
        fingerprint.layer("identity", Some(identity.iter()));
        fingerprint.layer("boundary", boundary.as_ref().map(std::slice::from_ref).map(<[_]>::iter));
        fingerprint.layer("session", session.as_deref().map(<[_]>::iter));
        let fingerprint = fingerprint.finish();
        Self { identity, boundary, session, fingerprint, by_action: Arc::default() }
    }

    /// Inline and attached policies, a user's groups' included.
    #[must_use]
    pub fn identity(&self) -> &[AttachedDocument] {
        &self.identity
    }

    /// The permissions boundary.
    #[must_use]
    pub fn boundary(&self) -> Option<&AttachedDocument> {
        self.boundary.as_ref()
    }

    /// The session's policies; none where the session has none.
    #[must_use]
    pub fn session(&self) -> Option<&[AttachedDocument]> {
        self.session.as_deref()
    }

    /// What all of them are, in 128 bits of SHA-256.
    pub(super) fn fingerprint(&self) -> &[u8; 16] {
        &self.fingerprint
    }

    /// The slices for one action.
    pub(super) fn for_action(&self, action: &ActionName) -> Arc<ActionPolicies> {
        self.by_action.get(action, || ActionPolicies::new(self, action))
    }
}

impl Default for PrincipalPolicies {
    /// No policies at all.
    fn default() -> Self {
        Self::new(Vec::new(), None, None)
    }
}

impl ActionPolicies {
    fn new(policies: &PrincipalPolicies, action: &ActionName) -> Self {
        let slice = |attached: &AttachedDocument| attached.document.slice(action);
        let identity: Vec<_> = policies.identity.iter().map(slice).collect();
        let boundary = policies.boundary.as_ref().map(slice);
        let session: Option<Vec<_>> = policies.session.as_ref().map(|documents| documents.iter().map(slice).collect());
        let reads = Reads::of(identity.iter().chain(&boundary).chain(session.iter().flatten()));
        Self { identity, boundary, session, reads }
    }
}

/// What is known of a principal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrincipalLookup {
    /// It is of an account that is served, and is not there.
    Missing,
    /// It is there, under this unique id (a session has its role's).
    Known(Arc<str>),
    /// It has no unique id, or is of an account that is not served: it is taken as it is.
    Unknown,
}

/// What the engine must know of identities.
pub trait PrincipalDirectory: Send + Sync {
    /// Whether the principal that a key policy names exists (PutKeyPolicy refuses one that does not).
    fn exists(&self, principal: &PrincipalPattern) -> bool;

    /// What is known of a principal that a grant names.
    fn look_up(&self, principal: &Principal) -> PrincipalLookup;
}
