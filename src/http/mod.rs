//! The only place that speaks HTTP. Handlers parse, call one service method and render; rules live below.

mod cookies;
mod extractors;
mod handlers;
mod json;
mod middleware;
mod page;
mod pieces;
mod problem;
mod routes;
mod views;

use ipnet::IpNet;

use crate::domain::Origins;

pub use cookies::CookieRules;
pub use handlers::CONTRACT;
pub use middleware::{RequestSpan, edge};
pub use routes::{MANAGEMENT_ROUTES, ROUTES, configure, configure_management};

/// What the HTTP layer needs to know of its surroundings.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Pages that are trusted.
    pub origins: Origins,
    /// How cookies are given.
    pub cookies: CookieRules,
    /// Whether clients reach the service over https.
    pub is_https: bool,
}
