//! The files that say who there is: authorization details, credentials, organisation.

use std::fmt::Display;
use std::sync::Arc;

use keystile::identity::{AuthorizationDetails, parse_credentials, parse_organization};

use super::policy::DICTIONARY;
use super::{files, fuzz, text};

/// What became of it; an error names the file.
fn outcome<T, E: Display>(read: Result<T, E>) -> String {
    let Err(error) = read else { return "read".to_owned() };
    let told = error.to_string();
    assert!(told.contains("the.file"), "names no file: {told}");
    told
}

#[test]
fn authorization_details_are_read_or_refused_with_their_place() {
    let mut corpus = files("fixtures/iam", ".json");
    corpus.extend(files("policies/quick-start/iam", ".json"));
    let mut dictionary = DICTIONARY.to_vec();
    dictionary.extend([
        "UserDetailList",
        "GroupDetailList",
        "RoleDetailList",
        "Policies",
        "UserPolicyList",
        "AttachedManagedPolicies",
        "PolicyVersionList",
        "PolicyDocument",
        "PolicyArn",
        "PermissionsBoundary",
        "AssumeRolePolicyDocument",
        "UserId",
        "Arn",
        "Path",
        "%7B%22",
        "%zz",
        "IsDefaultVersion",
    ]);
    let file: Arc<str> = "the.file".into();
    fuzz("authorization-details", corpus, &dictionary, |input| {
        let Some(text) = text(input) else { return String::new() };
        let read = AuthorizationDetails::parse(&file, text);
        if let Ok(details) = &read {
            let lines = u32::try_from(text.split('\n').count()).unwrap();
            for (_, document) in details.documents() {
                let (line, _) = document.place_in_the_file((1, 1));
                assert!((1..=lines).contains(&line), "{}", document.member());
            }
        }
        outcome(read)
    });
}

#[test]
fn credentials_and_organisations_are_read_or_refused_with_their_place() {
    let corpus = [
        r#"[[access_key]]
id = "AKIAIOSFODNN7EXAMPLE"
secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
principal = "arn:aws:iam::111122223333:user/alice"
[[access_key]]
id = "ASIAIOSFODNN7EXAMPLE"
secret_env = "SECRET"
session_token = "token"
principal = "arn:aws:sts::111122223333:assumed-role/Rotator/nightly"
expires = "2027-01-01T00:00:00Z"
mfa_authenticated_at = "2026-12-31T23:00:00Z"
session_policies = ["session.json"]
session_tags = { team = "security" }
"#,
        r#"[[account]]
id = "111122223333"
management = false
service_control_policies = [["scp/root.json"], ["scp/ou-prod.json"], ["scp/account.json"]]
resource_control_policies = [["rcp/root.json"]]
"#,
    ];
    let corpus = corpus.iter().map(|text| text.as_bytes().to_vec()).collect();
    let dictionary = [
        "[[access_key]]",
        "[[account]]",
        "secret_file",
        "expires",
        "session_tags",
        "= {}",
        "= []",
        "= [[]]",
        "= 1979-05-27T07:32:00Z",
        "management = true",
        "'''",
        "aws_access_key_id",
        "111122223333",
        "444455556666",
    ];
    let file: Arc<str> = "the.file".into();
    fuzz("credentials", corpus, &dictionary, |input| {
        let Some(text) = text(input) else { return String::new() };
        format!("{} {}", outcome(parse_credentials(&file, text)), outcome(parse_organization(&file, text)))
    });
}
