//! The record of what was seen.

use super::super::document::Document;
use super::super::record::{documented, line};
use super::Exchange;

fn noted(exchange: &Exchange) -> Option<String> {
    line(Document::get(), &exchange.seen())
}

#[test]
fn what_was_checked_is_noted() {
    let ready = Exchange::right("GET", "/health/ready", 200);
    assert_eq!(
        noted(&ready).as_deref(),
        Some("seen GET /health/ready 200\n")
    );
    let problem = Exchange::problem("POST", "/v1/auth/login", 403, "account_disabled");
    assert_eq!(
        noted(&problem).as_deref(),
        Some("seen POST /v1/auth/login 403\n")
    );
}

#[test]
fn what_shows_nothing_of_an_operation_is_not_noted() {
    let mut head = Exchange::right("GET", "/health/ready", 200);
    head.method = "HEAD";
    assert_eq!(noted(&head), None);
    assert_eq!(
        noted(&Exchange::problem("GET", "/v1/nothing", 404, "not_found")),
        None
    );
    assert_eq!(
        noted(&Exchange::problem(
            "PUT",
            "/v1/me",
            405,
            "method_not_allowed"
        )),
        None
    );
}

#[test]
fn what_can_be_noted_is_what_is_documented() {
    let all = documented(Document::get());
    for entry in [
        "GET /health/ready 200",
        "GET /health/ready 503",
        "POST /v1/auth/login 200",
    ] {
        assert!(all.contains(&format!("documented {entry}\n")), "{entry}");
    }
    assert!(!all.contains("documented GET /v1/me 409\n"));
}
