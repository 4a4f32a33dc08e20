use std::borrow::Cow;

/// What AWS answers where it does not do what was asked: its code and text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct StsError {
    /// The code; where the JSON services have another name for it, theirs.
    pub code: &'static str,
    /// The text.
    pub message: Cow<'static, str>,
    /// The HTTP status.
    pub status: u16,
}

impl StsError {
    pub(super) fn new(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), status: 400 }
    }

    /// 403.
    pub(super) fn forbidden(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status: 403, ..Self::new(code, message) }
    }

    /// `MalformedQueryString`
    #[must_use]
    pub fn malformed(why: &'static str) -> Self {
        Self::new("MalformedQueryString", why)
    }

    pub(super) fn denied(message: impl Into<Cow<'static, str>>) -> Self {
        Self::forbidden("AccessDeniedException", message)
    }

    pub(super) fn validation(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new("ValidationException", message)
    }

    pub(super) fn invalid_parameter(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new("InvalidParameterValue", message)
    }

    pub(super) fn invalid_identity_token(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new("InvalidIdentityToken", message)
    }

    /// A failure of ours; what it was goes to the log alone.
    pub(super) fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "the token service failed");
        let message = "The request processing has failed because of an unknown error, exception or failure.";
        Self { status: 500, ..Self::new("InternalFailure", message) }
    }
}
