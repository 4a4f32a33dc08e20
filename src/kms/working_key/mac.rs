use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hmac::{self, HMAC_SHA224, HMAC_SHA256, HMAC_SHA384, HMAC_SHA512, Key, Tag};

use crate::kms::spec::KeySpec;

/// An HMAC key (RFC 2104) with the hash of its spec.
pub(in crate::kms) struct MacKey(Box<Key>);

impl MacKey {
    pub(super) fn read(spec: KeySpec, secret: &[u8]) -> Result<Self, Unspecified> {
        let algorithm = match spec {
            KeySpec::Hmac224 => HMAC_SHA224,
            KeySpec::Hmac256 => HMAC_SHA256,
            KeySpec::Hmac384 => HMAC_SHA384,
            KeySpec::Hmac512 => HMAC_SHA512,
            _ => return Err(Unspecified),
        };
        if secret.is_empty() {
            return Err(Unspecified);
        }
        Ok(Self(Box::new(Key::new(algorithm, secret))))
    }

    pub(in crate::kms) fn of(&self, message: &[u8]) -> Tag {
        hmac::sign(&self.0, message)
    }

    /// In a time that does not depend on where the MACs differ.
    pub(in crate::kms) fn is_of(&self, mac: &[u8], message: &[u8]) -> bool {
        hmac::verify(&self.0, message, mac).is_ok()
    }
}
