//! The log for machines: one line a request, which says what it was, who asked, and what became of it.

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::keyward::{EMAIL, Keyward, PASSWORD, home};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// Sends a request with an id, and gives the one line that was written of its answer.
async fn line_of(
    keyward: &Keyward,
    id: &str,
    (method, path): (&str, &str),
    (name, value): (&str, &str),
    body: &Value,
) -> Value {
    let http = Client::builder().no_proxy().build().unwrap();
    let url = format!("{}{path}", keyward.url);
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let request = http.request(method, url).header("x-request-id", id);
    let request = request.header(name, value).json(body);
    request.send().await.unwrap().bytes().await.unwrap();
    let lines = || {
        let log = keyward.log();
        let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
        let of_it =
            |line: &Value| line["span"]["request_id"] == id && line["message"] == "answered";
        lines.filter(of_it).collect::<Vec<Value>>()
    };
    // It is written after the answer has gone.
    while lines().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(lines().len(), 1);
    lines().remove(0)
}

fn start(home: &std::path::Path) -> Keyward {
    Keyward::start_with(home, |command| {
        command.env("KEYWARD_LOG_FORMAT", "json");
    })
}

/// Method and path, whether with a token and with which password, and what is told of it.
type Case = (
    (&'static str, &'static str),
    (bool, Option<&'static str>),
    (&'static str, u16, &'static str),
);

const WRONG: &str = "wrong password, alas";
const GONE: &str = "/v1/me/sessions/0198c1c2-0000-7000-8000-000000000000?q=in-a-query";
const ONE: &str = "/v1/me/sessions/{id}";
const LOGIN: &str = "/v1/auth/login";

#[rustfmt::skip]
const CASES: &[Case] = &[
    (("GET", "/v1/me?q=in-a-query"), (true, None), ("/v1/me", 200, "success")),
    (("DELETE", GONE), (true, None), (ONE, 404, "session_not_found")),
    (("GET", "/v1/me"), (false, None), ("/v1/me", 401, "token_missing")),
    (("POST", LOGIN), (false, Some(PASSWORD)), (LOGIN, 200, "success")),
    (("POST", LOGIN), (false, Some(WRONG)), (LOGIN, 401, "invalid_credentials")),
    (("POST", LOGIN), (false, None), (LOGIN, 422, "validation_failed")),
    (("GET", "/in-a-path"), (false, None), ("unmatched", 404, "not_found")),
];

#[tokio::test]
async fn each_request_is_a_line_with_its_id_route_user_and_outcome() {
    let home = home();
    let keyward = start(home.path());
    let ann = keyward.sign_up().await;
    let token = format!("Bearer {}", ann["access_token"].as_str().unwrap());
    for (number, (asked, (signed_in, password), told)) in CASES.iter().enumerate() {
        let (header, user) = if *signed_in {
            (("authorization", token.as_str()), &ann["user"]["id"])
        } else {
            (("x-nothing", "x"), &Value::Null)
        };
        let body = password.map_or_else(
            || json!({}),
            |password| json!({ "email": EMAIL, "password": password }),
        );
        let id = format!("request-{number}");
        let line = line_of(&keyward, &id, *asked, header, &body).await;
        let span = &line["span"];
        let said = json!([
            span["method"],
            span["route"],
            line["status"],
            span["outcome"]
        ]);
        let (route, status, outcome) = told;
        assert_eq!(said, json!([asked.0, route, status, outcome]));
        assert_eq!(&span["user.id"], user);
        assert!(line["elapsed_us"].is_u64(), "{line}");
        assert_eq!(span["trace_id"].as_str().unwrap().len(), 32, "{line}");
        assert_eq!(span["parent_id"], Value::Null);
    }
    let log = keyward.log();
    assert!(!log.contains("in-a-query") && !log.contains("in-a-path"));
}

#[tokio::test]
async fn a_request_is_part_of_the_trace_that_its_caller_names() {
    let home = home();
    let keyward = start(home.path());
    let asked = ("GET", "/health/live");
    let sent = format!("00-{TRACE}-{PARENT}-01");
    let line = line_of(
        &keyward,
        "request-1",
        asked,
        ("traceparent", &sent),
        &json!({}),
    )
    .await;
    assert_eq!(
        (&line["span"]["trace_id"], &line["span"]["parent_id"]),
        (&json!(TRACE), &json!(PARENT))
    );
    let sent = format!("00-{TRACE}-{PARENT}-01-not-of-this-version");
    let line = line_of(
        &keyward,
        "request-2",
        asked,
        ("traceparent", &sent),
        &json!({}),
    )
    .await;
    assert_ne!(line["span"]["trace_id"], TRACE);
    assert_eq!(line["span"]["parent_id"], Value::Null);
}

#[cfg(not(feature = "opentelemetry"))]
#[tokio::test]
async fn a_build_that_sends_no_spans_says_so_where_some_are_expected() {
    const WARNING: &str = "this build sends no spans";
    let home = home();
    let keyward = start(home.path());
    assert!(!keyward.log().contains(WARNING));
    assert!(keyward.stop().success());
    let keyward = Keyward::start_with(home.path(), |command| {
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
    });
    assert!(keyward.log().contains(WARNING));
}
