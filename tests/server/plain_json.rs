use crate::raw::{Request, Response};
use crate::support::Server;

fn plain(server: &Server, target: Option<&str>, query: &str, body: &str) -> Response {
    let request = Request::aws(server.gateway, "X", body).without("content-type").without("x-amz-target");
    let request = request.header("Content-Type", "application/json").target(&format!("/{query}"));
    let request = match target {
        Some(target) => request.header("X-Amz-Target", target),
        None => request,
    };
    request.signed(&server.signer()).send(server.gateway)
}

#[test]
fn an_answer_is_an_envelope_with_the_key_and_members_in_snake_case() {
    let server = Server::start();
    let created = plain(&server, Some("TrentService.CreateKey"), "", r#"{"Description":"plain"}"#);
    assert_eq!(created.status, 200, "{}", created.text());
    assert_eq!(created.header("content-type"), Some("application/json"));
    let created = created.json();
    assert_eq!(created["success"], true);
    let data = &created["data"];
    let id = data["id"].as_str().unwrap();
    assert_eq!(data["key_metadata"]["key_id"], id);
    assert_eq!(data["key_metadata"]["description"], "plain");
    assert!(data["created_at"].as_str().unwrap().ends_with('Z'), "{data}");
    assert_eq!(data["key_metadata"]["creation_date"], data["created_at"]);

    let body = format!("{{\"KeyId\":\"{id}\"}}");
    let enabled = plain(&server, None, "?X-Amz-Target=TrentService.EnableKeyRotation", &body).json();
    assert_eq!(enabled["success"], true, "{enabled}");
    assert_eq!(enabled["data"]["id"], id);
    assert_eq!(enabled["data"]["created_at"], data["created_at"]);
    let status = plain(&server, Some("TrentService.GetKeyRotationStatus"), "", &body).json();
    assert_eq!(status["data"]["key_rotation_enabled"], true, "{status}");
    assert!(status["data"]["next_rotation_date"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn an_error_has_a_status_and_a_code_of_its_own() {
    let server = Server::start();
    let created = server.call("CreateKey", "{}").json();
    let id = created["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned();
    server.call("DisableKey", &format!("{{\"KeyId\":\"{id}\"}}"));
    let missing = "1234abcd-12ab-34cd-56ef-1234567890ab";
    for (operation, body, status, code) in [
        ("DescribeKey", "{}".to_owned(), 400, "VALIDATION_ERROR"),
        ("DescribeKey", "nonsense".to_owned(), 400, "SERIALIZATION"),
        ("DescribeKey", format!("{{\"KeyId\":\"{missing}\"}}"), 404, "NOT_FOUND"),
        ("EnableKeyRotation", format!("{{\"KeyId\":\"{id}\"}}"), 409, "DISABLED"),
        ("CancelKeyDeletion", format!("{{\"KeyId\":\"{id}\"}}"), 409, "KMS_INVALID_STATE"),
        ("Nonsense", "{}".to_owned(), 400, "UNKNOWN_OPERATION"),
    ] {
        let answer = plain(&server, Some(&format!("TrentService.{operation}")), "", &body);
        let json = answer.json();
        assert_eq!((answer.status, json["error"]["code"].as_str()), (status, Some(code)), "{operation} {json}");
        assert_eq!(json["success"], false);
    }
    let both = plain(&server, Some("TrentService.ListKeys"), "?X-Amz-Target=TrentService.ListKeys", "{}");
    assert_eq!((both.status, both.json()["error"]["code"].as_str()), (400, Some("VALIDATION_ERROR")));
    let request = Request::aws(server.gateway, "ListKeys", "{}").without("content-type");
    let unsigned = request.header("Content-Type", "application/json").send(server.gateway);
    assert_eq!(
        (unsigned.status, unsigned.json()["error"]["code"].as_str()),
        (403, Some("MISSING_AUTHENTICATION_TOKEN"))
    );
}
