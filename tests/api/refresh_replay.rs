//! `POST /v1/auth/refresh`: a token that comes back, forgiven or not.

use chrono::TimeDelta;

use crate::support::{Answer, Person, TestApp};

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
    assert_eq!(app.events_of("refresh_retried_late").await, 3);
}

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
    assert_eq!(app.events_of("refresh_token_reused").await, 1);
    elsewhere.me().await.is(200);
}

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
