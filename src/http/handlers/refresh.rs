//! `/v1/auth/refresh`.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use serde::Deserialize;

use crate::http::extractors::{Body, Browser, Client};
use crate::http::problem::Problem;
use crate::services::Services;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct RefreshBody {
    refresh_token: Option<String>,
}

pub(in crate::http) async fn refresh(
    services: Data<Services>,
    Client(client): Client,
    browser: Browser,
    Body(body): Body<RefreshBody>,
) -> Result<HttpResponse, Problem> {
    let (token, transport) = browser.shown_to_refresh(body.refresh_token)?;
    match services.refresh.refresh(&token, transport, &client).await {
        Ok(signed_in) => Ok(browser.signed_in(StatusCode::OK, signed_in)),
        Err(error) => browser.refused(error.into(), transport),
    }
}
