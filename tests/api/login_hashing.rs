//! Logging in and the work it makes: hashes by older parameters, and more of it than can be done.

use std::time::Duration;

use futures_util::future::join_all;
use keyward::config::{Argon2, Config};
use keyward::repositories::Db;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, TestApp};

const WRONG: &str = "wrong password, alas";

fn stronger(config: &mut Config) {
    config.passwords.argon2 = Argon2 {
        memory_kib: 32,
        iterations: 2,
        parallelism: 2,
    };
}

/// One hash at a time, each a good while, and nobody waits for a turn.
fn overloaded(config: &mut Config) {
    config.passwords.hash_concurrency = 1;
    config.passwords.hash_queue_timeout = Duration::ZERO;
    config.passwords.argon2 = Argon2 {
        memory_kib: 64 * 1024,
        iterations: 4,
        parallelism: 1,
    };
}

async fn stored(app: &TestApp) -> (String, Value) {
    let kept = app
        .json("select json_build_array(password_hash, credential_version)::text from users")
        .await;
    (kept[0].as_str().unwrap().to_owned(), kept[1].clone())
}

#[actix_web::test]
async fn a_login_brings_the_hash_to_the_parameters_of_today() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let (old, version) = stored(&app).await;
    assert!(old.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{old}");
    let newer = app.replica_with(stronger).await;
    newer.log_in("ann@example.com", WRONG).await.is(401);
    assert_eq!(stored(&app).await.0, old);
    newer.log_in("ann@example.com", PASSWORD).await.is(200);
    let (new, new_version) = stored(&app).await;
    assert!(new.starts_with("$argon2id$v=19$m=32,t=2,p=2$"), "{new}");
    assert_eq!(new_version, version);
    // The password is the same, so nothing else has ended.
    ann.me().await.is(200);
    app.refresh(&ann.refresh_token).await.is(200);
    newer.log_in("ann@example.com", WRONG).await.is(401);
    newer.log_in("ann@example.com", PASSWORD).await.is(200);
    assert_eq!(stored(&app).await.0, new);
}

#[actix_web::test]
async fn many_logins_at_once_bring_the_hash_up_and_all_succeed() {
    let app = TestApp::start().await;
    app.sign_up("ann@example.com").await;
    let newer = app.replica_with(stronger).await;
    for answer in join_all((0..10).map(|_| newer.log_in("ann@example.com", PASSWORD))).await {
        answer.is(200);
    }
    let (new, _) = stored(&app).await;
    assert!(new.starts_with("$argon2id$v=19$m=32,t=2,p=2$"), "{new}");
    newer.log_in("ann@example.com", PASSWORD).await.is(200);
}

#[actix_web::test]
async fn many_first_steps_at_once_bring_the_hash_up_and_all_succeed() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    ann.turn_on_two_factor().await;
    let newer = app.replica_with(stronger).await;
    for answer in join_all((0..10).map(|_| newer.log_in("ann@example.com", PASSWORD))).await {
        assert_eq!(answer.is(200)["status"], "two_factor_required");
    }
    let (new, _) = stored(&app).await;
    assert!(new.starts_with("$argon2id$v=19$m=32,t=2,p=2$"), "{new}");
}

#[actix_web::test]
async fn a_rehash_does_not_undo_a_change_of_password() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let id: uuid::Uuid = ann.user["id"].as_str().unwrap().parse().unwrap();
    let (seen, _) = stored(&app).await;
    app.tamper("update users set password_hash = 'changed'")
        .await;
    let db = Db::new(app.database_url()).unwrap();
    let mut conn = db.conn().await.unwrap();
    assert!(
        !conn
            .users()
            .rehash(id.into(), &seen, "again")
            .await
            .unwrap()
    );
    assert_eq!(stored(&app).await.0, "changed");
    assert!(
        conn.users()
            .rehash(id.into(), "changed", "again")
            .await
            .unwrap()
    );
    assert_eq!(stored(&app).await.0, "again");
}

/// A login under a request id that all share, so that answers can be compared.
async fn try_login(app: &TestApp, email: &str, password: &str) -> Answer {
    let request = app
        .request(Method::POST, "/v1/auth/login")
        .header("x-request-id", "one-for-all")
        .json(&json!({ "email": email, "password": password }));
    app.send(request).await
}

fn refused(answers: &[Answer]) -> Vec<String> {
    let refused = answers.iter().filter(|answer| answer.status == 503);
    refused.map(Answer::text).collect()
}

// LGN-03, INP-15
#[actix_web::test]
async fn too_many_logins_at_once_are_told_to_come_back_whoever_they_are() {
    let app = TestApp::with(overloaded).await;
    let ann = app.sign_up("ann@example.com").await;
    let storm = join_all((0..10).flat_map(|_| {
        [
            try_login(&app, "ann@example.com", PASSWORD),
            try_login(&app, "ann@example.com", WRONG),
            try_login(&app, "nobody@example.com", PASSWORD),
        ]
    }));
    // What needs no hash is served meanwhile.
    let (answers, me) = futures_util::future::join(storm, ann.me()).await;
    me.is(200);
    for answer in &answers {
        assert!(matches!(answer.status, 200 | 401 | 503), "{answer:?}");
        if answer.status == 503 {
            answer.refused(503, "overloaded");
            assert_eq!(answer.header("retry-after"), Some("1"));
        }
    }
    let all = refused(&answers);
    assert!(!all.is_empty() && all.len() < answers.len());
    assert!(all.iter().all(|body| *body == all[0]));
    for kind in 0..3 {
        let of_kind: Vec<_> = answers.iter().skip(kind).step_by(3).cloned().collect();
        assert!(!refused(&of_kind).is_empty(), "kind {kind}");
    }
    app.log_in("ann@example.com", PASSWORD).await.is(200);
}

#[actix_web::test]
async fn an_overload_changes_nothing_and_passes() {
    let app = TestApp::with(overloaded).await;
    let ann = app.sign_up("ann@example.com").await;
    let sign_up = |n: usize| {
        let body = json!({ "email": format!("p{n}@example.com"), "password": PASSWORD });
        app.post("/v1/auth/signup", body)
    };
    let (made, kept) = futures_util::future::join(
        join_all((0..10).map(sign_up)),
        join_all((0..10).map(|_| ann.delete(WRONG))),
    )
    .await;
    let done = made.iter().filter(|answer| answer.status == 201).count();
    assert!(done < 10);
    for answer in made.iter().filter(|answer| answer.status != 201) {
        answer.refused(503, "overloaded");
    }
    for answer in kept.iter().filter(|answer| answer.status != 403) {
        answer.refused(503, "overloaded");
    }
    let users = app.count("select count(*) from users").await;
    assert_eq!(users, i64::try_from(done).unwrap() + 1);
    ann.delete(PASSWORD).await.is(204);
}
