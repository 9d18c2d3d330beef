//! Guessing at passwords: counted before it is looked at, slowed down, and never for good.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;
use keyward::config::Config;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, TestApp};

const WRONG: &str = "not the password at all";

async fn guess(app: &TestApp, email: &str) -> Answer {
    app.log_in(email, WRONG).await
}

/// Guesses until the account is throttled.
async fn exhaust(app: &TestApp, email: &str) {
    for _ in 0..5 {
        guess(app, email).await.refused(401, "invalid_credentials");
    }
    guess(app, email).await.refused(429, "too_many_attempts");
}

fn retry_after(answer: &Answer) -> i64 {
    answer.is(429)["retry_after"].as_i64().unwrap()
}

// LGN-17
#[actix_web::test]
async fn after_five_guesses_one_waits_and_then_the_right_password_works() {
    let app = TestApp::guarded().await;
    app.sign_up("ann@example.com").await;
    exhaust(&app, "ann@example.com").await;
    let blocked = app.log_in("ann@example.com", PASSWORD).await;
    assert!(
        (1..=31).contains(&retry_after(&blocked)),
        "the right password waits like a wrong one"
    );
    app.advance(TimeDelta::seconds(retry_after(&blocked)));
    app.log_in("ann@example.com", PASSWORD).await.is(200);
    // A completed login clears the account.
    exhaust(&app, "ann@example.com").await;
}

#[actix_web::test]
async fn waits_grow_and_end_at_an_hour() {
    let app = TestApp::guarded().await;
    app.sign_up("ann@example.com").await;
    exhaust(&app, "ann@example.com").await;
    let mut waits = Vec::new();
    for _ in 0..9 {
        let wait = retry_after(&guess(&app, "ann@example.com").await);
        waits.push(wait);
        app.advance(TimeDelta::seconds(wait));
        guess(&app, "ann@example.com")
            .await
            .refused(401, "invalid_credentials");
    }
    let doubled = [30, 60, 120, 240, 480, 960, 1920, 3600, 3600];
    assert!(
        waits
            .iter()
            .zip(doubled)
            .all(|(wait, most)| (most..=most + 1).contains(wait)),
        "{waits:?}"
    );
}

// LGN-29
#[actix_web::test]
async fn an_account_that_does_not_exist_is_throttled_alike() {
    let app = TestApp::guarded().await;
    app.sign_up("ann@example.com").await;
    exhaust(&app, "ann@example.com").await;
    exhaust(&app, "nobody@example.com").await;
    let without_id = |mut body: Value| {
        body.as_object_mut().unwrap().remove("request_id");
        body
    };
    let known = guess(&app, "ann@example.com").await;
    let unknown = guess(&app, "nobody@example.com").await;
    assert_eq!(without_id(known.is(429)), without_id(unknown.is(429)));
    assert_eq!(known.header("retry-after"), unknown.header("retry-after"));
}

// LGN-04, LGN-18
#[actix_web::test]
async fn every_spelling_of_an_account_is_one() {
    let app = TestApp::guarded().await;
    let body = json!({ "email": "ann@example.com", "username": "ann", "password": PASSWORD });
    app.post("/v1/auth/signup", body).await.is(201);
    for spelling in [
        "ann@example.com",
        "ANN@Example.COM",
        " ann@example.com",
        "ａｎｎ@example.com",
    ] {
        guess(&app, spelling)
            .await
            .refused(401, "invalid_credentials");
    }
    let by_name = json!({ "username": "ANN", "password": WRONG });
    app.post("/v1/auth/login", by_name.clone())
        .await
        .refused(401, "invalid_credentials");
    app.post("/v1/auth/login", by_name)
        .await
        .refused(429, "too_many_attempts");
    guess(&app, "ann@example.com")
        .await
        .refused(429, "too_many_attempts");
    for spelling in [
        "no@example.com",
        "NO@example.com",
        "no@EXAMPLE.com ",
        "nO@example.com",
        "No@example.com",
    ] {
        guess(&app, spelling)
            .await
            .refused(401, "invalid_credentials");
    }
    guess(&app, "no@example.com")
        .await
        .refused(429, "too_many_attempts");
}

// LGN-21, OPS-12
#[actix_web::test]
async fn two_hundred_guesses_at_once_on_two_replicas_get_no_more_tries_than_one_after_the_other() {
    let patient = |config: &mut Config| {
        config.throttle.enabled = true;
        // However slow the machine: what is compared is counted here, not how soon.
        config.passwords.hash_queue_timeout = Duration::from_mins(1);
    };
    let app = TestApp::with(patient).await;
    let other = app.replica_with(patient).await;
    app.sign_up("ann@example.com").await;
    let guesses = (0..200).map(|n| {
        let app = if n % 2 == 0 { &app } else { &other };
        let password = if n == 137 { PASSWORD } else { WRONG };
        async move { app.log_in("ann@example.com", password).await.status }
    });
    let statuses = join_all(guesses).await;
    let count = |status| statuses.iter().filter(|found| **found == status).count();
    assert!(count(401) >= 4, "{} compared", count(401));
    // The right password among the first clears the account once.
    let most = if count(200) == 1 { 10 } else { 5 };
    assert!(
        count(401) + count(200) <= most + 1,
        "{} compared",
        count(401) + count(200)
    );
    assert_eq!(count(401) + count(200) + count(429), 200);
}

// LGN-24
#[actix_web::test]
async fn a_right_password_is_no_guess() {
    let app = TestApp::guarded().await;
    app.sign_up("ann@example.com").await;
    for _ in 0..10 {
        app.log_in("ann@example.com", PASSWORD).await.is(200);
    }
    for _ in 0..4 {
        guess(&app, "ann@example.com")
            .await
            .refused(401, "invalid_credentials");
    }
    app.log_in("ann@example.com", PASSWORD).await.is(200);
    exhaust(&app, "ann@example.com").await;
}

#[actix_web::test]
async fn a_disabled_account_is_asked_after_no_more_often_than_any_other() {
    let app = TestApp::guarded().await;
    app.sign_up("ann@example.com").await;
    app.tamper("update users set disabled_at = created_at")
        .await;
    for _ in 0..5 {
        app.log_in("ann@example.com", PASSWORD)
            .await
            .refused(403, "account_disabled");
    }
    app.log_in("ann@example.com", PASSWORD)
        .await
        .refused(429, "too_many_attempts");
    assert_eq!(app.events_of("login_refused").await, 5);
}

// An address without tries of its own neither prolongs an account's wait nor leaves a row.
#[actix_web::test]
async fn an_address_that_is_refused_reaches_no_account() {
    let app = TestApp::guarded().await;
    app.sign_up("ann@example.com").await;
    for number in 0..30 {
        guess(&app, &format!("u{number}@example.com"))
            .await
            .refused(401, "invalid_credentials");
    }
    let rows = "select coalesce(json_agg(t order by subject), '[]')::text from throttles t";
    let before = app.json(rows).await;
    for email in ["ann@example.com", "nobody@example.com", "u1@example.com"] {
        for _ in 0..7 {
            guess(&app, email).await.refused(429, "too_many_attempts");
        }
    }
    assert_eq!(app.json(rows).await, before);
}

#[actix_web::test]
async fn counters_that_slow_nobody_down_are_deleted() {
    let app = TestApp::guarded().await;
    let ann = app.sign_up("ann@example.com").await;
    guess(&app, "nobody@example.com")
        .await
        .refused(401, "invalid_credentials");
    app.log_in("ann@example.com", PASSWORD).await.is(200);
    ann.delete("not the password at all")
        .await
        .refused(403, "wrong_password");
    let throttle = &app.app.services.throttle;
    throttle.purge().await.unwrap();
    // The stranger's account and address, and Ann's prompt.
    assert_eq!(app.count("select count(*) from throttles").await, 3);
    app.advance(TimeDelta::hours(24));
    assert_eq!(throttle.purge().await.unwrap(), 3);
}

// LGN-23
#[actix_web::test]
async fn one_address_that_tries_many_accounts_is_slowed_down_by_time_alone() {
    let app = TestApp::guarded().await;
    app.sign_up("ann@example.com").await;
    for number in 0..30 {
        guess(&app, &format!("u{number}@example.com"))
            .await
            .refused(401, "invalid_credentials");
    }
    let blocked = guess(&app, "another@example.com").await;
    assert!((1..=301).contains(&retry_after(&blocked)));
    app.log_in("ann@example.com", PASSWORD)
        .await
        .refused(429, "too_many_attempts");
    app.advance(TimeDelta::seconds(retry_after(&blocked)));
    app.log_in("ann@example.com", PASSWORD).await.is(200);
}

// A right login that was under way all the while gives its own try back, and none of the others'.
#[actix_web::test]
async fn a_try_given_back_opens_no_window_anew() {
    let app = TestApp::guarded().await;
    app.sign_up("ann@example.com").await;
    app.log_in("ann@example.com", WRONG)
        .await
        .refused(401, "invalid_credentials");
    app.log_in("ann@example.com", PASSWORD).await.is(200);
    app.advance(TimeDelta::minutes(5));
    let mut compared = 0;
    for round in 0..3 {
        let guesses = (0..29).map(|n| {
            let email = format!("u{round}-{n}@example.com");
            let app = &app;
            async move { guess(app, &email).await.status }
        });
        let right = app.log_in("ann@example.com", PASSWORD);
        let (_, statuses) = futures_util::future::join(right, join_all(guesses)).await;
        compared += statuses.iter().filter(|status| **status == 401).count();
        app.advance(TimeDelta::seconds(1));
    }
    assert!(compared <= 30, "{compared} compared within five minutes");
}

// LGN-19
#[actix_web::test]
async fn a_made_up_address_header_changes_nothing() {
    let app = TestApp::guarded().await;
    for number in 0..31 {
        let login = json!({ "email": format!("u{number}@example.com"), "password": WRONG });
        let request = app.request(Method::POST, "/v1/auth/login").json(&login);
        let request = [
            "x-forwarded-for",
            "forwarded",
            "x-real-ip",
            "cf-connecting-ip",
            "true-client-ip",
        ]
        .iter()
        .fold(request, |request, name| {
            request.header(*name, format!("198.51.100.{number}"))
        });
        let answer = app.send(request).await;
        assert_eq!(answer.status, if number < 30 { 401 } else { 429 });
    }
}

#[actix_web::test]
async fn a_throttled_guess_writes_nothing() {
    let app = TestApp::guarded().await;
    app.sign_up("ann@example.com").await;
    exhaust(&app, "ann@example.com").await;
    let everything =
        "select json_build_array((select json_agg(t order by subject) from throttles t),
        (select json_agg(e order by id) from security_events e))::text";
    let before = app.json(everything).await;
    for _ in 0..10 {
        guess(&app, "ann@example.com")
            .await
            .refused(429, "too_many_attempts");
    }
    assert_eq!(app.json(everything).await, before);
    let failed =
        "select count(*) from security_events where event = 'login_failed' and user_id is not null";
    assert_eq!(app.count(failed).await, 5);
}

// AUD-06
#[actix_web::test]
async fn counters_and_events_name_no_identifier_that_was_typed() {
    let app = TestApp::guarded().await;
    guess(&app, "secret-typed-in-the-wrong-field@example.com")
        .await
        .refused(401, "invalid_credentials");
    let everything = app.json("select json_build_array((select json_agg(t) from throttles t), (select json_agg(e) from security_events e))::text").await;
    assert!(
        !everything.to_string().contains("secret-typed"),
        "{everything}"
    );
    assert_eq!(app.events().await, ["login_failed"]);
}

#[actix_web::test]
async fn counting_can_be_switched_off() {
    let app = TestApp::start().await;
    for _ in 0..40 {
        guess(&app, "ann@example.com")
            .await
            .refused(401, "invalid_credentials");
    }
    assert_eq!(app.count("select count(*) from throttles").await, 0);
}
