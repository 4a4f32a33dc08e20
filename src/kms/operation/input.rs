use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::custom_key_store::CustomKeyStoreRequest;
use super::import::ImportKeyMaterial;
use crate::kms::custom_key_stores::InCustomKeyStore;
use crate::kms::spec::{
    KeyAgreementAlgorithm, KeySpec, KeyUsage, MacAlgorithm, MessageType, Origin, SigningAlgorithm, WrappingAlgorithm,
};

/// The members of each operation, in forms that several share.
pub(in crate::kms) enum Input {
    /// A key and nothing else.
    Key {
        key_id: String,
    },
    CreateKey(CreateKey),
    /// `ListKeys`, `ListAliases` (perhaps of one key), `ListKeyPolicies`, `ListResourceTags`,
    /// `ListKeyRotations`.
    List {
        key_id: Option<String>,
        page: Page,
        all_material: bool,
    },
    GetKeyPolicy {
        key_id: String,
        policy_name: Option<String>,
    },
    PutKeyPolicy {
        key_id: String,
        policy_name: Option<String>,
        policy: String,
        bypass: Option<bool>,
    },
    ScheduleKeyDeletion {
        key_id: String,
        window_days: Option<i64>,
    },
    UpdateKeyDescription {
        key_id: String,
        description: String,
    },
    /// `CreateAlias`, `UpdateAlias`; `DeleteAlias` without a target.
    Alias {
        alias_name: String,
        target: Option<String>,
    },
    Tag {
        key_id: String,
        tags: Vec<(String, String)>,
    },
    Untag {
        key_id: String,
        tag_keys: Vec<String>,
    },
    EnableKeyRotation {
        key_id: String,
        period_days: Option<i64>,
    },
    Encrypt {
        key_id: String,
        plaintext: Zeroizing<Vec<u8>>,
        context: EncryptionContext,
        algorithm: Option<String>,
    },
    Decrypt {
        key_id: Option<String>,
        ciphertext: Vec<u8>,
        context: EncryptionContext,
        algorithm: Option<String>,
    },
    ReEncrypt(ReEncrypt),
    /// `GenerateDataKey`, `GenerateDataKeyWithoutPlaintext`.
    DataKey {
        key_id: String,
        context: EncryptionContext,
        spec: Option<String>,
        bytes: Option<i64>,
    },
    Random {
        bytes: Option<i64>,
        /// `CustomKeyStoreId`.
        store: Option<String>,
    },
    CustomKeyStore(CustomKeyStoreRequest),
    ReplicateKey(ReplicateKey),
    UpdatePrimaryRegion {
        key_id: String,
        region: String,
    },
    CreateGrant(CreateGrant),
    ListGrants {
        key_id: String,
        grant_id: Option<String>,
        grantee: Option<String>,
        page: Page,
    },
    ListRetirableGrants {
        retiring: String,
        page: Page,
    },
    RetireGrant(RetireGrant),
    RevokeGrant {
        key_id: String,
        grant_id: String,
    },
    /// `GenerateMac`, `VerifyMac`.
    Mac(MacRequest),
    /// `Sign`, `Verify`.
    Signature(SignatureRequest),
    /// `DeriveSharedSecret`.
    Agreement {
        key_id: String,
        algorithm: KeyAgreementAlgorithm,
        public_key: Vec<u8>,
    },
    /// `GenerateDataKeyPair`, `GenerateDataKeyPairWithoutPlaintext`.
    DataKeyPair {
        key_id: String,
        context: EncryptionContext,
        pair_spec: KeySpec,
    },
    GetParametersForImport {
        key_id: String,
        algorithm: WrappingAlgorithm,
        wrapping_spec: KeySpec,
    },
    ImportKeyMaterial(ImportKeyMaterial),
    DeleteImportedKeyMaterial {
        key_id: String,
        material_id: Option<String>,
    },
}

pub(in crate::kms) struct MacRequest {
    pub(in crate::kms) key_id: String,
    pub(in crate::kms) message: Zeroizing<Vec<u8>>,
    pub(in crate::kms) algorithm: MacAlgorithm,
    /// What is to be verified; empty where it is to be made.
    pub(in crate::kms) mac: Vec<u8>,
}

pub(in crate::kms) struct SignatureRequest {
    pub(in crate::kms) key_id: String,
    pub(in crate::kms) message: Zeroizing<Vec<u8>>,
    pub(in crate::kms) message_type: MessageType,
    pub(in crate::kms) algorithm: SigningAlgorithm,
    /// What is to be verified; empty where it is to be made.
    pub(in crate::kms) signature: Vec<u8>,
}

#[derive(Default)]
pub(in crate::kms) struct CreateKey {
    pub(in crate::kms) policy: Option<String>,
    pub(in crate::kms) description: Option<String>,
    pub(in crate::kms) tags: Vec<(String, String)>,
    pub(in crate::kms) bypass: Option<bool>,
    pub(in crate::kms) multi_region: bool,
    pub(in crate::kms) spec: KeySpec,
    pub(in crate::kms) usage: KeyUsage,
    pub(in crate::kms) origin: Origin,
    /// Of a key in a custom key store, which the origin `EXTERNAL_KEY_STORE` alone has.
    pub(in crate::kms) custom_key_store: Option<InCustomKeyStore>,
}

pub(in crate::kms) struct ReplicateKey {
    pub(in crate::kms) key_id: String,
    pub(in crate::kms) region: String,
    pub(in crate::kms) policy: Option<String>,
    pub(in crate::kms) description: Option<String>,
    pub(in crate::kms) tags: Vec<(String, String)>,
    pub(in crate::kms) bypass: Option<bool>,
}

pub(in crate::kms) struct CreateGrant {
    pub(in crate::kms) key_id: String,
    pub(in crate::kms) grantee: String,
    pub(in crate::kms) retiring: Option<String>,
    /// In the request's order, each once.
    pub(in crate::kms) operations: Vec<String>,
    pub(in crate::kms) equals: Option<EncryptionContext>,
    pub(in crate::kms) subset: Option<EncryptionContext>,
    pub(in crate::kms) name: Option<String>,
}

/// By the token, or by key and grant.
pub(in crate::kms) enum RetireGrant {
    Token(String),
    Grant { key_id: String, grant_id: String },
}

pub(in crate::kms) struct ReEncrypt {
    pub(in crate::kms) ciphertext: Vec<u8>,
    pub(in crate::kms) source_key_id: Option<String>,
    pub(in crate::kms) source_context: EncryptionContext,
    pub(in crate::kms) source_algorithm: Option<String>,
    pub(in crate::kms) destination_key_id: String,
    pub(in crate::kms) destination_context: EncryptionContext,
    pub(in crate::kms) destination_algorithm: Option<String>,
}

/// Which part of a list is asked for.
#[derive(Clone, Debug, Default)]
pub(in crate::kms) struct Page {
    pub(in crate::kms) limit: Option<i64>,
    pub(in crate::kms) marker: Option<String>,
}

/// Pairs of an encryption context, in the request's order; keys are case-sensitive and unique.
#[derive(Clone, Default, PartialEq, Eq)]
pub(in crate::kms) struct EncryptionContext(pub(in crate::kms) Vec<(String, String)>);

impl EncryptionContext {
    /// The pairs as grants compare them.
    pub(in crate::kms) fn to_map(&self) -> BTreeMap<String, String> {
        self.0.iter().cloned().collect()
    }

    /// Of keys and values together.
    pub(super) fn bytes(&self) -> usize {
        self.0.iter().map(|(key, value)| key.len() + value.len()).sum()
    }
}

impl Input {
    /// The key that the request names, where it names one.
    pub(in crate::kms) fn key_id(&self) -> Option<&str> {
        match self {
            Self::Key { key_id }
            | Self::GetKeyPolicy { key_id, .. }
            | Self::PutKeyPolicy { key_id, .. }
            | Self::ScheduleKeyDeletion { key_id, .. }
            | Self::UpdateKeyDescription { key_id, .. }
            | Self::Tag { key_id, .. }
            | Self::Untag { key_id, .. }
            | Self::EnableKeyRotation { key_id, .. }
            | Self::Encrypt { key_id, .. }
            | Self::DataKey { key_id, .. }
            | Self::CreateGrant(CreateGrant { key_id, .. })
            | Self::ReplicateKey(ReplicateKey { key_id, .. })
            | Self::UpdatePrimaryRegion { key_id, .. }
            | Self::ListGrants { key_id, .. }
            | Self::RevokeGrant { key_id, .. }
            | Self::Mac(MacRequest { key_id, .. })
            | Self::Signature(SignatureRequest { key_id, .. })
            | Self::Agreement { key_id, .. }
            | Self::DataKeyPair { key_id, .. }
            | Self::GetParametersForImport { key_id, .. }
            | Self::ImportKeyMaterial(ImportKeyMaterial { key_id, .. })
            | Self::DeleteImportedKeyMaterial { key_id, .. } => Some(key_id),
            Self::List { key_id, .. } | Self::Decrypt { key_id, .. } => key_id.as_deref(),
            Self::CreateKey(_)
            | Self::Alias { .. }
            | Self::ReEncrypt(_)
            | Self::Random { .. }
            | Self::CustomKeyStore(_)
            | Self::ListRetirableGrants { .. }
            | Self::RetireGrant(_) => None,
        }
    }
}
