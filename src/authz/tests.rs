//! The flow's rows and every text of AccessDeniedException.

use std::sync::Arc;

use crate::aws::{Caller, Session, Surroundings, catalogue};
use crate::cedar::CompiledDocument;
use crate::iam::DocumentKind;

use super::*;

mod callers;
mod controls;
mod grants;
mod resource_policies;

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const USER: &str = "arn:aws:iam::111122223333:user/alice";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/Rotator/nightly";
const DELEGATES: &str =
    r#"{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*"}"#;
const ALLOWS: &str = r#"{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}"#;
const DENIES: &str = r#"{"Sid": "No", "Effect": "Deny", "Action": "kms:*", "Resource": "*"}"#;
const OTHER: &str = r#"{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}"#;

fn document(kind: DocumentKind, statements: &str) -> Arc<CompiledDocument> {
    let text = format!(r#"{{"Version": "2012-10-17", "Statement": [{statements}]}}"#);
    Arc::new(CompiledDocument::compile(kind, &text).unwrap())
}

fn attached(kind: DocumentKind, statements: &str) -> AttachedDocument {
    document(kind, statements).into()
}

fn own(identity: &[&str], boundary: Option<&str>, session: Option<&str>) -> PrincipalPolicies {
    PrincipalPolicies::new(
        identity.iter().map(|statements| attached(DocumentKind::IdentityPolicy, statements)).collect(),
        boundary.map(|statements| attached(DocumentKind::PermissionsBoundary, statements)),
        session.map(|statements| vec![attached(DocumentKind::SessionPolicy, statements)]),
    )
}

fn key(account: &str) -> Resource {
    Resource::Key {
        arn: KEY.replace("111122223333", account).parse().unwrap(),
        attributes: Arc::new(KeyAttributes {
            account: account.parse().unwrap(),
            key_spec: "SYMMETRIC_DEFAULT".into(),
            key_usage: "ENCRYPT_DECRYPT".into(),
            origin: "AWS_KMS".into(),
            multi_region: false,
            multi_region_key_type: None,
            aliases: vec!["alias/app".to_owned()],
            tags: vec![("Team".to_owned(), "security".to_owned())],
        }),
    }
}

fn request(principal: &str, action: &str, resource: Resource) -> AuthzRequest {
    let principal_arn = if principal == SESSION { "arn:aws:iam::111122223333:role/ops/Rotator" } else { principal };
    AuthzRequest {
        caller: Arc::new(Caller {
            principal: principal.parse().unwrap(),
            account: principal.split(':').nth(4).unwrap().parse().unwrap(),
            principal_arn: principal_arn.parse().unwrap(),
            user_id: "AIDACKCEVSQ6C2EXAMPLE".into(),
            access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
            tags: Vec::new(),
            session: (principal == SESSION).then(Session::default),
        }),
        action: action.parse().unwrap(),
        resource,
        operation: Vec::new(),
        surroundings: Arc::new(Surroundings {
            source_ip: None,
            user_agent: None,
            referer: None,
            secure_transport: false,
            region: "us-east-1".parse().unwrap(),
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
        }),
        supplied: Supplied::All,
        determined: None,
    }
}

fn decide(request: &AuthzRequest, key_policy: Option<&str>, principal: &PrincipalPolicies) -> Decision {
    let key_policy = key_policy.map(|statements| attached(DocumentKind::KeyPolicy, statements));
    let applicable = Applicable {
        resource_policy: key_policy.as_ref(),
        cross_account: catalogue::kms::works_across_accounts(&request.action),
        ..Applicable::new(principal)
    };
    Authorizer::new(Settings::default()).decide_uncached(request, &applicable)
}

fn denial(request: &AuthzRequest, key_policy: Option<&str>, principal: &PrincipalPolicies) -> String {
    decide(request, key_policy, principal).message.unwrap()
}

#[test]
fn each_denial_has_the_text_that_aws_sends() {
    let alice = request(USER, "kms:EnableKeyRotation", key("111122223333"));
    let on_key = format!("User: {USER} is not authorized to perform: kms:EnableKeyRotation on resource: {KEY}");
    let hidden = "because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access";
    for (key_policy, own, because) in [
        (DELEGATES, own(&[], None, None), "because no identity-based policy allows the kms:EnableKeyRotation action"),
        (
            DELEGATES,
            own(&[ALLOWS], Some(OTHER), None),
            "because no permissions boundary allows the kms:EnableKeyRotation action",
        ),
        (
            DELEGATES,
            own(&[ALLOWS], None, Some(OTHER)),
            "because no session policy allows the kms:EnableKeyRotation action",
        ),
        ("", own(&[ALLOWS], None, None), "because no resource-based policy allows the kms:EnableKeyRotation action"),
        (DELEGATES, own(&[ALLOWS, DENIES], None, None), "with an explicit deny in an identity-based policy"),
        (DELEGATES, own(&[ALLOWS], Some(DENIES), None), "with an explicit deny in a permissions boundary"),
        (DELEGATES, own(&[ALLOWS], None, Some(DENIES)), "with an explicit deny in a session policy"),
        (
            r#"{"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"}"#,
            own(&[ALLOWS], None, None),
            "with an explicit deny in a resource-based policy",
        ),
    ] {
        assert_eq!(denial(&alice, Some(key_policy), &own), format!("{on_key} {because}"));
    }

    let managed = AttachedDocument {
        arn: Some("arn:aws:iam::111122223333:policy/No".parse().unwrap()),
        ..attached(DocumentKind::IdentityPolicy, DENIES)
    };
    let managed = PrincipalPolicies::new(vec![managed], None, None);
    assert_eq!(
        denial(&alice, Some(DELEGATES), &managed),
        format!("{on_key} with an explicit deny in an identity-based policy: arn:aws:iam::111122223333:policy/No")
    );

    let eve = "arn:aws:iam::444455556666:user/eve";
    let anyone = r#"{"Effect": "Allow", "Principal": {"AWS": "444455556666"}, "Action": "kms:*", "Resource": "*"}"#;
    let foreign = |action: &str| format!("User: {eve} is not authorized to perform: {action} on this resource");
    let decrypt = request(eve, "kms:Decrypt", key("111122223333"));
    assert_eq!(denial(&decrypt, Some(""), &own(&[ALLOWS], None, None)), format!("{} {hidden}", foreign("kms:Decrypt")));
    assert_eq!(
        denial(&decrypt, Some(anyone), &own(&[], None, None)),
        format!("{} because no identity-based policy allows the kms:Decrypt action", foreign("kms:Decrypt"))
    );
    assert_eq!(
        denial(&decrypt, Some(anyone), &own(&[ALLOWS], None, Some(OTHER))),
        format!("{} because no session policy allows the kms:Decrypt action", foreign("kms:Decrypt"))
    );
    let enable = request(eve, "kms:EnableKeyRotation", key("111122223333"));
    assert_eq!(
        denial(&enable, Some(anyone), &own(&[ALLOWS], None, None)),
        format!("{} {hidden}", foreign("kms:EnableKeyRotation"))
    );

    let missing = request(USER, "kms:DescribeKey", Resource::MissingKey { arn: KEY.parse().unwrap() });
    assert_eq!(
        denial(&missing, None, &own(&[], None, None)),
        format!("User: {USER} is not authorized to perform: kms:DescribeKey on this resource {hidden}")
    );
    assert_eq!(decide(&missing, None, &own(&[ALLOWS], None, None)).outcome, Outcome::Allow);

    let create = request(USER, "kms:CreateKey", Resource::None);
    assert_eq!(
        denial(&create, None, &own(&[], None, None)),
        format!(
            "User: {USER} is not authorized to perform: kms:CreateKey on resource: * because no identity-based policy allows the kms:CreateKey action"
        )
    );
}

#[test]
fn implicit_denies_limit_a_grant_by_its_class() {
    let grant = |principal: &str| {
        format!(r#"{{"Effect": "Allow", "Principal": {{"AWS": "{principal}"}}, "Action": "kms:*", "Resource": "*"}}"#)
    };
    let role = grant("arn:aws:iam::111122223333:role/ops/Rotator");
    for (principal, key_policy, own, expected) in [
        (USER, grant(USER), own(&[], Some(OTHER), None), Outcome::Allow),
        (SESSION, grant(SESSION), own(&[], Some(OTHER), Some(OTHER)), Outcome::Allow),
        (SESSION, grant("*"), own(&[], Some(OTHER), Some(OTHER)), Outcome::Allow),
        (SESSION, role.clone(), own(&[], None, None), Outcome::Allow),
        (SESSION, role.clone(), own(&[], Some(OTHER), None), Outcome::ImplicitDeny),
        (SESSION, role.clone(), own(&[], None, Some(OTHER)), Outcome::ImplicitDeny),
        (SESSION, grant("arn:aws:iam::111122223333:role/Rotator"), own(&[ALLOWS], None, None), Outcome::ImplicitDeny),
        (SESSION, DELEGATES.to_owned(), own(&[], None, None), Outcome::ImplicitDeny),
        (SESSION, DELEGATES.to_owned(), own(&[ALLOWS], None, None), Outcome::Allow),
        ("arn:aws:iam::111122223333:root", DELEGATES.to_owned(), own(&[], None, None), Outcome::Allow),
        ("arn:aws:iam::111122223333:root", grant(USER), own(&[], None, None), Outcome::ImplicitDeny),
        (USER, grant("AIDACKCEVSQ6C2EXAMPLE"), own(&[], None, None), Outcome::Allow),
        (USER, grant("AIDACKCEVSQ6C2ANOTHER"), own(&[], None, None), Outcome::ImplicitDeny),
    ] {
        let request = request(principal, "kms:Decrypt", key("111122223333"));
        assert_eq!(decide(&request, Some(&key_policy), &own).outcome, expected, "{principal} {key_policy}");
    }
}

#[test]
fn not_principal_always_denies_a_caller_with_a_boundary() {
    let policy = format!(
        r#"{DELEGATES}, {{"Effect": "Deny", "NotPrincipal": {{"AWS": "{USER}"}}, "Action": "kms:*", "Resource": "*"}}"#
    );
    let alice = request(USER, "kms:Decrypt", key("111122223333"));
    assert_eq!(decide(&alice, Some(&policy), &own(&[ALLOWS], None, None)).outcome, Outcome::Allow);
    assert_eq!(decide(&alice, Some(&policy), &own(&[ALLOWS], Some(ALLOWS), None)).outcome, Outcome::ExplicitDeny);
}

#[test]
fn an_action_that_no_catalogue_knows_works_by_its_text() {
    let future = request(USER, "kms:RotateEverything", key("111122223333"));
    assert_eq!(decide(&future, Some(DELEGATES), &own(&[ALLOWS], None, None)).outcome, Outcome::Allow);
    let pattern = r#"{"Effect": "Allow", "Action": "kms:Rotate*", "Resource": "*"}"#;
    assert_eq!(decide(&future, Some(DELEGATES), &own(&[pattern], None, None)).outcome, Outcome::Allow);
    let excepted = r#"{"Effect": "Allow", "NotAction": "kms:Rotate*", "Resource": "*"}"#;
    assert_eq!(decide(&future, Some(DELEGATES), &own(&[excepted], None, None)).outcome, Outcome::ImplicitDeny);
}

#[test]
fn aliases_are_a_condition_of_identity_policies_only() {
    let condition = r#""Condition": {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/app"}}"#;
    let of_key = format!(r#"{{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*", {condition}}}"#);
    let of_user = format!(r#"{{"Effect": "Allow", "Action": "kms:*", "Resource": "*", {condition}}}"#);
    let alice = request(USER, "kms:Decrypt", key("111122223333"));
    assert_eq!(decide(&alice, Some(&of_key), &own(&[], None, None)).outcome, Outcome::ImplicitDeny);
    assert_eq!(decide(&alice, Some(DELEGATES), &own(&[&of_user], None, None)).outcome, Outcome::Allow);
}

#[derive(Debug)]
struct Two([Check; 2]);

impl Subject for Two {
    fn checks(&self) -> &[Check] {
        &self.0
    }
}

#[test]
fn a_permit_needs_every_check() {
    let check = |statements: &str| Check {
        request: request(USER, "kms:ReEncryptFrom", key("111122223333")),
        resource_policy: Some(attached(DocumentKind::KeyPolicy, statements)),
        grants: Vec::new(),
        encryption_context: None,
        cross_account: true,
        through_ciphertext: true,
    };
    let authorizer = Authorizer::new(Settings::default());
    let principal = Arc::new(own(&[ALLOWS], None, None));
    let permit = authorizer.authorize(Two([check(DELEGATES), check(DELEGATES)]), &principal, None).unwrap();
    assert_eq!(permit.decisions().len(), 2);
    let put = crate::aws::ActionName::of("kms:PutKeyPolicy");
    assert!(permit.would_still_allow(&authorizer, put.clone(), &document(DocumentKind::KeyPolicy, DELEGATES)));
    assert!(!permit.would_still_allow(&authorizer, put, &document(DocumentKind::KeyPolicy, "")));
    let denial = authorizer.authorize(Two([check(DELEGATES), check("")]), &principal, None).unwrap_err();
    assert_eq!(denial.check, 1);
    let text = denial.decision.message.clone().unwrap();
    assert!(!text.contains(KEY), "a caller learns the key's ARN from a ciphertext: {text}");
}

#[test]
fn a_cached_allow_ends_with_its_session_and_at_the_literal_time() {
    let until = r#"{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*",
        "Condition": {"DateLessThan": {"aws:CurrentTime": "2026-01-01T00:00:10Z"}}}"#;
    let policy = attached(DocumentKind::KeyPolicy, until);
    let authorizer = Authorizer::new(Settings::default());
    let none = PrincipalPolicies::default();
    let at = |time: &str| {
        let mut asked = request(USER, "kms:Decrypt", key("111122223333"));
        asked.surroundings = Arc::new(Surroundings { now: time.parse().unwrap(), ..(*asked.surroundings).clone() });
        let applicable = Applicable { resource_policy: Some(&policy), ..Applicable::new(&none) };
        authorizer.decide(&asked, &applicable).outcome
    };
    assert_eq!(at("2026-01-01T00:00:00Z"), Outcome::Allow);
    assert_eq!(at("2026-01-01T00:00:09.999Z"), Outcome::Allow);
    assert_eq!(authorizer.counters().hits.load(std::sync::atomic::Ordering::Relaxed), 1);
    assert_eq!(at("2026-01-01T00:00:10Z"), Outcome::ImplicitDeny);
    assert_eq!(at("2026-01-01T00:00:09Z"), Outcome::Allow);
}
