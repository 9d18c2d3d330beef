//! Keys that have leaked: what was made with them is refused, on every replica and at the same moment, and nothing else
//! is.

use keyward::crypto::Purpose;
use keyward::services::{Keys, Rotation};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Person, TestApp};

const REVOKE: Rotation = Rotation {
    now: true,
    revoke: true,
};

/// Revokes on the first replica what all of them know 5 seconds later.
async fn revoke(purpose: Purpose, replicas: [&TestApp; 2]) {
    let [here, there] = replicas.map(|replica| &replica.app.services.keys);
    assert_eq!(here.rotate(purpose, REVOKE).await.unwrap().revoked, 1);
    there.reload().await.unwrap();
    replicas[0].advance(Keys::FOLLOWED_WITHIN);
}

async fn two() -> [TestApp; 2] {
    let app = TestApp::guarded().await;
    let replica = app
        .replica_with(|config| config.throttle.enabled = true)
        .await;
    [app, replica]
}

async fn log_in_on(app: &TestApp, device_token: &Value) -> u16 {
    let body =
        json!({ "email": "ann@example.com", "password": PASSWORD, "device_token": device_token });
    app.post("/v1/auth/login", body).await.status
}

async fn guess(app: &TestApp) -> u16 {
    app.log_in("ann@example.com", "not the password at all")
        .await
        .status
}

// JWT-07
#[actix_web::test]
async fn access_tokens_of_a_revoked_key_are_refused_everywhere_within_5_s() {
    let [app, replica] = two().await;
    let mut ann = app.sign_up("ann@example.com").await;
    app.app
        .services
        .keys
        .rotate(Purpose::AccessToken, REVOKE)
        .await
        .unwrap();
    replica.app.services.keys.reload().await.unwrap();
    // Until every replica knows of it, nothing changes.
    ann.me().await.is(200);
    ann.at(&replica).me().await.is(200);
    app.advance(Keys::FOLLOWED_WITHIN);
    ann.me().await.refused(401, "token_invalid");
    ann.at(&replica).me().await.refused(401, "token_invalid");
    let published = app.get("/.well-known/jwks.json").await.is(200);
    assert_eq!(published["keys"].as_array().unwrap().len(), 1);
    ann.refresh().await;
    ann.at(&replica).me().await.is(200);
}

#[actix_web::test]
async fn refresh_tokens_of_a_revoked_key_are_refused_and_sessions_end_with_their_access_token() {
    let [app, replica] = two().await;
    let ann = app.sign_up("ann@example.com").await;
    revoke(Purpose::RefreshMac, [&app, &replica]).await;
    for app in [&app, &replica] {
        let refused = app.refresh(&ann.refresh_token).await;
        refused.refused(401, "refresh_token_invalid");
        ann.at(app).me().await.is(200);
    }
    let again = ann.log_in_again().await;
    replica.refresh(&again.refresh_token).await.is(200);
}

#[actix_web::test]
async fn a_revoked_derivation_key_derives_nothing_and_ends_nothing() {
    let [app, replica] = two().await;
    let mut ann = app.sign_up("ann@example.com").await;
    let parent = ann.refresh_token.clone();
    ann.refresh().await;
    revoke(Purpose::RefreshDerivation, [&app, &replica]).await;
    // Within the grace, and the answer cannot be given again.
    let refused = replica.refresh(&parent).await;
    refused.refused(401, "refresh_token_invalid");
    ann.refresh().await;
    ann.at(&replica).refresh().await;
}

#[actix_web::test]
async fn device_tokens_of_a_revoked_key_name_no_device() {
    let [app, replica] = two().await;
    let body = json!({ "email": "ann@example.com", "password": PASSWORD });
    let device_token = app.post("/v1/auth/signup", body).await.is(201)["device_token"].clone();
    for _ in 0..5 {
        assert_eq!(guess(&app).await, 401);
    }
    assert_eq!(guess(&app).await, 429);
    assert_eq!(log_in_on(&replica, &device_token).await, 200);
    revoke(Purpose::DeviceMac, [&app, &replica]).await;
    for app in [&app, &replica] {
        assert_eq!(log_in_on(app, &device_token).await, 429);
    }
}

#[actix_web::test]
async fn logins_that_wait_for_their_second_factor_begin_again() {
    let [app, replica] = two().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, _) = ann.turn_on_two_factor().await;
    let challenge = ann.challenge().await;
    revoke(Purpose::ChallengeMac, [&app, &replica]).await;
    let code = authenticator.code(&app);
    let refused = replica.complete(&challenge, &code).await;
    refused.refused(401, "challenge_expired");
    let challenge = ann.challenge().await;
    replica.complete(&challenge, &code).await.is(200);
}

#[actix_web::test]
async fn with_another_key_counting_begins_anew() {
    let [app, replica] = two().await;
    app.sign_up("ann@example.com").await;
    for expected in [401, 401, 401, 401, 401, 429] {
        assert_eq!(guess(&app).await, expected);
    }
    revoke(Purpose::ThrottleSubject, [&app, &replica]).await;
    for expected in [401, 401, 401, 401, 401, 429] {
        assert_eq!(guess(&replica).await, expected);
    }
    assert_eq!(guess(&app).await, 429);
}

#[actix_web::test]
async fn secrets_of_authenticators_outlive_the_key_that_sealed_them() {
    let [app, replica] = two().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, _) = ann.turn_on_two_factor().await;
    revoke(Purpose::TotpSecret, [&app, &replica]).await;
    app.advance(chrono::TimeDelta::minutes(1));
    let keys = &app.app.services.keys;
    // Nothing else opens the secret so far.
    assert_eq!(keys.retire().await.unwrap(), 0);
    let log_in = async |here: &TestApp| {
        app.advance(chrono::TimeDelta::seconds(30));
        let challenge = ann.at(here).challenge().await;
        let code = authenticator.code(here);
        here.complete(&challenge, &code).await.is(200);
    };
    log_in(&replica).await;
    assert_eq!(keys.reseal().await.unwrap(), 1);
    assert_eq!(keys.reseal().await.unwrap(), 0);
    assert_eq!(keys.retire().await.unwrap(), 1);
    for app in [&app, &replica] {
        app.app.services.keys.reload().await.unwrap();
        log_in(app).await;
    }
}

#[actix_web::test]
async fn backup_codes_of_a_revoked_key_are_void() {
    let [app, replica] = two().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, codes) = ann.turn_on_two_factor().await;
    revoke(Purpose::BackupCode, [&app, &replica]).await;
    let challenge = ann.challenge().await;
    let refused = replica.complete_with_backup(&challenge, &codes[0]).await;
    refused.refused(401, "invalid_code");
    app.advance(chrono::TimeDelta::minutes(1));
    assert_eq!(app.app.services.keys.retire().await.unwrap(), 1);
    assert_eq!(app.count("select count(*) from backup_codes").await, 0);
    let challenge = ann.challenge().await;
    let code = authenticator.code(&app);
    let answer = replica.complete(&challenge, &code).await.is(200);
    Person::new(&app, &answer).me().await.is(200);
}

#[actix_web::test]
async fn a_next_key_that_has_leaked_never_becomes_active() {
    let [app, replica] = two().await;
    let keys = &app.app.services.keys;
    let ahead = Rotation::default();
    let next = keys.rotate(Purpose::AccessToken, ahead).await.unwrap();
    assert_eq!(
        keys.rotate(Purpose::AccessToken, REVOKE)
            .await
            .unwrap()
            .revoked,
        2
    );
    app.advance(chrono::TimeDelta::hours(2));
    replica.app.services.keys.reload().await.unwrap();
    for app in [&app, &replica] {
        let answer = app.get("/.well-known/jwks.json").await.is(200);
        let kids: Vec<&Value> = answer["keys"].as_array().unwrap().iter().collect();
        assert!(kids.len() == 1 && kids[0]["kid"] != json!(next.key.id));
    }
    app.sign_up("ann@example.com")
        .await
        .at(&replica)
        .me()
        .await
        .is(200);
    assert_eq!(keys.retire().await.unwrap(), 2);
}
