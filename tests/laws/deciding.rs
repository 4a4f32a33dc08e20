//! The fast path decides as the plain interpreter does, and the cache never changes a decision.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use keystile::authz::{
    Applicable, AttachedDocument, Authorizer, AuthzRequest, Decision, KeyAttributes, Layer, Outcome, PrincipalPolicies,
    Resource, Settings, Supplied,
};
use keystile::aws::{Arn, Caller, ConditionKey, ContextValue, Principal, Session, Surroundings, catalogue};
use keystile::cedar::{CompiledDocument, Documents};
use keystile::iam::DocumentKind;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::explaining;
use crate::generate::{self, KEY};
use crate::interpreter::{self, Case, Context, Values};

/// Keys of each type of the catalogue, in which the generator's untyped key may stand.
const TYPED: [&str; 10] = [
    "k:one",
    "kms:RotationPeriodInDays",
    "kms:ValidTo",
    "aws:SourceIp",
    "kms:GrantIsForAWSResource",
    "aws:SourceArn",
    "kms:GrantOperations",
    "kms:ViaService",
    "aws:ResourceTag/Dept",
    "aws:CurrentTime",
];

/// A case with its untyped key in the place of a typed one.
fn typed_case() -> impl Strategy<Value = Case> {
    (generate::case(), select(TYPED.to_vec()), select(TYPED.to_vec())).prop_map(|(mut case, one, two)| {
        let two = if one == two { "k:two" } else { two };
        let rename = |document: &mut Value| {
            let text = document
                .to_string()
                .replace("\"k:one\"", &json!(one).to_string())
                .replace("\"K:Two\"", &json!(two).to_string());
            *document = serde_json::from_str(&text).unwrap();
        };
        case.key_policy.iter_mut().chain(&mut case.identity).chain(&mut case.boundary).for_each(rename);
        case.session.iter_mut().flatten().for_each(rename);
        let renamed = std::mem::take(&mut case.context).into_iter().map(|(key, values)| match key.as_str() {
            "k:one" => (one.to_owned(), values),
            "K:Two" => (two.to_owned(), values),
            _ => (key, values),
        });
        case.context = renamed.collect();
        case
    })
}

/// The request as the gateway would build it; what follows from caller and surroundings goes into
/// the case's own context too.
fn request(case: &mut Case) -> AuthzRequest {
    case.context.retain(|_, values| values.multivalued || !values.values.is_empty());
    let principal: Principal = case.principal.parse().unwrap();
    let principal_arn: Arn = case.role.as_deref().unwrap_or(&case.principal).parse().unwrap();
    let session = (case.role.is_some() || matches!(principal, Principal::FederatedUser(_))).then(Session::default);
    let mut operation = Vec::new();
    for (key, values) in &case.context {
        let texts = || values.values.iter().map(|text| Cow::Owned(text.clone())).collect();
        let value = if values.multivalued {
            ContextValue::Many(texts())
        } else if let Some(text) = values.values.first() {
            typed(text)
        } else {
            continue;
        };
        operation.push((Cow::Owned(key.to_lowercase()), value));
    }
    let resource = match &case.resource {
        None => Resource::None,
        Some(arn) => Resource::Key {
            arn: arn.parse().unwrap(),
            attributes: Arc::new(KeyAttributes {
                account: generate::ACCOUNT.parse().unwrap(),
                key_spec: "SYMMETRIC_DEFAULT".into(),
                key_usage: "ENCRYPT_DECRYPT".into(),
                origin: "AWS_KMS".into(),
                multi_region: false,
                multi_region_key_type: None,
                aliases: Vec::new(),
                tags: Vec::new(),
            }),
        },
    };
    let request = AuthzRequest {
        caller: Arc::new(Caller {
            account: case.account.parse().unwrap(),
            principal,
            principal_arn,
            user_id: case.unique_id.clone().unwrap_or_else(|| "AIDAEXAMPLE".to_owned()).into(),
            access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
            tags: Vec::new(),
            session,
        }),
        action: case.action.parse().unwrap(),
        resource,
        operation,
        surroundings: Arc::new(Surroundings {
            source_ip: None,
            user_agent: None,
            referer: None,
            secure_transport: true,
            region: "us-east-1".parse().unwrap(),
            now: "2024-05-06T00:00:00Z".parse().unwrap(),
        }),
        supplied: Supplied::All,
    };
    for name in TYPED.iter().chain(&["aws:username", "aws:TagKeys", "k:arn", "aws:PrincipalTag/Team", "k:two"]) {
        let known = case.context.keys().any(|known| known.eq_ignore_ascii_case(name));
        if let (false, Some(value)) = (known, request.value(&ConditionKey::new(name))) {
            let multivalued = matches!(value, ContextValue::Many(_));
            let values = value.texts().iter().map(ToString::to_string).collect();
            case.context.insert((*name).to_owned(), Values { multivalued, values });
        }
    }
    request
}

/// The value in the type that the gateway would give it, where its text comes out the same.
fn typed(text: &str) -> ContextValue<'static> {
    let candidates = [
        text.parse().ok().map(ContextValue::Number),
        text.parse().ok().map(ContextValue::Bool),
        text.parse().ok().map(ContextValue::Ip),
        text.parse().ok().map(ContextValue::Time),
    ];
    let same = |value: &ContextValue<'static>| value.texts() == [text];
    candidates.into_iter().flatten().find(same).unwrap_or_else(|| ContextValue::Text(Cow::Owned(text.to_owned())))
}

fn attached(documents: &Documents, kind: DocumentKind, document: &Value) -> AttachedDocument {
    let document = documents.compile(kind, &document.to_string()).unwrap_or_else(|error| panic!("{error}\n{document}"));
    document.into()
}

fn principal(documents: &Documents, case: &Case) -> PrincipalPolicies {
    let all = |kind, list: &[Value]| list.iter().map(|document| attached(documents, kind, document)).collect();
    PrincipalPolicies::new(
        all(DocumentKind::IdentityPolicy, &case.identity),
        case.boundary.as_ref().map(|document| attached(documents, DocumentKind::PermissionsBoundary, document)),
        case.session.as_ref().map(|list| all(DocumentKind::SessionPolicy, list)),
    )
}

fn key_policy(documents: &Documents, case: &Case) -> Option<AttachedDocument> {
    case.key_policy.as_ref().map(|document| attached(documents, DocumentKind::KeyPolicy, document))
}

fn agrees(decision: &Decision, verdict: interpreter::Verdict, is_root: bool) -> bool {
    let outcome = match verdict.outcome {
        interpreter::Outcome::Allow => Outcome::Allow,
        interpreter::Outcome::ImplicitDeny => Outcome::ImplicitDeny,
        interpreter::Outcome::ExplicitDeny => Outcome::ExplicitDeny,
    };
    let layer = match verdict.layer {
        interpreter::Layer::KeyPolicy => Layer::KeyPolicy,
        interpreter::Layer::Identity => Layer::IdentityPolicy,
        interpreter::Layer::Boundary => Layer::PermissionsBoundary,
        interpreter::Layer::Session => Layer::SessionPolicy,
    };
    decision.outcome == outcome
        && match outcome {
            Outcome::Allow if is_root => true,
            Outcome::Allow => decision.decided_by.iter().any(|by| by.layer == layer),
            _ => decision.decided_by.first().is_some_and(|by| by.layer == layer),
        }
}

proptest! {
    #![proptest_config(generate::cases())]

    #[test]
    fn the_fast_path_decides_as_the_interpreter_does(mut case in typed_case()) {
        let documents = Documents::default();
        let authorizer = Authorizer::new(Settings { max_bytes: 1 << 20 });
        let request = request(&mut case);
        let (principal, policy) = (principal(&documents, &case), key_policy(&documents, &case));
        let applicable = Applicable {
            resource_policy: policy.as_ref(),
            cross_account: case.cross_account_operation,
            ..Applicable::new(&principal)
        };
        let decision = authorizer.decide_uncached(&request, &applicable);
        let verdict = interpreter::decide(&case);
        prop_assert!(agrees(&decision, verdict, case.principal.ends_with(":root")), "{decision:?}\n{verdict:?}\n{case:#?}");
        prop_assert_eq!(authorizer.counters().errors.load(std::sync::atomic::Ordering::Relaxed), 0);
        prop_assert_eq!(explaining::disagreement(&request, &applicable, &decision), None, "{:?}\n{:#?}", decision, case);
        let cached = authorizer.decide(&request, &applicable);
        prop_assert_eq!(&*cached, &decision);
        let again = authorizer.decide(&request, &applicable);
        prop_assert_eq!(&*again, &decision);
    }
}

/// A key policy and an identity policy that read the clock and values in many ways.
fn timed_document(of_a_key: bool) -> impl Strategy<Value = Value> {
    let conditions = vec![
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
    prop::collection::vec((any::<bool>(), select(conditions), prop::bool::weighted(0.25)), 1..4).prop_map(move |statements| {
        let statements: Vec<Value> = statements
            .into_iter()
            .map(|(by_account, condition, deny)| {
                let mut statement = json!({
                    "Effect": if deny { "Deny" } else { "Allow" }, "Action": "kms:*", "Resource": "*", "Condition": condition,
                });
                if of_a_key {
                    statement["Principal"] = json!(if by_account { json!({"AWS": generate::ACCOUNT}) } else { json!("*") });
                }
                if statement["Condition"] == json!({}) {
                    statement.as_object_mut().unwrap().remove("Condition");
                }
                statement
            })
            .collect();
        json!({"Version": "2012-10-17", "Statement": statements})
    })
}

#[derive(Clone, Debug)]
enum Step {
    /// Milliseconds that the clock moves forward.
    Advance(i64),
    /// Another key policy or identity policy of those at hand.
    Policy(bool, usize),
    /// A request by one of two sessions of one role, with a value and a team tag.
    Ask { session: usize, via: Option<&'static str>, team: Option<&'static str> },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..4000_i64).prop_map(Step::Advance),
        1 => (any::<bool>(), 0..3_usize).prop_map(|(of_a_key, which)| Step::Policy(of_a_key, which)),
        6 => (0..3_usize, prop::option::of(select(vec!["a", "b"])), prop::option::of(select(vec!["a", "b"])))
            .prop_map(|(session, via, team)| Step::Ask { session, via, team }),
    ]
}

fn timed_request(
    session: usize,
    via: Option<&'static str>,
    team: Option<&'static str>,
    now: jiff::Timestamp,
) -> AuthzRequest {
    let mut case = Case {
        principal: "arn:aws:sts::111122223333:assumed-role/Rotator/nightly".to_owned(),
        role: Some("arn:aws:iam::111122223333:role/ops/Rotator".to_owned()),
        unique_id: None,
        account: generate::ACCOUNT.to_owned(),
        action: "kms:Decrypt".to_owned(),
        resource: Some(KEY.to_owned()),
        context: Context::new(),
        key_policy: None,
        identity: Vec::new(),
        boundary: None,
        session: None,
        cross_account_operation: true,
    };
    let mut request = request(&mut case);
    let mut caller = (*request.caller).clone();
    caller.tags = team.map(|team| ("Team".to_owned(), team.to_owned())).into_iter().collect();
    let proved = ["2024-05-06T00:00:00Z", "2024-05-06T00:00:01.250Z"];
    caller.session = Some(Session {
        mfa_authenticated_at: proved.get(session).map(|time| time.parse().unwrap()),
        ..Session::default()
    });
    request.caller = Arc::new(caller);
    request.operation =
        via.map(|via| (Cow::Borrowed("kms:viaservice"), ContextValue::Text(via.into()))).into_iter().collect();
    request.surroundings = Arc::new(Surroundings { now, ..(*request.surroundings).clone() });
    request
}

proptest! {
    #![proptest_config(ProptestConfig { cases: generate::cases().cases / 10 + 1, ..generate::cases() })]

    #[test]
    fn a_cache_never_changes_a_decision(
        key_policies in prop::collection::vec(timed_document(true), 3),
        identity_policies in prop::collection::vec(timed_document(false), 3),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let documents = Documents::default();
        let authorizer = Authorizer::new(Settings::default());
        let mut now: jiff::Timestamp = "2024-05-06T00:00:00Z".parse().unwrap();
        let (mut key, mut identity) = (0, 0);
        for step in steps {
            match step {
                Step::Advance(milliseconds) => now += jiff::SignedDuration::from_millis(milliseconds),
                Step::Policy(true, which) => key = which,
                Step::Policy(false, which) => identity = which,
                Step::Ask { session, via, team } => {
                    let policy = attached(&documents, DocumentKind::KeyPolicy, &key_policies[key]);
                    let own = attached(&documents, DocumentKind::IdentityPolicy, &identity_policies[identity]);
                    let own = PrincipalPolicies::new(vec![own], None, None);
                    let request = timed_request(session, via, team, now);
                    let applicable = Applicable { resource_policy: Some(&policy), ..Applicable::new(&own) };
                    let cached = authorizer.decide(&request, &applicable);
                    let fresh = authorizer.decide_uncached(&request, &applicable);
                    prop_assert_eq!(&*cached, &fresh, "{:?}", now);
                }
            }
        }
    }
}

#[test]
fn two_request_keys_that_differ_only_by_case_fail_closed() {
    let documents = Documents::default();
    let authorizer = Authorizer::new(Settings::default());
    let policy = attached(
        &documents,
        DocumentKind::KeyPolicy,
        &json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*",
        "Condition": {"StringEquals": {"aws:PrincipalTag/team": "a"}}}}),
    );
    let mut request = timed_request(0, None, Some("a"), "2024-05-06T00:00:00Z".parse().unwrap());
    let none = PrincipalPolicies::default();
    let applicable = Applicable { resource_policy: Some(&policy), ..Applicable::new(&none) };
    let allowed = authorizer.decide(&request, &applicable);
    assert_eq!(allowed.outcome, Outcome::Allow);
    let mut caller = (*request.caller).clone();
    caller.tags.push(("TEAM".to_owned(), "a".to_owned()));
    request.caller = Arc::new(caller);
    let denied = authorizer.decide(&request, &applicable);
    assert_eq!(denied.outcome, Outcome::ImplicitDeny);
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
