//! The member `grants` of a case: what `aws kms list-grants` prints of each grant.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::fault::Problem;
use super::members::Member;
use crate::authz::{Grant, GrantConstraints, Resource};
use crate::aws::catalogue::kms;
use crate::aws::{ActionName, Arn, Principal};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Raw {
    grantee_principal: String,
    operations: Vec<String>,
    #[serde(default)]
    constraints: Option<RawConstraints>,
    #[serde(default)]
    retiring_principal: Option<String>,
    #[serde(default)]
    issuing_account: Option<String>,
    #[serde(default)]
    key_id: Option<String>,
    // What a grant has beside, and what a decision does not read.
    #[serde(default, rename = "GrantId")]
    _grant_id: Option<String>,
    #[serde(default, rename = "Name")]
    _name: Option<String>,
    #[serde(default, rename = "CreationDate")]
    _creation_date: Option<serde_json::Value>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct RawConstraints {
    #[serde(default)]
    encryption_context_equals: Option<BTreeMap<String, String>>,
    #[serde(default)]
    encryption_context_subset: Option<BTreeMap<String, String>>,
    #[serde(default)]
    source_arn: Option<Arn>,
}

/// The grants on the resource, a key, with their places among all that are given.
#[derive(Default)]
pub(super) struct OnKey {
    pub(super) grants: Vec<Grant>,
    pub(super) places: Vec<u32>,
}

/// The grants on the resource: those that say that they are on another key are left out.
pub(super) fn read(member: &Member<'_>, resource: &Resource) -> Result<OnKey, Problem> {
    let mut on_key = OnKey::default();
    for (place, item) in (0..).zip(member.items("grants", "grants")?) {
        if let Some(grant) = grant(&item, &format!("grants[{place}]"), resource)? {
            on_key.grants.push(grant);
            on_key.places.push(place);
        }
    }
    Ok(on_key)
}

fn grant(item: &Member<'_>, name: &str, resource: &Resource) -> Result<Option<Grant>, Problem> {
    // A list would be taken for the members in their order.
    if !item.json.starts_with('{') {
        return Err(item.problem(format!("{name}: write an object, as `aws kms list-grants` prints it")));
    }
    let raw: Raw = serde_json::from_str(&item.json).map_err(|error| item.json_problem(name, &error))?;
    let principal = |member: &str, text: &str| {
        text.parse::<Principal>().map_err(|error| item.problem(format!("{name}.{member}: {error}")))
    };
    for operation in &raw.operations {
        let action: Result<ActionName, _> = format!("kms:{operation}").parse();
        if !action.is_ok_and(|action| kms::is_grantable(&action)) {
            return Err(
                item.problem(format!("{name}.Operations: `{operation}` is no operation that a grant can allow"))
            );
        }
    }
    let issuing_account = match &raw.issuing_account {
        Some(text) => text
            .parse()
            .ok()
            .or_else(|| text.parse::<Principal>().ok()?.account())
            .ok_or_else(|| item.problem(format!("{name}.IssuingAccount: `{text}` names no account")))?,
        None => match resource {
            Resource::Key { attributes, .. } => attributes.account,
            _ => return Err(item.problem(format!("{name}: grants are on a KMS key, and there is none"))),
        },
    };
    if let (Some(key), Some(arn)) = (&raw.key_id, resource.arn())
        && key != arn.as_str()
        && Some(key.as_str()) != arn.resource().strip_prefix("key/")
    {
        return Ok(None);
    }
    let constraints = raw.constraints.unwrap_or_default();
    Ok(Some(Grant {
        id: None,
        grantee: principal("GranteePrincipal", &raw.grantee_principal)?.into(),
        retiring: raw
            .retiring_principal
            .as_deref()
            .map(|text| principal("RetiringPrincipal", text).map(Into::into))
            .transpose()?,
        operations: raw.operations,
        constraints: GrantConstraints {
            encryption_context_equals: constraints.encryption_context_equals,
            encryption_context_subset: constraints.encryption_context_subset,
            source_arn: constraints.source_arn,
        },
        issuing_account,
    }))
}
