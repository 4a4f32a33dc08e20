use std::fmt::Display;
use std::io::Write as _;

use super::record::{ApiCall, EVENT_VERSION, Identity};
use super::{resources, seconds};
use crate::authz::{DecidedBy, Decision, Explanation, Outcome};
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
    raw(out, call.service);
    raw(out, ".amazonaws.com\",\"eventName\":");
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
    decisions(call.decisions, call.explanation, out)?;
    out.push(b'}');
    Ok(())
}

/// What the house decided: the worst of the decisions, and the statements of all of them; of a denial
/// also what would have to change.
fn decisions(all: &[&Decision], explanation: Option<&Explanation>, out: &mut Vec<u8>) -> serde_json::Result<()> {
    let denied = all.iter().find(|decision| decision.outcome != Outcome::Allow);
    raw(out, "{\"decision\":");
    value(out, &denied.or(all.first()).map(|decision| decision.outcome))?;
    raw(out, ",\"decided_by\":[");
    for (index, statement) in all.iter().flat_map(|decision| &decision.decided_by).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        decided_by(statement, out)?;
    }
    out.push(b']');
    if let Some(explanation) = explanation {
        raw(out, ",\"missing_context_keys\":");
        value(out, &explanation.missing_context_keys)?;
        raw(out, ",\"near_misses\":");
        value(out, &explanation.near_misses)?;
    }
    out.push(b'}');
    Ok(())
}

/// A statement as its own serialisation has it, which a test holds this to.
fn decided_by(by: &DecidedBy, out: &mut Vec<u8>) -> serde_json::Result<()> {
    raw(out, "{\"layer\":");
    value(out, &by.layer)?;
    raw(out, ",\"level\":");
    value(out, &by.level)?;
    raw(out, ",\"document\":");
    value(out, &by.document)?;
    raw(out, ",\"statement\":");
    value(out, &by.statement)?;
    raw(out, ",\"sid\":");
    optional_text(out, by.sid.as_deref())?;
    raw(out, ",\"file\":");
    optional_text(out, by.file.as_deref())?;
    raw(out, ",\"line\":");
    value(out, &by.line)?;
    out.push(b'}');
    Ok(())
}

/// Appends what has no character that JSON escapes.
fn shown(out: &mut Vec<u8>, plain: &dyn Display) {
    // Writing to a vector does not fail.
    let _ = write!(out, "\"{plain}\"");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authz::Layer;

    #[test]
    fn a_statement_is_written_as_it_serialises() {
        let full = DecidedBy {
            layer: Layer::ServiceControlPolicy,
            level: Some(1),
            document: Some(2),
            statement: Some(3),
            sid: Some("A\"b".to_owned()),
            file: Some("scp/root.json".to_owned()),
            line: Some(12),
        };
        let silent = DecidedBy {
            layer: Layer::KeyPolicy,
            level: None,
            document: None,
            statement: None,
            sid: None,
            file: None,
            line: None,
        };
        for by in [full, silent] {
            let mut out = Vec::new();
            decided_by(&by, &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string(&by).unwrap());
        }
    }
}
