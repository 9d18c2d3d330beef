//! `/v1/auth/logout` and `/v1/me/sessions`.

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::Code;
use crate::http::extractors::{Browser, Client, MaybeBody, bearer};
use crate::http::problem::Problem;
use crate::http::views::SessionView;
use crate::services::{Caller, ListedSession, LogOut, Services};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct LogoutBody {
    refresh_token: Option<String>,
}

pub(in crate::http) async fn log_out(
    services: Data<Services>,
    request: HttpRequest,
    Client(client): Client,
    browser: Browser,
    MaybeBody(body): MaybeBody<LogoutBody>,
) -> Result<HttpResponse, Problem> {
    // A broken header proves nothing, and logging out succeeds all the same.
    let access_token = bearer(request.headers()).ok();
    let refresh_token = body.and_then(|body| body.refresh_token);
    let shown = LogOut {
        access_token: access_token.as_deref(),
        refresh_token: refresh_token.as_deref(),
        cookies: browser.shown_to_log_out()?,
    };
    services.sessions.log_out(shown, &client).await?;
    Ok(browser.logged_out())
}

#[derive(Serialize)]
pub(in crate::http) struct SessionList {
    items: Vec<SessionView>,
}

pub(in crate::http) async fn list(
    services: Data<Services>,
    caller: Caller,
) -> Result<Json<SessionList>, Problem> {
    let sessions = services.sessions.list(&caller).await?;
    let current = caller.session().id;
    let view = |listed: ListedSession| {
        let is_current = listed.session.id == current;
        SessionView::new(listed.session, listed.expires_at, is_current)
    };
    Ok(Json(SessionList {
        items: sessions.into_iter().map(view).collect(),
    }))
}

pub(in crate::http) async fn end_one(
    services: Data<Services>,
    caller: Caller,
    Client(client): Client,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    // What is no id is no session either.
    let id = Uuid::try_parse(&id).map_err(|_| Code::SessionNotFound)?;
    services
        .sessions
        .end_one(&caller, id.into(), &client)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Serialize)]
pub(in crate::http) struct Ended {
    ended: usize,
}

pub(in crate::http) async fn end_others(
    services: Data<Services>,
    caller: Caller,
    Client(client): Client,
) -> Result<Json<Ended>, Problem> {
    let keep = Some(caller.session().id);
    let ended = services.sessions.end_all(&caller, keep, &client).await?;
    Ok(Json(Ended { ended }))
}

pub(in crate::http) async fn end_all(
    services: Data<Services>,
    caller: Caller,
    Client(client): Client,
) -> Result<Json<Ended>, Problem> {
    let ended = services.sessions.end_all(&caller, None, &client).await?;
    Ok(Json(Ended { ended }))
}
