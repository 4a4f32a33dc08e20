//! Resource policies of services other than KMS, and trust policies.

use super::*;

const BUCKET: &str = "arn:aws:s3:::orders/a.txt";
const ROLE: &str = "arn:aws:iam::111122223333:role/Deployer";
const OWN: &str = r#"{"Effect": "Allow", "Action": "*", "Resource": "*"}"#;
const EVE: &str = "arn:aws:iam::444455556666:user/eve";

fn object(account: Option<&str>) -> Resource {
    Resource::Other { arn: BUCKET.parse().unwrap(), account: account.map(|account| account.parse().unwrap()) }
}

fn get(principal: &str) -> AuthzRequest {
    request(principal, "s3:GetObject", object(Some("111122223333")))
}

fn allows(principal: &str) -> String {
    format!(r#"{{"Effect": "Allow", "Principal": {principal}, "Action": "s3:*", "Resource": "arn:aws:s3:::orders/*"}}"#)
}

fn under(request: &AuthzRequest, policy: Option<&str>, principal: &PrincipalPolicies) -> Decision {
    let policy = policy.map(|statements| attached(DocumentKind::ResourcePolicy, statements));
    let applicable = Applicable { resource_policy: policy.as_ref(), ..Applicable::new(principal) };
    Authorizer::new(Settings::default()).decide_uncached(request, &applicable)
}

#[test]
fn in_one_account_either_side_is_enough() {
    let user = allows(&format!(r#"{{"AWS": "{USER}"}}"#));
    let account = allows(r#"{"AWS": "111122223333"}"#);
    let everyone = allows(r#""*""#);
    for (policy, own, expected) in [
        (None, own(&[], None, None), Outcome::ImplicitDeny),
        (None, own(&[OWN], None, None), Outcome::Allow),
        (Some(&user), own(&[], None, None), Outcome::Allow),
        (Some(&everyone), own(&[], None, None), Outcome::Allow),
        (Some(&account), own(&[], None, None), Outcome::ImplicitDeny),
        (Some(&account), own(&[OWN], None, None), Outcome::Allow),
        (None, own(&[OWN], Some(OTHER), None), Outcome::Allow),
        (None, own(&[OWN], Some(ALLOWS), None), Outcome::ImplicitDeny),
    ] {
        assert_eq!(under(&get(USER), policy.map(String::as_str), &own).outcome, expected, "{policy:?} {own:?}");
    }
    assert_eq!(under(&get("arn:aws:iam::111122223333:root"), None, &own(&[], None, None)).outcome, Outcome::Allow);
    let unknown_owner = request(USER, "s3:GetObject", object(None));
    assert_eq!(under(&unknown_owner, None, &own(&[OWN], None, None)).outcome, Outcome::Allow);
}

#[test]
fn the_table_of_limits_holds_for_every_class_of_principal() {
    let limited = own(&[], Some(ALLOWS), Some(ALLOWS));
    let by_session = own(&[], None, Some(ALLOWS));
    let role = "arn:aws:iam::111122223333:role/ops/Rotator";
    for (principal, named, own, expected) in [
        (USER, USER, &limited, Outcome::Allow),
        (SESSION, SESSION, &limited, Outcome::Allow),
        (SESSION, "*", &limited, Outcome::Allow),
        (SESSION, role, &limited, Outcome::ImplicitDeny),
        (SESSION, role, &by_session, Outcome::ImplicitDeny),
        (SESSION, role, &own(&[], None, None), Outcome::Allow),
        (SESSION, "111122223333", &own(&[], None, None), Outcome::ImplicitDeny),
    ] {
        let policy = allows(&format!(r#"{{"AWS": "{named}"}}"#));
        assert_eq!(under(&get(principal), Some(&policy), own).outcome, expected, "{principal} {named} {own:?}");
    }
    let federated = "arn:aws:sts::111122223333:federated-user/bob";
    let policy = allows(&format!(r#"{{"AWS": "{federated}"}}"#));
    assert_eq!(under(&get(federated), Some(&policy), &limited).outcome, Outcome::Allow);
}

#[test]
fn the_user_who_federated_is_limited_by_boundary_and_session_policy() {
    let mut asked = get("arn:aws:sts::111122223333:federated-user/bob");
    asked.caller = Arc::new(Caller {
        session: Some(Session { federated_by: Some(USER.parse().unwrap()), ..Session::default() }),
        ..(*asked.caller).clone()
    });
    let granted = allows(&format!(r#"{{"AWS": "{USER}"}}"#));
    let denied = granted.replace("Allow", "Deny");
    let spared = r#"{"Effect": "Deny", "NotPrincipal": {"AWS": "arn:aws:sts::111122223333:federated-user/bob"}, "Action": "s3:*", "Resource": "*"}"#;
    for (policy, own, expected) in [
        (granted.clone(), own(&[], None, None), Outcome::Allow),
        (granted.clone(), own(&[], Some(OTHER), Some(OTHER)), Outcome::Allow),
        (granted.clone(), own(&[], Some(ALLOWS), None), Outcome::ImplicitDeny),
        (granted.clone(), own(&[], None, Some(ALLOWS)), Outcome::ImplicitDeny),
        (denied, own(&[OWN], None, None), Outcome::ExplicitDeny),
        (spared.to_owned(), own(&[OWN], None, None), Outcome::Allow),
    ] {
        assert_eq!(under(&asked, Some(&policy), &own).outcome, expected, "{policy} {own:?}");
    }
    asked.caller = Arc::new(Caller { session: None, ..(*asked.caller).clone() });
    assert_eq!(under(&asked, Some(&granted), &own(&[], None, None)).outcome, Outcome::ImplicitDeny);
}

#[test]
fn across_accounts_both_sides_must_allow() {
    let user = allows(&format!(r#"{{"AWS": "{EVE}"}}"#));
    let account = allows(r#"{"AWS": "444455556666"}"#);
    for (policy, own, expected, layer) in [
        (None, own(&[OWN], None, None), Outcome::ImplicitDeny, Layer::ResourcePolicy),
        (Some(&user), own(&[], None, None), Outcome::ImplicitDeny, Layer::IdentityPolicy),
        (Some(&user), own(&[OWN], None, Some(ALLOWS)), Outcome::ImplicitDeny, Layer::SessionPolicy),
        (Some(&user), own(&[OWN], None, None), Outcome::Allow, Layer::ResourcePolicy),
        (Some(&account), own(&[OWN], None, None), Outcome::Allow, Layer::ResourcePolicy),
    ] {
        let decision = under(&get(EVE), policy.map(String::as_str), &own);
        assert_eq!((decision.outcome, decision.decided_by[0].layer), (expected, layer), "{policy:?} {own:?}");
    }
}

#[test]
fn denials_are_told_in_aws_s_words() {
    let text = |principal: &str, because: &str| {
        format!("User: {principal} is not authorized to perform: s3:GetObject on resource: {BUCKET} {because}")
    };
    let deny = r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}"#;
    for (principal, policy, own, because) in [
        (USER, None, own(&[], None, None), "because no identity-based policy allows the s3:GetObject action"),
        (USER, None, own(&[OWN], Some(ALLOWS), None), "because no permissions boundary allows the s3:GetObject action"),
        (USER, Some(deny), own(&[OWN], None, None), "with an explicit deny in a resource-based policy"),
        (EVE, None, own(&[OWN], None, None), "because no resource-based policy allows the s3:GetObject action"),
        (EVE, Some(deny), own(&[OWN], None, None), "with an explicit deny in a resource-based policy"),
    ] {
        assert_eq!(under(&get(principal), policy, &own).message.unwrap(), text(principal, because));
    }
}

#[test]
fn nobody_assumes_a_role_that_does_not_trust_it() {
    let assume = |principal: &str| {
        request(principal, "sts:AssumeRole", Resource::Other { arn: ROLE.parse().unwrap(), account: None })
    };
    let trusts = |principal: &str| {
        format!(r#"{{"Effect": "Allow", "Principal": {{"AWS": "{principal}"}}, "Action": "sts:AssumeRole"}}"#)
    };
    for (principal, trust, own, expected) in [
        (USER, None, own(&[OWN], None, None), Outcome::ImplicitDeny),
        (USER, Some(trusts(USER)), own(&[], None, None), Outcome::Allow),
        (USER, Some(trusts("111122223333")), own(&[], None, None), Outcome::ImplicitDeny),
        (USER, Some(trusts("111122223333")), own(&[OWN], None, None), Outcome::Allow),
        (EVE, Some(trusts(EVE)), own(&[], None, None), Outcome::ImplicitDeny),
        (EVE, Some(trusts(EVE)), own(&[OWN], None, None), Outcome::Allow),
        (EVE, Some(trusts(USER)), own(&[OWN], None, None), Outcome::ImplicitDeny),
    ] {
        let decision = under(&assume(principal), trust.as_deref(), &own);
        assert_eq!(decision.outcome, expected, "{principal} {trust:?} {own:?}");
    }
    // Other actions on a role are decided as on any resource.
    let read = request(USER, "iam:GetRole", Resource::Other { arn: ROLE.parse().unwrap(), account: None });
    assert_eq!(under(&read, None, &own(&[OWN], None, None)).outcome, Outcome::Allow);
}

#[test]
fn a_service_that_no_catalogue_knows_works_by_its_text() {
    let resource =
        Resource::Other { arn: "arn:aws:nova:us-east-1:111122223333:star/1".parse().unwrap(), account: None };
    let asked = request(USER, "nova:Shine", resource);
    let policy = r#"{"Effect": "Allow", "Action": "nova:Sh*", "Resource": "arn:aws:nova:*:*:star/?"}"#;
    assert_eq!(under(&asked, None, &own(&[policy], None, None)).outcome, Outcome::Allow);
    let resource_policy = r#"{"Effect": "Allow", "Principal": "*", "Action": "nova:*", "Resource": "*"}"#;
    assert_eq!(under(&asked, Some(resource_policy), &own(&[], None, None)).outcome, Outcome::Allow);
    assert_eq!(under(&asked, None, &own(&[ALLOWS], None, None)).outcome, Outcome::ImplicitDeny);
}
