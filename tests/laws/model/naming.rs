//! What a `KeyId` member names, and whether a key's state lets an operation work.

use super::ask::{Ask, Refusal, said};
use super::decide::On;
use super::state::Model;

/// A key that a request names.
#[derive(Clone)]
pub(super) enum Named {
    Key(usize),
    /// None of that ARN; the text that who may know it is told.
    Missing {
        arn: String,
        text: String,
    },
}

impl Named {
    pub(super) fn on(&self) -> On<'_> {
        match self {
            Self::Key(key) => On::Key(*key),
            Self::Missing { arn, .. } => On::Missing(arn),
        }
    }

    pub(super) fn there(&self) -> Result<usize, Refusal> {
        match self {
            Self::Key(key) => Ok(*key),
            Self::Missing { text, .. } => Err(said("NotFoundException", text)),
        }
    }
}

/// Which names an operation takes (kms.md: "A KeyId member takes an alias only in cryptographic
/// operations, DescribeKey and GetPublicKey").
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    Aliases,
    KeysOnly,
    /// The operations of the rotation family say it in another way.
    RotationKeysOnly,
}

pub(super) fn names_of(operation: &str) -> Names {
    match operation {
        "EnableKeyRotation"
        | "DisableKeyRotation"
        | "GetKeyRotationStatus"
        | "ListKeyRotations"
        | "RotateKeyOnDemand" => Names::RotationKeysOnly,
        "Encrypt" | "Decrypt" | "ReEncrypt" | "Sign" | "Verify" | "GenerateMac" | "VerifyMac"
        | "DeriveSharedSecret" | "DescribeKey" | "GetPublicKey" => Names::Aliases,
        name if name.starts_with("GenerateDataKey") => Names::Aliases,
        _ => Names::KeysOnly,
    }
}

fn is_key_id(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    match text.strip_prefix("mrk-") {
        Some(rest) => rest.len() == 32 && digits(rest),
        None => text.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && text.split('-').all(digits),
    }
}

impl Model {
    pub(super) fn key_at(&self, account: &str, region: &str, id: &str) -> Option<usize> {
        let is_it = |at: &usize| {
            let key = &self.keys[*at];
            !key.gone && key.account == account && key.region == region && key.id == id
        };
        (0..self.keys.len()).find(is_it)
    }

    pub(super) fn alias_at(&self, account: &str, region: &str, name: &str) -> Option<usize> {
        let is_it = |at: &usize| {
            let alias = &self.aliases[*at];
            !alias.gone && alias.account == account && alias.region == region && alias.name == name
        };
        (0..self.aliases.len()).find(is_it)
    }

    /// What a key id, key ARN, alias name or alias ARN names.
    pub(super) fn named(&self, ask: &Ask<'_>, text: &str, names: Names) -> Result<Named, Refusal> {
        let (account, resource) = if text.starts_with("arn:") {
            let malformed = || said("InvalidArnException", format!("Invalid arn {text}"));
            let parts: Vec<&str> = text.splitn(6, ':').collect();
            let [_, _, _, region, account, resource] = parts[..] else { return Err(malformed()) };
            if region != ask.region {
                return Err(said("NotFoundException", format!("Invalid arn {region}")));
            }
            match resource.strip_prefix("key/") {
                Some(id) => (account, id),
                None if resource.starts_with("alias/") => (account, resource),
                None => return Err(malformed()),
            }
        } else {
            (ask.who().account, text)
        };
        if resource.starts_with("alias/") {
            return match names {
                Names::Aliases => self.by_alias(ask, account, resource),
                Names::KeysOnly => Err(said("NotFoundException", format!("Invalid keyId '{text}'"))),
                Names::RotationKeysOnly => {
                    Err(said("InvalidArnException", "Key Aliases are not supported for this operation."))
                }
            };
        }
        if !is_key_id(resource) {
            return Err(said("NotFoundException", format!("Invalid keyId '{text}'")));
        }
        Ok(self.by_id(account, ask.region, resource))
    }

    pub(super) fn by_id(&self, account: &str, region: &str, id: &str) -> Named {
        if let Some(key) = self.key_at(account, region, id) {
            return Named::Key(key);
        }
        let arn = format!("arn:aws:kms:{region}:{account}:key/{id}");
        Named::Missing { text: format!("Key '{arn}' does not exist"), arn }
    }

    /// An account learns of its own aliases that they are not there; of another's, what its policies
    /// allow.
    fn by_alias(&self, ask: &Ask<'_>, account: &str, name: &str) -> Result<Named, Refusal> {
        if let Some(key) = self.managed_key(account, ask.region, name) {
            return Ok(Named::Key(key));
        }
        if let Some(alias) = self.alias_at(account, ask.region, name) {
            return Ok(Named::Key(self.aliases[alias].target));
        }
        let arn = format!("arn:aws:kms:{}:{account}:{name}", ask.region);
        let text = format!("Alias {arn} is not found.");
        if account == ask.who().account {
            Err(said("NotFoundException", text))
        } else {
            Ok(Named::Missing { arn, text })
        }
    }

    /// Whether the operation works in the key's state: kms.md, "Key states".
    #[allow(clippy::match_same_arms, reason = "in the order of the table")]
    pub(super) fn in_state(&self, operation: &str, key: usize) -> Result<(), Refusal> {
        let arn = self.arn(key);
        let disabled = || Err(said("DisabledException", format!("{arn} is disabled.")));
        let invalid = |what: &str| Err(said("KMSInvalidStateException", format!("{arn} {what}")));
        let pending = |state: &str| match state {
            "PendingDeletion" => invalid("is pending deletion."),
            _ => invalid("is pending replica deletion."),
        };
        let state = match self.state(key) {
            "Unavailable" if uses_its_key(operation) => return invalid("is unavailable."),
            "Unavailable" if self.keys[key].enabled => "Enabled",
            "Unavailable" => "Disabled",
            state => state,
        };
        match (operation, state) {
            ("CancelKeyDeletion", "PendingDeletion" | "PendingReplicaDeletion") => Ok(()),
            ("CancelKeyDeletion", _) => invalid("is not pending deletion"),
            (_, "Enabled") => Ok(()),
            (
                "DescribeKey" | "GetKeyRotationStatus" | "ListKeyRotations" | "GetKeyPolicy" | "PutKeyPolicy"
                | "ListKeyPolicies" | "ListGrants" | "ListResourceTags" | "DeleteAlias" | "RetireGrant" | "RevokeGrant"
                | "GetKeyLastUsage" | "ListAliases" | "DeleteImportedKeyMaterial",
                _,
            ) => Ok(()),
            (_, state @ ("PendingDeletion" | "PendingReplicaDeletion")) => pending(state),
            (
                "UpdateKeyDescription" | "TagResource" | "UntagResource" | "CreateAlias" | "UpdateAlias"
                | "GetPublicKey" | "ScheduleKeyDeletion" | "GetParametersForImport" | "ImportKeyMaterial",
                _,
            )
            | ("EnableKey" | "DisableKey", "Disabled")
            // What the origin says comes first there.
            | ("EnableKeyRotation" | "DisableKeyRotation", "PendingImport") => Ok(()),
            (_, "Disabled") => disabled(),
            _ => invalid("is pending import."),
        }
    }
}

/// Whether it is a cryptographic operation, which needs the key's custom key store.
fn uses_its_key(operation: &str) -> bool {
    operation.starts_with("GenerateDataKey")
        || ["Encrypt", "Decrypt", "ReEncrypt", "Sign", "Verify", "GenerateMac", "VerifyMac", "DeriveSharedSecret"]
            .contains(&operation)
}
