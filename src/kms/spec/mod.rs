//! The kinds of keys: what their material is, what they are for, where it comes from, and which
//! algorithms that gives (KMS Developer Guide, "Key spec reference").

mod algorithms;
mod import;
mod key_spec;
mod key_usage;
mod named;
mod origin;

pub(super) use algorithms::{EncryptionAlgorithm, KeyAgreementAlgorithm, MacAlgorithm, MessageType, SigningAlgorithm};
pub(super) use import::{ExpirationModel, ImportType, WrappingAlgorithm};
pub(super) use key_spec::{Family, KeySpec};
pub(super) use key_usage::KeyUsage;
pub(super) use origin::Origin;

use super::error::{KmsError, texts};

/// Spec and usage of a new key, as its creator names them.
///
/// # Errors
/// `UnsupportedOperationException` for a spec that is not served; `ValidationException` for a usage
/// that keys of the spec can't have, and for none where the spec has no default.
pub(super) fn of_new_key(spec: Option<&str>, usage: Option<&str>) -> Result<(KeySpec, KeyUsage), KmsError> {
    let spec = match spec {
        Some(name) => KeySpec::named(name).ok_or_else(|| not_served("KeySpec", name))?,
        None => KeySpec::default(),
    };
    let usage = match usage {
        Some(name) => KeyUsage::named(name).ok_or_else(|| not_served("KeyUsage", name))?,
        None => spec.default_usage().ok_or_else(|| {
            texts::validation(
                "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
            )
        })?,
    };
    if !spec.usages().contains(&usage) {
        return Err(texts::validation(format!(
            "KeyUsage {} is not compatible with KeySpec {}",
            usage.name(),
            spec.name()
        )));
    }
    Ok((spec, usage))
}

/// A value that AWS knows and this engine does not serve.
pub(super) fn not_served(member: &str, value: &str) -> KmsError {
    texts::unsupported(format!("{member} {value} is not supported."))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: &str = "GENERATE_VERIFY_MAC";
    const SIGN: &str = "SIGN_VERIFY";
    const ENCRYPT: &str = "ENCRYPT_DECRYPT";
    const AGREE: &str = "KEY_AGREEMENT";

    #[test]
    fn each_spec_has_its_usages() {
        for (spec, default, usages) in [
            ("SYMMETRIC_DEFAULT", Some(ENCRYPT), &[ENCRYPT][..]),
            ("HMAC_224", None, &[MAC]),
            ("HMAC_256", None, &[MAC]),
            ("HMAC_384", None, &[MAC]),
            ("HMAC_512", None, &[MAC]),
            ("RSA_2048", Some(ENCRYPT), &[ENCRYPT, SIGN]),
            ("RSA_3072", Some(ENCRYPT), &[ENCRYPT, SIGN]),
            ("RSA_4096", Some(ENCRYPT), &[ENCRYPT, SIGN]),
            ("ECC_NIST_P256", None, &[SIGN, AGREE]),
            ("ECC_NIST_P384", None, &[SIGN, AGREE]),
            ("ECC_NIST_P521", None, &[SIGN, AGREE]),
            ("ECC_SECG_P256K1", None, &[SIGN]),
            ("ECC_NIST_EDWARDS25519", None, &[SIGN]),
            ("ML_DSA_44", None, &[SIGN]),
            ("ML_DSA_65", None, &[SIGN]),
            ("ML_DSA_87", None, &[SIGN]),
        ] {
            let named = KeySpec::named(spec).unwrap();
            for usage in [ENCRYPT, SIGN, MAC, AGREE] {
                let outcome = of_new_key(Some(spec), Some(usage));
                if usages.contains(&usage) {
                    assert_eq!(outcome, Ok((named, KeyUsage::named(usage).unwrap())));
                    assert!(!named.algorithms(KeyUsage::named(usage).unwrap()).1.is_empty(), "{spec} {usage}");
                } else {
                    let text = format!("KeyUsage {usage} is not compatible with KeySpec {spec}");
                    assert_eq!(outcome, Err(texts::validation(text)));
                }
            }
            let alone = of_new_key(Some(spec), None).map(|(_, usage)| usage.name());
            let refused = texts::validation(
                "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
            );
            assert_eq!(alone, default.ok_or(refused), "{spec}");
        }
        assert_eq!(of_new_key(Some("SM2"), Some(SIGN)).unwrap_err().code(), "UnsupportedOperationException");
        assert_eq!(of_new_key(None, None), Ok((KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt)));
    }

    #[test]
    fn what_is_stored_bears_the_names_of_aws() {
        assert_eq!(serde_json::to_string(&KeySpec::EccSecgP256K1).unwrap(), "\"ECC_SECG_P256K1\"");
        assert_eq!(serde_json::from_str::<Origin>("\"EXTERNAL\"").unwrap(), Origin::External);
    }
}
