//! Which service a request is for.

use std::sync::Arc;

use http::Method;
use http::request::Parts;

use super::admission::{Rejection, admit_to_root};
use super::form::Form;
use super::sts_call;
use crate::sigv4::{Profile, claimed_scope};

/// A service behind the listener.
///
/// A request is routed by the service that its own credential scope names: from there on everything,
/// verification, reading, deciding and performing, is that one service's.
#[derive(Clone)]
pub(super) enum Service {
    /// The KMS API of the engine in this process.
    Kms,
    /// The built-in STS.
    Sts,
}

/// The services that are served.
pub(super) struct Routes {
    kms: Route,
    sts: Route,
}

/// A service with how its requests are verified.
#[derive(Clone)]
pub(super) struct Route {
    pub(super) service: Service,
    /// The name in the credential scope.
    pub(super) name: Arc<str>,
    pub(super) profile: Profile,
}

impl Routes {
    pub(super) fn new() -> Self {
        let route = |service, profile: Profile| Route { service, name: profile.service().into(), profile };
        Self { kms: route(Service::Kms, Profile::kms()), sts: route(Service::Sts, Profile::general("sts")) }
    }

    /// The route of a request. What names no service is taken for KMS, which refuses what nobody signed.
    pub(super) fn route(&self, parts: &Parts) -> &Route {
        match claimed_scope(&parts.headers).map(|scope| scope.service) {
            Some("sts") => &self.sts,
            None if sts_call::speaks_unsigned(parts) => &self.sts,
            _ => &self.kms,
        }
    }
}

impl Route {
    /// Holds a request to what its service takes at all.
    pub(super) fn admit(&self, parts: &Parts) -> Result<(), Rejection> {
        match self.service {
            Service::Kms => admit_to_root(parts, &[Method::POST]),
            Service::Sts => admit_to_root(parts, &[Method::POST, Method::GET]),
        }
    }

    /// How the request wants to be answered; none where it does not say so in a way that the service
    /// knows.
    pub(super) fn form(&self, parts: &Parts) -> Option<Form> {
        match self.service {
            Service::Kms => Form::of(&parts.headers),
            Service::Sts => Some(Form::Query),
        }
    }
}
