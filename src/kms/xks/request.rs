use serde::{Serialize, Serializer};
use uuid::Uuid;

/// On whose behalf a proxy is asked, and for what (XKS Proxy API, appendix B). No VPC endpoint is
/// between a caller and this engine, and no service calls for anybody: of the optional members
/// there is the key alone.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::kms) struct Metadata<'a> {
    /// `aws:PrincipalArn` of the caller; none in a health check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::kms) aws_principal_arn: Option<&'a str>,
    /// The key; none before there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::kms) kms_key_arn: Option<&'a str>,
    pub(in crate::kms) kms_operation: &'a str,
    /// As the caller and the audit log have it.
    #[serde(serialize_with = "as_text")]
    pub(in crate::kms) kms_request_id: Uuid,
}

fn as_text<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// What GetHealthStatus and GetKeyMetadata send.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Question<'a> {
    pub(super) request_metadata: &'a Metadata<'a>,
}

/// What Encrypt sends. Bytes are base64.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Encrypt<'a> {
    pub(super) request_metadata: &'a Metadata<'a>,
    pub(super) additional_authenticated_data: String,
    pub(super) plaintext: String,
    pub(super) encryption_algorithm: &'static str,
    pub(super) ciphertext_data_integrity_value_algorithm: &'static str,
}

/// What Decrypt sends.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Decrypt<'a> {
    pub(super) request_metadata: &'a Metadata<'a>,
    pub(super) additional_authenticated_data: String,
    pub(super) ciphertext: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ciphertext_metadata: Option<String>,
    pub(super) encryption_algorithm: &'static str,
    pub(super) initialization_vector: String,
    pub(super) authentication_tag: String,
}

/// The one algorithm of the API's version 1.
pub(super) const ALGORITHM: &str = "AES_GCM";
/// The one algorithm of integrity values.
pub(super) const INTEGRITY: &str = "SHA_256";

/// What a proxy makes of a plaintext, and wants back to open it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::kms) struct Encrypted {
    /// 12 or 16 bytes.
    pub(in crate::kms) vector: Vec<u8>,
    pub(in crate::kms) tag: [u8; Self::TAG_BYTES],
    /// At most [`Self::MOST_METADATA`] bytes of the proxy's own; empty where it gave none.
    pub(in crate::kms) metadata: Vec<u8>,
    /// As long as the plaintext.
    pub(in crate::kms) ciphertext: Vec<u8>,
}

impl Encrypted {
    pub(in crate::kms) const TAG_BYTES: usize = 16;
    pub(in crate::kms) const VECTOR_BYTES: [usize; 2] = [12, 16];
    pub(in crate::kms) const MOST_METADATA: usize = 20;
}
