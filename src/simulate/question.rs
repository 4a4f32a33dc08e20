//! One case by itself, decided by what a running gateway knows wherever the case does not say.

use std::borrow::Cow;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::case::{Case, is_kms};
use super::context::Given;
use super::decide;
use super::fault::{Fault, Place, Problem};
use super::library::Library;
use super::members::Members;
use super::outcome::Line;
use super::policy_set::PolicySet;
use crate::authz::{
    Applicable, AttachedDocument, Authorizer, Decision, Explanation, Organization, PrincipalPolicies, Resource,
    Settings,
};
use crate::aws::{Arn, ContextValue, Principal};

/// What is known of a principal.
#[derive(Clone, Debug)]
pub struct KnownPrincipal {
    /// The ARN of the user or role itself, path included.
    pub arn: Arn,
    /// `AIDA…` or `AROA…`.
    pub id: Arc<str>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// Its policies.
    pub policies: Arc<PrincipalPolicies>,
}

/// What takes part in a decision where the case itself does not say.
pub trait Known {
    /// The user, or the role of a session; none where nothing is known of it.
    fn principal(&self, principal: &Principal) -> Option<KnownPrincipal>;
    /// The policy that a resource of a service bears.
    fn resource_policy(&self, arn: &Arn) -> Option<AttachedDocument>;
    /// The organisation; none where there is none.
    fn organization(&self) -> Option<&Organization>;
}

/// Decides cases one by one.
pub struct Questions {
    library: Library,
    authorizer: Authorizer,
}

impl Default for Questions {
    fn default() -> Self {
        let no_files = |_: &Path| Err(io::Error::other("no file is read here: write the policy itself, an object"));
        Self {
            library: Library::new(Box::new(no_files)),
            authorizer: Authorizer::new(Settings { max_bytes: Self::MAX_DECISION_BYTES }),
        }
    }
}

impl Questions {
    /// Most memory that decisions may take, in bytes.
    const MAX_DECISION_BYTES: u64 = 16 << 20;

    /// Decides the case that a text holds, and answers as one line of `simulate --format json`.
    ///
    /// # Errors
    /// A case that can't be read, with its place.
    pub fn answer(&self, text: &str, known: &dyn Known) -> Result<String, Fault> {
        let file = Arc::from("case");
        let place = Place { file: &file, first_line: 1, text };
        let case = self.case(text, known).map_err(|problem| place.fault(problem))?;
        let verdict = decide(&self.authorizer, &case);
        Ok(line(&verdict.decision, &verdict.explanation))
    }

    fn case(&self, text: &str, known: &dyn Known) -> Result<Case, Problem> {
        let members = Members::read(text)?;
        let mut case = Case::new(&members, &Given::default(), &self.library, Path::new(""))?;
        if matches!(case.request.resource, Resource::Key { .. }) && members.key_policy.is_none() {
            let action = &case.request.action;
            return Err(Problem::at(
                members.offset,
                format!("key_policy is missing: {action} is decided by it, and no key of an engine is looked up here"),
            ));
        }
        case.complete(&members, known);
        Ok(case)
    }
}

impl Case {
    /// Fills in what the case does not say.
    fn complete(&mut self, members: &Members<'_>, known: &dyn Known) {
        let mut policies = PolicySet::clone(&self.policies);
        if let Some(principal) = known.principal(&self.request.caller.principal) {
            self.identify(members, &principal);
            policies.principal = completed(&policies.principal, members, &principal.policies);
        }
        let is_kms = is_kms(&self.request.action);
        if let (None, false, Some(arn)) = (&policies.resource_policy, is_kms, self.request.resource.arn()) {
            policies.resource_policy = known.resource_policy(arn);
        }
        if let Some(organization) = known.organization() {
            let controls = Applicable::new(&policies.principal).within(Some(organization), &self.request);
            let (caller, resource) = (controls.caller_controls.cloned(), controls.resource_controls.cloned());
            if members.service_control_policies.is_none() {
                policies.caller_controls = caller;
            }
            if members.resource_control_policies.is_none() {
                policies.resource_controls = resource;
            }
        }
        self.policies = Arc::new(policies);
    }

    /// Who the caller is beside what the case says: its role's path, its unique id, its tags.
    fn identify(&mut self, members: &Members<'_>, known: &KnownPrincipal) {
        let caller = Arc::make_mut(&mut self.request.caller);
        let session = match &caller.principal {
            Principal::Session(arn) => arn.resource().rsplit('/').next().map(str::to_owned),
            _ => None,
        };
        if members.role_arn.is_none() {
            caller.principal_arn = known.arn.clone();
        }
        if caller.user_id.is_empty() {
            caller.user_id = match session {
                Some(session) => format!("{}:{session}", known.id).into(),
                None => Arc::clone(&known.id),
            };
        }
        let keys = &mut self.request.operation;
        let mut fill = |name: String, value: String| {
            if !keys.iter().any(|(known, _)| *known == name) {
                keys.push((Cow::Owned(name), ContextValue::Text(value.into())));
            }
        };
        fill("aws:userid".to_owned(), caller.user_id.to_string());
        for (tag, value) in &known.tags {
            fill(format!("aws:principaltag/{}", tag.to_ascii_lowercase()), value.clone());
        }
    }
}

/// The policies of a principal, those that the case gives in the place of what is known.
fn completed(given: &PrincipalPolicies, members: &Members<'_>, known: &PrincipalPolicies) -> PrincipalPolicies {
    let identity = if members.identity_policies.is_some() { given.identity() } else { known.identity() };
    let boundary = if members.permissions_boundary.is_some() { given.boundary() } else { known.boundary() };
    let session = if members.session_policies.is_some() { given.session() } else { known.session() };
    PrincipalPolicies::new(identity.to_vec(), boundary.cloned(), session.map(<[_]>::to_vec))
}

/// A decision as one line of `simulate --format json`, without its line end.
#[must_use]
pub fn line(decision: &Decision, explanation: &Explanation) -> String {
    // Every member is text, a number or null.
    serde_json::to_string(&Line::new(decision, explanation)).unwrap_or_default()
}
