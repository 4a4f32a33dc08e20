//! Denials of a running server: explained in the audit log, and to the caller where the operator
//! says so.

use serde_json::json;

use crate::support::{Server, Setup};

const ORGANIZATION: &str = r#"
[[account]]
id = "111122223333"
service_control_policies = [["scp.json"]]
"#;

const ONLY_OVER_TLS: &str = r#"{"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "NotAction": "kms:EnableKeyRotation", "Resource": "*"},
    {"Sid": "Rotate", "Effect": "Allow", "Action": "kms:EnableKeyRotation", "Resource": "*",
     "Condition": {"Bool": {"aws:SecureTransport": "true"}, "StringEquals": {"aws:SourceVpce": "vpce-1"}}}]}"#;

fn server(explain: &str) -> Server {
    Setup::new()
        .config(&format!("[iam]\norganization = \"organization.toml\"\n{explain}"))
        .file("organization.toml", ORGANIZATION)
        .file("scp.json", ONLY_OVER_TLS)
        .start()
}

#[test]
fn a_denial_is_explained_in_the_audit_log_and_in_a_header_where_it_is_asked_for() {
    for (explain, is_told) in [("", false), ("[explain]\nresponse_header = true\n", true)] {
        let server = server(explain);
        let created = server.call("CreateKey", "{}");
        assert_eq!(created.header("x-keystile-explanation"), None);
        let key = created.json()["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned();
        let denied = server.call("EnableKeyRotation", &json!({"KeyId": key}).to_string());
        assert_eq!(denied.json()["__type"], "AccessDeniedException");
        let header = denied.header("x-keystile-explanation").map(str::to_owned);
        assert_eq!(header.is_some(), is_told);
        if let Some(header) = header {
            assert!(
                header.starts_with("implicit_deny; decided by service control policy of level 0; nearest: service control policy 0 of level 0, statement 1 \"Rotate\""),
                "{header}"
            );
            assert!(header.ends_with("read and not given: aws:SourceVpce"), "{header}");
        }
        let record = &server.audit(2)[1]["keystile"];
        assert_eq!(record["missing_context_keys"], json!(["aws:SourceVpce"]));
        assert_eq!(record["near_misses"][0]["sid"], "Rotate");
        assert_eq!(
            record["near_misses"][0]["failed"],
            json!([
                {"element": "Condition", "operator": "Bool", "key": "aws:SecureTransport", "expected": ["true"], "actual": "false"},
                {"element": "Condition", "operator": "StringEquals", "key": "aws:SourceVpce", "expected": ["vpce-1"], "actual": null},
            ])
        );
        assert!(server.audit(2)[0]["keystile"].get("near_misses").is_none());
    }
}
