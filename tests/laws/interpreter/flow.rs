//! The order of evaluation.

use serde_json::Value;

use super::case::Case;
use super::document::Asked;
use super::grant::{Granted, granted};
use super::implied;
use super::principal::{Named, is_about, naming};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Allow,
    ImplicitDeny,
    ExplicitDeny,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Layer {
    ResourceControl,
    ServiceControl,
    /// The key policy, or another service's resource policy.
    Resource,
    Identity,
    Boundary,
    Session,
    Grant,
}

/// A Deny that applies, by the places of its level, document and statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DenyingStatement {
    pub(crate) layer: Layer,
    pub(crate) level: Option<usize>,
    pub(crate) document: usize,
    pub(crate) statement: usize,
}

/// The outcome with the layer that decided: that denied explicitly, that allowed, or that was
/// silent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) outcome: Outcome,
    pub(crate) layer: Layer,
    /// Of a silent service control policy: which.
    pub(crate) level: Option<usize>,
    /// All that deny explicitly, in the flow's order.
    pub(crate) denying: Vec<DenyingStatement>,
}

impl Verdict {
    fn allow(layer: Layer) -> Self {
        Self { outcome: Outcome::Allow, layer, level: None, denying: Vec::new() }
    }

    fn silent(layer: Layer) -> Self {
        Self { outcome: Outcome::ImplicitDeny, ..Self::allow(layer) }
    }
}

/// What AWS decides.
pub(crate) fn decide(case: &Case) -> Verdict {
    let asked = Asked { case, context: implied::context(case) };

    if case.needs_no_permission() {
        return Verdict::allow(Layer::Identity);
    }
    // Explicit deny anywhere.
    let denying = denying(case, &asked);
    if let Some(first) = denying.first() {
        return Verdict { outcome: Outcome::ExplicitDeny, layer: first.layer, level: first.level, denying };
    }
    // Resource control policies can only deny. Every level of service control policies must allow.
    if let Some(level) = service_controls(case).iter().position(|level| !level.iter().any(|one| asked.allows(one))) {
        return Verdict { level: Some(level), ..Verdict::silent(Layer::ServiceControl) };
    }

    let own = OwnSide::new(case, &asked);
    if !bears_policy(case) {
        return no_resource_policy(case, &own);
    }
    if case.action == "kms:RetireGrant" {
        return retire_grant(case, &own, &asked);
    }
    let by_resource = without_aliases(case, &asked);
    let named: Vec<Named> = case
        .resource_policy
        .iter()
        .flat_map(|policy| by_resource.applying(policy, "Allow"))
        .flat_map(|(_, statement)| naming(case, statement))
        .collect();
    if case.account().is_none() {
        return no_account(case, &named, &asked);
    }
    if case.account() == case.owner() {
        if policy_must_allow(case) {
            same_account_where_the_policy_must_allow(case, &named, &own, &asked)
        } else {
            same_account(&named, &own)
        }
    } else {
        cross_account(case, &named, &own, &asked)
    }
}

/// kms:ResourceAliases is a key of identity policies only.
fn without_aliases<'a>(case: &'a Case, asked: &Asked<'a>) -> Asked<'a> {
    let mut context = asked.context.clone();
    context.retain(|key, _| key.to_lowercase() != "kms:resourcealiases");
    Asked { case, context }
}

/// All statements that deny, in the flow's order.
fn denying(case: &Case, asked: &Asked<'_>) -> Vec<DenyingStatement> {
    let mut found = Vec::new();
    let mut look = |asked: &Asked<'_>, layer, level, documents: &[Value]| {
        for (document, policy) in documents.iter().enumerate() {
            for (statement, text) in asked.applying(policy, "Deny") {
                let resource_based = matches!(layer, Layer::Resource | Layer::ResourceControl);
                if !resource_based || is_about(case, text) {
                    found.push(DenyingStatement { layer, level, document, statement });
                }
            }
        }
    };
    for (level, documents) in resource_controls(case).iter().enumerate() {
        look(asked, Layer::ResourceControl, Some(level), documents);
    }
    for (level, documents) in service_controls(case).iter().enumerate() {
        look(asked, Layer::ServiceControl, Some(level), documents);
    }
    if let Some(policy) = case.resource_policy.as_ref().filter(|_| bears_policy(case)) {
        look(&without_aliases(case, asked), Layer::Resource, None, std::slice::from_ref(policy));
    }
    look(asked, Layer::Identity, None, &case.identity);
    look(asked, Layer::Boundary, None, case.boundary.as_slice());
    look(asked, Layer::Session, None, &case.session);
    found
}

/// Those that limit the caller: not a principal of the management account, not a service-linked
/// role, and not who has no account.
fn service_controls(case: &Case) -> &[Vec<Value>] {
    let exempt = case.beyond.caller_in_management || is_service_linked(case) || case.account().is_none();
    if exempt { &[] } else { &case.service_controls }
}

fn is_service_linked(case: &Case) -> bool {
    case.role_arn().as_ref().unwrap_or(&case.principal).contains(":role/aws-service-role/")
}

/// Those that guard the resource: not one of the management account, not from kms:RetireGrant, and
/// not from service-linked roles (AWS Organizations User Guide, "Resources and entities not
/// restricted by RCPs").
fn resource_controls(case: &Case) -> &[Vec<Value>] {
    let exempt = case.beyond.resource_in_management || case.action == "kms:RetireGrant" || is_service_linked(case);
    if exempt { &[] } else { &case.resource_controls }
}

/// Whether a resource policy takes part: not for an action on no resource, not for an alias, not for
/// a key that does not exist.
fn bears_policy(case: &Case) -> bool {
    let is_alias = case.is_kms() && case.resource.splitn(6, ':').nth(5).is_some_and(|name| name.starts_with("alias/"));
    case.resource != "*" && !is_alias && !case.beyond.missing_key
}

/// KMS keys and roles to be assumed: nothing is allowed without their own policy (IAM User Guide:
/// "IAM role trust policies and AWS KMS key policies are exceptions to this logic, because they
/// must explicitly allow access for principals").
fn policy_must_allow(case: &Case) -> bool {
    case.is_kms() || is_of_role(case)
}

fn is_of_role(case: &Case) -> bool {
    case.action.starts_with("sts:") && case.resource.starts_with("arn:aws:iam:") && case.resource.contains(":role/")
}

/// The caller's own side: whether it is the root user, and whether identity policies, boundary and
/// session policies allow.
#[allow(clippy::struct_excessive_bools, reason = "four answers")]
struct OwnSide {
    is_root: bool,
    identity: bool,
    boundary: bool,
    session: bool,
}

impl OwnSide {
    fn new(case: &Case, asked: &Asked<'_>) -> Self {
        Self {
            is_root: case.is_root(),
            identity: case.identity.iter().any(|policy| asked.allows(policy)),
            boundary: case.boundary.iter().all(|policy| asked.allows(policy)),
            session: case.session.is_empty() || case.session.iter().any(|policy| asked.allows(policy)),
        }
    }

    /// The first of boundary and session policies that is silent.
    fn silent_limit(&self) -> Option<Layer> {
        if !self.boundary {
            Some(Layer::Boundary)
        } else if !self.session {
            Some(Layer::Session)
        } else {
            None
        }
    }

    /// The first of all layers that is silent; the root user needs no identity policy.
    fn silent(&self) -> Option<Layer> {
        if self.identity || self.is_root { self.silent_limit() } else { Some(Layer::Identity) }
    }
}

/// No resource policy takes part: identity policies alone decide.
fn no_resource_policy(case: &Case, own: &OwnSide) -> Verdict {
    if case.resource != "*" && case.account() != case.owner() {
        return Verdict::silent(Layer::Resource);
    }
    own.silent().map_or(Verdict::allow(Layer::Identity), Verdict::silent)
}

/// A service or nobody has no side of its own to be asked: the resource policy must name it or
/// everyone. KMS serves nobody who has not signed.
fn no_account(case: &Case, named: &[Named], asked: &Asked<'_>) -> Verdict {
    let nobody = case.principal == "anonymous";
    if nobody && case.is_kms() {
        return Verdict::silent(Layer::Resource);
    }
    if named.contains(&Named::Directly) {
        return Verdict::allow(Layer::Resource);
    }
    if granted(case, &asked.context).iter().any(|granted| granted.named == Named::Directly) {
        return Verdict::allow(Layer::Grant);
    }
    Verdict::silent(Layer::Resource)
}

/// The resource policy or the caller's own side is enough.
fn same_account(named: &[Named], own: &OwnSide) -> Verdict {
    if named.contains(&Named::Directly) {
        return Verdict::allow(Layer::Resource);
    }
    if named.contains(&Named::ByRole) {
        if own.silent_limit().is_none() {
            return Verdict::allow(Layer::Resource);
        }
        return Verdict::silent(own.silent_limit().unwrap());
    }
    own.silent().map_or(Verdict::allow(Layer::Identity), Verdict::silent)
}

fn same_account_where_the_policy_must_allow(case: &Case, named: &[Named], own: &OwnSide, asked: &Asked<'_>) -> Verdict {
    if named.contains(&Named::Directly) {
        return Verdict::allow(Layer::Resource);
    }
    if named.contains(&Named::ByRole) && own.silent_limit().is_none() {
        return Verdict::allow(Layer::Resource);
    }
    if named.contains(&Named::ByAccount) && own.silent().is_none() {
        return Verdict::allow(Layer::Identity);
    }
    if let Some(verdict) = by_grant(case, own, asked) {
        return verdict;
    }
    if named.contains(&Named::ByAccount) {
        return Verdict::silent(own.silent().unwrap());
    }
    if named.contains(&Named::ByRole) {
        return Verdict::silent(own.silent_limit().unwrap());
    }
    Verdict::silent(Layer::Resource)
}

/// The caller's own side and the resource policy must both allow, for what works across accounts
/// at all; a grant takes the policy's place.
fn cross_account(case: &Case, named: &[Named], own: &OwnSide, asked: &Asked<'_>) -> Verdict {
    if !works_across_accounts(case) {
        return Verdict::silent(Layer::Resource);
    }
    if !named.is_empty() && own.silent().is_none() {
        return Verdict::allow(Layer::Resource);
    }
    if let Some(verdict) = by_grant(case, own, asked) {
        return verdict;
    }
    Verdict::silent(if named.is_empty() { Layer::Resource } else { own.silent().unwrap() })
}

/// What the grants come to; none where none is about the request.
fn by_grant(case: &Case, own: &OwnSide, asked: &Asked<'_>) -> Option<Verdict> {
    let mut silent = None;
    for Granted { named, by_own_account } in granted(case, &asked.context) {
        match grant_limit(named, by_own_account, own) {
            None => return Some(Verdict::allow(Layer::Grant)),
            Some(limit) => silent = silent.or(Some(Verdict::silent(limit))),
        }
    }
    silent
}

/// The grant alone says who may retire it; across accounts the retirer's own policies must allow it
/// too. A key policy's Allow does nothing.
fn retire_grant(case: &Case, own: &OwnSide, asked: &Asked<'_>) -> Verdict {
    let within = case.account().is_none() || case.account() == case.owner();
    let mut silent = None;
    for granted in granted(case, &asked.context) {
        match grant_limit(granted.named, within, own) {
            None => return Verdict::allow(Layer::Grant),
            Some(limit) => silent = silent.or(Some(limit)),
        }
    }
    Verdict::silent(silent.unwrap_or(Layer::Grant))
}

/// Which silent layer keeps a grant from allowing: a grant of the grantee's own account to a user,
/// a session or a federated user is limited by none, one to a role by boundary and session
/// policies; of another account, all that the grantee has must allow.
fn grant_limit(named: Named, by_own_account: bool, own: &OwnSide) -> Option<Layer> {
    match (by_own_account, named) {
        (true, Named::Directly) => None,
        (true, Named::ByRole) => own.silent_limit(),
        (true, Named::ByAccount) | (false, _) => own.silent(),
    }
}

/// KMS Developer Guide, "Allowing users in other accounts to use a KMS key"; other services have
/// no such list.
fn works_across_accounts(case: &Case) -> bool {
    const CRYPTOGRAPHIC: [&str; 13] = [
        "Encrypt",
        "Decrypt",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "ReEncryptFrom",
        "ReEncryptTo",
        "Sign",
        "Verify",
        "GenerateMac",
        "VerifyMac",
        "DeriveSharedSecret",
    ];
    const OTHERS: [&str; 7] = [
        "CreateGrant",
        "DescribeKey",
        "GetKeyRotationStatus",
        "GetPublicKey",
        "ListGrants",
        "RetireGrant",
        "RevokeGrant",
    ];
    let Some(operation) = case.action.strip_prefix("kms:") else { return true };
    CRYPTOGRAPHIC.contains(&operation) || OTHERS.contains(&operation)
}
