//! Turning the second factor off, new backup codes, leaving: the password and a code are asked for, and others' sessions
//! end.

use chrono::TimeDelta;
use futures_util::future::{join, join_all};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, Person, TestApp};

const WRONG: &str = "not the password at all";

async fn disable(person: &Person<'_>, proofs: Value) -> Answer {
    person.post("/v1/me/2fa/disable", proofs).await
}

async fn replace(person: &Person<'_>, code: &str) -> Answer {
    let body = json!({ "password": PASSWORD, "code": code });
    person.post("/v1/me/2fa/backup-codes", body).await
}

async fn leave(person: &Person<'_>, proofs: Value) -> Answer {
    person.post("/v1/me/delete", proofs).await
}

async fn remaining(person: &Person<'_>) -> Value {
    let state = person.call(Method::GET, "/v1/me/2fa", None).await.is(200);
    state["backup_codes_remaining"].clone()
}

// MFA-16
#[actix_web::test]
async fn turning_it_off_takes_the_password_and_a_code() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, _) = ann.turn_on_two_factor().await;
    let code = authenticator.code(&app);
    disable(&ann, json!({ "password": PASSWORD }))
        .await
        .invalid(&[("/code", "required")]);
    disable(&ann, json!({ "code": code }))
        .await
        .invalid(&[("/password", "required")]);
    disable(&ann, json!({ "password": WRONG, "code": code }))
        .await
        .refused(403, "wrong_password");
    let wrong = authenticator.wrong_code(&app);
    disable(&ann, json!({ "password": PASSWORD, "code": wrong }))
        .await
        .refused(403, "invalid_code");
    assert_eq!(ann.me().await.is(200)["two_factor_enabled"], true);

    disable(&ann, json!({ "password": PASSWORD, "code": code }))
        .await
        .is(204);
    let state = ann.call(Method::GET, "/v1/me/2fa", None).await.is(200);
    let off = json!({ "enabled": false, "enabled_at": null, "backup_codes_remaining": 0 });
    assert_eq!(state, off);
    assert_eq!(app.events_of("two_factor_disabled").await, 1);
    let answer = app.log_in("ann@example.com", PASSWORD).await.is(200);
    assert_eq!(answer["status"], "authenticated");
    disable(&ann, json!({ "password": PASSWORD, "code": code }))
        .await
        .refused(409, "two_factor_not_enabled");
}

#[actix_web::test]
async fn a_backup_code_turns_it_off_too() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let (_, codes) = ann.turn_on_two_factor().await;
    let both = json!({ "password": PASSWORD, "code": "123456", "backup_code": codes[0] });
    disable(&ann, both)
        .await
        .invalid(&[("/backup_code", "mutually_exclusive")]);
    disable(
        &ann,
        json!({ "password": PASSWORD, "backup_code": codes[0] }),
    )
    .await
    .is(204);
    assert_eq!(app.events_of("backup_code_used").await, 1);
}

// MFA-04: a code that signed in does not turn anything off.
#[actix_web::test]
async fn a_code_that_was_used_anywhere_is_used_everywhere() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, _) = ann.turn_on_two_factor().await;
    let code = authenticator.code(&app);
    let challenge = ann.challenge().await;
    app.complete(&challenge, &code).await.is(200);
    replace(&ann, &code).await.refused(403, "invalid_code");
    disable(&ann, json!({ "password": PASSWORD, "code": code }))
        .await
        .refused(403, "invalid_code");
    leave(&ann, json!({ "password": PASSWORD, "code": code }))
        .await
        .refused(403, "invalid_code");
    app.advance(TimeDelta::seconds(30));
    replace(&ann, &authenticator.code(&app)).await.is(200);
}

// MFA-20
#[actix_web::test]
async fn new_backup_codes_void_the_old_ones() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, old) = ann.turn_on_two_factor().await;
    let answer = replace(&ann, &authenticator.code(&app)).await.is(200);
    let new: Vec<&str> = answer["backup_codes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|code| code.as_str().unwrap())
        .collect();
    assert_eq!(new.len(), 10);
    assert_eq!(remaining(&ann).await, 10);
    let challenge = ann.challenge().await;
    app.complete_with_backup(&challenge, &old[0])
        .await
        .refused(401, "invalid_code");
    app.complete_with_backup(&challenge, new[0]).await.is(200);
    assert_eq!(remaining(&ann).await, 9);
    assert_eq!(app.events_of("backup_codes_replaced").await, 1);
}

// MFA-20
#[actix_web::test]
async fn new_backup_codes_take_the_password_and_a_code_of_the_app() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    replace(&ann, "123456")
        .await
        .refused(409, "two_factor_not_enabled");
    let (authenticator, codes) = ann.turn_on_two_factor().await;
    let path = "/v1/me/2fa/backup-codes";
    let with = |password: &str, code: &str| json!({ "password": password, "code": code });
    ann.post(path, with(WRONG, &authenticator.code(&app)))
        .await
        .refused(403, "wrong_password");
    ann.post(path, with(PASSWORD, &authenticator.wrong_code(&app)))
        .await
        .refused(403, "invalid_code");
    let backup = json!({ "password": PASSWORD, "backup_code": codes[0] });
    let refused = ann.post(path, backup).await.is(422);
    assert_eq!(refused["code"], "validation_failed");
    assert_eq!(remaining(&ann).await, 10);
}

// SES: each change of the second factor ends the other sessions at once, on every replica.
#[actix_web::test]
async fn the_other_sessions_end_and_this_one_goes_on() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let ann = app.sign_up("ann@example.com").await;
    let other = ann.log_in_again().await;
    let (authenticator, _) = ann.turn_on_two_factor().await;
    other.at(&replica).me().await.refused(401, "session_ended");

    let step = async || {
        app.advance(TimeDelta::seconds(30));
        let challenge = ann.challenge().await;
        let answer = app.complete(&challenge, &authenticator.code(&app)).await;
        app.advance(TimeDelta::seconds(30));
        Person::new(&app, &answer.is(200))
    };
    let other = step().await;
    replace(&ann, &authenticator.code(&app)).await.is(200);
    other.at(&replica).me().await.refused(401, "session_ended");

    let other = step().await;
    let proofs = json!({ "password": PASSWORD, "code": authenticator.code(&app) });
    disable(&ann, proofs).await.is(204);
    other.at(&replica).me().await.refused(401, "session_ended");
    ann.me().await.is(200);
}

#[actix_web::test]
async fn the_other_sessions_go_on_when_asked_to() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let other = ann.log_in_again().await;
    let authenticator = ann.enable_two_factor().await;
    let body = json!({ "code": authenticator.code(&app), "end_other_sessions": false });
    ann.post("/v1/me/2fa/verify", body).await.is(200);
    for path in ["/v1/me/2fa/backup-codes", "/v1/me/2fa/disable"] {
        app.advance(TimeDelta::seconds(30));
        let code = authenticator.code(&app);
        let body = json!({ "password": PASSWORD, "code": code, "end_other_sessions": false });
        assert!(ann.post(path, body).await.status < 300);
    }
    other.me().await.is(200);
    assert_eq!(app.events_of("session_revoked").await, 0);
}

#[actix_web::test]
async fn leaving_takes_a_code_where_there_is_a_second_factor() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, codes) = ann.turn_on_two_factor().await;
    leave(&ann, json!({ "password": PASSWORD }))
        .await
        .invalid(&[("/code", "required")]);
    let wrong = authenticator.wrong_code(&app);
    leave(&ann, json!({ "password": PASSWORD, "code": wrong }))
        .await
        .refused(403, "invalid_code");
    let both = json!({ "password": PASSWORD, "code": wrong, "backup_code": codes[0] });
    leave(&ann, both)
        .await
        .invalid(&[("/backup_code", "mutually_exclusive")]);
    let backup = json!({ "password": PASSWORD, "backup_code": codes[0] });
    leave(&ann, backup).await.is(204);
    let left = "select (select count(*) from users) + (select count(*) from totp_factors)
                    + (select count(*) from backup_codes)";
    assert_eq!(app.count(left).await, 0);
}

#[actix_web::test]
async fn leaving_takes_no_code_where_there_is_none() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    leave(&ann, json!({ "password": PASSWORD, "code": "123456" }))
        .await
        .is(204);
}

#[actix_web::test]
async fn guesses_inside_a_session_are_counted_however_many_come_at_once() {
    let app = TestApp::guarded().await;
    let replica = app
        .replica_with(|config| config.throttle.enabled = true)
        .await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, _) = ann.turn_on_two_factor().await;
    let there = ann.at(&replica);
    let guess = json!({ "password": PASSWORD, "code": authenticator.wrong_code(&app) });
    let people = [&ann, &there];
    let answers = join_all((0..40).map(|n| disable(people[n % 2], guess.clone()))).await;
    let compared = answers.iter().filter(|answer| answer.status == 403).count();
    assert_eq!(compared, 10);
    let right = json!({ "password": PASSWORD, "code": authenticator.code(&app) });
    disable(&ann, right.clone())
        .await
        .refused(429, "too_many_attempts");
    replace(&ann, &authenticator.code(&app))
        .await
        .refused(429, "too_many_attempts");
    // Logging in has a budget of its own.
    let challenge = ann.challenge().await;
    app.complete(&challenge, &authenticator.code(&app))
        .await
        .is(200);
}

#[actix_web::test]
async fn of_many_at_once_with_one_code_one_is_carried_out() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, codes) = ann.turn_on_two_factor().await;
    let code = authenticator.code(&app);
    let answers = join_all((0..10).map(|_| replace(&ann, &code))).await;
    let won = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(won, 1, "{answers:?}");
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.refused(403, "invalid_code");
    }
    assert_eq!(app.count("select count(*) from backup_codes").await, 10);
    assert_eq!(app.events_of("backup_codes_replaced").await, 1);
    assert_eq!(codes.len(), 10);
}

/// The factor is replaced by another after the code was compared, and before it is spent.
#[actix_web::test]
async fn a_code_of_a_factor_that_is_gone_does_nothing_to_the_next_one() {
    for path in [
        "/v1/me/2fa/disable",
        "/v1/me/2fa/backup-codes",
        "/v1/me/delete",
    ] {
        let app = TestApp::start().await;
        let ann = app.sign_up("ann@example.com").await;
        let (authenticator, _) = ann.turn_on_two_factor().await;
        let code = authenticator.code(&app);
        let mut changing = app.sql.begin().await.unwrap();
        // As turning it off and on again leaves it.
        let change = "update users set credential_version = credential_version + 2;
                      update totp_factors set credential_version = credential_version + 2, sealed_secret = sealed_secret || '\\x00', last_step = 0";
        sqlx::raw_sql(change).execute(&mut *changing).await.unwrap();
        let proofs = json!({ "password": PASSWORD, "code": code });
        let (answer, ()) = join(ann.post(path, proofs), async {
            app.somebody_waits().await;
            changing.commit().await.unwrap();
        })
        .await;
        answer.refused(403, "invalid_code");
        assert_eq!(app.events_of("code_refused").await, 1, "{path}");
    }
}
