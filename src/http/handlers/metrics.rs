//! `/metrics`, on the management listener: what has been counted, for Prometheus.

use actix_web::HttpResponse;
use actix_web::web::Data;

use crate::http::problem::Problem;
use crate::services::Services;

/// Prometheus' text format 0.0.4.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(in crate::http) async fn text(services: Data<Services>) -> Result<HttpResponse, Problem> {
    let text = services.health.metrics()?;
    Ok(HttpResponse::Ok().content_type(TEXT).body(text))
}
