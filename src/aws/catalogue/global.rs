//! Global condition keys, and what the catalogue's data say differently from AWS's other pages.

use super::{ConditionKeyEntry, KeyInfo};
use crate::aws::KeyType;

/// The keys of every service (IAM User Guide, "AWS global condition context keys"); `*` stands
/// for any text. The package has only those that services list themselves.
pub(super) const GLOBAL_KEYS: [ConditionKeyEntry; 52] = {
    use KeyType::{Arn, Bool, Date, Ip, Numeric, String};
    [
        one("aws:AssumedRoot", Bool),
        several("aws:CalledVia", String),
        one("aws:CalledViaAWSMCP", String),
        one("aws:CalledViaFirst", String),
        one("aws:CalledViaLast", String),
        one("aws:ChatbotSourceArn", Arn),
        one("aws:CurrentTime", Date),
        one("aws:Ec2InstanceSourcePrivateIPv4", Ip),
        one("aws:Ec2InstanceSourceVpc", String),
        one("aws:EpochTime", Date),
        one("aws:FederatedProvider", String),
        one("aws:MultiFactorAuthAge", Numeric),
        one("aws:MultiFactorAuthPresent", Bool),
        one("aws:PrincipalAccount", String),
        one("aws:PrincipalArn", Arn),
        one("aws:PrincipalIsAWSService", Bool),
        one("aws:PrincipalOrgID", String),
        several("aws:PrincipalOrgPaths", String),
        one("aws:PrincipalServiceName", String),
        several("aws:PrincipalServiceNamesList", String),
        one("aws:PrincipalTag/*", String),
        one("aws:PrincipalType", String),
        one("aws:Referer", String),
        one("aws:RequestedRegion", String),
        one("aws:RequestTag/*", String),
        one("aws:ResourceAccount", String),
        one("aws:ResourceOrgID", String),
        several("aws:ResourceOrgPaths", String),
        one("aws:ResourceTag/*", String),
        one("aws:SecureTransport", Bool),
        one("aws:SignInSessionArn", Arn),
        one("aws:SourceAccount", String),
        one("aws:SourceArn", Arn),
        one("aws:SourceIdentity", String),
        one("aws:SourceIp", Ip),
        one("aws:SourceOrgID", String),
        several("aws:SourceOrgPaths", String),
        // Of older services' policies: Amazon SNS Developer Guide, "Example cases".
        one("aws:SourceOwner", String),
        one("aws:SourceVpc", String),
        one("aws:SourceVpcArn", Arn),
        one("aws:SourceVpce", String),
        several("aws:TagKeys", String),
        one("aws:TokenIssueTime", Date),
        one("aws:UserAgent", String),
        one("aws:userid", String),
        one("aws:username", String),
        one("aws:ViaAWSMCPService", Bool),
        one("aws:ViaAWSService", Bool),
        one("aws:VpceAccount", String),
        one("aws:VpceOrgID", String),
        several("aws:VpceOrgPaths", String),
        one("aws:VpcSourceIp", Ip),
    ]
};

const fn one(name: &'static str, key_type: KeyType) -> ConditionKeyEntry {
    ConditionKeyEntry { name, info: KeyInfo { key_type, multivalued: false } }
}

const fn several(name: &'static str, key_type: KeyType) -> ConditionKeyEntry {
    ConditionKeyEntry { name, info: KeyInfo { key_type, multivalued: true } }
}

/// Whether a global key is in a request's context only where the action has it: the service
/// authorization reference lists these three with each action.
pub(super) fn is_by_action(name: &str) -> bool {
    ["aws:requesttag/", "aws:resourcetag/", "aws:tagkeys"].iter().any(|prefix| name.starts_with(prefix))
}

/// A key that actions support though the data do not say so.
pub(super) struct Supported {
    /// Of which service.
    pub(super) service: &'static str,
    /// In lower case.
    pub(super) keys: [&'static str; 2],
    /// By which actions.
    pub(super) by: By,
}

/// Which actions a row of [`SUPPORTED`] is about.
pub(super) enum By {
    /// Those that support this key (in lower case) by the data.
    Supporting(&'static str),
    /// The one of that name.
    Action(&'static str),
}

/// Our overrides: small, each with its reason, from the KMS Developer Guide, "AWS KMS condition
/// keys". A test holds each to a difference from the data, so that a row that a newer package has
/// made needless is found.
pub(super) const SUPPORTED: [Supported; 2] = [
    // Deprecated, and still present wherever KeySpec and KeyUsage are.
    Supported {
        service: "kms",
        keys: ["kms:customermasterkeyspec", "kms:customermasterkeyusage"],
        by: By::Supporting("kms:keyspec"),
    },
    // They are there for any operation on a key.
    Supported {
        service: "kms",
        keys: ["kms:calleraccount", "kms:viaservice"],
        by: By::Action("SynchronizeMultiRegionKey"),
    },
];

/// Keys with several values that the data give one, in lower case (Amazon Cognito Developer Guide,
/// "Role trust and permissions").
pub(super) const MULTIVALUED: [&str; 1] = ["cognito-identity.amazonaws.com:amr"];

/// Keys of one service that are in the context of calls to others, in lower case (IAM User Guide,
/// "AWS global condition context keys", "Cross-service condition keys").
pub(super) const CROSS_SERVICE_KEYS: [&str; 7] = [
    "ec2:roledelivery",
    "ec2:sourceinstancearn",
    "glue:credentialissuingservice",
    "glue:roleassumedby",
    "identitystore:userid",
    "lambda:sourcefunctionarn",
    "ssm:sourceinstancearn",
];
