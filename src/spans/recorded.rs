//! The build that records. The names of attributes are those of OpenTelemetry's semantic conventions.

use std::borrow::Cow;
use std::future::Future;
use std::sync::OnceLock;

use opentelemetry::trace::{
    FutureExt, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags,
    TraceId, TraceState,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;

use super::{Begun, Parent};

/// There once something is to be sent.
pub(super) static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// There are as many others as somebody cares to make up.
const METHODS: &[&str] = &[
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT",
];

/// The span of one request. It ends with its answer, or when nothing is done for the request any more.
#[derive(Clone, Default)]
pub struct RequestSpan(Option<Context>);

impl RequestSpan {
    /// Begins it, below the caller's where the caller named one.
    pub fn begin(begun: &Begun<'_>) -> Self {
        Self(TRACER.get().map(|tracer| {
            let above = begun.parent.and_then(Parent::context);
            let above = above.map_or_else(Context::new, |parent| {
                Context::new().with_remote_span_context(parent)
            });
            above.with_span(described(begun).start_with_context(tracer, &above))
        }))
    }

    /// The trace that it is part of, also where nothing of it is sent.
    pub fn trace_id(&self) -> Option<String> {
        let context = self.0.as_ref()?;
        Some(context.span().span_context().trace_id().to_string())
    }

    /// The work that is done for the request: what takes time in it comes below.
    pub fn around<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        work.with_context(self.0.clone().unwrap_or_default())
    }

    /// Ends it. The outcome is `success`, or the code that the caller was told.
    pub fn answered(&self, status: u16, outcome: &'static str) {
        let Some(context) = &self.0 else { return };
        let span = context.span();
        span.set_attribute(KeyValue::new(
            "http.response.status_code",
            i64::from(status),
        ));
        span.set_attribute(KeyValue::new("keyward.outcome", outcome));
        if status >= 500 {
            span.set_attribute(KeyValue::new("error.type", status.to_string()));
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

fn described(begun: &Begun<'_>) -> SpanBuilder {
    let known = METHODS.iter().find(|method| **method == begun.method);
    let name = known.copied().unwrap_or("HTTP");
    let name = begun.route.map_or(Cow::Borrowed(name), |route| {
        Cow::Owned(format!("{name} {route}"))
    });
    let method = KeyValue::new("http.request.method", known.copied().unwrap_or("_OTHER"));
    let route = begun.route.map(str::to_owned);
    let route = route.map(|route| KeyValue::new("http.route", route));
    let attributes = [method].into_iter().chain(route).collect::<Vec<_>>();
    SpanBuilder::from_name(name)
        .with_kind(SpanKind::Server)
        .with_attributes(attributes)
}

impl Parent {
    fn context(&self) -> Option<SpanContext> {
        Some(SpanContext::new(
            TraceId::from_hex(&self.trace_id).ok()?,
            SpanId::from_hex(&self.span_id).ok()?,
            TraceFlags::default().with_sampled(self.sampled),
            true,
            // One that cannot be read is not passed on, and spoils nothing else.
            self.state.parse::<TraceState>().unwrap_or_default(),
        ))
    }
}

/// Whose request it is, once that is known.
pub fn caller_is(user: &str) {
    Context::map_current(|context| {
        let id = || KeyValue::new("user.id", user.to_owned());
        if context.span().is_recording() {
            context.span().set_attribute(id());
        }
    });
}

/// A part of a request that takes time.
pub async fn part<T, E>(
    name: &'static str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    below(|| SpanBuilder::from_name(name), work).await
}

/// The same of a statement, by the name of the method that has it.
pub async fn statement<T, E>(
    name: &'static str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let described = || {
        SpanBuilder::from_name(name)
            .with_kind(SpanKind::Client)
            .with_attributes([KeyValue::new("db.system.name", "postgresql")])
    };
    below(described, work).await
}

/// Below the span of a request that is recorded; by itself it would say nothing.
async fn below<T, E>(
    described: impl FnOnce() -> SpanBuilder,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let context = TRACER.get().and_then(|tracer| {
        Context::map_current(|above| {
            let recorded = above.has_active_span() && above.span().is_recording();
            let begin = || above.with_span(described().start_with_context(tracer, above));
            recorded.then(begin)
        })
    });
    let Some(context) = context else {
        return work.await;
    };
    let outcome = work.with_context(context.clone()).await;
    if outcome.is_err() {
        // Without a word: what failed is in the log.
        context.span().set_status(Status::error(""));
    }
    outcome
}
