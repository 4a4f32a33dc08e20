//! The key-rotation engine: the AWS KMS API over real key material.
//!
//! A request passes in three steps, each taking the value that the one before made:
//! [`Operation::parse`] holds the body to the published model, [`Kms::resolve`] finds what it names
//! and says which permissions it needs, [`Kms::execute`] does what the permit allows. What was
//! resolved is what is executed: no alias or key is looked up twice, and a change commits only if
//! what was read still holds.

mod answer;
mod api;
mod backup;
mod ciphertext;
mod conditions;
mod custom_key_stores;
mod engine;
mod error;
mod events;
mod external_ciphertext;
mod grant_token;
mod imports;
mod key_id;
mod key_use;
mod managed;
mod name;
mod operation;
mod quotas;
mod records;
mod request_parameters;
mod resolve;
mod rows;
mod spec;
mod wire;
mod working_key;
mod wrapped_material;
mod xks;

pub use answer::Answer;
pub use api::{Kind, is_mutation, operation_errors, operation_names};
pub use backup::{Backup, BackupError, BackupHeader, BackupReader, begins_as_backup, restore};
pub use engine::{Kms, OpenError, RootKeyIds, Settings, root_key_ids};
pub use error::KmsError;
pub use events::ServiceEvent;
pub use key_id::KeyId;
pub use key_use::KeyUse;
pub use operation::Operation;
pub use quotas::Quotas;
pub use resolve::Resolved;
pub use wire::JsonText;
pub use xks::{XksAnswer, XksRequest, XksTransport, XksTransportError};
