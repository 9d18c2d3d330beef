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

#[tokio::test]
async fn each_request_is_a_line_with_its_id_route_user_and_outcome() {
    let home = home();
    let keyward = start(home.path());
    let ann = keyward.sign_up().await;
    let token = format!("Bearer {}", ann["access_token"].as_str().unwrap());
    let (bearer, none) = (("authorization", token.as_str()), ("x-nothing", "x"));
    let user = &ann["user"]["id"];
    let (right, wrong) = (
        json!({ "email": EMAIL, "password": PASSWORD }),
        json!({ "email": EMAIL, "password": "wrong password, alas" }),
    );
    let gone = "/v1/me/sessions/0198c1c2-0000-7000-8000-000000000000?q=in-a-query";
    let pattern = "/v1/me/sessions/{id}";
    let (nobody, nothing) = (&Value::Null, &json!({}));
    let cases = [
        (
            ("GET", "/v1/me?q=in-a-query"),
            bearer,
            nothing,
            "/v1/me",
            200,
            user,
            "success",
        ),
        (
            ("DELETE", gone),
            bearer,
            nothing,
            pattern,
            404,
            user,
            "session_not_found",
        ),
        (
            ("GET", "/v1/me"),
            none,
            nothing,
            "/v1/me",
            401,
            nobody,
            "token_missing",
        ),
        (
            ("POST", "/v1/auth/login"),
            none,
            &right,
            "/v1/auth/login",
            200,
            nobody,
            "success",
        ),
        (
            ("POST", "/v1/auth/login"),
            none,
            &wrong,
            "/v1/auth/login",
            401,
            nobody,
            "invalid_credentials",
        ),
        (
            ("POST", "/v1/auth/login"),
            none,
            nothing,
            "/v1/auth/login",
            422,
            nobody,
            "validation_failed",
        ),
        (
            ("GET", "/in-a-path"),
            none,
            nothing,
            "unmatched",
            404,
            nobody,
            "not_found",
        ),
    ];
    for (number, (asked, header, body, route, status, user, outcome)) in
        cases.into_iter().enumerate()
    {
        let id = format!("request-{number}");
        let line = line_of(&keyward, &id, asked, header, body).await;
        let span = &line["span"];
        let told = (
            &span["method"],
            &span["route"],
            &line["status"],
            &span["user.id"],
            &span["outcome"],
        );
        let expected = (
            &json!(asked.0),
            &json!(route),
            &json!(status),
            user,
            &json!(outcome),
        );
        assert_eq!(told, expected);
        assert!(line["elapsed_us"].is_u64(), "{line}");
        assert_eq!(span["trace_id"].as_str().unwrap().len(), 32, "{line}");
        assert_eq!(span["parent_id"], Value::Null);
    }
    let log = keyward.log();
    assert!(
        !log.contains("in-a-query") && !log.contains("in-a-path"),
        "{log}"
    );
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
