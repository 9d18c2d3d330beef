//! Cross-origin resource sharing: which pages may read answers, and what a browser is told that asks first.

use futures_util::future::join_all;
use reqwest::Method;
use reqwest::header::HeaderName;
use serde_json::json;

use crate::support::{Answer, Browser, PAGE, PASSWORD, TestApp, allow_pages, contract};

const ORIGIN: &str = "access-control-allow-origin";
const CREDENTIALS: &str = "access-control-allow-credentials";

/// Pages of `PAGE` may read it. That no answer is open to all with credentials is looked at with every answer.
#[track_caller]
fn readable(answer: &Answer) {
    assert_eq!(answer.header(ORIGIN), Some(PAGE), "{answer:?}");
    assert_eq!(answer.header(CREDENTIALS), Some("true"));
    assert_eq!(answer.header("vary"), Some("Origin"));
    let exposed = answer.header("access-control-expose-headers");
    assert_eq!(exposed, Some("Retry-After, WWW-Authenticate, X-Request-Id"));
}

#[track_caller]
fn unreadable(answer: &Answer) {
    let headers = answer.headers.keys().map(HeaderName::as_str);
    let told: Vec<_> = headers
        .filter(|name| name.starts_with("access-control-"))
        .collect();
    assert_eq!(told, [""; 0], "{answer:?}");
    assert_eq!(answer.header("vary"), Some("Origin"));
}

// COR-05, HDR-01
#[actix_web::test]
async fn pages_of_a_listed_origin_may_read_every_answer() {
    let app = TestApp::with(|config| {
        allow_pages(config);
        config.throttle.enabled = true;
        config.http.public_url = "https://auth.example.com".to_owned();
    })
    .await;
    let page = Browser::new(&app);
    let ann = page.sign_up("ann@example.com").await;
    let token = ann.json()["access_token"].as_str().unwrap().to_owned();
    let mut answers = vec![ann];
    answers.push(
        page.send(page.request(Method::GET, "/v1/me").bearer_auth(&token))
            .await,
    );
    answers.push(page.refresh().await);
    answers.push(page.post("/v1/auth/login", json!({})).await);
    answers.push(
        page.post("/v1/auth/refresh", json!({ "refresh_token": "x" }))
            .await,
    );
    answers.push(page.send(page.request(Method::GET, "/v1/me")).await);
    answers.push(page.send(page.request(Method::GET, "/nothing")).await);
    answers.push(page.send(page.request(Method::PUT, "/v1/me")).await);
    answers.push(
        page.send(page.request(Method::POST, "/v1/auth/login").body("{}"))
            .await,
    );
    answers.push(
        page.post("/v1/auth/login", json!({ "x": "x".repeat(17_000) }))
            .await,
    );
    let cross_site = page
        .bare(Method::POST, "/v1/auth/refresh")
        .header("origin", PAGE)
        .json(&json!({}));
    answers.push(
        page.send(cross_site.header("sec-fetch-site", "cross-site"))
            .await,
    );
    let broken = page.request(Method::POST, "/v1/auth/login");
    answers.push(
        page.send(broken.header("content-type", "application/json").body("{"))
            .await,
    );
    answers.push(page.sign_up("ann@example.com").await);
    let stranger = Browser::new(&app);
    for _ in 0..6 {
        answers.push(stranger.log_in("nobody@example.com", PASSWORD).await);
    }
    answers.push(page.log_out().await);
    // A fault, which the edge makes an answer of.
    app.clock.set_broken(true);
    let me = page.request(Method::GET, "/v1/me").bearer_auth(&token);
    answers.push(page.send(me.header("x-request-id", "panicking")).await);
    app.clock.set_broken(false);
    let mut seen: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    for answer in &answers {
        readable(answer);
        let year = "max-age=31536000; includeSubDomains";
        assert_eq!(answer.header("strict-transport-security"), Some(year));
        assert_eq!(
            answer.header("cross-origin-resource-policy"),
            Some("same-origin")
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    seen.sort_unstable();
    seen.dedup();
    let all = [
        200, 201, 204, 400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 500,
    ];
    assert_eq!(seen, all, "left: seen");
}

#[actix_web::test]
async fn a_database_that_is_away_is_told_to_pages_too() {
    let app = TestApp::with_pages().await;
    app.tamper("drop table _sqlx_migrations").await;
    let page = Browser::new(&app);
    let answer = page.send(page.request(Method::GET, "/health/ready")).await;
    answer.refused(503, "unavailable");
    readable(&answer);
}

// COR-01, COR-02, COR-04
#[actix_web::test]
async fn no_other_origin_may_read_anything_private() {
    let app = TestApp::with_pages().await;
    let ann = app.sign_up("ann@example.com").await;
    let origins = [
        "https://evil.example",
        "null",
        "*",
        "",
        "https://app.example.com.evil.example",
        "https://evilapp.example.com",
        "https://app.example.com:444",
        "http://app.example.com",
        "https://app_example.com",
        "https://app.example.com`evil.example",
        "https://APP.EXAMPLE.COM",
        "https://app.example.com/",
        "https://app.example.com https://evil.example",
        "https://app.example.com,https://evil.example",
        "http://localhost:8080",
    ];
    join_all(origins.map(async |origin| {
        let me = app.request(Method::GET, "/v1/me").header("origin", origin);
        let answer = app.send(me.bearer_auth(&ann.access_token)).await;
        answer.is(200);
        unreadable(&answer);
        let login = json!({ "email": "ann@example.com", "password": PASSWORD });
        let login = app.request(Method::POST, "/v1/auth/login").json(&login);
        unreadable(&app.send(login.header("origin", origin)).await);
        unreadable(
            &app.send(
                app.request(Method::GET, "/nothing")
                    .header("origin", origin),
            )
            .await,
        );
    }))
    .await;
    let two = app.request(Method::GET, "/v1/me").header("origin", PAGE);
    unreadable(&app.send(two.header("origin", "https://evil.example")).await);
    // Without a list there is nobody to tell.
    let closed = TestApp::start().await;
    unreadable(
        &closed
            .send(closed.request(Method::GET, "/v1/me").header("origin", PAGE))
            .await,
    );
}

fn preflight<'a>(
    app: &'a TestApp,
    path: &str,
    origin: &str,
    method: &str,
) -> impl Future<Output = Answer> + use<'a> {
    let request = app.request(Method::OPTIONS, path).header("origin", origin);
    app.send(request.header("access-control-request-method", method))
}

// COR-05: that the methods are those of the path is looked at with every answer.
#[actix_web::test]
async fn a_preflight_is_told_what_a_page_may_send() {
    let app = TestApp::with_pages().await;
    for operation in contract::operations() {
        for asked in [operation.method.as_str(), "DELETE", "TRACE"] {
            let answer = preflight(&app, &operation.path, PAGE, asked).await;
            answer.is(204);
            readable(&answer);
            let headers = answer.header("access-control-allow-headers");
            assert_eq!(headers, Some("Authorization, Content-Type, X-Request-Id"));
            assert_eq!(answer.header("access-control-max-age"), Some("600"));
        }
    }
    let answer = preflight(&app, "/v1/nothing", PAGE, "GET").await;
    answer.refused(404, "not_found");
}

// COR-01, COR-05
#[actix_web::test]
async fn any_other_options_is_a_method_that_is_not_known() {
    let app = TestApp::with_pages().await;
    for origin in ["https://evil.example", "null", "http://localhost:8080"] {
        let answer = preflight(&app, "/v1/me", origin, "GET").await;
        answer.refused(405, "method_not_allowed");
        unreadable(&answer);
    }
    let bare = app.request(Method::OPTIONS, "/v1/me");
    app.send(bare).await.refused(405, "method_not_allowed");
    let no_preflight = app
        .request(Method::OPTIONS, "/v1/me")
        .header("origin", PAGE);
    app.send(no_preflight)
        .await
        .refused(405, "method_not_allowed");
    let put = app.request(Method::PUT, "/v1/me").header("origin", PAGE);
    let put = put.header("access-control-request-method", "GET");
    app.send(put).await.refused(405, "method_not_allowed");
}

// COR-06
#[actix_web::test]
async fn the_key_set_and_the_document_are_open_to_every_page() {
    let app = TestApp::with_pages().await;
    for path in [
        "/.well-known/jwks.json",
        "/openapi.yaml",
        "/docs",
        "/docs/errors",
    ] {
        for origin in [None, Some(PAGE), Some("https://evil.example"), Some("null")] {
            let request = app.request(Method::GET, path);
            let request = match origin {
                Some(origin) => request.header("origin", origin),
                None => request,
            };
            let answer = app.send(request).await;
            assert_eq!(
                (answer.header(ORIGIN), answer.header(CREDENTIALS)),
                (Some("*"), None)
            );
            assert_eq!(answer.header("vary"), None, "the same for everybody");
        }
    }
}
