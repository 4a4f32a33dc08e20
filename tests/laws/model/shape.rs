//! Requests held to the shapes of the published model of the API.

use std::sync::LazyLock;

use serde_json::Value;

use super::ask::{Refusal, said, some};

static API: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../src/kms/api/kms-2014-11-01.json")).unwrap());

/// The first way in which a request breaks its shape.
pub(super) fn hold(operation: &str, body: &Value) -> Result<(), Refusal> {
    let input = API["operations"][operation]["input"].as_str().unwrap();
    let mut broken = Vec::new();
    check(input, "", body, &mut broken);
    match broken.as_slice() {
        [] => Ok(()),
        [Some(text)] => Err(said("ValidationException", format!("1 validation error detected: {text}"))),
        _ => Err(some("ValidationException")),
    }
}

/// Notes what is broken, with the text where AWS's is recorded.
fn check(shape: &str, at: &str, value: &Value, broken: &mut Vec<Option<String>>) {
    let shape = &API["shapes"][shape];
    let least = shape["min"].as_i64();
    let most = shape["max"].as_i64();
    let length_of = |length: usize| i64::try_from(length).unwrap();
    match shape["type"].as_str().unwrap() {
        "structure" => {
            for required in shape["required"].as_array().into_iter().flatten() {
                if value[required.as_str().unwrap()].is_null() {
                    broken.push(None);
                }
            }
            for (name, member) in shape["members"].as_object().unwrap() {
                if let Some(member_value) = value.get(name).filter(|value| !value.is_null()) {
                    let name = format!("{}{}", name[..1].to_lowercase(), &name[1..]);
                    let place = if at.is_empty() { name } else { format!("{at}.{name}") };
                    check(member.as_str().unwrap(), &place, member_value, broken);
                }
            }
        }
        "list" => {
            let items = value.as_array().unwrap();
            if most.is_some_and(|most| length_of(items.len()) > most) {
                broken.push(None);
            }
            for item in items {
                check(shape["member"].as_str().unwrap(), at, item, broken);
            }
        }
        "string" => {
            let text = value.as_str().unwrap();
            let length = length_of(text.chars().count());
            if let Some(values) = shape["enum"].as_array() {
                if !values.contains(value) {
                    broken.push(None);
                }
            } else if least.is_some_and(|least| length < least) {
                let is_secret = shape["sensitive"].as_bool().unwrap_or(false);
                // More than one constraint may be broken at once.
                let is_alone = !shape["pattern"].is_string();
                broken.push((!is_secret && is_alone).then(|| {
                    format!("Value '{text}' at '{at}' failed to satisfy constraint: Member must have length greater than or equal to {}", least.unwrap())
                }));
            } else {
                let is_long = most.is_some_and(|most| length > most);
                if is_long || !is_of_pattern(shape["pattern"].as_str().unwrap_or_default(), text) {
                    broken.push(None);
                }
            }
        }
        "integer" => {
            let number = value.as_i64().unwrap();
            let mut out = |relation: &str, bound: i64| {
                broken.push(Some(format!("Value '{number}' at '{at}' failed to satisfy constraint: Member must have value {relation} than or equal to {bound}")));
            };
            if let Some(least) = least.filter(|least| number < *least) {
                out("greater", least);
            }
            if let Some(most) = most.filter(|most| number > *most) {
                out("less", most);
            }
        }
        "blob" => {
            let length = length_of(super::ask::bytes(value.as_str().unwrap()).unwrap().len());
            if least.is_some_and(|least| length < least) || most.is_some_and(|most| length > most) {
                broken.push(None);
            }
        }
        _ => {}
    }
}

/// Whether a text is of a pattern, of those that requests here may break.
fn is_of_pattern(pattern: &str, text: &str) -> bool {
    let all =
        |others: &str, text: &str| text.chars().all(|letter| letter.is_ascii_alphanumeric() || others.contains(letter));
    match pattern {
        "^[a-zA-Z0-9:/_-]+$" => all(":/_-", text),
        "^[a-zA-Z0-9-_.]+$" => all("-_.", text),
        "^https://[a-zA-Z0-9.-]+$" => text.strip_prefix("https://").is_some_and(|host| all(".-", host)),
        path if path.contains("/kms/xks/v") => {
            let version = text.rsplit_once("/kms/xks/v").map(|(before, version)| (before, version.parse::<u8>()));
            version.is_some_and(|(before, version)| version.is_ok_and(|number| number < 100) && all("/_-", before))
        }
        _ => true,
    }
}
