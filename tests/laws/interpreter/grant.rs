//! Grants on KMS keys: they only allow.

use std::collections::BTreeMap;

use super::case::{Case, Context, Grant, look_up};
use super::principal::{Named, named_by_arn};

/// How a grant would let the caller do what it asks for: how it names the caller, and whether the
/// account that issued it is the caller's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Granted {
    pub(super) named: Named,
    pub(super) by_own_account: bool,
}

/// What grants can cover (KMS Developer Guide, "Grant operations").
const GRANTABLE: [&str; 17] = [
    "Encrypt",
    "Decrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
    "Sign",
    "Verify",
    "GenerateMac",
    "VerifyMac",
    "DeriveSharedSecret",
    "GetPublicKey",
    "DescribeKey",
    "CreateGrant",
    "RetireGrant",
];

/// The ways in which the case's grants allow what it asks for.
pub(super) fn granted(case: &Case, context: &Context) -> Vec<Granted> {
    let Some(operation) = case.action.strip_prefix("kms:").filter(|operation| GRANTABLE.contains(operation)) else {
        return Vec::new();
    };
    case.grants.iter().flat_map(|grant| granted_by(case, operation, grant, context)).collect()
}

fn granted_by(case: &Case, operation: &str, grant: &Grant, context: &Context) -> Vec<Granted> {
    let issuer = grant.issuing_account.as_deref().or(case.owner());
    let by_own_account = case.account().is_some() && case.account() == issuer;
    let way = |named| Granted { named, by_own_account };
    let covers = grant.operations.iter().any(|covered| covered == operation);
    let mut ways = Vec::new();
    if covers && constraints_hold(operation, grant, context) {
        ways.extend(principal(case, &grant.grantee).map(way));
    }
    if operation == "RetireGrant" {
        ways.extend(grant.retiring.as_deref().and_then(|retiring| principal(case, retiring)).map(way));
        if by_own_account {
            ways.push(way(Named::ByAccount));
        }
    }
    ways
}

/// How a grant's principal names the caller: never by a wildcard.
fn principal(case: &Case, text: &str) -> Option<Named> {
    if !text.starts_with("arn:") {
        return (text == case.principal && text.ends_with(".amazonaws.com")).then_some(Named::Directly);
    }
    named_by_arn(case, text)
}

/// Names and values of an encryption context are compared exactly. DescribeKey and RetireGrant have
/// none to compare.
fn constraints_hold(operation: &str, grant: &Grant, context: &Context) -> bool {
    if operation == "RetireGrant" {
        return true;
    }
    let compares = operation != "DescribeKey";
    let given: BTreeMap<String, String> = context
        .iter()
        .filter_map(|(key, values)| {
            let (start, name) = key.split_at_checked("kms:EncryptionContext:".len())?;
            let is_pair = start.to_lowercase() == "kms:encryptioncontext:" && values.values.len() == 1;
            is_pair.then(|| (name.to_owned(), values.values[0].clone()))
        })
        .collect();
    let source = look_up(context, "aws:SourceArn").filter(|found| !found.multivalued);
    let contains =
        |subset: &BTreeMap<String, String>| subset.iter().all(|(name, value)| given.get(name) == Some(value));
    grant.equals.as_ref().is_none_or(|equals| !compares || *equals == given)
        && grant.subset.as_ref().is_none_or(|subset| !compares || contains(subset))
        && grant.source_arn.as_ref().is_none_or(|arn| source.is_some_and(|found| found.values.first() == Some(arn)))
}
