//! The one builder of condition key values: caller, operation, resource and surroundings merged.

use std::borrow::Cow;

use crate::aws::{Caller, ConditionKey, ContextValue, Principal};
use crate::cedar::{TimeKey, Values};

use super::{Applicable, AuthzRequest, ControlPolicies, KeyAttributes, Membership, Resource, Supplied};

/// The condition keys of a request as one kind of policy sees them.
#[derive(Clone, Copy)]
pub(super) struct RequestValues<'a> {
    request: &'a AuthzRequest,
    /// Of the caller's account.
    callers: Option<&'a Membership>,
    /// Of the resource's account.
    resources: Option<&'a Membership>,
    /// `kms:ResourceAliases` is for identity policies only (service authorization reference).
    of_resource_policy: bool,
}

impl<'a> RequestValues<'a> {
    pub(super) fn for_resource_policy(request: &'a AuthzRequest, applicable: &'a Applicable<'a>) -> Self {
        Self { of_resource_policy: true, ..Self::for_principal(request, applicable) }
    }

    pub(super) fn for_principal(request: &'a AuthzRequest, applicable: &'a Applicable<'a>) -> Self {
        Self {
            request,
            callers: applicable.caller_controls.and_then(ControlPolicies::membership),
            resources: applicable.resource_controls.and_then(ControlPolicies::membership),
            of_resource_policy: false,
        }
    }

    /// The organisation's keys (IAM User Guide, "AWS global condition context keys"): present for
    /// its members alone.
    fn organization(&self, name: &str) -> Option<ContextValue<'a>> {
        let (of_caller, name) = match name.strip_prefix("aws:principalorg") {
            Some(name) => (true, name),
            None => (false, name.strip_prefix("aws:resourceorg")?),
        };
        let membership = if of_caller { self.callers? } else { self.resources? };
        match name {
            "id" => Some(text(&membership.organization)),
            "paths" => membership.path.as_deref().map(|path| ContextValue::Many([Cow::Borrowed(path)].into())),
            _ => None,
        }
    }
}

impl Values for RequestValues<'_> {
    fn value(&self, key: &ConditionKey) -> Option<ContextValue<'_>> {
        if self.of_resource_policy && key.as_str() == "kms:resourcealiases" {
            return None;
        }
        self.request.value(key).or_else(|| self.organization(key.as_str()))
    }
}

impl AuthzRequest {
    /// The value of a condition key in this request; none where it has none. What the operation
    /// gives comes before what follows from caller, resource and surroundings.
    #[must_use]
    pub fn value(&self, key: &ConditionKey) -> Option<ContextValue<'_>> {
        let name = key.as_str();
        self.given(key).map(borrowed).or_else(|| self.derived(name))
    }

    /// The value that the operation gives.
    pub(super) fn given(&self, key: &ConditionKey) -> Option<&ContextValue<'static>> {
        self.operation.iter().find(|(name, _)| name == key.as_str()).map(|(_, value)| value)
    }

    /// Whether the request gives the key more than once, in names that differ by case alone: no
    /// value is the right one then.
    #[must_use]
    pub(super) fn is_ambiguous(&self, key: &ConditionKey) -> bool {
        let name = key.as_str();
        if self.operation.iter().filter(|(given, _)| given == name).count() > 1 {
            return true;
        }
        let several = |tags: &[(String, String)], wanted: &str| {
            tags.len() > 1 && tags.iter().filter(|(tag, _)| is_same(tag, wanted)).count() > 1
        };
        if let Some(tag) = name.strip_prefix("aws:principaltag/") {
            several(&self.caller.tags, tag)
        } else if let Some(tag) = name.strip_prefix("aws:resourcetag/") {
            self.attributes().is_some_and(|attributes| several(&attributes.tags, tag))
        } else {
            false
        }
    }

    /// Whether the request has a value of the clock's under that name.
    pub(super) fn supplies_time(&self, key: TimeKey) -> bool {
        match self.supplied {
            Supplied::All => true,
            Supplied::Implied { now } => now && key != TimeKey::MultiFactorAuthAge,
        }
    }

    fn derived(&self, name: &str) -> Option<ContextValue<'_>> {
        if let Supplied::Implied { now } = self.supplied {
            let is_implied = match name {
                "aws:principalarn"
                | "aws:principalaccount"
                | "aws:principaltype"
                | "aws:username"
                | "aws:resourceaccount"
                | "kms:calleraccount" => true,
                "aws:currenttime" | "aws:epochtime" => now,
                _ => false,
            };
            if !is_implied {
                return None;
            }
        }
        let (service, rest) = name.split_once(':')?;
        match service {
            "aws" => self.global(rest),
            "kms" if self.action.service() == "kms" => self.kms(rest),
            _ => None,
        }
    }

    /// `aws:…` keys (IAM User Guide, "AWS global condition context keys").
    fn global(&self, name: &str) -> Option<ContextValue<'_>> {
        let caller = &*self.caller;
        let surroundings = &*self.surroundings;
        let session = caller.session.as_ref();
        let has_account = has_account(caller);
        match name {
            "currenttime" => Some(ContextValue::Time(surroundings.now)),
            "epochtime" => Some(ContextValue::Number(surroundings.now.as_second())),
            "securetransport" => Some(ContextValue::Bool(surroundings.secure_transport)),
            "requestedregion" => Some(text(surroundings.region.as_str())),
            // Always present: a request without the header gives an empty one.
            "useragent" => Some(text(surroundings.user_agent.as_deref().unwrap_or_default())),
            "referer" => surroundings.referer.as_deref().map(text),
            "sourceip" => surroundings.source_ip.map(ContextValue::Ip),
            "viaawsservice" => Some(ContextValue::Bool(false)),
            "principalaccount" => has_account.then(|| text(caller.account.as_str())),
            "principalarn" => has_account.then(|| text(caller.principal_arn.as_str())),
            "principaltype" => Some(text(caller.principal_type())),
            "principalisawsservice" => Some(ContextValue::Bool(matches!(caller.principal, Principal::Service(_)))),
            "principalservicename" => match &caller.principal {
                Principal::Service(name) => Some(text(name)),
                _ => None,
            },
            "userid" => Some(text(&caller.user_id)),
            "username" => caller.user_name().map(text),
            "tokenissuetime" => session?.issued_at.map(ContextValue::Time),
            "multifactorauthpresent" => Some(ContextValue::Bool(session?.mfa_authenticated_at.is_some())),
            "multifactorauthage" => {
                mfa_age_seconds(caller, surroundings.now.as_millisecond()).map(ContextValue::Number)
            }
            "sourceidentity" => session?.source_identity.as_deref().map(text),
            "federatedprovider" => session?.federated_provider.as_deref().map(text),
            "resourceaccount" => {
                self.resource.owner().or_else(|| has_account.then(|| caller.account.as_str())).map(text)
            }
            _ => {
                if let Some(tag) = name.strip_prefix("principaltag/") {
                    tag_value(&caller.tags, tag)
                } else {
                    tag_value(&self.attributes()?.tags, name.strip_prefix("resourcetag/")?)
                }
            }
        }
    }

    /// `kms:…` keys that follow from caller and key (service authorization reference, "Condition
    /// keys for AWS Key Management Service"); the others are the operation's.
    fn kms(&self, name: &str) -> Option<ContextValue<'_>> {
        if name == "calleraccount" {
            return has_account(&self.caller).then(|| text(self.caller.account.as_str()));
        }
        let attributes = self.attributes()?;
        match name {
            "keyspec" | "customermasterkeyspec" => Some(text(&attributes.key_spec)),
            "keyusage" | "customermasterkeyusage" => Some(text(&attributes.key_usage)),
            "keyorigin" => Some(text(&attributes.origin)),
            "multiregion" => Some(ContextValue::Bool(attributes.multi_region)),
            "multiregionkeytype" => attributes.multi_region_key_type.map(text),
            "resourcealiases" => {
                Some(ContextValue::Many(attributes.aliases.iter().map(|alias| Cow::Borrowed(alias.as_str())).collect()))
            }
            _ => None,
        }
    }

    fn attributes(&self) -> Option<&KeyAttributes> {
        match &self.resource {
            Resource::Key { attributes, .. } => Some(attributes),
            _ => None,
        }
    }
}

/// Services, who is known to an identity provider alone, and nobody belong to no account.
fn has_account(caller: &Caller) -> bool {
    !matches!(caller.principal, Principal::WebIdentity(_) | Principal::Service(_) | Principal::Anonymous)
}

/// `aws:MultiFactorAuthAge`: whole seconds since the second factor was proved.
fn mfa_age_seconds(caller: &Caller, now_milliseconds: i64) -> Option<i64> {
    let proved = caller.session.as_ref()?.mfa_authenticated_at?;
    Some((now_milliseconds - proved.as_millisecond()).max(0).div_euclid(1000))
}

fn tag_value<'a>(tags: &'a [(String, String)], wanted: &str) -> Option<ContextValue<'a>> {
    tags.iter().find(|(tag, _)| is_same(tag, wanted)).map(|(_, value)| text(value))
}

/// Whether a tag's key is the one whose lower-cased form is wanted.
fn is_same(tag: &str, lower: &str) -> bool {
    if tag.is_ascii() { tag.eq_ignore_ascii_case(lower) } else { tag.to_lowercase() == lower }
}

fn text(text: &str) -> ContextValue<'_> {
    ContextValue::Text(Cow::Borrowed(text))
}

fn borrowed<'a>(value: &'a ContextValue<'static>) -> ContextValue<'a> {
    match value {
        ContextValue::Text(text) => ContextValue::Text(Cow::Borrowed(text)),
        ContextValue::Number(number) => ContextValue::Number(*number),
        ContextValue::Bool(value) => ContextValue::Bool(*value),
        ContextValue::Time(time) => ContextValue::Time(*time),
        ContextValue::Ip(address) => ContextValue::Ip(*address),
        ContextValue::Many(values) => {
            ContextValue::Many(values.iter().map(|value| Cow::Borrowed(value.as_ref())).collect())
        }
    }
}
