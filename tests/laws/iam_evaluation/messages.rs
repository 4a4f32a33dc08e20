//! AccessDeniedException texts. That they go out with HTTP 400 and as the member `Message` is told
//! where answers are made (`gateway`).

use keystile::authz::{AttachedDocument, ControlPolicies, Outcome, PrincipalPolicies, Supplied};
use keystile::iam::DocumentKind;
use serde_json::{Value, json};

use super::{
    ACCOUNT, EVE, KEY, SESSION, USER, allow_to, allowing, allows, asked, decrypt, denies, document, message, silent,
    statement,
};
use crate::interpreter::Case;
use crate::library::Library;

const HIDDEN: &str = "on this resource because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access";

fn told(principal: &str, why: &str) -> String {
    format!("User: {principal} is not authorized to perform: kms:Decrypt {why}")
}

fn on_key(why: &str) -> String {
    format!("on resource: {KEY} {why}")
}

#[test]
fn the_key_policy_delegates_and_iam_is_silent() {
    let case = decrypt(USER, &json!({"key_policy": allowing(ACCOUNT)}));
    assert_eq!(message(&case), told(USER, &on_key("because no identity-based policy allows the kms:Decrypt action")));
}

#[test]
fn the_key_policy_neither_grants_nor_delegates() {
    let case = decrypt(USER, &json!({"key_policy": allowing(EVE), "identity_policies": [allows()]}));
    assert_eq!(message(&case), told(USER, &on_key("because no resource-based policy allows the kms:Decrypt action")));
}

#[test]
fn cross_account_or_a_key_that_does_not_exist_for_the_caller() {
    let denied = document(&json!([allow_to("*"), statement("Deny", &json!({"Principal": "*"}))]));
    for (caller, members) in [
        (EVE, json!({"key_policy": allowing(USER), "identity_policies": [allows()]})),
        (EVE, json!({"key_policy": denied, "identity_policies": [allows()]})),
        (EVE, json!({"identity_policies": [allows()], "beyond": {"missing_key": true}})),
        (USER, json!({"beyond": {"missing_key": true}})),
    ] {
        assert_eq!(message(&decrypt(caller, &members)), told(caller, HIDDEN));
    }
}

#[test]
fn cross_account_and_the_callers_side_silent() {
    let case = decrypt(EVE, &json!({"key_policy": allowing(EVE)}));
    assert_eq!(
        message(&case),
        told(EVE, "on this resource because no identity-based policy allows the kms:Decrypt action")
    );
    let session = crate::generate::names::OTHER_SESSION;
    let case = decrypt(
        session,
        &json!({"key_policy": allowing(session), "identity_policies": [allows()], "session_policies": [silent()]}),
    );
    assert_eq!(
        message(&case),
        told(session, "on this resource because no session policy allows the kms:Decrypt action")
    );
}

#[test]
fn explicit_denies_name_the_kind_of_policy() {
    let deny_kms = document(&json!([statement("Deny", &json!({"Principal": "*", "Action": "kms:*"}))]));
    for (name, value, kind) in [
        ("identity_policies", json!([denies()]), "an identity-based policy"),
        ("key_policy", document(&statement("Deny", &json!({"Principal": "*"}))), "a resource-based policy"),
        ("permissions_boundary", denies(), "a permissions boundary"),
        ("session_policies", json!([denies()]), "a session policy"),
        ("service_control_policies", json!([[denies()]]), "a service control policy"),
        ("resource_control_policies", json!([[deny_kms]]), "a resource control policy"),
    ] {
        let mut members = json!({"key_policy": allowing("*")});
        members[name] = value;
        assert_eq!(
            message(&decrypt(SESSION, &members)),
            told(SESSION, &on_key(&format!("with an explicit deny in {kind}")))
        );
    }
}

#[test]
fn implicit_denies_name_the_silent_kind_of_policy() {
    for (name, value, kind) in [
        ("permissions_boundary", silent(), "permissions boundary"),
        ("session_policies", json!([silent()]), "session policy"),
        ("service_control_policies", json!([[silent()]]), "service control policy"),
    ] {
        let mut members = json!({"key_policy": allowing(ACCOUNT), "identity_policies": [allows()]});
        members[name] = value;
        let expected = on_key(&format!("because no {kind} allows the kms:Decrypt action"));
        assert_eq!(message(&decrypt(SESSION, &members)), told(SESSION, &expected));
    }
}

#[test]
fn on_no_resource_it_is_star() {
    let case = asked(USER, "kms:CreateKey", "*", &json!({}));
    let expected = format!(
        "User: {USER} is not authorized to perform: kms:CreateKey on resource: * because no identity-based policy allows the kms:CreateKey action"
    );
    assert_eq!(message(&case), expected);
}

/// The denial of a request by alice where the layer's document bears that ARN.
fn denied_by(layer: &str, arn: Option<&str>) -> String {
    let library = Library::default();
    let question = library
        .question(&Case::from_json(&decrypt(USER, &json!({"key_policy": allowing("*")}))), Supplied::All)
        .unwrap();
    let attached = |kind: DocumentKind, document: &Value| AttachedDocument {
        arn: arn.map(|arn| arn.parse().unwrap()),
        ..library.attached(kind, document).unwrap()
    };
    let only = |name: &str, kind: DocumentKind| (layer == name).then(|| attached(kind, &denies()));
    let own = PrincipalPolicies::new(
        only("identity", DocumentKind::IdentityPolicy).into_iter().collect(),
        only("boundary", DocumentKind::PermissionsBoundary),
        only("session", DocumentKind::SessionPolicy).map(|document| vec![document]),
    );
    let service = only("scp", DocumentKind::ServiceControlPolicy).map(|document| vec![document]);
    let controls = ControlPolicies::new(service.into_iter().collect(), Vec::new(), false);
    let applicable =
        keystile::authz::Applicable { principal: &own, caller_controls: Some(&controls), ..question.applicable() };
    let decision = library.authorizer.decide(&question.request, &applicable);
    assert_eq!(decision.outcome, Outcome::ExplicitDeny);
    decision.message.clone().unwrap()
}

#[test]
fn the_arn_of_a_managed_document_of_the_same_account_or_organisation_follows() {
    let mine = "arn:aws:iam::111122223333:policy/team/Guard";
    for (layer, kind) in [
        ("identity", "an identity-based policy"),
        ("boundary", "a permissions boundary"),
        ("session", "a session policy"),
    ] {
        assert_eq!(
            denied_by(layer, Some(mine)),
            told(USER, &on_key(&format!("with an explicit deny in {kind}: {mine}")))
        );
        assert_eq!(denied_by(layer, None), told(USER, &on_key(&format!("with an explicit deny in {kind}"))), "inline");
    }
    let of_organisation = "arn:aws:organizations::777788889999:policy/o-x/service_control_policy/p-x";
    let expected = on_key(&format!("with an explicit deny in a service control policy: {of_organisation}"));
    assert_eq!(denied_by("scp", Some(of_organisation)), told(USER, &expected));
    assert_eq!(
        denied_by("identity", Some("arn:aws:iam::444455556666:policy/Guard")),
        told(USER, &on_key("with an explicit deny in an identity-based policy")),
        "of another account"
    );
}
