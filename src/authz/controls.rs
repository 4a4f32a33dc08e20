//! Control policies: service control policies limit what an account's principals can do, resource
//! control policies guard an account's resources (AWS Organizations User Guide).

use crate::aws::{Caller, Principal};
use crate::cedar::{EvaluationError, ResourceEntity};

use super::answer::{Answer, Place};
use super::flow::Question;
use super::organization::{ActionLevels, Levels};
use super::values::RequestValues;
use super::{Applicable, AuthzRequest, Layer, Resource};

/// The service control policies that limit the caller: none for the management account's
/// principals, for service-linked roles, and for who has no account.
#[inline]
pub(super) fn of_caller<'a>(request: &AuthzRequest, applicable: &Applicable<'a>) -> Option<&'a Levels> {
    let controls = applicable.caller_controls.filter(|controls| !controls.is_management())?;
    let limited = request.caller.principal.account().is_some() && !is_service_linked(&request.caller);
    Some(controls.service()).filter(|levels| limited && !levels.documents().is_empty())
}

/// The resource control policies that guard the resource: none in the management account, none on
/// AWS managed keys, none for `kms:RetireGrant` and none for service-linked roles.
///
/// What is asked for on no resource, and of services that AWS has no resource control policies
/// for, is guarded too: AWS does not say of the first, and its list of the second grows.
#[inline]
pub(super) fn of_resource<'a>(request: &AuthzRequest, applicable: &Applicable<'a>) -> Option<&'a Levels> {
    let controls = applicable.resource_controls.filter(|controls| !controls.is_management())?;
    let levels = Some(controls.resource()).filter(|levels| !levels.documents().is_empty())?;
    let exempt = request.action.as_str().eq_ignore_ascii_case("kms:RetireGrant")
        || is_service_linked(&request.caller)
        || is_managed_by_aws(request);
    (!exempt).then_some(levels)
}

/// Roles under `/aws-service-role/`, a path that AWS keeps for itself (IAM User Guide,
/// "Service-linked roles").
fn is_service_linked(caller: &Caller) -> bool {
    matches!(caller.principal, Principal::Role(_) | Principal::Session(_))
        && caller.principal_arn.resource().starts_with("role/aws-service-role/")
}

/// An AWS managed key is the one that bears an alias under `alias/aws/`, which AWS keeps for itself
/// (KMS Developer Guide, "AWS managed keys").
fn is_managed_by_aws(request: &AuthzRequest) -> bool {
    let Resource::Key { attributes, .. } = &request.resource else { return false };
    let is_aws = |alias: &str| alias.starts_with("alias/aws/");
    attributes.aliases.iter().any(|alias| is_aws(alias))
        || request
            .operation
            .iter()
            .any(|(name, value)| name == "kms:resourcealiases" && value.texts().iter().any(|alias| is_aws(alias)))
}

/// What the levels of one kind of control policy say.
#[derive(Default)]
pub(super) struct Controls {
    pub(super) answer: Answer,
    /// The first level, from the root, that allows nothing.
    pub(super) silent: Option<u32>,
}

impl Question<'_> {
    /// At every level some statement must allow.
    pub(super) fn service_controls(&self, resource: &ResourceEntity) -> Result<Controls, EvaluationError> {
        let Some((levels, slices)) = &self.inputs.service_controls else { return Ok(Controls::default()) };
        let values = RequestValues::for_principal(self.inputs.request, self.inputs.applicable);
        self.levels(Layer::ServiceControlPolicy, levels, slices, resource, &values)
    }

    /// Only Denies: `RCPFullAWSAccess` stands at every level.
    pub(super) fn resource_controls(&self, resource: &ResourceEntity) -> Result<Controls, EvaluationError> {
        let Some((levels, slices)) = &self.inputs.resource_controls else { return Ok(Controls::default()) };
        let values = RequestValues::for_resource_policy(self.inputs.request, self.inputs.applicable);
        let controls = self.levels(Layer::ResourceControlPolicy, levels, slices, resource, &values)?;
        Ok(Controls { silent: None, ..controls })
    }

    fn levels(
        &self,
        layer: Layer,
        levels: &Levels,
        slices: &ActionLevels,
        resource: &ResourceEntity,
        values: &RequestValues<'_>,
    ) -> Result<Controls, EvaluationError> {
        let mut controls = Controls::default();
        for (level, (documents, slices)) in (0..).zip(levels.documents().iter().zip(&slices.slices)) {
            let mut allows = false;
            for (document, (attached, slice)) in (0..).zip(documents.iter().zip(slices)) {
                let satisfied = slice.evaluate(&self.query(resource, values))?;
                allows |= !satisfied.allows.is_empty();
                let place = Place { layer, level: Some(level), document };
                controls.answer.add(place, attached, &satisfied, |class| class);
            }
            if !allows && controls.silent.is_none() {
                controls.silent = Some(level);
            }
        }
        Ok(controls)
    }
}
