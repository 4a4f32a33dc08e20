use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use arc_swap::ArcSwapOption;
use aws_sigv4::sign::v4::generate_signing_key;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;

use crate::aws::Region;

use super::credential::{Credential, SecretKey};
use super::credential_scope::CredentialScope;
use super::ecdsa_key::EcdsaKey;

/// A key derived for one day, region and service, held as the state of an HMAC that has taken
/// it in. The state is zeroised when dropped.
pub(super) struct SigningKey {
    version: u64,
    date: [u8; 8],
    region: Region,
    service: Box<str>,
    mac: Hmac<Sha256>,
}

/// Signing keys, so that a day's requests derive theirs once.
///
/// A key is kept only when a signature by it has held: nobody fills the cache by naming other
/// people's access keys. Beside each credential lies its last key; behind that, the cache.
pub(super) struct SigningKeys {
    cache: moka::sync::Cache<CacheKey, Arc<SigningKey>>,
    /// Unknown access keys are worked on with a secret that nobody has.
    nobody: SecretKey,
    nobody_last: ArcSwapOption<SigningKey>,
    nobody_ecdsa: OnceLock<Option<EcdsaKey>>,
}

/// A key, and whether it lies beside its credential already.
pub(super) struct Found {
    pub(super) key: Arc<SigningKey>,
    kept: bool,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct CacheKey {
    access_key_id: Arc<str>,
    version: u64,
    date: [u8; 8],
    region: Region,
    service: Box<str>,
}

impl SigningKey {
    /// `region` and `date` of the scope have been checked: the date is that of `at`.
    pub(super) fn derive(secret: &SecretKey, version: u64, at: Timestamp, scope: &CredentialScope<'_>) -> Option<Self> {
        let region = scope.region?;
        let bytes = generate_signing_key(secret.expose(), SystemTime::from(at), region, scope.service);
        Some(Self {
            version,
            date: scope.date.as_bytes().try_into().ok()?,
            region: region.parse().ok()?,
            service: scope.service.into(),
            mac: Hmac::new_from_slice(bytes.as_ref()).ok()?,
        })
    }

    fn fits(&self, version: u64, scope: &CredentialScope<'_>) -> bool {
        self.version == version
            && self.date == *scope.date.as_bytes()
            && scope.region == Some(self.region.as_str())
            && *self.service == *scope.service
    }

    /// HMAC-SHA-256 by this key.
    pub(super) fn sign(&self, string_to_sign: &[u8]) -> [u8; 32] {
        let mut mac = self.mac.clone();
        mac.update(string_to_sign);
        mac.finalize().into_bytes().into()
    }

    pub(super) fn region(&self) -> &Region {
        &self.region
    }

    pub(super) fn service(&self) -> &str {
        &self.service
    }
}

impl SigningKeys {
    /// Room for so many signing keys, about 400 bytes each.
    pub(super) fn new(capacity: u64) -> Self {
        Self {
            cache: moka::sync::Cache::new(capacity),
            nobody: SecretKey::from("nobody/has/this/secret/access/key/000000".to_owned()),
            nobody_last: ArcSwapOption::empty(),
            nobody_ecdsa: OnceLock::new(),
        }
    }

    /// The credential's key for a scope that has been checked; `None` if the scope is malformed
    /// after all.
    pub(super) fn find<I>(
        &self,
        credential: &Credential<I>,
        at: Timestamp,
        scope: &CredentialScope<'_>,
    ) -> Option<Found> {
        if let Some(last) = &*credential.last_signing_key.load()
            && last.fits(credential.version, scope)
        {
            return Some(Found { key: Arc::clone(last), kept: true });
        }
        let cached = CacheKey::of(credential, scope).and_then(|key| self.cache.get(&key));
        let key = match cached {
            Some(key) => key,
            None => Arc::new(SigningKey::derive(&credential.secret, credential.version, at, scope)?),
        };
        Some(Found { key, kept: false })
    }

    /// A key of nobody's: the work that a known access key's wrong signature costs.
    pub(super) fn of_nobody(&self, at: Timestamp, scope: &CredentialScope<'_>) -> Option<Found> {
        if let Some(last) = &*self.nobody_last.load()
            && last.fits(0, scope)
        {
            return Some(Found { key: Arc::clone(last), kept: true });
        }
        let key = Arc::new(SigningKey::derive(&self.nobody, 0, at, scope)?);
        self.nobody_last.store(Some(Arc::clone(&key)));
        Some(Found { key, kept: true })
    }

    /// The same of a SigV4a key, which follows from the access key alone.
    pub(super) fn ecdsa_of_nobody(&self) -> Option<&EcdsaKey> {
        self.nobody_ecdsa.get_or_init(|| EcdsaKey::derive("AKIANOBODY", &self.nobody)).as_ref()
    }

    /// Keeps a key by which a signature has held.
    pub(super) fn keep<I>(&self, credential: &Credential<I>, scope: &CredentialScope<'_>, found: &Found) {
        if found.kept {
            return;
        }
        if let Some(key) = CacheKey::of(credential, scope) {
            self.cache.insert(key, Arc::clone(&found.key));
        }
        credential.last_signing_key.store(Some(Arc::clone(&found.key)));
    }
}

impl CacheKey {
    fn of<I>(credential: &Credential<I>, scope: &CredentialScope<'_>) -> Option<Self> {
        Some(Self {
            access_key_id: Arc::clone(&credential.access_key_id),
            version: credential.version,
            date: scope.date.as_bytes().try_into().ok()?,
            region: scope.region?.parse().ok()?,
            service: scope.service.into(),
        })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("region", &self.region)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeys").field("kept", &self.cache.entry_count()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::sigv4::algorithm::Algorithm;

    use super::*;

    const CREDENTIAL: &str = "AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request";

    fn at() -> Timestamp {
        "2015-08-30T12:36:00Z".parse().unwrap()
    }

    fn credential(secret: &str, version: u64) -> Credential<()> {
        Credential::new("AKIDEXAMPLE", SecretKey::from(secret.to_owned()), version, ())
    }

    #[test]
    fn a_key_signs_as_aws_documents() {
        // AWS General Reference, "Examples of how to derive a signing key", and the request of
        // its SigV4 tutorial.
        let scope = CredentialScope::parse(CREDENTIAL, Algorithm::HmacSha256).unwrap();
        let owner = credential("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", 1);
        let found = SigningKeys::new(10).find(&owner, at(), &scope).unwrap();
        let string_to_sign = "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/iam/aws4_request\n\
                              f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59";
        assert_eq!(
            data_encoding::HEXLOWER.encode(&found.key.sign(string_to_sign.as_bytes())),
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
        assert_eq!((found.key.region().as_str(), found.key.service()), ("us-east-1", "iam"));
    }

    #[test]
    fn only_a_key_that_was_kept_is_found_again() {
        let keys = SigningKeys::new(10);
        let scope = CredentialScope::parse(CREDENTIAL, Algorithm::HmacSha256).unwrap();
        let owner = credential("s", 1);
        let found = keys.find(&owner, at(), &scope).unwrap();
        assert!(!Arc::ptr_eq(&found.key, &keys.find(&owner, at(), &scope).unwrap().key));
        keys.keep(&owner, &scope, &found);
        assert!(Arc::ptr_eq(&found.key, &keys.find(&owner, at(), &scope).unwrap().key));
        // The credential is loaded anew: the cache behind still has its key.
        let again = credential("s", 1);
        assert!(Arc::ptr_eq(&found.key, &keys.find(&again, at(), &scope).unwrap().key));
    }

    #[test]
    fn another_version_day_region_or_service_has_another_key() {
        let keys = SigningKeys::new(10);
        let scope = CredentialScope::parse(CREDENTIAL, Algorithm::HmacSha256).unwrap();
        let owner = credential("s", 1);
        let found = keys.find(&owner, at(), &scope).unwrap();
        keys.keep(&owner, &scope, &found);
        let signature = found.key.sign(b"x");
        let changed = credential("t", 2);
        assert_ne!(keys.find(&changed, at(), &scope).unwrap().key.sign(b"x"), signature);
        let tomorrow = "2015-08-31T12:36:00Z".parse().unwrap();
        for (other, at) in [
            ("AKIDEXAMPLE/20150831/us-east-1/iam/aws4_request", tomorrow),
            ("AKIDEXAMPLE/20150830/us-east-2/iam/aws4_request", at()),
            ("AKIDEXAMPLE/20150830/us-east-1/kms/aws4_request", at()),
        ] {
            let scope = CredentialScope::parse(other, Algorithm::HmacSha256).unwrap();
            assert_ne!(keys.find(&owner, at, &scope).unwrap().key.sign(b"x"), signature, "{other}");
        }
    }

    #[test]
    fn keys_are_not_printed() {
        let keys = SigningKeys::new(10);
        let scope = CredentialScope::parse(CREDENTIAL, Algorithm::HmacSha256).unwrap();
        let found = keys.find(&credential("s", 1), at(), &scope).unwrap();
        assert_eq!(format!("{:?}", found.key), "SigningKey { region: us-east-1, service: \"iam\", .. }");
    }
}
