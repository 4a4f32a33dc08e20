//! Laws that the library keeps: properties, tables and the layering of the house.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod cached_layers;
mod conditions;
mod deciding;
mod engine;
mod explaining;
mod fuzz;
mod generate;
mod iam;
mod iam_evaluation;
mod interpreter;
mod layering;
mod library;
mod minimal;
mod model;
mod operations_table;
mod parsing;
mod policies;
mod postgres;
mod sigv4;
mod simulating;
mod store_conformance;
mod store_crash;
mod store_replicated;
mod sts;
