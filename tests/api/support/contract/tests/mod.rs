//! The checker, checked: right answers pass, and each wrong one is refused with its own reason.

mod answers;
mod document;
mod problems;
mod record;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::document::Document;
use super::{Seen, answer};

const REQUEST_ID: &str = "019cadd4-fb6e-7e76-9ec7-a583e2ed731c";

/// An answer to spoil.
struct Exchange {
    method: &'static str,
    path: &'static str,
    request: Option<Vec<u8>>,
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Exchange {
    /// An answer as the service gives it, from the document's own example.
    fn right(method: &'static str, path: &'static str, status: u16) -> Self {
        let document = Document::get();
        let response = document
            .operation(method, path)
            .unwrap()
            .response(status)
            .unwrap();
        let content = response["content"].as_object();
        let (media_type, body) = content.and_then(|content| content.iter().next()).unzip();
        let example = body.and_then(|body| body["examples"].as_object()?.values().next());
        let mut exchange = Self {
            method,
            path,
            request: None,
            status,
            headers: HeaderMap::new(),
            body: example
                .map(|example| bytes(&example["value"]))
                .unwrap_or_default(),
        };
        exchange.set("X-Request-Id", REQUEST_ID);
        exchange.set("Cache-Control", "no-store");
        if response["headers"]["Access-Control-Allow-Origin"].is_null() {
            exchange.set("Vary", "Origin");
        } else {
            exchange.set("Access-Control-Allow-Origin", "*");
        }
        if let Some(media_type) = media_type {
            exchange.set("Content-Type", media_type);
        }
        exchange
    }

    /// An error as the service gives it.
    fn problem(method: &'static str, path: &'static str, status: u16, code: &str) -> Self {
        let mut exchange = Self {
            method,
            path,
            request: None,
            status,
            headers: HeaderMap::new(),
            body: bytes(&json!({
                "type": format!("urn:keyward:error:{code}"), "title": "So it is.",
                "status": status, "code": code, "request_id": REQUEST_ID,
            })),
        };
        exchange.set("X-Request-Id", REQUEST_ID);
        exchange.set("Cache-Control", "no-store");
        exchange.set("Vary", "Origin");
        exchange.set("Content-Type", "application/problem+json");
        exchange
    }

    fn set(&mut self, name: &str, value: &str) {
        let name: HeaderName = name.parse().unwrap();
        self.headers
            .insert(name, HeaderValue::from_str(value).unwrap());
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    fn sending(mut self, request: &Value) -> Self {
        self.request = Some(bytes(request));
        self
    }

    /// Changes the member at a JSON Pointer; `None` removes it.
    fn body(mut self, pointer: &str, value: Option<Value>) -> Self {
        let mut body: Value = serde_json::from_slice(&self.body).unwrap();
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        let parent = body
            .pointer_mut(parent)
            .and_then(Value::as_object_mut)
            .unwrap();
        match value {
            Some(value) => parent.insert(member.to_owned(), value),
            None => parent.remove(member),
        };
        self.body = bytes(&body);
        self
    }

    fn seen(&self) -> Seen<'_> {
        Seen {
            method: self.method,
            path: self.path,
            request_body: self.request.as_deref(),
            status: self.status,
            headers: &self.headers,
            body: &self.body,
        }
    }

    fn faults(&self) -> Vec<String> {
        answer::faults(Document::get(), &self.seen())
    }

    #[track_caller]
    fn passes(&self) {
        assert_eq!(self.faults(), [""; 0]);
    }

    /// Fails, and this is among the reasons given.
    #[track_caller]
    fn fails(&self, reason: &str) {
        let faults = self.faults();
        assert!(
            faults.iter().any(|fault| fault.contains(reason)),
            "{reason:?} not in {faults:#?}"
        );
    }
}

/// Text as it is, anything else as JSON.
fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.clone().into_bytes(),
        other => other.to_string().into_bytes(),
    }
}
