//! Who there is: accounts, Regions, principals and the policies that they may come to have. The
//! pools are small, so that requests often meet what earlier ones made.

use serde_json::{Value, json};

pub(super) const A: &str = "111122223333";
pub(super) const B: &str = "444455556666";
pub(super) const C: &str = "777788889999";
pub(super) const ACCOUNTS: [&str; 3] = [A, B, C];
pub(super) const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-southeast-2"];

pub(super) const ALICE: &str = "arn:aws:iam::111122223333:user/alice";
pub(super) const BOB: &str = "arn:aws:iam::111122223333:user/team/bob";
pub(super) const ROTATOR: &str = "arn:aws:iam::111122223333:role/ops/Rotator";
pub(super) const NIGHTLY: &str = "arn:aws:sts::111122223333:assumed-role/Rotator/nightly";
const PLAIN: &str = "arn:aws:iam::111122223333:role/Plain";
const PLAIN_SESSION: &str = "arn:aws:sts::111122223333:assumed-role/Plain/s";
const FRED: &str = "arn:aws:sts::111122223333:federated-user/fred";
pub(super) const EVE: &str = "arn:aws:iam::444455556666:user/eve";
const READER: &str = "arn:aws:iam::444455556666:role/Reader";
const READER_SESSION: &str = "arn:aws:sts::444455556666:assumed-role/Reader/s";
const MALLORY: &str = "arn:aws:iam::777788889999:user/mallory";
/// Whom the directory does not know.
pub(super) const GHOST: &str = "arn:aws:iam::111122223333:user/ghost";

/// A principal as it makes requests.
pub(super) struct Someone {
    pub(super) principal: &'static str,
    /// The role of a session.
    pub(super) role: Option<&'static str>,
    pub(super) account: &'static str,
    pub(super) tags: &'static [(&'static str, &'static str)],
    /// What it begins with.
    pub(super) policies: Policies,
}

/// Which policies a principal has, by their places in the pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Policies {
    pub(super) identity: usize,
    pub(super) boundary: usize,
    pub(super) session: usize,
}

const fn policies(identity: usize, boundary: usize, session: usize) -> Policies {
    Policies { identity, boundary, session }
}

/// Root users come first, in the order of [`ACCOUNTS`].
pub(super) const PEOPLE: [Someone; 11] = [
    someone("arn:aws:iam::111122223333:root", None, A, &[], policies(0, 0, 0)),
    someone("arn:aws:iam::444455556666:root", None, B, &[], policies(0, 0, 0)),
    someone("arn:aws:iam::777788889999:root", None, C, &[], policies(0, 0, 0)),
    someone(ALICE, None, A, &[("team", "blue")], policies(1, 0, 0)),
    someone(BOB, None, A, &[("team", "red")], policies(3, 0, 0)),
    someone(NIGHTLY, Some(ROTATOR), A, &[("team", "blue")], policies(1, 1, 0)),
    someone(PLAIN_SESSION, Some(PLAIN), A, &[], policies(1, 0, 2)),
    someone(FRED, None, A, &[], policies(1, 0, 1)),
    someone(EVE, None, B, &[("team", "blue")], policies(1, 0, 0)),
    someone(READER_SESSION, Some(READER), B, &[], policies(1, 0, 2)),
    someone(MALLORY, None, C, &[], policies(0, 0, 0)),
];

const fn someone(
    principal: &'static str,
    role: Option<&'static str>,
    account: &'static str,
    tags: &'static [(&'static str, &'static str)],
    policies: Policies,
) -> Someone {
    Someone { principal, role, account, tags, policies }
}

/// Whom grants are given to, and who may retire them.
pub(super) const GRANTEES: [&str; 11] = [
    ALICE,
    BOB,
    BOB,
    ROTATOR,
    NIGHTLY,
    PLAIN_SESSION,
    FRED,
    EVE,
    READER,
    "arn:aws:iam::444455556666:root",
    "arn:aws:iam::111122223333:root",
];

fn document(statements: &[Value]) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn allow(action: &Value, resource: &str, condition: &Value) -> Value {
    statement("Allow", action, resource, condition)
}

fn deny(action: &Value, resource: &str, condition: &Value) -> Value {
    statement("Deny", action, resource, condition)
}

fn statement(effect: &str, action: &Value, resource: &str, condition: &Value) -> Value {
    let mut statement = json!({"Effect": effect, "Action": action, "Resource": resource});
    if *condition != json!({}) {
        statement["Condition"] = condition.clone();
    }
    statement
}

pub(super) const IDENTITIES: usize = 12;

/// A principal's identity policies.
pub(super) fn identity(which: usize) -> Vec<Value> {
    let (all, none) = (json!("kms:*"), json!({}));
    let whole = allow(&all, "*", &none);
    match which {
        0 => Vec::new(),
        1 => vec![document(&[whole])],
        2 => vec![document(&[
            whole,
            deny(
                &json!(["kms:Decrypt", "kms:ReEncrypt*"]),
                "*",
                &json!({"StringEquals": {"kms:EncryptionContext:tenant": "b"}}),
            ),
        ])],
        3 => vec![
            document(&[allow(&json!(["kms:Describe*", "kms:List*", "kms:Get*"]), "*", &none)]),
            document(&[allow(
                &json!(["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:Generate*", "kms:Sign", "kms:Verify*"]),
                "arn:aws:kms:*:111122223333:key/*",
                &none,
            )]),
        ],
        4 => vec![document(&[
            allow(&json!(["kms:Create*", "kms:List*", "kms:GenerateRandom"]), "*", &none),
            allow(&all, "*", &json!({"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}})),
        ])],
        5 => vec![document(&[
            allow(&all, "arn:aws:kms:*:*:alias/*", &none),
            allow(&all, "*", &json!({"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/a*"}})),
        ])],
        6 => vec![document(&[
            whole,
            deny(
                &json!("kms:ScheduleKeyDeletion"),
                "*",
                &json!({"NumericLessThan": {"kms:ScheduleKeyDeletionPendingWindowInDays": "14"}}),
            ),
            deny(
                &json!("kms:EnableKeyRotation"),
                "*",
                &json!({"NumericGreaterThan": {"kms:RotationPeriodInDays": "180"}}),
            ),
            deny(&json!("kms:CreateKey"), "*", &json!({"StringLike": {"kms:KeySpec": "HMAC_*"}})),
            deny(&json!("kms:TagResource"), "*", &json!({"ForAnyValue:StringEquals": {"aws:TagKeys": "secret"}})),
        ])],
        7 => vec![document(&[
            allow(
                &json!(["kms:Encrypt", "kms:Decrypt", "kms:DescribeKey", "kms:GetPublicKey"]),
                "*",
                &json!({"StringLike": {"kms:RequestAlias": "alias/*"}}),
            ),
            allow(&json!(["kms:List*", "kms:CreateGrant", "kms:RetireGrant"]), "*", &none),
        ])],
        8 => vec![document(&[whole, deny(&all, "*", &json!({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}))])],
        9 => vec![document(&[allow(&all, "*", &json!({"DateLessThan": {"aws:CurrentTime": "2026-06-01T00:00:00Z"}}))])],
        10 => vec![document(&[
            allow(&all, "*", &json!({"Null": {"kms:ViaService": "true"}})),
            deny(&all, "*", &json!({"StringEquals": {"kms:KeyOrigin": "EXTERNAL"}})),
        ])],
        _ => vec![document(&[
            allow(&all, "*", &json!({"StringEqualsIfExists": {"kms:KeyUsage": ["ENCRYPT_DECRYPT", "SIGN_VERIFY"]}})),
            deny(&json!("kms:*"), "*", &json!({"Bool": {"kms:ReEncryptOnSameKey": "true"}})),
        ])],
    }
}

pub(super) const LIMITS: usize = 4;

/// A permissions boundary, or a session's policy; none where there is none.
pub(super) fn limit(which: usize) -> Option<Value> {
    let none = json!({});
    match which {
        0 => None,
        1 => Some(document(&[allow(&json!("kms:*"), "*", &none)])),
        2 => Some(document(&[allow(
            &json!([
                "kms:Encrypt",
                "kms:Decrypt",
                "kms:DescribeKey",
                "kms:Get*",
                "kms:List*",
                "kms:GenerateMac",
                "kms:RetireGrant"
            ]),
            "*",
            &none,
        )])),
        _ => Some(document(&[
            allow(&json!("kms:*"), "*", &none),
            deny(&json!(["kms:PutKeyPolicy", "kms:Decrypt"]), "*", &none),
        ])),
    }
}

/// Policies by level.
type Levels = Vec<Vec<Value>>;

pub(super) const ORGANIZATIONS: usize = 5;

/// The service and the resource control policies of an account in one of the organisations, from the
/// root down; none where it is in none.
pub(super) fn controls(which: usize, account: &str) -> Option<(Levels, Levels)> {
    let none = json!({});
    let all = || document(&[allow(&json!("*"), "*", &none)]);
    let guard = |action: &Value, condition: &Value| {
        let mut statement = deny(action, "*", condition);
        statement["Principal"] = json!("*");
        document(&[statement])
    };
    let is_in = |of: &[&str]| of.contains(&account);
    match which {
        1 if is_in(&[A, B]) => {
            let denied = json!(["kms:ScheduleKeyDeletion", "kms:DeleteAlias", "kms:DeleteCustomKeyStore"]);
            Some((vec![vec![all()], vec![all(), document(&[deny(&denied, "*", &none)])]], Vec::new()))
        }
        2 if is_in(&[B]) => {
            let looking = json!(["kms:Describe*", "kms:List*", "kms:Get*", "kms:Encrypt", "kms:CreateKey"]);
            Some((vec![vec![all()], vec![document(&[allow(&looking, "*", &none)])]], Vec::new()))
        }
        3 if is_in(&[A]) => {
            let tenant = json!({"StringEquals": {"kms:EncryptionContext:tenant": "b"}});
            Some((vec![vec![all()]], vec![vec![guard(&json!(["kms:Decrypt", "kms:ReEncryptFrom"]), &tenant)]]))
        }
        4 if is_in(&[A, B]) => {
            let others = json!({"StringNotEquals": {"kms:CallerAccount": account}});
            Some((
                vec![vec![all()]],
                vec![Vec::new(), vec![guard(&json!(["kms:Decrypt", "kms:Sign", "kms:Get*"]), &others)]],
            ))
        }
        _ => None,
    }
}

pub(super) const KEY_POLICIES: usize = 16;

/// A key policy, for a key of an account. Most let the account's root user manage the key.
pub(super) fn key_policy(which: usize, owner: &str) -> String {
    let root = json!({"AWS": format!("arn:aws:iam::{owner}:root")});
    let to = |effect: &str, principal: &Value, action: Value, condition: Value| {
        let mut statement = statement(effect, &action, "*", &condition);
        statement["Principal"] = principal.clone();
        statement
    };
    let aws = |principal: &str| json!({"AWS": principal});
    let (all, none) = (json!("kms:*"), json!({}));
    let delegation = to("Allow", &root, all.clone(), none.clone());
    let with = |more: &[Value]| document(&[std::slice::from_ref(&delegation), more].concat());
    let policy = match which {
        0 => document(&[delegation]),
        1 => with(&[to("Allow", &aws(ALICE), all, none)]),
        2 => with(&[to("Allow", &json!({"AWS": [A, B]}), all, none)]),
        3 => with(&[to(
            "Deny",
            &json!("*"),
            json!(["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*"]),
            json!({"StringEquals": {"kms:EncryptionContext:tenant": "b"}}),
        )]),
        4 => with(&[to("Deny", &aws(ALICE), json!(["kms:Decrypt", "kms:Sign"]), none)]),
        5 => with(&[to(
            "Allow",
            &json!("*"),
            json!(["kms:Encrypt", "kms:Decrypt", "kms:DescribeKey", "kms:ReEncrypt*", "kms:GenerateDataKey*"]),
            json!({"StringEquals": {"kms:CallerAccount": [A, B]}}),
        )]),
        6 => with(&[to("Allow", &aws(ROTATOR), all, none)]),
        7 => document(&[
            to("Allow", &root, json!(["kms:Put*", "kms:Get*", "kms:Describe*", "kms:List*"]), none.clone()),
            to("Allow", &aws(NIGHTLY), all, none),
        ]),
        8 => document(&[to("Allow", &aws(ALICE), all, none)]),
        9 => with(&[
            to(
                "Allow",
                &aws(EVE),
                json!(["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant", "kms:DescribeKey"]),
                json!({"Bool": {"kms:GrantIsForAWSResource": "false"}}),
            ),
            to(
                "Deny",
                &aws(EVE),
                json!("kms:CreateGrant"),
                json!({"ForAnyValue:StringEquals": {"kms:GrantOperations": "Decrypt"}}),
            ),
        ]),
        10 => with(&[to(
            "Deny",
            &json!("*"),
            json!(["kms:ScheduleKeyDeletion", "kms:DisableKey"]),
            json!({"NumericLessThan": {"kms:TrailingDaysWithoutKeyUsage": "20"}}),
        )]),
        11 => with(&[to(
            "Allow",
            &aws(BOB),
            json!(["kms:Encrypt", "kms:Decrypt", "kms:DescribeKey"]),
            json!({"StringEquals": {"aws:ResourceTag/team": "red"}}),
        )]),
        12 => {
            let mut guarded =
                statement("Deny", &json!(["kms:TagResource", "kms:CreateAlias", "kms:EnableKeyRotation"]), "*", &none);
            guarded["NotPrincipal"] = json!({"AWS": [format!("arn:aws:iam::{owner}:root"), ALICE]});
            with(&[guarded])
        }
        13 => with(&[to("Allow", &aws(B), json!("kms:*"), json!({"StringEquals": {"kms:RequestAlias": "alias/a"}}))]),
        14 => with(&[
            to(
                "Allow",
                &aws(FRED),
                json!("kms:*"),
                json!({"StringEquals": {"kms:KeySpec": ["SYMMETRIC_DEFAULT", "HMAC_256"]}}),
            ),
            to(
                "Deny",
                &root,
                json!("kms:RetireGrant"),
                json!({"StringEquals": {"kms:GrantConstraintType": "EncryptionContextEquals"}}),
            ),
        ]),
        _ => with(&[to(
            "Allow",
            &json!({"AWS": [EVE, READER]}),
            json!([
                "kms:Encrypt",
                "kms:Decrypt",
                "kms:Sign",
                "kms:Verify",
                "kms:GenerateMac",
                "kms:VerifyMac",
                "kms:GetPublicKey",
                "kms:DeriveSharedSecret"
            ]),
            none,
        )]),
    };
    policy.to_string()
}

/// The policy of a key that is made without one (KMS Developer Guide, "Default key policy").
pub(super) fn default_key_policy(owner: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [{
            "Sid": "Enable IAM User Permissions",
            "Effect": "Allow",
            "Principal": {"AWS": format!("arn:aws:iam::{owner}:root")},
            "Action": "kms:*",
            "Resource": "*",
        }],
    })
}
