//! The condition keys that operations give (AWS service authorization reference, "Condition keys
//! for AWS Key Management Service").

use std::borrow::Cow;

use super::api::Kind;
use super::operation::{CreateGrant, CreateKey, EncryptionContext, Input, ReplicateKey};
use crate::authz::KeyAttributes;
use crate::aws::ContextValue;

/// Condition keys by their names in lower case.
pub(super) type Conditions = Vec<(Cow<'static, str>, ContextValue<'static>)>;

/// What `CreateKey` gives.
pub(super) fn of_new_key(create: &CreateKey) -> Conditions {
    let mut conditions: Conditions = vec![
        ("kms:keyspec".into(), text(create.spec.name())),
        ("kms:customermasterkeyspec".into(), text(create.spec.name())),
        ("kms:keyusage".into(), text(create.usage.name())),
        ("kms:customermasterkeyusage".into(), text(create.usage.name())),
        ("kms:keyorigin".into(), text(create.origin.name())),
        ("kms:multiregion".into(), ContextValue::Bool(create.multi_region)),
    ];
    if create.multi_region {
        conditions.push(("kms:multiregionkeytype".into(), text("PRIMARY")));
    }
    conditions.extend(create.bypass.map(bypass));
    conditions.extend(tags(&create.tags));
    conditions
}

/// What `ReplicateKey` gives to `CreateKey`, which it needs in the replica's Region.
pub(super) fn of_new_replica(primary: &KeyAttributes, request: &ReplicateKey) -> Conditions {
    let of = |text: &Cow<'static, str>| ContextValue::Text(text.clone());
    let mut conditions: Conditions = vec![
        ("kms:keyspec".into(), of(&primary.key_spec)),
        ("kms:customermasterkeyspec".into(), of(&primary.key_spec)),
        ("kms:keyusage".into(), of(&primary.key_usage)),
        ("kms:customermasterkeyusage".into(), of(&primary.key_usage)),
        ("kms:keyorigin".into(), of(&primary.origin)),
        ("kms:multiregion".into(), ContextValue::Bool(true)),
        ("kms:multiregionkeytype".into(), text("REPLICA")),
    ];
    conditions.extend(request.bypass.map(bypass));
    conditions.extend(tags(&request.tags));
    conditions
}

/// What `CreateGrant` gives.
fn of_new_grant(create: &CreateGrant) -> Conditions {
    let operations = create.operations.iter().map(|name| Cow::Owned(name.clone())).collect();
    let mut conditions: Conditions = vec![
        ("kms:grantoperations".into(), ContextValue::Many(operations)),
        ("kms:granteeprincipal".into(), owned(&create.grantee)),
        for_aws_resource(),
    ];
    conditions.extend(create.retiring.as_ref().map(|principal| ("kms:retiringprincipal".into(), owned(principal))));
    conditions.extend(of_constraints(create.equals.as_ref(), create.subset.as_ref()));
    conditions
}

/// What the constraints of a grant give to `CreateGrant` and `RetireGrant`: of both, the narrower
/// one counts.
pub(super) fn of_constraints(equals: Option<&EncryptionContext>, subset: Option<&EncryptionContext>) -> Conditions {
    let (kind, context) = match (equals, subset) {
        (Some(equals), _) => ("EncryptionContextEquals", equals),
        (None, Some(subset)) => ("EncryptionContextSubset", subset),
        (None, None) => return Vec::new(),
    };
    let mut conditions = of_encryption_context(context);
    conditions.push(("kms:grantconstrainttype".into(), text(kind)));
    conditions
}

/// No AWS service calls for anybody here.
fn for_aws_resource() -> (Cow<'static, str>, ContextValue<'static>) {
    ("kms:grantisforawsresource".into(), ContextValue::Bool(false))
}

/// What an operation on one key gives.
pub(super) fn of(kind: Kind, input: &Input) -> Conditions {
    match input {
        Input::CreateGrant(create) => of_new_grant(create),
        Input::UpdatePrimaryRegion { region, .. } => vec![("kms:primaryregion".into(), owned(region))],
        Input::ListGrants { .. } | Input::RevokeGrant { .. } => vec![for_aws_resource()],
        Input::Key { key_id } if matches!(kind, Kind::DescribeKey | Kind::GetPublicKey) => {
            request_alias(Some(key_id)).into_iter().collect()
        }
        Input::PutKeyPolicy { bypass: flag, .. } => flag.map(bypass).into_iter().collect(),
        // Omitted in the request, the period authorises as the default.
        Input::EnableKeyRotation { period_days, .. } => vec![(
            "kms:rotationperiodindays".into(),
            ContextValue::Number(period_days.unwrap_or(super::engine::DEFAULT_PERIOD_DAYS)),
        )],
        Input::ScheduleKeyDeletion { window_days, .. } => window_days
            .map(|days| ("kms:schedulekeydeletionpendingwindowindays".into(), ContextValue::Number(days)))
            .into_iter()
            .collect(),
        Input::Tag { tags: given, .. } => tags(given),
        Input::Untag { tag_keys, .. } => vec![(
            "aws:tagkeys".into(),
            ContextValue::Many(tag_keys.iter().map(|key| Cow::Owned(key.clone())).collect()),
        )],
        Input::Encrypt { key_id, context, algorithm, .. } => cryptographic(Some(key_id), context, algorithm.as_deref()),
        Input::Decrypt { key_id, context, algorithm, .. } => {
            cryptographic(key_id.as_deref(), context, algorithm.as_deref())
        }
        Input::DataKey { key_id, context, .. } => cryptographic(Some(key_id), context, None),
        Input::DataKeyPair { key_id, context, pair_spec } => {
            let mut conditions = cryptographic(Some(key_id), context, None);
            conditions.push(("kms:datakeypairspec".into(), text(pair_spec.name())));
            conditions
        }
        Input::Mac(request) => {
            with_alias(&request.key_id, vec![("kms:macalgorithm".into(), text(request.algorithm.name()))])
        }
        // Omitted in the request, the type authorises as the default.
        Input::Signature(request) => with_alias(
            &request.key_id,
            vec![
                ("kms:signingalgorithm".into(), text(request.algorithm.name())),
                ("kms:messagetype".into(), text(request.message_type.name())),
            ],
        ),
        Input::Agreement { key_id, algorithm, .. } => {
            with_alias(key_id, vec![("kms:keyagreementalgorithm".into(), text(algorithm.name()))])
        }
        Input::GetParametersForImport { algorithm, wrapping_spec, .. } => vec![
            ("kms:wrappingalgorithm".into(), text(algorithm.name())),
            ("kms:wrappingkeyspec".into(), text(wrapping_spec.name())),
        ],
        // Omitted in the request, the model authorises as the default.
        Input::ImportKeyMaterial(request) => {
            let mut conditions: Conditions =
                vec![("kms:expirationmodel".into(), text(request.expiration_model().name()))];
            conditions.extend(request.valid_to.map(|date| ("kms:validto".into(), ContextValue::Time(date))));
            conditions
        }
        _ => Vec::new(),
    }
}

/// What a cryptographic operation with an encryption context gives.
pub(super) fn cryptographic(key_id: Option<&str>, context: &EncryptionContext, algorithm: Option<&str>) -> Conditions {
    let mut conditions = Vec::with_capacity(3 + context.0.len());
    let algorithm = match algorithm {
        None | Some("SYMMETRIC_DEFAULT") => text("SYMMETRIC_DEFAULT"),
        Some(other) => ContextValue::Text(Cow::Owned(other.to_owned())),
    };
    conditions.push(("kms:encryptionalgorithm".into(), algorithm));
    conditions.extend(request_alias(key_id));
    conditions.extend(of_encryption_context(context));
    conditions
}

fn of_encryption_context(context: &EncryptionContext) -> Conditions {
    if context.0.is_empty() {
        return Vec::new();
    }
    let pair = |(key, value): &(String, String)| {
        let name = format!("kms:encryptioncontext:{}", key.to_lowercase());
        (Cow::Owned(name), ContextValue::Text(Cow::Owned(value.clone())))
    };
    let mut conditions: Conditions = context.0.iter().map(pair).collect();
    let keys = context.0.iter().map(|(key, _)| Cow::Owned(key.clone())).collect();
    conditions.push(("kms:encryptioncontextkeys".into(), ContextValue::Many(keys)));
    conditions
}

fn with_alias(key_id: &str, mut conditions: Conditions) -> Conditions {
    conditions.extend(request_alias(Some(key_id)));
    conditions
}

/// `kms:RequestAlias`: the alias's name, whichever way the request spelled it.
fn request_alias(key_id: Option<&str>) -> Option<(Cow<'static, str>, ContextValue<'static>)> {
    let id = key_id?;
    let name = if id.starts_with("alias/") {
        id
    } else {
        id.strip_prefix("arn:")
            .and_then(|arn| arn.splitn(5, ':').nth(4))
            .filter(|resource| resource.starts_with("alias/"))?
    };
    Some(("kms:requestalias".into(), ContextValue::Text(Cow::Owned(name.to_owned()))))
}

/// What the tags of a request give.
pub(super) fn tags(given: &[(String, String)]) -> Conditions {
    if given.is_empty() {
        return Vec::new();
    }
    let mut conditions: Conditions = given
        .iter()
        .map(|(key, value)| {
            (
                Cow::Owned(format!("aws:requesttag/{}", key.to_lowercase())),
                ContextValue::Text(Cow::Owned(value.clone())),
            )
        })
        .collect();
    let keys = given.iter().map(|(key, _)| Cow::Owned(key.clone())).collect();
    conditions.push(("aws:tagkeys".into(), ContextValue::Many(keys)));
    conditions
}

fn bypass(flag: bool) -> (Cow<'static, str>, ContextValue<'static>) {
    ("kms:bypasspolicylockoutsafetycheck".into(), ContextValue::Bool(flag))
}

pub(super) fn owned(value: &str) -> ContextValue<'static> {
    ContextValue::Text(Cow::Owned(value.to_owned()))
}

fn text(value: &'static str) -> ContextValue<'static> {
    ContextValue::Text(Cow::Borrowed(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_alias_is_the_name_alone() {
        let alias = |id| request_alias(Some(id)).map(|(_, value)| value.texts()[0].to_string());
        assert_eq!(alias("alias/a"), Some("alias/a".to_owned()));
        assert_eq!(alias("arn:aws:kms:us-east-1:111122223333:alias/a/b"), Some("alias/a/b".to_owned()));
        assert_eq!(alias("arn:aws:kms:us-east-1:111122223333:key/x"), None);
        assert_eq!(alias("1234abcd-12ab-34cd-56ef-1234567890ab"), None);
    }
}
