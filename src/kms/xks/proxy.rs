use std::sync::Arc;

use data_encoding::BASE64;
use jiff::Timestamp;
use serde::Serialize;

use super::answer;
use super::failure::Failure;
use super::request::{ALGORITHM, Decrypt, Encrypt, Encrypted, INTEGRITY, Metadata, Question};
use super::signing::Credential;
use super::transport::{XksAnswer, XksRequest, XksTransport};
use crate::aws::Region;

/// Where a proxy is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::kms) struct Place {
    /// In lower case.
    pub(in crate::kms) host: String,
    /// `XksProxyUriPath`, such as `/kms/xks/v1`.
    pub(in crate::kms) path: String,
}

/// A proxy that can be asked, at one moment.
pub(in crate::kms) struct Proxy<'a> {
    pub(in crate::kms) transport: Arc<dyn XksTransport>,
    pub(in crate::kms) place: Place,
    pub(in crate::kms) credential: Credential,
    /// Where the caller's request came in: the region of the credential scope.
    pub(in crate::kms) region: &'a Region,
    /// By the wall clock, which signatures go by.
    pub(in crate::kms) now: Timestamp,
}

impl Proxy<'_> {
    /// GetHealthStatus.
    ///
    /// # Errors
    /// Also where none of its key managers works.
    pub(in crate::kms) async fn health(&self, metadata: &Metadata<'_>) -> Result<(), Failure> {
        let answer = self.post("/health", &Question { request_metadata: metadata }).await?;
        self.noted(answer::health(&answer))
    }

    /// GetKeyMetadata, and whether the external key can be a KMS key's.
    pub(in crate::kms) async fn key_metadata(&self, key: &str, metadata: &Metadata<'_>) -> Result<(), Failure> {
        let answer = self.post(&format!("/keys/{key}/metadata"), &Question { request_metadata: metadata }).await?;
        self.noted(answer::key_metadata(&answer))
    }

    /// Encrypt.
    pub(in crate::kms) async fn encrypt(
        &self,
        key: &str,
        metadata: &Metadata<'_>,
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Encrypted, Failure> {
        let request = Encrypt {
            request_metadata: metadata,
            additional_authenticated_data: BASE64.encode(aad),
            plaintext: BASE64.encode(plaintext),
            encryption_algorithm: ALGORITHM,
            ciphertext_data_integrity_value_algorithm: INTEGRITY,
        };
        let answer = self.post(&format!("/keys/{key}/encrypt"), &request).await?;
        self.noted(answer::encrypted(&answer, aad, plaintext.len()))
    }

    /// Decrypt.
    pub(in crate::kms) async fn decrypt(
        &self,
        key: &str,
        metadata: &Metadata<'_>,
        aad: &[u8],
        encrypted: &Encrypted,
    ) -> Result<Vec<u8>, Failure> {
        let request = Decrypt {
            request_metadata: metadata,
            additional_authenticated_data: BASE64.encode(aad),
            ciphertext: BASE64.encode(&encrypted.ciphertext),
            ciphertext_metadata: (!encrypted.metadata.is_empty()).then(|| BASE64.encode(&encrypted.metadata)),
            encryption_algorithm: ALGORITHM,
            initialization_vector: BASE64.encode(&encrypted.vector),
            authentication_tag: BASE64.encode(&encrypted.tag),
        };
        let answer = self.post(&format!("/keys/{key}/decrypt"), &request).await?;
        self.noted(answer::decrypted(&answer, encrypted.ciphertext.len()))
    }

    /// Tells the log of an answer that is not what the API says: a proxy that lies or is broken.
    fn noted<T>(&self, outcome: Result<T, Failure>) -> Result<T, Failure> {
        if let Err(failure @ (Failure::Malformed | Failure::NoManager)) = &outcome {
            let (host, path) = (&self.place.host, &self.place.path);
            tracing::warn!(host, path, ?failure, "the proxy of an external key store answered what it should not");
        }
        outcome
    }

    async fn post(&self, below: &str, body: &impl Serialize) -> Result<XksAnswer, Failure> {
        let body = serde_json::to_vec(body).map_err(|_| Failure::Internal)?;
        let Place { host, path } = &self.place;
        let path = format!("{path}{below}");
        let (date, authorization) = self.credential.sign(self.region, host, &path, &body, self.now);
        Ok(self.transport.post(XksRequest { host: host.clone(), path, date, authorization, body }).await?)
    }
}
