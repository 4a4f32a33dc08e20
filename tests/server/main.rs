//! Black-box tests: a real server on a loopback port, real clients, a raw socket.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod admin_token;
mod admission;
mod audit;
mod backup;
mod check;
mod command;
mod data_lock;
mod drain;
mod explanation;
mod first_light;
mod forwarders;
mod limits;
mod mistakes;
mod organization;
mod plain_json;
mod proxy_protocol;
mod quotas;
mod raw;
mod reload;
mod root_key;
mod simulate;
mod suites;
mod support;
mod unix_sockets;
mod upload;
mod upstream;
