use super::refusal::{Refusal, RefusalKind};

/// How a service writes its errors: the same refusal has another code, and another HTTP status,
/// with each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// AWS JSON 1.0 and 1.1 (KMS, DynamoDB).
    Json,
    /// REST with JSON (Lambda, API Gateway).
    RestJson,
    /// AWS Query and EC2 Query (STS, IAM, SQS).
    Query,
    /// REST with XML as Amazon S3 has it.
    S3,
}

impl RefusalKind {
    /// The code of AWS JSON services, of Query services, and of S3 with its HTTP status.
    ///
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html>,
    /// <https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html>,
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
    const fn codes(self) -> (&'static str, &'static str, (&'static str, u16)) {
        const INCOMPLETE: &str = "IncompleteSignatureException";
        const INVALID: &str = "InvalidSignatureException";
        const UNKNOWN: &str = "UnrecognizedClientException";
        const DIFFERS: &str = "SignatureDoesNotMatch";
        match self {
            Self::MissingAuthenticationToken => {
                ("MissingAuthenticationTokenException", "MissingAuthenticationToken", ("AccessDenied", 403))
            }
            Self::IncompleteSignature => (INCOMPLETE, "IncompleteSignature", ("AuthorizationHeaderMalformed", 400)),
            Self::IncompleteQuery => (INCOMPLETE, "IncompleteSignature", ("AuthorizationQueryParametersError", 400)),
            Self::AmbiguousSignature => (INVALID, DIFFERS, ("InvalidArgument", 400)),
            Self::UnsignedHeader => (INVALID, DIFFERS, ("AccessDenied", 403)),
            Self::WrongScope => (INVALID, DIFFERS, ("AuthorizationHeaderMalformed", 400)),
            Self::SkewedTime => (INVALID, DIFFERS, ("RequestTimeTooSkewed", 403)),
            Self::ExpiredRequest | Self::EarlyRequest => (INVALID, DIFFERS, ("AccessDenied", 403)),
            Self::InvalidSignature => (INVALID, DIFFERS, (DIFFERS, 403)),
            Self::PayloadMode => (INVALID, DIFFERS, ("InvalidArgument", 400)),
            Self::MissingPayloadHash => (INVALID, DIFFERS, ("InvalidRequest", 400)),
            Self::PayloadHash => (INVALID, DIFFERS, ("XAmzContentSHA256Mismatch", 400)),
            Self::UnrecognizedClient => (UNKNOWN, "InvalidClientTokenId", ("InvalidAccessKeyId", 403)),
            Self::ForeignToken => (UNKNOWN, "InvalidClientTokenId", ("InvalidToken", 400)),
            Self::ExpiredToken => ("ExpiredTokenException", "ExpiredToken", ("ExpiredToken", 400)),
            Self::MissingLength => ("ValidationException", "ValidationError", ("MissingContentLength", 411)),
            Self::IncompleteBody => ("ValidationException", "ValidationError", ("IncompleteBody", 400)),
            Self::InvalidChunk => ("ValidationException", "ValidationError", ("InvalidRequest", 400)),
            Self::ChunkTooLarge => ("ValidationException", "ValidationError", ("InvalidChunkSizeError", 403)),
            Self::MalformedTrailer => ("ValidationException", "ValidationError", ("MalformedTrailerError", 400)),
            Self::BadDigest => ("ValidationException", "ValidationError", ("BadDigest", 400)),
            Self::InvalidDigest => ("ValidationException", "ValidationError", ("InvalidDigest", 400)),
            Self::InvalidChecksum => ("ValidationException", "ValidationError", ("InvalidRequest", 400)),
            Self::BadRequest => ("BadRequest", "MalformedQueryString", ("InvalidURI", 400)),
            Self::Unavailable => ("ServiceUnavailableException", "ServiceUnavailable", ("ServiceUnavailable", 503)),
        }
    }
}

impl Refusal {
    /// The code in the words of a service's protocol.
    #[must_use]
    pub fn code_for(&self, dialect: Dialect) -> &'static str {
        let (json, query, (s3, _)) = self.kind().codes();
        match dialect {
            Dialect::Json | Dialect::RestJson => json,
            Dialect::Query => query,
            Dialect::S3 => s3,
        }
    }

    /// The HTTP status that goes with [`Refusal::code_for`].
    #[must_use]
    pub fn status_for(&self, dialect: Dialect) -> u16 {
        let (json, _, (_, s3)) = self.kind().codes();
        match (self.kind(), dialect) {
            (RefusalKind::Unavailable, _) => 503,
            (_, Dialect::S3) => s3,
            (_, Dialect::Json) => 400,
            (_, Dialect::RestJson | Dialect::Query) => match json {
                "IncompleteSignatureException" | "ValidationException" | "BadRequest" => 400,
                _ => 403,
            },
        }
    }

    /// The text in the words of a service's protocol: S3 has some of its own.
    #[must_use]
    pub fn message_for(&self, dialect: Dialect) -> &str {
        match (dialect, self.kind()) {
            (Dialect::S3, RefusalKind::MissingAuthenticationToken) => "Access Denied",
            (Dialect::S3, RefusalKind::SkewedTime) => {
                "The difference between the request time and the current time is too large."
            }
            (Dialect::S3, RefusalKind::ExpiredRequest) => "Request has expired",
            (Dialect::S3, RefusalKind::EarlyRequest) => "Request is not valid yet",
            (Dialect::S3, RefusalKind::UnrecognizedClient) => {
                "The AWS Access Key Id you provided does not exist in our records."
            }
            (Dialect::S3, RefusalKind::ForeignToken) => "The provided token is malformed or otherwise invalid.",
            (Dialect::S3, RefusalKind::ExpiredToken) => "The provided token has expired.",
            (Dialect::Json | Dialect::RestJson | Dialect::Query | Dialect::S3, _) => self.message(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_the_words_of_its_protocol() {
        for (refusal, json, query, query_status, s3, s3_status) in [
            (
                Refusal::not_signed(),
                "MissingAuthenticationTokenException",
                "MissingAuthenticationToken",
                403,
                "AccessDenied",
                403,
            ),
            (
                Refusal::signature_differs(),
                "InvalidSignatureException",
                "SignatureDoesNotMatch",
                403,
                "SignatureDoesNotMatch",
                403,
            ),
            (
                Refusal::unknown_key(),
                "UnrecognizedClientException",
                "InvalidClientTokenId",
                403,
                "InvalidAccessKeyId",
                403,
            ),
            (Refusal::foreign_token(), "UnrecognizedClientException", "InvalidClientTokenId", 403, "InvalidToken", 400),
            (Refusal::expired_token(), "ExpiredTokenException", "ExpiredToken", 403, "ExpiredToken", 400),
            (
                Refusal::payload_hash(),
                "InvalidSignatureException",
                "SignatureDoesNotMatch",
                403,
                "XAmzContentSHA256Mismatch",
                400,
            ),
            (
                Refusal::missing_parameters(&["Date"]),
                "IncompleteSignatureException",
                "IncompleteSignature",
                400,
                "AuthorizationQueryParametersError",
                400,
            ),
            (
                Refusal::unavailable(),
                "ServiceUnavailableException",
                "ServiceUnavailable",
                503,
                "ServiceUnavailable",
                503,
            ),
        ] {
            assert_eq!((refusal.code_for(Dialect::Json), refusal.code_for(Dialect::RestJson)), (json, json));
            assert_eq!((refusal.code_for(Dialect::Query), refusal.status_for(Dialect::Query)), (query, query_status));
            assert_eq!((refusal.code_for(Dialect::S3), refusal.status_for(Dialect::S3)), (s3, s3_status));
            assert_eq!(refusal.code(), json);
            let json_status = if query_status == 503 { 503 } else { 400 };
            assert_eq!(refusal.status_for(Dialect::Json), json_status);
            assert_eq!(refusal.status_for(Dialect::RestJson), query_status);
        }
    }

    #[test]
    fn s3_tells_of_time_and_tokens_in_its_own_words() {
        let skewed = Refusal::skewed(Refusal::expired("A", "B", "N", "5 min."));
        assert_eq!(skewed.message(), "Signature expired: A is now earlier than B (N - 5 min.)");
        assert_eq!(skewed.code_for(Dialect::S3), "RequestTimeTooSkewed");
        assert!(skewed.message_for(Dialect::S3).starts_with("The difference between"));
        let expired = Refusal::expired("A", "B", "N", "60 sec.");
        assert_eq!(
            (expired.code_for(Dialect::S3), expired.message_for(Dialect::S3)),
            ("AccessDenied", "Request has expired")
        );
        assert_eq!(Refusal::not_yet_current("A", "B", "N", "").message_for(Dialect::S3), "Request is not valid yet");
        assert_eq!(expired.message_for(Dialect::Query), expired.message());
    }
}
