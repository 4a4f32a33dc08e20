//! Verifying AWS Signature Version 4, the form that signs by the `Authorization` header.
//!
//! A [`Received`] request goes in with a [`Profile`] (how its service wants requests read), a
//! [`CredentialSource`] and the [`Times`]; a [`Verified`] comes out, which nothing else can
//! make, or a [`Refusal`] with AWS's code and text.
//!
//! The order of checks is AWS's own: the path and query are well formed; one way of signing;
//! the header's algorithm, syntax and parts; what is signed; the date and its window; the
//! credential's parts and scope; the payload; and only then the access key, the signature, the
//! session token and its expiry.

mod amz_date;
mod authorization;
mod canonical;
mod content_sha256;
mod credential;
mod credential_scope;
mod profile;
mod query;
mod refusal;
mod signed_headers;
mod signing_key;
mod verify;
mod workings;

pub use credential::{Credential, CredentialSource, SecretKey, SessionToken, Unavailable};
pub use credential_scope::CredentialScope;
pub use profile::Profile;
pub use refusal::{Refusal, RefusalKind};
pub use verify::{InvalidSkew, Received, Settings, Times, Verified, Verifier};
pub use workings::{Workings, claimed_scope};
