//! How fast requests may come from one address, whatever they ask: in memory, before anything that costs.

use chrono::TimeDelta;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, TestApp};

/// Behind a proxy on this machine, with everything limited.
async fn behind_a_proxy() -> TestApp {
    TestApp::with(|config| {
        config.throttle.enabled = true;
        config.http.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    })
    .await
}

async fn from(app: &TestApp, forwarded: &str, path: &str, body: &Value) -> Answer {
    let request = app
        .request(Method::POST, path)
        .header("x-forwarded-for", forwarded);
    app.send(request.json(body)).await
}

async fn sign_up(app: &TestApp, forwarded: &str, n: usize) -> Answer {
    let email = format!("p{n}@example.com");
    let body = json!({ "email": email, "password": PASSWORD });
    from(app, forwarded, "/v1/auth/signup", &body).await
}

/// As cheap as it gets: its shape is right, and it proves nothing.
async fn refresh(app: &TestApp, forwarded: &str) -> Answer {
    let body = json!({ "refresh_token": "kwr_garbage" });
    from(app, forwarded, "/v1/auth/refresh", &body).await
}

/// How many of so many at once are let through.
async fn passed(answers: impl IntoIterator<Item = impl Future<Output = Answer>>) -> usize {
    let answers = join_all(answers).await;
    for answer in answers.iter().filter(|answer| answer.status == 429) {
        answer.refused(429, "too_many_attempts");
        assert!(answer.json()["retry_after"].as_u64().unwrap() >= 1);
    }
    answers.iter().filter(|answer| answer.status != 429).count()
}

#[actix_web::test]
async fn thirty_sign_ups_pass_at_once_and_then_one_every_ten_seconds() {
    let app = behind_a_proxy().await;
    let many = (0..40).map(|n| sign_up(&app, "192.0.2.1", n));
    assert_eq!(passed(many).await, 30);
    assert_eq!(app.count("select count(*) from users").await, 30);
    let wait = sign_up(&app, "192.0.2.1", 50).await.is(429)["retry_after"].clone();
    assert_eq!(wait, 10);
    app.advance(TimeDelta::milliseconds(9_999));
    sign_up(&app, "192.0.2.1", 50).await.is(429);
    app.advance(TimeDelta::milliseconds(1));
    sign_up(&app, "192.0.2.1", 50).await.is(201);
    sign_up(&app, "192.0.2.1", 51).await.is(429);
    sign_up(&app, "192.0.2.2", 51).await.is(201);
}

#[actix_web::test]
async fn sixty_logins_pass_at_once_and_then_one_a_second() {
    let app = behind_a_proxy().await;
    app.sign_up("ann@example.com").await;
    let body = json!({ "email": "ann@example.com", "password": PASSWORD });
    let log_in = || from(&app, "192.0.2.1", "/v1/auth/login", &body);
    // One after the other: right ones at once would count as guesses until they are compared.
    for _ in 0..60 {
        log_in().await.is(200);
    }
    log_in().await.refused(429, "too_many_attempts");
    app.advance(TimeDelta::seconds(2));
    log_in().await.is(200);
    log_in().await.is(200);
    log_in().await.refused(429, "too_many_attempts");
}

#[actix_web::test]
async fn three_hundred_refreshes_pass_at_once_and_then_ten_a_second() {
    let app = behind_a_proxy().await;
    assert_eq!(
        passed((0..320).map(|_| refresh(&app, "192.0.2.1"))).await,
        300
    );
    app.advance(TimeDelta::seconds(1));
    assert_eq!(
        passed((0..20).map(|_| refresh(&app, "192.0.2.1"))).await,
        10
    );
    // Of another kind, and from another place.
    sign_up(&app, "192.0.2.1", 1).await.is(201);
    assert_eq!(
        passed((0..20).map(|_| refresh(&app, "192.0.2.2"))).await,
        20
    );
}

// LGN-20
#[actix_web::test]
async fn one_party_is_one_source() {
    let app = behind_a_proxy().await;
    let network = (0..310).map(|n| format!("2001:db8:1:2::{n:x}"));
    let sources: Vec<String> = network.collect();
    assert_eq!(
        passed(sources.iter().map(|source| refresh(&app, source))).await,
        300
    );
    refresh(&app, "2001:db8:1:3::1").await.is(401);
    assert_eq!(
        passed((0..310).map(|n| {
            let source = ["192.0.2.1", "::ffff:192.0.2.1"][n % 2];
            refresh(&app, source)
        }))
        .await,
        300
    );
}

// LGN-19
#[actix_web::test]
async fn what_a_client_says_of_its_address_changes_nothing() {
    let app = behind_a_proxy().await;
    let claims: Vec<String> = (0..310)
        .map(|n| format!("203.0.113.{}, 192.0.2.1", n % 256))
        .collect();
    assert_eq!(
        passed(claims.iter().map(|claim| refresh(&app, claim))).await,
        300
    );
    // Nobody is shut out by who speaks in their name.
    let direct = TestApp::guarded().await;
    assert_eq!(
        passed((0..310).map(|_| refresh(&direct, "203.0.113.9"))).await,
        310
    );
}

#[actix_web::test]
async fn this_machine_is_not_limited_nor_is_anybody_when_it_is_switched_off() {
    let app = behind_a_proxy().await;
    for source in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
        assert_eq!(passed((0..310).map(|_| refresh(&app, source))).await, 310);
    }
    let off = app.replica_with(|config| {
        config.http.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    });
    let off = off.await;
    assert_eq!(
        passed((0..310).map(|_| refresh(&off, "192.0.2.1"))).await,
        310
    );
}

// What is refused costs neither a hash nor a question to the database.
#[actix_web::test]
async fn a_flood_is_refused_before_the_database_is_asked() {
    let app = behind_a_proxy().await;
    let body = json!({ "email": "ann@example.com", "password": PASSWORD });
    for n in 0..30 {
        sign_up(&app, "192.0.2.1", n).await.is(201);
    }
    let logins = (0..60).map(|_| from(&app, "192.0.2.1", "/v1/auth/login", &body));
    join_all(logins).await;
    join_all((0..300).map(|_| refresh(&app, "192.0.2.1"))).await;
    app.sql.close().await;
    app.app.close();
    for _ in 0..10 {
        sign_up(&app, "192.0.2.1", 99)
            .await
            .refused(429, "too_many_attempts");
        refresh(&app, "192.0.2.1")
            .await
            .refused(429, "too_many_attempts");
        from(&app, "192.0.2.1", "/v1/auth/login", &body)
            .await
            .refused(429, "too_many_attempts");
    }
    // From elsewhere it is asked, and is not there.
    sign_up(&app, "192.0.2.2", 99)
        .await
        .refused(503, "unavailable");
}
