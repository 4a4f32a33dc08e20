//! Services, nobody, roles used directly, orphaned unique ids; and what a simulation supplies.

use super::*;
use crate::aws::{ConditionKey, ContextValue};

const ROLE: &str = "arn:aws:iam::111122223333:role/ops/Rotator";

fn by(principal: &str, asked: &AuthzRequest) -> AuthzRequest {
    let caller = Caller { principal: principal.parse().unwrap(), ..(*asked.caller).clone() };
    AuthzRequest { caller: Arc::new(caller), ..asked.clone() }
}

fn on_object(principal: &str) -> AuthzRequest {
    let arn = "arn:aws:s3:::orders/a".parse().unwrap();
    by(principal, &request(USER, "s3:GetObject", Resource::Other { arn, account: "111122223333".parse().ok() }))
}

fn under(asked: &AuthzRequest, statements: &str) -> Outcome {
    let (none, policy) = (own(&[], None, None), attached(DocumentKind::ResourcePolicy, statements));
    let applicable = Applicable { resource_policy: Some(&policy), ..Applicable::new(&none) };
    Authorizer::new(Settings::default()).decide_uncached(asked, &applicable).outcome
}

#[test]
fn a_service_and_nobody_are_allowed_by_the_resource_policy_alone() {
    let policy = |principal: &str| {
        format!(r#"{{"Effect": "Allow", "Principal": {principal}, "Action": "s3:*", "Resource": "*"}}"#)
    };
    for (principal, named, expected) in [
        ("anonymous", r#""*""#, Outcome::Allow),
        ("anonymous", r#"{"AWS": "*"}"#, Outcome::Allow),
        ("anonymous", r#"{"AWS": "111122223333"}"#, Outcome::ImplicitDeny),
        ("anonymous", r#"{"Service": "sns.amazonaws.com"}"#, Outcome::ImplicitDeny),
        ("sns.amazonaws.com", r#"{"Service": "sns.amazonaws.com"}"#, Outcome::Allow),
        ("sns.amazonaws.com", r#"{"Service": "sqs.amazonaws.com"}"#, Outcome::ImplicitDeny),
        ("sns.amazonaws.com", r#""*""#, Outcome::Allow),
    ] {
        assert_eq!(under(&on_object(principal), &policy(named)), expected, "{principal} {named}");
    }
    for key in ["kms:CallerAccount", "aws:PrincipalAccount", "aws:PrincipalArn", "aws:ResourceAccount"] {
        let asked = by("sns.amazonaws.com", &request(USER, "kms:ListKeys", Resource::None));
        assert!(asked.value(&ConditionKey::new(key)).is_none(), "{key}");
    }
    // On no resource there is nothing that could allow them.
    let list = by("anonymous", &request(USER, "kms:ListKeys", Resource::None));
    assert_eq!(decide(&list, None, &own(&[], None, None)).outcome, Outcome::ImplicitDeny);
}

#[test]
fn service_control_policies_do_not_limit_who_has_no_account() {
    let silent =
        ControlPolicies::new(vec![vec![attached(DocumentKind::ServiceControlPolicy, OTHER)]], Vec::new(), false);
    let everyone = r#"{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}"#;
    let (none, policy) = (own(&[], None, None), attached(DocumentKind::KeyPolicy, everyone));
    let applicable =
        Applicable { resource_policy: Some(&policy), caller_controls: Some(&silent), ..Applicable::new(&none) };
    let asked = by("s3.amazonaws.com", &request(USER, "kms:Decrypt", key("111122223333")));
    assert_eq!(Authorizer::new(Settings::default()).decide(&asked, &applicable).outcome, Outcome::Allow);
}

#[test]
fn a_role_used_directly_is_the_role() {
    let grant =
        format!(r#"{{"Effect": "Allow", "Principal": {{"AWS": "{ROLE}"}}, "Action": "kms:*", "Resource": "*"}}"#);
    let asked = request(ROLE, "kms:Decrypt", key("111122223333"));
    assert_eq!(decide(&asked, Some(&grant), &own(&[], None, None)).outcome, Outcome::Allow);
    assert_eq!(decide(&asked, Some(&grant), &own(&[], Some(OTHER), None)).outcome, Outcome::ImplicitDeny);
}

#[test]
fn an_orphaned_unique_id_matches_that_id_and_never_a_re_created_name() {
    let named = |id: &str| {
        format!(r#"{{"Effect": "Allow", "Principal": {{"AWS": "{id}"}}, "Action": "kms:*", "Resource": "*"}}"#)
    };
    let mut session = request(SESSION, "kms:Decrypt", key("111122223333"));
    session.caller = Arc::new(Caller { user_id: "AROADBQP57FF2AEXAMPLE:nightly".into(), ..(*session.caller).clone() });
    let none = own(&[], None, None);
    assert_eq!(decide(&session, Some(&named("AROADBQP57FF2AEXAMPLE")), &none).outcome, Outcome::Allow);
    assert_eq!(decide(&session, Some(&named("AROADBQP57FF2AANOTHER")), &none).outcome, Outcome::ImplicitDeny);
}

#[test]
fn a_simulation_supplies_only_what_follows_from_principal_and_resource() {
    let mut asked = request(USER, "kms:Decrypt", key("111122223333"));
    let supplied = |asked: &AuthzRequest| -> Vec<&'static str> {
        let keys = [
            "aws:PrincipalArn",
            "aws:PrincipalAccount",
            "aws:PrincipalType",
            "aws:username",
            "aws:ResourceAccount",
            "kms:CallerAccount",
            "aws:CurrentTime",
            "aws:EpochTime",
            "aws:SecureTransport",
            "aws:RequestedRegion",
            "aws:UserAgent",
            "aws:userid",
            "aws:ViaAWSService",
            "aws:PrincipalIsAWSService",
            "kms:KeySpec",
            "aws:ResourceTag/Team",
        ];
        keys.into_iter().filter(|key| asked.value(&ConditionKey::new(key)).is_some()).collect()
    };
    assert_eq!(supplied(&asked).len(), 16);
    asked.supplied = Supplied::Implied { now: true };
    assert_eq!(supplied(&asked).len(), 8);
    asked.supplied = Supplied::Implied { now: false };
    assert_eq!(supplied(&asked).len(), 6);
    asked.operation = vec![("aws:currenttime".into(), ContextValue::Text("2026-01-01T00:00:00Z".into()))];
    assert_eq!(supplied(&asked).len(), 7);
}

#[test]
fn a_clock_that_is_not_supplied_is_absent_and_its_decision_is_kept() {
    let until = r#"{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*",
        "Condition": {"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}}"#;
    let (none, policy) = (own(&[], None, None), attached(DocumentKind::KeyPolicy, until));
    let applicable = Applicable { resource_policy: Some(&policy), ..Applicable::new(&none) };
    let authorizer = Authorizer::new(Settings::default());
    let mut asked = request(USER, "kms:Decrypt", key("111122223333"));
    for (supplied, expected) in [
        (Supplied::All, Outcome::Allow),
        (Supplied::Implied { now: true }, Outcome::Allow),
        (Supplied::Implied { now: false }, Outcome::ImplicitDeny),
        (Supplied::Implied { now: true }, Outcome::Allow),
    ] {
        asked.supplied = supplied;
        assert_eq!(authorizer.decide(&asked, &applicable).outcome, expected, "{supplied:?}");
    }
    assert_eq!(authorizer.counters().uncached.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[test]
fn a_condition_key_that_nobody_can_tell_denies_and_so_does_one_that_is_there_twice() {
    let all = r#"{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}"#;
    let reads = |key: &str| {
        format!(
            r#"{{"Effect": "Allow", "Action": "s3:*", "Resource": "*",
                "Condition": {{"ForAllValues:StringEquals": {{"{key}": "a"}}}}}}"#
        )
    };
    // A time in a string operator is read at every moment: such a decision is not kept.
    let clock = r#"{"Effect": "Allow", "Action": "s3:*", "Resource": "*",
        "Condition": {"StringLike": {"aws:CurrentTime": "20*"}}}"#;
    let bucket = || Resource::Other { arn: "arn:aws:s3:::b".parse().unwrap(), account: None };
    let mut asked = request(USER, "s3:ListBucket", bucket());
    asked.determined = Some(Arc::new(["s3:prefix"].into_iter().map(Arc::from).collect()));
    let decide = |asked: &AuthzRequest, statements: &[&str]| {
        let own = own(statements, None, None);
        let applicable = Applicable::new(&own);
        let authorizer = Authorizer::new(Settings::default());
        let decision = authorizer.decide(asked, &applicable);
        assert_eq!(*decision, authorizer.decide_uncached(asked, &applicable));
        (decision.outcome, decision.message.clone().unwrap_or_default())
    };
    assert_eq!(decide(&asked, &[all]).0, Outcome::Allow);
    assert_eq!(decide(&asked, &[&reads("s3:prefix")]).0, Outcome::Allow);
    for key in ["s3:ExistingObjectTag/a", "aws:ResourceTag/a", "aws:TagKeys"] {
        let (outcome, message) = decide(&asked, &[clock, all, &reads(key)]);
        assert_eq!(outcome, Outcome::ImplicitDeny, "{key}");
        let because =
            format!("because a policy reads the condition key {}, which cannot be determined", key.to_lowercase());
        assert!(message.ends_with(&because), "{message}");
    }
    // An unknown value is found wherever it stands, also where the decision could not be kept.
    asked.determined = None;
    asked.operation = ["a", "b"].map(|value| ("s3:prefix".into(), ContextValue::Text(value.into()))).to_vec();
    let policy = attached(
        DocumentKind::ResourcePolicy,
        r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": {"StringEquals": {"s3:prefix": "b"}}}"#,
    );
    let own = own(&[clock], None, None);
    let applicable = Applicable { resource_policy: Some(&policy), ..Applicable::new(&own) };
    assert_eq!(Authorizer::new(Settings::default()).decide(&asked, &applicable).outcome, Outcome::ImplicitDeny);
}
