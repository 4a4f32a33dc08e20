use super::algorithm::Algorithm;
use super::refusal::Refusal;

/// The parameters of an `Authorization` header, each as it was sent; what is absent is `None`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Authorization<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) credential: Option<&'a str>,
    pub(super) signed_headers: Option<&'a str>,
    pub(super) signature: Option<&'a str>,
}

impl<'a> Authorization<'a> {
    /// The algorithm, one space, then `key=value` joined by commas, with white space after a
    /// comma and in any order. A parameter twice, or one that is not known, is refused.
    #[expect(clippy::needless_bitwise_bool, reason = "without a branch it is done on many bytes at once")]
    pub(super) fn parse(header: &'a [u8]) -> Result<Self, Refusal> {
        // Without an early end, so that it is done on many bytes at once.
        let visible = header.iter().fold(true, |all, b| all & ((b' '..127).contains(b) | (*b == b'\t')));
        let header = std::str::from_utf8(header).ok().filter(|_| visible);
        let header = header.ok_or_else(Refusal::authorization_not_ascii)?;
        let (algorithm, parameters) = cut(header, b' ').unwrap_or((header, ""));
        let algorithm = Algorithm::parse(algorithm)?;
        let mut parts = Self { algorithm, credential: None, signed_headers: None, signature: None };
        if parameters.trim_ascii().is_empty() {
            return Ok(parts);
        }
        for part in parameters.split(',') {
            let part = part.trim_ascii();
            let (name, value) = cut(part, b'=').ok_or_else(|| Refusal::not_key_value(part, algorithm))?;
            let place = match name {
                "Credential" => &mut parts.credential,
                "SignedHeaders" => &mut parts.signed_headers,
                "Signature" => &mut parts.signature,
                other => return Err(Refusal::unknown_parameter(other)),
            };
            if place.replace(value).is_some() {
                return Err(Refusal::repeated_parameter(name));
            }
        }
        Ok(parts)
    }
}

/// The text before and after the first such ASCII character. The texts here are short: looking
/// at each byte is faster than a search that is prepared for long ones.
pub(super) fn cut(text: &str, at: u8) -> Option<(&str, &str)> {
    let place = text.bytes().position(|b| b == at)?;
    Some((text.get(..place)?, text.get(place + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(header: &str) -> String {
        Authorization::parse(header.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn parameters_come_in_any_order_with_white_space_after_commas() {
        for header in [
            "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=00",
            "AWS4-HMAC-SHA256 Signature=00,Credential=a/b,SignedHeaders=host",
            "AWS4-HMAC-SHA256  SignedHeaders=host,\t Signature=00,  Credential=a/b",
        ] {
            let parsed = Authorization::parse(header.as_bytes()).unwrap();
            assert_eq!(parsed.credential, Some("a/b"), "{header}");
            assert_eq!(parsed.signed_headers, Some("host"), "{header}");
            assert_eq!(parsed.signature, Some("00"), "{header}");
        }
    }

    #[test]
    fn both_algorithms_are_known_by_their_names() {
        let ecdsa = Authorization::parse(b"AWS4-ECDSA-P256-SHA256 Credential=a").unwrap();
        assert_eq!((ecdsa.algorithm, ecdsa.credential), (Algorithm::EcdsaP256Sha256, Some("a")));
        let hmac = Authorization::parse(b"AWS4-HMAC-SHA256").unwrap();
        assert_eq!((hmac.algorithm, hmac.credential), (Algorithm::HmacSha256, None));
    }

    #[test]
    fn a05_another_algorithm_is_not_supported() {
        for (header, algorithm) in [
            ("aws4-hmac-sha256 Credential=a", "aws4-hmac-sha256"),
            ("AWS4-ECDSA-P384-SHA256 Credential=a", "AWS4-ECDSA-P384-SHA256"),
            ("AWS4-HMAC-SHA512 Credential=a", "AWS4-HMAC-SHA512"),
            ("AWS4-HMAC-SHA256,Credential=a", "AWS4-HMAC-SHA256,Credential=a"),
            ("AWS4-HMAC-SHA256\tCredential=a", "AWS4-HMAC-SHA256\\tCredential=a"),
            ("Basic Zm9v", "Basic"),
            ("", ""),
        ] {
            assert_eq!(
                refused(header),
                format!("IncompleteSignatureException: Unsupported AWS 'algorithm': '{algorithm}'.")
            );
        }
    }

    #[test]
    fn a06_a_parameter_twice_is_refused() {
        for name in ["Credential", "SignedHeaders", "Signature"] {
            let header = format!("AWS4-HMAC-SHA256 {name}=a, {name}=a");
            assert_eq!(Authorization::parse(header.as_bytes()).unwrap_err(), Refusal::repeated_parameter(name));
        }
    }

    #[test]
    fn a_part_without_equal_sign_is_named_and_the_rest_is_not_repeated() {
        for (header, part) in [
            ("AWS4-HMAC-SHA256 foo", "foo"),
            ("AWS4-HMAC-SHA256 Credential=hush, foo", "foo"),
            ("AWS4-HMAC-SHA256 Credential=hush,", ""),
            ("AWS4-HMAC-SHA256 Credential=hush,,Signature=00", ""),
        ] {
            assert_eq!(
                Authorization::parse(header.as_bytes()).unwrap_err(),
                Refusal::not_key_value(part, Algorithm::HmacSha256)
            );
            assert!(!refused(header).contains("hush"));
        }
        assert_eq!(refused("AWS4-HMAC-SHA256 credential=a"), Refusal::unknown_parameter("credential").to_string());
        assert_eq!(refused("AWS4-HMAC-SHA256 Credential=\u{e9}"), Refusal::authorization_not_ascii().to_string());
    }
}
