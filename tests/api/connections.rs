//! Connections to the database are scarce: neither a wrong body nor a caller who hangs up costs one.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::support::{PASSWORD, TestApp};

/// The service's connections to the database, by the process that serves each.
async fn backends(app: &TestApp) -> Vec<i32> {
    let statement = "select pid from pg_stat_activity
        where datname = current_database() and application_name = 'keyward' order by pid";
    sqlx::query_scalar(statement)
        .fetch_all(&app.sql)
        .await
        .unwrap()
}

/// The pool may have grown meanwhile, but it has lost none.
async fn keeps_all(app: &TestApp, before: &[i32]) {
    let now = backends(app).await;
    assert!(
        before.iter().all(|pid| now.contains(pid)),
        "{before:?} {now:?}"
    );
}

#[actix_web::test]
async fn a_wrong_body_costs_no_connection() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    join_all((0..8).map(|_| ann.me())).await;
    let before = backends(&app).await;
    for _ in 0..20 {
        let request = app
            .request(Method::PATCH, "/v1/me")
            .bearer_auth(&ann.access_token);
        let request = request
            .header("content-type", "application/json")
            .body("{bad");
        app.send(request).await.refused(400, "malformed_json");
    }
    keeps_all(&app, &before).await;
}

#[actix_web::test]
async fn a_body_is_not_looked_at_before_its_sender() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    ann.log_out().await.is(204);
    for body in ["{bad", "{}", r#"{"admin":true}"#] {
        let request = app
            .request(Method::PATCH, "/v1/me")
            .bearer_auth(&ann.access_token);
        let request = request
            .header("content-type", "application/json")
            .body(body);
        app.send(request).await.refused(401, "session_ended");
    }
}

#[actix_web::test]
async fn a_caller_who_hangs_up_costs_no_connection() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    join_all((0..8).map(|_| ann.me())).await;
    let before = backends(&app).await;
    for _ in 0..40 {
        let mut stream = TcpStream::connect(app.address).unwrap();
        let token = &ann.access_token;
        write!(
            stream,
            "GET /v1/me HTTP/1.1\r\nHost: keyward\r\nAuthorization: Bearer {token}\r\n\r\n"
        )
        .unwrap();
        tokio::time::sleep(Duration::from_micros(300)).await;
    }
    join_all((0..8).map(|_| ann.me())).await;
    keeps_all(&app, &before).await;
}

#[actix_web::test]
async fn what_a_caller_who_hangs_up_asked_for_is_done_or_not_and_never_half() {
    let app = TestApp::start().await;
    for number in 0..20 {
        let body =
            json!({ "email": format!("u{number}@example.com"), "password": PASSWORD }).to_string();
        let mut stream = TcpStream::connect(app.address).unwrap();
        let length = body.len();
        write!(stream, "POST /v1/auth/signup HTTP/1.1\r\nHost: keyward\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
        tokio::time::sleep(Duration::from_micros(500 * number)).await;
    }
    app.sign_up("last@example.com").await;
    // Some may still be under way; in one look at the database none is half done.
    let half = "select count(*) from users u
        where (select count(*) from sessions s where s.user_id = u.id) <> 1
            or (select count(*) from security_events e where e.user_id = u.id) <> 2";
    assert_eq!(app.count(half).await, 0);
}
