use std::path::Path;

use super::fault::Problem;
use super::library::Library;
use super::members::{Member, Members};
use crate::authz::{AttachedDocument, ControlPolicies, PrincipalPolicies};
use crate::iam::DocumentKind;

/// The policies of a case, ready to be decided with. Cases that bear the same ones share it.
#[derive(Clone, Debug)]
pub(super) struct PolicySet {
    pub(super) principal: PrincipalPolicies,
    /// The key policy, or another service's resource policy.
    pub(super) resource_policy: Option<AttachedDocument>,
    /// Service control policies, of the caller's account.
    pub(super) caller_controls: Option<ControlPolicies>,
    /// Resource control policies, of the resource's account.
    pub(super) resource_controls: Option<ControlPolicies>,
}

impl PolicySet {
    /// Compiles the policies that the members hold or name.
    pub(super) fn read(members: &Members<'_>, library: &Library, base: &Path) -> Result<Self, Problem> {
        let reader = Reader { library, base };
        let resource_policy = match (&members.key_policy, &members.resource_policy) {
            (Some(_), Some(second)) => {
                return Err(second.problem("resource_policy: a resource has one policy, and key_policy is it"));
            }
            (Some(key), None) => Some(reader.document(DocumentKind::KeyPolicy, key, "key_policy")?),
            (None, Some(other)) => Some(reader.document(DocumentKind::ResourcePolicy, other, "resource_policy")?),
            (None, None) => None,
        };
        let identity =
            reader.list(DocumentKind::IdentityPolicy, members.identity_policies.as_ref(), "identity_policies")?;
        let boundary = members
            .permissions_boundary
            .as_ref()
            .map(|member| reader.document(DocumentKind::PermissionsBoundary, member, "permissions_boundary"))
            .transpose()?;
        let session =
            reader.list(DocumentKind::SessionPolicy, members.session_policies.as_ref(), "session_policies")?;
        let service = reader.levels(
            DocumentKind::ServiceControlPolicy,
            members.service_control_policies.as_ref(),
            "service_control_policies",
        )?;
        let resource = reader.levels(
            DocumentKind::ResourceControlPolicy,
            members.resource_control_policies.as_ref(),
            "resource_control_policies",
        )?;
        Ok(Self {
            // No session policies at all limit nothing.
            principal: PrincipalPolicies::new(identity, boundary, (!session.is_empty()).then_some(session)),
            resource_policy,
            caller_controls: (!service.is_empty()).then(|| ControlPolicies::new(service, Vec::new(), false)),
            resource_controls: (!resource.is_empty()).then(|| ControlPolicies::new(Vec::new(), resource, false)),
        })
    }

    /// Every document.
    pub(super) fn documents(&self) -> Vec<&AttachedDocument> {
        let levels = self.caller_controls.iter().chain(&self.resource_controls).flat_map(|controls| {
            controls.service_control_policies().iter().chain(controls.resource_control_policies()).flatten()
        });
        let own = self.principal.identity().iter().chain(self.principal.boundary());
        let session = self.principal.session().into_iter().flatten();
        self.resource_policy.iter().chain(own).chain(session).chain(levels).collect()
    }
}

struct Reader<'a> {
    library: &'a Library,
    base: &'a Path,
}

impl Reader<'_> {
    fn document(&self, kind: DocumentKind, member: &Member<'_>, name: &str) -> Result<AttachedDocument, Problem> {
        self.library.document(kind, member, name, self.base)
    }

    fn list(
        &self,
        kind: DocumentKind,
        member: Option<&Member<'_>>,
        name: &str,
    ) -> Result<Vec<AttachedDocument>, Problem> {
        let Some(member) = member else { return Ok(Vec::new()) };
        let items = member.items(name, "policies")?;
        items.iter().enumerate().map(|(at, item)| self.document(kind, item, &format!("{name}[{at}]"))).collect()
    }

    fn levels(
        &self,
        kind: DocumentKind,
        member: Option<&Member<'_>>,
        name: &str,
    ) -> Result<Vec<Vec<AttachedDocument>>, Problem> {
        let Some(member) = member else { return Ok(Vec::new()) };
        let items = member.items(name, "levels, each a list of policies, from the root to the account")?;
        items.iter().enumerate().map(|(at, level)| self.list(kind, Some(level), &format!("{name}[{at}]"))).collect()
    }
}
