//! The catalogue: which actions KMS has, and what type each condition key is of.
//!
//! Sources: AWS service authorization reference, "Actions, resources, and condition keys for
//! AWS Key Management Service", and IAM User Guide, "AWS global condition context keys".
//! What the catalogue does not know still works by its text, as a string.

pub mod kms;

use std::borrow::Cow;

use super::KeyType;

/// The catalogue's version: part of the key of every cached decision.
pub const VERSION: u32 = 1;

/// Every KMS action, in AWS's spelling, sorted.
pub const KMS_ACTIONS: [&str; 56] = [
    "CancelKeyDeletion",
    "ConnectCustomKeyStore",
    "CreateAlias",
    "CreateCustomKeyStore",
    "CreateGrant",
    "CreateKey",
    "Decrypt",
    "DeleteAlias",
    "DeleteCustomKeyStore",
    "DeleteImportedKeyMaterial",
    "DeriveSharedSecret",
    "DescribeCustomKeyStores",
    "DescribeKey",
    "DisableKey",
    "DisableKeyRotation",
    "DisconnectCustomKeyStore",
    "EnableKey",
    "EnableKeyRotation",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateMac",
    "GenerateRandom",
    "GetKeyLastUsage",
    "GetKeyPolicy",
    "GetKeyRotationStatus",
    "GetParametersForImport",
    "GetPublicKey",
    "ImportKeyMaterial",
    "ListAliases",
    "ListGrants",
    "ListKeyPolicies",
    "ListKeyRotations",
    "ListKeys",
    "ListResourceTags",
    "ListRetirableGrants",
    "PutKeyPolicy",
    "ReEncryptFrom",
    "ReEncryptTo",
    "ReplicateKey",
    "RetireGrant",
    "RevokeGrant",
    "RotateKeyOnDemand",
    "ScheduleKeyDeletion",
    "Sign",
    "SynchronizeMultiRegionKey",
    "TagResource",
    "UntagResource",
    "UpdateAlias",
    "UpdateCustomKeyStore",
    "UpdateKeyDescription",
    "UpdatePrimaryRegion",
    "Verify",
    "VerifyMac",
];

/// What the catalogue says of a condition key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// The key's type.
    pub key_type: KeyType,
    /// Whether a request can give several values.
    pub multivalued: bool,
}

/// Keys in AWS's spelling; a name that ends in `/` or `:` stands for all its suffixes.
const CONDITION_KEYS: [(&str, KeyType, bool); 92] = {
    use KeyType::{Arn, Bool, Date, Ip, Numeric, String};
    [
        ("aws:CalledVia", String, true),
        ("aws:CalledViaFirst", String, false),
        ("aws:CalledViaLast", String, false),
        ("aws:CurrentTime", Date, false),
        ("aws:EpochTime", Date, false),
        ("aws:FederatedProvider", String, false),
        ("aws:MultiFactorAuthAge", Numeric, false),
        ("aws:MultiFactorAuthPresent", Bool, false),
        ("aws:PrincipalAccount", String, false),
        ("aws:PrincipalArn", Arn, false),
        ("aws:PrincipalIsAWSService", Bool, false),
        ("aws:PrincipalOrgID", String, false),
        ("aws:PrincipalOrgPaths", String, true),
        ("aws:PrincipalServiceName", String, false),
        ("aws:PrincipalServiceNamesList", String, true),
        ("aws:PrincipalTag/", String, false),
        ("aws:PrincipalType", String, false),
        ("aws:Referer", String, false),
        ("aws:RequestedRegion", String, false),
        ("aws:RequestTag/", String, false),
        ("aws:ResourceAccount", String, false),
        ("aws:ResourceOrgID", String, false),
        ("aws:ResourceOrgPaths", String, true),
        ("aws:ResourceTag/", String, false),
        ("aws:SecureTransport", Bool, false),
        ("aws:SourceAccount", String, false),
        ("aws:SourceArn", Arn, false),
        ("aws:SourceIdentity", String, false),
        ("aws:SourceIp", Ip, false),
        ("aws:SourceOrgID", String, false),
        ("aws:SourceOrgPaths", String, true),
        ("aws:SourceVpc", String, false),
        ("aws:SourceVpce", String, false),
        ("aws:TagKeys", String, true),
        ("aws:TokenIssueTime", Date, false),
        ("aws:UserAgent", String, false),
        ("aws:userid", String, false),
        ("aws:username", String, false),
        ("aws:ViaAWSService", Bool, false),
        ("aws:VpcSourceIp", Ip, false),
        ("kms:BypassPolicyLockoutSafetyCheck", Bool, false),
        ("kms:CallerAccount", String, false),
        ("kms:CustomerMasterKeySpec", String, false),
        ("kms:CustomerMasterKeyUsage", String, false),
        ("kms:DataKeyPairSpec", String, false),
        ("kms:EncryptionAlgorithm", String, false),
        ("kms:EncryptionContext:", String, false),
        ("kms:EncryptionContextKeys", String, true),
        ("kms:ExpirationModel", String, false),
        ("kms:GrantConstraintSourceArn", Arn, false),
        ("kms:GrantConstraintType", String, false),
        ("kms:GranteePrincipal", String, false),
        ("kms:GranteeServicePrincipal", String, false),
        ("kms:GrantIsForAWSResource", Bool, false),
        ("kms:GrantOperations", String, true),
        ("kms:KeyAgreementAlgorithm", String, false),
        ("kms:KeyOrigin", String, false),
        ("kms:KeySpec", String, false),
        ("kms:KeyUsage", String, false),
        ("kms:MacAlgorithm", String, false),
        ("kms:MessageType", String, false),
        ("kms:MultiRegion", Bool, false),
        ("kms:MultiRegionKeyType", String, false),
        ("kms:PrimaryRegion", String, false),
        ("kms:RecipientAttestation:ImageSha384", String, false),
        ("kms:RecipientAttestation:NitroTPMPCR", String, false),
        ("kms:RecipientAttestation:PCR", String, false),
        ("kms:ReEncryptOnSameKey", Bool, false),
        ("kms:ReplicaRegion", String, false),
        ("kms:RequestAlias", String, false),
        ("kms:ResourceAliases", String, true),
        ("kms:RetiringPrincipal", String, false),
        ("kms:RetiringServicePrincipal", String, false),
        ("kms:RotationPeriodInDays", Numeric, false),
        ("kms:ScheduleKeyDeletionPendingWindowInDays", Numeric, false),
        ("kms:SigningAlgorithm", String, false),
        ("kms:TrailingDaysWithoutKeyUsage", Numeric, false),
        ("kms:ValidTo", Date, false),
        ("kms:ViaService", String, false),
        ("kms:WrappingAlgorithm", String, false),
        ("kms:WrappingKeySpec", String, false),
        ("sts:AuthorizationType", String, false),
        ("sts:DurationSeconds", Numeric, false),
        ("sts:ExternalId", String, false),
        ("sts:RoleSessionName", String, false),
        ("sts:SourceIdentity", String, false),
        ("sts:TransitiveTagKeys", String, true),
        ("s3:authType", String, false),
        ("s3:delimiter", String, false),
        ("s3:max-keys", Numeric, false),
        ("s3:prefix", String, false),
        ("s3:x-amz-acl", String, false),
    ]
};

/// What the catalogue says of the key of that lower-case name; none where it does not know it.
#[must_use]
pub fn condition_key(name: &str) -> Option<KeyInfo> {
    row(name).map(|&(_, key_type, multivalued)| KeyInfo { key_type, multivalued })
}

/// The name of a key in AWS's spelling; an open suffix (a tag key, an encryption context key)
/// and a key that the catalogue does not know stay in lower case.
#[must_use]
pub fn condition_key_spelling(name: &str) -> Cow<'_, str> {
    match row(name) {
        Some(&(spelling, _, _)) if spelling.len() == name.len() => Cow::Borrowed(spelling),
        Some(&(prefix, _, _)) => Cow::Owned(format!("{prefix}{}", &name[prefix.len()..])),
        None => Cow::Borrowed(name),
    }
}

fn row(name: &str) -> Option<&'static (&'static str, KeyType, bool)> {
    let rows = CONDITION_KEYS.iter();
    rows.clone().find(|row| row.0.eq_ignore_ascii_case(name)).or_else(|| {
        rows.filter(|row| row.0.ends_with(['/', ':']) || row.0.ends_with("PCR")).find(|row| {
            name.get(..row.0.len()).is_some_and(|prefix| prefix.eq_ignore_ascii_case(row.0)) && name.len() > row.0.len()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_actions_are_sorted_and_unique() {
        assert!(KMS_ACTIONS.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn keys_are_found_by_name_and_by_prefix() {
        assert_eq!(condition_key("kms:rotationperiodindays").unwrap().key_type, KeyType::Numeric);
        assert!(condition_key("aws:tagkeys").unwrap().multivalued);
        assert_eq!(condition_key("kms:encryptioncontext:tenant").unwrap().key_type, KeyType::String);
        assert_eq!(condition_key("aws:principaltag/team").unwrap().key_type, KeyType::String);
        assert_eq!(condition_key("my:key"), None);
    }

    #[test]
    fn keys_are_spelled_as_aws_spells_them_and_open_suffixes_in_lower_case() {
        for (name, spelling) in [
            ("kms:rotationperiodindays", "kms:RotationPeriodInDays"),
            ("aws:principaltag/cost-center", "aws:PrincipalTag/cost-center"),
            ("kms:recipientattestation:pcr0", "kms:RecipientAttestation:PCR0"),
            ("my:key", "my:key"),
        ] {
            assert_eq!(condition_key_spelling(name), spelling);
        }
    }
}
