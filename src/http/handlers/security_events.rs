//! `/v1/me/security-events`.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};

use crate::http::page::{self, PageView};
use crate::http::problem::Problem;
use crate::http::views::EventView;
use crate::services::{Caller, Services};

pub(in crate::http) async fn list(
    services: Data<Services>,
    caller: Caller,
    request: HttpRequest,
) -> Result<Json<PageView<EventView>>, Problem> {
    let page = page::read(request.query_string())?;
    let events = services.security_events.list(&caller, page).await?;
    Ok(Json(PageView::of(events)))
}
