//! `POST /v1/auth/refresh`: the protocol, as a client meets it.

use chrono::TimeDelta;
use serde_json::json;

use crate::support::{Answer, PASSWORD, TestApp};

fn seconds(count: i64) -> TimeDelta {
    TimeDelta::seconds(count)
}

fn token(answer: &Answer) -> String {
    answer.is(200)["refresh_token"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn a_refresh_gives_a_new_token_and_keeps_the_session() {
    let app = TestApp::start().await;
    let mut ann = app.sign_up("ann@example.com").await;
    let first = ann.clone();
    app.advance(seconds(60));
    let answer = ann.refresh().await;
    assert_ne!(ann.refresh_token, first.refresh_token);
    assert_ne!(ann.access_token, first.access_token);
    assert_eq!(answer["session"]["id"], first.session_id);
    assert_eq!(answer["user"], first.user);
    assert_eq!(answer["refresh_expires_in"], 7 * 24 * 3600);
    ann.me().await.is(200);
    // The older access token lives on until it expires: it points at the same session.
    first.me().await.is(200);
}

#[actix_web::test]
async fn a_session_can_be_refreshed_many_times() {
    let app = TestApp::start().await;
    let mut ann = app.sign_up("ann@example.com").await;
    for _ in 0..20 {
        app.advance(seconds(31));
        ann.refresh().await;
    }
    assert_eq!(
        app.count("select generation::bigint from sessions").await,
        20
    );
    assert_eq!(app.count("select count(*) from sessions").await, 1);
}

#[actix_web::test]
async fn the_current_token_comes_back_within_the_grace() {
    let app = TestApp::start().await;
    let mut ann = app.sign_up("ann@example.com").await;
    ann.refresh().await;
    let expires_in = app.refresh(&ann.refresh_token).await.is(200)["refresh_expires_in"].clone();
    for _ in 0..5 {
        app.advance(seconds(5));
        assert_eq!(
            token(&app.refresh(&ann.refresh_token).await),
            ann.refresh_token
        );
    }
    assert_eq!(expires_in, 7 * 24 * 3600);
    let later = app.refresh(&ann.refresh_token).await.is(200)["refresh_expires_in"].clone();
    assert_eq!(later, 7 * 24 * 3600 - 25, "a grace answer moves no expiry");
    app.advance(seconds(5));
    assert_ne!(
        token(&app.refresh(&ann.refresh_token).await),
        ann.refresh_token
    );
}

#[actix_web::test]
async fn a_parent_gets_the_same_successor_within_the_grace() {
    let app = TestApp::start().await;
    let mut ann = app.sign_up("ann@example.com").await;
    let parent = ann.refresh_token.clone();
    ann.refresh().await;
    app.advance(seconds(29));
    assert_eq!(token(&app.refresh(&parent).await), ann.refresh_token);
    assert_eq!(app.events().await, ["account_created", "logged_in"]);
}

// RFT-05: the window is counted from the rotation and does not slide.
// RFT-01
// RFT-06
#[actix_web::test]
async fn a_grace_answer_to_another_program_is_remembered_once() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let parent = ann.refresh_token.clone();
    app.refresh(&parent).await.is(200);
    for _ in 0..3 {
        let body = json!({ "refresh_token": parent });
        let request = app
            .request(reqwest::Method::POST, "/v1/auth/refresh")
            .json(&body);
        app.send(request.header("user-agent", "somebody-else/1.0"))
            .await
            .is(200);
    }
    let events = app.events().await;
    assert_eq!(
        events,
        ["account_created", "logged_in", "refreshed_from_elsewhere"]
    );
}

// RFT-11
#[actix_web::test]
async fn an_idle_session_is_over() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    app.advance(TimeDelta::days(7) - seconds(1));
    let app_2 = app.replica().await;
    let mut still = ann.at(&app_2);
    still.refresh().await;
    app.advance(TimeDelta::days(7));
    app.refresh(&still.refresh_token)
        .await
        .refused(401, "refresh_token_invalid");
    assert_eq!(
        app.events().await,
        ["account_created", "logged_in"],
        "an expired token leaves no trace"
    );
}

// RFT-11
#[actix_web::test]
async fn an_active_session_is_over_at_its_absolute_end() {
    let app = TestApp::start().await;
    let mut ann = app.sign_up("ann@example.com").await;
    for _ in 0..5 {
        app.advance(TimeDelta::days(5) + TimeDelta::hours(23));
        ann.refresh().await;
    }
    let left = ann.app.refresh(&ann.refresh_token).await.is(200)["refresh_expires_in"].clone();
    assert_eq!(left, 5 * 3600, "it never extends past the end");
    app.advance(TimeDelta::hours(5) - seconds(100));
    let answer = ann.refresh().await;
    assert_eq!(answer["refresh_expires_in"], 100);
    assert_eq!(
        answer["expires_in"], 100,
        "an access token ends with its session"
    );
    app.advance(seconds(100));
    app.refresh(&ann.refresh_token)
        .await
        .refused(401, "refresh_token_invalid");
    ann.me().await.refused(401, "token_expired");
}

// RFT-10
#[actix_web::test]
async fn a_disabled_account_cannot_refresh() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    app.tamper("update users set disabled_at = created_at")
        .await;
    app.refresh(&ann.refresh_token)
        .await
        .refused(401, "refresh_token_invalid");
    app.tamper("update users set disabled_at = null").await;
    app.refresh(&ann.refresh_token).await.is(200);
}

#[actix_web::test]
async fn a_session_of_the_other_transport_is_refused_and_kept() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    app.tamper("update sessions set transport = 'cookie'").await;
    app.refresh(&ann.refresh_token)
        .await
        .refused(401, "refresh_token_invalid");
    ann.me().await.is(200);
}

#[actix_web::test]
async fn a_password_is_not_asked_again_for_as_long_as_the_session_lives() {
    let app = TestApp::start().await;
    let mut ann = app.sign_up("ann@example.com").await;
    app.advance(TimeDelta::days(1));
    let refreshed = ann.refresh().await;
    let claims = crate::access_token::claims(refreshed["access_token"].as_str().unwrap());
    assert_eq!(claims["amr"], json!(["pwd"]));
    assert!(claims["auth_time"].as_i64().unwrap() + 24 * 3600 <= claims["iat"].as_i64().unwrap());
    app.log_in("ann@example.com", PASSWORD).await.is(200);
}
