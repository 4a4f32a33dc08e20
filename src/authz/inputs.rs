use std::sync::Arc;

use super::controls;
use super::organization::{ActionLevels, Levels};
use super::policies::ActionPolicies;
use super::{Applicable, AttachedDocument, AuthzRequest, Resource};
use crate::cedar::Slice;

/// All that one decision reads, its documents cut to its action: what is exempt from a layer, or
/// has no part in it, is left out.
pub(super) struct Inputs<'a> {
    pub(super) request: &'a AuthzRequest,
    pub(super) applicable: &'a Applicable<'a>,
    pub(super) policies: Arc<ActionPolicies>,
    pub(super) resource_policy: Option<(&'a AttachedDocument, Arc<Slice>)>,
    /// Service control policies that limit the caller.
    pub(super) service_controls: Option<(&'a Levels, Arc<ActionLevels>)>,
    /// Resource control policies that guard the resource.
    pub(super) resource_controls: Option<(&'a Levels, Arc<ActionLevels>)>,
}

impl<'a> Inputs<'a> {
    #[inline]
    pub(super) fn new(request: &'a AuthzRequest, applicable: &'a Applicable<'a>) -> Self {
        let bears_policy = matches!(request.resource, Resource::Key { .. } | Resource::Other { .. });
        let resource_policy = applicable
            .resource_policy
            .filter(|_| bears_policy)
            .map(|attached| (attached, attached.document.slice(&request.action)));
        let sliced = |levels: &'a Levels| (levels, levels.for_action(&request.action));
        Self {
            request,
            applicable,
            policies: applicable.principal.for_action(&request.action),
            resource_policy,
            service_controls: controls::of_caller(request, applicable).map(sliced),
            resource_controls: controls::of_resource(request, applicable).map(sliced),
        }
    }
}
