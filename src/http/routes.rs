//! Every route, in one table a listener: what is served and what the table says are the same by construction.

use std::future::ready;

use actix_web::http::header;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, ResponseError};

use super::handlers::{
    accounts, contract, docs, health, keys, login, metrics, passwords, refresh, security_events,
    sessions, two_factor,
};
use super::middleware::preflight;
use super::problem::Problem;
use crate::domain::Code;

/// Builds the table. `HEAD` is answered wherever `GET` is (RFC 9110, section 9.3.2).
macro_rules! routes {
    ($all:ident, $configure:ident: $($path:literal { $($method:ident => $handler:path),+ })+) => {
        /// Each path with its methods.
        pub const $all: &[(&str, &[&str])] = &[$(($path, &[$(stringify!($method)),+])),+];

        /// Adds every route to the application.
        pub fn $configure(config: &mut ServiceConfig) {
            $({
                let resource = web::resource($path);
                $(let resource = routes!(@add resource, $method, $handler);)+
                let allow = allow(&[$(stringify!($method)),+]);
                config.service(resource.default_service(web::to(move |request| ready(other_method(&request, &allow)))));
            })+
            config.default_service(web::to(not_found));
        }
    };
    (@add $resource:ident, GET, $handler:path) => {
        $resource.route(web::get().to($handler)).route(web::head().to($handler))
    };
    (@add $resource:ident, POST, $handler:path) => { $resource.route(web::post().to($handler)) };
    (@add $resource:ident, DELETE, $handler:path) => { $resource.route(web::delete().to($handler)) };
    (@add $resource:ident, PATCH, $handler:path) => { $resource.route(web::patch().to($handler)) };
}

routes! {
    ROUTES, configure:
    "/v1/auth/signup" { POST => accounts::sign_up }
    "/v1/auth/login" { POST => login::log_in }
    "/v1/auth/login/2fa" { POST => login::complete }
    "/v1/auth/refresh" { POST => refresh::refresh }
    "/v1/auth/logout" { POST => sessions::log_out }
    "/v1/me" { GET => accounts::me, PATCH => accounts::change_profile }
    "/v1/me/password" { POST => passwords::change }
    "/v1/me/sessions" { GET => sessions::list, DELETE => sessions::end_all }
    "/v1/me/sessions/others" { DELETE => sessions::end_others }
    "/v1/me/sessions/{id}" { DELETE => sessions::end_one }
    "/v1/me/security-events" { GET => security_events::list }
    "/v1/me/2fa" { GET => two_factor::show }
    "/v1/me/2fa/enable" { POST => two_factor::enable }
    "/v1/me/2fa/verify" { POST => two_factor::verify }
    "/v1/me/2fa/disable" { POST => two_factor::disable }
    "/v1/me/2fa/backup-codes" { POST => two_factor::replace_backup_codes }
    "/v1/me/delete" { POST => accounts::delete }
    "/.well-known/jwks.json" { GET => keys::published }
    "/openapi.yaml" { GET => contract::openapi }
    "/docs" { GET => docs::contract }
    "/docs/errors" { GET => docs::errors }
    "/docs/assets/{name}" { GET => docs::asset }
    "/health/live" { GET => health::live }
    "/health/ready" { GET => health::ready }
}

routes! {
    MANAGEMENT_ROUTES, configure_management:
    "/health/live" { GET => health::live }
    "/health/ready" { GET => health::ready }
    "/metrics" { GET => metrics::text }
}

fn allow(methods: &[&str]) -> String {
    let head = methods.contains(&"GET").then_some("HEAD");
    let mut all: Vec<&str> = methods.iter().copied().chain(head).collect();
    all.sort_unstable();
    all.join(", ")
}

async fn not_found() -> Result<HttpResponse, Problem> {
    Err(Code::NotFound.into())
}

/// A method that the path does not know; `OPTIONS` may be a browser that asks for a page.
fn other_method(request: &HttpRequest, allow: &str) -> HttpResponse {
    preflight(request, allow).unwrap_or_else(|| method_not_allowed(allow))
}

fn method_not_allowed(allow: &str) -> HttpResponse {
    let mut response = Problem::from(Code::MethodNotAllowed).error_response();
    if let Ok(allow) = allow.try_into() {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}
