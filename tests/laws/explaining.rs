//! An explanation says of a statement what Cedar said of it when it was decided.

use keystile::authz::{
    Applicable, AttachedDocument, AuthzRequest, Decision, Layer, Outcome, conditions_of_match, explain,
};
use keystile::iam::Effect;

/// What the explanation of a decision has wrong; none where it agrees.
pub(crate) fn disagreement(request: &AuthzRequest, applicable: &Applicable<'_>, decision: &Decision) -> Option<String> {
    let mut matched: Vec<(*const AttachedDocument, u32, Effect)> = Vec::new();
    conditions_of_match(request, applicable, |attached, index, holds| {
        let statement = &attached.document.document().statements[index];
        if holds.is_some_and(|holds| holds.iter().all(|holds| *holds)) {
            matched.push((attached, u32::try_from(index).unwrap(), statement.effect));
        }
    });
    let document = |layer: Layer, level: Option<u32>, document: u32| -> Option<*const AttachedDocument> {
        let at = document as usize;
        let level = level.map(|level| level as usize);
        let found = match layer {
            Layer::KeyPolicy | Layer::ResourcePolicy => applicable.resource_policy,
            Layer::IdentityPolicy => applicable.principal.identity().get(at),
            Layer::PermissionsBoundary => applicable.principal.boundary(),
            Layer::SessionPolicy => applicable.principal.session()?.get(at),
            Layer::ServiceControlPolicy => applicable.caller_controls?.service_control_policies().get(level?)?.get(at),
            Layer::ResourceControlPolicy => {
                applicable.resource_controls?.resource_control_policies().get(level?)?.get(at)
            }
            Layer::Grant => None,
        };
        found.map(std::ptr::from_ref)
    };
    let is_free = |action: &str| request.action.as_str().eq_ignore_ascii_case(action);
    if decision.outcome == Outcome::Allow && (is_free("sts:GetCallerIdentity") || is_free("sts:GetSessionToken")) {
        return None; // whatever matches
    }
    let effect = if decision.outcome == Outcome::ExplicitDeny { Effect::Deny } else { Effect::Allow };
    let mut denies = 0;
    for by in &decision.decided_by {
        let (Some(place), Some(statement)) =
            (by.document.and_then(|at| document(by.layer, by.level, at)), by.statement)
        else {
            continue;
        };
        denies += usize::from(effect == Effect::Deny);
        if !matched.contains(&(place, statement, effect)) {
            return Some(format!("{by} decided and does not match"));
        }
    }
    let matching_denies = matched.iter().filter(|(.., effect)| *effect == Effect::Deny).count();
    if matching_denies != denies {
        return Some(format!("{matching_denies} Denies match, {denies} decided"));
    }
    let explanation = explain(request, applicable, decision);
    let misses = &explanation.near_misses;
    if decision.outcome == Outcome::Allow && !misses.is_empty() {
        return Some("an allow has near misses".to_owned());
    }
    // A Deny for everyone and everything has nothing that could change.
    let empty = misses.iter().find(|miss| miss.failed.is_empty() && decision.outcome == Outcome::ImplicitDeny);
    if let Some(miss) = empty {
        return Some(format!("{} is near and nothing of it failed", miss.statement));
    }
    let silent = decision.decided_by.first().filter(|_| decision.outcome == Outcome::ImplicitDeny)?;
    let own: Vec<*const AttachedDocument> = match silent.layer {
        Layer::PermissionsBoundary => document(silent.layer, None, 0).into_iter().collect(),
        Layer::IdentityPolicy | Layer::SessionPolicy => {
            (0..).map_while(|at| document(silent.layer, None, at)).collect()
        }
        _ => Vec::new(),
    };
    matched.iter().find(|(place, _, effect)| *effect == Effect::Allow && own.contains(place)).map(
        |(_, statement, _)| format!("the silent {} has an Allow that matches: {statement}", silent.layer.in_words()),
    )
}
