use crate::store::BoxFuture;

/// What is sent to a proxy: an HTTPS POST of JSON without a query, signed already. It holds no
/// plaintext: what a proxy is to encrypt was encrypted here before.
#[derive(Clone, Debug)]
pub struct XksRequest {
    /// The host, in lower case; the port is 443.
    pub host: String,
    /// The path, from its first slash.
    pub path: String,
    /// The header `x-amz-date`.
    pub date: String,
    /// The header `authorization`.
    pub authorization: String,
    /// The body, of the type `application/json`.
    pub body: Vec<u8>,
}

/// What a proxy answered.
#[derive(Clone, Debug)]
pub struct XksAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XksTransportError {
    /// The host is none of those that the configuration lists: it was not called.
    NotListed,
    /// There is no connection to it.
    Unreachable,
    /// It is not who it should be, or speaks no TLS that is spoken here.
    Tls,
    /// The answer did not come in time.
    TimedOut,
    /// What came is no HTTP, or too long.
    Malformed,
}

/// Carries requests to proxies. Whoever implements it bounds time, size and number, calls hosts
/// that the operator listed alone, and follows no redirection.
pub trait XksTransport: Send + Sync {
    /// Sends a request once and answers what came back, whatever its status.
    fn post(&self, request: XksRequest) -> BoxFuture<'_, Result<XksAnswer, XksTransportError>>;
}

/// Calls nobody: where no host is listed, external key stores are off.
pub(in crate::kms) struct NoTransport;

impl XksTransport for NoTransport {
    fn post(&self, _: XksRequest) -> BoxFuture<'_, Result<XksAnswer, XksTransportError>> {
        Box::pin(async { Err(XksTransportError::NotListed) })
    }
}
