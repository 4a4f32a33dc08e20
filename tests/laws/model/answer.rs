//! What each operation is, in the model.

use serde_json::Value;

use super::ask::{Ask, Expected, said};
use super::shape;
use super::state::Model;

impl Model {
    /// What a request must be answered, and its effect.
    pub(super) fn answer(&mut self, ask: &Ask<'_>) -> Expected {
        if !ask.body.is_object() {
            return Err(super::ask::some("SerializationException"));
        }
        shape::hold(ask.operation, ask.body)?;
        Self::ignores_ciphertext(ask)?;
        self.hold_tokens(ask)?;
        self.learn_managed_keys(ask);
        self.make_what_is_first_used(ask);
        match ask.operation {
            "CancelKeyDeletion" => self.cancel_key_deletion(ask),
            "ConnectCustomKeyStore" => self.connect_custom_key_store(ask),
            "CreateAlias" => self.create_alias(ask),
            "CreateCustomKeyStore" => self.create_custom_key_store(ask),
            "CreateGrant" => self.create_grant(ask),
            "CreateKey" => self.create_key(ask),
            "Decrypt" => self.decrypt(ask),
            "DeleteAlias" => self.delete_alias(ask),
            "DeleteCustomKeyStore" => self.delete_custom_key_store(ask),
            "DeleteImportedKeyMaterial" => self.delete_imported_key_material(ask),
            "DeriveSharedSecret" => self.derive_shared_secret(ask),
            "DescribeCustomKeyStores" => self.describe_custom_key_stores(ask),
            "DescribeKey" => self.describe_key(ask),
            "DisableKey" => self.disable_key(ask),
            "DisableKeyRotation" => self.disable_key_rotation(ask),
            "DisconnectCustomKeyStore" => self.disconnect_custom_key_store(ask),
            "EnableKey" => self.enable_key(ask),
            "EnableKeyRotation" => self.enable_key_rotation(ask),
            "Encrypt" => self.encrypt(ask),
            "GenerateDataKey" | "GenerateDataKeyWithoutPlaintext" => self.generate_data_key(ask),
            "GenerateDataKeyPair" | "GenerateDataKeyPairWithoutPlaintext" => self.generate_data_key_pair(ask),
            "GenerateMac" | "VerifyMac" => self.mac(ask),
            "GenerateRandom" => self.generate_random(ask),
            "GetKeyLastUsage" => self.get_key_last_usage(ask),
            "GetKeyPolicy" => self.get_key_policy(ask),
            "GetKeyRotationStatus" => self.get_key_rotation_status(ask),
            "GetParametersForImport" => self.get_parameters_for_import(ask),
            "GetPublicKey" => self.get_public_key(ask),
            "ImportKeyMaterial" => self.import_key_material(ask),
            "ListAliases" => self.list_aliases(ask),
            "ListGrants" => self.list_grants(ask),
            "ListKeyPolicies" => self.list_key_policies(ask),
            "ListKeyRotations" => self.list_key_rotations(ask),
            "ListKeys" => self.list_keys(ask),
            "ListResourceTags" => self.list_resource_tags(ask),
            "ListRetirableGrants" => self.list_retirable_grants(ask),
            "PutKeyPolicy" => self.put_key_policy(ask),
            "ReEncrypt" => self.re_encrypt(ask),
            "ReplicateKey" => self.replicate_key(ask),
            "RetireGrant" => self.retire_grant(ask),
            "RevokeGrant" => self.revoke_grant(ask),
            "RotateKeyOnDemand" => self.rotate_key_on_demand(ask),
            "ScheduleKeyDeletion" => self.schedule_key_deletion(ask),
            "Sign" | "Verify" => self.signature(ask),
            "TagResource" => self.tag_resource(ask),
            "UntagResource" => self.untag_resource(ask),
            "UpdateAlias" => self.update_alias(ask),
            "UpdateCustomKeyStore" => self.update_custom_key_store(ask),
            "UpdateKeyDescription" => self.update_key_description(ask),
            "UpdatePrimaryRegion" => self.update_primary_region(ask),
            other => Err(said("no such operation in the model", other)),
        }
    }
}

/// How an answer differs from what it must be; none where it doesn't.
pub(super) fn difference(expected: &Expected, told: &Result<Value, (String, String)>) -> Option<String> {
    let is_same = match (expected, told) {
        (Ok(expected), Ok(told)) => expected == told,
        (Err(expected), Err((code, text))) => {
            expected.code == *code
                && expected.text.as_ref().is_none_or(|expected| expected == text)
                && text.contains(expected.words)
        }
        _ => false,
    };
    (!is_same).then(|| {
        let shown = |value: &Value| value.to_string();
        let model = match expected {
            Ok(answer) => shown(answer),
            Err(refusal) => format!(
                "{} {}",
                refusal.code,
                refusal.text.as_deref().unwrap_or(&format!("(in words like '{}')", refusal.words))
            ),
        };
        let engine = match told {
            Ok(answer) => shown(answer),
            Err((code, text)) => format!("{code} {text}"),
        };
        format!("  model:  {model}\n  engine: {engine}")
    })
}
