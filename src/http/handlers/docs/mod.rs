//! `/docs`: the contract to read and try, and `/docs/errors`: a section for every error code. Whatever the pages load
//! is in the binary, and their policies (CSP, level 3) let a browser load nothing from elsewhere.

mod assets;

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
};
use actix_web::web::Path;

use super::{KEEP_SHORTLY, OPEN_TO_ALL};
use crate::domain::Code;
use crate::http::pieces::Pieces;
use crate::http::problem::Problem;

const CROSS_ORIGIN_OPENER_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-opener-policy");

/// Swagger UI has its icons in `data:`, and sends what is tried to this service.
const CONTRACT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; \
    connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const ERRORS_POLICY: &str = "default-src 'none'; style-src 'self'; img-src data:; object-src 'none'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static CONTRACT: LazyLock<String> =
    LazyLock::new(|| assets::link(include_str!("contract.html"), "docs/assets/"));
static ERRORS: LazyLock<String> = LazyLock::new(|| {
    let sections = include_str!(concat!(env!("OUT_DIR"), "/errors.html"));
    let page = include_str!("errors.html").replace("<!-- sections -->", sections);
    assets::link(&page, "assets/")
});

pub(in crate::http) async fn contract() -> HttpResponse {
    page(CONTRACT_POLICY, &CONTRACT)
}

pub(in crate::http) async fn errors() -> HttpResponse {
    page(ERRORS_POLICY, &ERRORS)
}

fn page(policy: &'static str, text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CONTENT_SECURITY_POLICY, policy))
        .insert_header((CROSS_ORIGIN_OPENER_POLICY, "same-origin"))
        .insert_header(KEEP_SHORTLY)
        .insert_header(OPEN_TO_ALL)
        .body(Pieces(text.as_bytes()))
}

/// What the pages load, by a name that changes with it.
pub(in crate::http) async fn asset(name: Path<String>) -> Result<HttpResponse, Problem> {
    let asset = assets::find(&name).ok_or(Code::NotFound)?;
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, asset.media_type))
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header(OPEN_TO_ALL);
    if asset.is_gzip {
        response.insert_header((CONTENT_ENCODING, "gzip"));
    }
    Ok(response.body(Pieces(asset.bytes)))
}
