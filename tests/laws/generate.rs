//! Policies and requests at random, biased so that they often meet.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use crate::interpreter::{Case, Context, Values};

pub(crate) const ACCOUNT: &str = "111122223333";
const OTHER_ACCOUNT: &str = "444455556666";
pub(crate) const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const USER: &str = "arn:aws:iam::111122223333:user/team/alice";
const ROLE: &str = "arn:aws:iam::111122223333:role/ops/Rotator";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/Rotator/nightly";
const FEDERATED: &str = "arn:aws:sts::111122223333:federated-user/bob";

/// How many cases a law tries: `KEYSTILE_CASES`, or 2,000.
pub(crate) fn cases() -> ProptestConfig {
    let cases = std::env::var("KEYSTILE_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(2_000);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// What the values of an operator look like: well formed, and at the edges.
struct Family {
    bases: &'static [&'static str],
    good: &'static [&'static str],
    edge: &'static [&'static str],
}

const FAMILIES: [Family; 7] = [
    Family {
        bases: &[
            "StringEquals",
            "StringNotEquals",
            "StringEqualsIgnoreCase",
            "StringNotEqualsIgnoreCase",
            "StringLike",
            "StringNotLike",
        ],
        good: &[
            "dev",
            "DEV",
            "dev-1",
            "dev-*",
            "dev-?",
            "*",
            "?",
            "",
            "${aws:username}",
            "${aws:username}-*",
            "${aws:TagKeys, 'dev'}",
            "${k:absent, 'dev-*'}",
            "${k:absent}",
            "${*}",
            "dev${?}",
            "ΟΔΟΣ",
            "οδος",
            "οδοσ",
            "İ",
            "ß",
            "ss",
            "😀",
            "??",
            "[a]",
            "\\*",
            "a*b",
        ],
        edge: &["alice", "alice-x", "a*b", "dev-é", "dev-12", "\u{10400}", "\u{10428}", "\\x", "${aws:username}"],
    },
    Family {
        bases: &[
            "NumericEquals",
            "NumericNotEquals",
            "NumericLessThan",
            "NumericLessThanEquals",
            "NumericGreaterThan",
            "NumericGreaterThanEquals",
        ],
        good: &[
            "1",
            "01",
            "+1",
            "1.",
            "1.0",
            "1e0",
            "10e-1",
            "-1",
            "0",
            "-0",
            "180",
            "180.5",
            "9007199254740993",
            "9007199254740992",
            ".5",
            "0.50",
        ],
        edge: &["", "10abc", "NaN", "Infinity", " 1", "1e", "0x1", "-", "."],
    },
    Family {
        bases: &[
            "DateEquals",
            "DateNotEquals",
            "DateLessThan",
            "DateLessThanEquals",
            "DateGreaterThan",
            "DateGreaterThanEquals",
        ],
        good: &[
            "2024-05-06",
            "2024-05-06T00:00:00Z",
            "2024-05-06T00:00:00",
            "2024-05-06T01:00:00+01:00",
            "2024-05-06T00:00Z",
            "1714953600",
            "+1714953600",
            "2024-05-06T00:00:00.0009Z",
            "2024-05-06T00:00:00.001Z",
            "2024-05",
            "2024",
            "-1",
            "0",
            "1969-12-31T23:59:59Z",
        ],
        edge: &[
            "",
            "yesterday",
            "2024-02-30",
            "2024-05-06T24:00:00Z",
            "1.5",
            "2024-05-06 00:00:00",
            "99999999999999999999",
        ],
    },
    Family { bases: &["Bool"], good: &["true", "false", "True", "FALSE", "", "yes", " true", "1"], edge: &["true "] },
    Family { bases: &["BinaryEquals"], good: &["QUI=", "QUJD", "", "QQ=="], edge: &["QUI", "qui=", "!"] },
    Family {
        bases: &["IpAddress", "NotIpAddress"],
        good: &[
            "0.0.0.0/0",
            "203.0.113.0/24",
            "203.0.113.99/24",
            "203.0.113.7",
            "2001:db8::/32",
            "2001:db8::1",
            "::/0",
            "::ffff:203.0.113.7",
            "203.0.113.007",
        ],
        edge: &[
            "",
            "203.0.113.7/33",
            "2001:db8::1/32",
            "3405803783",
            "64:ff9b::203.0.113.7",
            "::ffff:cb00:7107",
            "203.0.113.0/24",
            "x",
        ],
    },
    Family {
        bases: &["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"],
        good: &[
            "arn:aws:iam::111122223333:user/team/alice",
            "arn:aws:iam::*:user/*",
            "arn:aws:iam::111122223333:*",
            "arn:*:*:*:*:*",
            "arn:aws:iam::111122223333:user/${aws:username}",
            "arn:aws:iam::1111????3333:user/team/alic?",
            "arn:aws:s3:::b",
            "${k:arn}",
            "${k:absent, 'arn:aws:s3:::b'}",
            "${k:absent}",
        ],
        edge: &["", "*", "arn:*", "alice", "arn:aws:s3:::", "${aws:username}", "arn:aws:iam::111122223333:user/alice"],
    },
];

/// `(operator, key, policy values, request values)`.
pub(crate) type GeneratedCondition = (String, String, Vec<String>, Option<Values>);

/// One condition and what the request gives for its key. With `edges`, policy values that AWS
/// would not store in an identity policy too.
pub(crate) fn condition(edges: bool) -> impl Strategy<Value = GeneratedCondition> {
    let operator = (0..=FAMILIES.len()).prop_flat_map(move |at| {
        // Beyond the families: Null, whose values are as odd as those of Bool.
        let family = &FAMILIES[if at == FAMILIES.len() { 3 } else { at }];
        let bases: &'static [&'static str] = if at == FAMILIES.len() { &["Null"] } else { family.bases };
        let all: Vec<&'static str> = family.good.iter().chain(family.edge).copied().collect();
        let policy = if edges { all.clone() } else { family.good.to_vec() };
        (
            select(bases),
            prop_oneof![3 => Just(""), 1 => Just("ForAllValues:"), 1 => Just("ForAnyValue:")],
            prop_oneof![3 => Just(""), 1 => Just("IfExists")],
            prop::collection::vec(select(policy), usize::from(!edges)..4),
            prop::option::weighted(0.85, (any::<bool>(), prop::collection::vec(select(all), 0..3))),
        )
    });
    (operator, select(vec!["k:one", "K:Two", "aws:PrincipalTag/Team"])).prop_map(
        |((base, prefix, suffix, policy, request), key)| {
            let operator = if base == "Null" { base.to_owned() } else { format!("{prefix}{base}{suffix}") };
            let request = request.map(|(multivalued, mut values)| {
                if !multivalued {
                    values.truncate(1);
                }
                Values { multivalued, values: values.into_iter().map(str::to_owned).collect() }
            });
            (operator, key.to_owned(), policy.into_iter().map(str::to_owned).collect(), request)
        },
    )
}

/// What variables read: present, multivalued, and an ARN or not.
pub(crate) fn base_context() -> impl Strategy<Value = Context> {
    (
        prop::option::of(select(vec!["alice", "dev", "a*b", ""])),
        prop::option::of(prop::collection::vec(select(vec!["dev", "x"]), 0..3)),
        prop::option::of(select(vec!["arn:aws:iam::111122223333:user/team/alice", "no-arn", "arn:aws:iam::*:user/*"])),
    )
        .prop_map(|(user_name, tag_keys, arn)| {
            let mut context = Context::new();
            context.extend(user_name.map(|name| ("aws:username".to_owned(), Values::one(name))));
            context.extend(tag_keys.map(|keys| ("aws:TagKeys".to_owned(), Values::many(&keys))));
            context.extend(arn.map(|arn| ("K:Arn".to_owned(), Values::one(arn))));
            context
        })
}

/// A list, or now and then its only element without brackets.
fn shorthand(list: &[&'static str], bare: bool) -> Value {
    if bare && list.len() == 1 { json!(list[0]) } else { json!(list) }
}

fn principal() -> impl Strategy<Value = Value> {
    let aws = vec![
        "*",
        ACCOUNT,
        "arn:aws:iam::111122223333:root",
        USER,
        ROLE,
        SESSION,
        FEDERATED,
        OTHER_ACCOUNT,
        "arn:aws:iam::444455556666:root",
        "arn:aws:iam::444455556666:user/eve",
        "arn:aws:sts::444455556666:assumed-role/R/s",
        "arn:aws:iam::444455556666:role/R",
    ];
    prop_oneof![
        1 => Just(json!("*")),
        6 => (prop::collection::vec(select(aws), 1..3), any::<bool>()).prop_map(|(list, bare)| json!({"AWS": shorthand(&list, bare)})),
        1 => Just(json!({"Service": "s3.amazonaws.com", "AWS": USER})),
    ]
}

fn action_list() -> impl Strategy<Value = Value> {
    let actions = vec![
        "*",
        "kms:*",
        "kms:Decrypt",
        "KMS:decrypt",
        "kms:De*",
        "kms:?ecrypt",
        "kms:EnableKeyRotation",
        "kms:CreateKey",
        "s3:*",
    ];
    (prop::collection::vec(select(actions), 1..3), any::<bool>()).prop_map(|(list, bare)| shorthand(&list, bare))
}

fn resource_list(variables: bool) -> impl Strategy<Value = Value> {
    let mut resources = vec![
        "*",
        "*",
        KEY,
        "arn:aws:kms:*:111122223333:key/*",
        "arn:aws:kms:us-east-?:*:*",
        "arn:aws:s3:::b",
        "arn:aws:kms:*:444455556666:*",
    ];
    if variables {
        resources.extend([
            "arn:aws:kms:*:*:key/${k:absent}",
            "arn:aws:kms:*:*:key/${k:absent, '*'}",
            "arn:aws:kms:*:*:${aws:username}*",
        ]);
    }
    (prop::collection::vec(select(resources), 1..3), any::<bool>()).prop_map(|(list, bare)| shorthand(&list, bare))
}

/// A statement, and what the requests give for its conditions' keys.
fn statement(is_key_policy: bool, variables: bool) -> impl Strategy<Value = (Value, Vec<(String, Values)>)> {
    (
        any::<bool>(),
        (prop::bool::weighted(0.15), principal()),
        (prop::bool::weighted(0.15), action_list()),
        (prop::bool::weighted(0.15), resource_list(variables)),
        prop::collection::vec(condition(is_key_policy), 0..3),
        prop::bool::weighted(0.3),
    )
        .prop_map(
            move |(
                deny,
                (not_principal, principal),
                (not_action, actions),
                (not_resource, resources),
                conditions,
                sid,
            )| {
                let mut statement = Map::new();
                if sid && is_key_policy {
                    statement.insert("Sid".to_owned(), json!("Some words"));
                }
                statement.insert("Effect".to_owned(), json!(if deny { "Deny" } else { "Allow" }));
                if is_key_policy {
                    statement.insert(
                        (if not_principal && deny { "NotPrincipal" } else { "Principal" }).to_owned(),
                        principal,
                    );
                }
                statement.insert((if not_action { "NotAction" } else { "Action" }).to_owned(), actions);
                statement.insert((if not_resource { "NotResource" } else { "Resource" }).to_owned(), resources);
                let mut given = Vec::new();
                let mut operators = Map::new();
                for (operator, key, values, request) in conditions {
                    given.extend(request.map(|request| (key.clone(), request)));
                    let keys = operators.entry(operator).or_insert_with(|| json!({}));
                    keys[key] = json!(values);
                }
                if !operators.is_empty() {
                    statement.insert("Condition".to_owned(), Value::Object(operators));
                }
                (Value::Object(statement), given)
            },
        )
}

/// A document that AWS stores, and what requests give for its conditions' keys.
pub(crate) fn document(is_key_policy: bool) -> impl Strategy<Value = (Value, Vec<(String, Values)>)> {
    select(vec![Some("2012-10-17"), Some("2012-10-17"), Some("2008-10-17"), None]).prop_flat_map(move |version| {
        // Without variables, `${…}` in an ARN is no ARN and would not be stored: identity policies
        // of the old version have no conditions on ARNs here.
        let variables = version == Some("2012-10-17");
        (prop::collection::vec(statement(is_key_policy, variables), 1..4), any::<bool>()).prop_map(
            move |(statements, bare)| {
                let mut document = Map::new();
                if let Some(version) = version {
                    document.insert("Version".to_owned(), json!(version));
                }
                let (mut statements, given): (Vec<_>, Vec<_>) = statements.into_iter().unzip();
                if !variables && !is_key_policy {
                    for statement in &mut statements {
                        if let Some(Value::Object(operators)) = statement.get_mut("Condition") {
                            operators.retain(|operator, _| !operator.contains("Arn"));
                        }
                    }
                }
                let list = if bare && statements.len() == 1 { statements.remove(0) } else { Value::Array(statements) };
                document.insert("Statement".to_owned(), list);
                (Value::Object(document), given.into_iter().flatten().collect())
            },
        )
    })
}

/// A request with its policies.
pub(crate) fn case() -> impl Strategy<Value = Case> {
    let callers = vec![
        (USER, None, ACCOUNT),
        ("arn:aws:iam::111122223333:root", None, ACCOUNT),
        (SESSION, Some(ROLE), ACCOUNT),
        (FEDERATED, None, ACCOUNT),
        ("arn:aws:iam::444455556666:user/eve", None, OTHER_ACCOUNT),
        ("arn:aws:sts::444455556666:assumed-role/R/s", Some("arn:aws:iam::444455556666:role/R"), OTHER_ACCOUNT),
    ];
    (
        select(callers),
        select(vec![
            ("kms:Decrypt", true, true),
            ("kms:EnableKeyRotation", true, false),
            ("kms:DescribeKey", true, true),
            ("kms:CreateKey", false, false),
        ]),
        base_context(),
        document(true),
        prop::collection::vec(document(false), 0..3),
        prop::option::weighted(0.3, document(false)),
        prop::option::weighted(0.3, prop::collection::vec(document(false), 0..2)),
    )
        .prop_map(
            |(
                (principal, role, account),
                (action, on_key, across),
                mut context,
                key_policy,
                identity,
                boundary,
                session,
            )| {
                let is_root = principal.ends_with(":root");
                // The root user has no policies of its own.
                let identity = if is_root { Vec::new() } else { identity };
                let boundary = boundary.filter(|_| !is_root);
                let session = session.filter(|_| role.is_some() || principal == FEDERATED);
                let mut keep = |(document, given): (Value, Vec<(String, Values)>)| {
                    for (key, values) in given {
                        context.entry(key).or_insert(values);
                    }
                    document
                };
                Case {
                    principal: principal.to_owned(),
                    role: role.map(str::to_owned),
                    unique_id: None,
                    account: account.to_owned(),
                    action: action.to_owned(),
                    resource: on_key.then(|| KEY.to_owned()),
                    key_policy: Some(keep(key_policy)).filter(|_| on_key),
                    identity: identity.into_iter().map(&mut keep).collect(),
                    boundary: boundary.map(&mut keep),
                    session: session.map(|documents| documents.into_iter().map(&mut keep).collect()),
                    context,
                    cross_account_operation: across,
                }
            },
        )
}
