//! Cross-origin resource sharing (Fetch standard, section 3.3): which pages of other origins may read answers. It
//! protects nobody's cookies; `extractors::Browser` does.

use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, VARY,
};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::http::Surroundings;
use crate::http::extractors::origin;

/// Headers that pages may send.
const REQUEST_HEADERS: &str = "Authorization, Content-Type, X-Request-Id";
/// Headers that pages may read, beside those that every page may.
const ANSWER_HEADERS: &str = "Retry-After, WWW-Authenticate, X-Request-Id";
/// Seconds for which a browser need not ask again.
const MAX_AGE: &str = "600";

/// The origin of a request, if its pages may read the answer.
pub(super) fn reader(surroundings: &Surroundings, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = origin(headers).filter(|origin| surroundings.origins.may_read(origin))?;
    HeaderValue::from_str(origin).ok()
}

/// Says in an answer who may read it. One that is open to everybody says so already, and is the same for all.
pub(super) fn admit(headers: &mut HeaderMap, reader: Option<HeaderValue>) {
    if headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        return;
    }
    headers.insert(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = reader {
        let exposed = HeaderValue::from_static(ANSWER_HEADERS);
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            ACCESS_CONTROL_ALLOW_CREDENTIALS,
            HeaderValue::from_static("true"),
        );
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
}

/// The answer to the question that a browser asks before a page's request, if the page may make one.
pub(in crate::http) fn preflight(request: &HttpRequest, methods: &str) -> Option<HttpResponse> {
    let surroundings = request.app_data::<Data<Surroundings>>()?;
    let asks = request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    reader(surroundings, request.headers()).filter(|_| asks)?;
    let answer = HttpResponse::NoContent()
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, methods))
        .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS))
        .insert_header((ACCESS_CONTROL_MAX_AGE, MAX_AGE))
        .finish();
    Some(answer)
}
