//! What AWS KMS says of its actions beside their names. Names are compared without regard to
//! case, as policies name actions.

use crate::aws::ActionName;

/// What principals of other accounts can do at all (KMS Developer Guide, "Allowing users in other
/// accounts to use a KMS key").
const ACROSS_ACCOUNTS: [&str; 20] = [
    "CreateGrant",
    "Decrypt",
    "DeriveSharedSecret",
    "DescribeKey",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateMac",
    "GetKeyRotationStatus",
    "GetPublicKey",
    "ListGrants",
    "ReEncryptFrom",
    "ReEncryptTo",
    "RetireGrant",
    "RevokeGrant",
    "Sign",
    "Verify",
    "VerifyMac",
];

/// What is done on no key, so that no key policy takes part (AWS service authorization reference,
/// "Actions defined by AWS Key Management Service": the actions without a resource type), and
/// ListRetirableGrants, which asks for no key ("AWS KMS permissions": IAM policy, `*`).
const ON_NO_KEY: [&str; 11] = [
    "ConnectCustomKeyStore",
    "CreateCustomKeyStore",
    "CreateKey",
    "DeleteCustomKeyStore",
    "DescribeCustomKeyStores",
    "DisconnectCustomKeyStore",
    "GenerateRandom",
    "ListAliases",
    "ListKeys",
    "ListRetirableGrants",
    "UpdateCustomKeyStore",
];

/// What a grant can allow (KMS Developer Guide, "Grants in AWS KMS", "Grant operations").
const GRANTABLE: [&str; 17] = [
    "CreateGrant",
    "Decrypt",
    "DeriveSharedSecret",
    "DescribeKey",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateMac",
    "GetPublicKey",
    "ReEncryptFrom",
    "ReEncryptTo",
    "RetireGrant",
    "Sign",
    "Verify",
    "VerifyMac",
];

/// Whether it is an action of KMS that principals of other accounts can do at all.
#[must_use]
pub fn works_across_accounts(action: &ActionName) -> bool {
    is_of_kms(action) && operation_works_across_accounts(action.name())
}

/// [`works_across_accounts`] by the name alone, `Decrypt`.
#[must_use]
pub const fn operation_works_across_accounts(name: &str) -> bool {
    contains(&ACROSS_ACCOUNTS, name)
}

/// Whether it is an action of KMS that is done on no key: identity policies alone decide.
#[must_use]
pub fn is_on_no_key(action: &ActionName) -> bool {
    is_of_kms(action) && contains(&ON_NO_KEY, action.name())
}

/// Whether it is an action of KMS that a grant can allow.
#[must_use]
pub fn is_grantable(action: &ActionName) -> bool {
    is_of_kms(action) && contains(&GRANTABLE, action.name())
}

fn is_of_kms(action: &ActionName) -> bool {
    action.service().eq_ignore_ascii_case("kms")
}

const fn contains(names: &[&str], name: &str) -> bool {
    let mut at = 0;
    while at < names.len() {
        if names[at].eq_ignore_ascii_case(name) {
            return true;
        }
        at += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::catalogue::service;

    #[test]
    fn the_lists_name_actions_of_the_catalogue_in_order() {
        let kms = service("kms").unwrap();
        for list in [ACROSS_ACCOUNTS.as_slice(), &ON_NO_KEY, &GRANTABLE] {
            assert!(list.is_sorted_by(|a, b| a < b));
            assert!(list.iter().all(|name| kms.action(name).is_some_and(|action| action.name == *name)));
        }
    }

    #[test]
    fn an_action_of_kms_alone_is_of_a_list() {
        assert!(works_across_accounts(&ActionName::of("kms:Decrypt")));
        assert!(works_across_accounts(&ActionName::of("KMS:decrypt")));
        assert!(!works_across_accounts(&ActionName::of("kms:EnableKeyRotation")));
        assert!(!works_across_accounts(&ActionName::of("s3:Decrypt")));
        assert!(is_on_no_key(&ActionName::of("kms:CreateKey")) && !is_on_no_key(&ActionName::of("kms:CreateAlias")));
        assert!(!is_grantable(&ActionName::of("kms:EnableKeyRotation")) && is_grantable(&ActionName::of("kms:Sign")));
    }
}
