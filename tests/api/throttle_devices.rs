//! LGN-22: a stranger's guessing does not shut the owner out of a device they have logged in on.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, TestApp};

const WRONG: &str = "not the password at all";

async fn log_in(app: &TestApp, password: &str, device_token: &str) -> Answer {
    let body =
        json!({ "email": "ann@example.com", "password": password, "device_token": device_token });
    app.post("/v1/auth/login", body).await
}

async fn signed_up(app: &TestApp, email: &str) -> Value {
    app.post(
        "/v1/auth/signup",
        json!({ "email": email, "password": PASSWORD }),
    )
    .await
    .is(201)
}

fn device_token(answer: &Value) -> String {
    answer["device_token"].as_str().unwrap().to_owned()
}

/// A stranger guesses until the account is throttled.
async fn under_attack(app: &TestApp) {
    for _ in 0..5 {
        app.log_in("ann@example.com", WRONG)
            .await
            .refused(401, "invalid_credentials");
    }
    app.log_in("ann@example.com", WRONG)
        .await
        .refused(429, "too_many_attempts");
}

#[actix_web::test]
async fn a_known_device_has_tries_of_its_own() {
    let app = TestApp::guarded().await;
    let token = device_token(&signed_up(&app, "ann@example.com").await);
    under_attack(&app).await;
    log_in(&app, WRONG, &token)
        .await
        .refused(401, "invalid_credentials");
    let again = device_token(&log_in(&app, PASSWORD, &token).await.is(200));
    // The login cleared the device, and left the stranger where they were.
    app.log_in("ann@example.com", WRONG)
        .await
        .refused(429, "too_many_attempts");
    for _ in 0..5 {
        log_in(&app, WRONG, &again)
            .await
            .refused(401, "invalid_credentials");
    }
    log_in(&app, PASSWORD, &again)
        .await
        .refused(429, "too_many_attempts");
    // The token of before is of the same device.
    log_in(&app, PASSWORD, &token)
        .await
        .refused(429, "too_many_attempts");
}

#[actix_web::test]
async fn a_refresh_keeps_the_device() {
    let app = TestApp::guarded().await;
    let ann = signed_up(&app, "ann@example.com").await;
    app.advance(TimeDelta::minutes(1));
    let refreshed = app
        .refresh(ann["refresh_token"].as_str().unwrap())
        .await
        .is(200);
    under_attack(&app).await;
    log_in(&app, PASSWORD, &device_token(&refreshed))
        .await
        .is(200);
}

#[actix_web::test]
async fn only_ones_own_device_counts() {
    let app = TestApp::guarded().await;
    signed_up(&app, "ann@example.com").await;
    let bobs = device_token(&signed_up(&app, "bob@example.com").await);
    let other = TestApp::guarded().await;
    let foreign = device_token(&signed_up(&other, "ann@example.com").await);
    under_attack(&app).await;
    for token in [
        bobs.as_str(),
        &foreign,
        "",
        "kwd_",
        "garbage",
        &format!("{bobs}A"),
    ] {
        log_in(&app, PASSWORD, token)
            .await
            .refused(429, "too_many_attempts");
    }
}

#[actix_web::test]
async fn a_device_is_forgotten_after_180_days() {
    let app = TestApp::guarded().await;
    let token = device_token(&signed_up(&app, "ann@example.com").await);
    app.advance(TimeDelta::days(180) - TimeDelta::seconds(10));
    under_attack(&app).await;
    log_in(&app, WRONG, &token)
        .await
        .refused(401, "invalid_credentials");
    app.advance(TimeDelta::seconds(10));
    log_in(&app, PASSWORD, &token)
        .await
        .refused(429, "too_many_attempts");
}

#[actix_web::test]
async fn a_device_token_opens_nothing() {
    let app = TestApp::guarded().await;
    let token = device_token(&signed_up(&app, "ann@example.com").await);
    app.refresh(&token)
        .await
        .refused(401, "refresh_token_invalid");
    let request = app
        .request(reqwest::Method::GET, "/v1/me")
        .bearer_auth(&token);
    app.send(request).await.refused(401, "token_invalid");
    app.post("/v1/auth/logout", json!({ "refresh_token": token }))
        .await
        .is(204);
    log_in(&app, WRONG, &token)
        .await
        .refused(401, "invalid_credentials");
}
