//! The engine, asked as the gateway asks it.
#![allow(clippy::cast_precision_loss, reason = "dates of this era are exact in a double")]

mod aliases;
mod asymmetric;
mod conditions;
mod counting;
mod cryptography;
mod grants;
pub(crate) mod house;
mod imports;
mod keys;
mod kinds;
mod regions;
mod root_key;
mod rotation;
mod states;
