//! What a decision costs: cold (nothing of it in the cache, policies compiled) and warm.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use keystile::authz::{
    Applicable, AttachedDocument, Authorizer, AuthzRequest, KeyAttributes, PrincipalPolicies, Resource, Settings,
    Supplied,
};
use keystile::aws::{Caller, Surroundings};
use keystile::cedar::CompiledDocument;
use keystile::iam::DocumentKind;
use serde_json::{Value, json};

const USER: &str = "arn:aws:iam::111122223333:user/alice";

fn request() -> AuthzRequest {
    AuthzRequest {
        caller: Arc::new(Caller {
            principal: USER.parse().unwrap(),
            account: "111122223333".parse().unwrap(),
            principal_arn: USER.parse().unwrap(),
            user_id: "AIDACKCEVSQ6C2EXAMPLE".into(),
            access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
            tags: vec![("team".to_owned(), "security".to_owned())],
            session: None,
        }),
        action: "kms:GetKeyRotationStatus".parse().unwrap(),
        resource: Resource::Key {
            arn: "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab".parse().unwrap(),
            attributes: Arc::new(KeyAttributes {
                account: "111122223333".parse().unwrap(),
                key_spec: "SYMMETRIC_DEFAULT".into(),
                key_usage: "ENCRYPT_DECRYPT".into(),
                origin: "AWS_KMS".into(),
                multi_region: false,
                multi_region_key_type: None,
                aliases: Vec::new(),
                tags: Vec::new(),
            }),
        },
        operation: Vec::new(),
        surroundings: Arc::new(Surroundings {
            source_ip: Some("203.0.113.7".parse().unwrap()),
            user_agent: Some("aws-cli/2".to_owned()),
            referer: None,
            secure_transport: true,
            region: "us-east-1".parse().unwrap(),
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
        }),
        supplied: Supplied::All,
        determined: None,
    }
}

/// A key policy whose last statement grants; with `conditions`, each statement has an address and
/// a date.
fn key_policy(statements: usize, conditions: bool) -> AttachedDocument {
    let statement = |at: usize| {
        let last = at + 1 == statements;
        let mut statement = json!({
            "Sid": format!("S{at}"), "Effect": "Allow", "Resource": "*",
            "Principal": {"AWS": if last { USER.to_owned() } else { format!("arn:aws:iam::111122223333:user/u{at}") }},
            "Action": if at.is_multiple_of(2) { json!("kms:*") } else { json!(["kms:GetKeyRotationStatus", "kms:DescribeKey"]) },
            "Condition": {"StringEquals": {"aws:PrincipalTag/team": ["security", "platform"]}},
        });
        if conditions {
            statement["Condition"] = json!({
                "IpAddress": {"aws:SourceIp": "203.0.113.0/24"},
                "DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"},
            });
        }
        statement
    };
    let list: Vec<Value> = (0..statements).map(statement).collect();
    let text = json!({"Version": "2012-10-17", "Statement": list}).to_string();
    Arc::new(CompiledDocument::compile(DocumentKind::KeyPolicy, &text).unwrap()).into()
}

fn principal() -> PrincipalPolicies {
    let text = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:*", "ec2:Describe*"], "Resource": "*"}]});
    let document = Arc::new(CompiledDocument::compile(DocumentKind::IdentityPolicy, &text.to_string()).unwrap());
    PrincipalPolicies::new(vec![document.into()], None, None)
}

fn with<'a>(policy: &'a AttachedDocument, principal: &'a PrincipalPolicies) -> Applicable<'a> {
    Applicable { resource_policy: Some(policy), ..Applicable::new(principal) }
}

fn benches(criterion: &mut Criterion) {
    let authorizer = Authorizer::new(Settings::default());
    let (request, principal) = (request(), principal());
    for conditions in [false, true] {
        for statements in [1, 5, 50] {
            let policy = key_policy(statements, conditions);
            let what = if conditions { " with address and date" } else { "" };
            criterion.bench_function(&format!("cold, {statements} statements{what}"), |bencher| {
                bencher.iter(|| authorizer.decide_uncached(black_box(&request), &with(&policy, &principal)));
            });
        }
    }
    let policy = key_policy(5, false);
    criterion.bench_function("warm, 5 statements", |bencher| {
        bencher.iter(|| authorizer.decide(black_box(&request), &with(&policy, &principal)));
    });
    let policy = key_policy(5, true);
    criterion.bench_function("warm, 5 statements with address and date", |bencher| {
        bencher.iter(|| authorizer.decide(black_box(&request), &with(&policy, &principal)));
    });
    let text = policy.document.text().to_owned();
    criterion.bench_function("compile, 5 statements", |bencher| {
        bencher.iter(|| CompiledDocument::compile(DocumentKind::KeyPolicy, black_box(&text)).unwrap());
    });
}

criterion_group!(decide, benches);
criterion_main!(decide);
