//! One span and one log line a request: route pattern, status, time, user, outcome, trace. Never a query string, a body or a header.

use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::web::Data;
use actix_web::{Error, HttpMessage};
use tracing::Span;
use tracing::field::Empty;
use tracing_actix_web::RootSpanBuilder;

use super::trace_context;
use crate::domain::EventId;
use crate::services::Seams;
use crate::spans::{self, Begun, Parent};

/// What a request carries from its first moment on.
pub(super) struct Mark {
    /// `X-Request-Id`.
    pub(super) id: String,
    /// The pattern of the route.
    pub(super) route: String,
    pub(super) started: Instant,
    /// What a collector is told of it.
    pub(super) span: spans::RequestSpan,
}

/// Describes requests to the log.
pub struct RequestSpan;

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let seams = request.app_data::<Data<Seams>>();
        let id = request_id(request, seams);
        let route = request.match_pattern();
        let method = request.method().as_str();
        let parent = trace_context::parent(request.headers());
        let exported = spans::RequestSpan::begin(&Begun {
            method,
            route: route.as_deref(),
            parent: parent.as_ref(),
        });
        let route = route.unwrap_or_else(|| "unmatched".to_owned());
        let trace_id = exported.trace_id();
        let trace_id = trace_id.or_else(|| trace_id_of(parent.as_ref(), seams));
        let span = tracing::info_span!(
            "request",
            method,
            route,
            request_id = id,
            user.id = Empty,
            outcome = Empty,
            trace_id,
            parent_id = parent.as_ref().map(|parent| &*parent.span_id),
        );
        request.extensions_mut().insert(Mark {
            id,
            route,
            started: Instant::now(),
            span: exported,
        });
        span
    }

    fn on_request_end<B: MessageBody>(_: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        match outcome {
            Ok(response) => {
                let status = response.status().as_u16();
                let elapsed_us = response.request().extensions().get::<Mark>().map(|mark| {
                    u64::try_from(mark.started.elapsed().as_micros()).unwrap_or(u64::MAX)
                });
                tracing::info!(status, elapsed_us, "answered");
            }
            Err(error) => {
                // Not its response, which can be taken only once.
                let status = error.as_response_error().status_code().as_u16();
                tracing::info!(status, "answered");
            }
        }
    }
}

/// The caller's trace, else a new one.
fn trace_id_of(parent: Option<&Parent>, seams: Option<&Data<Seams>>) -> Option<String> {
    let new = |seams: &Data<Seams>| u128::from_be_bytes(seams.entropy.bytes());
    let new = || Some(format!("{:032x}", new(seams?)));
    parent.map_or_else(new, |parent| Some(parent.trace_id.clone()))
}

/// The caller's own id, if it is one that can be put into a log; else a new one.
fn request_id(request: &ServiceRequest, seams: Option<&Data<Seams>>) -> String {
    let sent = request
        .headers()
        .get("x-request-id")
        .and_then(|value| value.to_str().ok());
    if let Some(id) = sent.filter(|id| is_request_id(id)) {
        return id.to_owned();
    }
    seams
        .map(|seams| EventId::new(seams.clock.now(), &*seams.entropy).to_string())
        .unwrap_or_default()
}

fn is_request_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (8..=64).contains(&text.len()) && text.bytes().all(allowed)
}
