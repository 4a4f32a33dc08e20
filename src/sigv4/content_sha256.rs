use sha2::{Digest, Sha256};

use super::profile::Profile;
use super::refusal::Refusal;

const UNSIGNED_PAYLOAD: &[u8] = b"UNSIGNED-PAYLOAD";

/// The last line of a canonical request: what vouches for the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ContentSha256 {
    /// The body's SHA-256 in lower-case hex.
    Signed([u8; 64]),
    /// Nothing does.
    Unsigned,
}

impl ContentSha256 {
    /// By the `x-amz-content-sha256` header, where there is one, and by what the service takes.
    /// A hash in the header must be the body's; the streaming modes are not taken.
    pub(super) fn of(profile: &Profile, header: Option<&[u8]>, body: &[u8]) -> Result<Self, Refusal> {
        match header {
            None => Ok(Self::hash(body)),
            Some(UNSIGNED_PAYLOAD) if profile.unsigned_payload => Ok(Self::Unsigned),
            Some(mode) if mode == UNSIGNED_PAYLOAD || mode.starts_with(b"STREAMING-") => {
                Err(Refusal::payload_mode(mode))
            }
            Some(claimed) => {
                let hash = Self::hash(body);
                if hash.as_bytes() == claimed { Ok(hash) } else { Err(Refusal::payload_hash()) }
            }
        }
    }

    /// The body's own.
    pub(super) fn hash(body: &[u8]) -> Self {
        Self::Signed(hex(&Sha256::digest(body).into()))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Signed(hex) => hex,
            Self::Unsigned => UNSIGNED_PAYLOAD,
        }
    }
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

    #[test]
    fn hex_is_lower_case() {
        let bytes: [u8; 32] = std::array::from_fn(|n| u8::try_from(n * 8 + n / 4).unwrap());
        assert_eq!(hex(&bytes)[..], *data_encoding::HEXLOWER.encode(&bytes).as_bytes());
    }

    const EMPTY: &[u8] = b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a16_a17_the_header_must_be_the_body_and_the_body_must_be_signed() {
        let kms = Profile::kms();
        assert_eq!(ContentSha256::of(&kms, None, b"").unwrap().as_bytes(), EMPTY);
        assert_eq!(ContentSha256::of(&kms, Some(EMPTY), b"").unwrap().as_bytes(), EMPTY);
        let upper = EMPTY.to_ascii_uppercase();
        for claimed in [&upper[..], b"", &EMPTY[..63], b"unsigned-payload"] {
            assert_eq!(ContentSha256::of(&kms, Some(claimed), b""), Err(Refusal::payload_hash()));
        }
        assert_eq!(ContentSha256::of(&kms, Some(EMPTY), b"x"), Err(Refusal::payload_hash()));
        for mode in [
            "UNSIGNED-PAYLOAD",
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            "STREAMING-",
        ] {
            let refusal = Refusal::payload_mode(mode.as_bytes());
            assert_eq!(ContentSha256::of(&kms, Some(mode.as_bytes()), b""), Err(refusal.clone()));
            let lenient = Profile::general("s3").with_unsigned_payload(true);
            let outcome = ContentSha256::of(&lenient, Some(mode.as_bytes()), b"x");
            if mode == "UNSIGNED-PAYLOAD" {
                assert_eq!(outcome.unwrap().as_bytes(), b"UNSIGNED-PAYLOAD");
            } else {
                assert_eq!(outcome, Err(refusal));
            }
        }
    }
}
