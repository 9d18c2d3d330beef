//! `/.well-known/jwks.json`: the public signing keys (RFC 7517).

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde::Serialize;

use super::OPEN_TO_ALL;
use crate::services::Services;

#[derive(Serialize)]
struct KeySet<K> {
    keys: Vec<K>,
}

pub(in crate::http) async fn published(services: Data<Services>) -> HttpResponse {
    let keys = services.keys.published();
    // New keys are published for as long before they sign.
    HttpResponse::Ok()
        .content_type("application/jwk-set+json")
        .insert_header(("cache-control", "public, max-age=300"))
        .insert_header(OPEN_TO_ALL)
        .json(KeySet { keys })
}
