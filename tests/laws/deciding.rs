//! The fast path decides as the plain interpreter does, and the cache never changes a decision.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use keystile::authz::{
    Applicable, AttachedDocument, AuthzRequest, ControlPolicies, Outcome, PrincipalPolicies, Supplied,
};
use keystile::aws::{ContextValue, Session, Surroundings, catalogue};
use keystile::cedar::CompiledDocument;
use keystile::iam::DocumentKind;
use serde_json::{Value, json};

use crate::generate::names::{ACCOUNT, KEY, ROLE, SESSION};
use crate::generate::{Dice, World, cases, hold};
use crate::interpreter::{self, Case};
use crate::library::Library;
use crate::minimal::minimal;

const SIMULATED: Supplied = Supplied::Implied { now: true };

/// Cases that share a world, and so its compiled documents and its decision cache.
const CASES_IN_A_WORLD: u64 = 100;

fn holds_in_a_world(dice: &mut Dice, supplied: Supplied) -> Result<u64, String> {
    let world = World::new(dice);
    let library = Library::default();
    for _ in 0..CASES_IN_A_WORLD {
        let case = world.case(dice);
        if let Some(difference) = library.difference(&case, supplied)? {
            return Err(told(&case, supplied, &difference));
        }
    }
    Ok(CASES_IN_A_WORLD)
}

/// The difference with the least case that shows it, for `keystile simulate` to replay.
fn told(case: &Case, supplied: Supplied, difference: &str) -> String {
    let differs = |case: &Case| matches!(Library::default().difference(case, supplied), Ok(Some(_)));
    if !differs(case) {
        // Only the cache's history shows it.
        return format!("{difference}\n{}", case.to_json());
    }
    let least = minimal(case, differs);
    let difference = Library::default().difference(&least, supplied).unwrap().unwrap();
    let beyond =
        if least.beyond == interpreter::Beyond::default() { String::new() } else { format!("{:?}\n", least.beyond) };
    format!("{difference}\n{beyond}{}", least.to_simulate())
}

#[test]
fn the_fast_path_decides_as_the_interpreter_does() {
    hold(cases(12_000), |dice| holds_in_a_world(dice, SIMULATED));
}

#[test]
fn the_fast_path_decides_as_the_interpreter_does_on_what_a_gateway_knows() {
    hold(cases(3_000), |dice| holds_in_a_world(dice, Supplied::All));
}

#[test]
fn generated_cases_reach_every_outcome_and_layer() {
    use interpreter::Layer::{Boundary, Grant, Identity, Resource, ResourceControl, ServiceControl, Session};
    use interpreter::{Layer, Outcome};
    let counts: [AtomicU64; 21] = [const { AtomicU64::new(0) }; 21];
    hold(4_000, |dice| {
        let verdict = interpreter::decide(&World::new(dice).case(dice));
        counts[verdict.outcome as usize * 7 + verdict.layer as usize].fetch_add(1, Ordering::Relaxed);
        Ok(1)
    });
    let count = |outcome: Outcome, layer: Layer| counts[outcome as usize * 7 + layer as usize].load(Ordering::Relaxed);
    let reached = |outcome, layers: &[Layer]| {
        for layer in layers {
            assert!(count(outcome, *layer) >= 10, "{outcome:?} by {layer:?}: {}", count(outcome, *layer));
        }
        let all: u64 = (0..7).map(|layer| counts[outcome as usize * 7 + layer].load(Ordering::Relaxed)).sum();
        assert!(all >= 400, "each outcome is at least one case in ten: {outcome:?} {all}");
    };
    reached(Outcome::Allow, &[Resource, Identity, Grant]);
    reached(Outcome::ImplicitDeny, &[ServiceControl, Resource, Identity, Boundary, Session]);
    reached(Outcome::ExplicitDeny, &[ResourceControl, ServiceControl, Resource, Identity, Boundary, Session]);
}

/// A document that reads the clock and values in many ways.
fn timed_document(dice: &mut Dice, kind: DocumentKind) -> Value {
    let conditions = [
        json!({}),
        json!({"DateLessThan": {"aws:CurrentTime": "2024-05-06T00:00:10Z"}}),
        json!({"DateGreaterThan": {"aws:CurrentTime": "2024-05-06T00:00:05.500Z"}}),
        json!({"DateEquals": {"aws:EpochTime": "2024-05-06T00:00:07Z"}}),
        json!({"DateLessThanEquals": {"aws:EpochTime": "2024-05-06T00:00:07.5Z"}}),
        json!({"NumericGreaterThan": {"aws:EpochTime": "1714953609"}}),
        json!({"NumericLessThan": {"aws:MultiFactorAuthAge": "8"}}),
        json!({"NumericGreaterThanEqualsIfExists": {"aws:MultiFactorAuthAge": "3"}}),
        json!({"StringLike": {"aws:CurrentTime": "*:03Z"}}),
        json!({"StringEquals": {"kms:ViaService": "a"}}),
        json!({"StringNotEquals": {"aws:PrincipalTag/Team": "${kms:ViaService}"}}),
        json!({"Null": {"aws:MultiFactorAuthAge": "true"}}),
    ];
    let denies_only = kind == DocumentKind::ResourceControlPolicy;
    let statements: Vec<Value> = (0..dice.between(1, 3))
        .map(|_| {
            let effect = if denies_only || dice.percent(25) { "Deny" } else { "Allow" };
            let mut statement = json!({"Effect": effect, "Action": "kms:*", "Resource": "*"});
            let condition = dice.pick(&conditions);
            if *condition != json!({}) {
                statement["Condition"] = condition.clone();
            }
            if kind == DocumentKind::KeyPolicy && dice.percent(50) {
                statement["Principal"] = json!({"AWS": ACCOUNT});
            } else if kind == DocumentKind::KeyPolicy || denies_only {
                statement["Principal"] = json!("*");
            }
            statement
        })
        .collect();
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// A request by one of three sessions of one role: with a second factor proved at two times, and
/// with none.
fn timed_request(session: usize, via: Option<&str>, team: Option<&str>, now: jiff::Timestamp) -> AuthzRequest {
    let case = Case {
        principal: SESSION.to_owned(),
        role: Some(ROLE.to_owned()),
        action: "kms:Decrypt".to_owned(),
        resource: KEY.to_owned(),
        ..Case::default()
    };
    let mut request = Library::default().question(&case, Supplied::All).unwrap().request;
    let mut caller = (*request.caller).clone();
    caller.tags = team.map(|team| ("Team".to_owned(), team.to_owned())).into_iter().collect();
    let proved = ["2024-05-06T00:00:00Z", "2024-05-06T00:00:01.250Z"];
    caller.session = Some(Session {
        mfa_authenticated_at: proved.get(session).map(|time| time.parse().unwrap()),
        ..Session::default()
    });
    request.caller = Arc::new(caller);
    request.operation = via
        .map(|via| (Cow::Borrowed("kms:viaservice"), ContextValue::Text(via.to_owned().into())))
        .into_iter()
        .collect();
    request.surroundings = Arc::new(Surroundings { now, ..(*request.surroundings).clone() });
    request
}

/// The clock moves, policies of every layer change and change back, sessions ask.
#[test]
fn a_cache_never_changes_a_decision() {
    const KINDS: [DocumentKind; 6] = [
        DocumentKind::KeyPolicy,
        DocumentKind::IdentityPolicy,
        DocumentKind::PermissionsBoundary,
        DocumentKind::SessionPolicy,
        DocumentKind::ServiceControlPolicy,
        DocumentKind::ResourceControlPolicy,
    ];
    hold(cases(4_000), |dice| {
        let library = Library::default();
        let attached = KINDS.map(|kind| {
            let one = |dice: &mut Dice| library.attached(kind, &timed_document(dice, kind)).unwrap();
            [one(dice), one(dice), one(dice)]
        });
        let mut now: jiff::Timestamp = "2024-05-06T00:00:00Z".parse().unwrap();
        let mut which: [Option<usize>; 6] = [Some(0), Some(0), None, None, None, None];
        let asked = dice.between(10, 60);
        for _ in 0..asked {
            if dice.percent(20) {
                now += jiff::SignedDuration::from_millis(i64::try_from(dice.below(4_000)).unwrap());
            }
            if dice.percent(20) {
                let layer = dice.below(6);
                which[layer] = dice.maybe(if layer == 0 { 100 } else { 60 }, |dice| dice.below(3));
            }
            let document = |layer: usize| which[layer].map(|which| attached[layer][which].clone());
            let list = |layer: usize| document(layer).into_iter().collect::<Vec<AttachedDocument>>();
            let levels = |layer: usize| document(layer).map(|document| vec![document]).into_iter().collect();
            let own = PrincipalPolicies::new(list(1), document(2), document(3).map(|document| vec![document]));
            let controls = ControlPolicies::new(levels(4), levels(5), false);
            let policy = document(0);
            let applicable = Applicable {
                resource_policy: policy.as_ref(),
                caller_controls: Some(&controls),
                resource_controls: Some(&controls),
                ..Applicable::new(&own)
            };
            let value = |dice: &mut Dice| *dice.pick(&[None, Some("a"), Some("b")]);
            let request = timed_request(dice.below(3), value(dice), value(dice), now);
            let cached = library.authorizer.decide(&request, &applicable);
            let fresh = library.authorizer.decide_uncached(&request, &applicable);
            if *cached != fresh {
                return Err(format!("{now} {which:?}\nmade anew: {fresh:?}\ncached: {cached:?}"));
            }
        }
        Ok(asked as u64)
    });
}

#[test]
fn two_request_keys_that_differ_only_by_case_fail_closed() {
    let library = Library::default();
    let policy = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*",
        "Condition": {"StringEquals": {"aws:PrincipalTag/team": "a"}}}});
    let policy = library.attached(DocumentKind::KeyPolicy, &policy).unwrap();
    let own = PrincipalPolicies::default();
    let applicable = Applicable { resource_policy: Some(&policy), ..Applicable::new(&own) };
    let mut request = timed_request(0, None, Some("a"), "2024-05-06T00:00:00Z".parse().unwrap());
    assert_eq!(library.authorizer.decide(&request, &applicable).outcome, Outcome::Allow);
    let mut caller = (*request.caller).clone();
    caller.tags.push(("TEAM".to_owned(), "a".to_owned()));
    request.caller = Arc::new(caller);
    assert_eq!(library.authorizer.decide(&request, &applicable).outcome, Outcome::ImplicitDeny);
}

#[test]
fn every_cataloged_action_has_a_slice_that_the_policy_covers() {
    let text = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}]});
    let document = CompiledDocument::compile(DocumentKind::KeyPolicy, &text.to_string()).unwrap();
    let slices: HashMap<&str, bool> = catalogue::kms_actions()
        .iter()
        .map(|action| (action.name, document.slice(&format!("kms:{}", action.name).parse().unwrap()).is_empty()))
        .collect();
    assert!(slices.values().all(|empty| !empty), "{slices:?}");
    assert!(document.slice(&"s3:GetObject".parse().unwrap()).is_empty());
}
