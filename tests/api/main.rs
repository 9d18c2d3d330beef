//! The service as callers see it: a real server on a free port, a real PostgreSQL, a clock the test owns.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "tests ask the database what no caller can"
)]
#![expect(
    clippy::disallowed_types,
    reason = "names of databases cannot be parameters"
)]

mod access_token;
mod access_token_forged;
mod architecture;
mod connections;
mod cookies;
mod cookies_origin;
mod cookies_replaced;
mod cookies_second_step;
mod cors;
mod database;
mod database_refuses;
mod dependencies;
mod docs;
mod errors;
mod event_retention;
mod flow;
mod gate;
mod gate_tokens;
mod health;
mod hostile_input;
mod hot_updates;
mod http;
mod http_heads;
mod keys;
mod keys_revoked;
mod keys_rotated;
mod keys_under_load;
mod keys_upkeep;
#[path = "../leaks/mod.rs"]
mod leaks;
mod lock_order;
mod login;
mod login_hashing;
mod login_proof;
mod login_second_step;
mod login_second_step_guesses;
mod login_second_step_races;
mod logout;
mod me;
mod me_delete;
mod metrics;
mod metrics_doc;
mod one_connection;
mod openapi;
mod operated;
mod password_change;
mod passwords;
mod plans;
mod printed_secrets;
mod purge;
mod refresh;
mod refresh_races;
mod refresh_replay;
mod refresh_statement;
mod request_headers;
mod routes;
mod secrets_at_rest;
mod security_doc;
mod security_event_flood;
mod security_event_kinds;
mod security_events;
mod serving_role;
mod sessions;
mod signup;
mod signup_refused;
mod slow_clients;
mod support;
mod throttle;
mod throttle_devices;
mod two_factor;
mod two_factor_at_rest;
mod two_factor_changes;
mod upgrade;
