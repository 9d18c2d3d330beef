//! Killed at any moment, it comes back with everything it acknowledged, and clients recover.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::keyward::{Keyward, home};

#[tokio::test]
async fn killed_alone_or_with_its_database_it_recovers_by_itself() {
    let home = home();
    let mut keyward = Keyward::start(home.path());
    let ann = keyward.sign_up().await;
    for with_postgres in [false, true] {
        keyward.kill(with_postgres);
        keyward = Keyward::start(home.path());
        assert_eq!(keyward.get("/v1/me", &ann["access_token"]).await, 200);
        assert_eq!(keyward.refresh(&ann["refresh_token"]).await.0, 200);
        assert_eq!(keyward.log_in().await.0, 200);
    }
    assert!(keyward.stop().success());
}

fn start(home: &Path) -> Keyward {
    Keyward::start_with(home, |command| {
        command.env("KEYWARD_REFRESH_GRACE", "1s");
    })
}

/// Shows a token, and kills the service after a while, answered or not.
async fn refresh_and_kill(
    keyward: Keyward,
    token: &Value,
    moment: Duration,
    with_postgres: bool,
) -> Option<Value> {
    let shown = json!({ "refresh_token": token });
    let answered = tokio::select! {
        biased;
        () = tokio::time::sleep(moment) => None,
        answer = keyward.try_post("/v1/auth/refresh", &shown) => answer,
    };
    keyward.kill(with_postgres);
    answered.map(|(status, answer)| {
        assert_eq!(status, 200, "{answer}");
        answer["refresh_token"].clone()
    })
}

// RFT-16
#[tokio::test]
async fn killed_during_a_rotation_the_clients_retry_works() {
    let home = home();
    let mut keyward = start(home.path());
    let mut token = keyward.sign_up().await["refresh_token"].clone();
    let mut lost = 0;
    for round in 0..12 {
        // Past the grace, so that each round rotates.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let moment = Duration::from_micros(round * 1500);
        match refresh_and_kill(keyward, &token, moment, round % 2 == 1).await {
            Some(successor) => token = successor,
            None => lost += 1,
        }
        keyward = start(home.path());
        let (status, answer) = keyward.refresh(&token).await;
        assert_eq!(status, 200, "round {round}: {answer}");
        token = answer["refresh_token"].clone();
        assert_eq!(keyward.get("/v1/me", &answer["access_token"]).await, 200);
    }
    assert!(lost > 0, "no answer was lost: the test shows nothing");
    assert_eq!(
        count(
            &keyward,
            "select count(*) from sessions where ended_at is null"
        )
        .await,
        1
    );
    let failures = "select count(*) from security_events where outcome = 'failure'";
    assert_eq!(count(&keyward, failures).await, 0);
}

async fn count(keyward: &Keyward, statement: &'static str) -> i64 {
    let mut database = PgConnection::connect(&keyward.database_url())
        .await
        .unwrap();
    sqlx::query_scalar(statement)
        .fetch_one(&mut database)
        .await
        .unwrap()
}
