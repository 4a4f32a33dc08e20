use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use sha2::{Digest, Sha256};

use crate::aws::{ActionName, Arn, ConditionKey};
use crate::cedar::{Clockwork, CompiledDocument, Slice, TimeKey};
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
    by_action: Arc<RwLock<HashMap<Box<str>, Arc<ActionPolicies>>>>,
}

/// The slices of a principal's documents for one action, in the documents' order, with what they
/// can read.
#[derive(Debug)]
pub(super) struct ActionPolicies {
    pub(super) identity: Vec<Arc<Slice>>,
    pub(super) boundary: Option<Arc<Slice>>,
    pub(super) session: Option<Vec<Arc<Slice>>>,
    pub(super) keys: Box<[ConditionKey]>,
    pub(super) clockwork: Box<[Clockwork]>,
}

impl PrincipalPolicies {
    /// Most actions that slices are kept for.
    const MAX_ACTIONS: usize = 1024;

    /// The policies of a principal: its inline and attached policies (a user's groups' included),
    /// its permissions boundary, and its session's policies (none where the session has none,
    /// which limits nothing).
    #[must_use]
    pub fn new(
        identity: Vec<AttachedDocument>,
        boundary: Option<AttachedDocument>,
        session: Option<Vec<AttachedDocument>>,
    ) -> Self {
        let fingerprint = fingerprint(&identity, boundary.as_ref(), session.as_deref());
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
        let known = self.by_action.read().unwrap_or_else(PoisonError::into_inner).get(action.as_str()).cloned();
        known.unwrap_or_else(|| {
            let made = Arc::new(ActionPolicies::new(self, action));
            let mut by_action = self.by_action.write().unwrap_or_else(PoisonError::into_inner);
            if by_action.len() < Self::MAX_ACTIONS {
                by_action.insert(action.as_str().into(), Arc::clone(&made));
            }
            made
        })
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
        let mut keys = BTreeSet::new();
        let mut clockwork: BTreeMap<TimeKey, Clockwork> = BTreeMap::new();
        for slice in identity.iter().chain(&boundary).chain(session.iter().flatten()) {
            let projection = slice.projection();
            keys.extend(projection.keys.iter().cloned());
            for more in &projection.clockwork {
                clockwork.entry(more.key).and_modify(|known| known.merge(more)).or_insert_with(|| more.clone());
            }
        }
        Self {
            identity,
            boundary,
            session,
            keys: keys.into_iter().collect(),
            clockwork: clockwork.into_values().collect(),
        }
    }
}

fn fingerprint(
    identity: &[AttachedDocument],
    boundary: Option<&AttachedDocument>,
    session: Option<&[AttachedDocument]>,
) -> [u8; 16] {
    let mut hasher = Sha256::new();
    let mut text = |text: &str| {
        hasher.update(text.len().to_le_bytes());
        hasher.update(text);
    };
    let mut layer = |name: &str, documents: Option<Vec<&AttachedDocument>>| {
        text(name);
        let Some(documents) = documents else { return text("none") };
        text(&documents.len().to_string());
        for attached in documents {
            text(attached.document.kind().name());
            text(&data_encoding::HEXLOWER.encode(&attached.document.hash()));
            text(attached.arn.as_ref().map_or("", Arn::as_str));
            let source = attached.source.as_ref();
            text(source.map_or("", |source| &*source.file));
            text(&source.and_then(|source| source.first_line).unwrap_or_default().to_string());
        }
    };
    layer("identity", Some(identity.iter().collect()));
    layer("boundary", boundary.map(|attached| vec![attached]));
    layer("session", session.map(|documents| documents.iter().collect()));
    let digest: [u8; 32] = hasher.finalize().into();
    let mut short = [0; 16];
    short.copy_from_slice(&digest[..16]);
    short
}

/// What the engine must know of identities.
pub trait PrincipalDirectory: Send + Sync {
    /// Whether the principal that a key policy names exists (PutKeyPolicy refuses one that does not).
    fn exists(&self, principal: &PrincipalPattern) -> bool;
}
