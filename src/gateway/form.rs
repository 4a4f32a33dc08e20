use http::request::Parts;
use http::{HeaderMap, StatusCode, header};

use crate::sigv4::Dialect;

/// How answers are written: the protocol that the request speaks (Smithy, "AWS protocols"), or the
/// plain form of the KMS endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// AWS JSON 1.1.
    AwsJson,
    /// AWS JSON 1.0, which differs in the name of its type alone.
    AwsJson10,
    /// Plain JSON with an envelope and HTTP statuses: KMS alone.
    PlainJson,
    /// AWS Query and REST XML: errors are XML in an `ErrorResponse`.
    Query,
    /// REST JSON: the error's code is in the header `x-amzn-ErrorType`.
    RestJson,
    /// S3's own XML.
    S3,
}

impl Form {
    /// The form of a request to the KMS endpoint, told by its `Content-Type`; none where its type is
    /// neither of the two.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        match media_type(headers)? {
            media_type if media_type.eq_ignore_ascii_case(b"application/x-amz-json-1.1") => Some(Self::AwsJson),
            media_type if media_type.eq_ignore_ascii_case(b"application/json") => Some(Self::PlainJson),
            _ => None,
        }
    }

    /// The form of a request to a service that speaks AWS JSON: the version of its `Content-Type`.
    pub(super) fn of_json(headers: &HeaderMap) -> Self {
        match media_type(headers) {
            Some(media_type) if media_type.eq_ignore_ascii_case(b"application/x-amz-json-1.0") => Self::AwsJson10,
            _ => Self::AwsJson,
        }
    }

    /// The form of a request to a service that nobody knows, by what its head looks like.
    pub(super) fn of_any(parts: &Parts) -> Self {
        let has_target = parts.headers.contains_key("x-amz-target");
        match media_type(&parts.headers) {
            _ if has_target => Self::of_json(&parts.headers),
            Some(media_type) if media_type.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") => Self::Query,
            Some(media_type) if media_type.eq_ignore_ascii_case(b"application/json") => Self::RestJson,
            _ => Self::S3,
        }
    }

    /// The `Content-Type` of answers.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::AwsJson => "application/x-amz-json-1.1",
            Self::AwsJson10 => "application/x-amz-json-1.0",
            Self::PlainJson | Self::RestJson => "application/json",
            Self::Query => "text/xml",
            Self::S3 => "application/xml",
        }
    }

    /// How a refused signature is told.
    pub(super) fn dialect(self) -> Dialect {
        match self {
            Self::AwsJson | Self::AwsJson10 | Self::PlainJson => Dialect::Json,
            Self::Query => Dialect::Query,
            Self::RestJson => Dialect::RestJson,
            Self::S3 => Dialect::S3,
        }
    }

    /// An error's code as services of the form call it. JSON services have the names of exceptions;
    /// XML services have the older ones (IAM User Guide, "Common errors"; S3 API Reference, "Error
    /// responses").
    pub(super) fn code(self, code: &'static str) -> &'static str {
        let (query, s3) = match code {
            "AccessDeniedException" => ("AccessDenied", "AccessDenied"),
            "UnknownOperationException" => ("InvalidAction", "NotImplemented"),
            "ValidationException" => ("ValidationError", "InvalidRequest"),
            "SerializationException" => ("MalformedQueryString", "InvalidRequest"),
            "ThrottlingException" => ("Throttling", "SlowDown"),
            "ServiceUnavailableException" => ("ServiceUnavailable", "ServiceUnavailable"),
            "RequestEntityTooLargeException" => ("RequestEntityTooLarge", "EntityTooLarge"),
            "InternalFailure" | "KMSInternalException" => ("InternalFailure", "InternalError"),
            other => (other, other),
        };
        match self {
            Self::AwsJson | Self::AwsJson10 | Self::PlainJson | Self::RestJson => code,
            Self::Query => query,
            Self::S3 => s3,
        }
    }

    /// The status of an error whose status in AWS JSON is `json`: what is forbidden is 400 there and 403
    /// elsewhere; of one request too many REST JSON has 429, and S3 503 (S3 API Reference, "Error
    /// responses").
    pub(super) fn status(self, code: &str, json: StatusCode) -> StatusCode {
        match (self, code) {
            (Self::Query | Self::RestJson | Self::S3, "AccessDeniedException") => StatusCode::FORBIDDEN,
            (Self::RestJson, "ThrottlingException") => StatusCode::TOO_MANY_REQUESTS,
            (Self::S3, "ThrottlingException") => StatusCode::SERVICE_UNAVAILABLE,
            _ => json,
        }
    }
}

/// The one `Content-Type` without its parameters.
fn media_type(headers: &HeaderMap) -> Option<&[u8]> {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else { return None };
    Some(value.as_bytes().split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_content_type_tells_the_form() {
        for (text, expected) in [
            ("application/x-amz-json-1.1", Some(Form::AwsJson)),
            ("Application/X-Amz-Json-1.1; charset=utf-8", Some(Form::AwsJson)),
            ("application/json", Some(Form::PlainJson)),
            ("application/json ;charset=UTF-8", Some(Form::PlainJson)),
            ("application/x-amz-json-1.0", None),
            ("application/jsonx", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.append(header::CONTENT_TYPE, HeaderValue::from_static(text));
            assert_eq!(Form::of(&headers), expected, "{text}");
            headers.append(header::CONTENT_TYPE, HeaderValue::from_static(text));
            assert_eq!(Form::of(&headers), None, "{text} twice");
        }
    }

    #[test]
    fn what_is_forbidden_has_the_name_and_status_of_its_protocol() {
        let bad = StatusCode::BAD_REQUEST;
        for (form, code, name, status) in [
            (Form::AwsJson, "AccessDeniedException", "AccessDeniedException", 400),
            (Form::RestJson, "AccessDeniedException", "AccessDeniedException", 403),
            (Form::Query, "AccessDeniedException", "AccessDenied", 403),
            (Form::S3, "AccessDeniedException", "AccessDenied", 403),
            (Form::AwsJson, "ThrottlingException", "ThrottlingException", 400),
            (Form::RestJson, "ThrottlingException", "ThrottlingException", 429),
            (Form::Query, "ThrottlingException", "Throttling", 400),
            (Form::S3, "ThrottlingException", "SlowDown", 503),
            (Form::Query, "ValidationException", "ValidationError", 400),
            (Form::S3, "NoSuchKey", "NoSuchKey", 400),
        ] {
            assert_eq!((form.code(code), form.status(code, bad).as_u16()), (name, status), "{form:?} {code}");
        }
    }
}
