//! Everybody locks users before sessions: what ends sessions and what deletes accounts never wait for each other in a
//! circle. And a right password is never called wrong because its hash was replaced meanwhile.

use chrono::TimeDelta;
use futures_util::future::{join, join_all};
use keyward::config::Argon2;
use serde_json::json;

use crate::support::{PASSWORD, Person, TestApp};

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
