//! The binary as an operator meets it: started, signalled, killed, started again. Its PostgreSQL is its own.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]
#![expect(
    clippy::disallowed_methods,
    reason = "tests ask the database what no caller can"
)]

mod cli;
mod cli_keys;
mod cli_users;
#[cfg(feature = "opentelemetry")]
mod collector;
mod database_away;
mod disk_full;
mod hot_updates;
mod keyward;
mod lifecycle;
mod logs;
mod management;
mod memory;
mod secrets;
#[cfg(feature = "opentelemetry")]
mod spans;
#[cfg(feature = "opentelemetry")]
mod spans_collector_away;
mod startup;
