//! `/openapi.yaml`: the contract, as it is in the repository.

use actix_web::HttpResponse;

use super::{KEEP_SHORTLY, OPEN_TO_ALL};
use crate::http::pieces::Pieces;

/// The contract.
pub const CONTRACT: &str = include_str!("../../../openapi.yaml");

pub(in crate::http) async fn openapi() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/yaml")
        .insert_header(KEEP_SHORTLY)
        .insert_header(OPEN_TO_ALL)
        .body(Pieces(CONTRACT.as_bytes()))
}
