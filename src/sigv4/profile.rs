use std::sync::Arc;

/// How a service wants its requests read.
///
/// A request is verified by the profile of the route it came in on: never by what its own
/// credential scope says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub(super) service: Arc<str>,
    pub(super) paths: Paths,
    pub(super) unsigned_payload: bool,
    pub(super) unsigned_token: bool,
}

/// Which paths a service has, and how they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paths {
    /// `POST` with path `/`, nothing else.
    RootPost,
    /// Dot and empty segments removed, then encoded once more.
    Normalized,
    /// As they are, encoded once.
    AsTheyAre,
}

impl Paths {
    fn normalized(normalize: bool) -> Self {
        if normalize { Self::Normalized } else { Self::AsTheyAre }
    }
}

impl Profile {
    /// A service in general: any method and path, the payload signed, the session token signed.
    ///
    /// Paths are normalised and encoded twice, but for `s3`.
    #[must_use]
    pub fn general(service: &str) -> Self {
        Self {
            service: service.into(),
            paths: Paths::normalized(service != "s3"),
            unsigned_payload: false,
            unsigned_token: false,
        }
    }

    /// The AWS KMS API: `POST` with path exactly `/`, everything signed.
    #[must_use]
    pub fn kms() -> Self {
        Self { paths: Paths::RootPost, ..Self::general("kms") }
    }

    /// Whether dot and empty segments are removed from the path and it is encoded twice
    /// (services other than S3), or it is taken as it is and encoded once.
    #[must_use]
    pub fn with_normalize_path(mut self, normalize: bool) -> Self {
        self.paths = Paths::normalized(normalize);
        self
    }

    /// Whether `x-amz-content-sha256: UNSIGNED-PAYLOAD` is taken: then nothing vouches for the body.
    #[must_use]
    pub fn with_unsigned_payload(mut self, taken: bool) -> Self {
        self.unsigned_payload = taken;
        self
    }

    /// Whether `x-amz-security-token` may be left unsigned, as a few services' clients do. It is
    /// bound to its access key all the same.
    #[must_use]
    pub fn with_unsigned_token(mut self, taken: bool) -> Self {
        self.unsigned_token = taken;
        self
    }

    /// The service's name in the credential scope.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }
}
