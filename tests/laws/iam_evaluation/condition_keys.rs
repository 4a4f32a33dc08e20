//! The condition keys: their types, and which the gateway supplies when.

use std::sync::Arc;

use keystile::authz::{AuthzRequest, Supplied};
use keystile::aws::{ConditionKey, KeyType, Session, Surroundings, catalogue};
use serde_json::json;

use super::{EVE, SESSION, USER, decrypt};
use crate::generate::names::{FEDERATED, ROOT};
use crate::interpreter::Case;
use crate::library::Library;

#[test]
fn the_kms_keys_are_cataloged_with_their_types_and_the_multivalued_ones_as_such() {
    use KeyType::{Arn, Bool, Date, Numeric};
    let text = [
        "CallerAccount",
        "ViaService",
        "KeyOrigin",
        "KeySpec",
        "KeyUsage",
        "MultiRegionKeyType",
        "CustomerMasterKeySpec",
        "CustomerMasterKeyUsage",
        "EncryptionAlgorithm",
        "EncryptionContext:Dept",
        "GranteePrincipal",
        "RetiringPrincipal",
        "GranteeServicePrincipal",
        "RetiringServicePrincipal",
        "GrantConstraintType",
        "RequestAlias",
        "SigningAlgorithm",
        "MessageType",
        "MacAlgorithm",
        "KeyAgreementAlgorithm",
        "DataKeyPairSpec",
        "ExpirationModel",
        "WrappingAlgorithm",
        "WrappingKeySpec",
        "ReplicaRegion",
        "PrimaryRegion",
        "RecipientAttestation:ImageSha384",
        "RecipientAttestation:PCR0",
        "RecipientAttestation:PCR31",
        "RecipientAttestation:NitroTPMPCR23",
    ];
    let typed = [
        ("MultiRegion", Bool),
        ("RotationPeriodInDays", Numeric),
        ("BypassPolicyLockoutSafetyCheck", Bool),
        ("GrantConstraintSourceArn", Arn),
        ("GrantIsForAWSResource", Bool),
        ("ReEncryptOnSameKey", Bool),
        ("ValidTo", Date),
        ("ScheduleKeyDeletionPendingWindowInDays", Numeric),
        ("TrailingDaysWithoutKeyUsage", Numeric),
    ];
    let info = |name: &str| {
        let name = format!("kms:{name}").to_lowercase();
        catalogue::condition_key(&name).unwrap_or_else(|| panic!("{name} is not cataloged"))
    };
    for name in text {
        assert_eq!((info(name).key_type, info(name).multivalued), (KeyType::String, false), "{name}");
    }
    for (name, key_type) in typed {
        assert_eq!((info(name).key_type, info(name).multivalued), (key_type, false), "{name}");
    }
    for name in ["ResourceAliases", "EncryptionContextKeys", "GrantOperations"] {
        assert_eq!((info(name).key_type, info(name).multivalued), (KeyType::String, true), "{name}");
    }
}

/// A signed request over HTTP by that caller.
fn request(caller: &str) -> AuthzRequest {
    let mut request =
        Library::default().question(&Case::from_json(&decrypt(caller, &json!({}))), Supplied::All).unwrap().request;
    request.surroundings = Arc::new(Surroundings {
        source_ip: Some("203.0.113.7".parse().unwrap()),
        user_agent: Some("aws-cli".to_owned()),
        ..(*request.surroundings).clone()
    });
    request
}

fn text(request: &AuthzRequest, key: &str) -> Option<String> {
    request.value(&ConditionKey::new(key)).map(|value| value.texts().join(","))
}

#[test]
fn always_present() {
    for caller in [USER, SESSION, FEDERATED, ROOT, EVE, "s3.amazonaws.com"] {
        let request = request(caller);
        for key in [
            "aws:CurrentTime",
            "aws:EpochTime",
            "aws:SecureTransport",
            "aws:RequestedRegion",
            "aws:UserAgent",
            "aws:ViaAWSService",
            "aws:PrincipalType",
            "aws:userid",
            "aws:ResourceAccount",
        ] {
            assert!(text(&request, key).is_some(), "{key} of {caller}");
        }
        assert!(text(&request, "aws:PrincipalAccount").is_some() || caller == "s3.amazonaws.com", "{caller}");
    }
}

#[test]
fn in_every_signed_request_the_principals_arn_the_roles_for_a_session() {
    for (caller, arn) in [(USER, USER), (SESSION, super::ROLE), (FEDERATED, FEDERATED), (ROOT, ROOT)] {
        let request = request(caller);
        assert_eq!(text(&request, "aws:PrincipalArn").as_deref(), Some(arn));
        assert_eq!(text(&request, "aws:PrincipalIsAWSService").as_deref(), Some("false"));
    }
}

#[test]
fn for_temporary_credentials_only_token_issue_time_and_multi_factor_auth_present() {
    let user = request(USER);
    assert_eq!(text(&user, "aws:TokenIssueTime"), None);
    assert_eq!(text(&user, "aws:MultiFactorAuthPresent"), None, "absent for long-term keys");
    let with = |session: Session| {
        let mut request = request(SESSION);
        let caller = keystile::aws::Caller { session: Some(session), ..(*request.caller).clone() };
        request.caller = Arc::new(caller);
        request
    };
    let issued = with(Session { issued_at: Some("2024-05-05T00:00:00Z".parse().unwrap()), ..Session::default() });
    assert_eq!(text(&issued, "aws:TokenIssueTime").as_deref(), Some("2024-05-05T00:00:00Z"));
    assert_eq!(text(&issued, "aws:MultiFactorAuthPresent").as_deref(), Some("false"));
    assert_eq!(text(&issued, "aws:MultiFactorAuthAge"), None, "only with MFA");
    let proved =
        with(Session { mfa_authenticated_at: Some("2024-05-05T23:59:00Z".parse().unwrap()), ..Session::default() });
    assert_eq!(text(&proved, "aws:MultiFactorAuthPresent").as_deref(), Some("true"));
    assert_eq!(text(&proved, "aws:MultiFactorAuthAge").as_deref(), Some("60"));
}

#[test]
fn the_user_name_is_of_iam_users_only() {
    for (caller, name) in [(USER, Some("alice")), (SESSION, None), (FEDERATED, None), (ROOT, None)] {
        assert_eq!(text(&request(caller), "aws:username").as_deref(), name, "{caller}");
    }
}

#[test]
fn the_source_address_is_there_unless_through_a_vpc_endpoint() {
    let mut request = request(USER);
    assert_eq!(text(&request, "aws:SourceIp").as_deref(), Some("203.0.113.7"));
    request.surroundings = Arc::new(Surroundings { source_ip: None, ..(*request.surroundings).clone() });
    assert_eq!(text(&request, "aws:SourceIp"), None);
}

#[test]
fn only_where_set_tags_source_identity_federated_provider_and_referer() {
    let mut request = request(SESSION);
    for key in [
        "aws:PrincipalTag/Team",
        "aws:ResourceTag/Dept",
        "aws:SourceIdentity",
        "aws:FederatedProvider",
        "aws:Referer",
        "aws:SourceArn",
        "aws:CalledVia",
    ] {
        assert_eq!(text(&request, key), None, "{key}");
    }
    let mut caller = (*request.caller).clone();
    caller.tags = vec![("Team".to_owned(), "security".to_owned())];
    caller.session = Some(Session {
        source_identity: Some("carol".to_owned()),
        federated_provider: Some("cognito-identity.amazonaws.com".to_owned()),
        ..Session::default()
    });
    request.caller = Arc::new(caller);
    request.surroundings =
        Arc::new(Surroundings { referer: Some("https://example.com".to_owned()), ..(*request.surroundings).clone() });
    for (key, value) in [
        ("aws:principaltag/team", "security"),
        ("aws:SourceIdentity", "carol"),
        ("aws:FederatedProvider", "cognito-identity.amazonaws.com"),
        ("aws:Referer", "https://example.com"),
    ] {
        assert_eq!(text(&request, key).as_deref(), Some(value), "{key}");
    }
}

#[test]
fn a_simulated_request_has_only_what_is_given_and_what_follows_from_principal_and_resource() {
    let mut request = request(USER);
    request.supplied = Supplied::Implied { now: false };
    for key in [
        "aws:SecureTransport",
        "aws:SourceIp",
        "aws:UserAgent",
        "aws:RequestedRegion",
        "aws:CurrentTime",
        "aws:EpochTime",
        "aws:userid",
        "kms:KeySpec",
    ] {
        assert_eq!(text(&request, key), None, "{key}");
    }
    for key in [
        "aws:PrincipalArn",
        "aws:PrincipalAccount",
        "aws:PrincipalType",
        "aws:username",
        "aws:ResourceAccount",
        "kms:CallerAccount",
    ] {
        assert!(text(&request, key).is_some(), "{key}");
    }
    request.supplied = Supplied::Implied { now: true };
    assert!(text(&request, "aws:CurrentTime").is_some() && text(&request, "aws:EpochTime").is_some());
}
