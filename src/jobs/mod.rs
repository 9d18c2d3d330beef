//! Background loops. Each runs until the service stops, and does one thing through one service.

mod key_ring;
mod purge;

use crate::services::{Result, Services};

/// Starts every loop on the current runtime.
pub fn start(services: &Services) {
    actix_web::rt::spawn(key_ring::follow(services.keys.clone()));
    actix_web::rt::spawn(key_ring::keep_up(services.keys.clone()));
    actix_web::rt::spawn(purge::run(services.clone()));
}

fn report(what: &str, done: &str, outcome: Result<u64>) {
    match outcome {
        Ok(0) => {}
        Ok(count) => tracing::info!(what, count, "{done}"),
        Err(error) => tracing::warn!(what, %error, "not {done}; the next run tries again"),
    }
}
