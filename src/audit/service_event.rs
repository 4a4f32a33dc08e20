use super::record::{EVENT_SOURCE, EVENT_VERSION, ServiceEvent};
use super::{resources, seconds};
use crate::aws::json::{optional_text, raw, text, value};

/// Appends the record of something that the service did by itself.
pub(super) fn write(event: &ServiceEvent<'_>, out: &mut Vec<u8>) -> serde_json::Result<()> {
    raw(out, "{\"eventVersion\":\"");
    raw(out, EVENT_VERSION);
    raw(out, "\",\"userIdentity\":{");
    if let Some(account) = event.account {
        raw(out, "\"accountId\":");
        text(out, account)?;
        out.push(b',');
    }
    raw(out, "\"invokedBy\":\"AWS Internal\"},\"eventTime\":");
    seconds::write(event.time, out);
    raw(out, ",\"eventSource\":\"");
    raw(out, EVENT_SOURCE);
    raw(out, "\",\"eventName\":");
    text(out, event.name)?;
    raw(out, ",\"awsRegion\":");
    text(out, event.region)?;
    raw(out, ",\"sourceIPAddress\":\"AWS Internal\",\"userAgent\":\"AWS Internal\"");
    raw(out, ",\"requestParameters\":null,\"responseElements\":null,\"eventID\":");
    value(out, &event.event_id.to_string())?;
    raw(out, ",\"readOnly\":false,\"resources\":");
    resources::write(event.resources, out)?;
    raw(out, ",\"eventType\":\"AwsServiceEvent\",\"managementEvent\":true,\"recipientAccountId\":");
    optional_text(out, event.account)?;
    raw(out, ",\"serviceEventDetails\":");
    value(out, event.details)?;
    raw(out, ",\"eventCategory\":\"Management\",\"keystile\":{\"decision\":null,\"decided_by\":[]}}");
    Ok(())
}
