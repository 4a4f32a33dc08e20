//! Verifying AWS Signature Version 4 in all its forms: by the `Authorization` header or presigned,
//! SigV4 or SigV4a, with the payload signed whole, in chunks or not at all.
//!
//! A [`Received`] head goes in with a [`Profile`] (how its service wants requests read), a
//! [`CredentialSource`] and the [`Times`]; a [`Verified`] comes out, which nothing else can
//! make, or a [`Refusal`] with AWS's code and text. The body goes in whole with the head, or
//! piece by piece through the [`PayloadVerifier`] that comes out beside the `Verified`.
//!
//! The order of checks is AWS's own: the path and query are well formed; one way of signing;
//! its algorithm, syntax and parts; what is signed; the date and its window; the
//! credential's parts and scope; the payload; and only then the access key, the signature, the
//! session token and its expiry.

mod algorithm;
mod amz_date;
mod authentication;
mod authorization;
mod canonical;
mod content_sha256;
mod credential;
mod credential_scope;
mod dialect;
mod ecdsa_key;
mod payload;
mod profile;
mod query;
mod raw_request;
mod refusal;
mod region_set;
mod signed_headers;
mod signing_key;
mod verify;
mod workings;

pub use content_sha256::Payload;
pub use credential::{Credential, CredentialSource, SecretKey, SessionToken, Unavailable};
pub use credential_scope::{ClaimedScope, claimed_scope};
pub use dialect::Dialect;
pub use payload::{PayloadVerifier, Proven};
pub use profile::Profile;
pub use raw_request::{InvalidRequest, RawRequest};
pub use refusal::{Refusal, RefusalKind};
pub use verify::{InvalidSkew, Received, Settings, Times, Verified, Verifier};
pub use workings::Workings;
