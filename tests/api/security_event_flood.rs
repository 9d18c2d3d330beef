//! What changes nothing writes nothing: the table does not grow by what anybody can send for nothing.

use reqwest::Method;
use serde_json::json;

use crate::support::{PASSWORD, Person, TestApp};

const WRONG: &str = "not the password at all";

/// What is not good for anything, or not any more.
async fn void_tokens(app: &TestApp, ended: &Person<'_>, access_token: &str) {
    let ended_refresh = ended.refresh_token.as_str();
    for token in ["", "garbage", "kwr_", access_token, ended_refresh] {
        let answer = app.refresh(token).await;
        answer.refused(401, "refresh_token_invalid");
        let body = json!({ "refresh_token": token });
        app.post("/v1/auth/logout", body).await.is(204);
    }
    ended.me().await.refused(401, "session_ended");
    ended.log_out().await.is(204);
    let end_all = ended.call(Method::DELETE, "/v1/me/sessions", None).await;
    end_all.refused(401, "session_ended");
}

/// What is refused before it is looked at, and what leaves everything as it was.
async fn nothing_new(app: &TestApp, ended: &Person<'_>, ann: &Person<'_>) {
    let empty = [
        json!({}),
        json!({ "locale": "de" }),
        json!({ "username": null }),
    ];
    for body in empty {
        ann.change(body).await.is(200);
    }
    ann.change(json!({ "locale": "?" })).await.is(422);
    let others = "/v1/me/sessions/others";
    ann.call(Method::DELETE, others, None).await.is(200);
    let path = format!("/v1/me/sessions/{}", ended.session_id);
    ann.call(Method::DELETE, &path, None).await.is(404);
    let guess = app.log_in("ann@example.com", WRONG).await;
    guess.refused(429, "too_many_attempts");
    ann.delete(WRONG).await.refused(429, "too_many_attempts");
    let taken = json!({ "email": "ann@example.com", "password": PASSWORD });
    let again = app.post("/v1/auth/signup", taken).await;
    again.refused(409, "email_taken");
}

#[actix_web::test]
async fn a_flood_of_what_changes_nothing_writes_nothing() {
    let app = TestApp::guarded().await;
    let ann = app.sign_up("ann@example.com").await;
    let ended = ann.log_in_again().await;
    ended.log_out().await.is(204);
    ann.change(json!({ "locale": "de" })).await.is(200);
    for _ in 0..5 {
        app.log_in("ann@example.com", WRONG).await.is(401);
        ann.delete(WRONG).await.refused(403, "wrong_password");
    }
    let before = app.events().await;
    for _ in 0..8 {
        void_tokens(&app, &ended, &ann.access_token).await;
        nothing_new(&app, &ended, &ann).await;
    }
    assert_eq!(app.events().await, before);
}

#[actix_web::test]
async fn one_access_token_writes_no_flood_of_changes() {
    let app = TestApp::guarded().await;
    let ann = app.sign_up("ann@example.com").await;
    let bob = app.sign_up("bob@example.com").await;
    let mut refused = 0;
    for number in 0..50 {
        let locale = if number % 2 == 0 { "de" } else { "fr" };
        let answer = ann.change(json!({ "locale": locale })).await;
        if answer.status == 429 {
            answer.refused(429, "too_many_attempts");
            refused += 1;
        }
    }
    assert_eq!((app.events_of("profile_changed").await, refused), (30, 20));
    bob.change(json!({ "locale": "de" })).await.is(200);
    app.advance(chrono::TimeDelta::seconds(10));
    ann.change(json!({ "locale": "it" })).await.is(200);
    ann.change(json!({ "locale": "es" })).await.is(429);
}

// AUD-07
#[actix_web::test]
async fn without_its_trace_nothing_happens() {
    let app = TestApp::guarded().await;
    app.sign_up("ann@example.com").await;
    let mut gate = app.sql.begin().await.unwrap();
    let shut = "lock table security_events in exclusive mode";
    sqlx::raw_sql(shut).execute(&mut *gate).await.unwrap();
    for password in [PASSWORD, WRONG] {
        let answer = app.log_in("ann@example.com", password).await;
        answer.refused(503, "unavailable");
    }
    gate.rollback().await.unwrap();
    assert_eq!(app.count("select count(*) from sessions").await, 1);
}
