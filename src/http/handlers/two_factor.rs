//! `/v1/me/2fa`: one's own second factor.

use actix_web::HttpResponse;
use actix_web::web::{Data, Json};
use serde::Deserialize;

use super::{needed_second_factor, proofs};
use crate::domain::{Password, TotpCode};
use crate::http::extractors::{Client, Signed};
use crate::http::problem::Problem;
use crate::http::views::{BackupCodesView, EnrolmentView, TwoFactorView};
use crate::services::{Caller, Services};

pub(in crate::http) async fn show(
    services: Data<Services>,
    caller: Caller,
) -> Result<Json<TwoFactorView>, Problem> {
    Ok(Json(services.two_factor.state(&caller).await?.into()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct EnableBody {
    password: String,
}

pub(in crate::http) async fn enable(
    services: Data<Services>,
    Client(client): Client,
    Signed(caller, body): Signed<EnableBody>,
) -> Result<Json<EnrolmentView>, Problem> {
    let password = Password::parse(body.password).map_err(|error| error.at("/password"))?;
    let enrolment = services
        .two_factor
        .enable(&caller, password, &client)
        .await?;
    Ok(Json(EnrolmentView::new(&enrolment)?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct VerifyBody {
    code: String,
    end_other_sessions: Option<bool>,
}

pub(in crate::http) async fn verify(
    services: Data<Services>,
    Client(client): Client,
    Signed(caller, body): Signed<VerifyBody>,
) -> Result<Json<BackupCodesView>, Problem> {
    let code = TotpCode::parse(&body.code).map_err(|error| error.at("/code"))?;
    let end_others = body.end_other_sessions.unwrap_or(true);
    let codes = services
        .two_factor
        .verify(&caller, &code, end_others, &client)
        .await?;
    Ok(Json(BackupCodesView::new(&codes)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct DisableBody {
    password: String,
    code: Option<String>,
    backup_code: Option<String>,
    end_other_sessions: Option<bool>,
}

pub(in crate::http) async fn disable(
    services: Data<Services>,
    Client(client): Client,
    Signed(caller, body): Signed<DisableBody>,
) -> Result<HttpResponse, Problem> {
    let end_others = body.end_other_sessions.unwrap_or(true);
    let (code, backup_code) = (body.code.as_deref(), body.backup_code.as_deref());
    let proofs = proofs(body.password, |errors| {
        needed_second_factor(errors, code, backup_code)
    })?;
    services
        .two_factor
        .disable(&caller, proofs, end_others, &client)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct BackupCodesBody {
    password: String,
    code: String,
    end_other_sessions: Option<bool>,
}

pub(in crate::http) async fn replace_backup_codes(
    services: Data<Services>,
    Client(client): Client,
    Signed(caller, body): Signed<BackupCodesBody>,
) -> Result<Json<BackupCodesView>, Problem> {
    let end_others = body.end_other_sessions.unwrap_or(true);
    let proofs = proofs(body.password, |errors| {
        needed_second_factor(errors, Some(&body.code), None)
    })?;
    let codes = services
        .two_factor
        .replace_backup_codes(&caller, proofs, end_others, &client)
        .await?;
    Ok(Json(BackupCodesView::new(&codes)))
}
