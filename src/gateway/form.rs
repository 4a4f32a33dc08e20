use http::{HeaderMap, header};

/// The two forms in which KMS is served; the request's `Content-Type` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// AWS JSON 1.1: what SDKs speak.
    AwsJson,
    /// Plain JSON with an envelope and HTTP statuses.
    PlainJson,
}

impl Form {
    /// The form of a request; none where its type is neither.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut types = headers.get_all(header::CONTENT_TYPE).iter();
        let (Some(value), None) = (types.next(), types.next()) else { return None };
        let media_type = value.as_bytes().split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
        if media_type.eq_ignore_ascii_case(b"application/x-amz-json-1.1") {
            Some(Self::AwsJson)
        } else if media_type.eq_ignore_ascii_case(b"application/json") {
            Some(Self::PlainJson)
        } else {
            None
        }
    }

    /// The `Content-Type` of answers.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::AwsJson => "application/x-amz-json-1.1",
            Self::PlainJson => "application/json",
        }
    }
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
}
