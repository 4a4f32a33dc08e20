use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::aws::Region;

/// The service of the credential scope (XKS Proxy API, "Authentication").
const SERVICE: &str = "kms-xks-proxy";
/// The headers that are signed, which are all that a proxy must look at.
const SIGNED: &str = "host;x-amz-date";
/// Between the two parts of a credential where it is stored: no access key id has it.
const SEPARATOR: char = ':';

/// What requests to a proxy are signed with.
#[derive(Clone)]
pub(in crate::kms) struct Credential {
    pub(in crate::kms) access_key_id: String,
    pub(in crate::kms) secret_access_key: Zeroizing<String>,
}

impl Credential {
    /// Both parts as one secret, so that no request ever pairs an old one with a new one.
    pub(in crate::kms) fn to_secret(&self) -> Zeroizing<Vec<u8>> {
        let parts = [self.access_key_id.as_str(), self.secret_access_key.as_str()];
        let mut secret = Zeroizing::new(Vec::with_capacity(parts[0].len() + SEPARATOR.len_utf8() + parts[1].len()));
        secret.extend_from_slice(parts[0].as_bytes());
        secret.push(SEPARATOR as u8);
        secret.extend_from_slice(parts[1].as_bytes());
        secret
    }

    pub(in crate::kms) fn of_secret(secret: &[u8]) -> Option<Self> {
        let (access_key_id, secret) = std::str::from_utf8(secret).ok()?.split_once(SEPARATOR)?;
        let secret_access_key = Zeroizing::new(secret.to_owned());
        Some(Self { access_key_id: access_key_id.to_owned(), secret_access_key })
    }

    /// The headers `x-amz-date` and `authorization` of a POST (XKS Proxy API, appendix A). Of a path
    /// that needs no encoding: a proxy's has none but letters, digits, `/`, `_`, `-` and `.`.
    pub(super) fn sign(
        &self,
        region: &Region,
        host: &str,
        path: &str,
        body: &[u8],
        now: Timestamp,
    ) -> (String, String) {
        let hash = |bytes: &[u8]| HEXLOWER.encode(&Sha256::digest(bytes));
        let date = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let day = date.get(..8).unwrap_or_default();
        let canonical = format!("POST\n{path}\n\nhost:{host}\nx-amz-date:{date}\n\n{SIGNED}\n{}", hash(body));
        let scope = format!("{day}/{region}/{SERVICE}/aws4_request");
        let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hash(canonical.as_bytes()));
        let key = generate_signing_key(&self.secret_access_key, now.into(), region.as_str(), SERVICE);
        let signature = calculate_signature(key, to_sign.as_bytes());
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={SIGNED}, Signature={signature}",
            self.access_key_id
        );
        (date, authorization)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential() -> Credential {
        Credential {
            access_key_id: "HGIE2BUAFNDMBCMSQVWLGCEXAMPLE".to_owned(),
            secret_access_key: Zeroizing::new("VU6W2byoiBrhDqNGbx703oL0syCAmhlQgwNUT123456".to_owned()),
        }
    }

    #[test]
    fn a_signature_is_that_of_another_implementation() {
        // Signed by botocore's SigV4Auth, with these two headers.
        let now = Timestamp::from_second(1_767_225_600).unwrap();
        let region = "us-east-1".parse().unwrap();
        let (date, authorization) =
            credential().sign(&region, "xks.example.com", "/path/kms/xks/v1/health", b"{}", now);
        assert_eq!(date, "20260101T000000Z");
        assert_eq!(authorization, SIGNED_BY_BOTOCORE);
    }

    const SIGNED_BY_BOTOCORE: &str = "AWS4-HMAC-SHA256 \
        Credential=HGIE2BUAFNDMBCMSQVWLGCEXAMPLE/20260101/us-east-1/kms-xks-proxy/aws4_request, \
        SignedHeaders=host;x-amz-date, \
        Signature=c7614d9a370e3976401d9bd0b4d35db2b5f2b98c65d7d20e80fede080d5f7613";

    #[test]
    fn a_credential_reads_back() {
        let read = Credential::of_secret(&credential().to_secret()).unwrap();
        assert_eq!(read.access_key_id, credential().access_key_id);
        assert_eq!(*read.secret_access_key, *credential().secret_access_key);
        assert!(Credential::of_secret(b"no separator").is_none());
    }
}
