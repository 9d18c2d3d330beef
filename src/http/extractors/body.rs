//! Bodies: `application/json`, at most 16 KiB, and nothing else.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::domain::Code;
use crate::http::json;
use crate::http::problem::Problem;

/// Bytes of a body that are read.
const LIMIT: usize = 16 * 1024;
/// Longest time a body may take to arrive. The server itself sets none.
const DEADLINE: Duration = Duration::from_secs(10);

type Extracting<T> = Pin<Box<dyn Future<Output = Result<T, Problem>>>>;

/// A body that is needed.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Problem;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (headers, payload) = (checked(request.headers()), payload.take());
        Box::pin(async move { json::read(&collect(payload, headers?).await?).map(Body) })
    }
}

/// A body that may be left out.
pub(crate) struct MaybeBody<T>(pub(crate) Option<T>);

impl<T: DeserializeOwned + 'static> FromRequest for MaybeBody<T> {
    type Error = Problem;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (headers, payload) = (checked(request.headers()), payload.take());
        Box::pin(async move {
            let body = collect(payload, headers?).await?;
            if body.is_empty() {
                Ok(MaybeBody(None))
            } else {
                json::read(&body).map(Some).map(MaybeBody)
            }
        })
    }
}

/// What the headers say of a body that may be read.
struct Announced {
    is_json: bool,
}

fn checked(headers: &HeaderMap) -> Result<Announced, Problem> {
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > LIMIT as u64) {
        return Err(Code::PayloadTooLarge.into());
    }
    let types: Vec<_> = headers.get_all(header::CONTENT_TYPE).collect();
    let is_json = matches!(types.as_slice(), [one] if one.to_str().is_ok_and(is_json));
    let is_coded = headers.contains_key(header::CONTENT_ENCODING);
    if is_coded || (!types.is_empty() && !is_json) {
        return Err(Code::UnsupportedMediaType.into());
    }
    Ok(Announced { is_json })
}

/// `application/json`, perhaps with the one charset JSON has (RFC 8259, section 8.1).
fn is_json(value: &str) -> bool {
    let (media_type, parameter) = value.split_once(';').unwrap_or((value, "charset=utf-8"));
    let utf_8 = ["charset=utf-8", "charset=\"utf-8\""];
    media_type.trim().eq_ignore_ascii_case("application/json")
        && utf_8
            .iter()
            .any(|charset| parameter.trim().eq_ignore_ascii_case(charset))
}

async fn collect(payload: Payload, announced: Announced) -> Result<Vec<u8>, Problem> {
    let body = timeout(DEADLINE, bytes(payload))
        .await
        .map_err(|_| Code::RequestTimeout)??;
    if !body.is_empty() && !announced.is_json {
        return Err(Code::UnsupportedMediaType.into());
    }
    Ok(body)
}

async fn bytes(mut payload: Payload) -> Result<Vec<u8>, Problem> {
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Code::BadRequest)?;
        if body.len() + chunk.len() > LIMIT {
            return Err(Code::PayloadTooLarge.into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
