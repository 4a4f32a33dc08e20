//! Principals that are gone, that a NotPrincipal does not really exempt, and everyone.

use super::place::Spot;
use super::{Findings, Policy, rule};
use crate::aws::Arn;
use crate::iam::compare::{Network, arn_components};
use crate::iam::{
    BaseOperator, Condition, DocumentKind, Effect, PrincipalElement, PrincipalPattern, Quantifier, Statement,
};

pub(super) fn check(policy: &Policy<'_>, findings: &mut Findings<'_>) {
    for (at, statement) in policy.document.statements.iter().enumerate() {
        let (member, patterns) = match &statement.principal {
            Some(PrincipalElement::Principal(patterns)) => ("Principal", patterns),
            Some(PrincipalElement::NotPrincipal(patterns)) => ("NotPrincipal", patterns),
            None => continue,
        };
        for (entry, pattern) in patterns.iter().enumerate() {
            let spot = Spot::Entry(at, member, entry);
            match pattern {
                PrincipalPattern::UniqueId(id) if policy.kind == DocumentKind::KeyPolicy => {
                    findings.add(&rule::UNIQUE_ID, spot, format!("`{id}` is a principal that was deleted"));
                }
                PrincipalPattern::Anyone => everyone(policy.kind, statement, spot, findings),
                _ if member == "NotPrincipal" => ancestors(pattern, patterns, spot, findings),
                _ => {}
            }
        }
    }
}

fn everyone(kind: DocumentKind, statement: &Statement, spot: Spot<'_>, findings: &mut Findings<'_>) {
    let rule = match kind {
        DocumentKind::KeyPolicy => &rule::OPEN_TO_EVERYONE,
        DocumentKind::ResourcePolicy => &rule::PUBLIC_RESOURCE,
        _ => return,
    };
    let is_for_all = matches!(statement.principal, Some(PrincipalElement::Principal(_)));
    let has_effect = statement.action.is_some() && (statement.resource.is_some() || kind != DocumentKind::KeyPolicy);
    if statement.effect == Effect::Allow && is_for_all && has_effect && !statement.conditions.iter().any(pins) {
        findings.add(rule, spot, "the statement allows everyone, in every account".to_owned());
    }
}

/// Keys that tell one account, organisation, network or source from the rest of the world (Amazon
/// S3 User Guide, "The meaning of public"; KMS Developer Guide, "AWS KMS condition keys").
const PINNING_KEYS: [&str; 20] = [
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpcarn",
    "aws:sourcevpce",
    "aws:userid",
    "aws:vpceaccount",
    "aws:vpceorgid",
    "aws:vpceorgpaths",
    "kms:calleraccount",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
];

/// Whether the condition keeps the world out.
fn pins(condition: &Condition) -> bool {
    let operator = condition.operator;
    let demands = operator.base != BaseOperator::Null
        && operator.base.negates().is_none()
        && !operator.if_exists
        && operator.quantifier != Some(Quantifier::ForAllValues);
    let key = condition.key.as_str();
    demands && PINNING_KEYS.contains(&key) && condition.values.iter().all(|value| is_narrow(key, value))
}

/// Whether the value, with its wildcards, is one account's, organisation's, network's or source's.
fn is_narrow(key: &str, value: &str) -> bool {
    if let Some(network) = Network::parse(value) {
        // Amazon S3 User Guide, "The meaning of public": what is broader is public.
        let least = if network.net().network().is_ipv4() { 8 } else { 32 };
        return network.net().prefix_len() >= least;
    }
    // A variable may be the caller's own.
    if value.contains("${") {
        return false;
    }
    let fixed = value.split(['*', '?']).next().unwrap_or_default();
    let is_fixed = |text: &str| !text.contains(['*', '?']);
    match (key, arn_components(value)) {
        // A bucket's ARN has no account, and its name is one bucket's.
        (_, Some([.., "", resource])) => !resource.starts_with(['*', '?']),
        (_, Some([.., account, _])) => is_fixed(account),
        // The caller chooses what is behind the colon, the name of its session.
        ("aws:userid", None) => fixed.contains(':') || is_fixed(value),
        (key, None) if key.ends_with("orgpaths") => fixed.contains('/') || is_fixed(value),
        (_, None) => is_fixed(value),
    }
}

/// A NotPrincipal must exempt also those through whom the principal is met (IAM User Guide, "AWS
/// JSON policy elements: NotPrincipal").
fn ancestors(pattern: &PrincipalPattern, listed: &[PrincipalPattern], spot: Spot<'_>, findings: &mut Findings<'_>) {
    let (PrincipalPattern::User(arn)
    | PrincipalPattern::Role(arn)
    | PrincipalPattern::Session(arn)
    | PrincipalPattern::FederatedUser(arn)) = pattern
    else {
        return;
    };
    let mut missing = Vec::new();
    let is_account =
        |other: &PrincipalPattern| matches!(other, PrincipalPattern::Account(id) if id.as_str() == arn.account());
    if !listed.iter().any(is_account) {
        missing.push(format!("arn:{}:iam::{}:root", arn.partition(), arn.account()));
    }
    if let PrincipalPattern::Session(_) = pattern {
        let name = arn.resource().split('/').nth(1).unwrap_or_default();
        let is_role = |role: &Arn| role.account() == arn.account() && role.resource().rsplit('/').next() == Some(name);
        if !listed.iter().any(|other| matches!(other, PrincipalPattern::Role(role) if is_role(role))) {
            missing.push(format!("arn:{}:iam::{}:role/{name}", arn.partition(), arn.account()));
        }
    }
    if !missing.is_empty() {
        let missing = missing.join(" and ");
        let what = format!("NotPrincipal lists `{arn}` and not {missing}");
        findings.add_with(&rule::NOT_PRINCIPAL_ANCESTORS, spot, what, format!("add {missing}"));
    }
}
