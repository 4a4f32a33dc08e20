//! The engine, asked as the gateway asks it.
#![allow(clippy::cast_precision_loss, reason = "dates of this era are exact in a double")]

mod aliases;
mod asymmetric;
pub(crate) mod condition_keys;
mod conditions;
mod counting;
mod cryptography;
pub(crate) mod custom_key_stores;
mod dry_run;
pub(crate) mod errors;
mod failing;
mod grants;
pub(crate) mod house;
mod imports;
mod keys;
mod kinds;
mod last_use;
mod managed;
mod outbox;
pub(crate) mod proxy;
mod quotas;
mod regional_imports;
mod regions;
pub(crate) mod requests;
mod root_key;
mod rotation;
mod sealing_key;
mod states;
