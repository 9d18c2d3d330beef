//! `/health/live` and `/health/ready`, for whoever starts and stops replicas.

use actix_web::web::{Data, Json};
use serde::Serialize;

use crate::http::problem::Problem;
use crate::services::Services;

#[derive(Serialize)]
pub(in crate::http) struct Health {
    status: &'static str,
}

pub(in crate::http) async fn live() -> Json<Health> {
    Json(Health { status: "live" })
}

pub(in crate::http) async fn ready(services: Data<Services>) -> Result<Json<Health>, Problem> {
    services.health.ready().await?;
    Ok(Json(Health { status: "ready" }))
}
