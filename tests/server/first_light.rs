use std::collections::HashSet;

use aws_sdk_kms::error::ProvideErrorMetadata;
use aws_sdk_kms::primitives::Blob;

use crate::support::{Server, Setup, keystile};

#[tokio::test]
async fn an_unmodified_sdk_creates_a_key_and_rotates_it() {
    let server = Setup::new().flag("--test-clock").start();
    let kms = server.client();
    let key = kms.create_key().description("first light").send().await.unwrap().key_metadata.unwrap();
    let id = key.key_id.as_str();
    kms.enable_key_rotation().key_id(id).rotation_period_in_days(90).send().await.unwrap();
    let status = kms.get_key_rotation_status().key_id(id).send().await.unwrap();
    assert!(status.key_rotation_enabled);
    assert_eq!(status.rotation_period_in_days, Some(90));

    let seal = async |text: &str| {
        kms.encrypt().key_id(id).plaintext(Blob::new(text)).send().await.unwrap().ciphertext_blob.unwrap()
    };
    let open = async |sealed: &Blob| {
        let opened = kms.decrypt().ciphertext_blob(sealed.clone()).send().await.unwrap();
        (opened.plaintext.unwrap().into_inner(), opened.key_material_id.unwrap())
    };
    let oldest = seal("before the rotations").await;
    let due = status.next_rotation_date.unwrap().secs();
    let (code, body) = server.admin("POST", "/clock", &format!("{{\"advance_seconds\": {}}}", 91 * 86_400));
    assert_eq!(code, 200, "{body}");
    let now: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert!(now["now"].as_str().unwrap().ends_with('Z'));

    let rotations = kms.list_key_rotations().key_id(id).send().await.unwrap().rotations.unwrap();
    assert_eq!(rotations.len(), 1);
    assert_eq!(rotations[0].rotation_date.unwrap().secs(), due);
    let old = seal("after the first").await;
    kms.rotate_key_on_demand().key_id(id).send().await.unwrap();
    let new = seal("after both").await;
    let mut materials = HashSet::new();
    for (sealed, text) in [(&oldest, "before the rotations"), (&old, "after the first"), (&new, "after both")] {
        let (plaintext, material) = open(sealed).await;
        assert_eq!(plaintext, text.as_bytes());
        assert!(materials.insert(material), "each under a material of its own");
    }
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_kill() {
    let server = Server::start();
    let id = server.client().create_key().send().await.unwrap().key_metadata.unwrap().key_id;
    let server = server.restart_after("KILL");
    let key = server.client().describe_key().key_id(&id).send().await.unwrap().key_metadata.unwrap();
    assert_eq!(key.key_id, id);
}

#[tokio::test]
async fn a_wrong_secret_gets_awss_error() {
    let server = Server::start();
    let (id, _) = server.root();
    let error = server.client_of(&id, "wrong", None).list_keys().send().await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidSignatureException"));
    let error = server.client_of("AKIANOBODY", "wrong", None).list_keys().send().await.unwrap_err();
    assert_eq!(error.code(), Some("UnrecognizedClientException"));
}

#[test]
fn answers_bear_a_request_id_a_date_and_awss_type() {
    let server = Server::start();
    let answer = server.call("ListKeys", "{}");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/x-amz-json-1.1"));
    assert_eq!(answer.header("x-amzn-requestid").unwrap().len(), 36);
    assert!(answer.header("date").unwrap().ends_with("GMT"));
}

#[test]
fn an_operation_without_output_answers_an_empty_body() {
    let server = Server::start();
    let created = server.call("CreateKey", "{}").json();
    let id = created["KeyMetadata"]["KeyId"].as_str().unwrap();
    let answer = server.call("EnableKeyRotation", &format!("{{\"KeyId\":\"{id}\"}}"));
    assert_eq!((answer.status, answer.text().as_str()), (200, ""));
}

#[test]
fn the_clock_is_moved_only_where_it_may_be_and_the_data_remembers() {
    let server = Server::start();
    assert_eq!(server.admin("POST", "/clock", r#"{"advance_seconds": 1}"#).0, 404);
    drop(server);
    let server = Setup::new().flag("--test-clock").start();
    for bad in [
        "",
        "{}",
        r#"{"advance_seconds": -1}"#,
        r#"{"advance_seconds": 1, "x": 2}"#,
        r#"{"advance_seconds": 1.5}"#,
        r#"{"advance_seconds": 1, "advance_seconds": 2}"#,
        r#"{"advance_seconds": 1} x"#,
        r#"{"advance_seconds": 18446744073709551615}"#,
    ] {
        assert_eq!(server.admin("POST", "/clock", bad).0, 400, "{bad}");
    }
    assert_eq!(server.admin("POST", "/clock", &format!("{{\"advance_seconds\": 1{}}}", " ".repeat(5000))).0, 400);
    assert_eq!(server.admin("GET", "/clock", "").0, 405);
    assert_eq!(server.admin("POST", "/clock", r#"{"advance_seconds": 86400}"#).0, 200);
    let mut server = server;
    server.stop("TERM");
    let data = server.path("data").display().to_string();
    let (status, said) =
        keystile(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data-dir", &data]);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("--test-clock"), "{said}");
}

#[test]
fn the_admin_listener_tells_health_readiness_and_metrics() {
    let server = Server::start();
    assert_eq!(server.admin("GET", "/healthz", "").0, 200);
    assert_eq!(server.admin("GET", "/readyz", "").0, 200);
    server.call("ListKeys", "{}");
    let (status, text) = server.admin("GET", "/metrics", "");
    assert_eq!(status, 200);
    assert!(text.contains(r#"keystile_requests_total{operation="ListKeys",outcome="ok"} 1"#), "{text}");
    assert!(text.contains(r#"keystile_stage_duration_seconds_count{stage="verify"} 1"#), "{text}");
    assert_eq!(server.admin("GET", "/nowhere", "").0, 404);
    assert_eq!(server.admin("DELETE", "/healthz", "").0, 405);
}

#[test]
fn stderr_gives_people_a_line_to_paste() {
    let server = Server::start();
    let said = server.said();
    assert!(said.contains("AWS_SHARED_CREDENTIALS_FILE="), "{said}");
    assert!(
        said.contains(&format!("aws --endpoint-url http://{} --region us-east-1 kms create-key", server.gateway)),
        "{said}"
    );
    let (_, secret) = server.root();
    assert!(!said.contains(&secret));
}

#[test]
fn a_configuration_that_is_wrong_does_not_start() {
    let (status, said) = Setup::new().config("listen = \"127.0.0.1:0\"\nnonsense = 1\n").fails();
    assert_eq!(status, Some(2));
    assert!(said.contains("keystile.toml:2") && said.contains("nonsense"), "{said}");
    let busy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = busy.local_addr().unwrap().to_string();
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data").display().to_string();
    let (status, said) = keystile(&["serve", "--listen", &address, "--data-dir", &data]);
    assert_eq!(status, Some(2));
    assert!(said.contains(&address), "{said}");
    assert!(!std::path::Path::new(&data).exists(), "a start that fails leaves nothing behind");
}
