use serde::Deserialize;

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
}
