use serde_json::{Value, json};

use crate::raw::{Request, Signer};
use crate::support::{Server, Setup, keystile};

const NIGHTLY: &str = r#"
[[access_key]]
id = "ASIANIGHTLY000000001"
secret = "nightly-secret-nightly-secret-nightly-01"
session_token = "nightly-token"
principal = "arn:aws:sts::111122223333:assumed-role/Rotator/nightly"
expires = "2999-01-01T00:00:00Z"
"#;

fn create_key(server: &Server) -> String {
    server.call("CreateKey", "{}").json()["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
}

#[test]
fn allowed_denied_and_unauthenticated_requests_are_recorded_alike() {
    let server =
        Setup::new().config("[iam]\ncredentials = [\"credentials.toml\"]\n").file("credentials.toml", NIGHTLY).start();
    let arn = create_key(&server);
    let body = format!("{{\"KeyId\":\"{arn}\"}}");
    let nightly = Signer::new("ASIANIGHTLY000000001", "nightly-secret-nightly-secret-nightly-01");
    let denied = Request::aws(server.gateway, "GetKeyRotationStatus", &body)
        .header("X-Amz-Security-Token", "nightly-token")
        .signed(&nightly)
        .send(server.gateway);
    assert_eq!(denied.code(), "AccessDeniedException", "{}", denied.text());
    let stranger = Signer::new("AKIASTRANGER", "x");
    let refused = Request::aws(server.gateway, "ListKeys", "{}").signed(&stranger).send(server.gateway);
    assert_eq!(refused.code(), "UnrecognizedClientException");

    let records = server.audit(3);
    let [created, denial, unknown] = &records[..] else { panic!("{records:?}") };
    assert_eq!(created["eventName"], "CreateKey");
    assert_eq!(created["userIdentity"]["type"], "Root");
    assert_eq!(created["userIdentity"]["accountId"], "111122223333");
    assert_eq!(created["readOnly"], false);
    assert_eq!(created["resources"][0]["ARN"], arn.as_str());
    assert_eq!(created["responseElements"]["keyMetadata"]["arn"], arn.as_str());
    assert_eq!(created["keystile"]["decision"], "allow");
    assert_eq!(created["awsRegion"], "us-east-1");
    assert_eq!(created["sourceIPAddress"], "127.0.0.1");
    assert_eq!(created["eventType"], "AwsApiCall");

    assert_eq!(denial["errorCode"], "AccessDenied");
    assert_eq!(denial["userIdentity"]["type"], "AssumedRole");
    assert_eq!(denial["userIdentity"]["sessionContext"]["sessionIssuer"]["userName"], "Rotator");
    assert_eq!(denial["keystile"]["decision"], "implicit_deny");
    assert_eq!(denial["requestParameters"]["keyId"], arn.as_str());
    assert_eq!(denial["requestID"].as_str(), denied.header("x-amzn-requestid"));
    assert_eq!(denial["readOnly"], true);

    assert_eq!(unknown["errorCode"], "UnrecognizedClientException");
    assert_eq!(unknown["userIdentity"], json!({"type": "Unknown", "accessKeyId": "AKIASTRANGER"}));
    assert_eq!(unknown["keystile"], json!({"decision": null, "decided_by": []}));
    let text = std::fs::read_to_string(server.path("data/audit.jsonl")).unwrap();
    assert!(!text.contains("nightly-token") && !text.contains("nightly-secret"));
}

#[test]
fn the_record_of_a_mutation_is_in_the_file_before_its_answer() {
    let server = Server::start();
    for count in 1..=5 {
        create_key(&server);
        let text = std::fs::read_to_string(server.path("data/audit.jsonl")).unwrap();
        assert_eq!(text.lines().filter(|line| line.contains("\"CreateKey\"")).count(), count);
    }
}

#[test]
fn plaintext_and_key_material_are_not_recorded() {
    let server = Server::start();
    let arn = create_key(&server);
    let plaintext = "dGhlIHNlY3JldCBvZiB0aGUgdGVzdA==";
    let body = format!(r#"{{"KeyId":"{arn}","Plaintext":"{plaintext}","EncryptionContext":{{"Tenant":"blue"}}}}"#);
    let sealed = server.call("Encrypt", &body).json()["CiphertextBlob"].as_str().unwrap().to_owned();
    let body = format!(r#"{{"CiphertextBlob":"{sealed}","EncryptionContext":{{"Tenant":"blue"}}}}"#);
    assert_eq!(server.call("Decrypt", &body).json()["Plaintext"], plaintext);
    let data_key = server.call("GenerateDataKey", &format!(r#"{{"KeyId":"{arn}","KeySpec":"AES_256"}}"#)).json();
    let records = server.audit(4);
    assert_eq!(records[2]["requestParameters"]["encryptionContext"]["Tenant"], "blue");
    let text = serde_json::to_string(&records).unwrap();
    assert!(!text.contains(plaintext) && !text.contains(data_key["Plaintext"].as_str().unwrap()));
}

#[test]
fn every_rotation_is_recorded_once_as_a_service_event() {
    let server = Setup::new().flag("--test-clock").start();
    let arn = create_key(&server);
    server.call("EnableKeyRotation", &format!(r#"{{"KeyId":"{arn}","RotationPeriodInDays":90}}"#));
    assert_eq!(server.call("RotateKeyOnDemand", &format!(r#"{{"KeyId":"{arn}"}}"#)).status, 200);
    assert_eq!(server.admin("POST", "/clock", &format!(r#"{{"advance_seconds":{}}}"#, 271 * 86_400)).0, 200);
    let events = |records: Vec<Value>| -> Vec<Value> {
        records.into_iter().filter(|record| record["eventType"] == "AwsServiceEvent").collect()
    };
    let rotations = events(server.audit(7));
    assert_eq!(rotations.len(), 4, "{rotations:?}");
    for event in &rotations {
        assert_eq!(event["eventName"], "RotateKey");
        assert_eq!(event["resources"][0]["ARN"], arn.as_str());
        assert_eq!(event["userIdentity"]["invokedBy"], "AWS Internal");
        assert!(event["serviceEventDetails"].is_object());
    }
    let server = server.restart_after("KILL");
    assert_eq!(server.admin("POST", "/clock", r#"{"advance_seconds":0}"#).0, 200);
    assert_eq!(events(server.audit(7)).len(), 4, "none is recorded again after a kill");
}

#[test]
fn a_torn_line_is_cut_at_the_start_and_the_chain_goes_on() {
    let mut server = Server::start();
    create_key(&server);
    server.stop("KILL");
    let path = server.path("data/audit.jsonl");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(b"{\"eventVersion\":");
    std::fs::write(&path, bytes).unwrap();
    let server = server.into_setup().start();
    let records = server.audit(2);
    let repair = records.last().unwrap();
    assert_eq!(repair["eventName"], "AuditLogRepaired");
    assert_eq!(repair["serviceEventDetails"]["tornBytesCut"], 16);
    let (status, said) = keystile(&["audit", "verify", path.to_str().unwrap()]);
    assert_eq!(status, Some(0), "{said}");
}

#[test]
fn audit_verify_finds_what_was_changed_and_what_was_cut() {
    let mut server = Server::start();
    for _ in 0..4 {
        create_key(&server);
    }
    server.stop("TERM");
    let path = server.path("data/audit.jsonl");
    let file = path.to_str().unwrap();
    let (status, text) = keystile(&["audit", "verify", file, "--format", "json"]);
    assert_eq!(status, Some(0), "{text}");
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&report["result"], &report["records"]), (&json!("intact"), &json!(4)));
    let last = report["last_hash"].as_str().unwrap();
    assert_eq!(keystile(&["audit", "verify", file, "--last-hash", last, "--records", "4"]).0, Some(0));

    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, whole.replacen("CreateKey", "DeleteKey", 1)).unwrap();
    let (status, said) = keystile(&["audit", "verify", file]);
    assert_eq!(status, Some(1));
    assert!(said.contains(":2:"), "{said}");
    let lines: Vec<&str> = whole.lines().collect();
    std::fs::write(&path, lines[..3].join("\n") + "\n").unwrap();
    assert_eq!(keystile(&["audit", "verify", file]).0, Some(1), "the head beside the log shows the cut");
    std::fs::remove_file(server.path("data/audit.jsonl.head")).unwrap();
    assert_eq!(keystile(&["audit", "verify", file]).0, Some(0), "without it nothing does");
    assert_eq!(keystile(&["audit", "verify", file, "--records", "4"]).0, Some(1));
    assert_eq!(keystile(&["audit", "verify", file, "--last-hash", last]).0, Some(1));
    assert_eq!(keystile(&["audit", "verify", "/nowhere"]).0, Some(2));
    assert_eq!(keystile(&["audit", "verify", file, "--last-hash", "zz"]).0, Some(2));
}

#[test]
fn one_log_is_not_written_by_two_servers() {
    let server = Server::start();
    let log = server.path("data/audit.jsonl");
    let (status, said) = Setup::new().config(&format!("[audit]\nfile = \"{}\"\n", log.display())).fails();
    assert_eq!(status, Some(2));
    assert!(said.contains("another process"), "{said}");
}
