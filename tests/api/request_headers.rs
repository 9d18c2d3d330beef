//! What the headers of a request say of its body and of its sender.

use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, PASSWORD, TestApp};

const JSON: &str = "application/json";

/// A login with these headers, and no content type but theirs.
async fn log_in_with(app: &TestApp, headers: &[(&str, &str)]) -> Answer {
    let body = json!({ "email": "ann@example.com", "password": PASSWORD }).to_string();
    let mut request = app.request(Method::POST, "/v1/auth/login").body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.send(request).await
}

// LGN-15, INP-09
#[actix_web::test]
async fn only_json_is_taken_for_json() {
    let app = TestApp::start().await;
    app.sign_up("ann@example.com").await;
    for media_type in [
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "application/x-json",
        "application/vnd.api+json",
        "application/problem+json",
        "application/jsonp",
        "*/*",
        "application/json; charset=utf-16",
        "application/json; charset=utf-7",
        "application/json;",
        "application/json; charset=utf-8; charset=utf-16",
        "application/json, text/plain",
        "json",
    ] {
        let answer = log_in_with(&app, &[("content-type", media_type)]).await;
        answer.refused(415, "unsupported_media_type");
    }
    let json = ("content-type", JSON);
    for headers in [
        vec![],
        vec![json, json],
        vec![json, ("content-type", "text/plain")],
        vec![json, ("content-encoding", "gzip")],
        vec![json, ("content-encoding", "br")],
    ] {
        log_in_with(&app, &headers)
            .await
            .refused(415, "unsupported_media_type");
    }
    assert_eq!(app.count("select count(*) from sessions").await, 1);
    for media_type in [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=\"UTF-8\"",
    ] {
        log_in_with(&app, &[("content-type", media_type)])
            .await
            .is(200);
    }
}

// LGN-19: without a trusted proxy nobody chooses their own address.
#[actix_web::test]
async fn what_a_client_says_of_itself_is_kept_clean_and_its_address_not_believed() {
    let app = TestApp::start().await;
    app.sign_up("ann@example.com").await;
    let forged = [
        "x-forwarded-for",
        "forwarded",
        "x-real-ip",
        "cf-connecting-ip",
        "true-client-ip",
        "x-client-ip",
    ];
    for name in forged {
        let answer = log_in_with(&app, &[("content-type", JSON), (name, "203.0.113.9")]).await;
        assert_eq!(answer.is(200)["session"]["ip_address"], "127.0.0.1");
    }
    let long = "ü".repeat(3_000);
    let answer = log_in_with(&app, &[("content-type", JSON), ("user-agent", &long)]).await;
    assert_eq!(answer.is(200)["session"]["user_agent"], "ü".repeat(512));
}
