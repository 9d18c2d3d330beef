//! Sessions whose refresh token a browser holds: what is set, what is cleared, and by what.

use chrono::TimeDelta;
use futures_util::future::join_all;
use keyward::config::SameSite;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Browser, DEVICE, PAGE, PASSWORD, REFRESH, TestApp, allow_pages};

const ANN: &str = "ann@example.com";
const BOB: &str = "bob@example.com";
const WRONG: &str = "not the password at all";

/// The only `Set-Cookie` of each name is looked at with every answer; here for its place and life.
#[track_caller]
fn holds_no_token(answer: &Value) {
    assert_eq!(answer["status"], "authenticated");
    for member in ["refresh_token", "device_token"] {
        assert_eq!(answer.get(member), None);
    }
}

// CSR-07, RFT-20
#[actix_web::test]
async fn the_tokens_are_in_cookies_and_nowhere_else() {
    let app = TestApp::with_pages().await;
    let ann = Browser::new(&app);
    let answers = [
        ann.sign_up(ANN).await,
        ann.log_in(ANN, PASSWORD).await,
        ann.refresh().await,
    ];
    for (answer, status) in answers.into_iter().zip([201, 200, 200]) {
        let body = answer.is(status);
        holds_no_token(&body);
        let lines = answer.headers.get_all("set-cookie").iter();
        let lines: Vec<_> = lines.map(|line| line.to_str().unwrap()).collect();
        let attributes: Vec<_> = lines
            .iter()
            .map(|line| line.split_once("; ").unwrap().1)
            .collect();
        let of = |life| format!("HttpOnly; Secure; SameSite=Strict; Path=/; Max-Age={life}");
        assert_eq!(
            attributes,
            [
                of(body["refresh_expires_in"].as_i64().unwrap()),
                of(180 * 86_400)
            ]
        );
        assert!(lines[0].starts_with("__Host-keyward_refresh=kwr_"));
        assert!(lines[1].starts_with("__Host-keyward_device=kwd_"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[actix_web::test]
async fn a_cookie_lives_as_long_as_its_session() {
    let app = TestApp::with_pages().await;
    let ann = Browser::new(&app);
    ann.sign_up(ANN).await.is(201);
    for _ in 0..4 {
        app.advance(TimeDelta::days(6));
        ann.refresh().await.is(200);
    }
    app.advance(TimeDelta::days(5));
    let answer = ann.refresh().await;
    assert_eq!(answer.is(200)["refresh_expires_in"], 86_400);
    assert!(
        answer
            .header("set-cookie")
            .unwrap()
            .ends_with("; Max-Age=86400")
    );
}

#[actix_web::test]
async fn without_secure_the_cookies_have_names_of_their_own() {
    let app = TestApp::with(|config| {
        allow_pages(config);
        config.browser.cookie_secure = false;
        config.browser.cookie_same_site = SameSite::Lax;
    })
    .await;
    let ann = Browser::new(&app);
    let answer = ann.sign_up(ANN).await;
    answer.is(201);
    let line = answer.header("set-cookie").unwrap();
    assert!(line.starts_with("keyward_refresh=kwr_"));
    assert!(line.contains("; HttpOnly; SameSite=Lax; Path=/; "));
    assert!(ann.cookie("keyward_device").is_some() && ann.cookie(REFRESH).is_none());
    ann.refresh().await.is(200);
    ann.log_out().await.is(204);
    assert_eq!(ann.cookie("keyward_refresh"), None);
}

#[actix_web::test]
async fn a_refresh_by_cookie_rotates_it_and_can_be_repeated() {
    let app = TestApp::with_pages().await;
    let (ann, other) = (Browser::new(&app), app.replica_with(allow_pages).await);
    ann.sign_up(ANN).await.is(201);
    let first = ann.refresh_cookie();
    // Two tabs, ten times, on two replicas: all get the one successor.
    let tabs = join_all((0..10).map(async |n| {
        let tab = if n % 2 == 0 {
            ann.at(PAGE)
        } else {
            ann.on(&other)
        };
        tab.refresh().await.is(200);
        tab.refresh_cookie()
    }));
    let successors = tabs.await;
    assert!(
        successors
            .iter()
            .all(|one| *one == successors[0] && *one != first)
    );
    ann.plant(REFRESH, &successors[0]);
    app.advance(TimeDelta::minutes(1));
    ann.refresh().await.is(200);
}

// RFT-01
#[actix_web::test]
async fn a_stolen_cookie_ends_its_session_and_is_cleared() {
    let app = TestApp::with_pages().await;
    let ann = Browser::new(&app);
    ann.sign_up(ANN).await.is(201);
    let thief = ann.at(PAGE);
    for _ in 0..2 {
        ann.refresh().await.is(200);
        app.advance(TimeDelta::minutes(1));
    }
    thief.refresh().await.refused(401, "refresh_token_invalid");
    let answer = ann.refresh().await;
    answer.refused(401, "refresh_token_invalid");
    let cleared = "__Host-keyward_refresh=; HttpOnly; Secure; SameSite=Strict; Path=/; Max-Age=0";
    assert_eq!(answer.header("set-cookie"), Some(cleared));
    assert_eq!((ann.cookie(REFRESH), thief.cookie(REFRESH)), (None, None));
    assert!(ann.cookie(DEVICE).is_some(), "the device stays known");
    assert_eq!(app.events_of("refresh_token_reused").await, 1);
}

#[actix_web::test]
async fn only_a_cookie_that_does_not_work_is_cleared_by_a_refusal() {
    let app = TestApp::with_pages().await;
    let ann = Browser::new(&app);
    let signed_up = ann.sign_up(ANN).await.is(201);
    let cookie = ann.refresh_cookie();
    let refusals = [
        ann.log_in(ANN, WRONG).await,
        ann.sign_up(ANN).await,
        ann.post("/v1/auth/refresh", json!({ "refresh_token": "kwr_x" }))
            .await,
        ann.post("/v1/auth/refresh", json!({ "unknown": 1 })).await,
        ann.post("/v1/auth/logout", json!({ "unknown": 1 })).await,
        ann.post("/v1/auth/login", json!({})).await,
    ];
    for (answer, status) in refusals.iter().zip([401, 409, 401, 422, 422, 422]) {
        assert_eq!(
            (answer.status, answer.header("set-cookie")),
            (status, None),
            "{answer:?}"
        );
    }
    // SES-03: ending it from the list clears nothing; the next refresh does.
    let id = signed_up["session"]["id"].as_str().unwrap();
    let token = signed_up["access_token"].as_str().unwrap();
    let request = ann.request(Method::DELETE, &format!("/v1/me/sessions/{id}"));
    let answer = ann.send(request.bearer_auth(token)).await;
    assert_eq!((answer.status, answer.header("set-cookie")), (204, None));
    assert_eq!(ann.refresh_cookie(), cookie);
    ann.refresh().await.refused(401, "refresh_token_invalid");
    assert_eq!(ann.cookie(REFRESH), None);
}

// RFT-12
#[actix_web::test]
async fn a_session_stays_with_its_transport() {
    let app = TestApp::with_pages().await;
    let ann = Browser::new(&app);
    ann.sign_up(ANN).await.is(201);
    let (bob, cookie) = (app.sign_up(BOB).await, ann.refresh_cookie());
    app.refresh(&cookie)
        .await
        .refused(401, "refresh_token_invalid");
    app.post("/v1/auth/logout", json!({ "refresh_token": cookie }))
        .await
        .is(204);
    let mixed = ann.at(PAGE);
    mixed.plant(REFRESH, &bob.refresh_token);
    mixed.refresh().await.refused(401, "refresh_token_invalid");
    mixed.plant(REFRESH, &bob.refresh_token);
    mixed.log_out().await.is(204);
    mixed.plant(REFRESH, &bob.refresh_token);
    mixed.log_in(ANN, PASSWORD).await.is(200);
    // Nothing was ended by any of it.
    ann.refresh().await.is(200);
    app.refresh(&bob.refresh_token).await.is(200);
    assert_eq!(
        app.events_of("logged_out").await + app.events_of("session_replaced").await,
        0
    );
}

#[actix_web::test]
async fn a_token_in_the_body_makes_the_cookie_be_passed_over() {
    let app = TestApp::with_pages().await;
    let ann = Browser::new(&app);
    ann.sign_up(ANN).await.is(201);
    let (bob, cookie) = (app.sign_up(BOB).await, ann.refresh_cookie());
    let body = json!({ "refresh_token": bob.refresh_token });
    // Nor is the page asked about, for no cookie is used.
    let answer = ann
        .at("https://evil.example")
        .post("/v1/auth/refresh", body)
        .await;
    assert_eq!(answer.is(200)["user"], bob.user);
    assert_eq!(answer.header("set-cookie"), None);
    assert_eq!(ann.refresh_cookie(), cookie);
    ann.refresh().await.is(200);
}

#[actix_web::test]
async fn without_a_token_anywhere_one_is_asked_for() {
    let app = TestApp::with_pages().await;
    let nobody = Browser::new(&app);
    nobody
        .refresh()
        .await
        .invalid(&[("/refresh_token", "required")]);
    // Of another name, in other letters, or in the way of another configuration.
    for name in [
        "keyward_refresh",
        "__host-keyward_refresh",
        "__Secure-keyward_refresh",
        DEVICE,
    ] {
        nobody.plant(name, "kwr_x");
        nobody
            .refresh()
            .await
            .invalid(&[("/refresh_token", "required")]);
    }
}

// CSR-08, SES-11
#[actix_web::test]
async fn a_cookie_that_is_no_token_is_refused_and_cleared() {
    let app = TestApp::with_pages().await;
    let ann = Browser::new(&app);
    let session = ann.sign_up(ANN).await.is(201)["session"]["id"].clone();
    let (good, device) = (ann.refresh_cookie(), ann.cookie(DEVICE).unwrap());
    let quoted = format!("\"{good}\"");
    let long = "x".repeat(8_000);
    for bad in [
        "",
        "x",
        session.as_str().unwrap(),
        &device,
        &quoted,
        &good[1..],
        &long,
    ] {
        ann.plant(REFRESH, bad);
        ann.refresh().await.refused(401, "refresh_token_invalid");
        assert_eq!(ann.cookie(REFRESH), None, "{bad}");
    }
    ann.plant(REFRESH, &good);
    ann.refresh().await.is(200);
}

// CSR-08
#[actix_web::test]
async fn two_cookies_of_the_name_are_refused_and_neither_is_used() {
    let app = TestApp::with_pages().await;
    let ann = Browser::new(&app);
    ann.sign_up(ANN).await.is(201);
    let good = ann.refresh_cookie();
    let browser = Browser::new(&app);
    let login = json!({ "email": ANN, "password": PASSWORD, "token_transport": "cookie" });
    let signup = json!({ "email": BOB, "password": PASSWORD, "token_transport": "cookie" });
    for pair in [[good.as_str(), "x"], ["x", &good], [&good, &good]] {
        let cookies = pair.map(|value| format!("{REFRESH}={value}"));
        for (path, body) in [
            ("/v1/auth/refresh", &json!({})),
            ("/v1/auth/login", &login),
            ("/v1/auth/signup", &signup),
        ] {
            let request = browser.request(Method::POST, path).json(body);
            let request = request.header("cookie", cookies.join("; "));
            let answer = browser.send(request).await;
            answer.refused(400, "bad_request");
            assert_eq!(answer.header("set-cookie"), None);
        }
        let two_lines = browser
            .request(Method::POST, "/v1/auth/refresh")
            .json(&json!({}));
        let two_lines = two_lines
            .header("cookie", &cookies[0])
            .header("cookie", &cookies[1]);
        browser.send(two_lines).await.refused(400, "bad_request");
    }
    assert_eq!(
        app.count("select count(*) from sessions where ended_at is null")
            .await,
        1
    );
    ann.refresh().await.is(200);
}

// LGN-22
#[actix_web::test]
async fn the_device_cookie_keeps_strangers_from_shutting_the_owner_out() {
    let app = TestApp::with(|config| {
        allow_pages(config);
        config.throttle.enabled = true;
    })
    .await;
    let ann = Browser::new(&app);
    ann.sign_up(ANN).await.is(201);
    ann.log_out().await.is(204);
    for _ in 0..5 {
        app.log_in(ANN, WRONG)
            .await
            .refused(401, "invalid_credentials");
    }
    let stranger = Browser::new(&app);
    stranger
        .log_in(ANN, PASSWORD)
        .await
        .refused(429, "too_many_attempts");
    // A cookie is for cookie mode; and what the body says goes before it.
    let body = json!({ "email": ANN, "password": PASSWORD });
    ann.post("/v1/auth/login", body)
        .await
        .refused(429, "too_many_attempts");
    let body = json!({
        "email": ANN, "password": PASSWORD, "token_transport": "cookie", "device_token": "kwd_x",
    });
    ann.post("/v1/auth/login", body)
        .await
        .refused(429, "too_many_attempts");
    ann.log_in(ANN, PASSWORD).await.is(200);
}
