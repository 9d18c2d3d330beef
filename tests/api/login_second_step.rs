//! Logging in in two steps: the challenge, what it is good for, and what it is not.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::json;

use crate::support::{PASSWORD, Person, TestApp};

#[actix_web::test]
async fn a_right_password_gets_a_challenge_and_a_right_code_a_session() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, _) = ann.turn_on_two_factor().await;
    let asked = app.log_in("ann@example.com", PASSWORD).await.is(200);
    assert_eq!(asked["status"], "two_factor_required");
    assert_eq!(asked["expires_in"], 300);
    assert_eq!(asked["methods"], json!(["totp", "backup_code"]));
    let challenge = asked["challenge_token"].as_str().unwrap();
    let answer = app
        .complete(challenge, &authenticator.code(&app))
        .await
        .is(200);
    assert_eq!(answer["session"]["auth_methods"], json!(["pwd", "otp"]));
    assert_eq!(answer["user"]["two_factor_enabled"], true);
    Person::new(&app, &answer).me().await.is(200);
    let events = app.events().await;
    let end = events.iter().rev().take(2).rev();
    assert_eq!(end.collect::<Vec<_>>(), ["login_challenged", "logged_in"]);
}

// MFA-01, MFA-02
#[actix_web::test]
async fn a_challenge_is_good_for_nothing_else() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    ann.turn_on_two_factor().await;
    let sessions = app.count("select count(*) from sessions").await;
    let challenge = ann.challenge().await;
    assert_eq!(app.count("select count(*) from sessions").await, sessions);
    for (method, path) in [
        (Method::GET, "/v1/me"),
        (Method::GET, "/v1/me/sessions"),
        (Method::GET, "/v1/me/2fa"),
        (Method::DELETE, "/v1/me/sessions"),
    ] {
        let request = app.request(method, path).bearer_auth(&challenge);
        app.send(request).await.refused(401, "token_invalid");
    }
    app.refresh(&challenge)
        .await
        .refused(401, "refresh_token_invalid");
    let body = json!({ "refresh_token": challenge });
    app.post("/v1/auth/logout", body).await.is(204);
    ann.me().await.is(200);
    // It is no device's token either: the login is one from an unknown device.
    let body =
        json!({ "email": "ann@example.com", "password": PASSWORD, "device_token": challenge });
    let again = app.post("/v1/auth/login", body).await.is(200);
    assert_eq!(again["status"], "two_factor_required");
}

// MFA-09
#[actix_web::test]
async fn other_tokens_are_no_challenge() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, _) = ann.turn_on_two_factor().await;
    let challenge = ann.challenge().await;
    let mut broken = challenge.clone();
    broken.pop();
    broken.push(if challenge.ends_with('A') { 'B' } else { 'A' });
    for token in [
        "",
        "kwc_",
        "x",
        &broken,
        &format!("{challenge}A"),
        &challenge.replace("kwc_", "kwr_"),
        &ann.access_token,
        &ann.refresh_token,
        &ann.refresh_token.replace("kwr_", "kwc_"),
    ] {
        app.complete(token, &authenticator.code(&app))
            .await
            .refused(401, "challenge_expired");
    }
    app.complete(&challenge, &authenticator.code(&app))
        .await
        .is(200);
}

// MFA-09
#[actix_web::test]
async fn a_challenge_is_used_once() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, codes) = ann.turn_on_two_factor().await;
    let challenge = ann.challenge().await;
    app.complete(&challenge, &authenticator.code(&app))
        .await
        .is(200);
    app.advance(TimeDelta::seconds(30));
    app.complete(&challenge, &authenticator.code(&app))
        .await
        .refused(401, "challenge_expired");
    app.complete_with_backup(&challenge, &codes[0])
        .await
        .refused(401, "challenge_expired");
}

// MFA-09
#[actix_web::test]
async fn a_challenge_waits_for_five_minutes() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, _) = ann.turn_on_two_factor().await;
    let (early, late) = (ann.challenge().await, ann.challenge().await);
    app.advance(TimeDelta::seconds(299));
    app.complete(&early, &authenticator.code(&app))
        .await
        .is(200);
    app.advance(TimeDelta::seconds(1));
    app.complete(&late, &authenticator.code(&app))
        .await
        .refused(401, "challenge_expired");
}

// MFA-09: each person's code opens their own door.
#[actix_web::test]
async fn anothers_code_is_wrong() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let ben = app.sign_up("ben@example.com").await;
    ann.turn_on_two_factor().await;
    let (authenticator, codes) = ben.turn_on_two_factor().await;
    let challenge = ann.challenge().await;
    app.complete(&challenge, &authenticator.code(&app))
        .await
        .refused(401, "invalid_code");
    app.complete_with_backup(&challenge, &codes[0])
        .await
        .refused(401, "invalid_code");
}

// MFA-09: what has changed since the password was right voids the challenge.
#[actix_web::test]
async fn a_challenge_does_not_survive_a_change_of_the_account() {
    for change in [
        "update users set credential_version = credential_version + 1",
        "update users set disabled_at = now(), credential_version = credential_version + 1",
        "update users set disabled_at = now()",
        "delete from users",
    ] {
        let app = TestApp::start().await;
        let ann = app.sign_up("ann@example.com").await;
        let (authenticator, _) = ann.turn_on_two_factor().await;
        let challenge = ann.challenge().await;
        app.tamper(change).await;
        let sessions = app.count("select count(*) from sessions").await;
        for _ in 0..8 {
            app.complete(&challenge, &authenticator.code(&app))
                .await
                .refused(401, "challenge_expired");
        }
        assert_eq!(app.count("select count(*) from sessions").await, sessions);
        // A trace for each try there was.
        let traces = if change.starts_with("delete") { 0 } else { 5 };
        assert_eq!(app.events_of("login_refused").await, traces);
    }
}

// MFA-09, by what callers do
#[actix_web::test]
async fn a_challenge_does_not_survive_a_new_password_or_new_codes() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, _) = ann.turn_on_two_factor().await;
    let challenge = ann.challenge().await;
    let body = json!({ "password": PASSWORD, "code": authenticator.code(&app) });
    ann.post("/v1/me/2fa/backup-codes", body).await.is(200);
    app.advance(TimeDelta::seconds(30));
    app.complete(&challenge, &authenticator.code(&app))
        .await
        .refused(401, "challenge_expired");
    let challenge = ann.challenge().await;
    let body = json!({ "current_password": PASSWORD, "new_password": "amber kettle window 31" });
    ann.post("/v1/me/password", body).await.is(204);
    app.complete(&challenge, &authenticator.code(&app))
        .await
        .refused(401, "challenge_expired");
}

// MFA-10
#[actix_web::test]
async fn a_backup_code_signs_in_once_however_it_is_typed() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let (_, codes) = ann.turn_on_two_factor().await;
    let spellings = [
        codes[0].clone(),
        codes[1].to_uppercase(),
        codes[2].replace('-', ""),
        format!(" {} ", codes[3].replace('-', " ")),
    ];
    for typed in &spellings {
        let challenge = ann.challenge().await;
        let answer = app.complete_with_backup(&challenge, typed).await.is(200);
        assert_eq!(answer["session"]["auth_methods"], json!(["pwd", "otp"]));
    }
    for used in &codes[..4] {
        let challenge = ann.challenge().await;
        app.complete_with_backup(&challenge, used)
            .await
            .refused(401, "invalid_code");
    }
    let state = ann.call(Method::GET, "/v1/me/2fa", None).await.is(200);
    assert_eq!(state["backup_codes_remaining"], 6);
    assert_eq!(app.events_of("backup_code_used").await, 4);
    assert_eq!(app.events_of("second_factor_failed").await, 4);
}

#[actix_web::test]
async fn one_kind_of_code_is_needed_and_one_only() {
    let app = TestApp::start().await;
    let path = "/v1/auth/login/2fa";
    app.post(path, json!({ "challenge_token": "x" }))
        .await
        .invalid(&[("/code", "required")]);
    let both = json!({ "challenge_token": "x", "code": "123456", "backup_code": "x" });
    app.post(path, both)
        .await
        .invalid(&[("/backup_code", "mutually_exclusive")]);
    app.post(path, json!({ "challenge_token": "x", "code": "12345" }))
        .await
        .invalid(&[("/code", "invalid_format")]);
    app.post(
        path,
        json!({ "challenge_token": "x", "backup_code": "abcd" }),
    )
    .await
    .invalid(&[("/backup_code", "invalid_format")]);
}

#[actix_web::test]
async fn challenges_whose_time_is_over_are_deleted() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    ann.turn_on_two_factor().await;
    ann.challenge().await;
    app.advance(TimeDelta::minutes(4));
    ann.challenge().await;
    app.advance(TimeDelta::minutes(2));
    assert_eq!(app.app.services.login.purge().await.unwrap(), 1);
    assert_eq!(app.count("select count(*) from login_challenges").await, 1);
}
