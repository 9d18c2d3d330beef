//! The service while its database is away, does not answer, and is back.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::RequestBuilder;
use serde_json::json;

use crate::support::clock::TestClock;
use crate::support::database::TestDatabase;
use crate::support::{Answer, Everybody, Network, PASSWORD, Person, TestApp};

async fn start() -> (TestApp, Network) {
    let (database, network) = TestDatabase::behind_a_network().await;
    let clock = Arc::new(TestClock::stopped());
    (TestApp::on(Rc::new(database), clock, |_| {}).await, network)
}

pub(crate) async fn timed(answer: impl Future<Output = Answer>) -> (Answer, Duration) {
    let start = Instant::now();
    (answer.await, start.elapsed())
}

/// Everything that needs the database is told so, in time, and nothing of it is told.
pub(crate) async fn everything_is_refused_in_time(everybody: &Everybody<'_>) {
    refused_in_time(everybody.ann.app, everybody.requests()).await;
}

/// The same of these.
pub(crate) async fn refused_in_time(app: &TestApp, requests: Vec<(String, RequestBuilder)>) {
    let answers = requests.into_iter().map(|(name, request)| async move {
        let (answer, took) = timed(app.send(request)).await;
        (name, answer, took)
    });
    for (name, answer, took) in join_all(answers).await {
        assert_eq!(answer.status, 503, "{name}: {}", answer.text());
        answer.refused(503, "unavailable");
        assert_eq!(answer.header("retry-after"), Some("1"), "{name}");
        assert_eq!(answer.header("www-authenticate"), None, "{name}");
        let members = answer.json();
        let members: Vec<_> = members.as_object().unwrap().keys().collect();
        let told = [
            "type",
            "title",
            "status",
            "code",
            "request_id",
            "retry_after",
        ];
        assert_eq!(members, told, "{name}");
        assert!(took < Duration::from_secs(3), "{name}: {took:?}");
    }
}

/// What is known to be wrong without asking, and what needs no database.
pub(crate) async fn the_rest_goes_on(ann: &Person<'_>) {
    let app = ann.app;
    app.get("/health/live").await.is(200);
    app.get("/.well-known/jwks.json").await.is(200);
    app.get("/nothing").await.refused(404, "not_found");
    app.refresh("kwr_garbage")
        .await
        .refused(401, "refresh_token_invalid");
    app.post("/v1/auth/logout", json!({ "refresh_token": "garbage" }))
        .await
        .is(204);
    let mut nobody = ann.clone();
    nobody.access_token.push('x');
    nobody.me().await.refused(401, "token_invalid");
    app.get("/v1/me").await.refused(401, "token_missing");
    app.post("/v1/auth/signup", json!({ "email": "x", "password": "x" }))
        .await
        .invalid(&[("/email", "invalid_format"), ("/password", "too_short")]);
    app.post_raw("/v1/auth/login", "application/json", "{")
        .await
        .refused(400, "malformed_json");
}

/// Whether everything works, within two seconds of the moment the database is back.
pub(crate) async fn everything_works_again(ann: &Person<'_>) {
    ann.app.clock.catch_up();
    let back = Instant::now();
    ann.app.get("/health/ready").await.is(200);
    ann.me().await.is(200);
    let mut again = ann.log_in_again().await;
    again.refresh().await;
    ann.app.sign_up("later@example.com").await;
    again.log_out().await.is(204);
    assert!(back.elapsed() < Duration::from_secs(2));
}

#[actix_web::test]
async fn without_a_database_what_needs_it_is_unavailable_within_three_seconds() {
    let (app, network) = start().await;
    let everybody = Everybody::of(&app).await;
    let ann = &everybody.ann;
    network.fail();
    everything_is_refused_in_time(&everybody).await;
    the_rest_goes_on(ann).await;
    network.work();
    everything_works_again(ann).await;
    assert_eq!(ann.me().await.is(200), {
        let mut user = ann.user.clone();
        user["last_login_at"] = ann.me().await.json()["last_login_at"].clone();
        user
    });
}

#[actix_web::test]
async fn a_database_that_does_not_answer_is_waited_for_less_than_three_seconds() {
    let (app, network) = start().await;
    let everybody = Everybody::of(&app).await;
    let ann = &everybody.ann;
    // A pool with connections that will hang in use, and that new ones will have to replace.
    join_all((0..8).map(|_| ann.me())).await;
    network.hang();
    everything_is_refused_in_time(&everybody).await;
    the_rest_goes_on(ann).await;
    network.work();
    everything_works_again(ann).await;
}

/// Signs up forty people; the network goes down when ten of them are in.
async fn storm(app: &TestApp, network: &Network, down: fn(&Network)) -> Vec<(String, Answer)> {
    let done = Cell::new(0);
    let sign_up = |n: usize| {
        let (done, email) = (&done, format!("p{n}@example.com"));
        async move {
            let body = json!({ "email": email, "password": PASSWORD });
            let answer = app.post("/v1/auth/signup", body).await;
            done.set(done.get() + 1);
            if done.get() == 10 {
                down(network);
            }
            (email, answer)
        }
    };
    let answers = join_all((0..40).map(sign_up)).await;
    network.work();
    app.get("/health/ready").await.is(200);
    answers
}

async fn survives(down: fn(&Network)) {
    let (app, network) = start().await;
    let answers = storm(&app, &network, down).await;
    let acknowledged = answers.iter().filter(|(_, answer)| answer.status == 201);
    let acknowledged = acknowledged.count();
    assert!((10..answers.len()).contains(&acknowledged));
    for (email, answer) in &answers {
        let known = app.log_in(email, PASSWORD).await.status;
        if answer.status == 201 {
            assert_eq!(known, 200, "{email}");
        } else {
            answer.refused(503, "unavailable");
            // Whether it was made is not known; it is there whole, or not at all.
            assert!(matches!(known, 200 | 401), "{email}");
        }
    }
    let torn = "select count(*) from users u
                where not exists (select from sessions s where s.user_id = u.id)
                   or 1 <> (select count(*) from security_events e
                            where e.user_id = u.id and e.event = 'account_created')";
    assert_eq!(app.count(torn).await, 0);
}

#[actix_web::test]
async fn what_was_acknowledged_is_there_after_the_database_went_away() {
    survives(Network::fail).await;
}

#[actix_web::test]
async fn what_was_acknowledged_is_there_after_the_database_hung() {
    survives(Network::hang).await;
}

#[actix_web::test]
async fn connections_that_the_database_closed_are_replaced_unseen() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    for _ in 0..3 {
        join_all((0..8).map(|_| ann.me())).await;
        app.tamper(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity
             where datname = current_database() and application_name like 'keyward%'",
        )
        .await;
        ann.me().await.is(200);
        ann.log_in_again().await;
    }
}

/// More callers than connections: nobody waits for the wait of somebody else.
#[actix_web::test]
async fn nobody_waits_longer_because_many_wait() {
    let (app, network) = start().await;
    let ann = app.sign_up("ann@example.com").await;
    network.hang();
    for (answer, took) in join_all((0..40).map(|_| timed(ann.me()))).await {
        answer.refused(503, "unavailable");
        assert!(took < Duration::from_secs(3), "{took:?}");
    }
    network.work();
    let back = Instant::now();
    app.get("/health/ready").await.is(200);
    ann.me().await.is(200);
    assert!(back.elapsed() < Duration::from_secs(2));
}
