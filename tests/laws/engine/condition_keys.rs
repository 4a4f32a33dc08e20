//! Every condition key that AWS lists for the actions of an operation decides: an
//! identity policy that allows by it alone. `docs/operations.md` is made of this table.

use std::sync::Arc;

use keystile::authz::{AttachedDocument, PrincipalPolicies};
use keystile::aws::catalogue;
use keystile::cedar::Documents;
use keystile::iam::DocumentKind;
use keystile::kms::Operation;
use serde_json::{Value, json};

use super::house::{ACCOUNT, House};
use super::requests::{ALICE, BOB, Request, TAG, THERE, alias, all_operations, is_of_imports};

/// Condition keys that no request gives, by their beginning: the operations (all, where none is named)
/// and the reason.
const NEVER: &[(&str, &[&str], &str)] = &[
    ("kms:RecipientAttestation:", &[], "a request from an enclave, with a Recipient, is UnsupportedOperationException"),
    ("kms:GrantConstraintSourceArn", &[], "the API's model has no such constraint"),
    ("kms:GranteeServicePrincipal", &[], "the API's model has no such member"),
    ("kms:RetiringServicePrincipal", &[], "the API's model has no such member"),
    ("aws:ResourceTag/", &["CreateKey"], "there is no key yet: its tags are `aws:RequestTag/`"),
];

/// Why no request for the operation gives the key.
pub(crate) fn never(operation: &str, key: &str) -> Option<&'static str> {
    let row = NEVER
        .iter()
        .find(|(start, only, _)| key.starts_with(start) && (only.is_empty() || only.contains(&operation)))?;
    Some(row.2)
}

/// The actions that an operation asks for under its own name.
fn actions(operation: &'static str) -> Vec<&'static str> {
    match operation {
        "ReEncrypt" => vec!["ReEncryptFrom", "ReEncryptTo"],
        _ => vec![operation],
    }
}

/// The condition keys that AWS lists for an action.
fn keys_of_action(action: &str) -> Vec<&'static str> {
    let kms = catalogue::service("kms").unwrap();
    let action = kms.action(action).unwrap();
    let listed = |name: &str| kms.supports(action, &name.to_lowercase().replace('*', "x"));
    kms.keys().iter().map(|key| key.name).filter(|name| listed(name)).collect()
}

/// The condition keys that AWS lists for an operation, sorted.
pub(crate) fn keys_of(operation: &'static str) -> Vec<&'static str> {
    let mut keys: Vec<_> = actions(operation).into_iter().flat_map(keys_of_action).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// A condition by the key that holds for the request, and one that doesn't.
fn conditions(key: &str, request: &Request) -> Option<(Value, Value)> {
    let by = |operator: &str, holds: Value, fails: Value| {
        Some((json!({operator: {key: holds}}), json!({operator: {key: fails}})))
    };
    let text = |holds: &str, fails: &str| by("StringEquals", json!(holds), json!(fails));
    let any = |holds: &str, fails: &str| by("ForAnyValue:StringLike", json!(holds), json!(fails));
    let tagged = |start: &str| {
        let key = format!("{start}{}", TAG.0);
        Some((json!({"StringEquals": {key.as_str(): TAG.1}}), json!({"StringEquals": {key.as_str(): "red"}})))
    };
    match key {
        "aws:RequestTag/*" => tagged("aws:RequestTag/"),
        "aws:ResourceTag/*" => tagged("aws:ResourceTag/"),
        "aws:TagKeys" => any(TAG.0, "another"),
        "kms:BypassPolicyLockoutSafetyCheck" | "kms:MultiRegion" | "kms:ReEncryptOnSameKey" => {
            by("Bool", json!("true"), json!("false"))
        }
        "kms:CallerAccount" => text(ACCOUNT, "444455556666"),
        "kms:CustomerMasterKeySpec" | "kms:KeySpec" => text(request.spec, "RSA_4096"),
        "kms:CustomerMasterKeyUsage" | "kms:KeyUsage" => text(request.usage, "NOTHING"),
        "kms:DataKeyPairSpec" => text("ECC_NIST_P256", "ECC_NIST_P384"),
        "kms:EncryptionAlgorithm" => text("SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1"),
        "kms:EncryptionContext:*" => Some((
            json!({"StringEquals": {"kms:EncryptionContext:tenant": "a"}}),
            json!({"StringEquals": {"kms:EncryptionContext:tenant": "b"}}),
        )),
        "kms:EncryptionContextKeys" => any("tenant", "another"),
        "kms:ExpirationModel" => text("KEY_MATERIAL_EXPIRES", "KEY_MATERIAL_DOES_NOT_EXPIRE"),
        "kms:ValidTo" => by("DateEquals", json!("2026-01-31T00:00:00Z"), json!("2026-02-01T00:00:00Z")),
        "kms:WrappingAlgorithm" => text("RSAES_OAEP_SHA_256", "RSAES_OAEP_SHA_1"),
        "kms:WrappingKeySpec" => text("RSA_2048", "RSA_4096"),
        "kms:TrailingDaysWithoutKeyUsage" => by("NumericEquals", json!("0"), json!("30")),
        "kms:GrantConstraintType" => text("EncryptionContextEquals", "EncryptionContextSubset"),
        "kms:GrantIsForAWSResource" => by("Bool", json!("false"), json!("true")),
        "kms:GrantOperations" => any("Decrypt", "Encrypt"),
        "kms:GranteePrincipal" | "kms:RetiringPrincipal" => text(BOB, ALICE),
        "kms:KeyAgreementAlgorithm" => text("ECDH", "another"),
        "kms:KeyOrigin" if is_of_imports(request.operation) => text("EXTERNAL", "AWS_KMS"),
        "kms:KeyOrigin" => text("AWS_KMS", "EXTERNAL"),
        "kms:MacAlgorithm" => text("HMAC_SHA_256", "HMAC_SHA_512"),
        "kms:MessageType" => text("RAW", "DIGEST"),
        // It is asked of the primary and of the replica that takes its place.
        "kms:MultiRegionKeyType" if request.operation == "UpdatePrimaryRegion" => {
            by("StringEquals", json!(["PRIMARY", "REPLICA"]), json!("PRIMARY"))
        }
        "kms:MultiRegionKeyType" => text("PRIMARY", "REPLICA"),
        "kms:PrimaryRegion" | "kms:ReplicaRegion" => text(THERE, "us-west-2"),
        "kms:RequestAlias" => text(&alias(&request.key), "alias/another"),
        "kms:ResourceAliases" => any(&alias("*"), "alias/another"),
        "kms:RotationPeriodInDays" => by("NumericEquals", json!("90"), json!("91")),
        "kms:ScheduleKeyDeletionPendingWindowInDays" => by("NumericEquals", json!("7"), json!("8")),
        "kms:SigningAlgorithm" => text("ECDSA_SHA_256", "ECDSA_SHA_384"),
        // No service calls for anybody here.
        "kms:ViaService" => {
            Some((json!({"Null": {key: "true"}}), json!({"StringEquals": {key: "s3.us-east-1.amazonaws.com"}})))
        }
        _ => None,
    }
}

/// Whether alice may, whose own policy allows the action under the condition, and all others.
async fn allowed(house: &House, request: &Request, action: &str, condition: &Value) -> bool {
    let action = format!("kms:{action}");
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "NotAction": action, "Resource": "*"},
        // The condition is to be about keys, not about the alias that names one.
        {"Effect": "Allow", "Action": action, "Resource": "arn:aws:kms:*:*:alias/*"},
        {"Effect": "Allow", "Action": action, "Resource": "*", "Condition": condition}]});
    let document = Documents::default().compile(DocumentKind::IdentityPolicy, &policy.to_string()).unwrap();
    let own = PrincipalPolicies::new(vec![AttachedDocument { document, arn: None, source: None }], None, None);
    let parsed = Operation::parse(request.operation, request.body.to_string().as_bytes()).unwrap();
    let resolved = house.kms.resolve(parsed, &House::caller(ALICE, ACCOUNT), &house.surroundings()).await.unwrap();
    house.authorizer.authorize(resolved, &Arc::new(own), None).is_ok()
}

#[tokio::test]
async fn each_condition_key_of_each_operation_decides() {
    let house = House::new().await;
    let mut wrong = Vec::new();
    for operation in all_operations() {
        let request = Request::of(&house, operation).await;
        for action in actions(operation) {
            for key in keys_of_action(action) {
                match (conditions(key, &request), never(operation, key)) {
                    (_, Some(_)) => {}
                    (None, None) => wrong.push(format!("{action}: no condition by {key}")),
                    (Some((holds, fails)), None) => {
                        for (condition, expected) in [(holds, true), (fails, false)] {
                            if allowed(&house, &request, action, &condition).await != expected {
                                wrong.push(format!("{action}: {condition} must say {expected}"));
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
