//! Holds every answer of the service to `openapi.yaml`. It reads the document and nothing of the
//! service's own code, so that the two cannot agree by sharing a mistake.

mod answer;
mod browser;
mod document;
mod problem;
mod record;
mod schema;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use reqwest::header::HeaderMap;
use serde_json::Value;

use document::Document;

/// One request and what came back.
pub(crate) struct Seen<'a> {
    /// As it was sent, in upper case.
    pub(crate) method: &'a str,
    /// Without the query.
    pub(crate) path: &'a str,
    /// What was sent, if anything was.
    pub(crate) request_body: Option<&'a [u8]>,
    pub(crate) status: u16,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// What the document says of one operation, for tests that go through all of them.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) method: String,
    /// May be a template, such as `/v1/things/{id}`.
    pub(crate) path: String,
    /// Whether it asks for a bearer token; one that only takes it is not secured.
    pub(crate) secured: bool,
    pub(crate) statuses: BTreeSet<u16>,
    /// Whether an answer, as an example shows it, holds an access token.
    pub(crate) gives_tokens: bool,
    /// Members of the request's body that hold a token.
    pub(crate) token_members: Vec<String>,
    /// The examples of a request's body; none where the operation takes no body.
    pub(crate) request_examples: Vec<Value>,
    /// Whether it takes parameters in its query.
    pub(crate) takes_query: bool,
}

/// Panics with a readable text when the answer is not what `openapi.yaml` says.
#[track_caller]
pub(crate) fn check(seen: &Seen<'_>) {
    let document = Document::get();
    let faults = answer::faults(document, seen);
    assert!(faults.is_empty(), "{}", report(seen, &faults));
    record::note(document, seen);
}

/// Every operation of the document.
pub(crate) fn operations() -> Vec<Operation> {
    Document::get()
        .operations()
        .map(|operation| operation.describe())
        .collect()
}

/// The codes a problem may have.
pub(crate) fn error_codes() -> BTreeSet<String> {
    Document::get().enumeration("ErrorCode")
}

/// The statuses and codes of the errors that operations, and paths that are none, are documented to answer.
pub(crate) fn documented_errors() -> BTreeSet<(u16, String)> {
    Document::get().errors().collect()
}

/// What keeps a value from being a problem document.
pub(crate) fn problem_faults(value: &Value) -> Vec<String> {
    let document = Document::get();
    schema::faults(
        document,
        &document.components()["schemas"]["Problem"],
        value,
    )
}

/// The codes that may stand in `errors` of a problem.
pub(crate) fn field_error_codes() -> BTreeSet<String> {
    Document::get().enumeration("FieldErrorCode")
}

/// The words of security events.
pub(crate) fn security_event_kinds() -> BTreeSet<String> {
    Document::get().enumeration("SecurityEventKind")
}

fn report(seen: &Seen<'_>, faults: &[String]) -> String {
    use std::fmt::Write;
    let Seen {
        method,
        path,
        status,
        headers,
        body,
        ..
    } = seen;
    let mut text = format!("{method} {path} answered {status}, and openapi.yaml says otherwise:\n");
    for fault in faults {
        let _ = writeln!(text, "  * {fault}");
    }
    for (name, value) in *headers {
        let _ = writeln!(
            text,
            "{name}: {}",
            String::from_utf8_lossy(value.as_bytes())
        );
    }
    text + "\n" + &String::from_utf8_lossy(&body[..body.len().min(4096)])
}
