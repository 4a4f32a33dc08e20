//! The nouns that every room uses: ARNs, accounts, regions, actions, principals,
//! callers, clocks, and the catalogue of actions and condition keys.
//!
//! Nothing here knows a signature, a policy or a store.

mod account;
mod action;
mod arn;
mod caller;
pub mod catalogue;
mod clock;
mod condition_key;
mod determined_keys;
pub mod json;
mod principal;
mod region;
pub mod xml;

pub use account::{AccountId, InvalidAccountId};
pub use action::{ActionName, InvalidActionName};
pub use arn::{Arn, InvalidArn};
pub use caller::{Caller, Session, Surroundings};
pub use clock::{Clock, OffsetClock, SystemClock};
pub use condition_key::{ConditionKey, ContextValue, KeyType};
pub use determined_keys::DeterminedKeys;
pub use principal::{InvalidPrincipal, Principal};
pub use region::{InvalidRegion, Region};
