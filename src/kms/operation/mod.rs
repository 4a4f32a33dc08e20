//! A request of the KMS API as a value.

mod custom_key_store;
mod dry_run;
mod import;
mod input;
mod members;
mod take;
mod unserved;

use super::api::{Kind, input};
use super::error::{KmsError, texts};
use super::grant_token::GrantToken;
use super::wire;
use dry_run::ignores_ciphertext;
use members::Members;
use unserved::refuse_unserved;
use uuid::Uuid;

pub(super) use custom_key_store::{CreateCustomKeyStore, CustomKeyStoreRequest, UpdateCustomKeyStore};
pub(super) use import::{ImportKeyMaterial, id_of_new_material};
pub(super) use input::{
    CreateGrant, CreateKey, EncryptionContext, Input, MacRequest, Page, ReEncrypt, ReplicateKey, RetireGrant,
    SignatureRequest,
};

/// One request of the KMS API, parsed and held to the model once.
///
/// Members that belong to what is not served are refused here, by name.
pub struct Operation {
    pub(super) kind: Kind,
    pub(super) input: Input,
    /// `DryRun`: everything is done but what would last, and the answer tells that it would be.
    pub(super) dry_run: bool,
    /// Whether the dry run looks at no ciphertext.
    pub(super) ignores_ciphertext: bool,
    /// The request's id, where it has one that others are to know it by.
    pub(super) request_id: Uuid,
}

impl Operation {
    /// Reads a request: the operation's name as `X-Amz-Target` has it after `TrentService.`, and
    /// the body.
    ///
    /// # Errors
    /// `UnknownOperationException` for a name that KMS does not have,
    /// `UnsupportedOperationException` for a member that is not served,
    /// `SerializationException` for a body that is no JSON object of the model's types,
    /// `ValidationException` for members that break the model's constraints.
    pub fn parse(operation: &str, body: &[u8]) -> Result<Self, KmsError> {
        let (Some(kind), Some(shape)) = (Kind::named(operation), input(operation)) else {
            return Err(KmsError::silent("UnknownOperationException"));
        };
        let mut request = wire::parse(body)?;
        wire::validate(shape, &mut request)?;
        refuse_unserved(kind, &mut request)?;
        let mut members = Members(request);
        let dry_run = members.truth("DryRun").unwrap_or(false);
        let ignores_ciphertext = ignores_ciphertext(kind, dry_run, &mut members)?;
        for token in members.texts("GrantTokens") {
            GrantToken::read(&token)?;
        }
        let input = Input::take(kind, &mut members, ignores_ciphertext)?;
        Ok(Self { kind, input, dry_run, ignores_ciphertext, request_id: Uuid::nil() })
    }

    /// With the request's id: what an external key store's proxy is told, to be found in the audit log.
    #[must_use]
    pub fn of_request(self, request_id: Uuid) -> Self {
        Self { request_id, ..self }
    }

    /// The operation's name in the model's spelling.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.kind.facts().name
    }

    /// Whether it changes what is stored: its audit record must be on disk before its answer.
    #[must_use]
    pub fn is_mutation(&self) -> bool {
        self.kind.facts().mutation
    }

    /// Holds each encryption context to a limit of bytes, keys and values together: a limit of
    /// ours, for AWS documents none.
    pub(super) fn check_encryption_contexts(&self, most: usize) -> Result<(), KmsError> {
        let contexts = match &self.input {
            Input::Encrypt { context, .. }
            | Input::Decrypt { context, .. }
            | Input::DataKey { context, .. }
            | Input::DataKeyPair { context, .. } => [("EncryptionContext", Some(context)), ("", None)],
            Input::ReEncrypt(request) => [
                ("SourceEncryptionContext", Some(&request.source_context)),
                ("DestinationEncryptionContext", Some(&request.destination_context)),
            ],
            _ => return Ok(()),
        };
        for (name, context) in contexts {
            let bytes = context.map_or(0, EncryptionContext::bytes);
            if bytes > most {
                return Err(texts::validation(format!(
                    "{name} must have at most {most} bytes of keys and values, and has {bytes}."
                )));
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Operation({})", self.name())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(operation: &str, body: &str) -> (&'static str, String) {
        let error = Operation::parse(operation, body.as_bytes()).err().unwrap();
        (error.code(), error.message().unwrap_or_default().to_owned())
    }

    #[test]
    fn what_is_not_served_is_named() {
        for (operation, body, thing) in [
            ("CreateCustomKeyStore", r#"{"CustomKeyStoreName":"n"}"#, "AWS_CLOUDHSM"),
            (
                "CreateCustomKeyStore",
                r#"{"CustomKeyStoreName":"n","CustomKeyStoreType":"AWS_CLOUDHSM"}"#,
                "AWS_CLOUDHSM",
            ),
            (
                "CreateCustomKeyStore",
                r#"{"CustomKeyStoreName":"n","CustomKeyStoreType":"EXTERNAL_KEY_STORE","XksProxyConnectivity":"VPC_ENDPOINT_SERVICE"}"#,
                "VPC_ENDPOINT_SERVICE",
            ),
            ("UpdateCustomKeyStore", r#"{"CustomKeyStoreId":"c","KeyStorePassword":"password"}"#, "KeyStorePassword"),
            (
                "CreateKey",
                r#"{"Origin":"EXTERNAL_KEY_STORE","CustomKeyStoreId":"c","XksKeyId":"x","MultiRegion":true}"#,
                "MultiRegion with Origin EXTERNAL_KEY_STORE",
            ),
            (
                "CreateKey",
                r#"{"Origin":"EXTERNAL_KEY_STORE","CustomKeyStoreId":"c","XksKeyId":"x","KeySpec":"HMAC_256","KeyUsage":"GENERATE_VERIFY_MAC"}"#,
                "KeySpec HMAC_256 with Origin EXTERNAL_KEY_STORE",
            ),
            ("CreateKey", r#"{"Origin":"AWS_CLOUDHSM"}"#, "AWS_CLOUDHSM"),
            ("CreateKey", r#"{"Origin":"EXTERNAL","KeySpec":"ML_DSA_65","KeyUsage":"SIGN_VERIFY"}"#, "ML_DSA_65"),
            (
                "GetParametersForImport",
                r#"{"KeyId":"k","WrappingAlgorithm":"RSAES_PKCS1_V1_5","WrappingKeySpec":"RSA_2048"}"#,
                "RSAES_PKCS1_V1_5",
            ),
            (
                "GetParametersForImport",
                r#"{"KeyId":"k","WrappingAlgorithm":"SM2PKE","WrappingKeySpec":"RSA_2048"}"#,
                "SM2PKE",
            ),
            (
                "GetParametersForImport",
                r#"{"KeyId":"k","WrappingAlgorithm":"RSAES_OAEP_SHA_1","WrappingKeySpec":"SM2"}"#,
                "SM2",
            ),
            ("CreateKey", r#"{"KeySpec":"SM2","KeyUsage":"SIGN_VERIFY"}"#, "SM2"),
            ("GenerateDataKeyPair", r#"{"KeyId":"k","KeyPairSpec":"SM2"}"#, "SM2"),
            ("GenerateRandom", r#"{"Recipient":{}}"#, "Recipient"),
        ] {
            let (code, message) = refused(operation, body);
            assert_eq!(code, "UnsupportedOperationException", "{operation} {body}");
            assert!(message.contains(thing), "{message}");
        }
        assert_eq!(refused("Nonsense", "{}").0, "UnknownOperationException");
    }

    #[test]
    fn defaults_spelled_out_are_served() {
        for (operation, body) in [
            ("CreateKey", "{}"),
            (
                "CreateKey",
                r#"{"MultiRegion":false,"Origin":"AWS_KMS","KeySpec":"SYMMETRIC_DEFAULT","KeyUsage":"ENCRYPT_DECRYPT"}"#,
            ),
            ("CreateKey", r#"{"CustomerMasterKeySpec":"SYMMETRIC_DEFAULT","XksKeyId":null}"#),
            ("Encrypt", r#"{"KeyId":"k","Plaintext":"QQ==","GrantTokens":[],"DryRun":false,"Unknown":{"x":1}}"#),
        ] {
            assert!(Operation::parse(operation, body.as_bytes()).is_ok(), "{body}");
        }
    }

    #[test]
    fn the_audit_shows_the_context_and_no_plaintext() {
        let body = r#"{"KeyId":"alias/a","Plaintext":"c2VjcmV0","EncryptionContext":{"Tenant":"x"}}"#;
        let shown = Operation::parse("Encrypt", body.as_bytes()).unwrap().request_parameters().unwrap().to_value();
        assert_eq!(
            shown,
            json!({"keyId": "alias/a", "encryptionContext": {"Tenant": "x"}, "encryptionAlgorithm": "SYMMETRIC_DEFAULT"})
        );
        assert!(Operation::parse("ListKeys", b"{}").unwrap().request_parameters().is_none());
    }

    #[test]
    fn the_audit_shows_algorithms_and_neither_messages_nor_signatures() {
        for (operation, body, expected) in [
            (
                "Verify",
                r#"{"KeyId":"k","Message":"c2VjcmV0","Signature":"QQ==","SigningAlgorithm":"ECDSA_SHA_256"}"#,
                json!({"keyId": "k", "messageType": "RAW", "signingAlgorithm": "ECDSA_SHA_256"}),
            ),
            (
                "VerifyMac",
                r#"{"KeyId":"k","Message":"c2VjcmV0","Mac":"QQ==","MacAlgorithm":"HMAC_SHA_256"}"#,
                json!({"keyId": "k", "macAlgorithm": "HMAC_SHA_256"}),
            ),
            (
                "DeriveSharedSecret",
                r#"{"KeyId":"k","KeyAgreementAlgorithm":"ECDH","PublicKey":"QQ=="}"#,
                json!({"keyId": "k", "keyAgreementAlgorithm": "ECDH"}),
            ),
            (
                "Decrypt",
                r#"{"KeyId":"k","DryRun":true,"DryRunModifiers":["IGNORE_CIPHERTEXT"]}"#,
                json!({
                    "keyId": "k", "encryptionAlgorithm": "SYMMETRIC_DEFAULT", "dryRun": true,
                    "dryRunModifiers": ["IGNORE_CIPHERTEXT"]
                }),
            ),
            (
                "GenerateDataKeyPair",
                r#"{"KeyId":"k","KeyPairSpec":"RSA_2048","EncryptionContext":{"a":"b"}}"#,
                json!({"keyId": "k", "encryptionContext": {"a": "b"}, "keyPairSpec": "RSA_2048"}),
            ),
            (
                "CreateKey",
                r#"{"KeySpec":"HMAC_256","KeyUsage":"GENERATE_VERIFY_MAC"}"#,
                json!({
                    "description": "", "keyUsage": "GENERATE_VERIFY_MAC", "keySpec": "HMAC_256",
                    "customerMasterKeySpec": "HMAC_256", "origin": "AWS_KMS", "multiRegion": false,
                    "bypassPolicyLockoutSafetyCheck": false
                }),
            ),
        ] {
            let operation = Operation::parse(operation, body.as_bytes()).unwrap();
            assert_eq!(operation.request_parameters().unwrap().to_value(), expected, "{}", operation.name());
        }
    }

    #[test]
    fn the_encryption_context_has_a_limit() {
        let most = 8192;
        for (length, good) in [(most, true), (most + 1, false)] {
            let context = format!(r#"{{"a":"{}"}}"#, "x".repeat(length - 1));
            for (operation, body) in [
                ("Encrypt", format!(r#"{{"KeyId":"k","Plaintext":"QQ==","EncryptionContext":{context}}}"#)),
                ("Decrypt", format!(r#"{{"CiphertextBlob":"QQ==","EncryptionContext":{context}}}"#)),
                ("GenerateDataKey", format!(r#"{{"KeyId":"k","KeySpec":"AES_256","EncryptionContext":{context}}}"#)),
                (
                    "ReEncrypt",
                    format!(
                        r#"{{"CiphertextBlob":"QQ==","DestinationKeyId":"k","SourceEncryptionContext":{context}}}"#
                    ),
                ),
                (
                    "ReEncrypt",
                    format!(
                        r#"{{"CiphertextBlob":"QQ==","DestinationKeyId":"k","DestinationEncryptionContext":{context}}}"#
                    ),
                ),
            ] {
                let operation = Operation::parse(operation, body.as_bytes()).unwrap();
                assert_eq!(operation.check_encryption_contexts(most).is_ok(), good, "{} {length}", operation.name());
            }
        }
    }
}
