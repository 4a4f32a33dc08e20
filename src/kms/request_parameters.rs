use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use super::operation::{CreateGrant, CustomKeyStoreRequest, EncryptionContext, Input, Operation, RetireGrant};
use super::spec::ImportType;
use super::wire::{JsonText, ObjectText};

const SYMMETRIC: &str = "SYMMETRIC_DEFAULT";

impl Operation {
    /// What CloudTrail shows as `requestParameters`: members in camelCase, without plaintext and
    /// ciphertext; none where nothing is left.
    #[must_use]
    pub fn request_parameters(&self) -> Option<JsonText> {
        self.input
            .shown()
            .optional("dryRun", self.dry_run.then_some(true))
            .optional("dryRunModifiers", self.ignores_ciphertext.then_some(["IGNORE_CIPHERTEXT"]))
            .finish_unless_empty()
    }
}

impl Input {
    fn shown(&self) -> ObjectText {
        let members = ObjectText::new();
        match self {
            Self::Key { key_id } => members.text("keyId", key_id),
            Self::CreateKey(create) => members
                .optional("policy", create.policy.as_ref())
                .text("description", create.description.as_deref().unwrap_or_default())
                .text("keyUsage", create.usage.name())
                .text("keySpec", create.spec.name())
                .text("customerMasterKeySpec", create.spec.name())
                .text("origin", create.origin.name())
                .value("multiRegion", &create.multi_region)
                .value("bypassPolicyLockoutSafetyCheck", &create.bypass.unwrap_or(false))
                .optional("tags", tags(&create.tags))
                .optional("customKeyStoreId", create.custom_key_store.as_ref().map(|place| &place.store))
                .optional("xksKeyId", create.custom_key_store.as_ref().map(|place| &place.xks_key)),
            Self::List { key_id, page, all_material } => members
                .optional("keyId", key_id.as_ref())
                .optional("limit", page.limit)
                .optional("marker", page.marker.as_ref())
                .optional("includeKeyMaterial", all_material.then_some("ALL_KEY_MATERIAL")),
            Self::GetKeyPolicy { key_id, policy_name } => {
                members.text("keyId", key_id).optional("policyName", policy_name.as_ref())
            }
            Self::PutKeyPolicy { key_id, policy_name, policy, bypass } => members
                .text("keyId", key_id)
                .text("policyName", policy_name.as_deref().unwrap_or("default"))
                .text("policy", policy)
                .value("bypassPolicyLockoutSafetyCheck", &bypass.unwrap_or(false)),
            Self::ScheduleKeyDeletion { key_id, window_days } => {
                members.text("keyId", key_id).optional("pendingWindowInDays", *window_days)
            }
            Self::UpdateKeyDescription { key_id, description } => {
                members.text("keyId", key_id).text("description", description)
            }
            Self::Alias { alias_name, target } => {
                members.text("aliasName", alias_name).optional("targetKeyId", target.as_ref())
            }
            Self::Tag { key_id, tags: list } => members.text("keyId", key_id).optional("tags", tags(list)),
            Self::Untag { key_id, tag_keys } => members.text("keyId", key_id).value("tagKeys", tag_keys),
            Self::EnableKeyRotation { key_id, period_days } => {
                members.text("keyId", key_id).optional("rotationPeriodInDays", *period_days)
            }
            Self::Encrypt { key_id, context, algorithm, .. } => members
                .text("keyId", key_id)
                .optional("encryptionContext", shown(context))
                .text("encryptionAlgorithm", algorithm.as_deref().unwrap_or(SYMMETRIC)),
            Self::Decrypt { key_id, context, algorithm, .. } => members
                .optional("keyId", key_id.as_ref())
                .optional("encryptionContext", shown(context))
                .text("encryptionAlgorithm", algorithm.as_deref().unwrap_or(SYMMETRIC)),
            Self::ReEncrypt(request) => members
                .optional("sourceKeyId", request.source_key_id.as_ref())
                .optional("sourceEncryptionContext", shown(&request.source_context))
                .text("sourceEncryptionAlgorithm", request.source_algorithm.as_deref().unwrap_or(SYMMETRIC))
                .text("destinationKeyId", &request.destination_key_id)
                .optional("destinationEncryptionContext", shown(&request.destination_context))
                .text("destinationEncryptionAlgorithm", request.destination_algorithm.as_deref().unwrap_or(SYMMETRIC)),
            Self::DataKey { key_id, context, spec, bytes } => members
                .text("keyId", key_id)
                .optional("encryptionContext", shown(context))
                .optional("keySpec", spec.as_ref())
                .optional("numberOfBytes", *bytes),
            Self::Random { bytes, store } => {
                members.optional("numberOfBytes", *bytes).optional("customKeyStoreId", store.as_ref())
            }
            Self::CustomKeyStore(request) => request.shown(members),
            Self::ReplicateKey(request) => members
                .text("keyId", &request.key_id)
                .text("replicaRegion", &request.region)
                .optional("policy", request.policy.as_ref())
                .text("description", request.description.as_deref().unwrap_or_default())
                .value("bypassPolicyLockoutSafetyCheck", &request.bypass.unwrap_or(false))
                .optional("tags", tags(&request.tags)),
            Self::UpdatePrimaryRegion { key_id, region } => members.text("keyId", key_id).text("primaryRegion", region),
            Self::CreateGrant(create) => members
                .text("keyId", &create.key_id)
                .text("granteePrincipal", &create.grantee)
                .optional("retiringPrincipal", create.retiring.as_ref())
                .value("operations", &create.operations)
                .optional("constraints", constraints(create))
                .optional("name", create.name.as_ref()),
            Self::ListGrants { key_id, grant_id, grantee, page } => members
                .text("keyId", key_id)
                .optional("grantId", grant_id.as_ref())
                .optional("granteePrincipal", grantee.as_ref())
                .optional("limit", page.limit)
                .optional("marker", page.marker.as_ref()),
            Self::ListRetirableGrants { retiring, page } => members
                .text("retiringPrincipal", retiring)
                .optional("limit", page.limit)
                .optional("marker", page.marker.as_ref()),
            Self::RetireGrant(RetireGrant::Token(_)) => members,
            Self::RetireGrant(RetireGrant::Grant { key_id, grant_id }) | Self::RevokeGrant { key_id, grant_id } => {
                members.text("keyId", key_id).text("grantId", grant_id)
            }
            Self::Mac(request) => members.text("keyId", &request.key_id).text("macAlgorithm", request.algorithm.name()),
            Self::Signature(request) => members
                .text("keyId", &request.key_id)
                .text("messageType", request.message_type.name())
                .text("signingAlgorithm", request.algorithm.name()),
            // What is sent as the public key may be anything, a private one by mistake.
            Self::Agreement { key_id, algorithm, .. } => {
                members.text("keyId", key_id).text("keyAgreementAlgorithm", algorithm.name())
            }
            Self::DataKeyPair { key_id, context, pair_spec } => members
                .text("keyId", key_id)
                .optional("encryptionContext", shown(context))
                .text("keyPairSpec", pair_spec.name()),
            Self::GetParametersForImport { key_id, algorithm, wrapping_spec } => members
                .text("keyId", key_id)
                .text("wrappingAlgorithm", algorithm.name())
                .text("wrappingKeySpec", wrapping_spec.name()),
            Self::ImportKeyMaterial(request) => members
                .text("keyId", &request.key_id)
                .optional("validTo", request.valid_to.map(jiff::Timestamp::as_second))
                .text("expirationModel", request.expiration_model().name())
                .optional("importType", request.import_type.map(ImportType::name))
                .optional("keyMaterialDescription", request.description.as_ref())
                .optional("keyMaterialId", request.material_id.as_ref()),
            Self::DeleteImportedKeyMaterial { key_id, material_id } => {
                members.text("keyId", key_id).optional("keyMaterialId", material_id.as_ref())
            }
        }
    }
}

impl CustomKeyStoreRequest {
    /// Without any part of a credential.
    fn shown(&self, members: ObjectText) -> ObjectText {
        match self {
            Self::Create(create) => members
                .text("customKeyStoreName", &create.name)
                .text("customKeyStoreType", "EXTERNAL_KEY_STORE")
                .text("xksProxyUriEndpoint", &create.endpoint)
                .text("xksProxyUriPath", &create.path)
                .text("xksProxyConnectivity", "PUBLIC_ENDPOINT"),
            Self::Update(update) => members
                .text("customKeyStoreId", &update.id)
                .optional("newCustomKeyStoreName", update.name.as_ref())
                .optional("xksProxyUriEndpoint", update.endpoint.as_ref())
                .optional("xksProxyUriPath", update.path.as_ref()),
            Self::Describe { id, name, page } => members
                .optional("customKeyStoreId", id.as_ref())
                .optional("customKeyStoreName", name.as_ref())
                .optional("limit", page.limit)
                .optional("marker", page.marker.as_ref()),
            Self::One { id } => members.text("customKeyStoreId", id),
        }
    }
}

/// An encryption context as an object in the request's order; none where it is empty.
fn shown(context: &EncryptionContext) -> Option<ContextJson<'_>> {
    (!context.0.is_empty()).then_some(ContextJson(&context.0))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConstraintsJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_context_equals: Option<ContextJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_context_subset: Option<ContextJson<'a>>,
}

fn constraints(create: &CreateGrant) -> Option<ConstraintsJson<'_>> {
    (create.equals.is_some() || create.subset.is_some()).then(|| ConstraintsJson {
        encryption_context_equals: create.equals.as_ref().and_then(shown),
        encryption_context_subset: create.subset.as_ref().and_then(shown),
    })
}

struct ContextJson<'a>(&'a [(String, String)]);

impl Serialize for ContextJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TagJson<'a> {
    tag_key: &'a str,
    tag_value: &'a str,
}

fn tags(tags: &[(String, String)]) -> Option<Vec<TagJson<'_>>> {
    let shown = tags.iter().map(|(key, value)| TagJson { tag_key: key, tag_value: value });
    (!tags.is_empty()).then(|| shown.collect())
}
