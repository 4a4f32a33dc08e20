//! Conditions, and what requests give for their keys.

use super::dice::Dice;
use super::families::{FAMILIES, Family};
use super::names::{ACCOUNT, EVE, OTHER_ACCOUNT, ROLE, USER};
use crate::interpreter::{Context, Values};

/// Condition keys of each type of the catalogue, and keys that no catalogue knows.
const KEYS: [&str; 14] = [
    "k:one",
    "k:one",
    "K:Two",
    "aws:PrincipalTag/Team",
    "kms:RotationPeriodInDays",
    "kms:ValidTo",
    "aws:SourceIp",
    "kms:GrantIsForAWSResource",
    "aws:SourceArn",
    "kms:GrantOperations",
    "kms:ViaService",
    "aws:ResourceTag/Dept",
    "kms:EncryptionContext:Dept",
    "aws:CurrentTime",
];

/// Keys that follow from the request, with what policies compare them with.
const IMPLIED: [(&str, &[&str], &[&str]); 9] = [
    (
        "aws:PrincipalArn",
        &["ArnLike", "ArnNotEquals", "StringLike", "StringEquals"],
        &[USER, ROLE, EVE, "arn:aws:iam::*:role/*", "arn:aws:iam::111122223333:*"],
    ),
    ("aws:PrincipalAccount", &["StringEquals", "StringNotEquals", "StringLike"], &[ACCOUNT, OTHER_ACCOUNT, "1111*"]),
    (
        "aws:PrincipalType",
        &["StringEquals", "StringNotEquals", "StringEqualsIgnoreCase"],
        &["User", "AssumedRole", "Account", "FederatedUser", "user"],
    ),
    ("aws:username", &["StringEquals", "StringNotLike", "Null"], &["alice", "al*", "true", "false"]),
    ("aws:ResourceAccount", &["StringEquals", "StringNotEquals"], &[ACCOUNT, OTHER_ACCOUNT, "${aws:PrincipalAccount}"]),
    ("kms:CallerAccount", &["StringEquals", "StringNotEquals"], &[ACCOUNT, OTHER_ACCOUNT]),
    (
        "kms:RotationPeriodInDays",
        &["NumericGreaterThan", "NumericEquals", "NumericLessThanEquals"],
        &["180", "365", "364.5", "90"],
    ),
    (
        "aws:CurrentTime",
        &["DateLessThan", "DateGreaterThanEquals"],
        &["2024-05-06T00:00:00Z", "2024-05-06T00:00:00.001Z", "2025-01-01"],
    ),
    (
        "aws:EpochTime",
        &["DateLessThan", "NumericGreaterThan", "DateEquals"],
        &["1714953600", "1714953599", "1714953601"],
    ),
];

/// One condition, and what the request gives for its key.
#[derive(Clone, Debug)]
pub(crate) struct GeneratedCondition {
    pub(crate) operator: String,
    pub(crate) key: String,
    pub(crate) policy: Vec<String>,
    /// None: nothing; the key is missing, or follows from the request.
    pub(crate) request: Option<Values>,
}

/// One condition. With `edges`, with policy values too that AWS does not store in an identity
/// policy; with `variables`, in a document in which `${…}` is one.
pub(crate) fn condition(dice: &mut Dice, edges: bool, variables: bool) -> GeneratedCondition {
    if dice.percent(25) {
        return on_implied_key(dice, variables);
    }
    // Beyond the families: Null, whose values are as odd as those of Bool.
    let at = dice.below(FAMILIES.len() + 1);
    let family = &FAMILIES[if at == FAMILIES.len() { 3 } else { at }];
    let base = if at == FAMILIES.len() { "Null" } else { dice.pick(family.bases) };
    let operator = match (base, dice.below(5), dice.below(4)) {
        ("Null", _, _) => base.to_owned(),
        (_, 0, 0) => format!("ForAllValues:{base}IfExists"),
        (_, 1, 0) => format!("ForAnyValue:{base}IfExists"),
        (_, 0, _) => format!("ForAllValues:{base}"),
        (_, 1, _) => format!("ForAnyValue:{base}"),
        (_, _, 0) => format!("{base}IfExists"),
        _ => base.to_owned(),
    };
    let mut keys = KEYS.to_vec();
    if operator.starts_with("ForAllValues") {
        // A key policy takes no ForAllValues there.
        keys.retain(|key| !key.starts_with("kms:EncryptionContext:"));
    }
    let key = dice.pick(&keys).to_string();
    // Without variables, `${…}` in an ARN is no ARN and would not be stored.
    let is_stored = |value: &&str| edges || variables || !base.starts_with("Arn") || !value.contains("${");
    let good: Vec<&str> = family.good.iter().copied().filter(is_stored).collect();
    let all = values(family);
    let policy: Vec<String> =
        dice.some(if edges { &all } else { &good }, usize::from(!edges), 3).into_iter().map(str::to_owned).collect();
    let request = dice.maybe(85, |dice| {
        let multivalued = dice.percent(40);
        let count = if multivalued { dice.between(0, 3) } else { 1 };
        let value = |dice: &mut Dice| match policy.first() {
            Some(_) if dice.percent(35) => dice.pick(&policy).clone(),
            _ => (*dice.pick(&all)).to_owned(),
        };
        Values { multivalued, values: (0..count).map(|_| value(dice)).collect() }
    });
    GeneratedCondition { operator, key, policy, request }
}

fn values(family: &Family) -> Vec<&'static str> {
    family.good.iter().chain(family.edge).copied().collect()
}

fn on_implied_key(dice: &mut Dice, variables: bool) -> GeneratedCondition {
    let (key, bases, values) = *dice.pick(&IMPLIED);
    let base = *dice.pick(bases);
    let values: Vec<&str> = values
        .iter()
        .copied()
        .filter(|value| variables || !value.contains("${"))
        .filter(|value| base != "Null" || ["true", "false"].contains(value))
        .collect();
    let suffix = if base != "Null" && dice.percent(20) { "IfExists" } else { "" };
    let policy = dice.some(&values, 1, 2).into_iter().map(str::to_owned).collect();
    GeneratedCondition { operator: format!("{base}{suffix}"), key: key.to_owned(), policy, request: None }
}

/// What variables read: present, multivalued, and an ARN or not.
pub(crate) fn base_context(dice: &mut Dice) -> Context {
    let mut context = Context::new();
    let mut put = |key: &str, values: Option<Values>| {
        context.extend(values.map(|values| (key.to_owned(), values)));
    };
    put("aws:username", dice.maybe(30, |dice| Values::one(dice.pick::<&str>(&["alice", "dev", "a*b", ""]))));
    put("aws:TagKeys", dice.maybe(50, |dice| Values::many(&dice.some(&["dev", "x"], 0, 2))));
    let arns = ["arn:aws:iam::111122223333:user/team/alice", "no-arn", "arn:aws:iam::*:user/*"];
    put("K:Arn", dice.maybe(50, |dice| Values::one(dice.pick::<&str>(&arns))));
    put("kms:EncryptionContext:Tenant", dice.maybe(30, |dice| Values::one(dice.pick::<&str>(&["a", "b"]))));
    put("kms:ResourceAliases", dice.maybe(20, |dice| Values::many(&dice.some(&["alias/app", "dev"], 1, 2))));
    context
}
