use std::fmt::Display;
use std::io::Write as _;

use super::record::{ApiCall, EVENT_SOURCE, EVENT_VERSION, Identity};
use super::{resources, seconds};
use crate::authz::{Decision, Outcome};
use crate::aws::Arn;
use crate::aws::json::{optional_text, raw, text, value};

/// Appends the record of one call, in the order of CloudTrail's own records.
pub(super) fn write(call: &ApiCall<'_>, out: &mut Vec<u8>) -> serde_json::Result<()> {
    raw(out, "{\"eventVersion\":\"");
    raw(out, EVENT_VERSION);
    raw(out, "\",\"userIdentity\":");
    let account = match call.identity {
        Identity::Verified { account, json } => {
            raw(out, json);
            Some(account)
        }
        Identity::Unverified { access_key_id } => {
            raw(out, "{\"type\":\"Unknown\"");
            if let Some(claimed) = access_key_id {
                raw(out, ",\"accessKeyId\":");
                text(out, claimed)?;
            }
            out.push(b'}');
            None
        }
    };
    raw(out, ",\"eventTime\":");
    seconds::write(call.time, out);
    raw(out, ",\"eventSource\":\"");
    raw(out, EVENT_SOURCE);
    raw(out, "\",\"eventName\":");
    optional_text(out, call.operation)?;
    raw(out, ",\"awsRegion\":");
    text(out, call.region)?;
    raw(out, ",\"sourceIPAddress\":");
    match call.source_ip {
        Some(address) => shown(out, &address),
        None => raw(out, "null"),
    }
    raw(out, ",\"userAgent\":");
    optional_text(out, call.user_agent)?;
    if let Some((code, message)) = call.error {
        raw(out, ",\"errorCode\":");
        // CloudTrail drops the suffix of this one code, and of this one alone.
        text(out, if code == "AccessDeniedException" { "AccessDenied" } else { code })?;
        if let Some(message) = message {
            raw(out, ",\"errorMessage\":");
            text(out, message)?;
        }
    }
    raw(out, ",\"requestParameters\":");
    raw(out, call.parameters.unwrap_or("null"));
    raw(out, ",\"responseElements\":");
    value(out, &call.response)?;
    raw(out, ",\"requestID\":");
    text(out, call.request_id)?;
    raw(out, ",\"eventID\":");
    shown(out, &call.event_id);
    raw(out, if call.read_only { ",\"readOnly\":true" } else { ",\"readOnly\":false" });
    raw(out, ",\"resources\":");
    resources::write(call.resources, out)?;
    raw(out, ",\"eventType\":\"AwsApiCall\",\"managementEvent\":true,\"recipientAccountId\":");
    let owner = call.resources.first().map(Arn::account).filter(|account| !account.is_empty());
    optional_text(out, owner.or(account))?;
    raw(out, ",\"eventCategory\":\"Management\",\"keystile\":");
    decisions(call.decisions, out)?;
    out.push(b'}');
    Ok(())
}

/// What the house decided: the worst of the decisions, and the statements of all of them.
fn decisions(all: &[&Decision], out: &mut Vec<u8>) -> serde_json::Result<()> {
    let denied = all.iter().find(|decision| decision.outcome != Outcome::Allow);
    raw(out, "{\"decision\":");
    value(out, &denied.or(all.first()).map(|decision| decision.outcome))?;
    raw(out, ",\"decided_by\":[");
    for (index, statement) in all.iter().flat_map(|decision| &decision.decided_by).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        value(out, statement)?;
    }
    raw(out, "]}");
    Ok(())
}

/// Appends what has no character that JSON escapes.
fn shown(out: &mut Vec<u8>, plain: &dyn Display) {
    // Writing to a vector does not fail.
    let _ = write!(out, "\"{plain}\"");
}
