//! Service and resource control policies.

use super::*;

const FULL: &str = r#"{"Effect": "Allow", "Action": "*", "Resource": "*"}"#;
const NO_DECRYPT: &str = r#"{"Sid": "No", "Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*"}"#;
const RCP: &str = r#"{"Sid": "Guard", "Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}"#;
const ROOT: &str = "arn:aws:iam::111122223333:root";
const EVERYONE: &str = r#"{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}"#;

fn levels(kind: DocumentKind, levels: &[&[&str]]) -> Vec<Vec<AttachedDocument>> {
    levels.iter().map(|level| level.iter().map(|statements| attached(kind, statements)).collect()).collect()
}

fn scps(of: &[&[&str]]) -> ControlPolicies {
    ControlPolicies::new(levels(DocumentKind::ServiceControlPolicy, of), Vec::new(), false)
}

fn rcps(of: &[&[&str]]) -> ControlPolicies {
    ControlPolicies::new(Vec::new(), levels(DocumentKind::ResourceControlPolicy, of), false)
}

fn management(controls: &ControlPolicies) -> ControlPolicies {
    ControlPolicies::new(
        controls.service_control_policies().to_vec(),
        controls.resource_control_policies().to_vec(),
        true,
    )
}

/// What is decided where the key policy allows everyone and the caller's own policies everything.
fn under(request: &AuthzRequest, caller: Option<&ControlPolicies>, resource: Option<&ControlPolicies>) -> Decision {
    let principal = if request.caller.is_root_user() { own(&[], None, None) } else { own(&[ALLOWS], None, None) };
    let policy = attached(DocumentKind::KeyPolicy, EVERYONE);
    let applicable = Applicable {
        resource_policy: Some(&policy),
        caller_controls: caller,
        resource_controls: resource,
        ..Applicable::new(&principal)
    };
    Authorizer::new(Settings::default()).decide_uncached(request, &applicable)
}

fn decrypt(principal: &str) -> AuthzRequest {
    request(principal, "kms:Decrypt", key("111122223333"))
}

#[test]
fn service_control_policies_must_allow_at_every_level() {
    for (of, expected) in [
        (&[][..], Outcome::Allow),
        (&[&[FULL][..]], Outcome::Allow),
        (&[&[FULL], &[FULL]], Outcome::Allow),
        (&[&[FULL], &[OTHER, FULL]], Outcome::Allow),
        (&[&[FULL], &[OTHER]], Outcome::ImplicitDeny),
        (&[&[OTHER], &[FULL]], Outcome::ImplicitDeny),
        (&[&[FULL], &[]], Outcome::ImplicitDeny),
        (&[&[FULL, NO_DECRYPT], &[FULL]], Outcome::ExplicitDeny),
        (&[&[OTHER], &[NO_DECRYPT]], Outcome::ExplicitDeny),
    ] {
        let controls = scps(of);
        for principal in [USER, SESSION, ROOT, "arn:aws:sts::111122223333:federated-user/bob"] {
            assert_eq!(under(&decrypt(principal), Some(&controls), None).outcome, expected, "{principal} {of:?}");
        }
    }
}

#[test]
fn a_silent_level_and_a_deny_are_told_with_their_level() {
    let text =
        |because: &str| format!("User: {USER} is not authorized to perform: kms:Decrypt on resource: {KEY} {because}");
    let silent = under(&decrypt(USER), Some(&scps(&[&[FULL], &[FULL], &[OTHER], &[OTHER]])), None);
    assert_eq!(silent.message.unwrap(), text("because no service control policy allows the kms:Decrypt action"));
    let [by] = &silent.decided_by[..] else { panic!("{:?}", silent.decided_by) };
    assert_eq!((by.layer, by.level, by.document, by.statement), (Layer::ServiceControlPolicy, Some(2), None, None));

    let denied = under(&decrypt(USER), Some(&scps(&[&[FULL], &[FULL, NO_DECRYPT]])), None);
    assert_eq!(denied.message.unwrap(), text("with an explicit deny in a service control policy"));
    let [by] = &denied.decided_by[..] else { panic!("{:?}", denied.decided_by) };
    assert_eq!(
        (by.layer, by.level, by.document, by.statement),
        (Layer::ServiceControlPolicy, Some(1), Some(1), Some(0))
    );

    let guarded = under(&decrypt(USER), Some(&scps(&[&[NO_DECRYPT]])), Some(&rcps(&[&[], &[RCP]])));
    assert_eq!(guarded.message.unwrap(), text("with an explicit deny in a resource control policy"));
    let layers: Vec<_> = guarded.decided_by.iter().map(|by| (by.layer, by.level)).collect();
    assert_eq!(layers, [(Layer::ResourceControlPolicy, Some(1)), (Layer::ServiceControlPolicy, Some(0))]);
}

#[test]
fn a_managed_control_policy_that_denies_is_named() {
    let arn = "arn:aws:organizations::999999999999:policy/o-example/service_control_policy/p-example";
    let policy = AttachedDocument {
        arn: Some(arn.parse().unwrap()),
        ..attached(DocumentKind::ServiceControlPolicy, NO_DECRYPT)
    };
    let controls = ControlPolicies::new(vec![vec![policy]], Vec::new(), false);
    let denied = under(&decrypt(USER), Some(&controls), None).message.unwrap();
    assert!(denied.ends_with(&format!("with an explicit deny in a service control policy: {arn}")), "{denied}");
}

#[test]
fn the_management_accounts_principals_and_service_linked_roles_are_exempt_from_service_control_policies() {
    let controls = scps(&[&[OTHER, NO_DECRYPT]]);
    assert_eq!(under(&decrypt(USER), Some(&management(&controls)), None).outcome, Outcome::Allow);
    let session = "arn:aws:sts::111122223333:assumed-role/AWSServiceRoleForBackup/s";
    let mut linked = decrypt(session);
    assert_eq!(under(&linked, Some(&controls), None).outcome, Outcome::ExplicitDeny);
    linked.caller = Arc::new(Caller {
        principal_arn: "arn:aws:iam::111122223333:role/aws-service-role/backup.amazonaws.com/AWSServiceRoleForBackup"
            .parse()
            .unwrap(),
        ..(*linked.caller).clone()
    });
    assert_eq!(under(&linked, Some(&controls), None).outcome, Outcome::Allow);
    assert_eq!(under(&linked, None, Some(&rcps(&[&[RCP]]))).outcome, Outcome::Allow);
}

#[test]
fn resource_control_policies_deny_at_any_level_and_allow_everything_else_by_implication() {
    for (of, expected) in [
        (&[][..], Outcome::Allow),
        (&[&[][..], &[]], Outcome::Allow),
        (&[&[RCP][..]], Outcome::ExplicitDeny),
        (&[&[], &[], &[RCP]], Outcome::ExplicitDeny),
    ] {
        assert_eq!(under(&decrypt(USER), None, Some(&rcps(of))).outcome, expected, "{of:?}");
    }
}

#[test]
fn resource_control_policies_guard_members_resources_against_everyone() {
    let guard = rcps(&[&[RCP]]);
    for principal in [USER, ROOT, SESSION, "arn:aws:iam::444455556666:user/eve"] {
        assert_eq!(under(&decrypt(principal), None, Some(&guard)).outcome, Outcome::ExplicitDeny, "{principal}");
    }
    let mut service = decrypt(USER);
    service.caller = Arc::new(Caller { principal: "s3.amazonaws.com".parse().unwrap(), ..(*service.caller).clone() });
    assert_eq!(under(&service, None, Some(&guard)).outcome, Outcome::ExplicitDeny);
    // The management account's principals are not exempt on members' resources.
    assert_eq!(under(&decrypt(USER), Some(&management(&scps(&[]))), Some(&guard)).outcome, Outcome::ExplicitDeny);
}

#[test]
fn the_management_accounts_resources_and_aws_managed_keys_and_retire_grant_are_exempt_from_resource_control_policies() {
    let every = rcps(&[&[r#"{"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"}"#]]);
    assert_eq!(under(&decrypt(USER), None, Some(&management(&every))).outcome, Outcome::Allow);
    let mut managed = decrypt(USER);
    let Resource::Key { attributes, .. } = &mut managed.resource else { unreachable!() };
    Arc::make_mut(attributes).aliases.push("alias/aws/s3".to_owned());
    assert_eq!(under(&managed, None, Some(&every)).outcome, Outcome::Allow);
    let retire = request(USER, "kms:RetireGrant", key("111122223333"));
    assert_eq!(under(&retire, None, Some(&every)).outcome, Outcome::ImplicitDeny);
}

#[test]
fn another_accounts_guard_does_not_tell_of_its_key() {
    let eve = decrypt("arn:aws:iam::444455556666:user/eve");
    let text = under(&eve, None, Some(&rcps(&[&[RCP]]))).message.unwrap();
    assert!(text.ends_with("on this resource with an explicit deny in a resource control policy"), "{text}");
}

#[test]
fn a_service_control_policy_limits_what_a_grant_and_a_resource_policy_allow() {
    let controls = scps(&[&[OTHER]]);
    let grants = [Grant {
        id: None,
        grantee: USER.parse::<crate::aws::Principal>().unwrap().into(),
        retiring: None,
        operations: vec!["Decrypt".to_owned()],
        constraints: GrantConstraints::default(),
        issuing_account: "111122223333".parse().unwrap(),
    }];
    let principal = own(&[], None, None);
    let with = |caller_controls| Applicable { grants: &grants, caller_controls, ..Applicable::new(&principal) };
    let authorizer = Authorizer::new(Settings::default());
    assert_eq!(authorizer.decide(&decrypt(USER), &with(None)).outcome, Outcome::Allow);
    assert_eq!(authorizer.decide(&decrypt(USER), &with(Some(&controls))).outcome, Outcome::ImplicitDeny);
}

#[test]
fn the_organisation_knows_the_controls_of_both_accounts() {
    let accounts = [("111122223333", rcps(&[&[RCP]])), ("444455556666", scps(&[&[OTHER]]))];
    let organization =
        Organization::new(accounts.into_iter().map(|(id, controls)| (id.parse().unwrap(), controls)).collect());
    let principal = own(&[], None, None);
    let within = |request: &AuthzRequest| {
        let applicable = Applicable::new(&principal).within(Some(&organization), request);
        let of =
            |controls: Option<&ControlPolicies>| controls.map(|controls| controls.service_control_policies().len());
        (of(applicable.caller_controls), of(applicable.resource_controls))
    };
    assert_eq!(within(&decrypt("arn:aws:iam::444455556666:user/eve")), (Some(1), Some(0)));
    assert_eq!(within(&decrypt("arn:aws:iam::777788889999:user/mallory")), (None, Some(0)));
    assert_eq!(within(&request(USER, "kms:CreateKey", Resource::None)), (Some(0), Some(0)));
}

#[test]
fn the_lock_out_check_reads_the_control_policies_too() {
    let only_decrypt = scps(&[&[r#"{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}"#]]);
    let organization = Arc::new(Organization::new([("111122223333".parse().unwrap(), only_decrypt)].into()));
    let check = || Check {
        request: decrypt(USER),
        resource_policy: Some(attached(DocumentKind::KeyPolicy, EVERYONE)),
        grants: Vec::new(),
        encryption_context: None,
        cross_account: true,
        through_ciphertext: false,
    };
    let authorizer = Authorizer::new(Settings::default());
    let principal = Arc::new(own(&[ALLOWS], None, None));
    let put = crate::aws::ActionName::of("kms:PutKeyPolicy");
    for (organization, expected) in [(None, true), (Some(&organization), false)] {
        let permit = authorizer.authorize(Two([check(), check()]), &principal, organization).unwrap();
        let policy = document(DocumentKind::KeyPolicy, EVERYONE);
        assert_eq!(permit.would_still_allow(&authorizer, put.clone(), &policy), expected);
    }
}
