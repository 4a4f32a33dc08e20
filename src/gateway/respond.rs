use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;
use uuid::Uuid;

use super::form::Form;
use super::plain_json;

/// What hyper sends.
pub(super) type Answer = Response<Full<Bytes>>;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// An error on its way to a client: AWS's code and the text beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// AWS's name of the error.
    pub(super) code: &'static str,
    /// The text; none where AWS sends no `message` member.
    pub(super) message: Option<Cow<'static, str>>,
    /// The status in AWS's form.
    pub(super) status: StatusCode,
}

impl Failure {
    /// An error of the client's.
    pub(super) fn client(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: Some(message.into()), status: StatusCode::BAD_REQUEST }
    }

    /// A body past the limit.
    pub(super) fn too_large(limit: usize) -> Self {
        Self {
            code: "RequestEntityTooLargeException",
            message: Some(format!("The request's body is larger than {limit} bytes.").into()),
            status: StatusCode::PAYLOAD_TOO_LARGE,
        }
    }

    /// A failure of ours; what it was goes to the log alone.
    pub(super) fn internal() -> Self {
        Self {
            code: "InternalFailure",
            message: Some(
                "The request processing has failed because of an unknown error, exception or failure.".into(),
            ),
            status: StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What was asked for can't be recorded, so it is not done or not told.
    pub(super) fn unrecorded() -> Self {
        Self {
            message: Some("The request was rejected because it cannot be recorded in the audit log.".into()),
            code: "KMSInternalException",
            status: StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// We can't answer now; trying again may help.
    pub(super) fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code: "ServiceUnavailableException",
            message: Some(message.into()),
            status: StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The answer in a form.
    pub(super) fn answer(&self, form: Form, request_id: Uuid) -> Answer {
        match form {
            Form::AwsJson => with(self.status, form, request_id, self.aws_json()),
            Form::PlainJson => {
                with(plain_json::status(self.code, self.status), form, request_id, plain_json::failure(self))
            }
        }
    }

    fn aws_json(&self) -> Vec<u8> {
        let body = match &self.message {
            None => json!({"__type": self.code}),
            // The one modelled exception whose member is spelled with a capital.
            Some(message) if self.code == "AccessDeniedException" => json!({"__type": self.code, "Message": message}),
            Some(message) => json!({"__type": self.code, "message": message}),
        };
        body.to_string().into_bytes()
    }
}

/// An answer with a body in a form; an empty body (an operation without output) has no type.
pub(super) fn with(status: StatusCode, form: Form, request_id: Uuid, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(REQUEST_ID, request_id_value(request_id));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
    answer
}

/// A refusal of the HTTP itself, before any form is known: a status and a line for people.
pub(super) fn bare(status: StatusCode, request_id: Uuid, why: &str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(format!("{why}\n"))));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(REQUEST_ID, request_id_value(request_id));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    // What follows on a connection that began so is not trusted to be a request.
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

fn request_id_value(request_id: Uuid) -> HeaderValue {
    let mut text = Uuid::encode_buffer();
    HeaderValue::from_str(request_id.hyphenated().encode_lower(&mut text))
        .unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(failure: &Failure) -> String {
        String::from_utf8(failure.aws_json()).unwrap()
    }

    #[test]
    fn errors_have_awss_shape() {
        let failure = Failure::client("NotFoundException", "Key 'x' does not exist");
        assert_eq!(text(&failure), r#"{"__type":"NotFoundException","message":"Key 'x' does not exist"}"#);
        let denied = Failure::client("AccessDeniedException", "User: …");
        assert_eq!(text(&denied), r#"{"__type":"AccessDeniedException","Message":"User: …"}"#);
        let silent = Failure { message: None, ..Failure::client("InvalidCiphertextException", "") };
        assert_eq!(text(&silent), r#"{"__type":"InvalidCiphertextException"}"#);
    }
}
