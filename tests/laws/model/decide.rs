//! Whether a request is allowed: its checks, each decided by the plain interpreter of IAM, and the
//! text of a denial (IAM User Guide, "Troubleshoot access denied error messages").

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::ask::{self, Ask, Refusal, some};
use super::managed;
use super::state::{Context as Pairs, Grant, Model};
use super::world::{controls, default_key_policy, identity, limit};
use crate::interpreter::{self, Beyond, Case, Context, Layer, Outcome, Values, decide};

/// What a check is about.
#[derive(Clone, Copy)]
pub(super) enum On<'a> {
    Nothing,
    Alias(&'a str),
    Key(usize),
    /// A key or alias that is not there, by its ARN.
    Missing(&'a str),
}

/// One permission that a request needs.
pub(super) struct Check<'a> {
    pub(super) action: &'a str,
    pub(super) on: On<'a>,
    /// The condition keys of the operation.
    pub(super) context: Context,
    /// Of the key's grants, those that may allow it; none: all of them.
    pub(super) grants: Option<Vec<usize>>,
    /// Whether the key is known by a ciphertext alone.
    pub(super) by_ciphertext: bool,
    /// Where it is asked: another Region than the request's for what is made there.
    pub(super) region: Option<&'a str>,
}

impl<'a> Check<'a> {
    pub(super) fn new(action: &'a str, on: On<'a>, context: Context) -> Self {
        Self { action, on, context, grants: None, by_ciphertext: false, region: None }
    }
}

/// Condition keys of one value each.
pub(super) fn conditions<const N: usize>(pairs: [(&str, &str); N]) -> Context {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), Values::one(value))).collect()
}

/// `kms:EncryptionContext:…` and `kms:EncryptionContextKeys`.
pub(super) fn of_pairs(pairs: &Pairs, into: &mut Context) {
    for (name, value) in pairs {
        into.insert(format!("kms:EncryptionContext:{name}"), Values::one(value));
    }
    if !pairs.is_empty() {
        let names: Vec<&String> = pairs.keys().collect();
        into.insert("kms:EncryptionContextKeys".to_owned(), Values::many(&names));
    }
}

/// `aws:RequestTag/…` and `aws:TagKeys`.
pub(super) fn of_tags(tags: &Value, into: &mut Context) {
    let mut names = Vec::new();
    for tag in tags.as_array().into_iter().flatten() {
        let name = tag["TagKey"].as_str().unwrap_or_default();
        into.insert(format!("aws:RequestTag/{name}"), Values::one(tag["TagValue"].as_str().unwrap_or_default()));
        names.push(name);
    }
    if !names.is_empty() {
        into.insert("aws:TagKeys".to_owned(), Values::many(&names));
    }
}

impl Model {
    /// Whether all checks are allowed; the first that is not tells.
    pub(super) fn hold(&self, ask: &Ask<'_>, checks: &[Check<'_>]) -> Result<(), Refusal> {
        checks.iter().try_for_each(|check| self.hold_one(ask, check))
    }

    fn hold_one(&self, ask: &Ask<'_>, check: &Check<'_>) -> Result<(), Refusal> {
        let case = self.case(ask, check);
        let verdict = decide(&case);
        let is_foreign = case.resource != "*" && case.account() != case.owner();
        let across = if is_foreign { " across accounts" } else { "" };
        let said = format!("{:?} by {:?}{across}", verdict.outcome, verdict.layer);
        *self.decisions.borrow_mut().entry(said).or_default() += 1;
        if verdict.outcome == Outcome::Allow {
            return Ok(());
        }
        Err(match reason(&case, &verdict, check.by_ciphertext) {
            Some(reason) => {
                let (principal, action) = (&case.principal, &case.action);
                ask::said(
                    "AccessDeniedException",
                    format!("User: {principal} is not authorized to perform: {action} {reason}"),
                )
            }
            None => some("AccessDeniedException"),
        })
    }

    /// Whether the caller could change the policy again that a key is to have (KMS API Reference,
    /// "PutKeyPolicy", `BypassPolicyLockoutSafetyCheck`).
    pub(super) fn could_change_again(&self, ask: &Ask<'_>, key: usize, policy: &str) -> bool {
        let region = Some(self.keys[key].region);
        let check =
            Check { region, grants: Some(Vec::new()), ..Check::new("PutKeyPolicy", On::Key(key), Context::new()) };
        let mut case = self.case(ask, &check);
        case.resource_policy = serde_json::from_str(policy).ok();
        decide(&case).outcome == Outcome::Allow
    }

    fn case(&self, ask: &Ask<'_>, check: &Check<'_>) -> Case {
        let who = ask.who();
        let policies = self.policies[ask.caller];
        let mut context = check.context.clone();
        let mut put = |name: &str, value: &str| context.insert(name.to_owned(), Values::one(value));
        put("aws:RequestedRegion", check.region.unwrap_or(ask.region));
        put("aws:SecureTransport", "true");
        for (name, value) in who.tags {
            put(&format!("aws:PrincipalTag/{name}"), value);
        }
        let mut case = Case {
            principal: who.principal.to_owned(),
            role: who.role.map(str::to_owned),
            action: format!("kms:{}", check.action),
            now: Some(Timestamp::from_second(self.now).unwrap().to_string()),
            identity: identity(policies.identity),
            boundary: limit(policies.boundary),
            session: limit(policies.session).into_iter().collect(),
            ..Case::default()
        };
        match check.on {
            On::Nothing => "*".clone_into(&mut case.resource),
            On::Alias(arn) => arn.clone_into(&mut case.resource),
            On::Missing(arn) => {
                arn.clone_into(&mut case.resource);
                case.beyond = Beyond { missing_key: true, ..Beyond::default() };
            }
            On::Key(key) => {
                case.resource = self.arn(key);
                self.of_key(key, &mut context);
                let owner = self.keys[key].account;
                case.resource_policy = Some(match (&self.keys[key].policy, self.keys[key].managed) {
                    (_, Some(service)) => managed::policy(service, owner),
                    (Some(text), None) => serde_json::from_str(text).unwrap(),
                    (None, None) => default_key_policy(owner),
                });
                let grants = check.grants.clone().unwrap_or_else(|| self.grants_of(key));
                case.grants = grants.into_iter().map(|at| self.grants[at].as_asked()).collect();
            }
        }
        let controls = |account: &str| controls(self.organization, account).unwrap_or_default();
        case.service_controls = controls(who.account).0;
        case.resource_controls = controls(case.owner().unwrap_or(who.account)).1;
        case.context = context;
        case
    }

    /// The condition keys of any operation on a key.
    fn of_key(&self, key: usize, context: &mut Context) {
        let (this, family) = (&self.keys[key], self.family(key));
        let mut put = |name: &str, value: &str| context.insert(name.to_owned(), Values::one(value));
        of_kind(&family.spec, &family.usage, &family.origin, family.multi_region, &mut put);
        if family.multi_region {
            put("kms:MultiRegionKeyType", if self.is_replica(key) { "REPLICA" } else { "PRIMARY" });
        }
        for (name, value) in &this.tags {
            put(&format!("aws:ResourceTag/{name}"), value);
        }
        context.insert("kms:ResourceAliases".to_owned(), Values::many(&self.aliases_of(key)));
    }
}

/// The condition keys that tell what a key is.
pub(super) fn of_kind<T>(
    spec: &str,
    usage: &str,
    origin: &str,
    multi_region: bool,
    put: &mut impl FnMut(&str, &str) -> T,
) {
    put("kms:KeySpec", spec);
    put("kms:CustomerMasterKeySpec", spec);
    put("kms:KeyUsage", usage);
    put("kms:CustomerMasterKeyUsage", usage);
    put("kms:KeyOrigin", origin);
    put("kms:MultiRegion", if multi_region { "true" } else { "false" });
}

impl Grant {
    fn as_asked(&self) -> interpreter::Grant {
        interpreter::Grant {
            grantee: self.grantee.clone(),
            retiring: self.retiring.clone(),
            issuing_account: Some(self.issuer.clone()),
            operations: self.operations.clone(),
            equals: self.equals.clone(),
            subset: self.subset.clone(),
            source_arn: None,
        }
    }

    /// Whether a grant of these operations and constraints is no wider than this one, which lets
    /// its grantee make it (KMS Developer Guide, "Grants", "CreateGrant"): what is equal to a
    /// context that holds the pairs is narrower than what only has to hold them.
    pub(super) fn encloses(
        &self,
        operations: &[String],
        equals: Option<&BTreeMap<String, String>>,
        subset: Option<&BTreeMap<String, String>>,
    ) -> bool {
        let holds = |pairs: &BTreeMap<String, String>, in_these: &BTreeMap<String, String>| {
            pairs.iter().all(|(name, value)| in_these.get(name) == Some(value))
        };
        let fits_equals = self.equals.as_ref().is_none_or(|own| equals == Some(own));
        let fits_subset = self
            .subset
            .as_ref()
            .is_none_or(|own| [equals, subset].into_iter().flatten().any(|given| holds(own, given)));
        operations.iter().all(|operation| self.operations.contains(operation)) && fits_equals && fits_subset
    }
}

const HIDDEN: &str = "because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access";

/// Where and why: the end of the text of a denial.
fn reason(case: &Case, verdict: &interpreter::Verdict, by_ciphertext: bool) -> Option<String> {
    let is_foreign = case.resource != "*" && case.account() != case.owner();
    let place = if by_ciphertext {
        "on the resource associated with this ciphertext".to_owned()
    } else if is_foreign || case.beyond.missing_key {
        "on this resource".to_owned()
    } else {
        format!("on resource: {}", case.resource)
    };
    let (with_article, kind) = match verdict.layer {
        Layer::Resource => ("a resource-based policy", "resource-based policy"),
        Layer::Identity => ("an identity-based policy", "identity-based policy"),
        Layer::Boundary => ("a permissions boundary", "permissions boundary"),
        Layer::Session => ("a session policy", "session policy"),
        _ => return None,
    };
    // Nobody recorded how that is said of what is not there, and how a key policy's refusal is said of
    // a key that a ciphertext names.
    if case.beyond.missing_key && !is_foreign && verdict.outcome == Outcome::ExplicitDeny {
        return None;
    }
    if by_ciphertext && !is_foreign && !case.beyond.missing_key && verdict.layer == Layer::Resource {
        return None;
    }
    let is_hidden = match (verdict.layer, verdict.outcome) {
        (Layer::Resource, _) => is_foreign || case.beyond.missing_key,
        (_, Outcome::ImplicitDeny) => case.beyond.missing_key,
        _ => false,
    };
    let why = if is_hidden {
        HIDDEN.to_owned()
    } else if verdict.outcome == Outcome::ExplicitDeny {
        format!("with an explicit deny in {with_article}")
    } else {
        format!("because no {kind} allows the {} action", case.action)
    };
    Some(format!("{place} {why}"))
}
