//! Which service a request is for.

use std::collections::HashMap;
use std::sync::Arc;

use http::Method;
use http::request::Parts;

use super::admission::{Rejection, admit_to_root};
use super::form::Form;
use super::forward::Upstream;
use super::sts_call;
use crate::cedar::Documents;
use crate::config::{Config, ConfigError};
use crate::identity::Directory;
use crate::services::Protocol;
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
    /// An HTTP service behind the gateway.
    Upstream(Arc<Upstream>),
}

/// The services that are served.
pub(super) struct Routes {
    kms: Route,
    sts: Route,
    /// By the service's name. One for `kms` takes the place of the engine.
    upstreams: HashMap<Arc<str>, Route>,
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
    /// # Errors
    /// An upstream's files that can't be read.
    pub(super) fn new(config: &Config, directory: &Directory, documents: &Documents) -> Result<Self, ConfigError> {
        let route = |service, profile: Profile| Route { service, name: profile.service().into(), profile };
        let mut upstreams = HashMap::new();
        for settings in &config.upstreams {
            let upstream = Upstream::new(settings, config, directory, documents)?;
            let profile = match settings.definition.protocol() {
                Protocol::S3 => Profile::like_s3(&settings.service),
                Protocol::Json | Protocol::Query | Protocol::RestJson | Protocol::RestXml => {
                    Profile::general(&settings.service)
                }
            };
            let profile = match &settings.sigv4a_region {
                Some(region) => profile.with_sigv4a(region.clone()),
                None => profile,
            };
            upstreams.insert(Arc::clone(&settings.service), route(Service::Upstream(Arc::new(upstream)), profile));
        }
        Ok(Self { kms: route(Service::Kms, Profile::kms()), sts: route(Service::Sts, Profile::sts()), upstreams })
    }

    /// The upstream of a service.
    pub(super) fn upstream(&self, service: &str) -> Option<&Upstream> {
        match &self.upstreams.get(service)?.service {
            Service::Upstream(upstream) => Some(upstream),
            Service::Kms | Service::Sts => None,
        }
    }

    /// The route of a request; none where it claims to be for a service that is not served. What names
    /// no service at all is taken for KMS, which refuses what nobody signed.
    pub(super) fn route(&self, parts: &Parts) -> Result<&Route, String> {
        let claimed = claimed_scope(&parts.headers, parts.uri.query());
        let service = match &claimed {
            Some(scope) => &*scope.service,
            None if sts_call::speaks_unsigned(parts) => "sts",
            None => "kms",
        };
        match (self.upstreams.get(service), service) {
            (Some(upstream), _) => Ok(upstream),
            (None, "kms") => Ok(&self.kms),
            (None, "sts") => Ok(&self.sts),
            (None, other) => Err(other.to_owned()),
        }
    }
}

impl Route {
    /// Holds a request to what its service takes at all.
    pub(super) fn admit(&self, parts: &Parts) -> Result<(), Rejection> {
        match &self.service {
            Service::Kms => admit_to_root(parts, &[Method::POST]),
            Service::Sts => admit_to_root(parts, &[Method::POST, Method::GET]),
            Service::Upstream(_) => Ok(()),
        }
    }

    /// How the request wants to be answered; none where it does not say so in a way that the service
    /// knows.
    pub(super) fn form(&self, parts: &Parts) -> Option<Form> {
        match &self.service {
            Service::Kms => Form::of(&parts.headers),
            Service::Sts => Some(Form::Query),
            Service::Upstream(upstream) => Some(match upstream.definition.protocol() {
                Protocol::Json => Form::of_json(&parts.headers),
                Protocol::Query | Protocol::RestXml => Form::Query,
                Protocol::RestJson => Form::RestJson,
                Protocol::S3 => Form::S3,
            }),
        }
    }
}
