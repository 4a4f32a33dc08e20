use std::fmt;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::ecdsa_key::EcdsaKey;
use super::signing_key::SigningKey;

/// A secret access key. Zeroised when dropped, never printed.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<String>);

/// A session token of a temporary access key. Zeroised when dropped, never printed.
#[derive(Clone)]
pub struct SessionToken(Zeroizing<String>);

/// An access key with what it proves.
pub struct Credential<I> {
    /// The public half, such as `AKIAIOSFODNN7EXAMPLE`.
    pub access_key_id: Arc<str>,
    /// The secret half.
    pub secret: SecretKey,
    /// Changes whenever the secret does: signing keys are cached by it.
    pub version: u64,
    /// The token that must come with a temporary key; `None` for a long-term key.
    pub session_token: Option<SessionToken>,
    /// When a temporary key ends, by the engine's clock.
    pub expires: Option<Timestamp>,
    /// Whom the key belongs to.
    pub identity: I,
    /// The signing key of the last request that verified: most clients stay on one day, region
    /// and service.
    pub(super) last_signing_key: ArcSwapOption<SigningKey>,
    /// What verifies its SigV4a signatures, once it was asked for; `None` in it where there is none.
    ecdsa_key: OnceLock<Option<EcdsaKey>>,
}

/// Where credentials are found.
pub trait CredentialSource: Send + Sync {
    /// Whom an access key belongs to.
    type Identity;

    /// The credential of an access key id; `None` when there is none, or it is not active.
    ///
    /// `session_token` is what came with the request, checked by nobody: a source of sessions that are
    /// kept nowhere finds them in it. Whatever credential comes back, the verifier holds the token to
    /// be that credential's own.
    ///
    /// # Errors
    /// [`Unavailable`] when it cannot be told now; the request is then refused as a fault of the
    /// service, not of the caller.
    fn credential(
        &self,
        access_key_id: &str,
        session_token: Option<&[u8]>,
    ) -> Result<Option<Arc<Credential<Self::Identity>>>, Unavailable>;
}

/// Credentials cannot be looked up now. The text is for the operator's log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("credentials are unavailable: {0}")]
pub struct Unavailable(pub String);

impl<I> Credential<I> {
    /// A long-term credential.
    pub fn new(access_key_id: impl Into<Arc<str>>, secret: SecretKey, version: u64, identity: I) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret,
            version,
            session_token: None,
            expires: None,
            identity,
            last_signing_key: ArcSwapOption::empty(),
            ecdsa_key: OnceLock::new(),
        }
    }

    /// The same as a temporary credential: its token, and when it ends.
    #[must_use]
    pub fn temporary(mut self, session_token: SessionToken, expires: Option<Timestamp>) -> Self {
        self.session_token = Some(session_token);
        self.expires = expires;
        self
    }

    pub(super) fn ecdsa_key(&self) -> Option<&EcdsaKey> {
        self.ecdsa_key.get_or_init(|| EcdsaKey::derive(&self.access_key_id, &self.secret)).as_ref()
    }
}

impl SecretKey {
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl SessionToken {
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretKey {
    fn from(secret: String) -> Self {
        Self(Zeroizing::new(secret))
    }
}

impl From<String> for SessionToken {
    fn from(token: String) -> Self {
        Self(Zeroizing::new(token))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(redacted)")
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(redacted)")
    }
}

impl<I: fmt::Debug> fmt::Debug for Credential<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("access_key_id", &self.access_key_id)
            .field("version", &self.version)
            .field("expires", &self.expires)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_tokens_are_not_printed() {
        let credential = Credential::new("AKID", SecretKey::from("hush-secret".to_owned()), 1, "alice")
            .temporary(SessionToken::from("hush-token".to_owned()), None);
        let printed = format!("{credential:?} {:?} {:?}", credential.secret, credential.session_token);
        assert!(printed.contains("AKID") && printed.contains("alice"));
        assert!(!printed.contains("hush"), "{printed}");
    }
}
