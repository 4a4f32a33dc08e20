//! Who may manage the key: somebody must, and only its owner should.

use super::actions::is_star;
use super::overlap::arns_meet;
use super::place::Spot;
use super::{Findings, Policy, rule};
use crate::aws::Arn;
use crate::iam::{
    ActionElement, ActionPattern, DocumentKind, Effect, PrincipalElement, PrincipalPattern, ResourceElement,
    ResourcePattern, Statement,
};

pub(super) fn check(policy: &Policy<'_>, findings: &mut Findings<'_>) {
    if policy.kind == DocumentKind::KeyPolicy && policy.is_whole {
        lock_out(policy, findings);
        foreign_administrators(policy, findings);
    }
}

fn lock_out(policy: &Policy<'_>, findings: &mut Findings<'_>) {
    let statements = || policy.document.statements.iter().enumerate().filter(|(_, s)| is_about_put_key_policy(s));
    let let_in: Vec<&PrincipalPattern> = statements()
        .filter(|(_, statement)| statement.effect == Effect::Allow)
        .filter_map(|(_, statement)| match &statement.principal {
            Some(PrincipalElement::Principal(who)) => Some(who.iter().filter(|who| may_call(who))),
            _ => None,
        })
        .flatten()
        .collect();
    if let_in.is_empty() {
        let what = "no statement allows kms:PutKeyPolicy to anyone".to_owned();
        findings.add(&rule::LOCK_OUT, Spot::Document, what);
    }
    let denying: Vec<(usize, &Statement)> = statements()
        .filter(|(_, statement)| statement.effect == Effect::Deny && statement.conditions.is_empty())
        .collect();
    // One Deny that shuts everyone out is named; of several that do so together, the last.
    let shuts_out = |statement: &Statement, who: &PrincipalPattern| {
        denies(statement, &PrincipalPattern::Anyone) || denies(statement, who)
    };
    let alone = |statement: &Statement| {
        denies(statement, &PrincipalPattern::Anyone)
            || (!let_in.is_empty() && let_in.iter().all(|who| denies(statement, who)))
    };
    let mut named: Vec<usize> = denying.iter().filter(|(_, statement)| alone(statement)).map(|(at, _)| *at).collect();
    let together = let_in.iter().all(|who| denying.iter().any(|(_, statement)| shuts_out(statement, who)));
    if named.is_empty() && !let_in.is_empty() && together {
        named.extend(denying.last().map(|(at, _)| *at));
    }
    for at in named {
        let what = "the statement denies kms:PutKeyPolicy to everyone who is allowed it".to_owned();
        findings.add_with(&rule::LOCK_OUT, Spot::Statement(at), what, "leave kms:PutKeyPolicy out of it".to_owned());
    }
}

/// Whether a Deny is for that principal with all whom it stands for.
fn denies(statement: &Statement, who: &PrincipalPattern) -> bool {
    let is_everyone = *who == PrincipalPattern::Anyone;
    match &statement.principal {
        Some(PrincipalElement::Principal(denied)) => denied.iter().any(|denied| match denied {
            PrincipalPattern::Anyone => true,
            PrincipalPattern::Account(denied) => account(who).is_some_and(|account| account == denied.as_str()),
            PrincipalPattern::Role(role) => denied == who || is_session_of(who, role),
            denied => denied == who,
        }),
        // Exempt is who is listed itself; of an account, whoever of it is listed.
        Some(PrincipalElement::NotPrincipal(exempt)) => {
            let exempts = |exempt: &PrincipalPattern| match (exempt, who) {
                (PrincipalPattern::Anyone, _) => true,
                (exempt, PrincipalPattern::Account(_)) => account(exempt) == account(who),
                // A role acts by its sessions, which may be listed.
                (PrincipalPattern::Session(_), PrincipalPattern::Role(role)) => is_session_of(exempt, role),
                (exempt, who) => exempt == who || (is_everyone && account(exempt).is_some()),
            };
            !exempt.iter().any(exempts)
        }
        None => false,
    }
}

fn is_session_of(session: &PrincipalPattern, role: &Arn) -> bool {
    let PrincipalPattern::Session(session) = session else { return false };
    session.account() == role.account() && session.resource().split('/').nth(1) == role.resource().rsplit('/').next()
}

fn is_about_put_key_policy(statement: &Statement) -> bool {
    let names = |patterns: &[ActionPattern]| patterns.iter().any(|pattern| pattern.matches("kms", "PutKeyPolicy"));
    let action = match &statement.action {
        Some(ActionElement::Action(patterns)) => names(patterns),
        Some(ActionElement::NotAction(patterns)) => !names(patterns),
        None => false,
    };
    let resource = match &statement.resource {
        Some(ResourceElement::Resource(entries)) => entries.iter().any(|entry| arns_meet(entry, "arn:*:kms:*:*:key/*")),
        Some(ResourceElement::NotResource(entries)) => !entries.contains(&ResourcePattern::Any),
        None => false,
    };
    action && resource
}

/// Whether the principal is one that manages keys, or delegates to such.
fn may_call(principal: &PrincipalPattern) -> bool {
    !matches!(
        principal,
        PrincipalPattern::Service(_)
            | PrincipalPattern::Federated(_)
            | PrincipalPattern::CanonicalUser(_)
            | PrincipalPattern::UniqueId(_)
    )
}

/// A policy does not say whose key it is on: the first account that is allowed to manage it is taken
/// for the owner.
fn foreign_administrators(policy: &Policy<'_>, findings: &mut Findings<'_>) {
    let mut administrators = Vec::new();
    let manages = |statement: &&Statement| statement.effect == Effect::Allow && is_about_put_key_policy(statement);
    let mut allows = policy.document.statements.iter().filter(manages);
    let owner = allows.find_map(|statement| match &statement.principal {
        Some(PrincipalElement::Principal(who)) => who.iter().find_map(account),
        _ => None,
    });
    for (at, statement) in policy.document.statements.iter().enumerate() {
        let (Effect::Allow, Some(ActionElement::Action(actions)), Some(PrincipalElement::Principal(who))) =
            (statement.effect, &statement.action, &statement.principal)
        else {
            continue;
        };
        let is_everything = |action: &ActionPattern| is_star(&action.name) && action.matches("kms", "x");
        if actions.iter().any(is_everything) {
            administrators.extend(
                who.iter()
                    .enumerate()
                    .filter_map(|(entry, who)| Some((account(who)?, Spot::Entry(at, "Principal", entry)))),
            );
        }
    }
    let Some(owner) = owner else { return };
    for (other, spot) in administrators.into_iter().filter(|(account, _)| *account != owner) {
        let what = format!("everything is allowed to account {other}, and account {owner} manages the key");
        findings.add(&rule::FOREIGN_ADMINISTRATOR, spot, what);
    }
}

fn account(principal: &PrincipalPattern) -> Option<String> {
    match principal {
        PrincipalPattern::Account(account) => Some(account.as_str().to_owned()),
        PrincipalPattern::User(arn)
        | PrincipalPattern::Role(arn)
        | PrincipalPattern::Session(arn)
        | PrincipalPattern::FederatedUser(arn) => Some(arn.account().to_owned()),
        _ => None,
    }
}
