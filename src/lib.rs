//! Keyward: an authentication service of one binary and one PostgreSQL.
//!
//! The layers, lower to the left; nothing names what is to its right:
//!
//! ```text
//! domain ← config ← crypto, repositories ← services ← http, jobs ← app, server, cli
//! ```
//!
//! * [`domain`]: types and rules without I/O, and the registry of error codes
//! * [`config`]: what the operator says, read once
//! * [`crypto`]: secrets in, values out
//! * [`repositories`]: the only place that speaks SQL
//! * [`services`]: the use cases
//! * [`http`]: the only place that speaks HTTP
//! * [`jobs`]: background loops
//! * [`app`], [`server`], [`cli`]: wiring, listener, command line
//! * [`metrics`], [`spans`]: what is counted, and what takes time, from `crypto` upwards
//! * [`embedded_postgres`]: a PostgreSQL of our own, where none is given

pub mod app;
pub mod cli;
pub mod config;
pub mod crypto;
pub mod domain;
pub mod embedded_postgres;
pub mod http;
pub mod jobs;
mod master_key_file;
pub mod metrics;
pub mod repositories;
pub mod server;
pub mod services;
pub mod spans;
pub mod telemetry;
