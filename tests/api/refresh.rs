//! `POST /v1/auth/refresh`: the protocol, as a client meets it.

use chrono::TimeDelta;
use serde_json::json;

use crate::support::{Answer, PASSWORD, Person, TestApp};

fn seconds(count: i64) -> TimeDelta {
    TimeDelta::seconds(count)
}

/// Whether the answer ended the session, for everybody.
async fn is_over(person: &Person<'_>) -> bool {
    person.me().await.json()["code"] == "session_ended"
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
#[actix_web::test]
async fn the_grace_does_not_slide() {
    let app = TestApp::start().await;
    let mut ann = app.sign_up("ann@example.com").await;
    let parent = ann.refresh_token.clone();
    ann.refresh().await;
    app.refresh(&ann.refresh_token).await.is(200);
    for _ in 0..2 {
        app.advance(seconds(14));
        app.refresh(&parent).await.is(200);
    }
    app.advance(seconds(2));
    app.refresh(&parent)
        .await
        .refused(401, "refresh_token_invalid");
    assert!(is_over(&ann).await);
}

#[actix_web::test]
async fn a_lost_answer_is_made_good_after_the_grace() {
    let app = TestApp::start().await;
    let mut ann = app.sign_up("ann@example.com").await;
    let parent = ann.refresh_token.clone();
    ann.refresh().await;
    let lost = ann.refresh_token.clone();
    app.advance(TimeDelta::hours(9));
    ann.refresh_token.clone_from(&parent);
    ann.refresh().await;
    assert_ne!(ann.refresh_token, lost);
    ann.me().await.is(200);
    assert_eq!(app.events().await.last().unwrap(), "refresh_retried_late");
    // Another answer lost: the parent gets the new successor again, within the grace of the recovery.
    app.advance(seconds(10));
    assert_eq!(token(&app.refresh(&parent).await), ann.refresh_token);
    // Whoever holds the replaced one has taken it from the wire.
    app.refresh(&lost)
        .await
        .refused(401, "refresh_token_invalid");
    assert!(is_over(&ann).await);
    assert_eq!(app.events().await.last().unwrap(), "refresh_token_reused");
}

#[actix_web::test]
async fn recovery_can_be_repeated_while_nobody_has_shown_the_successor() {
    let app = TestApp::start().await;
    let mut ann = app.sign_up("ann@example.com").await;
    let parent = ann.refresh_token.clone();
    ann.refresh().await;
    for _ in 0..3 {
        app.advance(seconds(31));
        token(&app.refresh(&parent).await);
    }
    let late = app
        .events()
        .await
        .iter()
        .filter(|event| *event == "refresh_retried_late")
        .count();
    assert_eq!(late, 3);
}

// RFT-01
#[actix_web::test]
async fn a_late_replay_ends_the_session_and_leaves_its_trace() {
    let app = TestApp::start().await;
    let mut ann = app.sign_up("ann@example.com").await;
    let elsewhere = ann.log_in_again().await;
    let stolen = ann.refresh_token.clone();
    ann.refresh().await;
    app.advance(seconds(31));
    ann.refresh().await;
    app.advance(seconds(31));
    app.refresh(&stolen)
        .await
        .refused(401, "refresh_token_invalid");
    app.refresh(&ann.refresh_token)
        .await
        .refused(401, "refresh_token_invalid");
    assert!(is_over(&ann).await);
    assert_eq!(app.events().await.last().unwrap(), "refresh_token_reused");
    assert_eq!(app.count("select count(*) from security_events where event = 'refresh_token_reused' and outcome = 'failure' and session_id is not null and user_id is not null").await, 1);
    // Once is enough: what changes nothing writes nothing.
    app.refresh(&stolen)
        .await
        .refused(401, "refresh_token_invalid");
    let reused = app
        .events()
        .await
        .iter()
        .filter(|event| *event == "refresh_token_reused")
        .count();
    assert_eq!(reused, 1);
    elsewhere.me().await.is(200);
}

// RFT-06
#[actix_web::test]
async fn a_grandparent_ends_the_session_even_within_the_grace() {
    let app = TestApp::start().await;
    let mut ann = app.sign_up("ann@example.com").await;
    let grandparent = ann.refresh_token.clone();
    ann.refresh().await;
    app.advance(seconds(30));
    ann.refresh().await;
    app.refresh(&grandparent)
        .await
        .refused(401, "refresh_token_invalid");
    assert!(is_over(&ann).await);
}

#[actix_web::test]
async fn a_parent_whose_successor_was_shown_ends_the_session_after_the_grace() {
    let app = TestApp::start().await;
    let mut ann = app.sign_up("ann@example.com").await;
    let parent = ann.refresh_token.clone();
    ann.refresh().await;
    app.advance(seconds(10));
    app.refresh(&ann.refresh_token).await.is(200);
    app.advance(seconds(30));
    app.refresh(&parent)
        .await
        .refused(401, "refresh_token_invalid");
    assert!(is_over(&ann).await);
}

#[actix_web::test]
async fn the_strict_reading_ends_the_session_at_any_replay() {
    let app = TestApp::with(|config| config.tokens.refresh_grace = TimeDelta::zero()).await;
    let mut ann = app.sign_up("ann@example.com").await;
    let parent = ann.refresh_token.clone();
    ann.refresh().await;
    let first = ann.refresh_token.clone();
    ann.refresh().await;
    assert_ne!(
        first, ann.refresh_token,
        "with no grace every refresh rotates"
    );
    app.refresh(&parent)
        .await
        .refused(401, "refresh_token_invalid");
    assert!(is_over(&ann).await);
}

#[actix_web::test]
async fn without_recovery_a_lost_answer_ends_the_session_after_the_grace() {
    let app = TestApp::with(|config| config.tokens.refresh_recovery = false).await;
    let mut ann = app.sign_up("ann@example.com").await;
    let parent = ann.refresh_token.clone();
    ann.refresh().await;
    app.advance(seconds(29));
    token(&app.refresh(&parent).await);
    app.advance(seconds(1));
    app.refresh(&parent)
        .await
        .refused(401, "refresh_token_invalid");
    assert!(is_over(&ann).await);
}

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
async fn a_restored_database_keeps_the_session_and_refuses_the_newer_token() {
    let app = TestApp::start().await;
    let mut ann = app.sign_up("ann@example.com").await;
    ann.refresh().await;
    app.advance(seconds(31));
    let backup = ann.refresh_token.clone();
    app.tamper("create table backup as select * from sessions")
        .await;
    ann.refresh().await;
    app.tamper("delete from sessions; insert into sessions select * from backup")
        .await;
    app.refresh(&ann.refresh_token)
        .await
        .refused(401, "refresh_token_invalid");
    ann.me().await.is(200);
    app.refresh(&backup).await.is(200);
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
