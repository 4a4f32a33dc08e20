//! Encoded authorization messages: why a request was denied, for those alone who may decode them (STS
//! API Reference, "DecodeAuthorizationMessage").

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::StsError;
use crate::authz::{AuthzRequest, Decision, Outcome};
use crate::aws::{AccountId, ConditionKey, catalogue};
use crate::seal::{SealError, SealingKey};

const FORMAT: u8 = 1;
const LABEL: &[u8] = b"keystile authorization message v1";

/// Longest encoded message, in characters: what `DecodeAuthorizationMessage` takes.
const MAX_CHARACTERS: usize = 10_240;
/// Most bytes of a message before it is sealed, with room for the seal, in base64.
const MAX_BYTES: usize = MAX_CHARACTERS / 4 * 3 - 64;

/// Global condition keys that a message tells beside those of the operation.
const SHOWN: [&str; 8] = [
    "aws:CurrentTime",
    "aws:MultiFactorAuthPresent",
    "aws:PrincipalArn",
    "aws:RequestedRegion",
    "aws:SecureTransport",
    "aws:SourceIdentity",
    "aws:SourceIp",
    "aws:TokenIssueTime",
];

/// The message of a denial: opaque to whoever gets it. The account of the caller alone can have it
/// decoded.
///
/// # Errors
/// Where the system has no random bytes.
pub(super) fn encode(key: &SealingKey, request: &AuthzRequest, decision: &Decision) -> Result<String, SealError> {
    let caller = &request.caller;
    let account = caller.account.as_str();
    let matched: Vec<Value> = decision
        .decided_by
        .iter()
        .filter(|by| by.statement.is_some())
        .map(|by| json!({"statementId": by.sid.as_deref().unwrap_or_default(), "effect": "DENY"}))
        .collect();
    let mut conditions = conditions(request);
    let mut message = json!({
        "allowed": false,
        "explicitDeny": decision.outcome == Outcome::ExplicitDeny,
        "matchedStatements": {"items": matched},
        "failures": {"items": []},
        "context": {
            "principal": {"id": &*caller.user_id, "arn": caller.principal.to_string()},
            "action": request.action.as_str(),
            "resource": request.resource.arn().map_or("*", crate::aws::Arn::as_str),
            "conditions": {"items": []},
        },
    });
    // What does not fit is left out, from the end.
    let mut text = loop {
        message["context"]["conditions"]["items"] = Value::Array(conditions.clone());
        let text = message.to_string();
        if text.len() <= MAX_BYTES || conditions.pop().is_none() {
            break text;
        }
    };
    if text.len() > MAX_BYTES {
        message["matchedStatements"]["items"] = json!([]);
        message["context"]["resource"] = json!("*");
        text = message.to_string();
    }
    let mut bytes = vec![FORMAT];
    bytes.extend(key.seal(LABEL, &bound_to(account), text.as_bytes())?);
    Ok(BASE64URL_NOPAD.encode(&bytes))
}

/// What an encoded message says: JSON.
///
/// # Errors
/// `InvalidAuthorizationMessageException` for anything but a message of that account's.
pub(super) fn decode(key: &SealingKey, account: AccountId, message: &str) -> Result<String, StsError> {
    let open = || {
        let bytes = BASE64URL_NOPAD.decode(message.as_bytes()).ok()?;
        let (&FORMAT, sealed) = bytes.split_first()? else { return None };
        let text = key.open(LABEL, &bound_to(account.as_str()), sealed).ok()?;
        String::from_utf8(text.to_vec()).ok()
    };
    open().ok_or_else(|| StsError::new("InvalidAuthorizationMessageException", "Message is not valid"))
}

fn bound_to(account: &str) -> Vec<u8> {
    [&[FORMAT], account.as_bytes()].concat()
}

fn conditions(request: &AuthzRequest) -> Vec<Value> {
    let item = |name: &str, values: &[std::borrow::Cow<'_, str>]| {
        let values: Vec<Value> = values.iter().map(|value| json!({"value": value})).collect();
        json!({"key": name, "values": {"items": values}})
    };
    let own =
        request.operation.iter().map(|(name, value)| item(&catalogue::condition_key_spelling(name), &value.texts()));
    let global = SHOWN.iter().filter_map(|name| {
        let value = request.value(&ConditionKey::new(name))?;
        Some(item(name, &value.texts()))
    });
    global.chain(own).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::authz::{Resource, Supplied};
    use crate::aws::{ActionName, Caller, ContextValue, Surroundings};

    fn request(tags: usize) -> AuthzRequest {
        let user: crate::aws::Arn = "arn:aws:iam::111122223333:user/alice".parse().unwrap();
        AuthzRequest {
            caller: Arc::new(Caller {
                principal: "arn:aws:iam::111122223333:user/alice".parse().unwrap(),
                account: "111122223333".parse().unwrap(),
                principal_arn: user,
                user_id: "AIDAALICE".into(),
                access_key_id: "AKIA".into(),
                tags: Vec::new(),
                session: None,
            }),
            action: ActionName::of("kms:Decrypt"),
            resource: Resource::None,
            operation: (0..tags)
                .map(|at| (format!("aws:requesttag/{at}").into(), ContextValue::Text("v".repeat(256).into())))
                .collect(),
            surroundings: Arc::new(Surroundings {
                source_ip: None,
                user_agent: None,
                referer: None,
                secure_transport: true,
                region: "us-east-1".parse().unwrap(),
                now: "2026-01-01T00:00:00Z".parse().unwrap(),
            }),
            supplied: Supplied::All,
            determined: None,
        }
    }

    #[test]
    fn a_message_is_decoded_for_its_own_account_alone_and_never_too_long() {
        let key = SealingKey::of(&[1; 32]).unwrap();
        let decision = Decision { outcome: Outcome::ExplicitDeny, decided_by: Vec::new(), message: None };
        for tags in [0, 2, 50] {
            let message = encode(&key, &request(tags), &decision).unwrap();
            assert!(message.len() <= MAX_CHARACTERS && !message.contains("alice"), "{}", message.len());
            let text = decode(&key, "111122223333".parse().unwrap(), &message).unwrap();
            let read: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(read["explicitDeny"], true);
            assert_eq!(read["context"]["principal"]["arn"], "arn:aws:iam::111122223333:user/alice");
            assert_eq!(read["context"]["action"], "kms:Decrypt");
            let other = decode(&key, "444455556666".parse().unwrap(), &message).unwrap_err();
            assert_eq!(other.code, "InvalidAuthorizationMessageException");
            for wrong in ["", "AAAA", &message[1..], &message[..message.len() - 1]] {
                assert!(decode(&key, "111122223333".parse().unwrap(), wrong).is_err());
            }
        }
    }
}
