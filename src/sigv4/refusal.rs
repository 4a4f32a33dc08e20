use std::fmt::{self, Write};

use super::algorithm::Algorithm;
use super::dialect::Dialect;

/// Most characters of a client's text that a message repeats.
const ECHO: usize = 64;

/// Why a request was not verified: an AWS error code and AWS's text for it.
///
/// The text never holds a secret, a computed signature or a whole header, and what it repeats
/// of the request is cut to 64 characters with control characters escaped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", self.code())]
pub struct Refusal {
    kind: RefusalKind,
    message: String,
}

/// The kinds of refusal. Each has a code in every [`Dialect`]; several have the same in one and
/// differ in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// Not signed at all.
    MissingAuthenticationToken,
    /// The `Authorization` header's own syntax is wrong, or it has no single reading.
    IncompleteSignature,
    /// The same of a presigned request's parameters.
    IncompleteQuery,
    /// The request has more than one reading: two signatures, a raw `+` in its query.
    AmbiguousSignature,
    /// A header that counts is not signed.
    UnsignedHeader,
    /// Signed for another day, region or service.
    WrongScope,
    /// Signed by header, with a date too far from the server's.
    SkewedTime,
    /// Presigned, and its time is over.
    ExpiredRequest,
    /// Presigned, with a date too far ahead.
    EarlyRequest,
    /// The signature does not hold for this request.
    InvalidSignature,
    /// This service does not take a payload that is signed so, or not at all.
    PayloadMode,
    /// The body is to come, and the head does not say what vouches for it.
    MissingPayloadHash,
    /// The body is not the one whose hash was signed.
    PayloadHash,
    /// The access key is unknown.
    UnrecognizedClient,
    /// The session token is not that of its access key.
    ForeignToken,
    /// A good signature by a temporary key whose time is over.
    ExpiredToken,
    /// A body in chunks does not say how long it is without them.
    MissingLength,
    /// A body ended early, or went on after its end.
    IncompleteBody,
    /// The framing of a body in chunks is broken.
    InvalidChunk,
    /// A signed chunk is larger than what is kept until its signature holds.
    ChunkTooLarge,
    /// What follows the chunks is not what was announced.
    MalformedTrailer,
    /// A checksum differs from the body's.
    BadDigest,
    /// `Content-MD5` is none.
    InvalidDigest,
    /// A checksum is malformed, missing, or of an unknown kind.
    InvalidChecksum,
    /// A bare HTTP 400: the request line is malformed before anything is signed.
    BadRequest,
    /// The credential source could not answer: HTTP 500 or 503, never a denial.
    Unavailable,
}

impl Refusal {
    /// The kind of refusal.
    #[must_use]
    pub fn kind(&self) -> RefusalKind {
        self.kind
    }

    /// The code of AWS JSON 1.1 services, such as `InvalidSignatureException`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code_for(Dialect::Json)
    }

    /// The text for the client.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    fn new(kind: RefusalKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::BadRequest, message)
    }

    /// The cause is for the operator's log; the client learns nothing of it.
    pub(super) fn unavailable() -> Self {
        Self::new(RefusalKind::Unavailable, "The service is unable to check credentials at this time.")
    }

    pub(super) fn not_signed() -> Self {
        Self::new(RefusalKind::MissingAuthenticationToken, "Request is missing Authentication Token")
    }

    pub(super) fn unsupported_algorithm(algorithm: &str) -> Self {
        Self::incomplete(format!("Unsupported AWS 'algorithm': '{}'.", Echo(algorithm)))
    }

    pub(super) fn not_key_value(part: &str, algorithm: Algorithm) -> Self {
        Self::incomplete(format!(
            "'{}' not a valid key=value pair (missing equal-sign) in Authorization header: '{} ...'.",
            Echo(part),
            algorithm.name()
        ))
    }

    pub(super) fn unknown_parameter(name: &str) -> Self {
        Self::incomplete(format!("'{}' is not a parameter of an Authorization header.", Echo(name)))
    }

    pub(super) fn repeated_parameter(name: &str) -> Self {
        Self::incomplete(format!("Authorization header must have exactly one '{name}' parameter."))
    }

    pub(super) fn authorization_not_ascii() -> Self {
        Self::incomplete("Authorization header must be visible ASCII.")
    }

    /// What the header lacks, in AWS's order, joined by spaces.
    pub(super) fn missing_parts(parameters: &[&str], date: bool) -> Self {
        let mut sentences: Vec<String> =
            parameters.iter().map(|name| format!("Authorization header requires '{name}' parameter.")).collect();
        if date {
            sentences.push(
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.".to_owned(),
            );
        }
        Self::incomplete(sentences.join(" "))
    }

    /// What the query of a presigned request lacks, in AWS's order; `X-Amz-` before each name.
    pub(super) fn missing_parameters(names: &[&str]) -> Self {
        let mut message = String::new();
        for name in names {
            let _ = write!(message, "AWS query-string parameters must include 'X-Amz-{name}'. ");
        }
        Self::query(message + "Re-examine the query-string parameters.")
    }

    pub(super) fn misspelt_parameter(name: &str) -> Self {
        Self::query(format!("Query-string parameter '{name}' must be spelled so, without escapes."))
    }

    pub(super) fn repeated_query_parameter(name: &str) -> Self {
        Self::query(format!("Query-string parameter '{name}' must not appear more than once."))
    }

    pub(super) fn parameter_not_ascii(name: &str) -> Self {
        Self::query(format!("Query-string parameter '{name}' must be visible ASCII."))
    }

    pub(super) fn expires_syntax(got: &str) -> Self {
        Self::query(format!("X-Amz-Expires must be a number of seconds from 0 to 604800. Got '{}'.", Echo(got)))
    }

    pub(super) fn missing_region_set() -> Self {
        Self::incomplete("A SigV4a signature requires 'X-Amz-Region-Set'.")
    }

    pub(super) fn repeated_header(name: &str) -> Self {
        Self::incomplete(format!("Header '{name}' must not appear more than once."))
    }

    pub(super) fn date_syntax(got: &[u8]) -> Self {
        Self::incomplete(format!(
            "Date must be in ISO-8601 'basic format'. Got '{}'. See http://en.wikipedia.org/wiki/ISO_8601",
            Echo(&String::from_utf8_lossy(got))
        ))
    }

    pub(super) fn credential_parts(credential: &str, algorithm: Algorithm) -> Self {
        let parts = match algorithm {
            Algorithm::HmacSha256 => "5 slash-delimited elements, e.g. keyid/date/region/service/term",
            Algorithm::EcdsaP256Sha256 => "4 slash-delimited elements, e.g. keyid/date/service/term",
        };
        Self::incomplete(format!("Credential must have exactly {parts}, got '{}'", Echo(credential)))
    }

    pub(super) fn two_ways_of_signing() -> Self {
        Self::ambiguous("Authentication parameters in the query string do not go with an Authorization header.")
    }

    /// A header beside a presigned request's parameter of the same meaning.
    pub(super) fn header_beside_query(name: &str) -> Self {
        Self::ambiguous(format!("A presigned request must not have a header '{name}'."))
    }

    pub(super) fn orphan_query_parameter() -> Self {
        Self::ambiguous("Authentication parameters in the query string need 'X-Amz-Algorithm'.")
    }

    pub(super) fn raw_plus() -> Self {
        Self::ambiguous("A raw '+' in the query string has no single reading: send '%20' or '%2B'.")
    }

    pub(super) fn host_not_signed() -> Self {
        Self::unsigned_header("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    }

    pub(super) fn header_not_signed(name: &str) -> Self {
        Self::unsigned_header(format!("'{}' must be a 'SignedHeader' in the AWS Authorization.", Echo(name)))
    }

    pub(super) fn signed_headers_syntax() -> Self {
        Self::invalid("'SignedHeaders' must be header names in lower case, sorted, each once, joined by ';'.")
    }

    pub(super) fn signed_header_absent(name: &str) -> Self {
        Self::invalid(format!("'{}' is a 'SignedHeader' but no header of the request.", Echo(name)))
    }

    pub(super) fn expired(date: &str, earliest: &str, now: &str, window: &str) -> Self {
        let message = format!("Signature expired: {date} is now earlier than {earliest} ({now} - {window})");
        Self::new(RefusalKind::ExpiredRequest, message)
    }

    pub(super) fn not_yet_current(date: &str, latest: &str, now: &str, window: &str) -> Self {
        let message = format!("Signature not yet current: {date} is still later than {latest} ({now} + {window})");
        Self::new(RefusalKind::EarlyRequest, message)
    }

    /// The same of a request that is signed by header: its clock is taken to be wrong.
    pub(super) fn skewed(untimely: Self) -> Self {
        Self { kind: RefusalKind::SkewedTime, ..untimely }
    }

    /// What is wrong with the scope, in AWS's order; AWS ends the first two sentences with a space.
    pub(super) fn scope(region: Option<&str>, service: Option<&str>, terminator: Option<&str>) -> Self {
        let mut message = String::new();
        if let Some(region) = region {
            let _ = write!(message, "Credential should be scoped to a valid region, not '{}'. ", Echo(region));
        }
        if let Some(service) = service {
            let _ = write!(message, "Credential should be scoped to correct service: '{service}'. ");
        }
        if let Some(terminator) = terminator {
            let _ = write!(
                message,
                "Credential should be scoped with a valid terminator: 'aws4_request', not '{}'.",
                Echo(terminator)
            );
        }
        Self::new(RefusalKind::WrongScope, message)
    }

    pub(super) fn scope_date(scope: &str, day: &str, date: &str) -> Self {
        let message = format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
             '{}' != '{day}', from '{date}'.",
            Echo(scope)
        );
        Self::new(RefusalKind::WrongScope, message)
    }

    pub(super) fn payload_mode(mode: &[u8]) -> Self {
        let message = format!(
            "The payload of this service must be signed: 'x-amz-content-sha256' must not be '{}'.",
            Echo(&String::from_utf8_lossy(mode))
        );
        Self::new(RefusalKind::PayloadMode, message)
    }

    pub(super) fn missing_content_sha256() -> Self {
        Self::new(RefusalKind::MissingPayloadHash, "Missing required header for this request: x-amz-content-sha256")
    }

    pub(super) fn payload_hash() -> Self {
        Self::new(
            RefusalKind::PayloadHash,
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )
    }

    pub(super) fn two_content_hashes() -> Self {
        Self::ambiguous("'x-amz-content-sha256' is given as a header and in the query string.")
    }

    pub(super) fn missing_decoded_length() -> Self {
        Self::new(
            RefusalKind::MissingLength,
            "A body in chunks requires one header 'x-amz-decoded-content-length' with a number of bytes.",
        )
    }

    pub(super) fn incomplete_body() -> Self {
        Self::new(
            RefusalKind::IncompleteBody,
            "The body does not have the number of bytes that 'x-amz-decoded-content-length' says.",
        )
    }

    pub(super) fn body_goes_on() -> Self {
        Self::new(RefusalKind::IncompleteBody, "The body goes on after its last chunk.")
    }

    pub(super) fn chunk_syntax(what: &'static str) -> Self {
        Self::new(RefusalKind::InvalidChunk, format!("The body's chunks are malformed: {what}."))
    }

    pub(super) fn chunk_too_large(limit: u64) -> Self {
        Self::new(RefusalKind::ChunkTooLarge, format!("A signed chunk must not have more than {limit} bytes."))
    }

    pub(super) fn trailer(what: impl fmt::Display) -> Self {
        Self::new(RefusalKind::MalformedTrailer, format!("The body's trailer is malformed: {what}."))
    }

    pub(super) fn trailer_name(what: &'static str, name: &str) -> Self {
        Self::trailer(format_args!("'{}' {what}", Echo(name)))
    }

    pub(super) fn missing_checksum() -> Self {
        let names = "CRC32, CRC32C, CRC64NVME, SHA1, SHA256, SHA512 or MD5";
        Self::new(
            RefusalKind::InvalidChecksum,
            format!("A body in unsigned chunks requires a trailer with its checksum: {names}."),
        )
    }

    pub(super) fn checksum_syntax(header: &str) -> Self {
        if header == "content-md5" {
            return Self::new(RefusalKind::InvalidDigest, "The Content-MD5 you specified was invalid.");
        }
        Self::new(RefusalKind::InvalidChecksum, format!("Value for {} header is invalid.", Echo(header)))
    }

    pub(super) fn checksum_differs(header: &str) -> Self {
        let message = match header.strip_prefix("x-amz-checksum-") {
            Some(name) => {
                format!("The {} you specified did not match the calculated checksum.", name.to_ascii_uppercase())
            }
            None => "The Content-MD5 you specified did not match what we received.".to_owned(),
        };
        Self::new(RefusalKind::BadDigest, message)
    }

    pub(super) fn signature_differs() -> Self {
        Self::invalid(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
             Access Key and signing method. Consult the service documentation for details.",
        )
    }

    pub(super) fn unknown_key() -> Self {
        Self::new(RefusalKind::UnrecognizedClient, "The security token included in the request is invalid.")
    }

    pub(super) fn foreign_token() -> Self {
        Self::new(RefusalKind::ForeignToken, "The security token included in the request is invalid.")
    }

    pub(super) fn expired_token() -> Self {
        Self::new(RefusalKind::ExpiredToken, "The security token included in the request is expired")
    }

    fn incomplete(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::IncompleteSignature, message)
    }

    fn query(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::IncompleteQuery, message)
    }

    fn ambiguous(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::AmbiguousSignature, message)
    }

    fn unsigned_header(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::UnsignedHeader, message)
    }

    fn invalid(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::InvalidSignature, message)
    }
}

/// A client's text as a message may repeat it.
struct Echo<'a>(&'a str);

impl fmt::Display for Echo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars().take(ECHO) {
            if c.is_control() { write!(f, "{}", c.escape_default())? } else { f.write_char(c)? }
        }
        if self.0.chars().nth(ECHO).is_some() { f.write_str("...") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_aws_own_or_documented() {
        let inc = "IncompleteSignatureException";
        let ise = "InvalidSignatureException";
        let table = [
            (Refusal::not_signed(), "MissingAuthenticationTokenException", "Request is missing Authentication Token"),
            (Refusal::unsupported_algorithm("x"), inc, "Unsupported AWS 'algorithm': 'x'."),
            (
                Refusal::not_key_value("p", Algorithm::HmacSha256),
                inc,
                "'p' not a valid key=value pair (missing equal-sign) in Authorization header: 'AWS4-HMAC-SHA256 ...'.",
            ),
            (Refusal::unknown_parameter("Foo"), inc, "'Foo' is not a parameter of an Authorization header."),
            (
                Refusal::repeated_parameter("Credential"),
                inc,
                "Authorization header must have exactly one 'Credential' parameter.",
            ),
            (Refusal::authorization_not_ascii(), inc, "Authorization header must be visible ASCII."),
            (
                Refusal::missing_parts(&["Credential", "Signature", "SignedHeaders"], true),
                inc,
                "Authorization header requires 'Credential' parameter. \
                 Authorization header requires 'Signature' parameter. \
                 Authorization header requires 'SignedHeaders' parameter. \
                 Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
            ),
            (Refusal::repeated_header("host"), inc, "Header 'host' must not appear more than once."),
            (
                Refusal::date_syntax(b"2015-08-30"),
                inc,
                "Date must be in ISO-8601 'basic format'. Got '2015-08-30'. See http://en.wikipedia.org/wiki/ISO_8601",
            ),
            (
                Refusal::credential_parts("a/b", Algorithm::HmacSha256),
                inc,
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'a/b'",
            ),
            (
                Refusal::missing_parameters(&["Credential", "Date"]),
                inc,
                "AWS query-string parameters must include 'X-Amz-Credential'. \
                 AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters.",
            ),
            (
                Refusal::two_ways_of_signing(),
                ise,
                "Authentication parameters in the query string do not go with an Authorization header.",
            ),
            (
                Refusal::orphan_query_parameter(),
                ise,
                "Authentication parameters in the query string need 'X-Amz-Algorithm'.",
            ),
            (Refusal::raw_plus(), ise, "A raw '+' in the query string has no single reading: send '%20' or '%2B'."),
            (
                Refusal::host_not_signed(),
                ise,
                "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
            ),
            (
                Refusal::header_not_signed("x-amz-target"),
                ise,
                "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization.",
            ),
            (
                Refusal::signed_headers_syntax(),
                ise,
                "'SignedHeaders' must be header names in lower case, sorted, each once, joined by ';'.",
            ),
            (Refusal::signed_header_absent("x-foo"), ise, "'x-foo' is a 'SignedHeader' but no header of the request."),
            (
                Refusal::expired("A", "B", "NOW", "5 min."),
                ise,
                "Signature expired: A is now earlier than B (NOW - 5 min.)",
            ),
            (
                Refusal::not_yet_current("A", "B", "NOW", "5 min."),
                ise,
                "Signature not yet current: A is still later than B (NOW + 5 min.)",
            ),
            (
                Refusal::scope(Some("x"), Some("kms"), Some("y")),
                ise,
                "Credential should be scoped to a valid region, not 'x'. \
                 Credential should be scoped to correct service: 'kms'. \
                 Credential should be scoped with a valid terminator: 'aws4_request', not 'y'.",
            ),
            (Refusal::scope(Some("x"), None, None), ise, "Credential should be scoped to a valid region, not 'x'. "),
            (
                Refusal::scope_date("a", "b", "bT1Z"),
                ise,
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
                 'a' != 'b', from 'bT1Z'.",
            ),
            (
                Refusal::payload_mode(b"UNSIGNED-PAYLOAD"),
                ise,
                "The payload of this service must be signed: 'x-amz-content-sha256' must not be 'UNSIGNED-PAYLOAD'.",
            ),
            (
                Refusal::payload_hash(),
                ise,
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            ),
            (
                Refusal::signature_differs(),
                ise,
                "The request signature we calculated does not match the signature you provided. Check your AWS \
                 Secret Access Key and signing method. Consult the service documentation for details.",
            ),
            (
                Refusal::unknown_key(),
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            ),
            (
                Refusal::checksum_differs("content-md5"),
                "ValidationException",
                "The Content-MD5 you specified did not match what we received.",
            ),
            (
                Refusal::checksum_differs("x-amz-checksum-crc32c"),
                "ValidationException",
                "The CRC32C you specified did not match the calculated checksum.",
            ),
            (
                Refusal::trailer_name("is there twice", "a\r"),
                "ValidationException",
                "The body's trailer is malformed: 'a\\r' is there twice.",
            ),
            (
                Refusal::expired_token(),
                "ExpiredTokenException",
                "The security token included in the request is expired",
            ),
            (
                Refusal::unavailable(),
                "ServiceUnavailableException",
                "The service is unable to check credentials at this time.",
            ),
            (Refusal::bad_request("no"), "BadRequest", "no"),
        ];
        for (refusal, code, message) in table {
            assert_eq!((refusal.code(), refusal.message()), (code, message));
            assert_eq!(refusal.to_string(), format!("{code}: {message}"));
        }
    }

    #[test]
    fn a_message_repeats_little_and_nothing_that_controls_a_terminal() {
        let refusal = Refusal::unsupported_algorithm(&format!("\u{1b}[31m\r\n{}", "x".repeat(500)));
        assert!(refusal.message().starts_with("Unsupported AWS 'algorithm': '\\u{1b}[31m\\r\\nxxx"));
        assert!(refusal.message().ends_with("x...'."));
        assert!(refusal.message().len() < 130);
    }
}
