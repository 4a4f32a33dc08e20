//! What the store holds: JSON behind a byte that tells the version. An older version always reads.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use data_encoding::HEXLOWER;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::custom_key_stores::InCustomKeyStore;
use super::error::KmsError;
use super::imports::Import;
use super::key_id::KeyId;
use super::key_use::KeyUse;
use super::name::KeyName;
use super::spec::{KeySpec, KeyUsage, Origin};
use crate::authz::{Grant, GrantConstraints, GrantPrincipal, GrantSet, KeyAttributes};
use crate::aws::{AccountId, Arn, Region};
use crate::cedar::CompiledDocument;

/// The version that is written.
const VERSION: u8 = 1;

/// A value's bytes.
pub(super) fn encode<T: Serialize>(record: &T) -> Result<Vec<u8>, KmsError> {
    let mut bytes = vec![VERSION];
    serde_json::to_writer(&mut bytes, record).map_err(|error| KmsError::internal(error.to_string()))?;
    Ok(bytes)
}

/// Reads a value of this or an earlier version. The error quotes nothing of the value.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    match bytes.split_first() {
        Some((&VERSION, json)) => serde_json::from_slice(json)
            .map_err(|error| format!("malformed at line {}, column {}", error.line(), error.column())),
        Some((version, _)) => Err(format!("of version {version}, which this release does not know")),
        None => Err("empty".to_owned()),
    }
}

/// A key. Times are milliseconds since 1970.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct KeyRecord {
    pub(super) created: i64,
    pub(super) description: String,
    pub(super) state: State,
    pub(super) policy: PolicyRef,
    #[serde(default)]
    pub(super) tags: Vec<(String, String)>,
    /// Names with their prefix, sorted.
    #[serde(default)]
    pub(super) aliases: Vec<String>,
    /// The automatic schedule; kept while the key is disabled or pending deletion.
    pub(super) schedule: Option<Schedule>,
    /// Id of the current material, 64 hexadecimal digits: zeros before the first is imported.
    pub(super) material: String,
    /// Id of the material that the key was created with; empty before the first is imported.
    pub(super) first_material: String,
    /// Rotations so far, of both types: the number of the next.
    pub(super) rotations: u32,
    /// On-demand rotations so far.
    pub(super) on_demand: u32,
    /// The Regions of a multi-Region key, the same in the record of each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) multi_region: Option<MultiRegion>,
    /// Whether it ever had a grant: the grants of one that had none are not looked for.
    #[serde(default)]
    pub(super) granted: bool,
    // A record without them is of a symmetric key of ours.
    #[serde(default)]
    pub(super) spec: KeySpec,
    #[serde(default)]
    pub(super) usage: KeyUsage,
    #[serde(default)]
    pub(super) origin: Origin,
    /// What was ever imported into it, or into the key of another Region, in the order of the first time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) imports: Vec<Import>,
    /// Where the other half of its material is, if it is in a custom key store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) custom_key_store: Option<InCustomKeyStore>,
}

/// Where a multi-Region key is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MultiRegion {
    pub(super) primary: Region,
    /// Sorted.
    pub(super) replicas: Vec<Region>,
}

impl MultiRegion {
    /// `PRIMARY` or `REPLICA`, of the key in that Region.
    pub(super) fn key_type(&self, region: &Region) -> &'static str {
        if self.primary == *region { "PRIMARY" } else { "REPLICA" }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    Enabled,
    Disabled,
    PendingDeletion {
        date: i64,
        window_days: i64,
    },
    /// A primary whose window begins when its last replica is deleted.
    PendingReplicaDeletion {
        window_days: i64,
    },
    /// Imported material is missing.
    PendingImport,
}

impl KeyRecord {
    /// `KeyManager`: who keeps it.
    pub(super) fn manager(&self) -> &'static str {
        if let PolicyRef::Managed { .. } = self.policy { "AWS" } else { "CUSTOMER" }
    }
}

impl State {
    /// When a key goes whose window begins now.
    pub(super) fn deletion_date(now: i64, window_days: i64) -> i64 {
        now.saturating_add(window_days.saturating_mul(DAY))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
            Self::PendingDeletion { .. } => "PendingDeletion",
            Self::PendingReplicaDeletion { .. } => "PendingReplicaDeletion",
            Self::PendingImport => "PendingImport",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Schedule {
    pub(super) period_days: i64,
    pub(super) next: i64,
}

pub(super) const DAY: i64 = 86_400_000;

impl Schedule {
    /// A schedule whose first date is a period from `from`.
    pub(super) fn starting(from: i64, period_days: i64) -> Self {
        Self { period_days, next: from.saturating_add(period_days.saturating_mul(DAY)) }
    }
}

/// Which policy a key has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum PolicyRef {
    /// The default policy of the key's account: no row of its own.
    Default,
    /// The row under the hash of its text, so many bytes long.
    Text { sha256: String, bytes: usize },
    /// The policy of the service's AWS managed key: no row of its own. It is what makes a key one.
    Managed { service: String },
}

/// A backing key, wrapped under the root key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct MaterialRecord {
    pub(super) created: i64,
    /// Base64.
    pub(super) wrapped: String,
    /// The id of the root key that wraps it; none in data from before root keys could be rotated.
    #[serde(default)]
    pub(super) root_key: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum RotationType {
    #[serde(rename = "AUTOMATIC")]
    Automatic,
    #[serde(rename = "ON_DEMAND")]
    OnDemand,
}

impl RotationType {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Automatic => "AUTOMATIC",
            Self::OnDemand => "ON_DEMAND",
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RotationRecord {
    pub(super) date: i64,
    pub(super) rotation_type: RotationType,
    /// The material that the rotation made current.
    pub(super) material: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct AliasRecord {
    /// The key's id, of the alias's own account and region.
    pub(super) target: KeyId,
    pub(super) created: i64,
    pub(super) updated: i64,
}

/// A grant. Principals are as the request named them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct GrantRecord {
    pub(super) created: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    pub(super) grantee: GrantedTo,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) retiring: Option<GrantedTo>,
    pub(super) operations: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) equals: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) subset: Option<BTreeMap<String, String>>,
    /// The account of who made it.
    pub(super) issuer: AccountId,
}

/// A principal with the unique id that it had when the grant was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct GrantedTo {
    pub(super) principal: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) unique_id: Option<String>,
}

impl GrantedTo {
    fn principal(&self) -> Result<GrantPrincipal, String> {
        let principal = self.principal.parse().map_err(|_| "names no principal".to_owned())?;
        Ok(GrantPrincipal { principal, unique_id: self.unique_id.clone() })
    }
}

impl GrantRecord {
    /// The grant as it authorises.
    pub(super) fn grant(&self, id: &str) -> Result<Grant, String> {
        Ok(Grant {
            id: Some(id.to_owned()),
            grantee: self.grantee.principal()?,
            retiring: self.retiring.as_ref().map(GrantedTo::principal).transpose()?,
            operations: self.operations.clone(),
            constraints: GrantConstraints {
                encryption_context_equals: self.equals.clone(),
                encryption_context_subset: self.subset.clone(),
                source_arn: None,
            },
            issuing_account: self.issuer,
        })
    }
}

/// How many grants a grantee has on a key; written by every change of them, so that its revision
/// is theirs.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct GranteeRecord {
    pub(super) grants: usize,
}

/// A grantee's grants on a key, read when they are first needed: a function of the record's
/// revision.
#[derive(Debug)]
pub(super) struct GranteeView {
    pub(super) record: GranteeRecord,
    pub(super) grants: OnceLock<Arc<GrantSet>>,
}

impl GranteeView {
    pub(super) fn decode(_: &[u8], value: &[u8]) -> Result<Self, String> {
        Ok(Self { record: decode(value)?, grants: OnceLock::new() })
    }

    /// About how many bytes it takes with its grants.
    pub(super) fn weigh(&self) -> usize {
        size_of::<Self>() + self.record.grants * 1536
    }
}

/// The last use of a key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct LastUseRecord {
    pub(super) operation: String,
    pub(super) time: i64,
    pub(super) request_id: String,
    pub(super) event_id: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct EventRecord {
    pub(super) name: String,
    pub(super) time: i64,
    /// Whose key; none, like region and key, where it concerns all of the data.
    pub(super) account: Option<AccountId>,
    pub(super) region: Option<crate::aws::Region>,
    pub(super) key: Option<Arn>,
    pub(super) details: serde_json::Value,
    /// Which of several gateways records it in its log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) claim: Option<EventClaim>,
}

/// Who records an event, and since when, in milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EventClaim {
    /// The gateway's id.
    pub(super) by: String,
    pub(super) at: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct MetaRecord {
    pub(super) root_key_id: String,
    /// The rotation of the root key that is under way.
    #[serde(default)]
    pub(super) rotation: Option<RootKeyRotation>,
}

/// One root key takes another's place: until the end both are needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RootKeyRotation {
    /// The id of the root key that wraps from now on.
    pub(super) to: String,
    pub(super) begun: i64,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct ClockRecord {
    pub(super) offset_seconds: i64,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct CountRecord {
    pub(super) keys: u64,
}

/// A key as requests meet it: its record with what authorisation reads, made once for each
/// version of the record.
#[derive(Debug)]
pub(super) struct KeyView {
    pub(super) name: KeyName,
    pub(super) arn: Arn,
    pub(super) record: KeyRecord,
    /// The current material's id, as ciphertexts hold it.
    pub(super) material: [u8; 32],
    pub(super) attributes: Arc<KeyAttributes>,
    /// The compiled policy, once it was needed: a function of the record, which names its hash.
    pub(super) policy: OnceLock<Arc<CompiledDocument>>,
    /// The last use that is not saved yet.
    pub(super) used: Mutex<Option<KeyUse>>,
}

impl KeyView {
    pub(super) fn decode(row: &[u8], value: &[u8]) -> Result<Self, String> {
        let record: KeyRecord = decode(value)?;
        let malformed = || "under a malformed row name".to_owned();
        let mut parts = std::str::from_utf8(row).map_err(|_| malformed())?.split('/').skip(2);
        let mut part = || parts.next().ok_or_else(malformed);
        let name = KeyName {
            account: part()?.parse().map_err(|_| malformed())?,
            region: part()?.parse().map_err(|_| malformed())?,
            id: KeyId::read(part()?).ok_or_else(malformed)?,
        };
        let attributes = KeyAttributes {
            account: name.account,
            key_spec: record.spec.name().into(),
            key_usage: record.usage.name().into(),
            origin: record.origin.name().into(),
            multi_region: record.multi_region.is_some(),
            multi_region_key_type: record.multi_region.as_ref().map(|regions| regions.key_type(&name.region)),
            aliases: record.aliases.clone(),
            tags: record.tags.clone(),
        };
        let arn = name.arn().map_err(|error| error.to_string())?;
        let material = material_bytes(&record.material).ok_or("with a malformed id of key material")?;
        Ok(Self {
            name,
            arn,
            record,
            material,
            attributes: Arc::new(attributes),
            policy: OnceLock::new(),
            used: Mutex::default(),
        })
    }

    /// About how many bytes it takes: a policy of its own counts ten times its text, which is what
    /// a compiled one takes.
    pub(super) fn weigh(&self) -> usize {
        let texts: usize = self.record.tags.iter().map(|(key, value)| key.len() + value.len() + 64).sum::<usize>()
            + self.record.aliases.iter().map(|name| name.len() + 32).sum::<usize>();
        let imports: usize = self.record.imports.iter().map(Import::weigh).sum();
        let policy = match self.record.policy {
            PolicyRef::Default => 0,
            PolicyRef::Text { bytes, .. } => 1024 + 10 * bytes,
            // Of about 1,500 bytes.
            PolicyRef::Managed { .. } => 16 << 10,
        };
        size_of::<Self>() + 768 + self.record.description.len() + 2 * texts + imports + policy
    }
}

/// A material's id, 64 hexadecimal digits, as bytes.
pub(super) fn material_bytes(id: &str) -> Option<[u8; 32]> {
    HEXLOWER.decode(id.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_without_spec_usage_and_origin_is_of_a_symmetric_key_of_ours() {
        let json = format!(
            r#"{{"created":1,"description":"","state":"Enabled","policy":"Default","schedule":null,"material":"{0}","first_material":"{0}","rotations":0,"on_demand":0}}"#,
            "0".repeat(64)
        );
        let value = [&[VERSION], json.as_bytes()].concat();
        let row = b"kms/k/111122223333/us-east-1/1234abcd-12ab-34cd-56ef-1234567890ab";
        let view = KeyView::decode(row, &value).unwrap();
        let attributes = &view.attributes;
        assert_eq!(
            (&*attributes.key_spec, &*attributes.key_usage, &*attributes.origin),
            ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS")
        );
    }
}
