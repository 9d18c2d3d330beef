//! `/health/live` and `/health/ready`.

use chrono::{DateTime, TimeDelta};
use serde_json::json;

use crate::support::TestApp;

/// Sets the service's clock this far from the database's.
async fn off_by(app: &TestApp, seconds: i64) {
    let theirs = app.json("select to_json(clock_timestamp())::text").await;
    let theirs = DateTime::parse_from_rfc3339(theirs.as_str().unwrap()).unwrap();
    let ours = app.app.seams.clock.now();
    app.advance(theirs.to_utc() - ours + TimeDelta::seconds(seconds));
}

#[actix_web::test]
async fn a_replica_that_can_serve_is_live_and_ready() {
    let app = TestApp::start().await;
    let live = app.get("/health/live").await;
    assert_eq!(live.is(200), json!({ "status": "live" }));
    let ready = app.get("/health/ready").await;
    assert_eq!(ready.is(200), json!({ "status": "ready" }));
}

// RFT-21
#[actix_web::test]
async fn a_clock_that_differs_by_more_than_five_seconds_is_not_ready() {
    let app = TestApp::start().await;
    for (seconds, ready) in [
        (6, false),
        (4, true),
        (-6, false),
        (-3, true),
        (3600, false),
        (0, true),
    ] {
        off_by(&app, seconds).await;
        let answer = app.get("/health/ready").await;
        if ready {
            answer.is(200);
        } else {
            answer.refused(503, "unavailable");
            assert_eq!(answer.header("retry-after"), Some("1"), "{seconds}");
        }
        app.get("/health/live").await.is(200);
    }
}

#[actix_web::test]
async fn an_older_schema_is_not_ready() {
    let app = TestApp::start().await;
    app.tamper(
        "delete from _sqlx_migrations where version = (select max(version) from _sqlx_migrations)",
    )
    .await;
    app.get("/health/ready").await.refused(503, "unavailable");
    app.get("/health/live").await.is(200);
    app.tamper("drop table _sqlx_migrations").await;
    app.get("/health/ready").await.refused(503, "unavailable");
}

#[actix_web::test]
async fn a_migration_that_failed_is_not_ready() {
    let app = TestApp::start().await;
    app.tamper(
        "update _sqlx_migrations set success = false
         where version = (select max(version) from _sqlx_migrations)",
    )
    .await;
    app.get("/health/ready").await.refused(503, "unavailable");
}

/// A newer release has migrated already: a rolling deploy, or a rollback.
#[actix_web::test]
async fn a_newer_schema_is_ready_and_can_be_started_on() {
    let app = TestApp::start().await;
    app.tamper(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (9999, 'newer', true, '\\x00', 0)",
    )
    .await;
    app.get("/health/ready").await.is(200);
    let restarted = app.replica().await;
    restarted.get("/health/ready").await.is(200);
    restarted.sign_up("ann@example.com").await;
}
