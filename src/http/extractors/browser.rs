//! The browser behind a request: the cookies it holds, whether the page that asks may use them, and the answer that
//! gives it new ones. Handlers get at cookies only through here.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, ORIGIN, SET_COOKIE};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError};
use secrecy::ExposeSecret;

use crate::domain::{Code, FieldCode, FieldError, Transport};
use crate::http::Surroundings;
use crate::http::cookies::{Cookie, CookieRules};
use crate::http::problem::Problem;
use crate::http::views::AuthenticatedView;
use crate::services::Authenticated;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The browser behind a request, if it is one.
pub(crate) struct Browser {
    rules: CookieRules,
    refresh: Vec<String>,
    device: Vec<String>,
    is_allowed: bool,
}

/// The cookies that a request may use.
#[derive(Default)]
pub(crate) struct Held {
    /// The refresh token.
    pub(crate) refresh: Option<String>,
    /// The device token.
    pub(crate) device: Option<String>,
}

impl FromRequest for Browser {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let Some(surroundings) = request.app_data::<Data<Surroundings>>() else {
            return ready(Err(Code::InternalError.into()));
        };
        let (headers, rules) = (request.headers(), surroundings.cookies);
        let is_cross_site = headers
            .get_all(SEC_FETCH_SITE)
            .any(|site| site.as_bytes() == b"cross-site");
        let origins = &surroundings.origins;
        ready(Ok(Self {
            rules,
            refresh: rules.read(Cookie::Refresh, headers),
            device: rules.read(Cookie::Device, headers),
            is_allowed: origins.may_use_cookies(origin(headers), is_cross_site),
        }))
    }
}

/// The one origin that a request names.
pub(crate) fn origin(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(ORIGIN);
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

impl Browser {
    /// Refuses pages that may not use cookies.
    pub(crate) fn require_allowed(&self) -> Result<(), Problem> {
        if self.is_allowed {
            Ok(())
        } else {
            Err(Code::OriginNotAllowed.into())
        }
    }

    /// The cookies that signing in by this transport may use: without cookies, none.
    pub(crate) fn held(&self, transport: Transport) -> Result<Held, Problem> {
        if transport == Transport::Body {
            return Ok(Held::default());
        }
        self.require_allowed()?;
        Ok(Held {
            refresh: self.one()?,
            // It opens nothing: one of two is as good as none.
            device: self
                .device
                .first()
                .filter(|_| self.device.len() == 1)
                .cloned(),
        })
    }

    /// The refresh token to be traded, and how it came: a body's makes the cookie be passed over.
    pub(crate) fn shown_to_refresh(
        &self,
        in_body: Option<String>,
    ) -> Result<(String, Transport), Problem> {
        if let Some(token) = in_body {
            return Ok((token, Transport::Body));
        }
        if self.refresh.is_empty() {
            let missing = FieldError::new(FieldCode::Required, "This member is required.");
            return Err(missing.at("/refresh_token").into());
        }
        self.require_allowed()?;
        let token = self.one()?.ok_or(Code::BadRequest)?;
        Ok((token, Transport::Cookie))
    }

    /// Every refresh token that logging out is shown by cookie. Whatever else is sent, it is not passed over: the
    /// answer clears it.
    pub(crate) fn shown_to_log_out(&self) -> Result<&[String], Problem> {
        if !self.refresh.is_empty() {
            self.require_allowed()?;
        }
        Ok(&self.refresh)
    }

    /// The answer to a completed sign-up, login or refresh. Its session says how the tokens travel.
    pub(crate) fn signed_in(&self, status: StatusCode, signed_in: Authenticated) -> HttpResponse {
        let mut response = HttpResponse::build(status);
        if signed_in.session.transport == Transport::Cookie {
            let refresh = signed_in.refresh_token.expose_secret();
            let device = signed_in.device_token.expose_secret();
            let (life, device_life) = (signed_in.refresh_expires_in, signed_in.device_expires_in);
            let refresh = self.rules.keep(Cookie::Refresh, refresh, life);
            let device = self.rules.keep(Cookie::Device, device, device_life);
            response.append_header((SET_COOKIE, refresh));
            response.append_header((SET_COOKIE, device));
        }
        response.json(AuthenticatedView::from(signed_in))
    }

    /// The answer to a refresh that failed: a token that does not work is cleared, if it was the cookie.
    pub(crate) fn refused(
        &self,
        problem: Problem,
        transport: Transport,
    ) -> Result<HttpResponse, Problem> {
        if transport == Transport::Cookie && problem.is(Code::RefreshTokenInvalid) {
            let mut response = problem.error_response();
            self.clear(&mut response);
            return Ok(response);
        }
        Err(problem)
    }

    /// The answer to logging out.
    pub(crate) fn logged_out(&self) -> HttpResponse {
        let mut response = HttpResponse::NoContent().finish();
        if !self.refresh.is_empty() {
            self.clear(&mut response);
        }
        response
    }

    fn one(&self) -> Result<Option<String>, Problem> {
        match self.refresh.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(one.clone())),
            _ => Err(Code::BadRequest.into()),
        }
    }

    fn clear(&self, response: &mut HttpResponse) {
        if let Ok(cleared) = self.rules.clear(Cookie::Refresh).try_into() {
            response.headers_mut().append(SET_COOKIE, cleared);
        }
    }
}
