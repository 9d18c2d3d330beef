//! The contract as a whole: what is served is documented and the other way round, and the rules that hold for every
//! operation are tried on every operation. That each answer fits its schema is seen to wherever a test asks.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use keyward::domain::{Code, EventKind, FieldCode};
use keyward::http::ROUTES;
use reqwest::RequestBuilder;
use serde_json::json;

use crate::support::contract::{self, Operation};
use crate::support::{Answer, TestApp};

const OPENAPI: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.yaml"));

/// What everybody may call. A new line here is a decision.
const OPEN: [&str; 12] = [
    "GET /.well-known/jwks.json",
    "GET /docs",
    "GET /docs/assets/{name}",
    "GET /docs/errors",
    "GET /health/live",
    "GET /health/ready",
    "GET /openapi.yaml",
    "POST /v1/auth/login",
    "POST /v1/auth/login/2fa",
    "POST /v1/auth/logout",
    "POST /v1/auth/refresh",
    "POST /v1/auth/signup",
];

/// Well-formed, and nobody's.
const NOBODY: &str = "0198c1c2-0000-7000-8000-000000000000";

/// Errors of a body's shape. The others are of its values.
const SHAPE: [&str; 5] = [
    "required",
    "unknown_member",
    "wrong_type",
    "mutually_exclusive",
    "invalid_choice",
];

#[test]
fn what_is_served_is_what_is_documented() {
    let documented: BTreeSet<String> = contract::operations().iter().map(name).collect();
    let routes = ROUTES
        .iter()
        .flat_map(|(path, methods)| methods.iter().map(move |method| format!("{method} {path}")));
    let served: BTreeSet<String> = routes.collect();
    assert_eq!(served, documented, "left: served; right: in openapi.yaml");
}

#[test]
fn the_codes_are_those_of_the_registry() {
    let codes = Code::ALL.iter().map(|code| code.as_str().to_owned());
    assert_eq!(codes.collect::<BTreeSet<_>>(), contract::error_codes());
    let field_codes = FieldCode::ALL.iter().map(|code| code.as_str().to_owned());
    assert_eq!(
        field_codes.collect::<BTreeSet<_>>(),
        contract::field_error_codes()
    );
}

#[test]
fn the_security_events_are_those_of_the_registry() {
    let words = EventKind::ALL.iter().map(|kind| kind.as_str().to_owned());
    assert_eq!(
        words.collect::<BTreeSet<_>>(),
        contract::security_event_kinds()
    );
}

#[test]
fn what_needs_no_token_is_listed() {
    let operations = contract::operations();
    let open = operations
        .iter()
        .filter(|operation| !operation.secured)
        .map(name);
    assert_eq!(
        open.collect::<BTreeSet<_>>(),
        OPEN.map(str::to_owned).into()
    );
}

#[actix_web::test]
async fn the_document_is_served_as_it_is() {
    let app = TestApp::start().await;
    let answer = app.get("/openapi.yaml").await;
    assert_eq!(answer.status, 200);
    assert!(answer.body == OPENAPI.as_bytes(), "not byte for byte");
}

#[actix_web::test]
async fn nothing_secured_opens_without_a_token() {
    let app = TestApp::start().await;
    stays_shut(&app, None, "token_missing", "Bearer").await;
}

#[actix_web::test]
async fn nothing_secured_opens_to_the_token_of_another_installation() {
    let (app, other) = (TestApp::start().await, TestApp::start().await);
    let stranger = other.sign_up("ann@example.com").await;
    stranger.me().await.is(200);
    no_good(&app, &stranger.access_token, "token_invalid").await;
}

#[actix_web::test]
async fn nothing_secured_opens_to_garbage() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let cut = &ann.access_token[..ann.access_token.len() - 1];
    for garbage in ["", "garbage", "a.b.c", cut, &ann.refresh_token] {
        no_good(&app, garbage, "token_invalid").await;
    }
}

#[actix_web::test]
async fn nothing_secured_opens_to_an_expired_token() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    app.advance(app.config.tokens.access_ttl - TimeDelta::seconds(1));
    ann.me().await.is(200);
    app.advance(TimeDelta::seconds(1));
    no_good(&app, &ann.access_token, "token_expired").await;
}

#[actix_web::test]
async fn nothing_secured_opens_to_the_token_of_an_ended_session() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    ann.log_out().await.is(204);
    no_good(&app, &ann.access_token, "session_ended").await;
}

#[actix_web::test]
async fn every_example_of_a_request_has_the_right_shape() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    for operation in contract::operations() {
        for example in &operation.request_examples {
            let token = operation.secured.then_some(ann.access_token.as_str());
            let answer = app
                .send(request(&app, &operation, token).json(example))
                .await;
            let unread = match answer.status {
                400 | 413 | 415 => true,
                401 => operation.secured,
                _ => false,
            };
            assert!(!unread, "{}: {}", name(&operation), answer.text());
            assert_eq!(
                wrong_in_shape(&answer),
                [""; 0],
                "{}: {example}",
                name(&operation)
            );
        }
    }
}

#[actix_web::test]
async fn every_body_is_closed_and_has_to_be_json() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let cases = [
        (
            "application/json",
            r#"{"a": }"#.to_owned(),
            400,
            "malformed_json",
        ),
        (
            "application/json",
            " ".repeat(16 * 1024 + 1),
            413,
            "payload_too_large",
        ),
        ("text/plain", "{}".to_owned(), 415, "unsupported_media_type"),
        (
            "application/json",
            r#"{"no_such_member": 1}"#.to_owned(),
            422,
            "validation_failed",
        ),
    ];
    let operations = contract::operations();
    for operation in operations
        .iter()
        .filter(|operation| !operation.request_examples.is_empty())
    {
        let token = operation.secured.then_some(ann.access_token.as_str());
        for (media_type, body, status, code) in &cases {
            let request = request(&app, operation, token).header("content-type", *media_type);
            let answer = app.send(request.body(body.clone())).await;
            let given = (answer.status, answer.json()["code"].clone());
            assert_eq!(given, (*status, json!(code)), "{}", name(operation));
        }
    }
}

/// Such as `GET /v1/me`.
fn name(operation: &Operation) -> String {
    format!("{} {}", operation.method, operation.path)
}

/// A token that is shown and is not good.
async fn no_good(app: &TestApp, token: &str, code: &str) {
    stays_shut(app, Some(token), code, r#"Bearer error="invalid_token""#).await;
}

/// No secured operation opens to this token, and each says why.
async fn stays_shut(app: &TestApp, token: Option<&str>, code: &str, challenge: &str) {
    let operations = contract::operations();
    let secured: Vec<_> = operations
        .iter()
        .filter(|operation| operation.secured)
        .collect();
    assert!(!secured.is_empty());
    for operation in secured {
        let request = request(app, operation, token);
        let answer = match operation.request_examples.first() {
            Some(example) => app.send(request.json(example)).await,
            None => app.send(request).await,
        };
        let given = (
            answer.status,
            answer.json()["code"].clone(),
            answer.header("www-authenticate"),
        );
        assert_eq!(
            given,
            (401, json!(code), Some(challenge)),
            "{}",
            name(operation)
        );
    }
}

/// Of an operation. Where its path has a parameter, it names what does not exist.
fn request(app: &TestApp, operation: &Operation, token: Option<&str>) -> RequestBuilder {
    let parts = operation
        .path
        .split('/')
        .map(|part| if part.starts_with('{') { NOBODY } else { part });
    let path = parts.collect::<Vec<_>>().join("/");
    let request = app.request(operation.method.parse().unwrap(), &path);
    match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    }
}

/// What the answer says is wrong with the shape of the request.
fn wrong_in_shape(answer: &Answer) -> Vec<String> {
    if answer.status != 422 {
        return Vec::new();
    }
    let errors = answer.json()["errors"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let codes = errors.iter().filter_map(|error| error["code"].as_str());
    codes
        .filter(|code| SHAPE.contains(code))
        .map(str::to_owned)
        .collect()
}
