//! Cross-site request forgery: whose pages cookies work for. Each refusal is looked at for what it left undone.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{Answer, Browser, PAGE, PASSWORD, REFRESH, TestApp, allow_pages, contract};

const ANN: &str = "ann@example.com";

/// None of them is the page's, or the service's own, to the byte.
const FOREIGN: [&str; 19] = [
    "https://evil.example",
    "null",
    "",
    "*",
    "https://app.example.com.evil.example",
    "https://evilapp.example.com",
    "http://app.example.com",
    "https://app.example.com:8443",
    "https://app.example.com:443",
    "https://app.example.com.",
    "https://APP.example.com",
    "https://app.example.com@evil.example",
    "https://app.example.com/",
    "https://app-example.com",
    "https://app_example.com",
    "https://app.example.com`",
    "https://blog.example.com",
    "https://example.com",
    "http://localhost",
];

/// Everything a cookie has a part in.
fn calls(browser: &Browser<'_>) -> Vec<RequestBuilder> {
    let post = |path, body: Value| browser.bare(Method::POST, path).json(&body);
    let login = json!({ "email": ANN, "password": PASSWORD, "token_transport": "cookie" });
    let bob =
        json!({ "email": "bob@example.com", "password": PASSWORD, "token_transport": "cookie" });
    vec![
        post("/v1/auth/refresh", json!({})),
        post("/v1/auth/logout", json!({})),
        browser.bare(Method::POST, "/v1/auth/logout"),
        post("/v1/auth/login", login),
        post("/v1/auth/signup", bob),
    ]
}

/// Refused, and the page is told nothing more.
#[track_caller]
fn refused(answer: &Answer) {
    answer.refused(403, "origin_not_allowed");
    assert_eq!(answer.header("set-cookie"), None);
}

/// All that could have changed.
async fn state(app: &TestApp) -> Value {
    app.json(
        "select json_build_array((select json_agg(s order by id) from sessions s), (select json_agg(u order by id) from users u),
             (select count(*) from security_events), (select json_agg(t) from throttles t))::text",
    )
    .await
}

async fn guarded() -> TestApp {
    TestApp::with(|config| {
        allow_pages(config);
        config.throttle.enabled = true;
    })
    .await
}

// CSR-01, CSR-02, CSR-03, CSR-09
#[actix_web::test]
async fn a_request_from_no_page_or_a_foreign_one_changes_nothing() {
    let app = guarded().await;
    let ann = Browser::new(&app);
    ann.sign_up(ANN).await.is(201);
    let before = state(&app).await;
    for call in calls(&ann) {
        refused(&ann.send(call.header("referer", PAGE)).await);
    }
    for origin in FOREIGN {
        for call in calls(&ann) {
            let answer = ann.send(call.header("origin", origin)).await;
            refused(&answer);
            assert_eq!(
                answer.header("access-control-allow-origin"),
                None,
                "{origin}"
            );
        }
    }
    // Two of them are none.
    for call in calls(&ann) {
        refused(
            &ann.send(call.header("origin", PAGE).header("origin", PAGE))
                .await,
        );
    }
    for call in calls(&ann) {
        refused(&ann.send(call.header("origin", b"\xff".as_slice())).await);
    }
    assert_eq!(state(&app).await, before);
    ann.refresh().await.is(200);
}

// CSR-05
#[actix_web::test]
async fn a_browser_that_says_cross_site_is_believed_over_the_list() {
    let app = guarded().await;
    let ann = Browser::new(&app);
    ann.sign_up(ANN).await.is(201);
    let before = state(&app).await;
    for origin in [PAGE, "http://localhost:8080"] {
        for call in calls(&ann) {
            let call = call.header("origin", origin);
            refused(&ann.send(call.header("sec-fetch-site", "cross-site")).await);
        }
    }
    for call in calls(&ann) {
        let call = call
            .header("origin", PAGE)
            .header("sec-fetch-site", "same-site");
        refused(&ann.send(call.header("sec-fetch-site", "cross-site")).await);
    }
    assert_eq!(state(&app).await, before);
    // Everything else it may say is judged by the origin.
    for site in ["same-site", "same-origin", "none", "CROSS", ""] {
        let call = |origin| {
            let call = ann.bare(Method::POST, "/v1/auth/refresh").json(&json!({}));
            call.header("origin", origin).header("sec-fetch-site", site)
        };
        refused(&ann.send(call("https://blog.example.com")).await);
        ann.send(call(PAGE)).await.is(200);
    }
}

#[actix_web::test]
async fn the_services_own_pages_need_not_be_listed() {
    let app = TestApp::start().await;
    let ann = Browser::new(&app).at("http://localhost:8080");
    ann.sign_up(ANN).await.is(201);
    ann.refresh().await.is(200);
    refused(&ann.at(PAGE).refresh().await);
    ann.log_out().await.is(204);
}

// CSR-04
#[actix_web::test]
async fn what_a_page_may_send_without_being_asked_has_no_effect() {
    let app = guarded().await;
    let ann = Browser::new(&app);
    ann.sign_up(ANN).await.is(201);
    let before = state(&app).await;
    let login = json!({ "email": ANN, "password": PASSWORD, "token_transport": "cookie" });
    for (media_type, body) in [
        ("text/plain", "{}".to_owned()),
        ("text/plain;charset=UTF-8", login.to_string()),
        (
            "application/x-www-form-urlencoded",
            r#"{"a":"b=c"}"#.to_owned(),
        ),
        ("multipart/form-data; boundary=x", "--x--".to_owned()),
        ("", "{}".to_owned()),
    ] {
        for path in ["refresh", "logout", "login", "signup"] {
            for origin in ["https://evil.example", PAGE] {
                let request = ann.bare(Method::POST, &format!("/v1/auth/{path}"));
                let request = request
                    .header("origin", origin)
                    .header("content-type", media_type);
                let answer = ann.send(request.body(body.clone())).await;
                answer.refused(415, "unsupported_media_type");
                assert_eq!(answer.header("set-cookie"), None);
            }
        }
    }
    assert_eq!(state(&app).await, before);
}

// CSR-06
#[actix_web::test]
async fn nothing_changes_by_a_method_that_should_not_change_anything() {
    let app = guarded().await;
    let ann = Browser::new(&app);
    ann.sign_up(ANN).await.is(201);
    let before = state(&app).await;
    for operation in contract::operations() {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            let is_read = operation.method == "GET" && method != Method::OPTIONS;
            let path = format!("{}?_method={}", operation.path, operation.method);
            let request = ann.request(method, &path);
            let request = request.header("x-http-method-override", &operation.method);
            let answer = ann.send(request.header("x-method-override", "POST")).await;
            let expected: &[u16] = if is_read && path.contains("{name}") {
                &[404]
            } else if is_read {
                &[200, 401, 503]
            } else {
                &[401, 405]
            };
            assert!(
                expected.contains(&answer.status),
                "{path}: {}",
                answer.status
            );
        }
    }
    assert_eq!(state(&app).await, before);
}

// CSR-10
#[actix_web::test]
async fn a_cookie_beside_something_else_is_still_a_cookie() {
    let app = guarded().await;
    let ann = Browser::new(&app);
    ann.sign_up(ANN).await.is(201);
    let bob = app.sign_up("bob@example.com").await;
    let before = state(&app).await;
    let bobs = format!("Bearer {}", bob.access_token);
    for header in ["Bearer x", "Bearer", "Basic YTpi", "x", "", &bobs] {
        for call in calls(&ann) {
            let call = call.header("authorization", header);
            refused(
                &ann.send(call.header("origin", "https://evil.example"))
                    .await,
            );
        }
    }
    let call = ann.bare(Method::POST, "/v1/auth/logout");
    let call = call.json(&json!({ "refresh_token": bob.refresh_token }));
    refused(&ann.send(call).await);
    assert_eq!(state(&app).await, before);
    assert!(ann.cookie(REFRESH).is_some());
}

#[actix_web::test]
async fn without_a_cookie_anybody_may_log_out_and_refresh_from_anywhere() {
    let app = TestApp::with_pages().await;
    let elsewhere = Browser::new(&app).at("https://evil.example");
    let ann = app.sign_up(ANN).await;
    let body = json!({ "refresh_token": ann.refresh_token });
    elsewhere
        .post("/v1/auth/refresh", body.clone())
        .await
        .is(200);
    elsewhere
        .post(
            "/v1/auth/login",
            json!({ "email": ANN, "password": PASSWORD }),
        )
        .await
        .is(200);
    let answer = elsewhere.post("/v1/auth/logout", body).await;
    answer.is(204);
    assert_eq!(answer.header("set-cookie"), None);
}

// The page is judged before the password: no work, no try counted, no hint whether it was right.
#[actix_web::test]
async fn a_foreign_page_learns_nothing_about_a_password() {
    let app = guarded().await;
    app.sign_up(ANN).await;
    let before = state(&app).await;
    let page = Browser::new(&app).at("https://evil.example");
    for password in [PASSWORD, "wrong", ""] {
        for email in [ANN, "nobody@example.com", "no address"] {
            refused(&page.log_in(email, password).await);
        }
    }
    refused(&page.sign_up(ANN).await);
    assert_eq!(state(&app).await, before);
}
