//! The flow.

use keystile::authz::{Applicable, AuthzRequest, Outcome, PrincipalPolicies, Supplied};
use keystile::iam::{Document, DocumentKind};
use serde_json::{Value, json};

use super::{
    ACCOUNT, EVE, KEY, SESSION, USER, allow_to, allowing, allows, asked, decrypt, denies, document, expect, silent,
    statement,
};
use crate::generate::names::{FEDERATED, ROOT, SERVICE_LINKED, SERVICE_LINKED_SESSION};
use crate::interpreter::Case;
use crate::library::Library;

fn denies_everyone() -> Value {
    document(&json!([statement("Deny", &json!({"Principal": "*", "Action": "kms:*"})),]))
}

/// A session that every layer allows.
fn all_allow() -> Value {
    json!({
        "key_policy": allowing("*"), "identity_policies": [allows()], "permissions_boundary": allows(),
        "session_policies": [allows()], "service_control_policies": [[allows()]], "resource_control_policies": [[]],
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut members = all_allow();
    members[name] = value;
    decrypt(SESSION, &members)
}

#[test]
fn an_explicit_deny_anywhere_denies() {
    expect(&decrypt(SESSION, &all_allow()), "allow");
    let deny_to_all = document(&json!([allow_to("*"), statement("Deny", &json!({"Principal": "*"}))]));
    for (name, value, layer) in [
        ("resource_control_policies", json!([[denies_everyone()]]), "resource_control_policy"),
        ("service_control_policies", json!([[allows(), denies()]]), "service_control_policy"),
        ("key_policy", deny_to_all, "key_policy"),
        ("identity_policies", json!([allows(), denies()]), "identity_policy"),
        ("permissions_boundary", denies(), "permissions_boundary"),
        ("session_policies", json!([allows(), denies()]), "session_policy"),
    ] {
        expect(&with(name, value), &format!("explicit_deny {layer}"));
    }
}

#[test]
fn who_signs_may_ask_who_it_is_whatever_policies_deny() {
    let denied = json!({"identity_policies": [denies()], "permissions_boundary": denies(), "session_policies": [denies()],
        "service_control_policies": [[denies()]]});
    for caller in [USER, SESSION, FEDERATED, ROOT] {
        for action in ["sts:GetCallerIdentity", "STS:getcalleridentity", "sts:GetSessionToken"] {
            assert_eq!(super::decided(&asked(caller, action, "*", &denied)).outcome, Outcome::Allow, "{caller}");
        }
    }
    expect(&asked("anonymous", "sts:GetCallerIdentity", "*", &json!({})), "implicit_deny identity_policy");
}

#[test]
fn layers_decide_in_their_order() {
    // Each layer in turn is silent, and so is every later one: the first is told.
    let order = [
        ("service_control_policies", json!([[silent()]]), "service_control_policy"),
        ("identity_policies", json!([]), "identity_policy"),
        ("permissions_boundary", silent(), "permissions_boundary"),
        ("session_policies", json!([silent()]), "session_policy"),
    ];
    for first in 0..order.len() {
        let mut members = all_allow();
        members["key_policy"] = allowing(ACCOUNT);
        for (name, value, _) in &order[first..] {
            members[*name] = value.clone();
        }
        expect(&decrypt(SESSION, &members), &format!("implicit_deny {}", order[first].2));
    }
    // And each layer in turn denies, and so does every later one.
    let order = [
        ("resource_control_policies", json!([[denies_everyone()]]), "resource_control_policy"),
        ("service_control_policies", json!([[denies()]]), "service_control_policy"),
        ("key_policy", document(&statement("Deny", &json!({"Principal": "*"}))), "key_policy"),
        ("identity_policies", json!([denies()]), "identity_policy"),
        ("permissions_boundary", denies(), "permissions_boundary"),
        ("session_policies", json!([denies()]), "session_policy"),
    ];
    for first in 0..order.len() {
        let mut members = all_allow();
        for (name, value, _) in &order[first..] {
            members[*name] = value.clone();
        }
        expect(&decrypt(SESSION, &members), &format!("explicit_deny {}", order[first].2));
    }
}

#[test]
fn an_explicit_deny_comes_before_a_silent_layer_that_stands_before_it() {
    let members = json!({"service_control_policies": [[silent()]], "identity_policies": [denies()], "key_policy": allowing(USER)});
    expect(&decrypt(USER, &members), "explicit_deny identity_policy");
}

#[test]
fn service_control_policies_must_allow_at_every_level_from_root_to_account() {
    for (levels, expected) in [
        (json!([]), "allow"),
        (json!([[allows()], [allows()], [allows()]]), "allow"),
        (json!([[silent(), allows()], [allows()]]), "allow"),
        (json!([[allows()], [silent()], [allows()]]), "implicit_deny service_control_policy"),
        (json!([[silent()], [allows()], [allows()]]), "implicit_deny service_control_policy"),
        (json!([[allows()], [allows()], []]), "implicit_deny service_control_policy"),
        (json!([[allows()], [allows(), denies()]]), "explicit_deny service_control_policy"),
    ] {
        // Even what a key policy grants directly is limited.
        expect(&decrypt(USER, &json!({"key_policy": allowing(USER), "service_control_policies": levels})), expected);
    }
}

#[test]
fn the_silent_level_is_told() {
    let members =
        json!({"key_policy": allowing(USER), "service_control_policies": [[allows()], [allows()], [silent()]]});
    let decision = super::decided(&decrypt(USER, &members));
    assert_eq!((decision.decided_by[0].level, decision.decided_by[0].statement), (Some(2), None));
}

#[test]
fn service_control_policies_limit_users_sessions_and_the_root_user() {
    for caller in [USER, SESSION, FEDERATED, ROOT] {
        let members = json!({"key_policy": allowing("*"), "service_control_policies": [[silent()]]});
        expect(&decrypt(caller, &members), "implicit_deny service_control_policy");
    }
}

#[test]
fn principals_of_the_management_account_and_service_linked_roles_are_exempt_from_them() {
    let members = |beyond: Value| json!({"key_policy": allowing("*"), "service_control_policies": [[denies()]], "beyond": beyond});
    expect(&decrypt(USER, &members(json!({}))), "explicit_deny service_control_policy");
    expect(&decrypt(USER, &members(json!({"caller_in_management": true}))), "allow");
    let mut service_linked = decrypt(SERVICE_LINKED_SESSION, &members(json!({})));
    service_linked["role_arn"] = json!(SERVICE_LINKED);
    expect(&service_linked, "allow");
}

#[test]
fn service_control_policies_are_those_of_the_callers_account_resource_control_policies_of_the_resources() {
    // Across accounts: both hold, each for its own side.
    let members = |service: Value, resource: Value| {
        json!({"key_policy": allowing(EVE), "identity_policies": [allows()],
            "service_control_policies": service, "resource_control_policies": resource})
    };
    expect(&decrypt(EVE, &members(json!([]), json!([]))), "allow");
    expect(&decrypt(EVE, &members(json!([[silent()]]), json!([]))), "implicit_deny service_control_policy");
    expect(&decrypt(EVE, &members(json!([]), json!([[denies_everyone()]]))), "explicit_deny resource_control_policy");
}

#[test]
fn resource_control_policies_deny_only_and_full_access_is_implied_at_every_level() {
    for (levels, expected) in [
        (json!([[]]), "allow"),
        (json!([[], [], []]), "allow"),
        (json!([[], [denies_everyone()]]), "explicit_deny resource_control_policy"),
        (json!([[denies_everyone()], []]), "explicit_deny resource_control_policy"),
    ] {
        expect(&decrypt(USER, &json!({"key_policy": allowing(USER), "resource_control_policies": levels})), expected);
    }
}

#[test]
fn resource_control_policies_bind_everyone_who_asks() {
    for caller in [USER, SESSION, FEDERATED, ROOT, EVE, "s3.amazonaws.com"] {
        let members = json!({"key_policy": allowing("*"), "resource_control_policies": [[denies_everyone()]]});
        expect(&decrypt(caller, &members), "explicit_deny resource_control_policy");
    }
}

#[test]
fn resources_in_the_management_account_are_exempt_and_its_principals_are_not_on_members_resources() {
    let members = |beyond: Value| json!({"key_policy": allowing("*"), "resource_control_policies": [[denies_everyone()]], "beyond": beyond});
    expect(&decrypt(USER, &members(json!({"resource_in_management": true}))), "allow");
    expect(&decrypt(USER, &members(json!({"caller_in_management": true}))), "explicit_deny resource_control_policy");
}

#[test]
fn aws_managed_keys_are_exempt_from_resource_control_policies() {
    let library = Library::default();
    for (alias, expected) in [("alias/aws/s3", Outcome::Allow), ("alias/app", Outcome::ExplicitDeny)] {
        let case = Case::from_json(&decrypt(
            USER,
            &json!({"key_policy": allowing("*"), "resource_control_policies": [[denies_everyone()]]}),
        ));
        let mut question = library.question(&case, Supplied::All).unwrap();
        let keystile::authz::Resource::Key { attributes, .. } = &mut question.request.resource else { panic!("a key") };
        std::sync::Arc::make_mut(attributes).aliases.push(alias.to_owned());
        assert_eq!(library.decide(&question).unwrap().outcome, expected, "{alias}");
    }
}

#[test]
fn retire_grant_is_exempt_from_resource_control_policies() {
    let members = json!({"key_policy": allowing("*"), "resource_control_policies": [[denies_everyone()]],
        "grants": [{"GranteePrincipal": USER, "Operations": ["RetireGrant", "Decrypt"]}]});
    expect(&asked(USER, "kms:RetireGrant", KEY, &members), "allow grant");
    expect(&decrypt(USER, &members), "explicit_deny resource_control_policy");
}

#[test]
fn resource_control_policies_are_refused_when_stored_with() {
    let good = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"});
    let is_stored = |name: &str, value: Value| {
        let mut statement = good.clone();
        let members = statement.as_object_mut().unwrap();
        for (mine, other) in [("NotAction", "Action"), ("NotPrincipal", "Principal")] {
            if name == mine {
                members.remove(other);
            }
        }
        members.insert(name.to_owned(), value);
        Document::parse(&document(&statement).to_string(), DocumentKind::ResourceControlPolicy).is_ok()
    };
    assert!(is_stored("Principal", json!("*")) && is_stored("Principal", json!({"AWS": "*"})));
    assert!(!is_stored("Effect", json!("Allow")), "Allow");
    assert!(!is_stored("Action", json!("*")), "Action *");
    assert!(!is_stored("NotAction", json!("s3:GetObject")), "NotAction");
    assert!(!is_stored("NotPrincipal", json!({"AWS": USER})), "NotPrincipal");
    for principal in [
        json!({"AWS": USER}),
        json!({"AWS": ACCOUNT}),
        json!({"Service": "s3.amazonaws.com"}),
        json!({"AWS": ["*", USER]}),
    ] {
        assert!(!is_stored("Principal", principal.clone()), "{principal}");
    }
}

#[test]
fn any_internal_error_closes() {
    // A condition key that the request gives twice has no right value.
    let library = Library::default();
    let when = json!({"Principal": "*", "Condition": {"StringEquals": {"k:key": "a"}}});
    let case = Case::from_json(&decrypt(
        USER,
        &json!({"key_policy": document(&statement("Allow", &when)), "context": {"k:key": "a"}}),
    ));
    let mut question = library.question(&case, Supplied::All).unwrap();
    assert_eq!(library.decide(&question).unwrap().outcome, Outcome::Allow);
    let again = question.request.operation[0].clone();
    question.request.operation.push(again);
    assert_eq!(library.decide(&question).unwrap().outcome, Outcome::ImplicitDeny);
}

#[test]
fn without_any_policy_nothing_is_allowed() {
    let library = Library::default();
    for (caller, action, resource) in [
        (USER, "kms:Decrypt", KEY),
        (USER, "s3:GetObject", "arn:aws:s3:::b/x"),
        ("anonymous", "s3:GetObject", "arn:aws:s3:::b/x"),
    ] {
        let question =
            library.question(&Case::from_json(&asked(caller, action, resource, &json!({}))), Supplied::All).unwrap();
        let none = PrincipalPolicies::default();
        let decide =
            |request: &AuthzRequest| library.authorizer.decide_uncached(request, &Applicable::new(&none)).outcome;
        assert_eq!(decide(&question.request), Outcome::ImplicitDeny);
    }
}
