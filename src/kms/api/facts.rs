use crate::aws::ActionName;

/// An operation that is served, in the model's spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are AWS's")]
pub enum Kind {
    CancelKeyDeletion,
    CreateAlias,
    CreateKey,
    Decrypt,
    DeleteAlias,
    DescribeKey,
    DisableKey,
    DisableKeyRotation,
    EnableKey,
    EnableKeyRotation,
    Encrypt,
    GenerateDataKey,
    GenerateDataKeyWithoutPlaintext,
    GenerateRandom,
    GetKeyPolicy,
    GetKeyRotationStatus,
    ListAliases,
    ListKeyPolicies,
    ListKeyRotations,
    ListKeys,
    ListResourceTags,
    PutKeyPolicy,
    ReEncrypt,
    RotateKeyOnDemand,
    ScheduleKeyDeletion,
    TagResource,
    UntagResource,
    UpdateAlias,
    UpdateKeyDescription,
}

/// In which states of its key an operation works (KMS Developer Guide, "Key states of AWS KMS keys").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum States {
    /// In all of them.
    Any,
    /// Enabled alone: `DisabledException`, `KMSInvalidStateException`.
    Enabled,
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
    /// Whether AWS lets another account's principals do it at all.
    pub(crate) cross_account: bool,
    pub(crate) key_ids: KeyIds,
    pub(crate) states: States,
}

macro_rules! facts {
    ($($name:ident: $mutation:expr, $cross:expr, $ids:ident, $states:ident;)*) => {
        /// In the order of [`Kind`].
        pub(crate) const FACTS: &[Facts] = &[$(Facts {
            kind: Kind::$name,
            name: stringify!($name),
            action: ActionName::of(concat!("kms:", stringify!($name))),
            mutation: $mutation,
            cross_account: $cross,
            key_ids: KeyIds::$ids,
            states: States::$states,
        }),*];
    };
}

const WRITES: bool = true;
const READS: bool = false;
const ACROSS: bool = true;
const WITHIN: bool = false;

facts! {
    CancelKeyDeletion: WRITES, WITHIN, KeysOnly, PendingDeletion;
    CreateAlias: WRITES, WITHIN, KeysOnly, NotPendingDeletion;
    CreateKey: WRITES, WITHIN, KeysOnly, Any;
    Decrypt: READS, ACROSS, WithAliases, Enabled;
    DeleteAlias: WRITES, WITHIN, KeysOnly, Any;
    DescribeKey: READS, ACROSS, WithAliases, Any;
    DisableKey: WRITES, WITHIN, KeysOnly, NotPendingDeletion;
    DisableKeyRotation: WRITES, WITHIN, RotationKeysOnly, Enabled;
    EnableKey: WRITES, WITHIN, KeysOnly, NotPendingDeletion;
    EnableKeyRotation: WRITES, WITHIN, RotationKeysOnly, Enabled;
    Encrypt: READS, ACROSS, WithAliases, Enabled;
    GenerateDataKey: READS, ACROSS, WithAliases, Enabled;
    GenerateDataKeyWithoutPlaintext: READS, ACROSS, WithAliases, Enabled;
    GenerateRandom: READS, WITHIN, KeysOnly, Any;
    GetKeyPolicy: READS, WITHIN, KeysOnly, Any;
    GetKeyRotationStatus: READS, ACROSS, RotationKeysOnly, Any;
    ListAliases: READS, WITHIN, KeysOnly, Any;
    ListKeyPolicies: READS, WITHIN, KeysOnly, Any;
    ListKeyRotations: READS, WITHIN, RotationKeysOnly, Any;
    ListKeys: READS, WITHIN, KeysOnly, Any;
    ListResourceTags: READS, WITHIN, KeysOnly, Any;
    PutKeyPolicy: WRITES, WITHIN, KeysOnly, Any;
    ReEncrypt: READS, ACROSS, WithAliases, Enabled;
    RotateKeyOnDemand: WRITES, WITHIN, RotationKeysOnly, Enabled;
    ScheduleKeyDeletion: WRITES, WITHIN, KeysOnly, NotPendingDeletion;
    TagResource: WRITES, WITHIN, KeysOnly, NotPendingDeletion;
    UntagResource: WRITES, WITHIN, KeysOnly, NotPendingDeletion;
    UpdateAlias: WRITES, WITHIN, KeysOnly, NotPendingDeletion;
    UpdateKeyDescription: WRITES, WITHIN, KeysOnly, NotPendingDeletion;
}

impl Kind {
    /// The operation of that name, if it is served.
    pub(crate) fn named(name: &str) -> Option<Self> {
        FACTS.iter().find(|facts| facts.name == name).map(|facts| facts.kind)
    }

    pub(crate) fn facts(self) -> &'static Facts {
        &FACTS[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_finds_its_own_facts() {
        assert_eq!(FACTS.len(), 29);
        for (at, facts) in FACTS.iter().enumerate() {
            assert_eq!(facts.kind as usize, at);
            assert_eq!(Kind::named(facts.name), Some(facts.kind));
        }
        assert_eq!(Kind::named("CreateGrant"), None);
    }
}
