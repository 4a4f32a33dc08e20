use jiff::Timestamp;
use uuid::Uuid;

/// The use of a key by a request that was answered with success.
#[derive(Clone, Copy, Debug)]
pub struct KeyUse {
    /// The operation.
    pub operation: &'static str,
    /// When, by the engine's clock.
    pub time: Timestamp,
    /// The request id that the client got.
    pub request_id: Uuid,
    /// `eventID` of the request's audit record.
    pub event_id: Uuid,
}
