use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;

use super::context::Given;
use super::fault::Problem;
use super::grants;
use super::library::Library;
use super::members::{Member, Members};
use super::policy_set::PolicySet;
use crate::authz::{Applicable, AuthzRequest, DecidedBy, Grant, KeyAttributes, Layer, Resource, Supplied};
use crate::aws::catalogue::kms;
use crate::aws::{AccountId, ActionName, Arn, Caller, ConditionKey, ContextValue, Principal, Session, Surroundings};

/// One case: a request and the policies that it is decided by.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) request: AuthzRequest,
    pub(super) policies: Arc<PolicySet>,
    grants: Vec<Grant>,
    /// The place of each among the grants that the case gives.
    grant_places: Vec<u32>,
    encryption_context: Option<BTreeMap<String, String>>,
}

impl Case {
    /// Makes the case of these members. `shared` are the condition keys that the context does not
    /// give but that hold too; policies' paths are relative to `base`.
    pub(super) fn new<'a>(
        members: &Members<'a>,
        shared: &Given,
        library: &Library,
        base: &Path,
    ) -> Result<Self, Problem> {
        let required = |member: &Option<Member<'a>>, name: &str| {
            let missing = || format!("{name} is missing: a case needs principal, action and resource");
            member.clone().ok_or_else(|| Problem::at(members.offset, missing()))
        };
        let action = action(&required(&members.action, "action")?)?;
        let resource_account = members.resource_account.as_ref().map(account).transpose()?;
        let resource = resource(&required(&members.resource, "resource")?, &action, resource_account)?;
        refuse_misplaced_policy(members, &action)?;
        let given = match &members.context {
            Some(member) => Given::read(member)?.or(shared),
            None => shared.clone(),
        };
        let caller = caller(&required(&members.principal, "principal")?, members.role_arn.as_ref(), &given)?;
        let now = members.now.as_ref().map(time).transpose()?;
        let grants::OnKey { grants, places: grant_places } = match &members.grants {
            Some(member) => grants::read(member, &resource)?,
            None => grants::OnKey::default(),
        };
        let encryption_context = (!grants.is_empty()).then(|| encryption_context(&given)).flatten();
        let operation = operation(given, &action);
        let request = AuthzRequest {
            caller: Arc::new(caller),
            action,
            resource,
            operation,
            surroundings: surroundings(now),
            supplied: Supplied::Implied { now: now.is_some() },
            determined: None,
        };
        Ok(Self { request, policies: library.policies(members, base)?, grants, grant_places, encryption_context })
    }

    /// Whether the case gives grants on another key too.
    pub(super) fn leaves_grants_out(&self) -> bool {
        (0..).zip(&self.grant_places).any(|(at, place): (u32, _)| at != *place)
    }

    /// Names a grant by its place among those that the case gives.
    pub(super) fn name_grant(&self, by: &mut DecidedBy) {
        let place = by.document.filter(|_| by.layer == Layer::Grant);
        if let Some(place) = place.and_then(|at| self.grant_places.get(at as usize)) {
            by.document = Some(*place);
        }
    }

    /// All that the decision reads beside the request.
    pub(super) fn applicable(&self) -> Applicable<'_> {
        let policies = &*self.policies;
        Applicable {
            resource_policy: policies.resource_policy.as_ref(),
            grants: &self.grants,
            encryption_context: self.encryption_context.as_ref(),
            caller_controls: policies.caller_controls.as_ref(),
            resource_controls: policies.resource_controls.as_ref(),
            cross_account: !is_kms(&self.request.action) || kms::works_across_accounts(&self.request.action),
            ..Applicable::new(&policies.principal)
        }
    }
}

pub(super) fn is_kms(action: &ActionName) -> bool {
    action.service().eq_ignore_ascii_case("kms")
}

fn action(member: &Member<'_>) -> Result<ActionName, Problem> {
    member.text("action")?.parse().map_err(|error| member.problem(format!("action: {error}")))
}

fn account(member: &Member<'_>) -> Result<AccountId, Problem> {
    member.text("resource_account")?.parse().map_err(|error| member.problem(format!("resource_account: {error}")))
}

fn time(member: &Member<'_>) -> Result<Timestamp, Problem> {
    let text = member.text("now")?;
    text.parse().map_err(|_| member.problem(format!("now: `{text}` is not a time such as 2026-01-01T00:00:00Z")))
}

fn resource(member: &Member<'_>, action: &ActionName, owner: Option<AccountId>) -> Result<Resource, Problem> {
    let text = member.text("resource")?;
    let is_kms = is_kms(action);
    if is_kms && kms::is_on_no_key(action) {
        return Ok(Resource::None);
    }
    let refuse = |message: String| Err(member.problem(format!("resource: {message}")));
    if text == "*" {
        return if is_kms {
            refuse(format!("{action} is asked for on a key: write its ARN"))
        } else {
            Ok(Resource::None)
        };
    }
    let Ok(arn) = text.parse::<Arn>() else {
        return refuse(format!("`{text}` is neither an ARN (arn:partition:service:region:account:resource) nor `*`"));
    };
    if let Some(owner) = owner
        && !arn.account().is_empty()
        && arn.account() != owner.as_str()
    {
        return refuse(format!("`{text}` is of another account than resource_account"));
    }
    if !is_kms {
        return Ok(Resource::Other { arn, account: owner });
    }
    if arn.service() != "kms" {
        return refuse(format!("`{text}` is not the ARN of a KMS key"));
    }
    let Some(account) = arn.account().parse().ok().or(owner) else {
        return refuse(format!("`{text}` names no account"));
    };
    let is_alias_action =
        ["CreateAlias", "DeleteAlias", "UpdateAlias"].iter().any(|name| name.eq_ignore_ascii_case(action.name()));
    match arn.resource().split_once('/') {
        Some(("key", _)) => {
            let attributes = KeyAttributes {
                account,
                key_spec: Cow::Borrowed(""),
                key_usage: Cow::Borrowed(""),
                origin: Cow::Borrowed(""),
                multi_region: false,
                multi_region_key_type: None,
                aliases: Vec::new(),
                tags: Vec::new(),
            };
            Ok(Resource::Key { arn, attributes: Arc::new(attributes) })
        }
        Some(("alias", _)) if is_alias_action => Ok(Resource::Alias { arn }),
        Some(("alias", _)) => {
            refuse(format!("{action} is decided on the key that an alias stands for: write the key's ARN"))
        }
        _ => refuse(format!("`{text}` is not the ARN of a KMS key")),
    }
}

/// A policy that could take no part is a mistake, not a policy to leave out.
fn refuse_misplaced_policy(members: &Members<'_>, action: &ActionName) -> Result<(), Problem> {
    let is_kms = is_kms(action);
    match (&members.key_policy, &members.resource_policy) {
        (Some(member), _) if !is_kms => Err(member.problem(format!(
            "key_policy: {action} is no action of KMS: the policy of its resource goes into resource_policy"
        ))),
        (_, Some(member)) if is_kms => {
            Err(member.problem("resource_policy: the policy of a KMS key goes into key_policy"))
        }
        _ => Ok(()),
    }
}

fn caller(principal: &Member<'_>, role: Option<&Member<'_>>, given: &Given) -> Result<Caller, Problem> {
    // What a caller without an account has in its place: no condition key shows it.
    static NOBODY: LazyLock<Arn> = LazyLock::new(|| constant("arn:aws:iam::000000000000:root"));
    let text = principal.text("principal")?;
    let who: Principal = text.parse().map_err(|_| {
        principal.problem(format!(
            "principal: `{text}` is not a principal (the ARN of a root user, user, role, role session or federated user, a service such as s3.amazonaws.com, or \"anonymous\")"
        ))
    })?;
    let invalid = || principal.problem(format!("principal: `{text}` has no account"));
    let principal_arn = match (&who, role) {
        (Principal::Session(session), Some(role)) => role_of(session, role)?,
        (Principal::Session(session), None) => {
            let name = who.session_role_name().unwrap_or_default();
            let arn = format!("arn:{}:iam::{}:role/{name}", session.partition(), session.account());
            arn.parse().map_err(|_| invalid())?
        }
        (_, Some(role)) => return Err(role.problem("role_arn: only the session of a role has one")),
        (who, None) => who.arn().unwrap_or(&NOBODY).clone(),
    };
    let user_id = match given.get("aws:userid") {
        Some(ContextValue::Text(id)) => id.as_ref().into(),
        _ => "".into(),
    };
    Ok(Caller {
        account: principal_arn.account().parse().map_err(|_| invalid())?,
        session: matches!(who, Principal::Session(_)).then(Session::default),
        principal: who,
        principal_arn,
        user_id,
        access_key_id: "".into(),
        tags: Vec::new(),
    })
}

/// The role of a session, by its ARN with the path.
fn role_of(session: &Arn, member: &Member<'_>) -> Result<Arn, Problem> {
    let text = member.text("role_arn")?;
    let name = session.resource().split('/').nth(1);
    match text.parse() {
        Ok(Principal::Role(role))
            if role.account() == session.account() && role.resource().rsplit('/').next() == name =>
        {
            Ok(role)
        }
        Ok(Principal::Role(_)) => Err(member.problem(format!("role_arn: `{text}` is not the role of {session}"))),
        _ => Err(member.problem(format!("role_arn: `{text}` is not the ARN of a role"))),
    }
}

/// A case has none but the time: what else surrounds it is in its context.
fn surroundings(now: Option<Timestamp>) -> Arc<Surroundings> {
    static UNTIMED: LazyLock<Arc<Surroundings>> = LazyLock::new(|| at(Timestamp::UNIX_EPOCH));
    fn at(now: Timestamp) -> Arc<Surroundings> {
        Arc::new(Surroundings {
            source_ip: None,
            user_agent: None,
            referer: None,
            secure_transport: false,
            region: constant("us-east-1"),
            now,
        })
    }
    now.map_or_else(|| Arc::clone(&UNTIMED), at)
}

#[expect(clippy::expect_used, reason = "constants of this file; a test makes them all")]
fn constant<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a constant of this file")
}

/// The condition keys of the case by their names in lower case, with the rotation period that
/// EnableKeyRotation always has.
fn operation(given: Given, action: &ActionName) -> Vec<(Cow<'static, str>, ContextValue<'static>)> {
    const PERIOD: &str = "kms:rotationperiodindays";
    let mut keys: Vec<(Cow<'static, str>, ContextValue<'static>)> = given
        .0
        .into_iter()
        .map(|(name, value)| (Cow::Owned(ConditionKey::new(&name).as_str().to_owned()), value))
        .collect();
    if action.as_str().eq_ignore_ascii_case("kms:EnableKeyRotation") && !keys.iter().any(|(name, _)| name == PERIOD) {
        keys.push((Cow::Borrowed(PERIOD), ContextValue::Number(365)));
    }
    keys
}

/// The encryption context, names in their own case, that the keys `kms:EncryptionContext:…` spell.
fn encryption_context(given: &Given) -> Option<BTreeMap<String, String>> {
    const PREFIX: &str = "kms:EncryptionContext:";
    let pairs: BTreeMap<String, String> = given
        .0
        .iter()
        .filter_map(|(name, value)| {
            let prefix = name.get(..PREFIX.len())?;
            let text = value.texts().first()?.clone().into_owned();
            prefix.eq_ignore_ascii_case(PREFIX).then(|| (name[PREFIX.len()..].to_owned(), text))
        })
        .collect();
    (!pairs.is_empty()).then_some(pairs)
}
