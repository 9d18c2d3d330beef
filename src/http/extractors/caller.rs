//! The caller behind a bearer token (RFC 6750). The header is the only place a token is taken from.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};

use crate::domain::Code;
use crate::http::problem::Problem;
use crate::services::{Caller, Services};
use crate::spans;

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let services = request.app_data::<Data<Services>>().cloned();
        let token = bearer(request.headers());
        Box::pin(async move {
            let services = services.ok_or(Code::InternalError)?;
            let caller = services.sessions.authenticate(&token?).await?;
            let user = caller.user().id.to_string();
            spans::caller_is(&user);
            tracing::Span::current().record("user.id", user);
            Ok(caller)
        })
    }
}

/// The bearer token of a request.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<String, Problem> {
    let mut values = headers.get_all(AUTHORIZATION);
    let value = values.next().ok_or(Code::TokenMissing)?;
    if values.next().is_some() {
        return Err(Code::BadRequest.into());
    }
    let value = value.to_str().map_err(|_| Code::TokenInvalid)?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Code::TokenMissing.into());
    }
    Ok(token.to_owned())
}
