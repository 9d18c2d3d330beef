//! Spans as a collector gets them. Nothing is sent before the service stops, which then sends all of it.

use std::path::Path;

use reqwest::Client;
use serde_json::{Value, json};

use crate::collector::{Collector, Span};
use crate::database_away::HeldStill;
use crate::keyward::{EMAIL, Keyward, home};
use crate::secrets::{kept_secrets, use_everything};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const TOKEN: &str = "the-token-of-the-collector";

fn start(home: &Path, collector: &Collector, settings: &[(&str, &str)]) -> Keyward {
    Keyward::start_with(home, |command| {
        command
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url)
            .env("OTEL_BSP_SCHEDULE_DELAY", "600000")
            .env("KEYWARD_LOG_FORMAT", "json")
            .envs(settings.iter().copied());
    })
}

/// Asks who one is, with these headers, and gives the answer's status.
async fn ask(keyward: &Keyward, path: &str, headers: &[(&str, &str)]) -> u16 {
    let http = Client::builder().no_proxy().build().unwrap();
    let mut request = http.get(format!("{}{path}", keyward.url));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap().status().as_u16()
}

/// The trace of each request that the log tells of, by its route.
fn logged_traces(log: &str, route: &str) -> Vec<Value> {
    let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
    let answered = |line: &Value| line["message"] == "answered" && line["span"]["route"] == route;
    let lines = lines.filter(answered);
    lines.map(|line| line["span"]["trace_id"].clone()).collect()
}

/// The one part of this name.
fn part<'p>(parts: &'p [Span], name: &str) -> &'p Span {
    let mut named = parts.iter().filter(|part| part.name == name);
    let part = named
        .next()
        .unwrap_or_else(|| panic!("no {name} in {parts:#?}"));
    assert!(named.next().is_none(), "{name} twice in {parts:#?}");
    part
}

/// A request of Ann's with these headers beside her token, and her id. Then the service is stopped.
async fn ask_as_ann(keyward: Keyward, headers: &[(&str, &str)]) -> Value {
    let ann = keyward.sign_up().await;
    let token = format!("Bearer {}", ann["access_token"].as_str().unwrap());
    let headers = [&[("authorization", token.as_str())], headers].concat();
    assert_eq!(ask(&keyward, "/v1/me?q=in-a-query", &headers).await, 200);
    assert!(keyward.stop().success());
    ann["user"]["id"].clone()
}

#[tokio::test]
async fn a_request_is_a_span_below_its_callers_whose_word_goes_first() {
    let (home, collector) = (home(), Collector::start(200));
    let settings = [("OTEL_TRACES_SAMPLER", "parentbased_always_off")];
    let keyward = start(home.path(), &collector, &settings);
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    let headers = [
        ("traceparent", traceparent.as_str()),
        ("tracestate", "one=1,other=2"),
    ];
    let id = ask_as_ann(keyward, &headers).await;

    assert_eq!(collector.requests("POST /v1/auth/signup").len(), 0);
    let mut requests = collector.requests("GET /v1/me");
    let (request, parts) = requests.remove(0);
    assert!(requests.is_empty());
    let above = (&*request.trace_id, &*request.parent_id, &*request.state);
    assert_eq!(above, (TRACE, PARENT, "one=1,other=2"));
    assert_eq!((request.kind, request.status), (2, 0));
    let expected = json!({
        "http.request.method": "GET",
        "http.route": "/v1/me",
        "http.response.status_code": 200,
        "keyward.outcome": "success",
        "user.id": id,
    });
    assert_eq!(json!(request.attributes), expected);
    assert!(!parts.is_empty() && parts.iter().all(|part| part.trace_id == TRACE));
}

#[tokio::test]
async fn statements_are_below_their_request_by_name_alone() {
    let (home, collector) = (home(), Collector::start(200));
    let said = "deployment.environment.name=here%20and%20now";
    let settings = [
        ("OTEL_SERVICE_NAME", "auth"),
        ("OTEL_RESOURCE_ATTRIBUTES", said),
    ];
    ask_as_ann(start(home.path(), &collector, &settings), &[]).await;

    let (_, parts) = collector.requests("GET /v1/me").remove(0);
    assert_eq!(part(&parts, "connection").kind, 1);
    let statement = part(&parts, "sessions.by_id");
    assert_eq!((statement.kind, statement.status), (3, 0));
    let expected = json!({ "db.system.name": "postgresql" });
    assert_eq!(json!(statement.attributes), expected);
    let resource = &statement.resource;
    assert_eq!(resource["service.name"], "auth");
    assert_eq!(resource["service.version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(resource["deployment.environment.name"], "here and now");
}

#[tokio::test]
async fn a_trace_that_begins_here_is_the_one_that_is_logged() {
    let (home, collector) = (home(), Collector::start(200));
    let keyward = start(home.path(), &collector, &[]);
    keyward.sign_up().await;
    let wrong = json!({ "email": EMAIL, "password": "a wrong password" });
    assert_eq!(keyward.post("/v1/auth/login", &wrong).await.0, 401);
    let made_up = Client::builder().no_proxy().build().unwrap();
    let made_up = made_up.request("MADEUP".parse().unwrap(), format!("{}/a-path", keyward.url));
    assert_eq!(made_up.send().await.unwrap().status().as_u16(), 404);
    let file = home.path().join("keyward.log");
    assert!(keyward.stop().success());

    let (request, parts) = collector.requests("POST /v1/auth/login").remove(0);
    let log = std::fs::read_to_string(file).unwrap();
    let traces = logged_traces(&log, "/v1/auth/login");
    assert_eq!(traces, [json!(request.trace_id)]);
    assert_eq!(request.parent_id, "");
    assert_eq!(request.resource["service.name"], "keyward");
    // What the caller did wrong is no fault of the service.
    assert_eq!(request.status, 0);
    assert_eq!(request.attributes["keyward.outcome"], "invalid_credentials");
    for name in ["password.turn", "password.hash"] {
        assert_eq!(part(&parts, name).kind, 1);
    }
    let (unknown, _) = collector.requests("HTTP").remove(0);
    assert_eq!(unknown.attributes["http.request.method"], "_OTHER");
    assert!(!unknown.attributes.contains_key("http.route"));
    assert!(!collector.everything().contains("a-path"));
}

#[tokio::test]
async fn what_its_caller_does_not_record_is_not_sent() {
    let (home, collector) = (home(), Collector::start(200));
    let keyward = start(home.path(), &collector, &[]);
    let not_sampled = format!("00-{TRACE}-{PARENT}-00");
    let headers = [("traceparent", not_sampled.as_str())];
    assert_eq!(ask(&keyward, "/health/ready", &headers).await, 200);
    assert_eq!(ask(&keyward, "/health/live", &[]).await, 200);
    let file = home.path().join("keyward.log");
    assert!(keyward.stop().success());

    let names: Vec<_> = collector
        .spans()
        .into_iter()
        .map(|span| span.name)
        .collect();
    assert_eq!(names, ["GET /health/live"]);
    let log = std::fs::read_to_string(file).unwrap();
    assert_eq!(logged_traces(&log, "/health/ready"), [json!(TRACE)]);
}

#[tokio::test]
async fn nothing_is_sent_where_it_is_switched_off() {
    let (home, collector) = (home(), Collector::start(200));
    let keyward = start(home.path(), &collector, &[("OTEL_SDK_DISABLED", "true")]);
    assert_eq!(ask(&keyward, "/health/ready", &[]).await, 200);
    assert!(keyward.stop().success());
    assert_eq!(collector.asked(), 0);
}

#[tokio::test]
async fn a_request_that_failed_is_an_error_and_so_is_what_failed_in_it() {
    let (home, collector) = (home(), Collector::start(200));
    let keyward = start(home.path(), &collector, &[]);
    keyward.sign_up().await;
    let held = HeldStill::of(&keyward);
    assert_eq!(keyward.log_in().await.0, 503);
    drop(held);
    assert!(keyward.stop().success());

    let (request, parts) = collector.requests("POST /v1/auth/login").remove(0);
    assert_eq!(request.status, 2);
    assert_eq!(request.attributes["error.type"], "503");
    assert_eq!(request.attributes["http.response.status_code"], 503);
    assert!(parts.iter().any(|part| part.status == 2), "{parts:#?}");
}

#[tokio::test]
async fn nothing_secret_is_sent_and_the_collectors_own_is_not_logged() {
    let (home, collector) = (home(), Collector::start(200));
    let headers = format!("authorization=Bearer%20{TOKEN}");
    let settings = [
        ("OTEL_EXPORTER_OTLP_HEADERS", headers.as_str()),
        ("RUST_LOG", "trace"),
    ];
    let keyward = start(home.path(), &collector, &settings);
    let secrets = use_everything(&keyward).await;
    let kept = kept_secrets(home.path());
    let file = home.path().join("keyward.log");
    assert!(keyward.stop().success());

    let sent = collector.everything();
    assert!(sent.contains(&format!("authorization: Bearer {TOKEN}\r\n")));
    assert!(collector.requests("POST /v1/auth/login/2fa").len() == 1);
    for secret in secrets.iter().chain(&kept).map(String::as_str) {
        assert!(!sent.contains(secret), "{secret} was sent");
    }
    let log = std::fs::read_to_string(file).unwrap();
    assert!(!log.contains(TOKEN));
}
