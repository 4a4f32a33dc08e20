//! The accounts, callers and resources of the generated world.

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const OTHER_ACCOUNT: &str = "444455556666";
pub(crate) const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
pub(crate) const USER: &str = "arn:aws:iam::111122223333:user/team/alice";
pub(crate) const ROOT: &str = "arn:aws:iam::111122223333:root";
pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/ops/Rotator";
pub(crate) const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/Rotator/nightly";
pub(crate) const PLAIN_SESSION: &str = "arn:aws:sts::111122223333:assumed-role/Plain/s";
pub(crate) const FEDERATED: &str = "arn:aws:sts::111122223333:federated-user/bob";
pub(crate) const SERVICE_LINKED: &str =
    "arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX";
pub(crate) const SERVICE_LINKED_SESSION: &str = "arn:aws:sts::111122223333:assumed-role/AWSServiceRoleForX/s";
pub(crate) const EVE: &str = "arn:aws:iam::444455556666:user/eve";
pub(crate) const OTHER_ROLE: &str = "arn:aws:iam::444455556666:role/R";
pub(crate) const OTHER_SESSION: &str = "arn:aws:sts::444455556666:assumed-role/R/s";
pub(crate) const OTHER_ROOT: &str = "arn:aws:iam::444455556666:root";

/// A caller with its role's ARN where a case has to say it, and how often it asks.
pub(super) const CALLERS: [(&str, Option<&str>); 22] = [
    (USER, None),
    (USER, None),
    (USER, None),
    (USER, None),
    (SESSION, Some(ROLE)),
    (SESSION, Some(ROLE)),
    (SESSION, Some(ROLE)),
    (SESSION, Some(ROLE)),
    (PLAIN_SESSION, None),
    (ROLE, None),
    (FEDERATED, None),
    (FEDERATED, None),
    (ROOT, None),
    (ROOT, None),
    (EVE, None),
    (EVE, None),
    (OTHER_SESSION, None),
    (OTHER_ROLE, None),
    (OTHER_ROOT, None),
    ("s3.amazonaws.com", None),
    ("anonymous", None),
    (SERVICE_LINKED_SESSION, Some(SERVICE_LINKED)),
];

/// What a Principal element's AWS member names.
pub(super) const PRINCIPALS: [&str; 20] = [
    "*",
    "*",
    ACCOUNT,
    ROOT,
    ROOT,
    USER,
    USER,
    ROLE,
    ROLE,
    SESSION,
    "arn:aws:iam::111122223333:role/Plain",
    "arn:aws:iam::111122223333:role/Rotator",
    FEDERATED,
    OTHER_ACCOUNT,
    OTHER_ROOT,
    EVE,
    OTHER_SESSION,
    OTHER_ROLE,
    SERVICE_LINKED,
    "AIDACKCEVSQ6C2EXAMPLE",
];

/// A service's actions with the resources that they are asked for on, and how policies name both.
pub(super) struct Service {
    pub(super) name: &'static str,
    pub(super) asked: &'static [(&'static str, &'static [&'static str])],
    pub(super) actions: &'static [&'static str],
    pub(super) resources: &'static [&'static str],
    /// In documents of version 2012-10-17 only.
    pub(super) variables: &'static [&'static str],
}

const OTHER_KEY: &str = "arn:aws:kms:us-east-1:444455556666:key/4321";
const OBJECTS: &[&str] = &["arn:aws:s3:::b/team/alice/x.txt", "arn:aws:s3:::b/y:z*"];
const QUEUES: &[&str] = &["arn:aws:sqs:us-east-1:111122223333:jobs", "arn:aws:sqs:us-east-1:444455556666:jobs"];
const KEYS: &[&str] = &[KEY, KEY, KEY, OTHER_KEY];
const NONE: &[&str] = &["*"];

const KMS: Service = Service {
    name: "kms",
    asked: &[
        ("kms:Decrypt", KEYS),
        ("kms:Decrypt", KEYS),
        ("kms:Encrypt", KEYS),
        ("kms:EnableKeyRotation", KEYS),
        ("kms:DescribeKey", KEYS),
        ("kms:GenerateDataKey", KEYS),
        ("kms:RetireGrant", KEYS),
        ("kms:PutKeyPolicy", KEYS),
        ("kms:GetKeyRotationStatus", KEYS),
        ("kms:ReEncryptFrom", KEYS),
        ("kms:CreateKey", NONE),
        ("kms:GenerateRandom", NONE),
        ("kms:CreateAlias", &["arn:aws:kms:us-east-1:111122223333:alias/app"]),
    ],
    actions: &[
        "*",
        "kms:*",
        "kms:*",
        "kms:Decrypt",
        "KMS:decrypt",
        "kms:De*",
        "kms:?ecrypt",
        "kms:Enable*",
        "kms:*Grant*",
        "kms:Encrypt",
        "kms:CreateKey",
        "s3:*",
    ],
    resources: &[
        "*",
        "*",
        "*",
        KEY,
        "arn:aws:kms:*:111122223333:key/*",
        "arn:aws:kms:us-east-?:*:*",
        "arn:aws:s3:::b",
        "arn:aws:kms:*:444455556666:*",
    ],
    variables: &[
        "arn:aws:kms:*:*:key/${k:absent}",
        "arn:aws:kms:*:*:key/${k:absent, '*'}",
        "arn:aws:kms:*:*:key/1234abcd${k:absent, '-12ab-34cd-56ef-1234567890ab'}",
        "arn:aws:kms:*:*:${aws:username}*",
    ],
};

const S3: Service = Service {
    name: "s3",
    asked: &[
        ("s3:GetObject", OBJECTS),
        ("s3:GetObject", OBJECTS),
        ("s3:ListBucket", &["arn:aws:s3:::b"]),
        ("s3:ListAllMyBuckets", NONE),
    ],
    actions: &["*", "s3:*", "s3:*", "s3:GetObject", "s3:get*", "s3:List*", "s3:?etObject", "kms:*"],
    resources: &[
        "*",
        "*",
        "arn:aws:s3:::b",
        "arn:aws:s3:::b/*",
        "arn:*:s3:*:*:b*",
        "arn:aws:s3:::b/y:z?",
        "arn:aws:s3:::B/*",
    ],
    variables: &["arn:aws:s3:::b/team/${aws:username}/*", "arn:aws:s3:::b/y:z${*}", "arn:aws:s3:::${k:absent,'b'}/*"],
};

const SQS: Service = Service {
    name: "sqs",
    asked: &[("sqs:SendMessage", QUEUES), ("sqs:ReceiveMessage", QUEUES), ("sqs:ListQueues", NONE)],
    actions: &["*", "sqs:*", "sqs:*", "sqs:SendMessage", "SQS:sendmessage", "sqs:*Message", "sqs:List*"],
    resources: &[
        "*",
        "*",
        "arn:aws:sqs:us-east-1:111122223333:jobs",
        "arn:aws:sqs:*:*:*",
        "arn:aws:sqs:us-east-1:4444*:jobs",
    ],
    variables: &["arn:aws:sqs:*:*:${aws:username}", "arn:aws:sqs:*:*:${k:absent, 'jobs'}"],
};

const STS: Service = Service {
    name: "sts",
    asked: &[
        ("sts:AssumeRole", &[ROLE, OTHER_ROLE]),
        ("sts:AssumeRole", &[ROLE]),
        ("sts:TagSession", &[ROLE]),
        ("sts:GetFederationToken", &["arn:aws:sts::111122223333:federated-user/bob"]),
        ("sts:GetCallerIdentity", NONE),
    ],
    actions: &["*", "sts:*", "sts:*", "sts:AssumeRole", "sts:Assume*", "sts:TagSession", "sts:Get*"],
    resources: &["*", "*", ROLE, "arn:aws:iam::*:role/*", "arn:aws:iam::111122223333:*", "arn:aws:sts::*:*"],
    variables: &["arn:aws:iam::*:role/ops/${k:absent, 'Rotator'}", "arn:aws:iam::*:role/${aws:username}"],
};

const IAM: Service = Service {
    name: "iam",
    asked: &[("iam:GetUser", &[USER, EVE]), ("iam:PassRole", &[ROLE]), ("iam:ListUsers", NONE)],
    actions: &["*", "iam:*", "iam:*", "iam:GetUser", "iam:get*", "iam:PassRole", "iam:List*"],
    resources: &["*", "*", USER, "arn:aws:iam::*:user/*", "arn:aws:iam::111122223333:*"],
    variables: &["arn:aws:iam::*:user/team/${aws:username}", "arn:aws:iam::*:user/*/${aws:username}"],
};

/// The services, as often as worlds are about them.
pub(super) const SERVICES: [&Service; 10] = [&KMS, &KMS, &KMS, &KMS, &KMS, &S3, &S3, &SQS, &STS, &IAM];
