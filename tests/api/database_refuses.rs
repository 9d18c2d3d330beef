//! The service while its database is there and refuses: no connection is left, no write is taken, a table is locked, the
//! disk is full.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::AssertSqlSafe;

use crate::database::{
    everything_is_refused_in_time, everything_works_again, refused_in_time, the_rest_goes_on, timed,
};
use crate::support::clock::TestClock;
use crate::support::database::{ServingRole, TestDatabase};
use crate::support::{Everybody, TestApp};

/// What only reads.
const READS: [&str; 4] = [
    "GET /v1/me",
    "GET /v1/me/2fa",
    "GET /v1/me/sessions",
    "GET /v1/me/security-events",
];

const CUT_OFF: &str = "select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and application_name like 'keyward%'";

async fn run(app: &TestApp, statement: String) {
    let done = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&app.sql);
    done.await.unwrap();
}

/// On the test's own database: `alter database` takes no parameter.
async fn alter(app: &TestApp, setting: &str) {
    run(
        app,
        format!(
            "do $$ begin execute format('alter database %I {setting}', current_database()); end $$"
        ),
    )
    .await;
}

/// Every row of every table, so that a change of any shows.
async fn everything_kept(app: &TestApp) -> serde_json::Value {
    app.json(
        "select json_build_array(
            (select json_agg(u order by u.id) from users u),
            (select json_agg(s order by s.id) from sessions s),
            (select json_agg(e order by e.id) from security_events e),
            (select json_agg(f order by f.user_id) from totp_factors f),
            (select json_agg(b) from backup_codes b),
            (select json_agg(p) from password_history p))::text",
    )
    .await
}

/// Readiness comes back within two seconds, and then everything works.
async fn is_ready_and_works(everybody: &Everybody<'_>) {
    let back = Instant::now();
    let app = everybody.ann.app;
    app.clock.catch_up();
    while app.get("/health/ready").await.status != 200 {
        assert!(back.elapsed() < Duration::from_secs(2), "it is not ready");
    }
    everything_works_again(&everybody.ann).await;
    assert!(
        back.elapsed() < Duration::from_secs(2),
        "{:?}",
        back.elapsed()
    );
}

/// A service whose connections can be numbered: the database's owner has as many as there are.
async fn served_by_a_role() -> (TestApp, ServingRole) {
    let mut database = TestDatabase::create().await;
    let role = ServingRole::of(&mut database).await;
    let clock = Arc::new(TestClock::stopped());
    let app = TestApp::on(Rc::new(database), clock, |config| {
        config.database.migrate_on_start = false;
    });
    (app.await, role)
}

#[actix_web::test]
async fn without_a_connection_to_be_had_everything_is_unavailable() {
    let (app, role) = served_by_a_role().await;
    let everybody = Everybody::of(&app).await;
    let before = everything_kept(&app).await;
    run(&app, format!("alter role {} connection limit 0", role.name)).await;
    app.tamper(CUT_OFF).await;
    everything_is_refused_in_time(&everybody).await;
    the_rest_goes_on(&everybody.ann).await;
    assert_eq!(everything_kept(&app).await, before);
    run(
        &app,
        format!("alter role {} connection limit -1", role.name),
    )
    .await;
    everything_works_again(&everybody.ann).await;
    drop(app);
    drop(role);
}

/// Other services have taken every connection that it lost: what it has works on.
#[actix_web::test]
async fn a_pulse_that_gets_no_connection_is_no_database_that_is_away() {
    let (app, role) = served_by_a_role().await;
    let ann = app.sign_up("ann@example.com").await;
    run(&app, format!("alter role {} connection limit 1", role.name)).await;
    app.tamper(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity
         where datname = current_database() and application_name = 'keyward pulse'",
    )
    .await;
    // Longer than it tries before it knows better.
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        ann.me().await.is(200);
    }
    app.get("/health/ready").await.is(200);
    ann.me().await.is(200);
    drop(app);
    drop(role);
}

/// A failover has left the service at what is now the replica, or whoever provides the database has switched it so. What
/// only reads is refused too: a replica may not know yet which sessions have ended.
#[actix_web::test]
async fn a_database_that_takes_no_writes_is_not_ready_and_serves_nobody() {
    let app = TestApp::start().await;
    let everybody = Everybody::of(&app).await;
    let before = everything_kept(&app).await;
    alter(&app, "set default_transaction_read_only = on").await;
    app.tamper(CUT_OFF).await;
    app.get("/health/ready").await.refused(503, "unavailable");
    while everybody.ann.me().await.status != 503 {}
    everything_is_refused_in_time(&everybody).await;
    the_rest_goes_on(&everybody.ann).await;
    assert_eq!(everything_kept(&app).await, before);
    // The connections that are there stay as they are: they must not be used again.
    alter(&app, "reset default_transaction_read_only").await;
    is_ready_and_works(&everybody).await;
}

/// A migration, or somebody at the console.
#[actix_web::test]
async fn a_table_that_stays_locked_is_waited_for_less_than_three_seconds() {
    // Fewer connections than requests: most wait for one, and then for the lock.
    let app = TestApp::with(|config| config.database.pool = 8).await;
    let everybody = Everybody::of(&app).await;
    let before = everything_kept(&app).await;
    let mut refused_somewhere = BTreeSet::new();
    for table in ["sessions", "users", "security_events"] {
        let mut locking = app.sql.begin().await.unwrap();
        let lock = format!("lock table {table} in access exclusive mode");
        sqlx::raw_sql(AssertSqlSafe(lock))
            .execute(&mut *locking)
            .await
            .unwrap();
        // What is not refused would be done, so only what cannot be done without the table is asked for.
        let needs = |name: &str| match table {
            "sessions" => name != "GET /health/ready" && name != "POST /v1/me/2fa/verify",
            "users" => name.starts_with("POST /v1/auth") || name.ends_with("/v1/me"),
            _ => matches!(name, "GET /v1/me/security-events" | "POST /v1/auth/signup"),
        };
        let requests = everybody
            .requests()
            .into_iter()
            .filter(|(name, _)| needs(name));
        let requests: Vec<_> = requests.collect();
        refused_somewhere.extend(requests.iter().map(|(name, _)| name.clone()));
        refused_in_time(&app, requests).await;
        // The others can still be served.
        app.clock.catch_up();
        app.get("/health/ready").await.is(200);
        locking.rollback().await.unwrap();
        everybody.ann.me().await.is(200);
    }
    let all = everybody.requests().len();
    assert!(refused_somewhere.len() >= all - 2, "{refused_somewhere:?}");
    assert_eq!(everything_kept(&app).await, before);
    everything_works_again(&everybody.ann).await;
}

/// What PostgreSQL says when it cannot write another block. That of a real full disk is in `tests/process`.
#[actix_web::test]
async fn a_full_disk_refuses_what_writes_and_keeps_nothing_of_it() {
    let app = TestApp::start().await;
    let everybody = Everybody::of(&app).await;
    let before = everything_kept(&app).await;
    app.tamper(
        "create function full_disk() returns trigger language plpgsql as
             $$ begin raise 'could not extend file' using errcode = '53100'; end $$;
         create trigger full_disk before insert on security_events
             for each statement execute function full_disk()",
    )
    .await;
    let noted = |name: &str| {
        !READS.contains(&name)
            && !matches!(
                name,
                // These write no event.
                "GET /health/ready"
                    | "POST /v1/auth/refresh"
                    | "POST /v1/me/2fa/enable"
                    | "DELETE /v1/me/sessions/others"
            )
    };
    let requests = everybody
        .requests()
        .into_iter()
        .filter(|(name, _)| noted(name));
    refused_in_time(&app, requests.collect()).await;
    assert_eq!(everything_kept(&app).await, before);
    app.tamper("drop trigger full_disk on security_events")
        .await;
    let (answer, took) = timed(everybody.ann.log_out()).await;
    answer.is(204);
    assert!(took < Duration::from_secs(2));
}
