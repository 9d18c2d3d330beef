//! `POST /v1/auth/logout`.

use chrono::TimeDelta;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, Person, TestApp};

const PATH: &str = "/v1/auth/logout";

async fn by_refresh_token(app: &TestApp, token: &str) -> Answer {
    app.post(PATH, json!({ "refresh_token": token })).await
}

async fn is_over(person: &Person<'_>) {
    person.me().await.refused(401, "session_ended");
    person
        .app
        .refresh(&person.refresh_token)
        .await
        .refused(401, "refresh_token_invalid");
}

async fn is_alive(person: &Person<'_>) {
    person.me().await.is(200);
    person.app.refresh(&person.refresh_token).await.is(200);
}

// RFT-08, SES-05
#[actix_web::test]
async fn an_access_token_ends_its_session_on_every_replica_at_once() {
    let app = TestApp::start().await;
    let other = app.replica().await;
    let ann = app.sign_up("ann@example.com").await;
    ann.at(&other).me().await.is(200);
    let answer = ann.log_out().await;
    answer.is(204);
    assert_eq!(answer.header("content-type"), None);
    is_over(&ann).await;
    is_over(&ann.at(&other)).await;
    assert_eq!(
        app.json("select to_json(end_reason)::text from sessions")
            .await,
        "logged_out"
    );
}

#[actix_web::test]
async fn only_the_session_that_is_proven_ends() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let phone = ann.log_in_again().await;
    let bob = app.sign_up("bob@example.com").await;
    phone.log_out().await.is(204);
    is_over(&phone).await;
    is_alive(&ann).await;
    is_alive(&bob).await;
}

// SES-06
#[actix_web::test]
async fn an_expired_access_token_still_ends_its_session() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    app.advance(TimeDelta::days(3));
    ann.me().await.refused(401, "token_expired");
    ann.log_out().await.is(204);
    app.refresh(&ann.refresh_token)
        .await
        .refused(401, "refresh_token_invalid");
    assert_eq!(app.events_of("logged_out").await, 1);
}

#[actix_web::test]
async fn a_refresh_token_ends_its_session_also_after_it_was_replaced() {
    let app = TestApp::start().await;
    let mut ann = app.sign_up("ann@example.com").await;
    let mut phone = ann.log_in_again().await;
    by_refresh_token(&app, &ann.refresh_token).await.is(204);
    is_over(&ann).await;
    let first = phone.refresh_token.clone();
    phone.refresh().await;
    by_refresh_token(&app, &first).await.is(204);
    is_over(&phone).await;
    ann = ann.log_in_again().await;
    is_alive(&ann).await;
}

#[actix_web::test]
async fn two_tokens_of_two_sessions_end_both() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let bob = app.sign_up("bob@example.com").await;
    let carl = app.sign_up("carl@example.com").await;
    let body = json!({ "refresh_token": bob.refresh_token });
    ann.call(Method::POST, PATH, Some(body)).await.is(204);
    is_over(&ann).await;
    is_over(&bob).await;
    is_alive(&carl).await;
    assert_eq!(app.events_of("logged_out").await, 2);
}

#[actix_web::test]
async fn two_tokens_of_one_session_end_it_once() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let body = json!({ "refresh_token": ann.refresh_token });
    ann.call(Method::POST, PATH, Some(body)).await.is(204);
    is_over(&ann).await;
    assert_eq!(app.events_of("logged_out").await, 1);
}

#[actix_web::test]
async fn what_proves_nothing_ends_nothing_and_is_answered_all_the_same() {
    let app = TestApp::start().await;
    let elsewhere = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let foreign = elsewhere.sign_up("ann@example.com").await;
    app.send(app.request(Method::POST, PATH)).await.is(204);
    app.post(PATH, json!({})).await.is(204);
    let broken = [
        String::new(),
        "kwr_".to_owned(),
        "garbage\0".to_owned(),
        "x".repeat(16_000),
        ann.session_id.clone(),
        ann.access_token.clone(),
        format!("{}x", ann.refresh_token),
        foreign.refresh_token.clone(),
    ];
    for token in broken {
        by_refresh_token(&app, &token).await.is(204);
    }
    let tampered = format!("{}x", ann.access_token);
    for header in [
        format!("Bearer {}", foreign.access_token),
        format!("Bearer {tampered}"),
        format!("Bearer {}", ann.refresh_token),
        format!("Basic {}", ann.access_token),
        ann.access_token.clone(),
        "Bearer".to_owned(),
    ] {
        let request = app
            .request(Method::POST, PATH)
            .header("authorization", header);
        app.send(request).await.is(204);
    }
    let query = format!(
        "{PATH}?access_token={0}&refresh_token={1}",
        ann.access_token, ann.refresh_token
    );
    app.send(app.request(Method::POST, &query)).await.is(204);
    is_alive(&ann).await;
    assert_eq!(app.events_of("logged_out").await, 0);
}

#[actix_web::test]
async fn a_repeat_is_answered_alike_and_told_once() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    for _ in 0..3 {
        ann.log_out().await.is(204);
        by_refresh_token(&app, &ann.refresh_token).await.is(204);
    }
    assert_eq!(
        app.events().await,
        ["account_created", "logged_in", "logged_out"]
    );
}

#[actix_web::test]
async fn many_log_outs_of_one_pair_at_once_end_both_once() {
    let app = TestApp::start().await;
    let other = app.replica().await;
    let ann = app.sign_up("ann@example.com").await;
    let bob = app.sign_up("bob@example.com").await;
    let log_outs = (0..20).map(|n| {
        let app = if n % 2 == 0 { &app } else { &other };
        // The pair in either order: nobody waits for somebody who waits for them.
        let (one, two) = if n % 3 == 0 {
            (&ann, &bob)
        } else {
            (&bob, &ann)
        };
        let request = app
            .request(Method::POST, PATH)
            .bearer_auth(&one.access_token);
        app.send(request.json(&json!({ "refresh_token": two.refresh_token })))
    });
    for answer in join_all(log_outs).await {
        answer.is(204);
    }
    is_over(&ann).await;
    is_over(&bob).await;
    assert_eq!(app.events_of("logged_out").await, 2);
}

#[actix_web::test]
async fn the_event_says_whose_session_and_from_where() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let request = app
        .request(Method::POST, PATH)
        .bearer_auth(&ann.access_token)
        .header("user-agent", "phone/2")
        .header("x-request-id", "leaving-1");
    app.send(request).await.is(204);
    let event = app
        .json(
            "select to_json(e)::text from (select user_id, session_id, outcome, user_agent,
                 request_id, host(ip_address) as ip from security_events where event = 'logged_out') e",
        )
        .await;
    assert_eq!(
        event,
        json!({
            "user_id": ann.user["id"], "session_id": ann.session_id, "outcome": "success",
            "user_agent": "phone/2", "request_id": "leaving-1", "ip": "127.0.0.1",
        })
    );
}

#[actix_web::test]
async fn a_body_that_is_wrong_is_refused_and_ends_nothing() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    for (body, status) in [
        ("{", 400),
        ("{\"refresh_token\":\"a\",\"refresh_token\":\"b\"}", 400),
        ("[]", 422),
        ("null", 422),
        ("{\"refresh_token\":null}", 422),
        ("{\"refresh_token\":7}", 422),
        ("{\"session_id\":\"a\"}", 422),
    ] {
        let request = app
            .request(Method::POST, PATH)
            .bearer_auth(&ann.access_token);
        let request = request
            .header("content-type", "application/json")
            .body(body);
        app.send(request).await.is(status);
    }
    let request = app
        .request(Method::POST, PATH)
        .bearer_auth(&ann.access_token);
    app.send(request.header("content-type", "text/plain").body("{}"))
        .await
        .refused(415, "unsupported_media_type");
    is_alive(&ann).await;
}
