//! The engine, asked as the gateway asks it.
#![allow(clippy::cast_precision_loss, reason = "dates of this era are exact in a double")]

mod aliases;
mod asymmetric;
mod cryptography;
pub(crate) mod house;
mod keys;
mod kinds;
mod rotation;
mod states;
