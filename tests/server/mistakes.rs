//! Typical mistakes, and the element that the author has to change: the explanation names it, and
//! nothing else, first.

use serde_json::{Value, json};

use crate::command::simulate;

const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/Rotator/nightly";
const ALICE: &str = "arn:aws:iam::111122223333:user/alice";
const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// The mistake, its case, the layer that decides, and the element to change: its name, operator,
/// key, what the statement has (one of its values) and what the request has.
struct Mistake {
    name: &'static str,
    case: Value,
    layer: &'static str,
    element: &'static str,
    condition: Option<(&'static str, &'static str)>,
    expected: &'static str,
    actual: Value,
}

fn statement(changes: &[(&str, Value)]) -> Value {
    let mut statement = json!({"Sid": "Meant", "Effect": "Allow", "Action": "kms:EnableKeyRotation", "Resource": "*"});
    for (member, value) in changes {
        statement[*member] = value.clone();
    }
    json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "Beside", "Effect": "Allow", "Action": "kms:ListAliases", "Resource": "*"}, statement]})
}

/// The statement alone.
fn alone(changes: &[(&str, Value)]) -> Value {
    let document = statement(changes);
    json!({"Version": "2012-10-17", "Statement": document["Statement"][1]})
}

fn key_statement(changes: &[(&str, Value)]) -> Value {
    let mut document = statement(changes);
    document["Statement"][0]["Principal"] = json!({"AWS": "arn:aws:iam::111122223333:user/auditor"});
    if document["Statement"][1].get("NotPrincipal").is_none() && document["Statement"][1].get("Principal").is_none() {
        document["Statement"][1]["Principal"] = json!({"AWS": ["arn:aws:iam::111122223333:role/Rotator", ALICE]});
    }
    document
}

fn delegates() -> Value {
    json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": "111122223333"},
           "Action": "kms:*", "Resource": "*"}})
}

#[allow(clippy::needless_pass_by_value, reason = "calls with json! read better")]
fn on_key(policy: Value, changes: &[(&str, Value)]) -> Value {
    let mut case =
        json!({"principal": SESSION, "action": "kms:EnableKeyRotation", "resource": KEY, "key_policy": policy});
    for (member, value) in changes {
        case[*member] = value.clone();
    }
    case
}

fn everything() -> Value {
    json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
}

fn on_account(own: &str, policies: Value) -> Value {
    let mut case = on_key(delegates(), &[("identity_policies", json!([everything()]))]);
    case[own] = policies;
    case
}

#[allow(clippy::needless_pass_by_value, reason = "calls with json! read better")]
fn when(operator: &str, key: &str, value: Value) -> [(&'static str, Value); 1] {
    [("Condition", json!({operator: {key: value}}))]
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn mistakes() -> Vec<Mistake> {
    let mistake = |name, case, layer, element, condition, expected, actual: Value| Mistake {
        name,
        case,
        layer,
        element,
        condition,
        expected,
        actual,
    };
    let condition = |name, policy: Value, context: Value, condition, expected, actual: Value| {
        let case = on_key(policy, &[("context", context)]);
        mistake(name, case, "key_policy", "Condition", Some(condition), expected, actual)
    };
    vec![
        condition(
            "MFA is missing",
            key_statement(&when("Bool", "aws:MultiFactorAuthPresent", json!("true"))),
            json!({}),
            ("Bool", "aws:MultiFactorAuthPresent"),
            "true",
            Value::Null,
        ),
        mistake(
            "the Principal is of the wrong account",
            on_key(key_statement(&[("Principal", json!({"AWS": "arn:aws:iam::444455556666:role/Rotator"}))]), &[]),
            "key_policy",
            "Principal",
            None,
            "arn:aws:iam::444455556666:role/Rotator",
            json!("arn:aws:iam::111122223333:role/Rotator"),
        ),
        mistake(
            "the role's path is missing",
            on_key(key_statement(&[]), &[("role_arn", json!("arn:aws:iam::111122223333:role/ops/Rotator"))]),
            "key_policy",
            "Principal",
            None,
            "arn:aws:iam::111122223333:role/Rotator",
            json!("arn:aws:iam::111122223333:role/ops/Rotator"),
        ),
        mistake(
            "the action is misspelt",
            on_key(key_statement(&[("Action", json!(["kms:EnableKeyRotatoin"]))]), &[]),
            "key_policy",
            "Action",
            None,
            "kms:EnableKeyRotatoin",
            json!("kms:EnableKeyRotation"),
        ),
        mistake(
            "the Resource is the key of another region",
            on_account(
                "identity_policies",
                json!([statement(&[("Resource", json!(KEY.replace("us-east-1", "eu-west-1")))])]),
            ),
            "identity_policy",
            "Resource",
            None,
            "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            json!(KEY),
        ),
        condition(
            "the tag has another key",
            key_statement(&when("StringEquals", "aws:PrincipalTag/team", json!("security"))),
            json!({"aws:PrincipalTag/department": "security"}),
            ("StringEquals", "aws:PrincipalTag/team"),
            "security",
            Value::Null,
        ),
        mistake(
            "the encryption context is missing",
            on_key(
                key_statement(&[
                    ("Action", json!("kms:Decrypt")),
                    ("Condition", json!({"StringEquals": {"kms:EncryptionContext:Tenant": "a"}})),
                ]),
                &[("action", json!("kms:Decrypt")), ("context", json!({"kms:EncryptionContext:Tenant": "b"}))],
            ),
            "key_policy",
            "Condition",
            Some(("StringEquals", "kms:EncryptionContext:Tenant")),
            "a",
            json!("b"),
        ),
        mistake(
            "the key policy does not delegate to the account",
            on_key(
                key_statement(&[("Principal", json!({"AWS": "arn:aws:iam::111122223333:user/admin"}))]),
                &[("identity_policies", json!([everything()]))],
            ),
            "key_policy",
            "Principal",
            None,
            "arn:aws:iam::111122223333:user/admin",
            json!(SESSION),
        ),
        mistake(
            "the permissions boundary is silent",
            on_account("permissions_boundary", alone(&[("Action", json!("kms:Describe*"))])),
            "permissions_boundary",
            "Action",
            None,
            "kms:Describe*",
            json!("kms:EnableKeyRotation"),
        ),
        mistake(
            "the session policy is silent",
            on_account("session_policies", json!([statement(&[("Resource", json!("arn:aws:kms:*:*:key/other"))])])),
            "session_policy",
            "Resource",
            None,
            "arn:aws:kms:*:*:key/other",
            json!(KEY),
        ),
        mistake(
            "a level of the service control policies is silent",
            on_account(
                "service_control_policies",
                json!([[everything()], [statement(&when("StringEquals", "aws:RequestedRegion", json!("eu-west-1")))]]),
            ),
            "service_control_policy",
            "Condition",
            Some(("StringEquals", "aws:RequestedRegion")),
            "eu-west-1",
            Value::Null,
        ),
        condition(
            "the rotation period is too short",
            key_statement(&when("NumericGreaterThanEquals", "kms:RotationPeriodInDays", json!(180))),
            json!({"kms:RotationPeriodInDays": 90}),
            ("NumericGreaterThanEquals", "kms:RotationPeriodInDays"),
            "180",
            json!("90"),
        ),
        condition(
            "a direct call has no ViaService",
            key_statement(&when("StringLike", "kms:ViaService", json!("s3.*.amazonaws.com"))),
            json!({}),
            ("StringLike", "kms:ViaService"),
            "s3.*.amazonaws.com",
            Value::Null,
        ),
        condition(
            "the address is outside the network",
            key_statement(&when("IpAddress", "aws:SourceIp", json!(["203.0.113.0/24"]))),
            json!({"aws:SourceIp": "198.51.100.7"}),
            ("IpAddress", "aws:SourceIp"),
            "203.0.113.0/24",
            json!("198.51.100.7"),
        ),
        mistake(
            "the user's name is in the wrong case",
            on_key(
                key_statement(&[("Principal", json!({"AWS": "arn:aws:iam::111122223333:user/Alice"}))]),
                &[("principal", json!(ALICE))],
            ),
            "key_policy",
            "Principal",
            None,
            "arn:aws:iam::111122223333:user/Alice",
            json!(ALICE),
        ),
        mistake(
            "NotAction leaves out what was meant",
            on_account(
                "identity_policies",
                json!([{"Version": "2012-10-17", "Statement":
                    {"Sid": "Meant", "Effect": "Allow", "NotAction": "kms:Enable*", "Resource": "*"}}]),
            ),
            "identity_policy",
            "NotAction",
            None,
            "kms:Enable*",
            json!("kms:EnableKeyRotation"),
        ),
        mistake(
            "the date's window is closed",
            on_key(
                key_statement(&when("DateLessThan", "aws:CurrentTime", json!("2026-01-01T00:00:00Z"))),
                &[("now", json!("2026-01-02T00:00:00Z"))],
            ),
            "key_policy",
            "Condition",
            Some(("DateLessThan", "aws:CurrentTime")),
            "2026-01-01T00:00:00Z",
            json!("2026-01-02T00:00:00Z"),
        ),
        condition(
            "a Deny by ForAllValues applies where the key is missing",
            key_statement(&[
                ("Effect", json!("Deny")),
                ("Condition", json!({"ForAllValues:StringNotEquals": {"aws:TagKeys": ["team"]}})),
            ]),
            json!({}),
            ("ForAllValues:StringNotEquals", "aws:TagKeys"),
            "team",
            Value::Null,
        ),
        condition(
            "StringEquals stands where StringLike was meant",
            key_statement(&when("StringEquals", "aws:PrincipalArn", json!("arn:aws:iam::111122223333:role/Rot*"))),
            json!({}),
            ("StringEquals", "aws:PrincipalArn"),
            "arn:aws:iam::111122223333:role/Rot*",
            json!("arn:aws:iam::111122223333:role/Rotator"),
        ),
        mistake(
            "across accounts the caller's side is silent",
            on_key(
                key_statement(&[("Action", json!("kms:Decrypt")), ("Principal", json!({"AWS": "444455556666"}))]),
                &[
                    ("principal", json!("arn:aws:iam::444455556666:user/bob")),
                    ("action", json!("kms:Decrypt")),
                    ("identity_policies", json!([alone(&[("Action", json!("kms:Encrypt"))])])),
                ],
            ),
            "identity_policy",
            "Action",
            None,
            "kms:Encrypt",
            json!("kms:Decrypt"),
        ),
        mistake(
            "the action does not work across accounts",
            on_key(
                key_statement(&[("Principal", json!({"AWS": "444455556666"}))]),
                &[
                    ("principal", json!("arn:aws:iam::444455556666:user/bob")),
                    ("identity_policies", json!([everything()])),
                ],
            ),
            "key_policy",
            "Principal",
            None,
            "111122223333",
            json!("arn:aws:iam::444455556666:user/bob"),
        ),
        condition(
            "a Deny without MFA",
            key_statement(&[
                ("Effect", json!("Deny")),
                ("Condition", json!({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}})),
            ]),
            json!({"aws:MultiFactorAuthPresent": false}),
            ("BoolIfExists", "aws:MultiFactorAuthPresent"),
            "false",
            json!("false"),
        ),
        mistake(
            "NotPrincipal does not exempt the session's role",
            on_key(
                key_statement(&[
                    ("Effect", json!("Deny")),
                    ("NotPrincipal", json!({"AWS": "arn:aws:iam::111122223333:role/Rotator"})),
                ]),
                &[],
            ),
            "key_policy",
            "NotPrincipal",
            None,
            "arn:aws:iam::111122223333:role/Rotator",
            json!("arn:aws:iam::111122223333:role/Rotator"),
        ),
    ]
}

#[test]
fn the_explanation_of_a_typical_mistake_names_the_element_to_change() {
    let folder = tempfile::tempdir().unwrap();
    let mistakes = mistakes();
    assert!(mistakes.len() >= 20);
    let cases: Vec<Value> = mistakes.iter().map(|mistake| mistake.case.clone()).collect();
    for (mistake, result) in mistakes.iter().zip(simulate(&cases, folder.path())) {
        let name = mistake.name;
        let nearest = &result["near_misses"][0];
        assert_eq!(result["decided_by"][0]["layer"], mistake.layer, "{name}: {result:#}");
        assert_eq!(
            (&nearest["layer"], &nearest["sid"]),
            (&json!(mistake.layer), &json!("Meant")),
            "{name}: {result:#}"
        );
        let [failed] = nearest["failed"].as_array().unwrap().as_slice() else { panic!("{name}: {result:#}") };
        assert_eq!(failed["element"], mistake.element, "{name}: {result:#}");
        let (operator, key) = mistake.condition.unzip();
        assert_eq!((&failed["operator"], &failed["key"]), (&json!(operator), &json!(key)), "{name}: {result:#}");
        assert!(failed["expected"].as_array().unwrap().contains(&json!(mistake.expected)), "{name}: {result:#}");
        assert_eq!(failed["actual"], mistake.actual, "{name}: {result:#}");
        let is_missing = mistake.actual.is_null();
        let missing = result["missing_context_keys"].as_array().unwrap();
        assert_eq!(missing.contains(&json!(key)) && key.is_some(), is_missing, "{name}: {result:#}");
    }
}
