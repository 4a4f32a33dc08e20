//! Keystile: an authorization gateway that speaks AWS.
//!
//! `docs/architecture.md` draws the house: the straight line of a request through these rooms,
//! and which room may use which. A test holds the modules to it.

pub mod audit;
pub mod authz;
pub mod aws;
pub mod cedar;
pub mod cli;
pub mod config;
pub mod gateway;
pub mod iam;
pub mod identity;
pub mod kms;
pub mod seal;
pub mod services;
pub mod sigv4;
pub mod simulate;
pub mod store;
pub mod sts;
