//! Key material that others made: how it comes in, and what it is known by.

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded};
use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use super::name::KeyName;
use super::spec::{EncryptionAlgorithm, KeySpec, KeyUsage, WrappingAlgorithm};
use super::working_key::{SigningPair, WorkingKey, random_bytes};

/// What the ids of imported material are made for.
const ID_LABEL: &str = "keystile imported key material v1";

/// Unwraps material under the private key of an RSA wrapping key: with OAEP (RFC 8017), or, behind an
/// AES-256 key that comes so, with AES key wrap with padding (RFC 5649).
///
/// # Errors
/// Alike for whatever is wrong.
pub(super) fn unwrap(
    wrapping_key: &WorkingKey,
    algorithm: WrappingAlgorithm,
    wrapped: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
    let WorkingKey::Encryption(pair) = wrapping_key else { return Err(Unspecified) };
    let (oaep, wraps_a_key) = match algorithm {
        WrappingAlgorithm::RsaesOaepSha1 => (EncryptionAlgorithm::RsaesOaepSha1, false),
        WrappingAlgorithm::RsaesOaepSha256 => (EncryptionAlgorithm::RsaesOaepSha256, false),
        WrappingAlgorithm::RsaAesKeyWrapSha1 => (EncryptionAlgorithm::RsaesOaepSha1, true),
        WrappingAlgorithm::RsaAesKeyWrapSha256 => (EncryptionAlgorithm::RsaesOaepSha256, true),
    };
    if !wraps_a_key {
        return pair.decrypt(oaep, wrapped);
    }
    let (key, wrapped) = wrapped.split_at_checked(pair.ciphertext_bytes()).ok_or(Unspecified)?;
    let key = pair.decrypt(oaep, key)?;
    let mut material = Zeroizing::new(vec![0u8; wrapped.len()]);
    let length = AesKek::new(&AES_256, &key)?.unwrap_with_padding(wrapped, &mut material)?.len();
    material.truncate(length);
    Ok(material)
}

/// The id of material for a key of a spec and usage: the same whenever it is the same material for
/// the same key. It says nothing of a secret, being a MAC under it, and of a private key not even
/// which one it is to who doesn't know the public one.
///
/// # Errors
/// Where it is no material of the spec: bytes of the spec's length, or PKCS#8 (RFC 5208; KMS
/// Developer Guide, "Requirements for imported key material").
pub(super) fn identify(name: &KeyName, spec: KeySpec, usage: KeyUsage, material: &[u8]) -> Result<String, Unspecified> {
    let label = format!("{ID_LABEL}/{}/{}", name.account, name.id);
    let id = |key: &[u8]| {
        let mac = hmac::sign(&hmac::Key::new(HMAC_SHA256, key), label.as_bytes());
        HEXLOWER.encode(mac.as_ref())
    };
    match random_bytes(spec) {
        Some(length) if length == material.len() => Ok(id(material)),
        Some(_) => Err(Unspecified),
        None => {
            WorkingKey::read(spec, usage, material)?;
            // A private key has many encodings; what counts is the public key. Of all forms of a key
            // pair this one alone takes PKCS#8 and nothing else.
            Ok(id(SigningPair::read(spec, material)?.public_key()))
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::key_wrap::KeyWrapPadded as _;
    use data_encoding::HEXLOWER;

    use super::*;
    use crate::kms::KeyId;
    use crate::kms::working_key::generate;
    use crate::seal::nist_cases;

    fn name(byte: u8) -> KeyName {
        KeyName {
            account: "111122223333".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            id: KeyId::of([byte; 16], false),
        }
    }

    fn wrapping_key() -> WorkingKey {
        let secret = generate(KeySpec::Rsa2048).unwrap();
        WorkingKey::read(KeySpec::Rsa2048, KeyUsage::EncryptDecrypt, &secret).unwrap()
    }

    fn wrapped(key: &WorkingKey, algorithm: WrappingAlgorithm, material: &[u8]) -> Vec<u8> {
        let WorkingKey::Encryption(pair) = key else { panic!("no pair that encrypts") };
        let (oaep, aes) = match algorithm {
            WrappingAlgorithm::RsaesOaepSha1 => (EncryptionAlgorithm::RsaesOaepSha1, None),
            WrappingAlgorithm::RsaesOaepSha256 => (EncryptionAlgorithm::RsaesOaepSha256, None),
            WrappingAlgorithm::RsaAesKeyWrapSha1 => (EncryptionAlgorithm::RsaesOaepSha1, Some([7; 32])),
            WrappingAlgorithm::RsaAesKeyWrapSha256 => (EncryptionAlgorithm::RsaesOaepSha256, Some([7; 32])),
        };
        let Some(aes) = aes else { return pair.encrypt(oaep, material).unwrap() };
        let mut out = vec![0; material.len() + 15];
        let body = AesKek::new(&AES_256, &aes).unwrap().wrap_with_padding(material, &mut out).unwrap();
        [pair.encrypt(oaep, &aes).unwrap().as_slice(), body].concat()
    }

    const ALGORITHMS: [WrappingAlgorithm; 4] = [
        WrappingAlgorithm::RsaesOaepSha1,
        WrappingAlgorithm::RsaesOaepSha256,
        WrappingAlgorithm::RsaAesKeyWrapSha1,
        WrappingAlgorithm::RsaAesKeyWrapSha256,
    ];

    #[test]
    fn what_was_wrapped_unwraps_with_the_same_algorithm_alone() {
        let key = wrapping_key();
        for one in ALGORITHMS {
            let blob = wrapped(&key, one, b"thirty-three bytes of a material.");
            for other in ALGORITHMS {
                let outcome = unwrap(&key, other, &blob).ok();
                let expected = (one == other).then_some(b"thirty-three bytes of a material.".as_slice());
                assert_eq!(outcome.as_ref().map(|material| material.as_slice()), expected, "{one:?} as {other:?}");
            }
        }
    }

    #[test]
    fn what_nist_wrapped_with_padding_unwraps() {
        let hex = |value: &serde_json::Value| HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap();
        let key = wrapping_key();
        let WorkingKey::Encryption(pair) = &key else { panic!("no pair that encrypts") };
        for case in nist_cases("aes_256_kwp") {
            let aes = pair.encrypt(EncryptionAlgorithm::RsaesOaepSha256, &hex(&case["K"])).unwrap();
            let blob = [aes.as_slice(), &hex(&case["C"])].concat();
            let unwrapped = unwrap(&key, WrappingAlgorithm::RsaAesKeyWrapSha256, &blob);
            let expected = case["P"].is_string().then(|| hex(&case["P"]));
            assert_eq!(unwrapped.ok().map(|material| material.to_vec()), expected, "{case}");
        }
    }

    #[test]
    fn bytes_that_were_changed_or_cut_unwrap_to_nothing() {
        let key = wrapping_key();
        for algorithm in ALGORITHMS {
            let blob = wrapped(&key, algorithm, &[1; 32]);
            for at in [0, 100, 255, 256, 270, 295] {
                let Some(_) = blob.get(at) else { continue };
                let mut changed = blob.clone();
                changed[at] ^= 1;
                assert!(unwrap(&key, algorithm, &changed).is_err(), "{algorithm:?} {at}");
                assert!(unwrap(&key, algorithm, &blob[..at]).is_err(), "{algorithm:?} {at}");
            }
        }
    }

    #[test]
    fn material_is_of_its_spec_alone_and_known_again() {
        let specs = [
            KeySpec::SymmetricDefault,
            KeySpec::Hmac224,
            KeySpec::Hmac384,
            KeySpec::Hmac512,
            KeySpec::Rsa2048,
            KeySpec::Rsa3072,
            KeySpec::EccNistP256,
            KeySpec::EccNistP384,
            KeySpec::EccNistP521,
            KeySpec::EccSecgP256K1,
            KeySpec::EccNistEdwards25519,
        ];
        for made in specs {
            let material = generate(made).unwrap();
            for read in specs {
                for usage in read.usages() {
                    let id = identify(&name(1), read, *usage, &material);
                    // Any bytes of the right length are an HMAC key: a small key pair's as well.
                    let good = made == read || random_bytes(read) == Some(material.len());
                    assert_eq!(id.is_ok(), good, "{made:?} as {read:?}");
                    let Ok(id) = id else { continue };
                    assert_eq!(id.len(), 64);
                    assert_eq!(identify(&name(1), read, *usage, &material), Ok(id.clone()));
                    assert_ne!(identify(&name(2), read, *usage, &material), Ok(id.clone()));
                    let other = generate(made).unwrap();
                    assert_ne!(identify(&name(1), read, *usage, &other), Ok(id));
                }
            }
        }
    }
}
