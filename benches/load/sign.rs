//! Requests, signed before the clock starts.

use std::path::Path;
use std::time::Duration;

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use sha2::{Digest, Sha256};

use crate::account::REGION;

pub(crate) struct Signer {
    access_key_id: String,
    key: Vec<u8>,
    date: String,
    time: String,
}

impl Signer {
    pub(crate) fn new(access_key_id: &str, secret: &str) -> Self {
        let now = std::time::SystemTime::UNIX_EPOCH + wall_clock();
        let key = generate_signing_key(secret, now, REGION, "kms").as_ref().to_vec();
        let time = jiff::Timestamp::try_from(now).unwrap().strftime("%Y%m%dT%H%M%SZ").to_string();
        Self { access_key_id: access_key_id.to_owned(), key, date: time[..8].to_owned(), time }
    }

    /// The bytes of one request, signed as botocore signs it.
    pub(crate) fn request(&self, host: &str, operation: &str, body: &str) -> Vec<u8> {
        let target = format!("TrentService.{operation}");
        let hash = |text: &[u8]| data_encoding::HEXLOWER.encode(&Sha256::digest(text));
        let signed = "content-type;host;x-amz-date;x-amz-target";
        let canonical = format!(
            "POST\n/\n\ncontent-type:application/x-amz-json-1.1\nhost:{host}\nx-amz-date:{}\nx-amz-target:{target}\n\n{signed}\n{}",
            self.time,
            hash(body.as_bytes())
        );
        let scope = format!("{}/{REGION}/kms/aws4_request", self.date);
        let to_sign = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{}", self.time, hash(canonical.as_bytes()));
        let signature = calculate_signature(&self.key, to_sign.as_bytes());
        format!(
            "POST / HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/x-amz-json-1.1\r\nx-amz-date: {}\r\nx-amz-target: {target}\r\n\
             user-agent: Botocore/1.40 md/load\r\ncontent-length: {}\r\nauthorization: AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={signed}, Signature={signature}\r\n\r\n{body}",
            self.time,
            body.len(),
            self.access_key_id,
        )
        .into_bytes()
    }
}

#[expect(clippy::disallowed_methods, reason = "clients sign with wall-clock time")]
pub(crate) fn wall_clock() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap()
}

pub(crate) fn root_signer(directory: &Path) -> Signer {
    let text = std::fs::read_to_string(directory.join("data/credentials")).unwrap();
    let value = |name: &str| {
        text.lines()
            .find_map(|line| {
                line.split_once('=').filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
            })
            .expect(name)
    };
    Signer::new(&value("aws_access_key_id"), &value("aws_secret_access_key"))
}
