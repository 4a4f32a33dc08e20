use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::Deserialize;

use super::names::is_object_key;
use super::{ServiceRequest, Undetermined};

/// How a service is spoken to (Smithy, "AWS protocols").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// AWS JSON 1.0 and 1.1: the operation is in `X-Amz-Target`.
    Json,
    /// AWS Query: the operation is the parameter `Action`.
    Query,
    /// REST with JSON bodies: method, path and query tell the operation.
    RestJson,
    /// REST with XML bodies.
    RestXml,
    /// REST with XML bodies as S3 has it: bodies may be streamed.
    S3,
}

impl Protocol {
    /// Whether method, path and query tell the operation, by the definition's routes.
    #[must_use]
    pub fn is_rest(self) -> bool {
        match self {
            Self::Json | Self::Query => false,
            Self::RestJson | Self::RestXml | Self::S3 => true,
        }
    }

    /// Refuses a request that an upstream could take for one of another protocol or method, or whose path
    /// it could take for another path.
    pub(super) fn admits(self, request: &ServiceRequest<'_>) -> Result<(), Undetermined> {
        const METHODS: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];
        if self != Self::Json && request.headers.contains_key("x-amz-target") {
            return Err(Undetermined("X-Amz-Target is of another protocol".to_owned()));
        }
        match self {
            // Text that is JSON and a form at once would be two requests.
            Self::Json => {
                let content_type = content_type(request.headers)?;
                let is_json = matches!(
                    content_type.as_deref(),
                    Some("application/x-amz-json-1.0" | "application/x-amz-json-1.1" | "application/json")
                );
                is_json.then_some(()).ok_or_else(|| Undetermined("the Content-Type is not that of AWS JSON".to_owned()))
            }
            Self::Query => {
                let is_form = request.method != "POST"
                    || content_type(request.headers)?.as_deref() == Some("application/x-www-form-urlencoded");
                is_form.then_some(()).ok_or_else(|| Undetermined("the Content-Type is not that of a form".to_owned()))
            }
            Self::RestJson | Self::RestXml | Self::S3 => {
                if METHODS.iter().any(|name| request.headers.contains_key(*name)) {
                    return Err(Undetermined("a header names another method".to_owned()));
                }
                // An upload from a browser (S3's POST Object) tells bucket and key in its body.
                if request.method == "POST"
                    && content_type(request.headers)?.is_some_and(|text| text.starts_with("multipart/"))
                {
                    return Err(Undetermined("a body of several parts is not read".to_owned()));
                }
                let decoded = percent_encoding::percent_decode_str(request.path.trim_start_matches('/')).decode_utf8();
                let is_plain = |path: &str| path.is_empty() || is_object_key(path);
                if request.path.starts_with("//") || !decoded.is_ok_and(|path| is_plain(&path)) {
                    return Err(Undetermined(
                        "the path has segments that are empty or dots, or is not UTF-8".to_owned(),
                    ));
                }
                Ok(())
            }
        }
    }

    /// Refuses a body that says of itself that it is something else than what it is read as.
    pub(super) fn admits_body(self, request: &ServiceRequest<'_>) -> Result<(), Undetermined> {
        let has_charset = request.headers.get(CONTENT_TYPE).is_some_and(|value| {
            let parameters = value.as_bytes().split(|byte| *byte == b';').skip(1);
            parameters.into_iter().any(|parameter| {
                let text = String::from_utf8_lossy(parameter).to_ascii_lowercase();
                text.contains("charset") && text.replace(['"', ' ', '\t'], "") != "charset=utf-8"
            })
        });
        if has_charset {
            return Err(Undetermined("the body is said not to be UTF-8".to_owned()));
        }
        let content_type = content_type(request.headers)?;
        let is_other = |text: &str| {
            text == "application/x-www-form-urlencoded" || text.starts_with("multipart/") || text.contains("cbor")
        };
        if self.is_rest() && content_type.as_deref().is_some_and(is_other) {
            return Err(Undetermined("the Content-Type is that of another protocol".to_owned()));
        }
        Ok(())
    }
}

/// The type without its parameters, in lower case; one at most.
fn content_type(headers: &HeaderMap) -> Result<Option<String>, Undetermined> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (value, None) = (values.next(), values.next()) else {
        return Err(Undetermined("there is more than one Content-Type".to_owned()));
    };
    Ok(value.map(|value| {
        let text = String::from_utf8_lossy(value.as_bytes());
        text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }))
}
