//! Who may sign: access keys, the users, roles and sessions that they belong to, and the
//! policies of these, from the authorization details that AWS prints and from credentials files.
//!
//! Nothing here reads a file: `config` does, and hands the texts in.

mod access_key;
mod authorization_details;
mod credentials;
mod directory;
mod error;
mod json;
mod key_set;
mod known;
mod mfa_device;
mod oidc_provider;
mod organization;
mod session;
mod sessions;
mod shared_credentials;
mod unique_id;

pub use access_key::{GenerateError, NewAccessKey};
pub use authorization_details::{AuthorizationDetails, EmbeddedDocument};
pub use credentials::{
    AccessKeyEntry, SecretSource, SecretText, SessionPolicyEntry, append_access_key, parse_credentials,
};
pub use directory::{Directory, DirectoryBuilder, Identity, ResolvedSecrets};
pub use error::{IdentityError, Source};
pub use key_set::KeySet;
pub use known::Described;
pub use mfa_device::MfaDevice;
pub use oidc_provider::{KeySource, OidcProvider, SigningAlgorithm};
pub use organization::{ControlPolicyEntry, ControlPolicyTexts, OrganizationEntry, parse_organization};
pub use session::{IssueError, IssuedCredentials, MAX_PACKED_BYTES, SessionRecord, SessionSubject};
pub use sessions::Sessions;
pub use shared_credentials::SharedCredentials;
