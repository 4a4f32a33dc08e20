//! What the store holds: JSON behind a byte that tells the version. An older version always reads.

use std::sync::{Arc, OnceLock};

use data_encoding::HEXLOWER;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::KmsError;
use super::name::KeyName;
use super::spec::{KeySpec, KeyUsage, Origin};
use crate::authz::KeyAttributes;
use crate::aws::{AccountId, Arn};
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
    /// Id of the current material, 64 hexadecimal digits.
    pub(super) material: String,
    /// Id of the material that the key was created with.
    pub(super) first_material: String,
    /// Rotations so far, of both types: the number of the next.
    pub(super) rotations: u32,
    /// On-demand rotations so far.
    pub(super) on_demand: u32,
    // A record without them is of a symmetric key of ours.
    #[serde(default)]
    pub(super) spec: KeySpec,
    #[serde(default)]
    pub(super) usage: KeyUsage,
    #[serde(default)]
    pub(super) origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    Enabled,
    Disabled,
    PendingDeletion { date: i64, window_days: i64 },
}

impl State {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
            Self::PendingDeletion { .. } => "PendingDeletion",
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
}

/// A backing key, wrapped under the root key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct MaterialRecord {
    pub(super) created: i64,
    /// Base64.
    pub(super) wrapped: String,
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
    #[serde(with = "id_text")]
    pub(super) target: uuid::Uuid,
    pub(super) created: i64,
    pub(super) updated: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct EventRecord {
    pub(super) name: String,
    pub(super) time: i64,
    pub(super) account: AccountId,
    pub(super) region: crate::aws::Region,
    pub(super) key: Arn,
    pub(super) details: serde_json::Value,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct MetaRecord {
    pub(super) root_key_id: String,
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
            id: part()?.parse().map_err(|_| malformed())?,
        };
        let attributes = KeyAttributes {
            account: name.account,
            key_spec: record.spec.name().into(),
            key_usage: record.usage.name().into(),
            origin: record.origin.name().into(),
            multi_region: false,
            multi_region_key_type: None,
            aliases: record.aliases.clone(),
            tags: record.tags.clone(),
        };
        let arn = name.arn().map_err(|error| error.to_string())?;
        let material = material_bytes(&record.material).ok_or("with a malformed id of key material")?;
        Ok(Self { name, arn, record, material, attributes: Arc::new(attributes), policy: OnceLock::new() })
    }

    /// About how many bytes it takes: a policy of its own counts ten times its text, which is what
    /// a compiled one takes.
    pub(super) fn weigh(&self) -> usize {
        let texts: usize = self.record.tags.iter().map(|(key, value)| key.len() + value.len() + 64).sum::<usize>()
            + self.record.aliases.iter().map(|name| name.len() + 32).sum::<usize>();
        let policy = match self.record.policy {
            PolicyRef::Default => 0,
            PolicyRef::Text { bytes, .. } => 1024 + 10 * bytes,
        };
        size_of::<Self>() + 768 + self.record.description.len() + 2 * texts + policy
    }
}

/// A material's id, 64 hexadecimal digits, as bytes.
fn material_bytes(id: &str) -> Option<[u8; 32]> {
    HEXLOWER.decode(id.as_bytes()).ok()?.try_into().ok()
}

/// A key's id as KMS writes it.
mod id_text {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};
    use uuid::Uuid;

    pub(super) fn serialize<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
        let text = String::deserialize(deserializer)?;
        Uuid::try_parse(&text).map_err(|_| D::Error::custom("not a key's id"))
    }
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
