use http::HeaderMap;
use sha2::{Digest, Sha256};

use super::algorithm::Algorithm;
use super::authentication::{Authentication, Form};
use super::profile::Profile;
use super::refusal::Refusal;

const UNSIGNED_PAYLOAD: &[u8] = b"UNSIGNED-PAYLOAD";
const SIGNED_CHUNKS: &[u8] = b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
const SIGNED_CHUNKS_WITH_TRAILER: &[u8] = b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
const UNSIGNED_CHUNKS: &[u8] = b"STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/// What vouches for a body, and so when it is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// A hash that is signed but not sent: the signature can be checked only when the body is there.
    Whole,
    /// Its SHA-256, sent and signed in the head.
    Sha256,
    /// Nothing (`UNSIGNED-PAYLOAD`) but the checksums that come with it.
    Unsigned,
    /// A signature over each chunk and, with a trailer, over that.
    SignedChunks {
        /// Checksums follow the last chunk.
        trailer: bool,
    },
    /// A checksum behind its unsigned chunks (`STREAMING-UNSIGNED-PAYLOAD-TRAILER`).
    UnsignedChunks,
}

impl Payload {
    /// What a request says of its payload, before anything of it is believed: whether its body must
    /// be there for [`Verifier::verify`](super::Verifier::verify) ([`Payload::Whole`]) or may follow
    /// [`Verifier::verify_head`](super::Verifier::verify_head).
    #[must_use]
    pub fn of(profile: &Profile, headers: &HeaderMap, query: Option<&str>) -> Self {
        if let Some(value) = headers.get("x-amz-content-sha256") {
            return Self::named(value.as_bytes());
        }
        match Authentication::claimed(headers, query) {
            Some(claimed) if claimed.form == Form::Query => match claimed.presigned.content_sha256 {
                Some(value) => Self::named(value.as_bytes()),
                None if profile.presigned_leaves_payload => Self::Unsigned,
                None => Self::Whole,
            },
            Some(_) | None => Self::Whole,
        }
    }

    /// By the sentinel in `x-amz-content-sha256`; what is none is a hash.
    fn named(value: &[u8]) -> Self {
        match value {
            UNSIGNED_PAYLOAD => Self::Unsigned,
            SIGNED_CHUNKS => Self::SignedChunks { trailer: false },
            SIGNED_CHUNKS_WITH_TRAILER => Self::SignedChunks { trailer: true },
            UNSIGNED_CHUNKS => Self::UnsignedChunks,
            _ => Self::Sha256,
        }
    }
}

/// The last line of a canonical request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ContentSha256 {
    /// The SHA-256, in lower-case hex, of the body that is there.
    Computed([u8; 64]),
    /// The same of the body that is to come, as the request has it.
    Announced([u8; 64]),
    /// Nothing vouches for the body.
    Unsigned,
    /// Signed chunks are to come.
    SignedChunks {
        /// And signed trailers.
        trailer: bool,
    },
    /// Unsigned chunks are to come, and trailers.
    UnsignedChunks,
}

/// A whole body, or what stands for it.
#[derive(Clone, Copy, Debug)]
pub(super) enum WholeBody<'a> {
    /// Its bytes.
    Bytes(&'a [u8]),
    /// Its SHA-256.
    Sha256(&'a [u8; 32]),
}

/// Where a payload was declared, which forms may take part, and the body as far as it is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Declared<'a> {
    pub(super) form: Form,
    pub(super) algorithm: Algorithm,
    /// The value of `x-amz-content-sha256`.
    pub(super) value: Option<&'a [u8]>,
    /// The whole body; `None` while it is to come.
    pub(super) body: Option<WholeBody<'a>>,
}

impl ContentSha256 {
    /// By the `x-amz-content-sha256` header, where there is one, and by what the service takes. A
    /// hash in the header must be that of a body that is there.
    ///
    /// Chunks are signed with a key of SigV4, after a head that is signed by header; a body that is
    /// there whole is not taken apart into chunks here.
    pub(super) fn of(profile: &Profile, declared: Declared<'_>) -> Result<Self, Refusal> {
        let Some(value) = declared.value else {
            return match (declared.form, declared.body) {
                (Form::Query, _) if profile.presigned_leaves_payload => {
                    if profile.unsigned_payload {
                        Ok(Self::Unsigned)
                    } else {
                        Err(Refusal::payload_mode(UNSIGNED_PAYLOAD))
                    }
                }
                (_, Some(body)) => Ok(Self::hash(body)),
                (_, None) => Err(Refusal::missing_content_sha256()),
            };
        };
        let chunked = profile.chunked_payload && declared.form == Form::Header && declared.body.is_none();
        match Payload::named(value) {
            Payload::Unsigned if profile.unsigned_payload => Ok(Self::Unsigned),
            Payload::SignedChunks { trailer } if chunked && declared.algorithm == Algorithm::HmacSha256 => {
                Ok(Self::SignedChunks { trailer })
            }
            Payload::UnsignedChunks if chunked && profile.unsigned_payload => Ok(Self::UnsignedChunks),
            Payload::Unsigned | Payload::SignedChunks { .. } | Payload::UnsignedChunks => {
                Err(Refusal::payload_mode(value))
            }
            Payload::Sha256 | Payload::Whole if value.starts_with(b"STREAMING-") => Err(Refusal::payload_mode(value)),
            Payload::Sha256 | Payload::Whole => match declared.body {
                Some(body) => {
                    let hash = Self::hash(body);
                    if hash.as_bytes() == value { Ok(hash) } else { Err(Refusal::payload_hash()) }
                }
                None => announced(value).map(Self::Announced).ok_or_else(Refusal::payload_hash),
            },
        }
    }

    /// The body's own.
    pub(super) fn hash(body: WholeBody<'_>) -> Self {
        Self::Computed(match body {
            WholeBody::Bytes(bytes) => hex(&Sha256::digest(bytes).into()),
            WholeBody::Sha256(hash) => hex(hash),
        })
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Computed(hex) | Self::Announced(hex) => hex,
            Self::Unsigned => UNSIGNED_PAYLOAD,
            Self::SignedChunks { trailer: false } => SIGNED_CHUNKS,
            Self::SignedChunks { trailer: true } => SIGNED_CHUNKS_WITH_TRAILER,
            Self::UnsignedChunks => UNSIGNED_CHUNKS,
        }
    }

    pub(super) fn payload(&self) -> Payload {
        match self {
            Self::Computed(_) => Payload::Whole,
            Self::Announced(_) => Payload::Sha256,
            Self::Unsigned => Payload::Unsigned,
            Self::SignedChunks { trailer } => Payload::SignedChunks { trailer: *trailer },
            Self::UnsignedChunks => Payload::UnsignedChunks,
        }
    }
}

/// 64 hexadecimal digits in lower case.
fn announced(value: &[u8]) -> Option<[u8; 64]> {
    let digits: [u8; 64] = value.try_into().ok()?;
    digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')).then_some(digits)
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8; 32]) -> [u8; 64] {
    // Arithmetic on 32 bytes at once: a table is read byte by byte.
    let digit = |nibble: u8| nibble + if nibble < 10 { b'0' } else { b'a' - 10 };
    let mut digits = [0; 64];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair[0] = digit(byte >> 4);
        pair[1] = digit(byte & 15);
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &[u8] = b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    const MODES: [&str; 7] = [
        "UNSIGNED-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-EVENTS",
        "STREAMING-",
    ];

    #[test]
    fn hex_is_lower_case() {
        let bytes: [u8; 32] = std::array::from_fn(|n| u8::try_from(n * 8 + n / 4).unwrap());
        assert_eq!(hex(&bytes)[..], *data_encoding::HEXLOWER.encode(&bytes).as_bytes());
    }

    fn whole<'a>(value: Option<&'a [u8]>, body: &'a [u8]) -> Declared<'a> {
        Declared { form: Form::Header, algorithm: Algorithm::HmacSha256, value, body: Some(WholeBody::Bytes(body)) }
    }

    #[test]
    fn a16_a17_the_header_must_be_the_body_and_the_body_must_be_signed() {
        let kms = Profile::kms();
        let of = |value, body| ContentSha256::of(&kms, whole(value, body));
        assert_eq!(of(None, b"").unwrap().as_bytes(), EMPTY);
        assert_eq!(of(Some(EMPTY), b"").unwrap().as_bytes(), EMPTY);
        let upper = EMPTY.to_ascii_uppercase();
        for claimed in [&upper[..], b"", &EMPTY[..63], b"unsigned-payload"] {
            assert_eq!(of(Some(claimed), b""), Err(Refusal::payload_hash()));
        }
        assert_eq!(of(Some(EMPTY), b"x"), Err(Refusal::payload_hash()));
        for mode in MODES {
            assert_eq!(of(Some(mode.as_bytes()), b""), Err(Refusal::payload_mode(mode.as_bytes())));
        }
    }

    /// Every form with every mode on every kind of profile: what is not named here is refused.
    #[test]
    fn a57_a_mode_is_taken_only_where_profile_form_and_algorithm_take_it() {
        use Algorithm::{EcdsaP256Sha256, HmacSha256};

        let none = Profile::general("s3").with_unsigned_payload(false).with_chunked_payload(false);
        let unsigned = Profile::general("execute-api").with_unsigned_payload(true);
        let chunked = Profile::s3().with_unsigned_payload(false);
        let all = Profile::s3();
        let mut taken = Vec::new();
        for (name, profile) in
            [("kms", Profile::kms()), ("none", none), ("unsigned", unsigned), ("chunked", chunked), ("all", all)]
        {
            for form in [Form::Header, Form::Query] {
                for algorithm in [HmacSha256, EcdsaP256Sha256] {
                    for body in [None, Some(WholeBody::Bytes(b"x"))] {
                        for mode in MODES {
                            let declared = Declared { form, algorithm, value: Some(mode.as_bytes()), body };
                            if let Ok(content) = ContentSha256::of(&profile, declared) {
                                assert_eq!(content.as_bytes(), mode.as_bytes());
                                let ways = format!("{form:?} {algorithm:?} {}", body.is_some());
                                taken.push(format!("{name} {ways} {:?}", content.payload()));
                            }
                        }
                    }
                }
            }
        }
        let mut expected = Vec::new();
        for name in ["all", "unsigned"] {
            for form in ["Header", "Query"] {
                for algorithm in ["HmacSha256", "EcdsaP256Sha256"] {
                    for body in ["false", "true"] {
                        expected.push(format!("{name} {form} {algorithm} {body} Unsigned"));
                    }
                }
            }
        }
        for name in ["all", "chunked"] {
            for trailer in [false, true] {
                expected.push(format!("{name} Header HmacSha256 false SignedChunks {{ trailer: {trailer} }}"));
            }
        }
        for algorithm in ["HmacSha256", "EcdsaP256Sha256"] {
            expected.push(format!("all Header {algorithm} false UnsignedChunks"));
        }
        taken.sort();
        expected.sort();
        assert_eq!(taken, expected);
    }

    #[test]
    fn a_body_to_come_has_its_hash_announced_or_its_presigner_left_it_out() {
        let head = |form, value| Declared { form, algorithm: Algorithm::HmacSha256, value, body: None };
        let s3 = Profile::s3();
        let sts = Profile::sts();
        let announced = ContentSha256::of(&s3, head(Form::Header, Some(EMPTY))).unwrap();
        assert_eq!((announced.as_bytes(), announced.payload()), (EMPTY, Payload::Sha256));
        assert_eq!(ContentSha256::of(&s3, head(Form::Header, None)), Err(Refusal::missing_content_sha256()));
        assert_eq!(ContentSha256::of(&s3, head(Form::Header, Some(&EMPTY[1..]))), Err(Refusal::payload_hash()));
        assert_eq!(ContentSha256::of(&s3, head(Form::Query, None)), Ok(ContentSha256::Unsigned));
        assert_eq!(ContentSha256::of(&sts, head(Form::Query, None)), Err(Refusal::missing_content_sha256()));
        let strict = Profile::s3().with_unsigned_payload(false);
        let refusal = Refusal::payload_mode(b"UNSIGNED-PAYLOAD");
        assert_eq!(ContentSha256::of(&strict, head(Form::Query, None)), Err(refusal));
    }

    #[test]
    fn whether_a_body_may_stream_is_told_by_the_head() {
        let mut by_header = HeaderMap::new();
        by_header.insert("authorization", "AWS4-HMAC-SHA256 Credential=a".parse().unwrap());
        let presigned = Some("X-Amz-Algorithm=AWS4-HMAC-SHA256");
        let hoisted = Some("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Content-Sha256=00");
        let (s3, sts, empty) = (Profile::s3(), Profile::sts(), HeaderMap::new());
        assert_eq!(Payload::of(&s3, &by_header, None), Payload::Whole);
        assert_eq!(Payload::of(&s3, &empty, None), Payload::Whole);
        assert_eq!(Payload::of(&s3, &empty, presigned), Payload::Unsigned);
        assert_eq!(Payload::of(&s3, &empty, hoisted), Payload::Sha256);
        assert_eq!(Payload::of(&sts, &empty, presigned), Payload::Whole);
        for (value, payload) in [
            ("00", Payload::Sha256),
            (MODES[0], Payload::Unsigned),
            (MODES[1], Payload::SignedChunks { trailer: false }),
            (MODES[2], Payload::SignedChunks { trailer: true }),
            (MODES[3], Payload::UnsignedChunks),
        ] {
            by_header.insert("x-amz-content-sha256", value.parse().unwrap());
            assert_eq!(Payload::of(&s3, &by_header, None), payload);
        }
    }
}
