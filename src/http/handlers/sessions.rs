//! `/v1/auth/logout`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

use crate::http::extractors::{Client, MaybeBody, bearer};
use crate::http::problem::Problem;
use crate::services::{LogOut, Services};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct LogoutBody {
    refresh_token: Option<String>,
}

pub(in crate::http) async fn log_out(
    services: Data<Services>,
    request: HttpRequest,
    Client(client): Client,
    MaybeBody(body): MaybeBody<LogoutBody>,
) -> Result<HttpResponse, Problem> {
    // A broken header proves nothing, and logging out succeeds all the same.
    let access_token = bearer(request.headers()).ok();
    let refresh_token = body.and_then(|body| body.refresh_token);
    let shown = LogOut {
        access_token: access_token.as_deref(),
        refresh_token: refresh_token.as_deref(),
    };
    services.sessions.log_out(shown, &client).await?;
    Ok(HttpResponse::NoContent().finish())
}
