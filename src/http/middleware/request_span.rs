//! One span and one log line a request: route pattern, status, time, user, outcome, trace. Never a query string, a body or a header.

use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::web::Data;
use actix_web::{Error, HttpMessage};
use tracing::Span;
use tracing::field::Empty;
use tracing_actix_web::RootSpanBuilder;

use super::trace_context::TraceContext;
use crate::domain::EventId;
use crate::services::Seams;

/// What a request carries from its first moment on.
pub(super) struct Mark {
    /// `X-Request-Id`.
    pub(super) id: String,
    /// The pattern of the route.
    pub(super) route: String,
    pub(super) started: Instant,
}

/// Describes requests to the log.
pub struct RequestSpan;

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let seams = request.app_data::<Data<Seams>>();
        let id = request_id(request, seams);
        let trace = seams.map(|seams| TraceContext::of(request.headers(), &*seams.entropy));
        let route = request
            .match_pattern()
            .unwrap_or_else(|| "unmatched".to_owned());
        let method = request.method().as_str();
        let span = tracing::info_span!(
            "request",
            method,
            route,
            request_id = id,
            user.id = Empty,
            outcome = Empty,
            trace_id = trace.as_ref().map(|trace| &*trace.trace_id),
            parent_id = trace.as_ref().and_then(|trace| trace.parent_id.as_deref()),
        );
        request.extensions_mut().insert(Mark {
            id,
            route,
            started: Instant::now(),
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
