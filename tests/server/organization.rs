//! The organisation's control policies: enforced, explained, reloaded whole.

use serde_json::json;

use crate::reload::reload;
use crate::support::{Server, Setup};

const ROOT: &str = "arn:aws:iam::111122223333:root";

const ORGANIZATION: &str = r#"
[[account]]
id = "111122223333"
service_control_policies = [["scp/root.json"], ["scp/account.json"]]
resource_control_policies = [["rcp/root.json"]]
"#;

const ALLOWS_ALL: &str =
    r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}"#;

fn deny(action: &str, principal: &str) -> String {
    format!(
        r#"{{"Version": "2012-10-17", "Statement": [
  {{"Sid": "Never", "Effect": "Deny", {principal} "Action": "{action}", "Resource": "*"}}]}}"#
    )
}

fn configured(account: &str) -> Server {
    let root = r#"{"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Sid": "Never", "Effect": "Deny", "Action": "kms:ScheduleKeyDeletion", "Resource": "*"}]}"#;
    Setup::new()
        .config("[iam]\norganization = \"iam/organization.toml\"\n")
        .file("iam/organization.toml", ORGANIZATION)
        .file("iam/scp/root.json", root)
        .file("iam/scp/account.json", account)
        .file("iam/rcp/root.json", &deny("kms:DisableKey", "\"Principal\": \"*\","))
        .start()
}

fn new_key(server: &Server) -> String {
    server.call("CreateKey", "{}").json()["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
}

#[test]
fn control_policies_deny_with_the_texts_that_aws_sends_and_their_level_in_the_audit() {
    let account = r#"{"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "NotAction": "kms:EnableKeyRotation", "Resource": "*"}]}"#;
    let server = configured(account);
    let key = new_key(&server);
    let body = json!({"KeyId": key}).to_string();
    let cases = [
        (
            "ScheduleKeyDeletion",
            "with an explicit deny in a service control policy",
            json!([{"layer": "service_control_policy", "level": 0, "document": 0, "statement": 1, "sid": "Never",
                "file": server.path("iam/scp/root.json"), "line": 3}]),
        ),
        (
            "DisableKey",
            "with an explicit deny in a resource control policy",
            json!([{"layer": "resource_control_policy", "level": 0, "document": 0, "statement": 0, "sid": "Never",
                "file": server.path("iam/rcp/root.json"), "line": 2}]),
        ),
        (
            "EnableKeyRotation",
            "because no service control policy allows the kms:EnableKeyRotation action",
            json!([{"layer": "service_control_policy", "level": 1, "document": null, "statement": null, "sid": null,
                "file": null, "line": null}]),
        ),
    ];
    for (at, (operation, because, decided_by)) in cases.into_iter().enumerate() {
        let denied = server.call(operation, &body);
        assert_eq!(denied.status, 400);
        assert_eq!(
            denied.json(),
            json!({"__type": "AccessDeniedException",
                "Message": format!("User: {ROOT} is not authorized to perform: kms:{operation} on resource: {key} {because}")})
        );
        let records = server.audit(at + 2);
        let record = records.iter().find(|record| record["eventName"] == operation).unwrap();
        assert_eq!(record["keystile"]["decided_by"], decided_by);
    }
    assert_eq!(server.call("DescribeKey", &body).status, 200);
}

#[test]
fn a_reload_changes_the_decision_at_the_next_request_or_nothing_at_all() {
    let server = configured(ALLOWS_ALL);
    let body = json!({"KeyId": new_key(&server)}).to_string();
    let describe = || server.call("DescribeKey", &body).code();
    assert_eq!(describe(), "");
    server.write("iam/scp/account.json", &deny("kms:Describe*", ""));
    assert_eq!(describe(), "", "nothing changes without a reload");
    reload(&server, "keystile_reloads_total ");
    assert_eq!(describe(), "AccessDeniedException");
    server.write("iam/scp/account.json", ALLOWS_ALL);
    reload(&server, "keystile_reloads_total ");
    assert_eq!(describe(), "");

    server.write("iam/scp/account.json", &deny("kms:Describe*", ""));
    server.write(
        "iam/rcp/root.json",
        "{\"Statement\":\n {\"Effect\": \"Allow\", \"Principal\": \"*\", \"Action\": \"kms:*\", \"Resource\": \"*\"}}",
    );
    reload(&server, "keystile_failed_reloads_total ");
    assert_eq!(describe(), "");
    let said = server.said();
    assert!(said.contains("iam/rcp/root.json:2:13: Statement.Effect: a resource control policy only denies"), "{said}");
}

#[test]
fn an_organisation_that_cannot_be_read_does_not_start() {
    let setup = Setup::new().config("[iam]\norganization = \"organization.toml\"\n").file(
        "organization.toml",
        "[[account]]\nid = \"111122223333\"\nservice_control_policies = [[\"none.json\"]]\n",
    );
    let (status, said) = setup.fails();
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("organization.toml:3:30: account[0].service_control_policies[0][0]: "), "{said}");
}

#[test]
fn members_bear_the_organisations_keys() {
    let statement = |sid: &str, action: &str, operator: &str, key: &str, value: &str| {
        json!({"Sid": sid, "Effect": "Deny", "Principal": "*", "Action": action, "Resource": "*",
            "Condition": {operator: {key: value}}})
    };
    let key_policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"},
        statement("Outside", "kms:*", "StringNotEquals", "aws:PrincipalOrgID", "o-a1b2c3d4e5"),
        statement("OtherOwner", "kms:*", "StringNotEquals", "aws:ResourceOrgID", "o-a1b2c3d4e5"),
        statement("Production", "kms:DescribeKey", "ForAnyValue:StringLike", "aws:PrincipalOrgPaths", "o-*/ou-ab12-11111111/*"),
        statement("Owned", "kms:EnableKey", "ForAnyValue:StringLike", "aws:ResourceOrgPaths", "o-*/ou-ab12-11111111/*"),
    ]});
    let organization = |id: &str, path: &str| format!("{id}\n[[account]]\nid = \"111122223333\"\n{path}\n");
    let server = Setup::new()
        .config("[iam]\norganization = \"organization.toml\"\n")
        .file(
            "organization.toml",
            &organization("id = \"o-a1b2c3d4e5\"", "path = \"o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/\""),
        )
        .start();
    let body = json!({"Policy": key_policy.to_string(), "BypassPolicyLockoutSafetyCheck": true}).to_string();
    let key = server.call("CreateKey", &body).json()["KeyMetadata"]["Arn"].as_str().unwrap().to_owned();
    let body = json!({"KeyId": key}).to_string();
    let allowed =
        || ["GetKeyPolicy", "DescribeKey", "EnableKey"].map(|operation| server.call(operation, &body).status == 200);
    assert_eq!(allowed(), [true, false, false], "the path denies");
    server.write("organization.toml", &organization("id = \"o-a1b2c3d4e5\"", "path = \"o-a1b2c3d4e5/r-ab12/\""));
    reload(&server, "keystile_reloads_total ");
    assert_eq!(allowed(), [true, true, true], "another path, at the next request");
    server.write("organization.toml", &organization("", ""));
    reload(&server, "keystile_reloads_total ");
    assert_eq!(allowed(), [false, false, false], "of no organisation");
}
