//! Everybody locks users before sessions: what ends sessions and what deletes accounts never wait for each other in a
//! circle. And a right password is never called wrong because its hash was replaced meanwhile.

use chrono::TimeDelta;
use futures_util::future::{join, join_all};
use keyward::config::Argon2;
use reqwest::Method;
use serde_json::json;

use crate::support::{Browser, PASSWORD, Person, TestApp};

#[actix_web::test]
async fn leaving_and_logging_out_at_once_is_no_deadlock() {
    let app = TestApp::start().await;
    for round in 0..15 {
        let ann = app.sign_up(&format!("ann{round}@example.com")).await;
        let devices = join_all((0..5).map(|_| ann.log_in_again())).await;
        let leaving = ann.delete(PASSWORD);
        let logging_out = join_all(devices.iter().map(Person::log_out));
        let (left, logged_out) = join(leaving, logging_out).await;
        left.is(204);
        for answer in logged_out {
            answer.is(204);
        }
    }
    assert_eq!(app.count("select count(*) from users").await, 0);
}

#[actix_web::test]
async fn leaving_while_a_replaced_token_comes_back_is_no_deadlock() {
    let app = TestApp::start().await;
    for round in 0..15 {
        let mut ann = app.sign_up(&format!("ann{round}@example.com")).await;
        let stolen = ann.refresh_token.clone();
        for _ in 0..2 {
            ann.refresh().await;
            app.advance(TimeDelta::seconds(31));
        }
        let stolen = join_all((0..4).map(|_| app.refresh(&stolen)));
        let (left, refused) = join(ann.delete(PASSWORD), stolen).await;
        // The session may have been ended by the theft before it was asked for.
        assert!(
            left.status == 204 || left.json()["code"] == "session_ended",
            "{}",
            left.text()
        );
        for answer in refused {
            answer.refused(401, "refresh_token_invalid");
        }
    }
}

#[actix_web::test]
async fn a_right_password_is_right_while_its_hash_is_replaced() {
    let app = TestApp::start().await;
    let costly = Argon2 {
        memory_kib: 512,
        iterations: 2,
        parallelism: 1,
    };
    let other = app
        .replica_with(|config| config.passwords.argon2 = costly)
        .await;
    for round in 0..10 {
        let email = format!("ann{round}@example.com");
        let ann = app.sign_up(&email).await;
        let login = json!({ "email": email, "password": PASSWORD });
        let rehashing = other.post("/v1/auth/login", login);
        let (left, logged_in) = join(ann.delete(PASSWORD), rehashing).await;
        left.is(204);
        assert!(
            matches!(logged_in.status, 200 | 401),
            "{}",
            logged_in.text()
        );
    }
}

/// Both hold back until the other has what it needs too.
#[actix_web::test]
async fn two_first_steps_that_hash_anew_are_no_deadlock() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    ann.turn_on_two_factor().await;
    let costly = Argon2 {
        memory_kib: 32,
        iterations: 2,
        parallelism: 2,
    };
    let newer = app
        .replica_with(|config| config.passwords.argon2 = costly)
        .await;
    let mut gate = app.sql.begin().await.unwrap();
    let shut = "lock table security_events in exclusive mode";
    sqlx::raw_sql(shut).execute(&mut *gate).await.unwrap();
    let logins = join_all((0..2).map(|_| newer.log_in("ann@example.com", PASSWORD)));
    let (answers, ()) = join(logins, async {
        app.so_many_wait(2).await;
        gate.commit().await.unwrap();
    })
    .await;
    for answer in answers {
        answer.is(200);
    }
}

/// Signing up with a username that the owner of the browser's session is about to take.
#[actix_web::test]
async fn signing_up_over_a_cookie_while_its_owner_takes_the_name_is_no_deadlock() {
    let app = TestApp::with_pages().await;
    let browser = Browser::new(&app);
    let bob = browser.sign_up("bob@example.com").await.is(201);
    let mut gate = app.sql.begin().await.unwrap();
    let hold = "select from users for no key update";
    sqlx::raw_sql(hold).execute(&mut *gate).await.unwrap();
    let rename = app
        .request(Method::PATCH, "/v1/me")
        .bearer_auth(bob["access_token"].as_str().unwrap())
        .json(&json!({ "username": "robert" }));
    let (renamed, signed_up) = join(app.send(rename), async {
        app.so_many_wait(1).await;
        let body = json!({
            "email": "rob@example.com", "password": PASSWORD, "username": "robert", "token_transport": "cookie"
        });
        let (signed_up, ()) = join(browser.post("/v1/auth/signup", body), async {
            app.so_many_wait(2).await;
            gate.commit().await.unwrap();
        })
        .await;
        signed_up
    })
    .await;
    let statuses = (renamed.status, signed_up.status);
    assert!(matches!(statuses, (200, 409) | (409, 201)), "{statuses:?}");
}

#[actix_web::test]
async fn a_change_that_changes_nothing_leaves_no_trace() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let changed = ann
        .change(json!({ "display_name": "Ann", "username": "ann" }))
        .await
        .is(200);
    app.advance(TimeDelta::seconds(10));
    for same in [
        json!({}),
        json!({ "display_name": "Ann" }),
        json!({ "username": "ANN", "locale": null }),
    ] {
        assert_eq!(ann.change(same).await.is(200), changed);
    }
    assert_eq!(
        app.events().await,
        ["account_created", "logged_in", "profile_changed"]
    );
}
