//! What surrounds every request.

mod edge;
mod request_span;

pub use edge::edge;
pub(super) use edge::request_id;
pub use request_span::RequestSpan;
