//! A login in two steps from a page: the cookie comes with the last step, to the transport chosen with the first.

use chrono::TimeDelta;
use futures_util::future::join;
use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, Authenticator, Browser, PASSWORD, Person, REFRESH, TestApp};

const ANN: &str = "ann@example.com";

/// Asks for the second factor, by cookie.
async fn challenge(browser: &Browser<'_>, email: &str) -> String {
    let asked = browser.log_in(email, PASSWORD).await;
    assert_eq!(asked.header("set-cookie"), None);
    let body = asked.is(200);
    assert_eq!(body["status"], "two_factor_required");
    body["challenge_token"].as_str().unwrap().to_owned()
}

async fn complete(browser: &Browser<'_>, challenge: &str, code: &str) -> Answer {
    let body = json!({ "challenge_token": challenge, "code": code });
    browser.post("/v1/auth/login/2fa", body).await
}

async fn ann_with_two_factor(app: &TestApp) -> (Person<'_>, Authenticator) {
    let ann = app.sign_up(ANN).await;
    let (authenticator, _) = ann.turn_on_two_factor().await;
    (ann, authenticator)
}

#[actix_web::test]
async fn the_last_step_gives_the_cookie() {
    let app = TestApp::with_pages().await;
    let (_, authenticator) = ann_with_two_factor(&app).await;
    let browser = Browser::new(&app);
    let challenge = challenge(&browser, ANN).await;
    let answer = complete(&browser, &challenge, &authenticator.code(&app))
        .await
        .is(200);
    assert_eq!(answer.get("refresh_token"), None);
    assert_eq!(answer.get("device_token"), None);
    browser.me(&answer).await.is(200);
    app.advance(TimeDelta::seconds(31));
    browser.refresh().await.is(200);
}

// The transport is kept in the challenge, whoever answers it and however.
#[actix_web::test]
async fn the_transport_is_that_of_the_first_step() {
    let app = TestApp::with_pages().await;
    let (ann, authenticator) = ann_with_two_factor(&app).await;
    let browser = Browser::new(&app);
    let in_a_body = ann.challenge().await;
    let answer = complete(&browser, &in_a_body, &authenticator.code(&app)).await;
    assert_eq!(answer.header("set-cookie"), None);
    assert!(answer.is(200)["refresh_token"].is_string());
}

// CSR-09
#[actix_web::test]
async fn a_foreign_page_completes_nothing_and_costs_no_try() {
    let app = TestApp::with_pages().await;
    let (_, authenticator) = ann_with_two_factor(&app).await;
    let browser = Browser::new(&app);
    let challenge = challenge(&browser, ANN).await;
    let code = authenticator.code(&app);
    let body = json!({ "challenge_token": challenge, "code": code });
    let events = app.events().await.len();
    for _ in 0..6 {
        let path = "/v1/auth/login/2fa";
        let foreign = browser.at("https://evil.example");
        foreign
            .post(path, body.clone())
            .await
            .refused(403, "origin_not_allowed");
        let no_page = browser.bare(Method::POST, path).json(&body);
        app.send(no_page).await.refused(403, "origin_not_allowed");
    }
    assert_eq!(app.events().await.len(), events);
    complete(&browser, &challenge, &code).await.is(200);
}

// SES-08
#[actix_web::test]
async fn the_session_that_the_browser_held_ends_with_the_last_step() {
    let app = TestApp::with_pages().await;
    let (_, authenticator) = ann_with_two_factor(&app).await;
    let browser = Browser::new(&app);
    let ben = browser.sign_up("ben@example.com").await.is(201);
    let challenge = challenge(&browser, ANN).await;
    complete(&browser, &challenge, &authenticator.wrong_code(&app))
        .await
        .refused(401, "invalid_code");
    browser.me(&ben).await.is(200);
    complete(&browser, &challenge, &authenticator.code(&app))
        .await
        .is(200);
    browser.me(&ben).await.refused(401, "session_ended");
    assert_eq!(app.events_of("session_replaced").await, 1);
}

// Each second step holds one user and needs the other: they queue up in one order.
#[actix_web::test]
async fn two_browsers_that_change_hands_in_two_steps_are_no_deadlock() {
    let app = TestApp::with_pages().await;
    let mut people = Vec::new();
    for email in ["ann@example.com", "ben@example.com"] {
        let person = app.sign_up(email).await;
        let (authenticator, _) = person.turn_on_two_factor().await;
        people.push((email, authenticator));
    }
    let [(ann, anns), (ben, bens)] = &people[..] else {
        unreachable!()
    };
    let (one, other) = (Browser::new(&app), Browser::new(&app));
    for _ in 0..8 {
        for (browser, email, authenticator) in [(&one, *ann, anns), (&other, *ben, bens)] {
            app.advance(TimeDelta::seconds(30));
            let challenge = challenge(browser, email).await;
            complete(browser, &challenge, &authenticator.code(&app))
                .await
                .is(200);
        }
        app.advance(TimeDelta::seconds(30));
        let (bens_turn, anns_turn) = (challenge(&one, ben).await, challenge(&other, ann).await);
        let (bens_code, anns_code) = (bens.code(&app), anns.code(&app));
        let (first, second) = join(
            complete(&one, &bens_turn, &bens_code),
            complete(&other, &anns_turn, &anns_code),
        )
        .await;
        first.is(200);
        second.is(200);
    }
    assert!(one.cookie(REFRESH).is_some());
}
