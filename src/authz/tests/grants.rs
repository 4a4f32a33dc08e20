//! What grants allow.

use std::collections::BTreeMap;

use super::*;

const EVE: &str = "arn:aws:iam::444455556666:user/eve";
const ROLE: &str = "arn:aws:iam::111122223333:role/ops/Rotator";

fn grant(grantee: &str, operations: &[&str]) -> Grant {
    Grant {
        id: None,
        grantee: named(grantee),
        retiring: None,
        operations: operations.iter().map(|operation| (*operation).to_owned()).collect(),
        constraints: GrantConstraints::default(),
        issuing_account: "111122223333".parse().unwrap(),
    }
}

fn named(principal: &str) -> GrantPrincipal {
    principal.parse::<crate::aws::Principal>().unwrap().into()
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn under(request: &AuthzRequest, grants: &[Grant], principal: &PrincipalPolicies) -> Decision {
    with_policy(request, grants, principal, "")
}

fn with_policy(request: &AuthzRequest, grants: &[Grant], principal: &PrincipalPolicies, policy: &str) -> Decision {
    let policy = attached(DocumentKind::KeyPolicy, policy);
    let applicable = Applicable { resource_policy: Some(&policy), grants, ..Applicable::new(principal) };
    Authorizer::new(Settings::default()).decide_uncached(request, &applicable)
}

fn decrypt(principal: &str) -> AuthzRequest {
    request(principal, "kms:Decrypt", key("111122223333"))
}

#[test]
fn a_grant_allows_its_operations_to_its_grantee_and_says_so() {
    let grants = [grant(EVE, &["Decrypt"]), grant(USER, &["Encrypt", "Decrypt"])];
    let none = own(&[], None, None);
    let decision = under(&decrypt(USER), &grants, &none);
    assert_eq!(decision.outcome, Outcome::Allow);
    let [by] = &decision.decided_by[..] else { panic!("{:?}", decision.decided_by) };
    assert_eq!((by.layer, by.document, by.statement), (Layer::Grant, Some(1), None));
    for (principal, action) in [(USER, "kms:DescribeKey"), ("arn:aws:iam::111122223333:user/bob", "kms:Decrypt")] {
        let other = request(principal, action, key("111122223333"));
        assert_eq!(under(&other, &grants, &none).outcome, Outcome::ImplicitDeny, "{principal} {action}");
    }
}

#[test]
fn a_grant_covers_grant_operations_only() {
    let grants = [grant(USER, &["EnableKeyRotation"])];
    let asked = request(USER, "kms:EnableKeyRotation", key("111122223333"));
    assert_eq!(under(&asked, &grants, &own(&[], None, None)).outcome, Outcome::ImplicitDeny);
}

#[test]
fn any_deny_overrides_a_grant() {
    let grants = [grant(USER, &["Decrypt"])];
    let deny = r#"{"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"}"#;
    let denied = with_policy(&decrypt(USER), &grants, &own(&[], None, None), deny);
    assert_eq!(denied.outcome, Outcome::ExplicitDeny);
    for own in [own(&[DENIES], None, None), own(&[], Some(DENIES), None), own(&[], None, Some(DENIES))] {
        assert_eq!(under(&decrypt(USER), &grants, &own).outcome, Outcome::ExplicitDeny);
    }
}

#[test]
fn what_limits_a_grant_depends_on_how_it_names_its_grantee() {
    let federated = "arn:aws:sts::111122223333:federated-user/bob";
    let limited = own(&[], Some(OTHER), Some(OTHER));
    for (principal, grantee, own, expected) in [
        (USER, USER, &limited, Outcome::Allow),
        (SESSION, SESSION, &limited, Outcome::Allow),
        (federated, federated, &limited, Outcome::Allow),
        (SESSION, ROLE, &own(&[], None, None), Outcome::Allow),
        (SESSION, ROLE, &own(&[], Some(OTHER), None), Outcome::ImplicitDeny),
        (SESSION, ROLE, &own(&[], None, Some(OTHER)), Outcome::ImplicitDeny),
        (SESSION, "arn:aws:iam::111122223333:role/Rotator", &own(&[], None, None), Outcome::ImplicitDeny),
        (SESSION, "arn:aws:sts::111122223333:assumed-role/Rotator/other", &limited, Outcome::ImplicitDeny),
        (USER, "arn:aws:iam::111122223333:root", &own(&[], None, None), Outcome::ImplicitDeny),
        (USER, "arn:aws:iam::111122223333:root", &own(&[ALLOWS], None, None), Outcome::Allow),
    ] {
        let decision = under(&decrypt(principal), &[grant(grantee, &["Decrypt"])], own);
        assert_eq!(decision.outcome, expected, "{principal} {grantee} {own:?}");
    }
}

#[test]
fn a_service_is_a_grantee_too() {
    let mut asked = decrypt(USER);
    asked.caller = Arc::new(Caller { principal: "s3.amazonaws.com".parse().unwrap(), ..(*asked.caller).clone() });
    let none = own(&[], None, None);
    assert_eq!(under(&asked, &[grant("s3.amazonaws.com", &["Decrypt"])], &none).outcome, Outcome::Allow);
    assert_eq!(under(&asked, &[grant("sqs.amazonaws.com", &["Decrypt"])], &none).outcome, Outcome::ImplicitDeny);
}

#[test]
fn a_grant_binds_the_unique_id_so_that_a_re_created_principal_does_not_match() {
    let of = |principal: &str, id: &str| {
        let grantee = GrantPrincipal { unique_id: Some(id.to_owned()), ..named(principal) };
        Grant { grantee, ..grant(principal, &["Decrypt"]) }
    };
    let none = own(&[], None, None);
    for (principal, grantee) in [(USER, USER), (SESSION, ROLE), (SESSION, SESSION)] {
        let own_id = [of(grantee, "AIDACKCEVSQ6C2EXAMPLE")];
        assert_eq!(under(&decrypt(principal), &own_id, &none).outcome, Outcome::Allow, "{grantee}");
        let other_id = [of(grantee, "AIDACKCEVSQ6C2ANOTHER")];
        assert_eq!(under(&decrypt(principal), &other_id, &none).outcome, Outcome::ImplicitDeny, "{grantee}");
    }
}

#[test]
fn the_encryption_context_is_compared_exactly_or_contained_names_in_their_case() {
    let equals = |context: &[(&str, &str)]| GrantConstraints {
        encryption_context_equals: Some(pairs(context)),
        ..GrantConstraints::default()
    };
    let subset = |context: &[(&str, &str)]| GrantConstraints {
        encryption_context_subset: Some(pairs(context)),
        ..GrantConstraints::default()
    };
    let both = GrantConstraints { encryption_context_subset: Some(pairs(&[("c", "d")])), ..equals(&[("a", "b")]) };
    let none = own(&[], None, None);
    for (constraints, given, expected) in [
        (equals(&[("a", "b")]), Some(pairs(&[("a", "b")])), true),
        (equals(&[("a", "b")]), Some(pairs(&[("a", "b"), ("c", "d")])), false),
        (equals(&[("a", "b")]), Some(pairs(&[("A", "b")])), false),
        (equals(&[("a", "b")]), Some(pairs(&[("a", "B")])), false),
        (equals(&[("a", "b")]), None, false),
        (equals(&[]), None, true),
        (subset(&[("a", "b")]), Some(pairs(&[("a", "b"), ("c", "d")])), true),
        (subset(&[("a", "b")]), Some(pairs(&[("a", "b")])), true),
        (subset(&[("a", "b")]), Some(pairs(&[("c", "d")])), false),
        (subset(&[("a", "b")]), Some(pairs(&[("A", "b")])), false),
        (subset(&[("a", "b")]), None, false),
        (both, Some(pairs(&[("a", "b")])), false),
    ] {
        let grants = [Grant { constraints, ..grant(USER, &["Decrypt", "DescribeKey"]) }];
        let applicable = Applicable { grants: &grants, encryption_context: given.as_ref(), ..Applicable::new(&none) };
        let authorizer = Authorizer::new(Settings::default());
        let allowed = authorizer.decide(&decrypt(USER), &applicable).outcome == Outcome::Allow;
        assert_eq!(allowed, expected, "{:?} {given:?}", grants[0].constraints);
        // The constraint is not one of DescribeKey.
        let describe = request(USER, "kms:DescribeKey", key("111122223333"));
        assert_eq!(authorizer.decide(&describe, &applicable).outcome, Outcome::Allow);
    }
}

#[test]
fn a_source_arn_is_compared_with_the_requests() {
    let source = "arn:aws:s3:::orders";
    let constraints = GrantConstraints { source_arn: Some(source.parse().unwrap()), ..GrantConstraints::default() };
    let grants = [Grant { constraints, ..grant(USER, &["Decrypt"]) }];
    let none = own(&[], None, None);
    let mut asked = decrypt(USER);
    assert_eq!(under(&asked, &grants, &none).outcome, Outcome::ImplicitDeny);
    asked.operation = vec![("aws:sourcearn".into(), crate::aws::ContextValue::Text(source.into()))];
    assert_eq!(under(&asked, &grants, &none).outcome, Outcome::Allow);
}

#[test]
fn across_accounts_the_grantees_own_side_must_allow_unless_its_account_issued_the_grant() {
    let of_key = [grant(EVE, &["Decrypt"])];
    let of_grantee = [Grant { issuing_account: "444455556666".parse().unwrap(), ..grant(EVE, &["Decrypt"]) }];
    for (grants, own, expected) in [
        (&of_key, own(&[ALLOWS], None, None), Outcome::Allow),
        (&of_key, own(&[], None, None), Outcome::ImplicitDeny),
        (&of_key, own(&[ALLOWS], None, Some(OTHER)), Outcome::ImplicitDeny),
        (&of_key, own(&[ALLOWS], Some(OTHER), None), Outcome::ImplicitDeny),
        (&of_grantee, own(&[], None, None), Outcome::Allow),
    ] {
        assert_eq!(under(&decrypt(EVE), grants, &own).outcome, expected, "{own:?}");
    }
    let silent = under(&decrypt(EVE), &of_key, &own(&[], None, None)).message.unwrap();
    assert_eq!(
        silent,
        format!(
            "User: {EVE} is not authorized to perform: kms:Decrypt on this resource because no identity-based policy allows the kms:Decrypt action"
        )
    );
}

#[test]
fn a_grant_is_retired_by_whom_it_names_or_its_account_and_never_by_a_key_policy() {
    let retire = |principal: &str| request(principal, "kms:RetireGrant", key("111122223333"));
    let plain = grant(SESSION, &["Decrypt"]);
    let retiring = |who: &str| Grant { retiring: Some(named(who)), ..plain.clone() };
    let bob = "arn:aws:iam::111122223333:user/bob";
    let everyone = r#"{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}"#;
    let nothing = own(&[], None, None);
    let allowed = own(&[ALLOWS], None, None);
    let constrained = |grant: Grant| Grant {
        constraints: GrantConstraints { encryption_context_equals: Some(pairs(&[("a", "b")])), ..grant.constraints },
        ..grant
    };
    for (principal, grants, own, expected) in [
        (bob, vec![retiring(bob)], &nothing, Outcome::Allow),
        (bob, vec![constrained(retiring(bob))], &nothing, Outcome::Allow),
        (bob, vec![retiring(USER)], &nothing, Outcome::ImplicitDeny),
        (USER, vec![grant(USER, &["RetireGrant"])], &nothing, Outcome::Allow),
        (USER, vec![constrained(grant(USER, &["RetireGrant"]))], &nothing, Outcome::Allow),
        (SESSION, vec![plain.clone()], &nothing, Outcome::ImplicitDeny),
        ("arn:aws:iam::111122223333:root", vec![plain.clone()], &nothing, Outcome::Allow),
        (bob, vec![plain.clone()], &allowed, Outcome::Allow),
        (bob, vec![], &allowed, Outcome::ImplicitDeny),
        (EVE, vec![retiring(EVE)], &nothing, Outcome::ImplicitDeny),
        (EVE, vec![retiring(EVE)], &allowed, Outcome::Allow),
        (EVE, vec![plain.clone()], &allowed, Outcome::ImplicitDeny),
    ] {
        let decision = with_policy(&retire(principal), &grants, own, everyone);
        assert_eq!(decision.outcome, expected, "{principal} {grants:?}");
    }
    let silent = with_policy(&retire(bob), &[], &allowed, everyone);
    assert_eq!(silent.decided_by[0].layer, Layer::Grant);
    assert!(silent.message.unwrap().ends_with("because no grant allows the kms:RetireGrant action"));
}
