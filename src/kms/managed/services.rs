//! The services that have an AWS managed key, with its key policy.
//!
//! The policies are those that AWS gives the keys of S3, EBS, RDS, DynamoDB, Secrets Manager, Systems
//! Manager, Lambda, SNS, SQS, EFS, `OpenSearch` Service, MSK, `CodeCommit`, ACM and Backup. Those of the
//! others (`FSx`, Glue, Kinesis, Kinesis Video, Redshift, X-Ray) have the form that most of these share.

use super::Service;
use super::policy::When::{CallerAccount, GrantIsForAwsResource, GrantOperations, OtherKey, Via, ViaAnyRegion};
use super::policy::{Statement, When, Who};

const ENCRYPT: &str = "kms:Encrypt";
const DECRYPT: &str = "kms:Decrypt";
const RE_ENCRYPT: &str = "kms:ReEncrypt*";
const DATA_KEY: &str = "kms:GenerateDataKey*";
const CREATE_GRANT: &str = "kms:CreateGrant";
const LIST_GRANTS: &str = "kms:ListGrants";
const DESCRIBE: &str = "kms:DescribeKey";

/// What most services may do with their key, and the same without grants, and with a list of them.
const USE: &[&str] = &[ENCRYPT, DECRYPT, RE_ENCRYPT, DATA_KEY, CREATE_GRANT, DESCRIBE];
const USE_WITHOUT_GRANTS: &[&str] = &[ENCRYPT, DECRYPT, RE_ENCRYPT, DATA_KEY, DESCRIBE];
const USE_AND_LIST_GRANTS: &[&str] = &[ENCRYPT, DECRYPT, RE_ENCRYPT, DATA_KEY, CREATE_GRANT, LIST_GRANTS, DESCRIBE];

/// Everyone, under conditions.
const fn everyone(sid: &'static str, actions: &'static [&'static str], when: &'static [When]) -> Statement {
    Statement { sid, effect: "Allow", who: Who::Everyone, actions, when }
}

const fn metadata(actions: &'static [&'static str]) -> Statement {
    let sid = "Allow direct access to key metadata to the account";
    Statement { sid, effect: "Allow", who: Who::Account, actions, when: &[] }
}

const METADATA: Statement = metadata(&["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"]);
const METADATA_WITHOUT_GRANTS: Statement = metadata(&["kms:Describe*", "kms:Get*", "kms:List*"]);

const fn described_by(sid: &'static str, service: &'static str) -> Statement {
    let actions = &["kms:Describe*", "kms:Get*", "kms:List*"];
    Statement { sid, effect: "Allow", who: Who::Service(service), actions, when: &[] }
}

/// `Allow access through <title> for all principals in the account that are authorized to use <title>`.
macro_rules! access_through {
    ($title:literal) => {
        concat!(
            "Allow access through ",
            $title,
            " for all principals in the account that are authorized to use ",
            $title
        )
    };
}

/// By alias.
pub(super) const SERVICES: &[Service] = &[
    Service {
        name: "acm",
        protects: "ACM private keys",
        policy: "auto-acm-4",
        statements: &[
            everyone(
                "Allow creation of decryption grants",
                &[CREATE_GRANT],
                &[CallerAccount, Via("acm"), GrantOperations(&["Decrypt"]), GrantIsForAwsResource],
            ),
            everyone(
                "Allow creation of encryption grant",
                &[CREATE_GRANT],
                &[
                    CallerAccount,
                    Via("acm"),
                    GrantOperations(&["Encrypt", "ReEncryptFrom", "ReEncryptTo"]),
                    GrantIsForAwsResource,
                ],
            ),
            everyone(
                "Allowed operations for the key owner",
                &[DESCRIBE, LIST_GRANTS, "kms:RevokeGrant", "kms:GetKeyPolicy"],
                &[CallerAccount],
            ),
            Statement { effect: "Deny", ..everyone("Deny re-encryption to any other key", &[RE_ENCRYPT], &[OtherKey]) },
            everyone("Allow decrypt", &[DECRYPT], &[CallerAccount, Via("acm")]),
        ],
    },
    Service {
        name: "backup",
        protects: "Backup data",
        policy: "auto-backup-1",
        statements: &[
            everyone(
                "Allow access through Backup for all principals in the account that are authorized to use Backup Storage",
                &[CREATE_GRANT, DECRYPT, DATA_KEY],
                &[CallerAccount, Via("backup")],
            ),
            METADATA,
        ],
    },
    Service {
        name: "codecommit",
        protects: "CodeCommit repositories",
        policy: "auto-codecommit-2",
        statements: &[
            everyone(access_through!("CodeCommit"), USE_WITHOUT_GRANTS, &[CallerAccount, Via("codecommit")]),
            METADATA_WITHOUT_GRANTS,
        ],
    },
    Service {
        name: "dynamodb",
        protects: "DynamoDB data",
        policy: "auto-dynamodb-3",
        statements: &[
            everyone(access_through!("Amazon DynamoDB"), USE, &[CallerAccount, ViaAnyRegion("dynamodb")]),
            METADATA,
            described_by("Allow DynamoDB to directly describe the key", "dynamodb.amazonaws.com"),
        ],
    },
    Service {
        name: "ebs",
        protects: "EBS volumes",
        policy: "auto-ebs-2",
        statements: &[everyone(access_through!("EBS"), USE, &[CallerAccount, Via("ec2")]), METADATA],
    },
    Service {
        name: "elasticfilesystem",
        protects: "EFS filesystems",
        policy: "auto-elasticfilesystem-1",
        statements: &[
            everyone(
                "Allow access to EFS for all principals in the account that are authorized to use EFS",
                USE,
                &[CallerAccount, Via("elasticfilesystem")],
            ),
            METADATA,
        ],
    },
    Service {
        name: "es",
        protects: "Amazon OpenSearch Service (successor to Amazon Elasticsearch Service) data",
        policy: "auto-es-2",
        statements: &[
            everyone(access_through!("OpenSearch Service"), USE, &[CallerAccount, Via("es")]),
            METADATA,
            described_by("Allow OpenSearch service principals to describe the key directly", "es.amazonaws.com"),
        ],
    },
    Service {
        name: "fsx",
        protects: "FSx data",
        policy: "auto-fsx-1",
        statements: &[everyone(access_through!("FSx"), USE_AND_LIST_GRANTS, &[CallerAccount, Via("fsx")]), METADATA],
    },
    Service {
        name: "glue",
        protects: "Glue data",
        policy: "auto-glue-1",
        statements: &[everyone(access_through!("Glue"), USE, &[CallerAccount, Via("glue")]), METADATA],
    },
    Service {
        name: "kafka",
        protects: "Kafka data",
        policy: "auto-kafka-1",
        statements: &[
            everyone(access_through!("Kafka"), USE_AND_LIST_GRANTS, &[CallerAccount, Via("kafka")]),
            METADATA,
        ],
    },
    Service {
        name: "kinesis",
        protects: "Kinesis data",
        policy: "auto-kinesis-1",
        statements: &[everyone(access_through!("Kinesis"), USE, &[CallerAccount, Via("kinesis")]), METADATA],
    },
    Service {
        name: "kinesisvideo",
        protects: "kinesis video data",
        policy: "auto-kinesisvideo-1",
        statements: &[everyone(access_through!("Kinesis Video"), USE, &[CallerAccount, Via("kinesisvideo")]), METADATA],
    },
    Service {
        name: "lambda",
        protects: "Lambda functions",
        policy: "auto-awslambda",
        statements: &[everyone(access_through!("AWS Lambda"), USE, &[CallerAccount, Via("lambda")]), METADATA],
    },
    Service {
        name: "rds",
        protects: "RDS database volumes",
        policy: "auto-rds-2",
        statements: &[everyone(access_through!("RDS"), USE_AND_LIST_GRANTS, &[CallerAccount, Via("rds")]), METADATA],
    },
    Service {
        name: "redshift",
        protects: "Redshift clusters",
        policy: "auto-redshift-1",
        statements: &[everyone(access_through!("Redshift"), USE, &[CallerAccount, Via("redshift")]), METADATA],
    },
    Service {
        name: "s3",
        protects: "S3 objects",
        policy: "auto-s3-2",
        statements: &[
            everyone(access_through!("S3"), USE_WITHOUT_GRANTS, &[CallerAccount, Via("s3")]),
            METADATA_WITHOUT_GRANTS,
        ],
    },
    Service {
        name: "secretsmanager",
        protects: "Secrets Manager data",
        policy: "auto-secretsmanager-2",
        statements: &[
            everyone(
                access_through!("AWS Secrets Manager"),
                &[ENCRYPT, DECRYPT, RE_ENCRYPT, CREATE_GRANT, DESCRIBE],
                &[CallerAccount, Via("secretsmanager")],
            ),
            everyone(
                access_through!("AWS Secrets Manager"),
                &[DATA_KEY],
                &[CallerAccount, ViaAnyRegion("secretsmanager")],
            ),
            METADATA,
        ],
    },
    Service {
        name: "sns",
        protects: "SNS data",
        policy: "auto-sns-1",
        statements: &[
            everyone(
                access_through!("SNS"),
                &[DECRYPT, DATA_KEY, CREATE_GRANT, LIST_GRANTS, DESCRIBE],
                &[CallerAccount, Via("sns")],
            ),
            METADATA,
        ],
    },
    Service {
        name: "sqs",
        protects: "SQS messages",
        policy: "auto-sqs-1",
        statements: &[
            everyone(access_through!("Simple Queue Service (SQS)"), USE, &[CallerAccount, Via("sqs")]),
            METADATA,
        ],
    },
    Service {
        name: "ssm",
        protects: "SSM parameters",
        policy: "auto-ssm-1",
        statements: &[
            everyone(access_through!("SSM"), USE_WITHOUT_GRANTS, &[CallerAccount, Via("ssm")]),
            METADATA_WITHOUT_GRANTS,
        ],
    },
    Service {
        name: "xray",
        protects: "X-Ray data",
        policy: "auto-xray-1",
        statements: &[everyone(access_through!("X-Ray"), USE, &[CallerAccount, Via("xray")]), METADATA],
    },
];
