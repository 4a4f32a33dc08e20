use zeroize::Zeroizing;

use super::api::{Kind, input};
use super::error::{KmsError, texts};
use super::wire::{self, Json, Object};

/// One request of the KMS API, parsed and held to the model once.
///
/// Members that belong to what is not served yet are refused here, by name.
pub struct Operation {
    pub(super) kind: Kind,
    pub(super) input: Input,
}

/// The members of each operation, in forms that several share.
pub(super) enum Input {
    /// A key and nothing else.
    Key {
        key_id: String,
    },
    CreateKey(CreateKey),
    /// `ListKeys`, `ListAliases` (perhaps of one key), `ListKeyPolicies`, `ListResourceTags`,
    /// `ListKeyRotations`.
    List {
        key_id: Option<String>,
        page: Page,
        all_material: bool,
    },
    GetKeyPolicy {
        key_id: String,
        policy_name: Option<String>,
    },
    PutKeyPolicy {
        key_id: String,
        policy_name: Option<String>,
        policy: String,
        bypass: Option<bool>,
    },
    ScheduleKeyDeletion {
        key_id: String,
        window_days: Option<i64>,
    },
    UpdateKeyDescription {
        key_id: String,
        description: String,
    },
    /// `CreateAlias`, `UpdateAlias`; `DeleteAlias` without a target.
    Alias {
        alias_name: String,
        target: Option<String>,
    },
    Tag {
        key_id: String,
        tags: Vec<(String, String)>,
    },
    Untag {
        key_id: String,
        tag_keys: Vec<String>,
    },
    EnableKeyRotation {
        key_id: String,
        period_days: Option<i64>,
    },
    Encrypt {
        key_id: String,
        plaintext: Zeroizing<Vec<u8>>,
        context: EncryptionContext,
        algorithm: Option<String>,
    },
    Decrypt {
        key_id: Option<String>,
        ciphertext: Vec<u8>,
        context: EncryptionContext,
        algorithm: Option<String>,
    },
    ReEncrypt(ReEncrypt),
    /// `GenerateDataKey`, `GenerateDataKeyWithoutPlaintext`.
    DataKey {
        key_id: String,
        context: EncryptionContext,
        spec: Option<String>,
        bytes: Option<i64>,
    },
    Random {
        bytes: Option<i64>,
    },
}

#[derive(Default)]
pub(super) struct CreateKey {
    pub(super) policy: Option<String>,
    pub(super) description: Option<String>,
    pub(super) tags: Vec<(String, String)>,
    pub(super) bypass: Option<bool>,
}

pub(super) struct ReEncrypt {
    pub(super) ciphertext: Vec<u8>,
    pub(super) source_key_id: Option<String>,
    pub(super) source_context: EncryptionContext,
    pub(super) source_algorithm: Option<String>,
    pub(super) destination_key_id: String,
    pub(super) destination_context: EncryptionContext,
    pub(super) destination_algorithm: Option<String>,
}

/// Which part of a list is asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Page {
    pub(super) limit: Option<i64>,
    pub(super) marker: Option<String>,
}

/// Pairs of an encryption context, in the request's order; keys are case-sensitive and unique.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct EncryptionContext(pub(super) Vec<(String, String)>);

impl EncryptionContext {
    fn bytes(&self) -> usize {
        self.0.iter().map(|(key, value)| key.len() + value.len()).sum()
    }
}

/// The deletion window in days (KMS API Reference, "`ScheduleKeyDeletion`").
const MIN_WINDOW_DAYS: i64 = 7;
const MAX_WINDOW_DAYS: i64 = 30;

/// Most bytes of a key policy (AWS KMS quotas, "Key policy document size").
pub(super) const MAX_POLICY_BYTES: usize = 32 * 1024;

impl Operation {
    /// Reads a request: the operation's name as `X-Amz-Target` has it after `TrentService.`, and
    /// the body.
    ///
    /// # Errors
    /// `UnknownOperationException` for a name that KMS does not have,
    /// `UnsupportedOperationException` for an operation or a member that is not served,
    /// `SerializationException` for a body that is no JSON object of the model's types,
    /// `ValidationException` for members that break the model's constraints.
    pub fn parse(operation: &str, body: &[u8]) -> Result<Self, KmsError> {
        let Some(shape) = input(operation) else {
            return Err(KmsError::silent("UnknownOperationException"));
        };
        let Some(kind) = Kind::named(operation) else {
            return Err(texts::unsupported(format!("The operation {operation} is not supported.")));
        };
        let mut request = wire::parse(body)?;
        wire::validate(shape, &mut request)?;
        refuse_unserved(kind, &mut request)?;
        Ok(Self { kind, input: Input::take(kind, &mut Members(request))? })
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
            Input::Encrypt { context, .. } | Input::Decrypt { context, .. } | Input::DataKey { context, .. } => {
                [("EncryptionContext", Some(context)), ("", None)]
            }
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

/// What makes a member of later work a reason to refuse.
enum Unserved {
    /// Any value but this one.
    OtherThan(&'static str),
    /// `true`.
    True,
    /// Anything but an empty list.
    Items,
    /// Any value at all.
    Anything,
}

/// Members that name what is not served, wherever they may stand.
const UNSERVED: &[(&str, Unserved)] = &[
    ("MultiRegion", Unserved::True),
    ("Origin", Unserved::OtherThan("AWS_KMS")),
    ("KeyUsage", Unserved::OtherThan("ENCRYPT_DECRYPT")),
    ("CustomerMasterKeySpec", Unserved::OtherThan("SYMMETRIC_DEFAULT")),
    ("CustomKeyStoreId", Unserved::Anything),
    ("XksKeyId", Unserved::Anything),
    ("GrantTokens", Unserved::Items),
    ("DryRun", Unserved::True),
    ("DryRunModifiers", Unserved::Items),
    ("Recipient", Unserved::Anything),
];

fn refuse_unserved(kind: Kind, request: &mut Object<'_>) -> Result<(), KmsError> {
    let refuse = |name: &str, value: &str| Err(texts::unsupported(format!("{name}{value} is not supported.")));
    for (name, rule) in UNSERVED {
        match (rule, request.get_mut(name)) {
            (Unserved::True, Some(Json::Bool(true))) => return refuse(name, " true"),
            (Unserved::OtherThan(served), Some(Json::Text(text))) if text != served => {
                return refuse(name, &format!(" {text}"));
            }
            (Unserved::Items, Some(Json::List(list))) if !list.is_empty() => return refuse(name, ""),
            (Unserved::Anything, Some(_)) => return refuse(name, ""),
            _ => {}
        }
    }
    if kind == Kind::CreateKey {
        let spec = |request: &mut Object<'_>, name: &str| match request.get_mut(name) {
            Some(Json::Text(text)) => Some(text.to_string()),
            _ => None,
        };
        let (new, old) = (spec(request, "KeySpec"), spec(request, "CustomerMasterKeySpec"));
        if new.is_some() && old.is_some() {
            return Err(texts::validation(
                "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.",
            ));
        }
        if let Some(spec) = new.filter(|spec| spec != "SYMMETRIC_DEFAULT") {
            return refuse("KeySpec", &format!(" {spec}"));
        }
    }
    Ok(())
}

/// Takes members out of a request that the model was held to: a member of another type, or a
/// required one that is missing, can't be here.
struct Members<'a>(Object<'a>);

impl Members<'_> {
    fn text(&mut self, name: &str) -> Option<String> {
        match self.0.take(name) {
            Some(Json::Text(text)) => Some(text.into_owned()),
            _ => None,
        }
    }

    fn required(&mut self, name: &str) -> String {
        self.text(name).unwrap_or_default()
    }

    fn number(&mut self, name: &str) -> Option<i64> {
        match self.0.take(name) {
            Some(Json::Integer(number)) => Some(number),
            _ => None,
        }
    }

    fn truth(&mut self, name: &str) -> Option<bool> {
        match self.0.take(name) {
            Some(Json::Bool(value)) => Some(value),
            _ => None,
        }
    }

    fn blob(&mut self, name: &str) -> Option<Zeroizing<Vec<u8>>> {
        match self.0.take(name) {
            Some(Json::Blob(bytes)) => Some(bytes),
            _ => None,
        }
    }

    fn ciphertext(&mut self) -> Result<Vec<u8>, KmsError> {
        self.blob("CiphertextBlob").map(|bytes| bytes.to_vec()).ok_or_else(|| {
            texts::validation(
                "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null",
            )
        })
    }

    fn texts(&mut self, name: &str) -> Vec<String> {
        match self.0.take(name) {
            Some(Json::List(list)) => list
                .into_iter()
                .filter_map(|item| if let Json::Text(text) = item { Some(text.into_owned()) } else { None })
                .collect(),
            _ => Vec::new(),
        }
    }

    fn tags(&mut self) -> Vec<(String, String)> {
        match self.0.take("Tags") {
            Some(Json::List(list)) => list
                .into_iter()
                .filter_map(|item| if let Json::Object(object) = item { Some(Members(object)) } else { None })
                .map(|mut tag| (tag.required("TagKey"), tag.required("TagValue")))
                .collect(),
            _ => Vec::new(),
        }
    }

    fn context(&mut self, name: &str) -> EncryptionContext {
        let Some(Json::Object(object)) = self.0.take(name) else {
            return EncryptionContext::default();
        };
        let pairs =
            object
                .0
                .into_iter()
                .filter_map(|(key, value)| {
                    if let Json::Text(text) = value { Some((key.into_owned(), text.into_owned())) } else { None }
                })
                .collect();
        EncryptionContext(pairs)
    }

    fn page(&mut self) -> Page {
        Page { limit: self.number("Limit"), marker: self.text("Marker") }
    }
}

/// A number against limits that are narrower than the model's.
fn held_between(number: Option<i64>, member: &str, min: i64, max: i64) -> Result<(), KmsError> {
    let (relation, bound) = match number {
        Some(number) if number < min => ("greater", min),
        Some(number) if number > max => ("less", max),
        _ => return Ok(()),
    };
    let number = number.unwrap_or_default();
    Err(texts::validation(format!(
        "1 validation error detected: Value '{number}' at '{member}' failed to satisfy constraint: Member must have value {relation} than or equal to {bound}"
    )))
}

impl Input {
    fn take(kind: Kind, members: &mut Members<'_>) -> Result<Self, KmsError> {
        let key = |members: &mut Members<'_>| members.required("KeyId");
        Ok(match kind {
            Kind::CancelKeyDeletion
            | Kind::DescribeKey
            | Kind::DisableKey
            | Kind::DisableKeyRotation
            | Kind::EnableKey
            | Kind::GetKeyRotationStatus
            | Kind::RotateKeyOnDemand => Self::Key { key_id: key(members) },
            Kind::CreateKey => Self::CreateKey(CreateKey {
                policy: members.text("Policy"),
                description: members.text("Description"),
                tags: members.tags(),
                bypass: members.truth("BypassPolicyLockoutSafetyCheck"),
            }),
            Kind::ListKeys
            | Kind::ListAliases
            | Kind::ListKeyPolicies
            | Kind::ListKeyRotations
            | Kind::ListResourceTags => Self::List {
                key_id: members.text("KeyId"),
                page: members.page(),
                all_material: members.text("IncludeKeyMaterial").as_deref() == Some("ALL_KEY_MATERIAL"),
            },
            Kind::GetKeyPolicy => Self::GetKeyPolicy { key_id: key(members), policy_name: members.text("PolicyName") },
            Kind::PutKeyPolicy => Self::PutKeyPolicy {
                key_id: key(members),
                policy_name: members.text("PolicyName"),
                policy: members.required("Policy"),
                bypass: members.truth("BypassPolicyLockoutSafetyCheck"),
            },
            Kind::ScheduleKeyDeletion => {
                let window_days = members.number("PendingWindowInDays");
                held_between(window_days, "pendingWindowInDays", MIN_WINDOW_DAYS, MAX_WINDOW_DAYS)?;
                Self::ScheduleKeyDeletion { key_id: key(members), window_days }
            }
            Kind::UpdateKeyDescription => {
                Self::UpdateKeyDescription { key_id: key(members), description: members.required("Description") }
            }
            Kind::CreateAlias | Kind::UpdateAlias | Kind::DeleteAlias => {
                Self::Alias { alias_name: members.required("AliasName"), target: members.text("TargetKeyId") }
            }
            Kind::TagResource => Self::Tag { key_id: key(members), tags: members.tags() },
            Kind::UntagResource => Self::Untag { key_id: key(members), tag_keys: members.texts("TagKeys") },
            Kind::EnableKeyRotation => {
                Self::EnableKeyRotation { key_id: key(members), period_days: members.number("RotationPeriodInDays") }
            }
            Kind::Encrypt => Self::Encrypt {
                key_id: key(members),
                plaintext: members.blob("Plaintext").unwrap_or_default(),
                context: members.context("EncryptionContext"),
                algorithm: members.text("EncryptionAlgorithm"),
            },
            Kind::Decrypt => Self::Decrypt {
                key_id: members.text("KeyId"),
                ciphertext: members.ciphertext()?,
                context: members.context("EncryptionContext"),
                algorithm: members.text("EncryptionAlgorithm"),
            },
            Kind::ReEncrypt => Self::ReEncrypt(ReEncrypt {
                ciphertext: members.ciphertext()?,
                source_key_id: members.text("SourceKeyId"),
                source_context: members.context("SourceEncryptionContext"),
                source_algorithm: members.text("SourceEncryptionAlgorithm"),
                destination_key_id: members.required("DestinationKeyId"),
                destination_context: members.context("DestinationEncryptionContext"),
                destination_algorithm: members.text("DestinationEncryptionAlgorithm"),
            }),
            Kind::GenerateDataKey | Kind::GenerateDataKeyWithoutPlaintext => {
                let (spec, bytes) = (members.text("KeySpec"), members.number("NumberOfBytes"));
                if spec.is_some() == bytes.is_some() {
                    return Err(texts::validation("Please specify either number of bytes or key spec."));
                }
                Self::DataKey { key_id: key(members), context: members.context("EncryptionContext"), spec, bytes }
            }
            Kind::GenerateRandom => {
                let bytes = members.number("NumberOfBytes");
                if bytes.is_none() {
                    return Err(texts::validation("NumberOfBytes must be specified."));
                }
                Self::Random { bytes }
            }
        })
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
            ("CreateGrant", "not even JSON", "CreateGrant"),
            ("Sign", "{}", "Sign"),
            ("CreateKey", r#"{"MultiRegion":true}"#, "MultiRegion"),
            ("CreateKey", r#"{"Origin":"EXTERNAL"}"#, "EXTERNAL"),
            ("CreateKey", r#"{"KeySpec":"RSA_2048","KeyUsage":"ENCRYPT_DECRYPT"}"#, "RSA_2048"),
            ("CreateKey", r#"{"CustomerMasterKeySpec":"HMAC_256"}"#, "HMAC_256"),
            ("CreateKey", r#"{"KeyUsage":"SIGN_VERIFY"}"#, "SIGN_VERIFY"),
            ("CreateKey", r#"{"CustomKeyStoreId":"cks-1"}"#, "CustomKeyStoreId"),
            ("Encrypt", r#"{"KeyId":"k","Plaintext":"QQ==","DryRun":true}"#, "DryRun"),
            ("Encrypt", r#"{"KeyId":"k","Plaintext":"QQ==","GrantTokens":["t"]}"#, "GrantTokens"),
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
