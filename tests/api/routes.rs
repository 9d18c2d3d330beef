//! Which path and method is which: what is served, and what is answered elsewhere.

use reqwest::Method;

use crate::support::{PASSWORD, TestApp, Wire, contract};

#[actix_web::test]
async fn a_method_that_a_path_does_not_know_is_told_those_it_knows() {
    let app = TestApp::start().await;
    let known = contract::operations();
    for path in known.iter().map(|operation| &operation.path) {
        let methods = [
            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get",
            "QUERY",
        ];
        for method in methods {
            let asked = if method == "HEAD" { "GET" } else { method };
            if known
                .iter()
                .any(|one| one.path == *path && one.method == asked)
            {
                continue;
            }
            // That `Allow` lists what the document does is looked at with every answer.
            let answer = app.send(app.request(method.parse().unwrap(), path)).await;
            assert_eq!(answer.status, 405, "{method} {path}");
        }
    }
}

// LGN-16
#[actix_web::test]
async fn a_password_in_a_query_logs_nobody_in() {
    let app = TestApp::start().await;
    app.sign_up("ann@example.com").await;
    let path = format!(
        "/v1/auth/login?email=ann@example.com&password={}",
        PASSWORD.replace(' ', "+")
    );
    for method in [Method::GET, Method::HEAD, Method::PUT] {
        let request = app.request(method, &path);
        let request = request.header("x-http-method-override", "POST");
        let answer = app.send(request).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    }
    app.send(app.request(Method::POST, &path))
        .await
        .refused(400, "malformed_json");
}

#[actix_web::test]
async fn head_is_answered_like_get_without_the_body() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    for path in [
        "/v1/me",
        "/.well-known/jwks.json",
        "/openapi.yaml",
        "/docs",
        "/docs/errors",
        "/health/live",
        "/health/ready",
    ] {
        let of = |method| {
            app.request(method, path)
                .bearer_auth(&ann.access_token)
                .header("x-request-id", "one-for-all")
        };
        let (mut get, mut head) = (
            app.send(of(Method::GET)).await,
            app.send(of(Method::HEAD)).await,
        );
        get.headers.remove("date");
        head.headers.remove("date");
        assert_eq!((get.status, &get.headers), (200, &head.headers), "{path}");
        assert_eq!((head.status, head.body.len()), (200, 0));
    }
    app.send(app.request(Method::HEAD, "/v1/me")).await.is(401);
    app.send(app.request(Method::HEAD, "/nothing"))
        .await
        .is(404);
}

// INP-06: a path is one of ours to the byte, or none.
#[actix_web::test]
async fn what_is_almost_a_path_is_not_found_and_gives_nothing_away() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    for target in [
        "/",
        "/v1",
        "/v1/",
        "/v1/me/",
        "//v1/me",
        "/v1//me",
        "/V1/ME",
        "/v1/Me",
        "/v1/me;x",
        "/v1/me;x=1",
        "/v1/me%00",
        "/v1/me%20",
        "/v1/me.json",
        "/v1/me%2f",
        "/v1%2fme",
        "/v1%2Fme",
        "/v1/me%2f..%2fadmin",
        "/v1/x/../me",
        "/v1/./me",
        "/v1/me/..",
        "/..%2fv1/me",
        "/v1/%2e/me",
        "/v1\\me",
        "/v1/me%5c",
        "/v1/%256de",
        "/v1/../metrics",
        "/metrics",
        "/v1/me/passkeys",
        "/v1/admin",
        "/.env",
        "/v1/auth",
        "/health",
        "*",
        "/v1/users/00000000-0000-0000-0000-000000000000",
        "/%ff%fe",
        "/v1/me%c3%a9",
    ] {
        let mut wire = Wire::to(&app).await;
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n",
            ann.access_token
        );
        wire.send(head).await;
        wire.answer("GET", target).await.refused(404, "not_found");
    }
}

#[actix_web::test]
async fn a_path_that_is_spelt_with_needless_escapes_is_the_same_path() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    for target in [
        "/v1/me",
        "/v1/%6de",
        "/%761/me",
        "/v1/me?",
        "/v1/me?a=b&a=c",
        "http://elsewhere/v1/me",
    ] {
        let mut wire = Wire::to(&app).await;
        wire.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .await;
        wire.answer("GET", "/v1/me")
            .await
            .refused(401, "token_missing");
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n",
            ann.access_token
        );
        wire.send(head).await;
        assert_eq!(wire.answer("GET", "/v1/me").await.is(200), ann.user);
    }
}
