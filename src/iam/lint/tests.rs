//! Each rule on a policy that it finds and on one that it does not.

use std::collections::BTreeSet;

use super::{Finding, POLICY_RULES, lint};
use crate::iam::DocumentKind;

use DocumentKind::{
    IdentityPolicy as Identity, KeyPolicy as Key, PermissionsBoundary as Boundary, ResourceControlPolicy as Rcp,
    ResourcePolicy as Resource, ServiceControlPolicy as Scp, SessionPolicy as Session,
};

/// Rule, kind, statements where it is found, statements where it is not. A text that begins with
/// `{"` and holds `Statement` is a whole document.
const CASES: &[(&str, DocumentKind, &str, &str)] = &[
    ("syntax", Key, r#"{"Statement": [}"#, OWNED),
    ("syntax", Key, DEEP, OWNED),
    ("duplicate-member", Key, r#"{"Effect": "Allow", "Effect": "Allow"}"#, OWNED),
    (
        "duplicate-member",
        Identity,
        r#"{"Sid": "A", "Effect": "Deny", "Action": "kms:*", "Resource": "*"}, {"Sid": "A", "Effect": "Deny", "Action": "s3:*", "Resource": "*"}"#,
        r#"{"Sid": "A", "Effect": "Deny", "Action": "kms:*", "Resource": "*"}, {"Sid": "B", "Effect": "Deny", "Action": "s3:*", "Resource": "*"}"#,
    ),
    (
        "duplicate-member",
        Identity,
        r#"{"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {"Bool": {"aws:ViaAWSService": "true", "aws:viaawsservice": "true"}}}"#,
        ALLOW,
    ),
    ("unexpected-element", Key, r#"{"Effect": "Allow", "Principal": "*", "action": "kms:*", "Resource": "*"}"#, OWNED),
    ("unexpected-element", Identity, OWNED, ALLOW),
    (
        "unexpected-element",
        Identity,
        r#"{"Effect": "Allow", "Action": "kms:*", "NotAction": "s3:*", "Resource": "*"}"#,
        ALLOW,
    ),
    ("missing-element", Key, r#"{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}"#, OWNED),
    ("missing-element", Identity, r#"{"Effect": "Allow", "Action": "kms:*"}"#, ALLOW),
    ("wrong-type", Identity, r#"{"Effect": "Allow", "Action": [], "Resource": "*"}"#, ALLOW),
    ("wrong-type", Identity, r#"{"Effect": "Allow", "Action": 7, "Resource": "*"}"#, ALLOW),
    ("invalid-version", Identity, r#"{"Version": "2012-10-18", "Statement": []}"#, ALLOW),
    ("invalid-value", Identity, r#"{"Effect": "allow", "Action": "kms:*", "Resource": "*"}"#, ALLOW),
    ("invalid-value", Identity, r#"{"Sid": "a b", "Effect": "Allow", "Action": "kms:*", "Resource": "*"}"#, ALLOW),
    (
        "invalid-principal",
        Key,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/*"}, "Action": "kms:*", "Resource": "*"}"#,
        OWNED,
    ),
    (
        "invalid-principal",
        Key,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:group/g"}, "Action": "kms:*", "Resource": "*"}"#,
        OWNED,
    ),
    (
        "not-principal-allow",
        Key,
        r#"{"Effect": "Allow", "NotPrincipal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*"}"#,
        r#"{"Effect": "Deny", "NotPrincipal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*"}"#,
    ),
    (
        "unique-id",
        Key,
        r#"{"Effect": "Allow", "Principal": {"AWS": "AIDAABCDEFGHIJKLMNOPQ"}, "Action": "kms:*", "Resource": "*"}"#,
        OWNED,
    ),
    ("invalid-action", Identity, r#"{"Effect": "Allow", "Action": "Decrypt", "Resource": "*"}"#, ALLOW),
    (
        "invalid-action",
        Identity,
        r#"{"Effect": "Allow", "Action": "*:Decrypt", "Resource": "*"}"#,
        r#"{"Effect": "Allow", "Action": "*:*", "Resource": "*"}"#,
    ),
    ("invalid-action", Identity, r#"{"Effect": "Allow", "Action": "km?:Decrypt", "Resource": "*"}"#, ALLOW),
    (
        "invalid-resource",
        Identity,
        r#"{"Effect": "Allow", "Action": "kms:*", "Resource": "arn:aws:k*:::key/a"}"#,
        ALLOW,
    ),
    (
        "invalid-resource",
        Identity,
        r#"{"Effect": "Allow", "Action": "kms:*", "Resource": "arn:aws:kms:*:${aws:PrincipalAccount}:key/a"}"#,
        ALLOW,
    ),
    (
        "invalid-operator",
        Identity,
        r#"{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": {"StringIs": {"aws:username": "a"}}}"#,
        ALLOW,
    ),
    (
        "invalid-operator",
        Identity,
        r#"{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": {"NullIfExists": {"aws:username": "true"}}}"#,
        r#"{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": {"Null": {"aws:username": "true"}}}"#,
    ),
    (
        "invalid-condition-key",
        Identity,
        r#"{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": {"StringEquals": {"username": "a"}}}"#,
        ALLOW,
    ),
    (
        "for-all-values-refused",
        Key,
        r#"{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*", "Condition": {"ForAllValues:StringEquals": {"kms:EncryptionContext:a": "b"}}}"#,
        OWNED,
    ),
    (
        "invalid-literal",
        Identity,
        r#"{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": {"DateLessThan": {"aws:CurrentTime": "soon"}}}"#,
        r#"{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": {"DateLessThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}}}"#,
    ),
    (
        "invalid-literal",
        Key,
        r#"{"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}}"#,
        r#"{"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}"#,
    ),
    (
        "malformed-variable",
        Identity,
        r#"{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/${aws:username"}"#,
        r#"{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/${aws:username}"}"#,
    ),
    (
        "control-policy",
        Rcp,
        r#"{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}"#,
        r#"{"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"}"#,
    ),
    (
        "control-policy",
        Rcp,
        r#"{"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}"#,
        r#"{"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}"#,
    ),
    (
        "control-policy",
        Rcp,
        r#"{"Effect": "Deny", "Principal": "*", "NotAction": "kms:*", "Resource": "*"}"#,
        r#"{"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"}"#,
    ),
    (
        "control-policy",
        Rcp,
        r#"{"Effect": "Deny", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*"}"#,
        r#"{"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"}"#,
    ),
    (
        "lock-out",
        Key,
        r#"{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": ["kms:Describe*", "kms:Decrypt"], "Resource": "*"}"#,
        OWNED,
    ),
    (
        "lock-out",
        Key,
        r#"{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Deny", "Principal": "*", "Action": "kms:Put*", "Resource": "*"}"#,
        r#"{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Deny", "Principal": "*", "Action": "kms:Put*", "Resource": "*", "Condition": {"Bool": {"kms:BypassPolicyLockoutSafetyCheck": "true"}}}"#,
    ),
    (
        "lock-out",
        Key,
        r#"{"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "kms:*", "Resource": "*"}"#,
        OWNED,
    ),
    (
        "open-to-everyone",
        Key,
        r#"{"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}"#,
        r#"{"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"StringEquals": {"kms:CallerAccount": "111122223333", "kms:ViaService": "s3.us-east-1.amazonaws.com"}}}"#,
    ),
    (
        "open-to-everyone",
        Key,
        r#"{"Effect": "Allow", "Principal": {"AWS": ["111122223333", "*"]}, "Action": "kms:Decrypt", "Resource": "*", "Condition": {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}}"#,
        r#"{"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}"#,
    ),
    (
        "open-to-everyone",
        Key,
        r#"{"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}}"#,
        r#"{"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}"#,
    ),
    (
        "open-to-everyone",
        Key,
        r#"{"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-a1b2c3"}}}"#,
        r#"{"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/App*"}}}"#,
    ),
    (
        "open-to-everyone",
        Key,
        r#"{"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/Admin"}}}"#,
        OWNED,
    ),
    (
        "lock-out",
        Key,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Deny", "Principal": {"AWS": "111122223333"}, "Action": "kms:PutKeyPolicy", "Resource": "*"}"#,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Deny", "Principal": {"AWS": "444455556666"}, "Action": "kms:PutKeyPolicy", "Resource": "*"}"#,
    ),
    (
        "lock-out",
        Key,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Deny", "NotPrincipal": {"AWS": "arn:aws:iam::444455556666:root"}, "Action": "kms:*", "Resource": "*"}"#,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Deny", "NotPrincipal": {"AWS": ["arn:aws:iam::111122223333:root"]}, "Action": "kms:*", "Resource": "*"}"#,
    ),
    (
        "lock-out",
        Key,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Deny", "NotPrincipal": {"Service": "s3.amazonaws.com"}, "Action": "kms:*", "Resource": "*"}"#,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Deny", "NotPrincipal": {"AWS": ["arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:role/R"]}, "Action": "kms:*", "Resource": "*"}"#,
    ),
    (
        "lock-out",
        Key,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/R"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::111122223333:role/R"}, "Action": "kms:Put*", "Resource": "*"}"#,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::111122223333:role/R"}, "Action": "kms:Put*", "Resource": "*"}"#,
    ),
    (
        "open-to-everyone",
        Key,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"StringLike": {"aws:SourceVpce": "vpce-*"}}}"#,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"StringEquals": {"aws:SourceVpce": "vpce-1a2b3c4d"}}}"#,
    ),
    (
        "open-to-everyone",
        Key,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"StringEquals": {"kms:CallerAccount": "${kms:CallerAccount}"}}}"#,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"StringEquals": {"kms:CallerAccount": "111122223333"}}}"#,
    ),
    (
        "open-to-everyone",
        Key,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"StringLike": {"aws:PrincipalOrgID": "o-*"}}}"#,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}}"#,
    ),
    (
        "open-to-everyone",
        Key,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-*/*"}}}"#,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-a1b2c3d4e5/*"}}}"#,
    ),
    (
        "open-to-everyone",
        Key,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"StringLike": {"aws:userid": "*:x"}}}"#,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"StringLike": {"aws:userid": "AROAEXAMPLEEXAMPLEEX:*"}}}"#,
    ),
    (
        "open-to-everyone",
        Key,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/1"]}}}"#,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "203.0.0.0/8"}}}"#,
    ),
    (
        "open-to-everyone",
        Key,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::1*:role/*"}}}"#,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/*"}}}"#,
    ),
    (
        "foreign-administrator",
        Key,
        r#"{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": ["kms:Put*", "kms:Get*"], "Resource": "*"}, {"Effect": "Allow", "Principal": {"AWS": "444455556666"}, "Action": "kms:*", "Resource": "*"}"#,
        r#"{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": ["kms:Put*", "kms:Get*"], "Resource": "*"}, {"Effect": "Allow", "Principal": {"AWS": "444455556666"}, "Action": "kms:Decrypt", "Resource": "*"}"#,
    ),
    (
        "action-matches-nothing",
        Key,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "s3:GetObject", "Resource": "*"}"#,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:Create*", "Resource": "*"}"#,
    ),
    (
        "action-matches-nothing",
        Key,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:CreateKey", "Resource": "*"}"#,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:Create*", "Resource": "*"}"#,
    ),
    (
        "operator-type",
        Identity,
        r#"{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"ArnEquals": {"kms:CallerAccount": "arn:aws:iam::111122223333:role/R"}}}"#,
        r#"{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"StringEquals": {"kms:CallerAccount": "111122223333"}}}"#,
    ),
    (
        "resource-mismatch",
        Identity,
        r#"{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b/*"}"#,
        r#"{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b*"}"#,
    ),
    (
        "unknown-partition",
        Identity,
        r#"{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "arn:aw:kms:us-east-1:111122223333:key/a"}"#,
        r#"{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": ["arn:aws-cn:kms:*:111122223333:key/a", "arn:*:kms:*:111122223333:key/b"]}"#,
    ),
    (
        "lock-out",
        Key,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:sts::111122223333:assumed-role/Ad/s"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::111122223333:role/Ad"}, "Action": "kms:PutKeyPolicy", "Resource": "*"}"#,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:sts::111122223333:assumed-role/Ad/s"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::111122223333:user/alice"}, "Action": "kms:PutKeyPolicy", "Resource": "*"}"#,
    ),
    (
        "lock-out",
        Key,
        r#"{"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::111122223333:role/Ad", "arn:aws:iam::111122223333:user/alice"]}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::111122223333:role/Ad"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::111122223333:user/alice"}, "Action": "kms:*", "Resource": "*"}"#,
        r#"{"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::111122223333:role/Ad", "arn:aws:iam::111122223333:user/alice", "arn:aws:iam::111122223333:root"]}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::111122223333:role/Ad"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::111122223333:user/alice"}, "Action": "kms:*", "Resource": "*"}"#,
    ),
    (
        "lock-out",
        Key,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:user/alice"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Deny", "NotPrincipal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:PutKeyPolicy", "Resource": "*"}"#,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:user/alice"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Deny", "NotPrincipal": {"AWS": ["arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:user/alice"]}, "Action": "kms:PutKeyPolicy", "Resource": "*"}"#,
    ),
    (
        "lock-out",
        Key,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:sts::111122223333:assumed-role/Ad/s"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Deny", "NotPrincipal": {"AWS": ["arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:role/Ad"]}, "Action": "kms:PutKeyPolicy", "Resource": "*"}"#,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:sts::111122223333:assumed-role/Ad/s"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Deny", "NotPrincipal": {"AWS": ["arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:role/Ad", "arn:aws:sts::111122223333:assumed-role/Ad/s"]}, "Action": "kms:PutKeyPolicy", "Resource": "*"}"#,
    ),
    (
        "foreign-administrator",
        Key,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::444455556666:root"}, "Action": "kms:*", "Resource": "*"}"#,
        r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::444455556666:root"}, "Action": "kms:Decrypt", "Resource": "*"}, {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}"#,
    ),
    (
        "public-resource",
        Resource,
        r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}"#,
        r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*", "Condition": {"StringEquals": {"aws:SourceVpce": "vpce-1"}}}"#,
    ),
    (
        "foreign-administrator",
        Key,
        r#"{"Effect": "Allow", "Principal": {"AWS": ["111122223333", "arn:aws:iam::444455556666:role/R"]}, "Action": "kms:*", "Resource": "*"}"#,
        r#"{"Effect": "Allow", "Principal": {"AWS": ["111122223333", "arn:aws:iam::111122223333:role/R"]}, "Action": "kms:*", "Resource": "*"}, {"Effect": "Allow", "Principal": {"AWS": "444455556666"}, "Action": "kms:Decrypt", "Resource": "*"}"#,
    ),
    (
        "dead-deny",
        Identity,
        r#"{"Effect": "Deny", "Action": "kms:TagResource", "Resource": "*", "Condition": {"StringEquals": {"aws:TagKeys": "owner"}}}"#,
        r#"{"Effect": "Deny", "Action": "kms:TagResource", "Resource": "*", "Condition": {"ForAnyValue:StringEquals": {"aws:TagKeys": "owner"}}}"#,
    ),
    (
        "deny-skips-missing-key",
        Identity,
        r#"{"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "false"}}}"#,
        r#"{"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}}"#,
    ),
    (
        "deny-skips-missing-key",
        Identity,
        r#"{"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {"NumericGreaterThan": {"aws:MultiFactorAuthAge": "3600"}}}"#,
        r#"{"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {"NumericGreaterThan": {"aws:MultiFactorAuthAge": "3600"}}}, {"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {"Null": {"aws:MultiFactorAuthAge": "true"}}}"#,
    ),
    (
        "not-principal-ancestors",
        Key,
        r#"{"Effect": "Deny", "NotPrincipal": {"AWS": "arn:aws:iam::111122223333:role/R"}, "Action": "kms:*", "Resource": "*"}"#,
        r#"{"Effect": "Deny", "NotPrincipal": {"AWS": ["arn:aws:iam::111122223333:role/R", "111122223333"]}, "Action": "kms:*", "Resource": "*"}"#,
    ),
    (
        "not-principal-ancestors",
        Key,
        r#"{"Effect": "Deny", "NotPrincipal": {"AWS": ["arn:aws:sts::111122223333:assumed-role/R/s", "111122223333"]}, "Action": "kms:*", "Resource": "*"}"#,
        r#"{"Effect": "Deny", "NotPrincipal": {"AWS": ["arn:aws:sts::111122223333:assumed-role/R/s", "111122223333", "arn:aws:iam::111122223333:role/p/R"]}, "Action": "kms:*", "Resource": "*"}"#,
    ),
    (
        "for-all-values-allow",
        Identity,
        r#"{"Effect": "Allow", "Action": "kms:TagResource", "Resource": "*", "Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": "owner"}}}"#,
        r#"{"Effect": "Allow", "Action": "kms:TagResource", "Resource": "*", "Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": "owner"}, "Null": {"aws:TagKeys": "false"}}}"#,
    ),
    ("unknown-service", Identity, r#"{"Effect": "Allow", "Action": "kmz:Decrypt", "Resource": "*"}"#, ALLOW),
    (
        "unknown-action",
        Identity,
        r#"{"Effect": "Allow", "Action": "kms:Decript", "Resource": "*"}"#,
        r#"{"Effect": "Allow", "Action": "KMS:decrypt", "Resource": "*"}"#,
    ),
    (
        "unknown-action",
        Identity,
        r#"{"Effect": "Allow", "Action": ["kms:ReEncrypt"], "Resource": "*"}"#,
        r#"{"Effect": "Allow", "Action": "kms:ReEncrypt*", "Resource": "*"}"#,
    ),
    (
        "action-matches-nothing",
        Identity,
        r#"{"Effect": "Allow", "Action": "kms:Descrybe*", "Resource": "*"}"#,
        r#"{"Effect": "Allow", "Action": "kms:Describe*", "Resource": "*"}"#,
    ),
    (
        "unknown-condition-key",
        Identity,
        r#"{"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresence": "false"}}}"#,
        r#"{"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {"StringEquals": {"gitlab.example.com:sub": "a", "aws:PrincipalTag/a.b": "c"}}}"#,
    ),
    (
        "unsupported-key",
        Identity,
        r#"{"Effect": "Allow", "Action": ["kms:Decrypt", "kms:Encrypt"], "Resource": "*", "Condition": {"NumericGreaterThan": {"kms:RotationPeriodInDays": "180"}}}"#,
        r#"{"Effect": "Allow", "Action": ["kms:Decrypt", "kms:Encrypt"], "Resource": "*", "Condition": {"StringEquals": {"kms:EncryptionContext:a": "b"}}}"#,
    ),
    (
        "unsupported-key",
        Identity,
        r#"{"Effect": "Allow", "Action": ["kms:EnableKeyRotation", "kms:Encrypt"], "Resource": "*", "Condition": {"NumericGreaterThan": {"kms:RotationPeriodInDays": "180"}}}"#,
        r#"{"Effect": "Deny", "Action": ["kms:EnableKeyRotation", "kms:Encrypt"], "Resource": "*", "Condition": {"NumericLessThan": {"kms:RotationPeriodInDays": "180"}}}"#,
    ),
    (
        "unknown-variable",
        Identity,
        r#"{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/${aws:user}/*"}"#,
        r#"{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/${aws:PrincipalTag/team}/*"}"#,
    ),
    (
        "unknown-variable",
        Identity,
        r#"{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": {"StringEquals": {"kms:EncryptionContext:u": "${username}"}}}"#,
        r#"{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": {"StringEquals": {"kms:EncryptionContext:u": "${aws:username}"}}}"#,
    ),
    (
        "multivalued-variable",
        Identity,
        r#"{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": {"StringEquals": {"kms:EncryptionContext:u": "${aws:TagKeys}"}}}"#,
        r#"{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": {"StringEquals": {"kms:EncryptionContext:u": "${aws:userid}"}}}"#,
    ),
    (
        "variable-in-old-version",
        Identity,
        r#"{"Version": "2008-10-17", "Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/${aws:username}/*"}}"#,
        r#"{"Version": "2008-10-17", "Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/${x}/*"}}"#,
    ),
    ("no-version", Identity, r#"{"Statement": []}"#, r#"{"Version": "2008-10-17", "Statement": []}"#),
    (
        "operator-type",
        Identity,
        r#"{"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {"StringEquals": {"aws:SecureTransport": "false"}}}"#,
        r#"{"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}"#,
    ),
    (
        "operator-type",
        Identity,
        r#"{"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {"StringNotLike": {"aws:SourceIp": "10.*"}}}"#,
        r#"{"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {"StringLike": {"aws:PrincipalArn": "arn:*"}, "NumericLessThan": {"aws:EpochTime": "1"}, "ArnLike": {"kms:GranteePrincipal": "arn:aws:iam::*:role/R"}}}"#,
    ),
    (
        "multivalued-key",
        Identity,
        r#"{"Effect": "Allow", "Action": "kms:TagResource", "Resource": "*", "Condition": {"StringLike": {"aws:TagKeys": "own*"}}}"#,
        r#"{"Effect": "Allow", "Action": "kms:TagResource", "Resource": "*", "Condition": {"Null": {"aws:TagKeys": "false"}}}"#,
    ),
    (
        "set-operator-on-single-value",
        Identity,
        r#"{"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {"ForAnyValue:StringEquals": {"aws:username": "a"}}}"#,
        r#"{"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {"ForAnyValue:StringEquals": {"aws:CalledVia": "a"}}}"#,
    ),
    (
        "wildcard-without-like",
        Identity,
        r#"{"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:username": "dev-*"}}}"#,
        r#"{"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:username": "dev-${*}"}, "StringNotLike": {"aws:userid": "*:a"}}}"#,
    ),
    (
        "odd-boolean",
        Identity,
        r#"{"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "no"}}}"#,
        r#"{"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": false}}}"#,
    ),
    (
        "date-without-zone",
        Identity,
        r#"{"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {"DateGreaterThan": {"aws:CurrentTime": "2026-01-01T08:00:00"}}}"#,
        r#"{"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {"DateGreaterThan": {"aws:CurrentTime": ["2026-01-01T08:00:00+01:00", "1767225600"]}}}"#,
    ),
    (
        "ip-leading-zeros",
        Identity,
        r#"{"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {"NotIpAddress": {"aws:SourceIp": "010.0.0.0/8"}}}"#,
        r#"{"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "2001:0db8::/32"]}}}"#,
    ),
    (
        "never-matches",
        Identity,
        r#"{"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {"StringEquals": {"aws:username": "a"}, "StringNotEquals": {"aws:username": ["a", "b"]}}}"#,
        r#"{"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {"StringEquals": {"aws:username": ["a", "c"]}, "StringNotEquals": {"aws:username": ["a", "b"]}}}"#,
    ),
    (
        "never-matches",
        Identity,
        r#"{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}, "Null": {"aws:MultiFactorAuthPresent": "true"}}}"#,
        r#"{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}, "Null": {"aws:MultiFactorAuthPresent": "true"}}}"#,
    ),
    (
        "never-matches",
        Identity,
        r#"{"Effect": "Allow", "Action": "kms:EnableKeyRotation", "Resource": "*", "Condition": {"NumericGreaterThan": {"kms:RotationPeriodInDays": "365"}, "NumericLessThanEquals": {"kms:RotationPeriodInDays": "180"}}}"#,
        r#"{"Effect": "Allow", "Action": "kms:EnableKeyRotation", "Resource": "*", "Condition": {"NumericGreaterThan": {"kms:RotationPeriodInDays": "180"}, "NumericLessThanEquals": {"kms:RotationPeriodInDays": "365"}}}"#,
    ),
    (
        "never-matches",
        Identity,
        r#"{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": {"DateGreaterThan": {"aws:CurrentTime": "2027-01-01T00:00:00Z"}, "DateLessThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}}}"#,
        r#"{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": {"DateGreaterThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}, "DateLessThan": {"aws:CurrentTime": "2027-01-01T00:00:00Z"}}}"#,
    ),
    (
        "never-matches",
        Identity,
        r#"{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": {"DateLessThan": {"aws:EpochTime": "2"}, "DateGreaterThan": {"aws:EpochTime": "5"}}}"#,
        r#"{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": {"NumericEquals": {"aws:EpochTime": "1"}, "DateLessThan": {"aws:EpochTime": "2026-01-01T00:00:00Z"}}}"#,
    ),
    (
        "never-matches",
        Identity,
        r#"{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}, "NotIpAddress": {"aws:SourceIp": "10.0.0.0/7"}}}"#,
        r#"{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}, "NotIpAddress": {"aws:SourceIp": "10.0.0.0/9"}}}"#,
    ),
    (
        "never-matches",
        Identity,
        r#"{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": {"StringEquals": {"aws:username": []}}}"#,
        r#"{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:username": []}, "StringLike": {"aws:userid": "a*"}, "StringLikeIfExists": {"aws:userid": "*b"}}}"#,
    ),
    (
        "resource-mismatch",
        Identity,
        r#"{"Effect": "Allow", "Action": ["kms:Decrypt", "kms:Encrypt"], "Resource": "arn:aws:kms:us-east-1:111122223333:alias/a"}"#,
        r#"{"Effect": "Allow", "Action": ["kms:Decrypt", "kms:Encrypt"], "Resource": "arn:aws:kms:us-east-1:111122223333:key/a"}"#,
    ),
    (
        "resource-mismatch",
        Identity,
        r#"{"Effect": "Allow", "Action": "s3:GetObject", "Resource": ["arn:aws:s3:::bucket", "arn:aws:sqs:us-east-1:111122223333:q"]}"#,
        r#"{"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject"], "Resource": ["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"]}"#,
    ),
    (
        "resource-mismatch",
        Identity,
        r#"{"Effect": "Allow", "Action": "kms:ListKeys", "Resource": "arn:aws:kms:*:*:key/*"}"#,
        r#"{"Effect": "Allow", "Action": "kms:ListKeys", "Resource": "*"}"#,
    ),
    (
        "action-without-resource",
        Identity,
        r#"{"Effect": "Allow", "Action": ["kms:Decrypt", "kms:ListKeys"], "Resource": "arn:aws:kms:*:*:key/*"}"#,
        r#"{"Effect": "Allow", "Action": ["kms:Decrypt", "kms:*"], "Resource": "arn:aws:kms:*:*:key/*"}"#,
    ),
    (
        "key-policy-resource",
        Key,
        r#"{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "arn:aws:kms:us-east-1:111122223333:key/other"}"#,
        OWNED,
    ),
    (
        "key-policy-resource",
        Key,
        r#"{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "arn:aws:s3:::b"}"#,
        OWNED,
    ),
    ("no-effect", Key, r#"{"Effect": "Deny", "Principal": "*", "Action": "kms:*"}"#, OWNED),
    (
        "redundant-action",
        Identity,
        r#"{"Effect": "Allow", "Action": ["kms:Describe*", "kms:DescribeKey"], "Resource": "*"}"#,
        r#"{"Effect": "Allow", "Action": ["kms:Describe*", "kms:Decrypt", "kms:De?rypt"], "Resource": "*"}"#,
    ),
    (
        "redundant-action",
        Identity,
        r#"{"Effect": "Allow", "Action": ["kms:Decrypt", "KMS:decrypt"], "Resource": "*"}"#,
        ALLOW,
    ),
    (
        "duplicate-statement",
        Identity,
        r#"{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}, {"Sid": "B", "Effect": "Allow", "Action": "kms:*", "Resource": "*"}"#,
        r#"{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}, {"Sid": "B", "Effect": "Deny", "Action": "kms:*", "Resource": "*"}"#,
    ),
    (
        "repeated-sid",
        Key,
        r#"{"Sid": "a b", "Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"}, {"Sid": "a b", "Effect": "Deny", "Principal": "*", "Action": "kms:Get*", "Resource": "*"}"#,
        OWNED,
    ),
    (
        "rcp-unsupported-service",
        Rcp,
        r#"{"Effect": "Deny", "Principal": "*", "Action": "ec2:*", "Resource": "*"}"#,
        r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}"#,
    ),
];

/// A key policy's statement without fault.
const OWNED: &str = r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}"#;

/// An identity policy's statement without fault.
const ALLOW: &str = r#"{"Sid": "A1", "Effect": "Allow", "Action": "kms:*", "Resource": "*"}"#;

const DEEP: &str = r#"{"Statement": [[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]}"#;

fn document(text: &str) -> String {
    if text.contains("\"Statement\":") {
        text.to_owned()
    } else {
        format!(r#"{{"Version": "2012-10-17", "Statement": [{text}]}}"#)
    }
}

fn rules(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.rule.name).collect()
}

#[test]
fn each_rule_finds_what_it_is_for_and_nothing_else() {
    for (rule, kind, wrong, right) in CASES {
        let found = lint(&document(wrong), *kind);
        assert!(rules(&found).contains(rule), "{rule} is silent on {wrong}: {found:#?}");
        for finding in &found {
            assert!(!finding.what.is_empty() && !finding.mend.is_empty(), "{finding:?}");
        }
        let found = lint(&document(right), *kind);
        assert!(!rules(&found).contains(rule), "{rule} finds something in {right}: {found:#?}");
    }
}

#[test]
fn every_rule_has_its_cases() {
    let tried: BTreeSet<&str> = CASES.iter().map(|case| case.0).chain(["too-large"]).collect();
    let all: BTreeSet<&str> = POLICY_RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(tried, all);
    assert_eq!(all.len(), POLICY_RULES.len(), "each rule has a name of its own");
}

#[test]
fn documents_have_largest_sizes() {
    let padded = |kind, length: usize| {
        let statement = match kind {
            Key | Resource | Rcp => r#""Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*""#,
            _ => r#""Effect": "Deny", "Action": "kms:*", "Resource": "*""#,
        };
        let text = format!(r#"{{"Version":"2012-10-17","Id":"","Statement":[{{{statement}}}]}}"#);
        let counted = if matches!(kind, Identity | Boundary) {
            text.chars().filter(|c| !c.is_whitespace()).count()
        } else {
            text.len()
        };
        text.replace(r#""Id":"""#, &format!(r#""Id":"{}""#, "x".repeat(length - counted)))
    };
    for (kind, most) in
        [(Key, 32_768), (Identity, 10_240), (Boundary, 6144), (Session, 2048), (Scp, 10_240), (Rcp, 5120)]
    {
        assert!(!rules(&lint(&padded(kind, most), kind)).contains(&"too-large"), "{kind:?}");
        assert!(rules(&lint(&padded(kind, most + 1), kind)).contains(&"too-large"), "{kind:?}");
    }
    assert!(!rules(&lint(&padded(Resource, 40_000), Resource)).contains(&"too-large"));
}

#[test]
fn a_finding_names_its_place_the_statement_and_the_name_that_was_meant() {
    let text = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {"Effect": "allow"},
    {
      "Effect": "Allow",
      "Action": ["kms:Decrypt",
                 "kms:Descripe*", "kms:Encript"],
      "Resource": "*",
      "Condition": {"StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT",
                                     "aws:PrincipalOrgId2": ["o-1", "o-*"]}}
    }
  ]
}"#;
    let found: Vec<(&str, u32, u32, Option<usize>, String)> = lint(text, Identity)
        .into_iter()
        .map(|finding| (finding.rule.name, finding.line, finding.column, finding.statement, finding.mend))
        .collect();
    assert_eq!(
        found,
        [
            ("invalid-value", 4, 16, Some(0), "write \"Allow\" or \"Deny\" (in that case)".to_owned()),
            ("action-matches-nothing", 8, 18, Some(1), "correct the pattern".to_owned()),
            ("unknown-action", 8, 35, Some(1), "did you mean `kms:Encrypt`?".to_owned()),
            ("unknown-condition-key", 11, 38, Some(1), "did you mean `aws:PrincipalOrgID`?".to_owned()),
            ("wildcard-without-like", 11, 69, Some(1), "use StringLike".to_owned()),
        ]
    );
}

#[test]
fn a_key_policy_as_aws_makes_it_has_no_finding() {
    let text = r#"{"Version": "2012-10-17", "Id": "key-default-1", "Statement": [{"Sid": "Enable IAM User Permissions",
        "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}]}"#;
    assert_eq!(lint(text, Key), []);
}
