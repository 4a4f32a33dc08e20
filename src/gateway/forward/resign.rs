//! Signing for an upstream with the gateway's own credential.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;

use super::head::CONTENT_SHA256;
use crate::aws::Region;
use crate::sigv4::Payload;

/// The credential that an upstream knows the gateway by.
pub(super) struct Signer {
    pub(super) service: String,
    pub(super) credentials: Credentials,
    /// None for the one that the client signed for.
    pub(super) region: Option<Region>,
}

/// What the signature says of the body.
pub(super) enum Signed<'a> {
    Whole(&'a Bytes),
    Streamed(Payload),
}

impl Signer {
    /// Adds the signature to a head that has its `Host`.
    ///
    /// # Errors
    /// What the library can't sign, such as a header that is not UTF-8.
    pub(super) fn sign(
        &self,
        method: &str,
        uri: &str,
        headers: &mut HeaderMap,
        body: &Signed<'_>,
        region: &Region,
        now: Timestamp,
    ) -> Result<(), String> {
        let is_s3 = self.service.starts_with("s3");
        let mut settings = SigningSettings::default();
        if is_s3 {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let identity = self.credentials.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region.as_ref().unwrap_or(region).as_str())
            .name(&self.service)
            .time(SystemTime::from(now))
            .settings(settings)
            .build()
            .map_err(|error| error.to_string())?;
        let body = match body {
            Signed::Whole(bytes) => SignableBody::Bytes(bytes),
            Signed::Streamed(payload) => match payload {
                Payload::Whole | Payload::Sha256 => {
                    let hash = headers.get(CONTENT_SHA256).and_then(|value| value.to_str().ok());
                    SignableBody::Precomputed(hash.ok_or("the payload's hash is missing")?.to_owned())
                }
                Payload::Unsigned | Payload::SignedChunks { trailer: false } => SignableBody::UnsignedPayload,
                Payload::SignedChunks { trailer: true } | Payload::UnsignedChunks => {
                    SignableBody::StreamingUnsignedPayloadTrailer
                }
            },
        };
        headers.remove("x-amz-date");
        headers.remove(CONTENT_SHA256);
        let mut texts = Vec::with_capacity(headers.len());
        for (name, value) in &*headers {
            let value = std::str::from_utf8(value.as_bytes()).map_err(|_| format!("the header {name} is not UTF-8"))?;
            texts.push((name.as_str(), value));
        }
        let request = SignableRequest::new(method, uri, texts.into_iter(), body).map_err(|error| error.to_string())?;
        let (instructions, _) = sign(request, &params.into()).map_err(|error| error.to_string())?.into_parts();
        let (added, _) = instructions.into_parts();
        for header in added {
            let name = HeaderName::from_bytes(header.name().as_bytes()).map_err(|error| error.to_string())?;
            let mut value = HeaderValue::from_str(header.value()).map_err(|error| error.to_string())?;
            value.set_sensitive(header.sensitive());
            headers.insert(name, value);
        }
        Ok(())
    }
}
