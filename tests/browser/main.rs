//! Pages in a real browser: Chromium without a window, two sites, and the binary. `cargo test --test browser` runs it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]
#![expect(
    clippy::disallowed_methods,
    reason = "tests ask the database what no caller can, and an authenticator app has a clock of its own"
)]
#![expect(
    clippy::disallowed_types,
    reason = "names of tables cannot be parameters"
)]

mod chromium;
mod docs;
mod example;
#[expect(dead_code, reason = "the tests of the process use the rest of it")]
#[path = "../process/keyward.rs"]
mod keyward;
mod other_sites;
mod person;
mod reloads;
mod signing;
mod site;
mod two_factor;
mod world;
