use super::custom_key_store::{CustomKeyStoreRequest, in_custom_key_store};
use super::dry_run::named_without;
use super::import::held_to_origin;
use super::members::Members;
use super::{
    CreateGrant, CreateKey, EncryptionContext, ImportKeyMaterial, Input, MacRequest, ReEncrypt, ReplicateKey,
    RetireGrant, SignatureRequest,
};
use crate::kms::api::Kind;
use crate::kms::error::{KmsError, texts};
use crate::kms::spec::{
    self, KeyAgreementAlgorithm, KeySpec, MacAlgorithm, MessageType, Origin, SigningAlgorithm, WrappingAlgorithm,
};

/// The deletion window in days (KMS API Reference, "`ScheduleKeyDeletion`").
const MIN_WINDOW_DAYS: i64 = 7;
const MAX_WINDOW_DAYS: i64 = 30;

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

/// A ciphertext of an asymmetric key does not name its key: the request must (KMS API Reference,
/// "Decrypt", `KeyId`).
fn named_for(algorithm: Option<&str>, key_id: Option<&str>, member: &str) -> Result<(), KmsError> {
    match (algorithm, key_id) {
        (Some(algorithm), None) if algorithm != "SYMMETRIC_DEFAULT" => {
            Err(texts::validation(format!("{member} is required for the algorithm {algorithm}.")))
        }
        _ => Ok(()),
    }
}

impl Input {
    /// The members of an operation, out of a request that the model was held to.
    pub(super) fn take(kind: Kind, members: &mut Members<'_>, ignores_ciphertext: bool) -> Result<Self, KmsError> {
        let key = |members: &mut Members<'_>| members.required("KeyId");
        Ok(match kind {
            Kind::CancelKeyDeletion
            | Kind::DescribeKey
            | Kind::DisableKey
            | Kind::DisableKeyRotation
            | Kind::EnableKey
            | Kind::GetKeyLastUsage
            | Kind::GetKeyRotationStatus
            | Kind::GetPublicKey
            | Kind::RotateKeyOnDemand => Self::Key { key_id: key(members) },
            Kind::CreateKey => {
                let spec = members.text("KeySpec").or_else(|| members.text("CustomerMasterKeySpec"));
                let (spec, usage) = spec::of_new_key(spec.as_deref(), members.text("KeyUsage").as_deref())?;
                let origin = members.text("Origin").and_then(|name| Origin::named(&name)).unwrap_or_default();
                let multi_region = members.truth("MultiRegion").unwrap_or(false);
                held_to_origin(origin, spec)?;
                let custom_key_store = in_custom_key_store(origin, spec, multi_region, members)?;
                Self::CreateKey(CreateKey {
                    policy: members.text("Policy"),
                    description: members.text("Description"),
                    tags: members.tags(),
                    bypass: members.truth("BypassPolicyLockoutSafetyCheck"),
                    multi_region,
                    spec,
                    usage,
                    origin,
                    custom_key_store,
                })
            }
            Kind::ReplicateKey => Self::ReplicateKey(ReplicateKey {
                key_id: key(members),
                region: members.required("ReplicaRegion"),
                policy: members.text("Policy"),
                description: members.text("Description"),
                tags: members.tags(),
                bypass: members.truth("BypassPolicyLockoutSafetyCheck"),
            }),
            Kind::UpdatePrimaryRegion => {
                Self::UpdatePrimaryRegion { key_id: key(members), region: members.required("PrimaryRegion") }
            }
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
            Kind::Decrypt => {
                let (key_id, algorithm) = (members.text("KeyId"), members.text("EncryptionAlgorithm"));
                named_for(algorithm.as_deref(), key_id.as_deref(), "KeyId")?;
                let ciphertext = members.ciphertext(!ignores_ciphertext)?;
                named_without(&ciphertext, key_id.as_deref(), "KeyId")?;
                Self::Decrypt { key_id, ciphertext, context: members.context("EncryptionContext"), algorithm }
            }
            Kind::ReEncrypt => {
                let (source_key_id, source_algorithm) =
                    (members.text("SourceKeyId"), members.text("SourceEncryptionAlgorithm"));
                named_for(source_algorithm.as_deref(), source_key_id.as_deref(), "SourceKeyId")?;
                let ciphertext = members.ciphertext(!ignores_ciphertext)?;
                named_without(&ciphertext, source_key_id.as_deref(), "SourceKeyId")?;
                Self::ReEncrypt(ReEncrypt {
                    ciphertext,
                    source_key_id,
                    source_context: members.context("SourceEncryptionContext"),
                    source_algorithm,
                    destination_key_id: members.required("DestinationKeyId"),
                    destination_context: members.context("DestinationEncryptionContext"),
                    destination_algorithm: members.text("DestinationEncryptionAlgorithm"),
                })
            }
            Kind::GenerateDataKey | Kind::GenerateDataKeyWithoutPlaintext => {
                let (spec, bytes) = (members.text("KeySpec"), members.number("NumberOfBytes"));
                if spec.is_some() == bytes.is_some() {
                    return Err(texts::validation("Please specify either number of bytes or key spec."));
                }
                Self::DataKey { key_id: key(members), context: members.context("EncryptionContext"), spec, bytes }
            }
            Kind::CreateGrant => Self::CreateGrant(create_grant(members)?),
            Kind::ListGrants => Self::ListGrants {
                key_id: key(members),
                grant_id: members.text("GrantId"),
                grantee: members.text("GranteePrincipal"),
                page: members.page(),
            },
            Kind::ListRetirableGrants => {
                Self::ListRetirableGrants { retiring: members.required("RetiringPrincipal"), page: members.page() }
            }
            Kind::RetireGrant => Self::RetireGrant(retire_grant(members)?),
            Kind::RevokeGrant => Self::RevokeGrant { key_id: key(members), grant_id: members.required("GrantId") },
            Kind::GenerateRandom => {
                let bytes = members.number("NumberOfBytes");
                if bytes.is_none() {
                    return Err(texts::validation("NumberOfBytes must be specified."));
                }
                Self::Random { bytes, store: members.text("CustomKeyStoreId") }
            }
            Kind::ConnectCustomKeyStore
            | Kind::CreateCustomKeyStore
            | Kind::DeleteCustomKeyStore
            | Kind::DescribeCustomKeyStores
            | Kind::DisconnectCustomKeyStore
            | Kind::UpdateCustomKeyStore => Self::CustomKeyStore(CustomKeyStoreRequest::take(kind, members)?),
            Kind::GenerateMac | Kind::VerifyMac => Self::Mac(MacRequest {
                key_id: key(members),
                message: members.blob("Message").unwrap_or_default(),
                algorithm: members.value("MacAlgorithm", MacAlgorithm::named)?,
                mac: members.bytes("Mac"),
            }),
            Kind::Sign | Kind::Verify => Self::Signature(SignatureRequest {
                key_id: key(members),
                message: members.blob("Message").unwrap_or_default(),
                message_type: members
                    .text("MessageType")
                    .and_then(|name| MessageType::named(&name))
                    .unwrap_or_default(),
                algorithm: members.value("SigningAlgorithm", SigningAlgorithm::named)?,
                signature: members.bytes("Signature"),
            }),
            Kind::DeriveSharedSecret => Self::Agreement {
                key_id: key(members),
                algorithm: members.value("KeyAgreementAlgorithm", KeyAgreementAlgorithm::named)?,
                public_key: members.bytes("PublicKey"),
            },
            Kind::GenerateDataKeyPair | Kind::GenerateDataKeyPairWithoutPlaintext => Self::DataKeyPair {
                key_id: key(members),
                context: members.context("EncryptionContext"),
                pair_spec: members.value("KeyPairSpec", KeySpec::named)?,
            },
            Kind::GetParametersForImport => Self::GetParametersForImport {
                key_id: key(members),
                algorithm: members.value("WrappingAlgorithm", WrappingAlgorithm::named)?,
                wrapping_spec: members.value("WrappingKeySpec", KeySpec::named)?,
            },
            Kind::ImportKeyMaterial => Self::ImportKeyMaterial(ImportKeyMaterial::take(members)?),
            Kind::DeleteImportedKeyMaterial => {
                Self::DeleteImportedKeyMaterial { key_id: key(members), material_id: members.text("KeyMaterialId") }
            }
        })
    }
}

/// Pairs of one grant constraint (KMS API Reference, "`GrantConstraints`").
const MOST_CONSTRAINT_PAIRS: usize = 8;
/// Characters of a value of a grant constraint.
const MOST_CONSTRAINT_CHARACTERS: usize = 384;

fn create_grant(members: &mut Members<'_>) -> Result<CreateGrant, KmsError> {
    let mut operations = Vec::new();
    for operation in members.texts("Operations") {
        if !operations.contains(&operation) {
            operations.push(operation);
        }
    }
    if operations.is_empty() {
        return Err(texts::validation("A grant needs at least one operation."));
    }
    let (equals, subset) = match members.object("Constraints") {
        Some(mut constraints) => {
            // One that is not known would be one that is not enforced.
            if let Some(name) = constraints.other_than(&["EncryptionContextEquals", "EncryptionContextSubset"]) {
                return Err(texts::unsupported(format!("The grant constraint {name} is not supported.")));
            }
            (
                constraint(&mut constraints, "EncryptionContextEquals")?,
                constraint(&mut constraints, "EncryptionContextSubset")?,
            )
        }
        None => (None, None),
    };
    Ok(CreateGrant {
        key_id: members.required("KeyId"),
        grantee: members.required("GranteePrincipal"),
        retiring: members.text("RetiringPrincipal"),
        operations,
        equals,
        subset,
        name: members.text("Name"),
    })
}

/// A constraint without pairs says nothing clear: none, or only without an encryption context.
fn constraint(constraints: &mut Members<'_>, name: &str) -> Result<Option<EncryptionContext>, KmsError> {
    if !constraints.has(name) {
        return Ok(None);
    }
    let context = constraints.context(name);
    let pairs = context.0.len();
    if pairs == 0 || pairs > MOST_CONSTRAINT_PAIRS {
        return Err(texts::validation(format!(
            "{name} must have 1 to {MOST_CONSTRAINT_PAIRS} encryption context pairs, and has {pairs}."
        )));
    }
    if context.0.iter().any(|(_, value)| value.chars().count() > MOST_CONSTRAINT_CHARACTERS) {
        return Err(texts::validation(format!(
            "A value of {name} may have at most {MOST_CONSTRAINT_CHARACTERS} characters."
        )));
    }
    Ok(Some(context))
}

fn retire_grant(members: &mut Members<'_>) -> Result<RetireGrant, KmsError> {
    match (members.text("GrantToken"), members.text("KeyId"), members.text("GrantId")) {
        (Some(token), None, None) => Ok(RetireGrant::Token(token)),
        (None, Some(key_id), Some(grant_id)) => Ok(RetireGrant::Grant { key_id, grant_id }),
        _ => Err(texts::validation("Specify either GrantToken, or both KeyId and GrantId.")),
    }
}
