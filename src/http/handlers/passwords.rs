//! `/v1/me/password`.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde::Deserialize;

use crate::http::extractors::{Body, Client};
use crate::http::problem::Problem;
use crate::services::{Caller, PasswordChange, Services};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct PasswordBody {
    current_password: String,
    new_password: String,
    end_other_sessions: Option<bool>,
}

pub(in crate::http) async fn change(
    services: Data<Services>,
    caller: Caller,
    Client(client): Client,
    Body(body): Body<PasswordBody>,
) -> Result<HttpResponse, Problem> {
    let change = PasswordChange {
        current: body.current_password,
        new: body.new_password,
        end_other_sessions: body.end_other_sessions.unwrap_or(true),
    };
    services.passwords.change(&caller, change, &client).await?;
    Ok(HttpResponse::NoContent().finish())
}
