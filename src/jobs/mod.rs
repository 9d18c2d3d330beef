//! Background loops. Each runs until the service stops, and does one thing through one service.

mod key_ring;
mod purge;

use crate::services::Services;

/// Starts every loop on the current runtime.
pub fn start(services: &Services) {
    actix_web::rt::spawn(key_ring::run(services.keys.clone()));
    actix_web::rt::spawn(purge::run(services.clone()));
}
