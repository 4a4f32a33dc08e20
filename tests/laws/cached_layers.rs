//! The cache never changes a decision, whichever of the layers beside the caller's own changes:
//! control policies of either account, the resource's policy, grants, the encryption context.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use keystile::authz::{
    Applicable, AttachedDocument, Authorizer, AuthzRequest, ControlPolicies, Grant, GrantConstraints, KeyAttributes,
    PrincipalPolicies, Resource, Settings, Supplied,
};
use keystile::aws::{Caller, ContextValue, Session, Surroundings};
use keystile::cedar::Documents;
use keystile::iam::DocumentKind;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::generate;

const ACCOUNT: &str = "111122223333";
const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// Who asks: the principal, and the role of a session.
const CALLERS: [(&str, Option<&str>); 5] = [
    ("arn:aws:iam::111122223333:user/alice", None),
    ("arn:aws:sts::111122223333:assumed-role/Rotator/nightly", Some("arn:aws:iam::111122223333:role/Rotator")),
    (
        "arn:aws:sts::111122223333:assumed-role/Rotator/nightly",
        Some("arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/Rotator"),
    ),
    ("arn:aws:sts::111122223333:federated-user/bob", None),
    ("arn:aws:iam::444455556666:user/eve", None),
];

/// Everything that may differ between two requests that look alike.
#[derive(Clone, Debug)]
struct Scene {
    caller: usize,
    federated: bool,
    action: &'static str,
    /// The key, a managed one of AWS's, an object.
    resource: usize,
    via: Option<&'static str>,
    /// Milliseconds since the start.
    at: i64,
    supplied: Supplied,
    policy: Option<usize>,
    identity: usize,
    service: Option<(Vec<usize>, bool)>,
    guard: Option<(Vec<usize>, bool)>,
    grants: Vec<usize>,
    context: Option<&'static str>,
    across: bool,
}

fn scene() -> impl Strategy<Value = Scene> {
    let levels = || prop::option::of((prop::collection::vec(0..3_usize, 0..3), prop::bool::weighted(0.2)));
    let supplied =
        select(vec![Supplied::All, Supplied::All, Supplied::Implied { now: false }, Supplied::Implied { now: true }]);
    (
        (0..CALLERS.len(), any::<bool>(), select(vec!["kms:Decrypt", "kms:RetireGrant", "s3:GetObject"]), 0..3_usize),
        (prop::option::of(select(vec!["a", "b"])), 0..12_000_i64, supplied),
        (prop::option::of(0..3_usize), 0..2_usize, levels(), levels()),
        (prop::collection::vec(0..4_usize, 0..3), prop::option::of(select(vec!["x", "y"])), any::<bool>()),
    )
        .prop_map(|(who, request, policies, (grants, context, across))| Scene {
            caller: who.0,
            federated: who.1,
            action: who.2,
            resource: who.3,
            via: request.0,
            at: request.1,
            supplied: request.2,
            policy: policies.0,
            identity: policies.1,
            service: policies.2,
            guard: policies.3,
            grants,
            context,
            across,
        })
}

/// A document's conditions, of which some turn with the clock.
fn condition() -> impl Strategy<Value = Value> {
    select(vec![
        json!({}),
        json!({}),
        json!({"DateLessThan": {"aws:CurrentTime": "2024-05-06T00:00:06Z"}}),
        json!({"StringLike": {"aws:CurrentTime": "*:03Z"}}),
        json!({"StringEquals": {"aws:SourceArn": "arn:aws:s3:::a"}}),
        json!({"Null": {"aws:SourceArn": "true"}}),
        json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}}),
    ])
}

fn document(effects: &'static [&'static str], principals: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let statement = (select(effects), select(vec!["kms:*", "s3:*", "kms:Decrypt"]), condition());
    prop::collection::vec((statement, 0..principals.len().max(1)), 1..3).prop_map(move |statements| {
        let statements: Vec<Value> = statements
            .into_iter()
            .map(|((effect, action, condition), principal)| {
                let mut statement = json!({"Effect": effect, "Action": action, "Resource": "*"});
                if let Some(principal) = principals.get(principal) {
                    statement["Principal"] = json!({"AWS": principal});
                }
                if condition != json!({}) {
                    statement["Condition"] = condition;
                }
                statement
            })
            .collect();
        json!({"Version": "2012-10-17", "Statement": statements})
    })
}

const NAMED: &[&str] =
    &["*", ACCOUNT, "arn:aws:iam::111122223333:user/alice", "arn:aws:iam::111122223333:role/Rotator"];

fn request(scene: &Scene) -> AuthzRequest {
    let (principal, role) = CALLERS[scene.caller];
    let session = Session {
        federated_by: scene.federated.then(|| "arn:aws:iam::111122223333:user/alice".parse().unwrap()),
        ..Session::default()
    };
    let resource = match scene.resource {
        2 => Resource::Other { arn: "arn:aws:s3:::b/k".parse().unwrap(), account: ACCOUNT.parse().ok() },
        managed => Resource::Key {
            arn: KEY.parse().unwrap(),
            attributes: Arc::new(KeyAttributes {
                account: ACCOUNT.parse().unwrap(),
                key_spec: "SYMMETRIC_DEFAULT".into(),
                key_usage: "ENCRYPT_DECRYPT".into(),
                origin: "AWS_KMS".into(),
                multi_region: false,
                multi_region_key_type: None,
                aliases: if managed == 1 { vec!["alias/aws/s3".to_owned()] } else { Vec::new() },
                tags: Vec::new(),
            }),
        },
    };
    let start: jiff::Timestamp = "2024-05-06T00:00:00Z".parse().unwrap();
    let via =
        scene.via.map(|via| (Cow::Borrowed("aws:sourcearn"), ContextValue::Text(format!("arn:aws:s3:::{via}").into())));
    AuthzRequest {
        caller: Arc::new(Caller {
            account: principal.split(':').nth(4).unwrap().parse().unwrap(),
            principal: principal.parse().unwrap(),
            principal_arn: role.unwrap_or(principal).parse().unwrap(),
            user_id: "AIDAEXAMPLE".into(),
            access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
            tags: Vec::new(),
            session: (principal.contains(":sts:")).then_some(session),
        }),
        action: scene.action.parse().unwrap(),
        resource,
        operation: via.into_iter().collect(),
        surroundings: Arc::new(Surroundings {
            source_ip: None,
            user_agent: None,
            referer: None,
            secure_transport: true,
            region: "us-east-1".parse().unwrap(),
            now: start + jiff::SignedDuration::from_millis(scene.at),
        }),
        supplied: scene.supplied,
        determined: None,
    }
}

/// The grants to choose from.
fn grants() -> Vec<Grant> {
    let grant = |grantee: &str, constraints, issuer: &str| Grant {
        id: None,
        grantee: grantee.parse::<keystile::aws::Principal>().unwrap().into(),
        retiring: Some("arn:aws:iam::444455556666:user/eve".parse::<keystile::aws::Principal>().unwrap().into()),
        operations: vec!["Decrypt".to_owned(), "RetireGrant".to_owned()],
        constraints,
        issuing_account: issuer.parse().unwrap(),
    };
    let pairs = |value: &str| Some(BTreeMap::from([("t".to_owned(), value.to_owned())]));
    let (alice, role) = (CALLERS[0].0, "arn:aws:iam::111122223333:role/Rotator");
    vec![
        grant(
            alice,
            GrantConstraints { encryption_context_equals: pairs("x"), ..GrantConstraints::default() },
            ACCOUNT,
        ),
        grant(role, GrantConstraints { encryption_context_subset: pairs("y"), ..GrantConstraints::default() }, ACCOUNT),
        grant(
            alice,
            GrantConstraints { source_arn: Some("arn:aws:s3:::a".parse().unwrap()), ..GrantConstraints::default() },
            ACCOUNT,
        ),
        grant("arn:aws:iam::444455556666:user/eve", GrantConstraints::default(), "444455556666"),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: u32::try_from(generate::cases(20_000) / 200 + 1).unwrap(),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_cache_never_changes_a_decision_of_any_layer(
        policies in prop::collection::vec(document(&["Allow", "Allow", "Deny"], NAMED), 3),
        identities in prop::collection::vec(document(&["Allow"], &[]), 2),
        service in prop::collection::vec(document(&["Allow", "Allow", "Deny"], &[]), 3),
        guards in prop::collection::vec(document(&["Deny"], &["*"]), 3),
        scenes in prop::collection::vec(scene(), 1..60),
    ) {
        let documents = Documents::default();
        let attached = |kind, document: &Value| AttachedDocument::from(documents.compile(kind, &document.to_string()).unwrap());
        let all = |kind, list: &[Value]| list.iter().map(|document| attached(kind, document)).collect::<Vec<_>>();
        let key_policies = all(DocumentKind::KeyPolicy, &policies);
        let resource_policies = all(DocumentKind::ResourcePolicy, &policies);
        let own: Vec<PrincipalPolicies> = all(DocumentKind::IdentityPolicy, &identities)
            .into_iter()
            .map(|document| PrincipalPolicies::new(vec![document], None, None))
            .collect();
        let (service, guards) =
            (all(DocumentKind::ServiceControlPolicy, &service), all(DocumentKind::ResourceControlPolicy, &guards));
        let known = grants();
        let authorizer = Authorizer::new(Settings::default());
        for scene in scenes {
            let request = request(&scene);
            let levels = |of: &Option<(Vec<usize>, bool)>, from: &[AttachedDocument]| {
                of.as_ref().map(|(levels, _)| levels.iter().map(|at| vec![from[*at].clone()]).collect()).unwrap_or_default()
            };
            let controls = |of: &Option<(Vec<usize>, bool)>| {
                let (service, guards) = (levels(of, &service), levels(of, &guards));
                of.as_ref().map(|(_, management)| ControlPolicies::new(service, guards, *management))
            };
            let (caller_controls, resource_controls) = (controls(&scene.service), controls(&scene.guard));
            let from = if scene.resource == 2 { &resource_policies } else { &key_policies };
            let grants: Vec<Grant> = scene.grants.iter().map(|at| known[*at].clone()).collect();
            let context = scene.context.map(|value| BTreeMap::from([("t".to_owned(), value.to_owned())]));
            let applicable = Applicable {
                resource_policy: scene.policy.map(|at| &from[at]),
                grants: &grants,
                encryption_context: context.as_ref(),
                caller_controls: caller_controls.as_ref(),
                resource_controls: resource_controls.as_ref(),
                cross_account: scene.across,
                ..Applicable::new(&own[scene.identity])
            };
            let cached = authorizer.decide(&request, &applicable);
            let fresh = authorizer.decide_uncached(&request, &applicable);
            prop_assert_eq!(&*cached, &fresh, "{:?}", scene);
        }
        prop_assert_eq!(authorizer.counters().errors.load(Ordering::Relaxed), 0);
    }
}
