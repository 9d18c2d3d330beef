//! What takes time, for a collector of OpenTelemetry's: a span for each request, and below it one for each statement,
//! each hash, and each wait for them. Nothing that a caller has sent is in them but what is named here. Without the
//! feature `opentelemetry` there are none, and nothing is done for them.

#[cfg(feature = "opentelemetry")]
mod client;
#[cfg(feature = "opentelemetry")]
mod exporter;
#[cfg(feature = "opentelemetry")]
mod recorded;
#[cfg(not(feature = "opentelemetry"))]
mod unrecorded;

#[cfg(feature = "opentelemetry")]
pub use exporter::{Exporter, start};
#[cfg(feature = "opentelemetry")]
pub use recorded::{RequestSpan, caller_is, part, statement};
#[cfg(not(feature = "opentelemetry"))]
pub use unrecorded::{Exporter, RequestSpan, caller_is, part, start, statement};

/// Whose span a request's is below, as `traceparent` and `tracestate` say (W3C Trace Context).
#[derive(Debug, PartialEq, Eq)]
pub struct Parent {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// 16 hexadecimal digits.
    pub span_id: String,
    /// Whether the caller records its own.
    pub sampled: bool,
    /// What tracing systems hand on to each other. Not checked.
    pub state: String,
}

/// What is known of a request before it is served.
pub struct Begun<'a> {
    /// Its method, which may be made up.
    pub method: &'a str,
    /// The pattern of its route, if there is one.
    pub route: Option<&'a str>,
    /// Who sent it.
    pub parent: Option<&'a Parent>,
}
