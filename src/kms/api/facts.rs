use crate::aws::ActionName;
use crate::aws::catalogue::kms;

/// An operation that is served, in the model's spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are AWS's")]
pub enum Kind {
    CancelKeyDeletion,
    ConnectCustomKeyStore,
    CreateAlias,
    CreateCustomKeyStore,
    CreateGrant,
    CreateKey,
    Decrypt,
    DeleteAlias,
    DeleteCustomKeyStore,
    DeleteImportedKeyMaterial,
    DeriveSharedSecret,
    DescribeCustomKeyStores,
    DescribeKey,
    DisableKey,
    DisableKeyRotation,
    DisconnectCustomKeyStore,
    EnableKey,
    EnableKeyRotation,
    Encrypt,
    GenerateDataKey,
    GenerateDataKeyPair,
    GenerateDataKeyPairWithoutPlaintext,
    GenerateDataKeyWithoutPlaintext,
    GenerateMac,
    GenerateRandom,
    GetKeyLastUsage,
    GetKeyPolicy,
    GetKeyRotationStatus,
    GetParametersForImport,
    GetPublicKey,
    ImportKeyMaterial,
    ListAliases,
    ListGrants,
    ListKeyPolicies,
    ListKeyRotations,
    ListKeys,
    ListResourceTags,
    ListRetirableGrants,
    PutKeyPolicy,
    ReEncrypt,
    ReplicateKey,
    RetireGrant,
    RevokeGrant,
    RotateKeyOnDemand,
    ScheduleKeyDeletion,
    Sign,
    TagResource,
    UntagResource,
    UpdateAlias,
    UpdateCustomKeyStore,
    UpdateKeyDescription,
    UpdatePrimaryRegion,
    Verify,
    VerifyMac,
}

/// In which states of its key an operation works (KMS Developer Guide, "Key states of AWS KMS keys").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum States {
    /// In all of them.
    Any,
    /// Enabled alone: `DisabledException`, `KMSInvalidStateException`.
    Enabled,
    /// [`States::Enabled`], but what a key that waits for its material answers follows from its origin.
    EnabledOrPendingImport,
    /// Neither `PendingDeletion` nor `PendingImport`.
    EnabledOrDisabled,
    /// All but `PendingDeletion`.
    NotPendingDeletion,
    /// `PendingDeletion` alone.
    PendingDeletion,
}

/// What a `KeyId` member of an operation may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyIds {
    /// Key id, key ARN, alias name or alias ARN.
    WithAliases,
    /// Key id or key ARN.
    KeysOnly,
    /// Key id or key ARN; an alias is `InvalidArnException`, as the rotation operations say it.
    RotationKeysOnly,
}

/// What the engine knows of an operation beside its members.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) kind: Kind,
    pub(crate) name: &'static str,
    /// The action to authorise on the key (`ReEncrypt` has two of its own).
    pub(crate) action: ActionName,
    /// Whether it changes what is stored: its audit record must be on disk before the answer.
    pub(crate) mutation: bool,
    /// Whether AWS lets another account's principals do it at all (of `ReEncrypt`, which is two
    /// actions, this says nothing).
    pub(crate) cross_account: bool,
    pub(crate) key_ids: KeyIds,
    pub(crate) states: States,
}

macro_rules! facts {
    ($($name:ident: $mutation:expr, $ids:ident, $states:ident;)*) => {
        /// In the order of [`Kind`].
        pub(crate) const FACTS: &[Facts] = &[$(Facts {
            kind: Kind::$name,
            name: stringify!($name),
            action: ActionName::of(concat!("kms:", stringify!($name))),
            mutation: $mutation,
            cross_account: kms::operation_works_across_accounts(stringify!($name)),
            key_ids: KeyIds::$ids,
            states: States::$states,
        }),*];
    };
}

const WRITES: bool = true;
const READS: bool = false;

facts! {
    CancelKeyDeletion: WRITES, KeysOnly, PendingDeletion;
    ConnectCustomKeyStore: WRITES, KeysOnly, Any;
    CreateAlias: WRITES, KeysOnly, NotPendingDeletion;
    CreateCustomKeyStore: WRITES, KeysOnly, Any;
    CreateGrant: WRITES, KeysOnly, Enabled;
    CreateKey: WRITES, KeysOnly, Any;
    Decrypt: READS, WithAliases, Enabled;
    DeleteAlias: WRITES, KeysOnly, Any;
    DeleteCustomKeyStore: WRITES, KeysOnly, Any;
    DeleteImportedKeyMaterial: WRITES, KeysOnly, Any;
    DeriveSharedSecret: READS, WithAliases, Enabled;
    DescribeCustomKeyStores: READS, KeysOnly, Any;
    DescribeKey: READS, WithAliases, Any;
    DisableKey: WRITES, KeysOnly, EnabledOrDisabled;
    DisableKeyRotation: WRITES, RotationKeysOnly, EnabledOrPendingImport;
    DisconnectCustomKeyStore: WRITES, KeysOnly, Any;
    EnableKey: WRITES, KeysOnly, EnabledOrDisabled;
    EnableKeyRotation: WRITES, RotationKeysOnly, EnabledOrPendingImport;
    Encrypt: READS, WithAliases, Enabled;
    GenerateDataKey: READS, WithAliases, Enabled;
    GenerateDataKeyPair: READS, WithAliases, Enabled;
    GenerateDataKeyPairWithoutPlaintext: READS, WithAliases, Enabled;
    GenerateDataKeyWithoutPlaintext: READS, WithAliases, Enabled;
    GenerateMac: READS, WithAliases, Enabled;
    GenerateRandom: READS, KeysOnly, Any;
    GetKeyLastUsage: READS, KeysOnly, Any;
    GetKeyPolicy: READS, KeysOnly, Any;
    GetKeyRotationStatus: READS, RotationKeysOnly, Any;
    GetParametersForImport: READS, KeysOnly, NotPendingDeletion;
    GetPublicKey: READS, WithAliases, NotPendingDeletion;
    ImportKeyMaterial: WRITES, KeysOnly, NotPendingDeletion;
    ListAliases: READS, KeysOnly, Any;
    ListGrants: READS, KeysOnly, Any;
    ListKeyPolicies: READS, KeysOnly, Any;
    ListKeyRotations: READS, RotationKeysOnly, Any;
    ListKeys: READS, KeysOnly, Any;
    ListResourceTags: READS, KeysOnly, Any;
    ListRetirableGrants: READS, KeysOnly, Any;
    PutKeyPolicy: WRITES, KeysOnly, Any;
    ReEncrypt: READS, WithAliases, Enabled;
    ReplicateKey: WRITES, KeysOnly, Enabled;
    RetireGrant: WRITES, KeysOnly, Any;
    RevokeGrant: WRITES, KeysOnly, Any;
    RotateKeyOnDemand: WRITES, RotationKeysOnly, Enabled;
    ScheduleKeyDeletion: WRITES, KeysOnly, NotPendingDeletion;
    Sign: READS, WithAliases, Enabled;
    TagResource: WRITES, KeysOnly, NotPendingDeletion;
    UntagResource: WRITES, KeysOnly, NotPendingDeletion;
    UpdateAlias: WRITES, KeysOnly, NotPendingDeletion;
    UpdateCustomKeyStore: WRITES, KeysOnly, Any;
    UpdateKeyDescription: WRITES, KeysOnly, NotPendingDeletion;
    UpdatePrimaryRegion: WRITES, KeysOnly, Enabled;
    Verify: READS, WithAliases, Enabled;
    VerifyMac: READS, WithAliases, Enabled;
}

impl Kind {
    /// The operation of that name; none for a name that KMS does not have.
    pub(crate) fn named(name: &str) -> Option<Self> {
        FACTS.iter().find(|facts| facts.name == name).map(|facts| facts.kind)
    }

    pub(crate) fn facts(self) -> &'static Facts {
        &FACTS[self as usize]
    }

    /// Whether it is one of the cryptographic operations that count as the use of a key (KMS API
    /// Reference, "`GetKeyLastUsage`").
    pub(crate) fn uses_its_key(self) -> bool {
        matches!(
            self,
            Self::Decrypt
                | Self::DeriveSharedSecret
                | Self::Encrypt
                | Self::GenerateDataKey
                | Self::GenerateDataKeyPair
                | Self::GenerateDataKeyPairWithoutPlaintext
                | Self::GenerateDataKeyWithoutPlaintext
                | Self::GenerateMac
                | Self::ReEncrypt
                | Self::Sign
                | Self::Verify
                | Self::VerifyMac
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_finds_its_own_facts() {
        assert_eq!(FACTS.len(), 54);
        for (at, facts) in FACTS.iter().enumerate() {
            assert_eq!(facts.kind as usize, at);
            assert_eq!(Kind::named(facts.name), Some(facts.kind));
        }
        assert_eq!(Kind::named("createkey"), None);
    }

    #[test]
    fn every_operation_of_the_model_is_served() {
        let mut names: Vec<&str> = FACTS.iter().map(|facts| facts.name).collect();
        names.sort_unstable();
        assert_eq!(names, super::super::operation_names());
    }
}
