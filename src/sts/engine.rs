use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;

use super::authorization_message;
use super::key_sets::{KeySetTransport, KeySets, NoTransport};
use super::mfa::MfaGuard;
use crate::authz::{AuthzRequest, Decision};
use crate::aws::{Caller, Surroundings};
use crate::cedar::Documents;
use crate::identity::Directory;
use crate::seal::{SealError, SealingKey};

/// The token service.
pub struct Sts {
    pub(super) key: Arc<SealingKey>,
    pub(super) documents: Arc<Documents>,
    pub(super) mfa: MfaGuard,
    pub(super) key_sets: KeySets,
    pub(super) transport: ArcSwap<Box<dyn KeySetTransport>>,
}

/// Who asks, and in which surroundings.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// Who asks.
    pub caller: &'a Arc<Caller>,
    /// Who there is.
    pub directory: &'a Directory,
    /// The request's own surroundings; their time is that of sessions.
    pub surroundings: &'a Arc<Surroundings>,
    /// Wall-clock time: that of devices and of others' tokens.
    pub wall_clock: Timestamp,
}

impl Sts {
    /// A token service whose sessions that key seals.
    #[must_use]
    pub fn new(key: Arc<SealingKey>, documents: Arc<Documents>) -> Self {
        Self {
            key,
            documents,
            mfa: MfaGuard::default(),
            key_sets: KeySets::default(),
            transport: ArcSwap::from_pointee(Box::new(NoTransport)),
        }
    }

    /// Fetches the keys of identity providers through this from now on.
    pub fn fetch_key_sets(&self, transport: Box<dyn KeySetTransport>) {
        self.transport.store(Arc::new(transport));
    }

    /// The key that seals sessions.
    #[must_use]
    pub fn sealing_key(&self) -> &Arc<SealingKey> {
        &self.key
    }

    /// Why a request was denied, opaque to whoever gets it: the account of the caller alone can have it
    /// decoded (`sts:DecodeAuthorizationMessage`).
    ///
    /// # Errors
    /// Where the system has no random bytes.
    pub fn encode_authorization_message(
        &self,
        request: &AuthzRequest,
        decision: &Decision,
    ) -> Result<String, SealError> {
        authorization_message::encode(&self.key, request, decision)
    }
}
