//! Guessing the second factor: how many tries there are, whose they are, and what is left of them.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{Authenticator, PASSWORD, Person, TestApp};

async fn wrong(app: &TestApp, challenge: &str, authenticator: &Authenticator) {
    app.complete(challenge, &authenticator.wrong_code(app))
        .await
        .refused(401, "invalid_code");
}

/// Ten wrong codes, whatever the challenges.
async fn used_up(ann: &Person<'_>, authenticator: &Authenticator) {
    for _ in 0..2 {
        let challenge = ann.challenge().await;
        for _ in 0..5 {
            wrong(ann.app, &challenge, authenticator).await;
        }
    }
}

// MFA-06
#[actix_web::test]
async fn a_challenge_takes_five_tries() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, codes) = ann.turn_on_two_factor().await;
    let challenge = ann.challenge().await;
    for _ in 0..5 {
        wrong(&app, &challenge, &authenticator).await;
    }
    app.complete(&challenge, &authenticator.code(&app))
        .await
        .refused(401, "challenge_expired");
    app.complete_with_backup(&challenge, &codes[0])
        .await
        .refused(401, "challenge_expired");
    let next = ann.challenge().await;
    app.complete(&next, &authenticator.code(&app)).await.is(200);
}

// MFA-07
#[actix_web::test]
async fn new_challenges_bring_no_new_tries() {
    let app = TestApp::guarded().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, codes) = ann.turn_on_two_factor().await;
    used_up(&ann, &authenticator).await;
    let challenge = ann.challenge().await;
    let refused = app.complete(&challenge, &authenticator.code(&app)).await;
    refused.refused(429, "too_many_attempts");
    assert_eq!(refused.header("retry-after"), Some("3601"));
    app.complete_with_backup(&challenge, &codes[0])
        .await
        .refused(429, "too_many_attempts");
    app.advance(TimeDelta::hours(1));
    let challenge = ann.challenge().await;
    app.complete(&challenge, &authenticator.code(&app))
        .await
        .is(200);
}

// MFA-07: a login that was completed in between does not bring them back either.
#[actix_web::test]
async fn only_time_brings_new_tries() {
    let app = TestApp::guarded().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, _) = ann.turn_on_two_factor().await;
    for _ in 0..9 {
        let challenge = ann.challenge().await;
        wrong(&app, &challenge, &authenticator).await;
    }
    let challenge = ann.challenge().await;
    app.complete(&challenge, &authenticator.code(&app))
        .await
        .is(200);
    let challenge = ann.challenge().await;
    wrong(&app, &challenge, &authenticator).await;
    app.complete(&challenge, &authenticator.wrong_code(&app))
        .await
        .refused(429, "too_many_attempts");
}

// MFA-12
#[actix_web::test]
async fn both_kinds_of_code_are_counted_as_one_and_answered_alike() {
    let app = TestApp::guarded().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, codes) = ann.turn_on_two_factor().await;
    let no_code = codes[0].chars().rev().collect::<String>();
    let mut answers: Vec<Value> = Vec::new();
    for number in 0..10 {
        let challenge = ann.challenge().await;
        let answer = if number % 2 == 0 {
            app.complete(&challenge, &authenticator.wrong_code(&app))
                .await
        } else {
            app.complete_with_backup(&challenge, &no_code).await
        };
        let mut body = answer.is(401);
        body["request_id"] = json!(null);
        answers.push(body);
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    let challenge = ann.challenge().await;
    app.complete_with_backup(&challenge, &codes[0])
        .await
        .refused(429, "too_many_attempts");
}

// LGN-22: whoever knows the password does not shut the owner out of a device they have logged in on.
#[actix_web::test]
async fn a_known_device_has_tries_of_its_own() {
    let app = TestApp::guarded().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, _) = ann.turn_on_two_factor().await;
    let challenge = ann.challenge().await;
    let signed_in = app
        .complete(&challenge, &authenticator.code(&app))
        .await
        .is(200);
    app.advance(TimeDelta::seconds(30));
    used_up(&ann, &authenticator).await;
    let body = json!({
        "email": "ann@example.com", "password": PASSWORD, "device_token": signed_in["device_token"]
    });
    let asked = app.post("/v1/auth/login", body).await.is(200);
    let challenge = asked["challenge_token"].as_str().unwrap();
    wrong(&app, challenge, &authenticator).await;
    app.complete(challenge, &authenticator.code(&app))
        .await
        .is(200);
}

#[actix_web::test]
async fn wrong_codes_are_counted_by_address_too() {
    let app = TestApp::guarded().await;
    let mut people = Vec::new();
    for number in 0..4 {
        let person = app.sign_up(&format!("ann{number}@example.com")).await;
        let (authenticator, _) = person.turn_on_two_factor().await;
        people.push((person, authenticator));
    }
    for (person, authenticator) in &people[..3] {
        used_up(person, authenticator).await;
    }
    let email = people[3].0.user["email"].as_str().unwrap();
    app.log_in(email, PASSWORD)
        .await
        .refused(429, "too_many_attempts");
}

// The account's own counter is cleared by a completed login, and not by a right password.
#[actix_web::test]
async fn a_right_password_alone_clears_nothing() {
    let app = TestApp::guarded().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, _) = ann.turn_on_two_factor().await;
    for _ in 0..4 {
        app.log_in("ann@example.com", "not the password at all")
            .await
            .refused(401, "invalid_credentials");
    }
    let challenge = ann.challenge().await;
    app.log_in("ann@example.com", "not the password at all")
        .await
        .refused(401, "invalid_credentials");
    app.log_in("ann@example.com", PASSWORD)
        .await
        .refused(429, "too_many_attempts");
    app.complete(&challenge, &authenticator.code(&app))
        .await
        .is(200);
    app.log_in("ann@example.com", PASSWORD).await.is(200);
}

// MFA-26
#[actix_web::test]
async fn every_wrong_code_leaves_a_trace_and_a_refused_guess_none() {
    let app = TestApp::guarded().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, _) = ann.turn_on_two_factor().await;
    used_up(&ann, &authenticator).await;
    let challenge = ann.challenge().await;
    let before = app.events().await.len();
    for _ in 0..5 {
        app.complete(&challenge, &authenticator.wrong_code(&app))
            .await
            .refused(429, "too_many_attempts");
        app.complete("kwc_garbage", "123456")
            .await
            .refused(401, "challenge_expired");
    }
    assert_eq!(app.events().await.len(), before);
    assert_eq!(app.events_of("second_factor_failed").await, 10);
    let traced = "select count(*) from security_events
                  where event = 'second_factor_failed' and user_id is not null and ip_address is not null";
    assert_eq!(app.count(traced).await, 10);
}

// MFA-07: ten an hour would go on for ever.
#[actix_web::test]
async fn after_a_hundred_wrong_codes_in_a_row_there_is_one_a_day() {
    let app = TestApp::guarded().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, _) = ann.turn_on_two_factor().await;
    for _ in 0..10 {
        used_up(&ann, &authenticator).await;
        app.advance(TimeDelta::hours(1));
    }
    // Neither hours nor a purge bring more.
    app.advance(TimeDelta::hours(5));
    app.app.services.throttle.purge().await.unwrap();
    let challenge = ann.challenge().await;
    let refused = app.complete(&challenge, &authenticator.code(&app)).await;
    refused.refused(429, "too_many_attempts");
    app.advance(TimeDelta::hours(24));
    app.app.services.throttle.purge().await.unwrap();
    let challenge = ann.challenge().await;
    wrong(&app, &challenge, &authenticator).await;
    app.complete(&challenge, &authenticator.code(&app))
        .await
        .refused(429, "too_many_attempts");
    app.advance(TimeDelta::hours(24));
    let challenge = ann.challenge().await;
    app.complete(&challenge, &authenticator.code(&app))
        .await
        .is(200);
    // A right one begins the count anew.
    app.advance(TimeDelta::hours(1));
    used_up(&ann, &authenticator).await;
}

// MFA-03, MFA-07: one who has seen a code used pays for trying it.
#[actix_web::test]
async fn a_code_that_was_used_counts_as_a_wrong_one() {
    let app = TestApp::guarded().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, _) = ann.turn_on_two_factor().await;
    let code = authenticator.code(&app);
    let challenge = ann.challenge().await;
    app.complete(&challenge, &code).await.is(200);
    for _ in 0..2 {
        let challenge = ann.challenge().await;
        for _ in 0..5 {
            app.complete(&challenge, &code)
                .await
                .refused(401, "invalid_code");
        }
    }
    let challenge = ann.challenge().await;
    app.complete(&challenge, &code)
        .await
        .refused(429, "too_many_attempts");
}

#[actix_web::test]
async fn a_person_has_so_many_challenges_at_once() {
    let app = TestApp::guarded().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, _) = ann.turn_on_two_factor().await;
    let oldest = ann.challenge().await;
    for _ in 0..20 {
        app.advance(TimeDelta::seconds(1));
        ann.challenge().await;
    }
    assert_eq!(app.count("select count(*) from login_challenges").await, 20);
    app.complete(&oldest, &authenticator.code(&app))
        .await
        .refused(401, "challenge_expired");
}

// LGN-22
#[actix_web::test]
async fn whoever_knows_the_password_pushes_out_no_challenge_of_a_known_device() {
    let app = TestApp::guarded().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, _) = ann.turn_on_two_factor().await;
    let challenge = ann.challenge().await;
    let signed_in = app
        .complete(&challenge, &authenticator.code(&app))
        .await
        .is(200);
    app.advance(TimeDelta::seconds(60));
    let body = json!({
        "email": "ann@example.com", "password": PASSWORD, "device_token": signed_in["device_token"]
    });
    let asked = app.post("/v1/auth/login", body).await.is(200);
    for _ in 0..21 {
        ann.challenge().await;
    }
    let owners = asked["challenge_token"].as_str().unwrap();
    app.complete(owners, &authenticator.code(&app))
        .await
        .is(200);
}
