//! The kinds of keys (KMS Developer Guide, "Key spec reference"; KMS API Reference, "CreateKey").

pub(super) const SYMMETRIC: &str = "SYMMETRIC_DEFAULT";

/// Spec, the usages that it may have, and the usage where none is named.
const SPECS: [(&str, &[&str], Option<&str>); 16] = [
    ("SYMMETRIC_DEFAULT", &["ENCRYPT_DECRYPT"], Some("ENCRYPT_DECRYPT")),
    ("HMAC_224", &["GENERATE_VERIFY_MAC"], None),
    ("HMAC_256", &["GENERATE_VERIFY_MAC"], None),
    ("HMAC_384", &["GENERATE_VERIFY_MAC"], None),
    ("HMAC_512", &["GENERATE_VERIFY_MAC"], None),
    ("RSA_2048", &["ENCRYPT_DECRYPT", "SIGN_VERIFY"], Some("ENCRYPT_DECRYPT")),
    ("RSA_3072", &["ENCRYPT_DECRYPT", "SIGN_VERIFY"], Some("ENCRYPT_DECRYPT")),
    ("RSA_4096", &["ENCRYPT_DECRYPT", "SIGN_VERIFY"], Some("ENCRYPT_DECRYPT")),
    ("ECC_NIST_P256", &["SIGN_VERIFY", "KEY_AGREEMENT"], None),
    ("ECC_NIST_P384", &["SIGN_VERIFY", "KEY_AGREEMENT"], None),
    ("ECC_NIST_P521", &["SIGN_VERIFY", "KEY_AGREEMENT"], None),
    ("ECC_SECG_P256K1", &["SIGN_VERIFY"], None),
    ("ECC_NIST_EDWARDS25519", &["SIGN_VERIFY"], None),
    ("ML_DSA_44", &["SIGN_VERIFY"], None),
    ("ML_DSA_65", &["SIGN_VERIFY"], None),
    ("ML_DSA_87", &["SIGN_VERIFY"], None),
];

/// The usages of a spec and its default; none for a spec that is not served.
pub(super) fn usages(spec: &str) -> Option<(&'static [&'static str], Option<&'static str>)> {
    SPECS.iter().find(|(name, ..)| *name == spec).map(|(_, usages, default)| (*usages, *default))
}

/// The member of a key's metadata that lists its algorithms, and the algorithms.
pub(super) fn algorithms(spec: &str, usage: &str) -> (&'static str, &'static [&'static str]) {
    match (spec, usage) {
        ("SYMMETRIC_DEFAULT", _) => ("EncryptionAlgorithms", &["SYMMETRIC_DEFAULT"]),
        (_, "ENCRYPT_DECRYPT") => ("EncryptionAlgorithms", &["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]),
        (_, "KEY_AGREEMENT") => ("KeyAgreementAlgorithms", &["ECDH"]),
        ("HMAC_224", _) => ("MacAlgorithms", &["HMAC_SHA_224"]),
        ("HMAC_256", _) => ("MacAlgorithms", &["HMAC_SHA_256"]),
        ("HMAC_384", _) => ("MacAlgorithms", &["HMAC_SHA_384"]),
        ("HMAC_512", _) => ("MacAlgorithms", &["HMAC_SHA_512"]),
        ("ECC_NIST_P256" | "ECC_SECG_P256K1", _) => ("SigningAlgorithms", &["ECDSA_SHA_256"]),
        ("ECC_NIST_P384", _) => ("SigningAlgorithms", &["ECDSA_SHA_384"]),
        ("ECC_NIST_P521", _) => ("SigningAlgorithms", &["ECDSA_SHA_512"]),
        // The other, ED25519_PH_SHA_512, is not served.
        ("ECC_NIST_EDWARDS25519", _) => ("SigningAlgorithms", &["ED25519_SHA_512"]),
        (spec, _) if spec.starts_with("ML_DSA") => ("SigningAlgorithms", &["ML_DSA_SHAKE_256"]),
        _ => (
            "SigningAlgorithms",
            &[
                "RSASSA_PKCS1_V1_5_SHA_256",
                "RSASSA_PKCS1_V1_5_SHA_384",
                "RSASSA_PKCS1_V1_5_SHA_512",
                "RSASSA_PSS_SHA_256",
                "RSASSA_PSS_SHA_384",
                "RSASSA_PSS_SHA_512",
            ],
        ),
    }
}

/// Between keys of which type an alias may move (KMS API Reference, "UpdateAlias").
pub(super) fn family(spec: &str) -> &'static str {
    if spec == SYMMETRIC {
        "symmetric"
    } else if spec.starts_with("HMAC") {
        "HMAC"
    } else {
        "asymmetric"
    }
}

/// What a grant on a key may allow (KMS Developer Guide, "Grant operations").
pub(super) fn grantable(spec: &str, usage: &str) -> Vec<&'static str> {
    let own: &[&str] = match usage {
        "ENCRYPT_DECRYPT" if spec == SYMMETRIC => &[
            "Encrypt",
            "Decrypt",
            "GenerateDataKey",
            "GenerateDataKeyWithoutPlaintext",
            "GenerateDataKeyPair",
            "GenerateDataKeyPairWithoutPlaintext",
            "ReEncryptFrom",
            "ReEncryptTo",
        ],
        "ENCRYPT_DECRYPT" => &["Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GetPublicKey"],
        "SIGN_VERIFY" => &["Sign", "Verify", "GetPublicKey"],
        "GENERATE_VERIFY_MAC" => &["GenerateMac", "VerifyMac"],
        _ => &["DeriveSharedSecret", "GetPublicKey"],
    };
    [own, &["CreateGrant", "RetireGrant", "DescribeKey"]].concat()
}
