//! The plain-JSON form: members in snake_case inside an envelope, dates in RFC 3339, errors in
//! SCREAMING_SNAKE_CASE, and HTTP statuses that say what went wrong.

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::respond::Failure;

/// The key that an answer is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// Its bare id.
    pub(super) id: String,
    /// When it was made; none where that is not known.
    pub(super) created_at: Option<Timestamp>,
}

/// Members of AWS's answers that hold dates (epoch seconds there).
const DATES: [&str; 11] = [
    "CreationDate",
    "DeletionDate",
    "KeyCreationDate",
    "LastUpdatedDate",
    "NextRotationDate",
    "OnDemandRotationStartDate",
    "ParametersValidTo",
    "RotationDate",
    "Timestamp",
    "TrackingStartDate",
    "ValidTo",
];

/// The envelope around what an operation answered.
pub(super) fn success(output: Option<&Value>, key: Option<&Key>) -> Vec<u8> {
    let mut data = Map::new();
    if let Some(key) = key {
        data.insert("id".to_owned(), Value::from(key.id.as_str()));
        if let Some(created_at) = key.created_at {
            data.insert("created_at".to_owned(), Value::from(created_at.to_string()));
        }
    }
    if let Some(Value::Object(members)) = output {
        data.extend(members.iter().map(member));
    }
    json!({"success": true, "data": data}).to_string().into_bytes()
}

/// The envelope around an error.
pub(super) fn failure(failure: &Failure) -> Vec<u8> {
    let message = failure.message.as_deref().unwrap_or_default();
    json!({"success": false, "error": {"code": code(failure.code), "message": message}}).to_string().into_bytes()
}

/// `KMSInvalidStateException` becomes `KMS_INVALID_STATE`.
fn code(aws: &str) -> String {
    if aws == "ValidationException" {
        return "VALIDATION_ERROR".to_owned();
    }
    words(aws.strip_suffix("Exception").unwrap_or(aws)).to_ascii_uppercase()
}

/// The status of an error; `otherwise` where the code alone does not tell.
pub(super) fn status(code: &str, otherwise: StatusCode) -> StatusCode {
    match code {
        "AccessDeniedException"
        | "ExpiredTokenException"
        | "IncompleteSignatureException"
        | "InvalidSignatureException"
        | "MissingAuthenticationTokenException"
        | "UnrecognizedClientException" => StatusCode::FORBIDDEN,
        "NotFoundException" => StatusCode::NOT_FOUND,
        "AlreadyExistsException" | "ConflictException" | "DisabledException" | "KMSInvalidStateException" => {
            StatusCode::CONFLICT
        }
        "LimitExceededException" | "ThrottlingException" => StatusCode::TOO_MANY_REQUESTS,
        _ => otherwise,
    }
}

fn member((name, value): (&String, &Value)) -> (String, Value) {
    let value = match value.as_f64() {
        Some(seconds) if DATES.contains(&name.as_str()) => date(seconds).map_or_else(|| value.clone(), Value::from),
        _ if PAIRS.contains(&name.as_str()) => value.clone(),
        _ => members(value),
    };
    (words(name), value)
}

/// Members whose own members are a caller's pairs, and keep their names.
const PAIRS: [&str; 2] = ["EncryptionContextEquals", "EncryptionContextSubset"];

fn members(value: &Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(object.iter().map(member).collect()),
        Value::Array(values) => Value::Array(values.iter().map(members).collect()),
        other => other.clone(),
    }
}

/// Epoch seconds with milliseconds, as RFC 3339.
fn date(seconds: f64) -> Option<String> {
    // Every date that a timestamp can hold fits an i64 of milliseconds; a cast saturates.
    #[expect(clippy::cast_possible_truncation, reason = "saturates, and what is out of range is refused below")]
    let milliseconds = (seconds * 1000.0).round() as i64;
    Timestamp::from_millisecond(milliseconds).ok().map(|time| time.to_string())
}

/// `AWSAccountId` becomes `aws_account_id`: a word starts where a capital follows a small letter
/// or a digit, and at the last capital of a run.
fn words(name: &str) -> String {
    let bytes = name.as_bytes();
    let mut out = String::with_capacity(name.len() + 8);
    for (at, character) in name.char_indices() {
        let starts = at > 0
            && character.is_ascii_uppercase()
            && (!bytes[at - 1].is_ascii_uppercase() || bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase));
        if starts {
            out.push('_');
        }
        out.push(character.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_snake_case() {
        for (aws, plain) in [
            ("KeyId", "key_id"),
            ("AWSAccountId", "aws_account_id"),
            ("CiphertextBlob", "ciphertext_blob"),
            ("KeyARN", "key_arn"),
            ("Arn", "arn"),
        ] {
            assert_eq!(words(aws), plain);
        }
        assert_eq!(code("ValidationException"), "VALIDATION_ERROR");
        assert_eq!(code("KMSInvalidStateException"), "KMS_INVALID_STATE");
        assert_eq!(code("AccessDeniedException"), "ACCESS_DENIED");
        assert_eq!(code("InternalFailure"), "INTERNAL_FAILURE");
    }

    #[test]
    fn the_envelope_holds_the_key_and_the_operations_members() {
        let output = json!({"KeyMetadata": {"CreationDate": 1_735_689_600.5, "KeyId": "k", "Enabled": true},
                            "Rotations": [{"RotationDate": 1_735_689_600}],
                            "Constraints": {"EncryptionContextSubset": {"TenantId": "a", "tenant_id": "b"}}});
        let key = Key { id: "k".to_owned(), created_at: Some("2025-01-01T00:00:00Z".parse().unwrap()) };
        let envelope: Value = serde_json::from_slice(&success(Some(&output), Some(&key))).unwrap();
        assert_eq!(
            envelope,
            json!({"success": true, "data": {
                "id": "k",
                "created_at": "2025-01-01T00:00:00Z",
                "key_metadata": {"creation_date": "2025-01-01T00:00:00.5Z", "key_id": "k", "enabled": true},
                "rotations": [{"rotation_date": "2025-01-01T00:00:00Z"}],
                "constraints": {"encryption_context_subset": {"TenantId": "a", "tenant_id": "b"}},
            }})
        );
    }

    #[test]
    fn statuses_say_what_went_wrong() {
        for (code, expected) in [
            ("ValidationException", 400),
            ("SerializationException", 400),
            ("InvalidSignatureException", 403),
            ("AccessDeniedException", 403),
            ("NotFoundException", 404),
            ("DisabledException", 409),
            ("KMSInvalidStateException", 409),
            ("AlreadyExistsException", 409),
            ("LimitExceededException", 429),
        ] {
            assert_eq!(status(code, StatusCode::BAD_REQUEST).as_u16(), expected, "{code}");
        }
        assert_eq!(status("KMSInternalException", StatusCode::INTERNAL_SERVER_ERROR).as_u16(), 500);
    }
}
