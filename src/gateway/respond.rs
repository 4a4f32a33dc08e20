use std::borrow::Cow;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Frame, SizeHint};
use serde_json::json;
use uuid::Uuid;

use super::form::Form;
use super::plain_json;
use super::server::BoxError;
use crate::aws::xml;
use crate::sigv4::Refusal;

/// What hyper sends.
pub(super) type Answer = Response<AnswerBody>;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
/// What S3 calls it.
const S3_REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// The body of an answer: all of it, or one that comes from elsewhere piece by piece.
pub(super) enum AnswerBody {
    Whole(Full<Bytes>),
    Streamed(UnsyncBoxBody<Bytes, BoxError>),
}

impl<B: Into<Bytes>> From<B> for AnswerBody {
    fn from(body: B) -> Self {
        Self::Whole(Full::new(body.into()))
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body).poll_frame(context).map_err(|never| match never {}),
            Self::Streamed(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Streamed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Streamed(body) => body.size_hint(),
        }
    }
}

/// An error on its way to a client: AWS's code and the text beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// AWS's name of the error, as a JSON service has it.
    pub(super) code: &'static str,
    /// The text; none where AWS sends no `message` member.
    pub(super) message: Option<Cow<'static, str>>,
    /// The status in AWS JSON.
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

    /// What was asked of KMS can't be recorded, so it is not done or not told.
    pub(super) fn unrecorded() -> Self {
        Self {
            message: Some("The request was rejected because it cannot be recorded in the audit log.".into()),
            code: "KMSInternalException",
            status: StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// A signature that does not hold, in the words of the form's protocol.
    pub(super) fn refused(refusal: &Refusal, form: Form) -> Self {
        let dialect = form.dialect();
        Self {
            code: refusal.code_for(dialect),
            message: Some(refusal.message().to_owned().into()),
            status: StatusCode::from_u16(refusal.status_for(dialect)).unwrap_or(StatusCode::BAD_REQUEST),
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

    /// One request too many.
    pub(super) fn throttled() -> Self {
        Self::client("ThrottlingException", "Rate exceeded")
    }

    /// The answer in a form.
    pub(super) fn answer(&self, form: Form, request_id: Uuid) -> Answer {
        let (status, body) = match form {
            Form::AwsJson | Form::AwsJson10 => (self.status, self.aws_json()),
            Form::PlainJson => (plain_json::status(self.code, self.status), plain_json::failure(self)),
            Form::RestJson => {
                (form.status(self.code, self.status), json!({"message": self.message}).to_string().into())
            }
            Form::Query | Form::S3 => (form.status(self.code, self.status), self.xml(form, request_id).into_bytes()),
        };
        let mut answer = with(status, form, request_id, body);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if form == Form::RestJson {
            answer.headers_mut().insert(ERROR_TYPE, HeaderValue::from_static(self.code));
        }
        answer
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

    fn xml(&self, form: Form, request_id: Uuid) -> String {
        let code = form.code(self.code);
        let message = xml::escaped(self.message.as_deref().unwrap_or_default());
        if form == Form::S3 {
            return format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>\
                 <RequestId>{request_id}</RequestId></Error>"
            );
        }
        let at_fault = if self.status.is_server_error() { "Receiver" } else { "Sender" };
        format!(
            "<ErrorResponse><Error><Type>{at_fault}</Type><Code>{code}</Code><Message>{message}</Message></Error>\
             <RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    }
}

/// An answer that says when to come again, in seconds.
pub(super) fn retry_after(mut answer: Answer, seconds: u64) -> Answer {
    answer.headers_mut().insert(RETRY_AFTER, seconds.into());
    answer
}

/// An answer with a body in a form; an empty body (an operation without output) has no type.
pub(super) fn with(status: StatusCode, form: Form, request_id: Uuid, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(AnswerBody::from(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(REQUEST_ID, request_id_value(request_id));
    if form == Form::S3 {
        headers.insert(S3_REQUEST_ID, request_id_value(request_id));
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
    answer
}

/// A refusal of the HTTP itself, before any form is known: a status and a line for people.
pub(super) fn bare(status: StatusCode, request_id: Uuid, why: &str) -> Answer {
    let mut answer = Response::new(AnswerBody::from(format!("{why}\n")));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(REQUEST_ID, request_id_value(request_id));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    // What follows on a connection that began so is not trusted to be a request.
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

pub(super) fn request_id_value(request_id: Uuid) -> HeaderValue {
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

    #[test]
    fn xml_errors_have_awss_shape_and_no_text_breaks_out_of_it() {
        let denied = Failure::client("AccessDeniedException", "User: <a> & \u{1}b");
        assert_eq!(
            denied.xml(Form::Query, Uuid::nil()),
            "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: &lt;a&gt; &amp; \u{fffd}b\
             </Message></Error><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>"
        );
        assert_eq!(
            Failure::internal().xml(Form::S3, Uuid::nil()).split_once('\n').unwrap().1,
            "<Error><Code>InternalError</Code><Message>The request processing has failed because of an unknown error, \
             exception or failure.</Message><RequestId>00000000-0000-0000-0000-000000000000</RequestId></Error>"
        );
        let answer = denied.answer(Form::RestJson, Uuid::nil());
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()[ERROR_TYPE]),
            (403, &HeaderValue::from_static("AccessDeniedException"))
        );
    }
}
