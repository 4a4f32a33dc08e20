use std::borrow::Cow;
use std::sync::Arc;

use super::conditions::{self, Conditions};
use super::operation::{
    AssumeRole, AssumeRoleWithWebIdentity, GetFederationToken, GetSessionToken, MfaCode, Operation, SessionPolicies,
    Tags, check_tags,
};
use super::{Asking, Sts, StsError, WebIdentity};
use crate::authz::{AttachedDocument, AuthzRequest, Check, Resource, Subject, Supplied};
use crate::aws::{ActionName, Arn, Caller, ContextValue, Principal, Session};
use crate::identity::{Described, SessionRecord, SessionSubject};

const ASSUME_ROLE: ActionName = ActionName::of("sts:AssumeRole");
const ASSUME_ROLE_WITH_WEB_IDENTITY: ActionName = ActionName::of("sts:AssumeRoleWithWebIdentity");
const TAG_SESSION: ActionName = ActionName::of("sts:TagSession");
const SET_SOURCE_IDENTITY: ActionName = ActionName::of("sts:SetSourceIdentity");
const GET_CALLER_IDENTITY: ActionName = ActionName::of("sts:GetCallerIdentity");
const GET_SESSION_TOKEN: ActionName = ActionName::of("sts:GetSessionToken");
const GET_FEDERATION_TOKEN: ActionName = ActionName::of("sts:GetFederationToken");
const DECODE_AUTHORIZATION_MESSAGE: ActionName = ActionName::of("sts:DecodeAuthorizationMessage");

/// An operation with the checks that it needs, and what is to be done where all of them allow.
pub struct Resolved {
    pub(super) caller: Arc<Caller>,
    pub(super) task: Task,
    checks: Vec<Check>,
}

/// What is to be done.
pub(super) enum Task {
    TellIdentity,
    Issue(Box<Issue>),
    Decode(String),
}

/// A session to be issued: its times are set when it is.
pub(super) struct Issue {
    pub(super) session: SessionRecord,
    pub(super) lifetime: Lifetime,
    pub(super) answer: Issued,
}

/// How long a session may be, in seconds.
pub(super) struct Lifetime {
    pub(super) asked: Option<u32>,
    pub(super) default: u32,
    pub(super) most: Most,
}

/// The most that a session may last.
pub(super) enum Most {
    /// A role's own maximum, which a request may not exceed; a session that assumes a role gets an hour.
    OfRole { seconds: u32, is_chained: bool },
    /// A root user's sessions end after an hour, whatever is asked for.
    Cut(u32),
}

/// What an answer tells beside the credentials.
pub(super) enum Issued {
    Role { arn: String, id: String },
    WebIdentity { arn: String, id: String, subject: String, audience: String, provider: String },
    FederatedUser { arn: String, id: String },
    Own,
}

impl Subject for Resolved {
    fn checks(&self) -> &[Check] {
        &self.checks
    }
}

impl Sts {
    /// Finds what an operation names, and what it needs leave for. `web_identity` is whom the token of
    /// an operation vouches for that nobody signed.
    ///
    /// # Errors
    /// What the caller's kind of credentials can't ask for, a code of a multi-factor device that does
    /// not hold, tags that can't be set.
    pub fn resolve(
        &self,
        operation: Operation,
        asking: Asking<'_>,
        web_identity: Option<WebIdentity>,
    ) -> Result<Resolved, StsError> {
        may_call(&operation, &asking.caller.principal, asking.caller.session.is_some())?;
        match operation {
            Operation::GetCallerIdentity => Ok(asking.alone(GET_CALLER_IDENTITY, Task::TellIdentity)),
            Operation::DecodeAuthorizationMessage(message) => {
                Ok(asking.alone(DECODE_AUTHORIZATION_MESSAGE, Task::Decode(message)))
            }
            Operation::AssumeRole(asked) => self.assume_role(*asked, asking),
            Operation::AssumeRoleWithWebIdentity(asked) => {
                let who = web_identity.ok_or_else(|| StsError::internal(&"a token that nobody verified"))?;
                assume_role_with_web_identity(*asked, asking, who)
            }
            Operation::GetSessionToken(asked) => self.get_session_token(&asked, asking),
            Operation::GetFederationToken(asked) => get_federation_token(*asked, asking),
        }
    }

    fn assume_role(&self, asked: AssumeRole, asking: Asking<'_>) -> Result<Resolved, StsError> {
        let role = asking.directory.role(&asked.role);
        let caller = match &asked.mfa {
            None => Arc::clone(asking.caller),
            Some(code) => {
                self.check_mfa(code, asking)?;
                // The second factor counts for this request alone: "The temporary credentials returned by
                // AssumeRole do not include MFA information in the context" (IAM User Guide,
                // "Configuring MFA-protected API access").
                let session = asking.caller.session.clone().unwrap_or_default();
                let session = Session { mfa_authenticated_at: Some(asking.surroundings.now), ..session };
                Arc::new(Caller { session: Some(session), ..(**asking.caller).clone() })
            }
        };
        let (tags, transitive_tag_keys) = inherit(&caller, &asked.tags, &asked.transitive_tag_keys)?;
        let own = caller.session.as_ref().and_then(|session| session.source_identity.as_deref());
        let source_identity = match (own, asked.source_identity.as_deref()) {
            (Some(own), Some(other)) if own != other => {
                return Err(StsError::denied("The source identity of a session can't be changed."));
            }
            (own, asked) => own.or(asked).map(str::to_owned),
        };
        let mut conditions = conditions::of_session(&asked.session_name, source_identity.as_deref());
        conditions.extend(asked.external_id.as_deref().map(|id| ("sts:externalid".into(), conditions::text(id))));
        conditions.extend(conditions::of_tags(&asked.tags, &asked.transitive_tag_keys));
        let is_chained = matches!(caller.principal, Principal::Session(_));
        let asks = Asks { caller, conditions, asking };
        let session = role_session(role, &asked.role, &asked.session_name, asked.policies);
        let session = SessionRecord { tags, transitive_tag_keys, source_identity, ..session };
        let answer = Issued::Role {
            arn: session_arn(&asked.role, &asked.session_name),
            id: format!("{}:{}", role.map_or("", |role| &**role.id()), asked.session_name),
        };
        let lifetime = role_lifetime(role, asked.seconds, is_chained);
        Ok(asks.on_role(&[ASSUME_ROLE], &asked.role, role, Issue { session, lifetime, answer }))
    }

    fn get_session_token(&self, asked: &GetSessionToken, asking: Asking<'_>) -> Result<Resolved, StsError> {
        if let Some(code) = &asked.mfa {
            self.check_mfa(code, asking)?;
        }
        let caller = asking.caller;
        let (subject, _) = own_subject(caller)?;
        let proven = asked.mfa.as_ref().map(|_| asking.surroundings.now.as_second());
        let session = SessionRecord { mfa_authenticated_at: proven, ..blank(subject, SessionPolicies::default()) };
        let lifetime = own_lifetime(caller, asked.seconds);
        let issue = Issue { session, lifetime, answer: Issued::Own };
        Ok(asking.alone(GET_SESSION_TOKEN, Task::Issue(Box::new(issue))))
    }

    /// Holds a code to be of a device of the caller's own. It can't be used again, whatever follows.
    fn check_mfa(&self, given: &MfaCode, asking: Asking<'_>) -> Result<(), StsError> {
        let device = asking.directory.mfa_device(&given.serial);
        // A device belongs to a user: a role's sessions and federated users have none.
        let device = device.filter(|device| device.user == asking.caller.principal).ok_or_else(|| {
            StsError::denied(
                "MultiFactorAuthentication failed, unable to validate MFA code. Please verify your MFA serial number \
                 is valid and associated with this user.",
            )
        })?;
        if self.mfa.take(device, &given.code, asking.wall_clock) {
            return Ok(());
        }
        Err(StsError::denied("MultiFactorAuthentication failed with invalid MFA one time pass code. "))
    }
}

/// Which credentials may be used for which operation (IAM User Guide, "Compare AWS STS credentials").
fn may_call(operation: &Operation, principal: &Principal, is_session: bool) -> Result<(), StsError> {
    let name = operation.name();
    let refused = match (operation, principal) {
        (Operation::AssumeRole(_), Principal::Root(_)) => {
            return Err(StsError::denied("Roles may not be assumed by root accounts."));
        }
        (Operation::GetCallerIdentity, _)
        | (Operation::AssumeRoleWithWebIdentity(_), Principal::WebIdentity(_))
        | (Operation::AssumeRole(_), Principal::User(_) | Principal::Session(_))
        | (Operation::DecodeAuthorizationMessage(_), Principal::Session(_)) => false,
        (_, Principal::User(_) | Principal::Root(_)) => is_session || operation.is_unsigned(),
        _ => true,
    };
    if refused {
        return Err(StsError::denied(format!("Cannot call {name} with session credentials")));
    }
    Ok(())
}

fn assume_role_with_web_identity(
    asked: AssumeRoleWithWebIdentity,
    asking: Asking<'_>,
    who: WebIdentity,
) -> Result<Resolved, StsError> {
    let role = asking.directory.role(&asked.role);
    check_tags(&who.tags, &who.transitive_tag_keys)?;
    let mut conditions = conditions::of_session(&asked.session_name, who.source_identity.as_deref());
    conditions.extend(conditions::of_tags(&who.tags, &who.transitive_tag_keys));
    conditions.extend(who.conditions.iter().cloned());
    let asks = Asks { caller: Arc::clone(who.caller()), conditions, asking };
    let answer = Issued::WebIdentity {
        arn: session_arn(&asked.role, &asked.session_name),
        id: format!("{}:{}", role.map_or("", |role| &**role.id()), asked.session_name),
        subject: who.subject.clone(),
        audience: who.audience.clone(),
        provider: who.issuer.clone(),
    };
    let lifetime = role_lifetime(role, asked.seconds, false);
    let session = SessionRecord {
        federated_provider: Some(who.provider()),
        tags: who.tags,
        transitive_tag_keys: who.transitive_tag_keys,
        source_identity: who.source_identity,
        ..role_session(role, &asked.role, &asked.session_name, asked.policies)
    };
    Ok(asks.on_role(&[ASSUME_ROLE_WITH_WEB_IDENTITY], &asked.role, role, Issue { session, lifetime, answer }))
}

fn get_federation_token(asked: GetFederationToken, asking: Asking<'_>) -> Result<Resolved, StsError> {
    let caller = asking.caller;
    let (own, partition) = own_subject(caller)?;
    let (by, by_id) = match own {
        SessionSubject::User { arn, id } => (arn, Some(id)),
        SessionSubject::Root { arn } => (arn, None),
        _ => return Err(StsError::internal(&"a federated user of neither a user nor a root user")),
    };
    let account = caller.account;
    let text = format!("arn:{partition}:sts::{account}:federated-user/{}", asked.name);
    let arn: Arn = text.parse().map_err(|error| StsError::internal(&error))?;
    let subject = SessionSubject::FederatedUser { name: asked.name.clone(), by, by_id };
    let session = SessionRecord { tags: asked.tags.clone(), ..blank(subject, asked.policies) };
    let answer = Issued::FederatedUser { arn: text, id: format!("{account}:{}", asked.name) };
    let issue = Issue { session, lifetime: own_lifetime(caller, asked.seconds), answer };
    let mut actions = vec![GET_FEDERATION_TOKEN];
    if !asked.tags.is_empty() {
        actions.push(TAG_SESSION);
    }
    let asks = Asks { caller: Arc::clone(caller), conditions: conditions::of_tags(&asked.tags, &[]), asking };
    let checks = asks.checks(actions, &Resource::Other { arn, account: None }, None);
    Ok(Resolved { caller: asks.caller, task: Task::Issue(Box::new(issue)), checks })
}

/// The tags of a session that a role is assumed with and those that are inherited, and the keys that go
/// on (IAM User Guide, "Pass session tags in AWS STS", "Chaining roles with session tags").
fn inherit(caller: &Caller, tags: &[(String, String)], transitive: &[String]) -> Result<(Tags, Vec<String>), StsError> {
    let inherited_keys = caller.session.iter().flat_map(|session| &session.transitive_tag_keys);
    let is_same = |one: &str, other: &str| one.to_lowercase() == other.to_lowercase();
    let inherited: Tags =
        inherited_keys.filter_map(|key| caller.tags.iter().find(|(tag, _)| is_same(tag, key))).cloned().collect();
    if tags.iter().any(|(key, _)| inherited.iter().any(|(other, _)| is_same(key, other))) {
        let why = "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag \
                   key from the calling session.";
        return Err(StsError::invalid_parameter(why));
    }
    let mut keys: Vec<String> = inherited.iter().map(|(key, _)| key.clone()).collect();
    keys.extend(transitive.iter().cloned());
    Ok((inherited.into_iter().chain(tags.iter().cloned()).collect(), keys))
}

/// What is asked, by whom.
struct Asks<'a> {
    caller: Arc<Caller>,
    conditions: Conditions,
    asking: Asking<'a>,
}

impl Asks<'_> {
    /// A role that is to be assumed: its trust policy decides, on tags and a source identity too. A role
    /// that is not there trusts nobody.
    fn on_role(mut self, actions: &[ActionName], arn: &Arn, role: Option<Described<'_>>, issue: Issue) -> Resolved {
        let mut actions = actions.to_vec();
        if !issue.session.tags.is_empty() {
            actions.push(TAG_SESSION);
        }
        if issue.session.source_identity.is_some() {
            actions.push(SET_SOURCE_IDENTITY);
        }
        self.conditions.extend(conditions::of_role(role));
        let resource = Resource::Other { arn: arn.clone(), account: None };
        let checks = self.checks(actions, &resource, role.and_then(Described::trust));
        Resolved { caller: self.caller, task: Task::Issue(Box::new(issue)), checks }
    }

    fn checks(&self, actions: Vec<ActionName>, resource: &Resource, policy: Option<&AttachedDocument>) -> Vec<Check> {
        let check = |action| Check {
            request: AuthzRequest {
                caller: Arc::clone(&self.caller),
                action,
                resource: resource.clone(),
                operation: self.conditions.clone() as Vec<(Cow<'static, str>, ContextValue<'static>)>,
                surroundings: Arc::clone(self.asking.surroundings),
                supplied: Supplied::All,
                determined: None,
            },
            resource_policy: policy.cloned(),
            grants: Vec::new(),
            encryption_context: None,
            cross_account: true,
            through_ciphertext: false,
        };
        actions.into_iter().map(check).collect()
    }
}

impl Asking<'_> {
    /// An operation on nothing in particular.
    fn alone(self, action: ActionName, task: Task) -> Resolved {
        let asks = Asks { caller: Arc::clone(self.caller), conditions: Vec::new(), asking: self };
        let checks = asks.checks(vec![action], &Resource::None, None);
        Resolved { caller: asks.caller, task, checks }
    }
}

fn blank(subject: SessionSubject, policies: SessionPolicies) -> SessionRecord {
    SessionRecord {
        subject,
        issued_at: 0,
        expires: 0,
        mfa_authenticated_at: None,
        policy: policies.inline,
        policy_arns: policies.arns,
        tags: Vec::new(),
        transitive_tag_keys: Vec::new(),
        source_identity: None,
        federated_provider: None,
    }
}

/// The session of a role; of one that is not there it is never issued.
fn role_session(role: Option<Described<'_>>, arn: &Arn, name: &str, policies: SessionPolicies) -> SessionRecord {
    let id = role.map_or("", |role| &**role.id()).to_owned();
    blank(SessionSubject::Role { arn: arn.as_str().to_owned(), id, name: name.to_owned() }, policies)
}

fn session_arn(role: &Arn, session: &str) -> String {
    let name = role.resource().rsplit('/').next().unwrap_or_default();
    format!("arn:{}:sts::{}:assumed-role/{name}/{session}", role.partition(), role.account())
}

fn role_lifetime(role: Option<Described<'_>>, asked: Option<u32>, is_chained: bool) -> Lifetime {
    let seconds = role.map_or(3600, Described::max_session_seconds);
    Lifetime { asked, default: 3600, most: Most::OfRole { seconds, is_chained } }
}

fn own_lifetime(caller: &Caller, asked: Option<u32>) -> Lifetime {
    Lifetime { asked, default: 43_200, most: Most::Cut(if caller.is_root_user() { 3600 } else { 129_600 }) }
}

/// A user, or a root user, as the subject of a session of its own; with its partition.
fn own_subject(caller: &Caller) -> Result<(SessionSubject, &str), StsError> {
    match &caller.principal {
        Principal::User(arn) => {
            let subject = SessionSubject::User { arn: arn.as_str().to_owned(), id: caller.user_id.to_string() };
            Ok((subject, arn.partition()))
        }
        Principal::Root(arn) => Ok((SessionSubject::Root { arn: arn.as_str().to_owned() }, arn.partition())),
        _ => Err(StsError::internal(&"a session of one's own of neither a user nor a root user")),
    }
}
