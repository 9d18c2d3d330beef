//! What surrounds every request.

mod cors;
mod edge;
mod outcome;
mod request_span;
mod trace_context;

pub(super) use cors::preflight;
pub use edge::edge;
pub(super) use edge::request_id;
pub use request_span::RequestSpan;
