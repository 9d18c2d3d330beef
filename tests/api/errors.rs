//! Answers to requests that are wrong, and what every answer has in common.

use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, PASSWORD, Person, TestApp, contract};

/// One answer of each operation, and some of none.
async fn answers(ann: &Person<'_>) -> Vec<Answer> {
    let mut answers = Vec::new();
    for operation in contract::operations() {
        let method: Method = operation.method.parse().unwrap();
        let request = ann.app.request(method, &operation.path);
        let signed_in = request.try_clone().unwrap().bearer_auth(&ann.access_token);
        answers.push(ann.app.send(request).await);
        answers.push(ann.app.send(signed_in).await);
        let put = ann.app.request(Method::PUT, &operation.path);
        answers.push(ann.app.send(put).await);
    }
    answers.push(ann.app.get("/").await);
    answers.push(ann.app.log_in("nobody@example.com", PASSWORD).await);
    answers.push(ann.app.post("/v1/auth/login", json!({})).await);
    answers
}

// HDR-01, HDR-02, HDR-04
#[actix_web::test]
async fn every_answer_has_the_headers_that_keep_browsers_from_guessing() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    for answer in answers(&ann).await {
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{answer:?}");
        }
        // The two pages have policies of their own: docs::the_pages_may_load_only_what_is_served_here.
        if answer.header("content-type") != Some("text/html; charset=utf-8") {
            let policy = answer.header("content-security-policy");
            assert_eq!(policy, Some("default-src 'none'; frame-ancestors 'none'"));
        }
        let cacheable = answer.header("cache-control") == Some("public, max-age=300");
        assert!(cacheable || answer.header("cache-control") == Some("no-store"));
        // The key set, the document and its pages are for every page; nobody is listed to read more.
        let open = answer.header("access-control-allow-origin");
        assert_eq!(open, cacheable.then_some("*"), "{answer:?}");
        for name in [
            "server",
            "x-powered-by",
            "set-cookie",
            "strict-transport-security",
        ] {
            assert_eq!(answer.header(name), None);
        }
    }
}

#[actix_web::test]
async fn a_request_keeps_its_name_when_it_has_the_right_form() {
    let app = TestApp::start().await;
    for name in ["abcdefgh", "A-Z_0-9a", "--------", &"x".repeat(64)] {
        for path in ["/health/live", "/v1/me", "/nothing"] {
            let request = app.request(Method::GET, path).header("x-request-id", name);
            let answer = app.send(request).await;
            assert_eq!(answer.header("x-request-id"), Some(name));
            if answer.status != 200 {
                assert_eq!(answer.json()["request_id"], json!(name));
            }
        }
    }
}

#[actix_web::test]
async fn any_other_name_is_replaced_by_a_new_one() {
    let app = TestApp::start().await;
    let mut seen = std::collections::BTreeSet::new();
    for name in [
        b"".as_slice(),
        b"abcdefg",
        &[b'x'; 65],
        b"abcd efgh",
        b"abcdefgh.",
        b"abcdefgh\"",
        "abcdefgh\u{e9}".as_bytes(),
        b"\xff\xfe\xff\xfe\xff\xfe\xff\xfe",
        b"<script>alert",
    ] {
        let request = app
            .request(Method::GET, "/nothing")
            .header("x-request-id", name);
        let answer = app.send(request).await;
        let given = answer.header("x-request-id").unwrap().to_owned();
        assert_eq!(given.parse::<uuid::Uuid>().unwrap().get_version_num(), 7);
        assert!(seen.insert(given));
    }
}

// JWT-19
#[actix_web::test]
async fn two_authorization_headers_are_none() {
    let app = TestApp::start().await;
    let (ann, bob) = (
        app.sign_up("ann@example.com").await,
        app.sign_up("bob@example.com").await,
    );
    let bearer = |person: &Person<'_>| format!("Bearer {}", person.access_token);
    for pair in [
        [bearer(&ann), bearer(&bob)],
        [bearer(&ann), bearer(&ann)],
        ["Bearer x".to_owned(), bearer(&ann)],
        [bearer(&ann), String::new()],
        ["Basic YTpi".to_owned(), bearer(&ann)],
    ] {
        let [first, second] = pair;
        for (method, path) in [
            (Method::GET, "/v1/me"),
            (Method::GET, "/v1/me/sessions"),
            (Method::GET, "/v1/me/2fa"),
            (Method::DELETE, "/v1/me/sessions"),
            (Method::DELETE, "/v1/me/sessions/others"),
            (Method::DELETE, "/v1/me/sessions/x"),
        ] {
            let request = app.request(method, path).header("authorization", &first);
            let answer = app.send(request.header("authorization", &second)).await;
            answer.refused(400, "bad_request");
        }
    }
}

#[actix_web::test]
async fn a_panic_is_an_error_of_ours_and_ends_nothing_else() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let bob = app.sign_up("bob@example.com").await;
    let named = |request: reqwest::RequestBuilder| request.header("x-request-id", "panicking");
    app.clock.set_broken(true);
    for _ in 0..5 {
        let me = app
            .request(Method::GET, "/v1/me")
            .bearer_auth(&ann.access_token);
        app.send(named(me)).await.refused(500, "internal_error");
        let body = json!({ "email": "ann@example.com", "password": PASSWORD });
        let login = app.request(Method::POST, "/v1/auth/login").json(&body);
        app.send(named(login)).await.refused(500, "internal_error");
        app.send(named(app.request(Method::GET, "/health/live")))
            .await
            .is(200);
    }
    app.clock.set_broken(false);
    bob.me().await.is(200);
    ann.log_in_again().await;
    assert_eq!(app.count("select count(*) from sessions").await, 3);
}
