use std::fmt::Write as _;

use data_encoding::BASE64;
use zeroize::Zeroizing;

use super::{Json, Object};
use crate::kms::api::{Member, Shape, ShapeKind};
use crate::kms::error::{KmsError, texts};

/// Holds a request's members to the model, and decodes its blobs in place. Members that the
/// operation does not have are dropped, as AWS ignores them: nothing later can take one for meant.
///
/// # Errors
/// `SerializationException` where a member is of another JSON type, `ValidationException` with
/// AWS's text where members break their constraints, all of them at once.
pub(crate) fn validate(shape: &Shape, request: &mut Object<'_>) -> Result<(), KmsError> {
    let ShapeKind::Structure(members) = &shape.kind else {
        return Ok(());
    };
    request.0.retain(|(name, _)| members.iter().any(|member| member.name == *name));
    for member in members {
        if let Some(value) = request.get_mut(&member.name) {
            decode(&member.shape, value, &member.name)?;
        }
    }
    let mut findings = Vec::new();
    check_members(members, request, "", &mut findings);
    if findings.is_empty() {
        return Ok(());
    }
    let noun = if findings.len() == 1 { "error" } else { "errors" };
    Err(texts::validation(format!("{} validation {noun} detected: {}", findings.len(), findings.join("; "))))
}

/// The JSON types, throughout; blobs become bytes.
fn decode(shape: &Shape, value: &mut Json<'_>, member: &str) -> Result<(), KmsError> {
    match (&shape.kind, &mut *value) {
        (_, Json::Null)
        | (ShapeKind::String, Json::Text(_))
        | (ShapeKind::Boolean, Json::Bool(_))
        | (ShapeKind::Timestamp, Json::Integer(_) | Json::Fraction(_)) => Ok(()),
        (ShapeKind::Integer, Json::Integer(number)) if i32::try_from(*number).is_ok() => Ok(()),
        (ShapeKind::Blob, Json::Text(text)) => {
            let bytes = BASE64.decode(text.as_bytes()).map(Zeroizing::new);
            match bytes {
                Ok(bytes) => *value = Json::Blob(bytes),
                Err(error) => return Err(texts::serialization(format!("{member} is not base64: {error}"))),
            }
            Ok(())
        }
        (ShapeKind::List(inner), Json::List(list)) => list.iter_mut().try_for_each(|item| decode(inner, item, member)),
        (ShapeKind::Map(inner), Json::Object(object)) => {
            object.0.iter_mut().try_for_each(|(_, item)| decode(inner, item, member))
        }
        (ShapeKind::Structure(members), Json::Object(object)) => members.iter().try_for_each(|inner| {
            object.get_mut(&inner.name).map_or(Ok(()), |item| decode(&inner.shape, item, &inner.name))
        }),
        (kind, _) => Err(texts::serialization(format!("{member} must be {}", noun(kind)))),
    }
}

fn noun(kind: &ShapeKind) -> &'static str {
    match kind {
        ShapeKind::String => "a string",
        ShapeKind::Blob => "a string of base64",
        ShapeKind::Integer => "an integer of 32 bits",
        ShapeKind::Boolean => "true or false",
        ShapeKind::Timestamp => "a number of seconds",
        ShapeKind::List(_) => "a list",
        ShapeKind::Map(_) | ShapeKind::Structure(_) => "an object",
    }
}

fn check_members(members: &[Member], object: &mut Object<'_>, path: &str, findings: &mut Vec<String>) {
    for member in members {
        match object.get_mut(&member.name) {
            Some(value) => check(&member.shape, value, &|| format!("{path}{}", member.camel()), findings),
            None if member.required => findings.push(format!(
                "Value null at '{path}{}' failed to satisfy constraint: Member must not be null",
                member.camel()
            )),
            None => {}
        }
    }
}

fn check(shape: &Shape, value: &mut Json<'_>, path: &dyn Fn() -> String, findings: &mut Vec<String>) {
    match (&shape.kind, value) {
        (ShapeKind::Structure(members), Json::Object(object)) => {
            check_members(members, object, &format!("{}.", path()), findings);
        }
        (ShapeKind::List(inner), Json::List(list)) => {
            measure(shape, list.len(), "length", || format!("'[{} items]'", list.len()), path, findings);
            for (at, item) in list.iter_mut().enumerate() {
                let path = || format!("{}.{}.member", path(), at + 1);
                match item {
                    Json::Null => findings.push(format!(
                        "Value null at '{}' failed to satisfy constraint: Member must not be null",
                        path()
                    )),
                    item => check(inner, item, &path, findings),
                }
            }
        }
        (ShapeKind::Map(inner), Json::Object(object)) => {
            for (key, item) in &mut object.0 {
                let path = || format!("{}.{key}.member", path());
                match item {
                    Json::Null => findings.push(format!(
                        "Value null at '{}' failed to satisfy constraint: Member must not be null",
                        path()
                    )),
                    item => check(inner, item, &path, findings),
                }
            }
        }
        (ShapeKind::Integer, Json::Integer(number)) => {
            let number = *number;
            measure(shape, number, "value", || format!("'{number}'"), path, findings);
        }
        // AWS does not show what a blob holds.
        (ShapeKind::Blob, Json::Blob(bytes)) => measure(shape, bytes.len(), "length", String::new, path, findings),
        (ShapeKind::String, Json::Text(text)) => {
            // AWS does not show what the model calls sensitive, and nor may the audit log.
            let shown = || if shape.sensitive { String::new() } else { format!("'{text}'") };
            if shape.min.is_some() || shape.max.is_some() {
                measure(shape, text.chars().count(), "length", shown, path, findings);
            }
            if !shape.values.is_empty() && !shape.values.iter().any(|known| known == text) {
                findings.push(format!(
                    "Value '{text}' at '{}' failed to satisfy constraint: Member must satisfy enum value set: [{}]",
                    path(),
                    shape.values.join(", ")
                ));
            }
            if let Some((pattern, matches)) = &shape.pattern
                && !matches(text)
                && !text.is_empty()
            {
                let value = if shape.sensitive { String::new() } else { format!("'{text}' ") };
                findings.push(format!(
                    "Value {value}at '{}' failed to satisfy constraint: Member must satisfy regular expression pattern: {pattern}",
                    path()
                ));
            }
        }
        _ => {}
    }
}

/// A length or value against the shape's smallest and largest.
fn measure(
    shape: &Shape,
    measured: impl TryInto<i64>,
    what: &str,
    shown: impl Fn() -> String,
    path: &dyn Fn() -> String,
    findings: &mut Vec<String>,
) {
    let measured = measured.try_into().unwrap_or(i64::MAX);
    let bounds =
        [(shape.min.filter(|min| measured < *min), "greater"), (shape.max.filter(|max| measured > *max), "less")];
    for (bound, relation) in bounds {
        if let Some(bound) = bound {
            let mut finding = String::from("Value ");
            let shown = shown();
            if !shown.is_empty() {
                finding.push_str(&shown);
                finding.push(' ');
            }
            let _ = write!(
                finding,
                "at '{}' failed to satisfy constraint: Member must have {what} {relation} than or equal to {bound}",
                path()
            );
            findings.push(finding);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;
    use crate::kms::api::input;

    fn refused(operation: &str, body: &str) -> (String, String) {
        let mut tree = parse(body.as_bytes()).unwrap();
        let error = validate(input(operation).unwrap(), &mut tree).unwrap_err();
        (error.code().to_owned(), error.message().unwrap_or_default().to_owned())
    }

    #[test]
    fn constraints_are_reported_with_aws_texts() {
        for (operation, body, text) in [
            (
                "DescribeKey",
                r#"{"KeyId":""}"#,
                "1 validation error detected: Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1",
            ),
            (
                "DescribeKey",
                "{}",
                "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null",
            ),
            (
                "DescribeKey",
                r#"{"KeyId":null}"#,
                "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null",
            ),
            (
                "EnableKeyRotation",
                r#"{"KeyId":"a","RotationPeriodInDays":89}"#,
                "1 validation error detected: Value '89' at 'rotationPeriodInDays' failed to satisfy constraint: Member must have value greater than or equal to 90",
            ),
            (
                "GenerateDataKey",
                r#"{"KeyId":"a","NumberOfBytes":1025}"#,
                "1 validation error detected: Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have value less than or equal to 1024",
            ),
            (
                "GenerateDataKey",
                r#"{"KeyId":"a","KeySpec":"AES_512"}"#,
                "1 validation error detected: Value 'AES_512' at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set: [AES_256, AES_128]",
            ),
            (
                "Encrypt",
                r#"{"KeyId":"a","Plaintext":""}"#,
                "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length greater than or equal to 1",
            ),
            (
                "CreateAlias",
                r#"{"AliasName":"alias/a b","TargetKeyId":"k"}"#,
                "1 validation error detected: Value 'alias/a b' at 'aliasName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$",
            ),
            (
                "TagResource",
                r#"{"KeyId":"a","Tags":[{"TagKey":"","TagValue":"v"}]}"#,
                "1 validation error detected: Value '' at 'tags.1.member.tagKey' failed to satisfy constraint: Member must have length greater than or equal to 1",
            ),
            (
                "EnableKeyRotation",
                r#"{"KeyId":"","RotationPeriodInDays":1}"#,
                "2 validation errors detected: Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1; Value '1' at 'rotationPeriodInDays' failed to satisfy constraint: Member must have value greater than or equal to 90",
            ),
        ] {
            assert_eq!(refused(operation, body), ("ValidationException".to_owned(), text.to_owned()), "{body}");
        }
    }

    #[test]
    fn another_json_type_is_a_serialization_exception() {
        for (operation, body) in [
            ("DescribeKey", r#"{"KeyId":1}"#),
            ("DescribeKey", r#"{"KeyId":["a"]}"#),
            ("EnableKeyRotation", r#"{"KeyId":"a","RotationPeriodInDays":"90"}"#),
            ("EnableKeyRotation", r#"{"KeyId":"a","RotationPeriodInDays":90.5}"#),
            ("EnableKeyRotation", r#"{"KeyId":"a","RotationPeriodInDays":4294967386}"#),
            ("Encrypt", r#"{"KeyId":"a","Plaintext":"no base64!"}"#),
            ("Encrypt", r#"{"KeyId":"a","Plaintext":"QQ==","EncryptionContext":{"a":1}}"#),
            ("CreateKey", r#"{"Tags":{}}"#),
            ("CreateKey", r#"{"MultiRegion":"true"}"#),
        ] {
            assert_eq!(refused(operation, body).0, "SerializationException", "{body}");
        }
    }

    #[test]
    fn limits_hold_at_and_one_past_them() {
        for (length, good) in [(2048, true), (2049, false)] {
            let body = format!("{{\"KeyId\":\"{}\"}}", "é".repeat(length));
            let mut tree = parse(body.as_bytes()).unwrap();
            assert_eq!(validate(input("DescribeKey").unwrap(), &mut tree).is_ok(), good, "{length}");
        }
        for (period, good) in [(90, true), (2560, true), (2561, false)] {
            let body = format!("{{\"KeyId\":\"a\",\"RotationPeriodInDays\":{period},\"unknown\":[1]}}");
            let mut tree = parse(body.as_bytes()).unwrap();
            assert_eq!(validate(input("EnableKeyRotation").unwrap(), &mut tree).is_ok(), good, "{period}");
        }
    }
}
