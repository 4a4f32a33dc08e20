use std::sync::Arc;

use crate::aws::Region;

/// Services that take paths as they are, and whose presigned requests leave the body unsigned.
const LIKE_S3: [&str; 4] = ["s3", "s3express", "s3-object-lambda", "s3-outposts"];

/// How a service wants its requests read.
///
/// A request is verified by the profile of the route it came in on. A route may be chosen by what
/// a credential scope claims: the profile then holds the scope to be of that one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub(super) service: Arc<str>,
    pub(super) paths: Paths,
    pub(super) presigned: bool,
    /// What a presigned request signs of its body when it says nothing: `UNSIGNED-PAYLOAD`, or
    /// else the body's hash.
    pub(super) presigned_leaves_payload: bool,
    pub(super) unsigned_payload: bool,
    pub(super) chunked_payload: bool,
    pub(super) checksums: bool,
    pub(super) unsigned_token: bool,
    /// The region of a request whose region set leaves a choice; `None` where SigV4a is not taken.
    pub(super) sigv4a: Option<Region>,
}

/// Which paths a service has, and how they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paths {
    /// `POST` with path `/`, nothing else.
    RootPost,
    /// `GET` or `POST` with path `/`, nothing else.
    Root,
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
    /// A service in general: any method and path, presigned or not, the payload signed, the
    /// session token signed.
    ///
    /// Paths are normalised and encoded twice, but for `s3` and its like, which have the rules of
    /// [`Profile::s3`].
    #[must_use]
    pub fn general(service: &str) -> Self {
        let like_s3 = LIKE_S3.contains(&service);
        Self {
            service: service.into(),
            paths: Paths::normalized(!like_s3),
            presigned: true,
            presigned_leaves_payload: like_s3,
            unsigned_payload: like_s3,
            chunked_payload: like_s3,
            checksums: true,
            unsigned_token: false,
            sigv4a: None,
        }
    }

    /// The AWS KMS API: `POST` with path exactly `/`, everything signed, by header.
    #[must_use]
    pub fn kms() -> Self {
        Self { paths: Paths::RootPost, presigned: false, checksums: false, ..Self::general("kms") }
    }

    /// The AWS STS API: `GET` or `POST` with path exactly `/`, by header or presigned, everything
    /// signed.
    #[must_use]
    pub fn sts() -> Self {
        Self { paths: Paths::Root, checksums: false, ..Self::general("sts") }
    }

    /// Amazon S3: paths as they are and encoded once, presigned or not, the payload signed whole,
    /// in chunks or not at all.
    ///
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html>
    #[must_use]
    pub fn s3() -> Self {
        Self::general("s3")
    }

    /// Whether dot and empty segments are removed from the path and it is encoded twice
    /// (services other than S3), or it is taken as it is and encoded once.
    #[must_use]
    pub fn with_normalize_path(mut self, normalize: bool) -> Self {
        self.paths = Paths::normalized(normalize);
        self
    }

    /// Whether a request may be signed in its query string, `X-Amz-Signature` and its like.
    #[must_use]
    pub fn with_presigned(mut self, taken: bool) -> Self {
        self.presigned = taken;
        self
    }

    /// Whether `x-amz-content-sha256: UNSIGNED-PAYLOAD` is taken: then nothing vouches for the
    /// body but the checksums that come with it.
    #[must_use]
    pub fn with_unsigned_payload(mut self, taken: bool) -> Self {
        self.unsigned_payload = taken;
        self
    }

    /// Whether the `STREAMING-…` modes are taken: a body in chunks, each signed, or, where unsigned
    /// payloads are taken too, with a checksum behind them.
    #[must_use]
    pub fn with_chunked_payload(mut self, taken: bool) -> Self {
        self.chunked_payload = taken;
        self
    }

    /// Whether `x-amz-security-token` may be left unsigned, as a few services' clients do. It is
    /// bound to its access key all the same.
    #[must_use]
    pub fn with_unsigned_token(mut self, taken: bool) -> Self {
        self.unsigned_token = taken;
        self
    }

    /// Takes SigV4a, `AWS4-ECDSA-P256-SHA256`. Where a request's region set leaves a choice, its
    /// region is `region` if that is of the set, or else the first one that is served.
    #[must_use]
    pub fn with_sigv4a(mut self, region: Region) -> Self {
        self.sigv4a = Some(region);
        self
    }

    /// The service's name in the credential scope.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }
}
