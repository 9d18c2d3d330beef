//! What became of a request: into the log line and the span that tell of it, and counted.

use std::time::Instant;

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::{Method, StatusCode};
use actix_web::web::Data;

use super::request_span::Mark;
use crate::domain::Code;
use crate::metrics::{Answered, Metrics};
use crate::spans::RequestSpan;

/// What is known of a request before it is served.
pub(super) struct Begun {
    metrics: Option<Data<Metrics>>,
    method: Method,
    route: String,
    started: Instant,
    pub(super) span: RequestSpan,
}

impl Begun {
    pub(super) fn of(request: &ServiceRequest) -> Self {
        let extensions = request.extensions();
        let mark = extensions.get::<Mark>();
        Self {
            metrics: request.app_data::<Data<Metrics>>().cloned(),
            method: request.method().clone(),
            route: mark.map(|mark| mark.route.clone()).unwrap_or_default(),
            started: mark.map_or_else(Instant::now, |mark| mark.started),
            span: mark.map(|mark| mark.span.clone()).unwrap_or_default(),
        }
    }

    /// It was answered: with a code where it was refused.
    pub(super) fn answered(&self, status: StatusCode, code: Option<Code>) {
        let outcome = code.map_or("success", Code::as_str);
        tracing::Span::current().record("outcome", outcome);
        self.span.answered(status.as_u16(), outcome);
        if let Some(metrics) = &self.metrics {
            metrics.answered(&Answered {
                method: self.method.as_str(),
                route: &self.route,
                status: status.as_u16(),
                took: self.started.elapsed(),
            });
        }
    }
}
