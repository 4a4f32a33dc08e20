use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::aws::{AccountId, Arn, Region};

/// Something that the engine did of itself and that CloudTrail records as an `AwsServiceEvent`:
/// a rotation, the making of an AWS managed key, the deletion of a key whose window ended or of material
/// that expired, or a step in the root key's rotation. Written in the transaction of what it tells of.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceEvent {
    /// `eventID`: the same however often the event is read.
    pub id: Uuid,
    /// `eventName`: `RotateKey`, `CreateKey`, `DeleteKey` or `DeleteExpiredKeyMaterial`;
    /// `BeginRootKeyRotation` or `EndRootKeyRotation`.
    pub name: String,
    /// When, by the engine's clock: a scheduled rotation's due date.
    pub time: Timestamp,
    /// Whose key; none, like region and key, where it concerns all of the data.
    pub account: Option<AccountId>,
    /// Where.
    pub region: Option<Region>,
    /// The key.
    pub key: Option<Arn>,
    /// `serviceEventDetails`.
    pub details: Value,
    /// The row that it came from: what [`super::Kms::forget_events`] removes.
    pub(super) row: Vec<u8>,
}
