//! The edge of every request: its id, its deadline, the headers of every answer, and a coded answer where anything
//! inside gave none or panicked.

use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ResponseHead, ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, ResponseError};
use tokio::task::JoinError;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tracing::Instrument;

use super::cors;
use super::outcome::Begun;
use super::request_span::Mark;
use crate::domain::{Code, Refusal};
use crate::http::Surroundings;
use crate::http::problem::{PROBLEM_JSON, Problem};
use crate::services::{self, Services};

/// Longest time a request may take. Bodies, hashing and the database have shorter limits of their own.
const DEADLINE: Duration = Duration::from_secs(15);

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

tokio::task_local! {
    static REQUEST_ID: String;
}

/// The id of the request being served.
pub(crate) fn request_id() -> String {
    REQUEST_ID.try_with(Clone::clone).unwrap_or_default()
}

/// Wraps everything but the log.
pub async fn edge(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let id = request
        .extensions()
        .get::<Mark>()
        .map(|mark| mark.id.clone())
        .unwrap_or_default();
    let (frame, begun) = (Frame::of(&request), Begun::of(&request));
    // A task of its own: a caller who hangs up cuts off no statement, and a panic ends no connection.
    let serving = services::in_one_deadline(next.call(request));
    let serving = REQUEST_ID.scope(id.clone(), serving);
    let serving = begun.span.around(serving);
    let serving = actix_web::rt::spawn(serving.in_current_span());
    REQUEST_ID
        .scope(id, async {
            finish(timeout(DEADLINE, serving).await, frame, &begun)
        })
        .await
}

type Served<B> = Result<ServiceResponse<B>, Error>;

/// What the head of every answer depends on.
#[derive(Default)]
struct Frame {
    reader: Option<HeaderValue>,
    is_https: bool,
    services: Option<Data<Services>>,
}

impl Frame {
    fn of(request: &ServiceRequest) -> Self {
        let surroundings = request.app_data::<Data<Surroundings>>();
        surroundings.map_or_else(Self::default, |surroundings| Self {
            reader: cors::reader(surroundings, request.headers()),
            is_https: surroundings.is_https,
            services: request.app_data::<Data<Services>>().cloned(),
        })
    }
}

fn finish<B>(
    outcome: Result<Result<Served<B>, JoinError>, Elapsed>,
    frame: Frame,
    begun: &Begun,
) -> Served<B> {
    let refusal: Refusal = match outcome {
        Ok(Ok(Ok(mut response))) if is_ours(&response) => {
            complete(response.response_mut().head_mut(), frame);
            let code = response.response().extensions().get::<Code>().copied();
            begun.answered(response.status(), code);
            return Ok(response);
        }
        Ok(Ok(Ok(response))) => code_of(response.status()).into(),
        Ok(Ok(Err(error))) => code_of(error.as_response_error().status_code()).into(),
        Ok(Err(_)) => {
            tracing::error!("a request panicked");
            Code::InternalError.into()
        }
        Err(_) => Refusal::unavailable(),
    };
    let code = refusal.code;
    let mut response = Problem::from(refusal).error_response();
    begun.answered(response.status(), Some(code));
    complete(response.head_mut(), frame);
    Err(InternalError::from_response("refused at the edge", response).into())
}

/// A success, or a problem that we rendered: never a framework's own text.
fn is_ours<B>(response: &ServiceResponse<B>) -> bool {
    let failed = response.status().is_client_error() || response.status().is_server_error();
    !failed
        || response
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|value| value == PROBLEM_JSON)
}

fn code_of(status: StatusCode) -> Code {
    match status {
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => Code::PayloadTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMediaType,
        StatusCode::REQUEST_TIMEOUT => Code::RequestTimeout,
        other if other.is_client_error() => Code::BadRequest,
        _ => Code::InternalError,
    }
}

fn complete(head: &mut ResponseHead, frame: Frame) {
    if frame
        .services
        .is_some_and(|services| services.health.is_stopping())
    {
        // The next request on it could meet a service that is gone.
        head.set_connection_type(ConnectionType::Close);
    }
    let headers = head.headers_mut();
    cors::admit(headers, frame.reader);
    if frame.is_https {
        let year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.insert(STRICT_TRANSPORT_SECURITY, year);
    }
    headers.insert(
        CROSS_ORIGIN_RESOURCE_POLICY,
        HeaderValue::from_static("same-origin"),
    );
    if let Ok(id) = HeaderValue::from_str(&request_id()) {
        headers.insert(X_REQUEST_ID, id);
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // Pages say what they need themselves.
    if !headers.contains_key(CONTENT_SECURITY_POLICY) {
        let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
        headers.insert(CONTENT_SECURITY_POLICY, nothing);
    }
}
