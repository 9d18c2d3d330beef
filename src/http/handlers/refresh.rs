//! `/v1/auth/refresh`.

use actix_web::web::{Data, Json};
use serde::Deserialize;

use crate::domain::Transport;
use crate::http::extractors::{Body, Client};
use crate::http::problem::Problem;
use crate::http::views::AuthenticatedView;
use crate::services::Services;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct RefreshBody {
    refresh_token: String,
}

pub(in crate::http) async fn refresh(
    services: Data<Services>,
    Client(client): Client,
    Body(body): Body<RefreshBody>,
) -> Result<Json<AuthenticatedView>, Problem> {
    let signed_in = services
        .refresh
        .refresh(&body.refresh_token, Transport::Body, &client)
        .await?;
    Ok(Json(signed_in.into()))
}
