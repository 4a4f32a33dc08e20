use std::fmt;

use crate::store::{CommitError, StoreError};

/// An answer other than success, as the KMS API gives it.
///
/// The codes are those of the published service model; a failure of ours is
/// `KMSInternalException` to the client, and its text goes to the operator's log alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsError {
    code: &'static str,
    message: Option<String>,
    internal: Option<String>,
    conflict: bool,
    unavailable: bool,
}

impl KmsError {
    /// An error that AWS names so, with its text.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: Some(message.into()), internal: None, conflict: false, unavailable: false }
    }

    /// An error that AWS sends without a message member.
    #[must_use]
    pub fn silent(code: &'static str) -> Self {
        Self { code, message: None, internal: None, conflict: false, unavailable: false }
    }

    /// A failure of ours; the text is for the operator.
    #[must_use]
    pub fn internal(text: impl Into<String>) -> Self {
        Self {
            code: "KMSInternalException",
            message: Some(
                "The request was rejected because an internal exception occurred. The request can be retried."
                    .to_owned(),
            ),
            internal: Some(text.into()),
            conflict: false,
            unavailable: false,
        }
    }

    /// Nothing can be decided now, and trying again helps (`DependencyTimeoutException`, which SDKs try
    /// again); the text is for the operator.
    pub(crate) fn unavailable(text: impl Into<String>) -> Self {
        Self {
            code: "DependencyTimeoutException",
            message: Some(
                "The system timed out while trying to fulfill the request. You can retry the request.".to_owned(),
            ),
            unavailable: true,
            ..Self::internal(text)
        }
    }

    pub(crate) fn conflicting() -> Self {
        Self { conflict: true, ..Self::internal("what the request was authorised on changed meanwhile") }
    }

    /// The error's name, such as `NotFoundException`: the `__type` of the answer.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The text for the client; none where AWS sends no message member.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// What went wrong inside, for the log; none for an error of the client's.
    #[must_use]
    pub fn internal_text(&self) -> Option<&str> {
        self.internal.as_deref()
    }

    /// Whether something changed between resolving and executing: nothing was done, and the
    /// request may be resolved, decided and executed anew.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.conflict
    }

    /// Whether nothing can be decided now (HTTP 503).
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        self.unavailable
    }

    /// Whether the failure is ours (HTTP 500, or 503; every other error is 400 in AWS JSON 1.1).
    #[must_use]
    pub fn is_internal(&self) -> bool {
        self.internal.is_some()
    }
}

impl fmt::Display for KmsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)?;
        match self.internal.as_ref().or(self.message.as_ref()) {
            Some(text) => write!(f, ": {text}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for KmsError {}

impl From<StoreError> for KmsError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Behind(_) => Self::unavailable(error.to_string()),
            StoreError::Unavailable(_) | StoreError::Compacted(_) | StoreError::Malformed(_) => {
                Self::internal(error.to_string())
            }
        }
    }
}

impl From<CommitError> for KmsError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict => Self::conflicting(),
            other => Self::internal(other.to_string()),
        }
    }
}

/// Errors with AWS's recorded texts, by what happened.
pub(super) mod texts {
    use super::KmsError;

    pub(crate) fn validation(text: impl Into<String>) -> KmsError {
        KmsError::new("ValidationException", text)
    }

    pub(crate) fn serialization(text: impl Into<String>) -> KmsError {
        KmsError::new("SerializationException", text)
    }

    pub(crate) fn unsupported(text: impl Into<String>) -> KmsError {
        KmsError::new("UnsupportedOperationException", text)
    }

    pub(crate) fn limit(text: impl Into<String>) -> KmsError {
        KmsError::new("LimitExceededException", text)
    }

    /// KMS Developer Guide, "Throttling AWS KMS requests".
    pub(crate) fn throttled() -> KmsError {
        KmsError::new(
            "ThrottlingException",
            "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.",
        )
    }

    pub(crate) fn malformed_policy(text: impl Into<String>) -> KmsError {
        KmsError::new("MalformedPolicyDocumentException", text)
    }

    pub(crate) fn invalid_key_id(id: &str) -> KmsError {
        KmsError::new("NotFoundException", format!("Invalid keyId '{id}'"))
    }

    pub(crate) fn other_region(region: &str) -> KmsError {
        KmsError::new("NotFoundException", format!("Invalid arn {region}"))
    }

    pub(crate) fn no_such_key(arn: &str) -> KmsError {
        KmsError::new("NotFoundException", format!("Key '{arn}' does not exist"))
    }

    pub(crate) fn no_such_alias(arn: &str) -> KmsError {
        KmsError::new("NotFoundException", format!("Alias {arn} is not found."))
    }

    pub(crate) fn no_such_policy() -> KmsError {
        KmsError::new("NotFoundException", "No such policy exists")
    }

    pub(crate) fn no_such_grant(id: &str) -> KmsError {
        KmsError::new("NotFoundException", format!("Grant ID {id} not found"))
    }

    pub(crate) fn invalid_arn(arn: &str) -> KmsError {
        KmsError::new("InvalidArnException", format!("ARN is not valid: {arn}"))
    }

    pub(crate) fn no_such_principal(arn: &str) -> KmsError {
        KmsError::new("InvalidArnException", format!("ARN does not refer to a valid principal: {arn}"))
    }

    pub(crate) fn dry_run() -> KmsError {
        KmsError::new("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
    }

    pub(crate) fn disabled(arn: &str) -> KmsError {
        KmsError::new("DisabledException", format!("{arn} is disabled."))
    }

    pub(crate) fn pending_deletion(arn: &str) -> KmsError {
        KmsError::new("KMSInvalidStateException", format!("{arn} is pending deletion."))
    }

    pub(crate) fn pending_import(arn: &str) -> KmsError {
        KmsError::new("KMSInvalidStateException", format!("{arn} is pending import."))
    }

    pub(crate) fn unavailable(arn: &str) -> KmsError {
        KmsError::new("KMSInvalidStateException", format!("{arn} is unavailable."))
    }

    pub(crate) fn wrong_origin(arn: &str, origin: &str) -> KmsError {
        unsupported(format!("{arn} origin is {origin} which is not valid for this operation."))
    }

    /// The parameter as AWS spells it in such texts: `includeKeyMaterial`.
    pub(crate) fn only_symmetric(parameter: &str) -> KmsError {
        validation(format!("Input parameter {parameter} can only be used with symmetric keys."))
    }

    pub(crate) fn incorrect_key_material(text: impl Into<String>) -> KmsError {
        KmsError::new("IncorrectKeyMaterialException", text)
    }

    pub(crate) fn pending_replica_deletion(arn: &str) -> KmsError {
        KmsError::new("KMSInvalidStateException", format!("{arn} is pending replica deletion."))
    }

    pub(crate) fn not_pending_deletion(arn: &str) -> KmsError {
        KmsError::new("KMSInvalidStateException", format!("{arn} is not pending deletion"))
    }

    /// The operation's name ends the text.
    pub(crate) fn wrong_usage(arn: &str, usage: &str, operation: &str) -> KmsError {
        KmsError::new(
            "InvalidKeyUsageException",
            format!("{arn} key usage is {usage} which is not valid for {operation}."),
        )
    }

    pub(crate) fn incompatible(algorithm: &str, spec: &str) -> KmsError {
        KmsError::new(
            "InvalidKeyUsageException",
            format!("Algorithm {algorithm} and key spec {spec} are incompatible with each other."),
        )
    }

    pub(crate) fn aliases_not_supported() -> KmsError {
        KmsError::new("InvalidArnException", "Key Aliases are not supported for this operation.")
    }

    pub(crate) fn invalid_ciphertext() -> KmsError {
        KmsError::silent("InvalidCiphertextException")
    }

    pub(crate) fn incorrect_key() -> KmsError {
        KmsError::new(
            "IncorrectKeyException",
            "The key ID in the request does not identify a CMK that can perform this operation.",
        )
    }

    pub(crate) fn invalid_marker() -> KmsError {
        KmsError::new("InvalidMarkerException", "The marker is not valid for this request.")
    }
}
