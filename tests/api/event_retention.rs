//! How long security events are kept: the owner of the database says so, and its clock; who serves is not believed.

use chrono::{DateTime, TimeDelta, Utc};
use keyward::crypto::OsEntropy;
use keyward::domain::{ClientInfo, Event, EventId, EventKind};
use keyward::repositories::Db;

use crate::support::TestApp;

const YEAR: TimeDelta = TimeDelta::days(365);

/// Writes events of this age.
async fn events_of_age(app: &TestApp, age: TimeDelta, count: usize) {
    let db = Db::new(app.database_url()).unwrap();
    let at: DateTime<Utc> = app.app.seams.clock.now() - age;
    let mut tx = db.begin().await.unwrap();
    for _ in 0..count {
        let event = Event {
            id: EventId::new(at, &OsEntropy),
            kind: EventKind::LoginFailed,
            user_id: None,
            session_id: None,
            client: &ClientInfo::default(),
            at,
        };
        tx.security_events().add(&event).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn purge(app: &TestApp) -> u64 {
    app.app.services.security_events.purge().await.unwrap()
}

async fn left(app: &TestApp) -> i64 {
    app.count("select count(*) from security_events").await
}

// AUD-08
#[actix_web::test]
async fn events_that_are_too_old_are_deleted_and_no_others() {
    let app = TestApp::start().await;
    app.sign_up("ann@example.com").await;
    events_of_age(&app, YEAR + TimeDelta::minutes(1), 501).await;
    events_of_age(&app, YEAR * 30, 2).await;
    events_of_age(&app, YEAR - TimeDelta::minutes(1), 3).await;
    assert_eq!(purge(&app).await, 503, "more than one batch");
    assert_eq!(left(&app).await, 2 + 3);
    assert_eq!(purge(&app).await, 0);
}

#[actix_web::test]
async fn the_retention_is_configured() {
    let week = TimeDelta::days(7);
    let app = TestApp::with(|config| config.events.retention = week).await;
    events_of_age(&app, week + TimeDelta::minutes(1), 1).await;
    events_of_age(&app, week - TimeDelta::minutes(1), 1).await;
    assert_eq!(purge(&app).await, 1);
    let longer = app
        .replica_with(|config| config.events.retention = YEAR)
        .await;
    events_of_age(&app, week * 2, 1).await;
    assert_eq!((purge(&longer).await, purge(&app).await), (0, 0));
}

#[actix_web::test]
async fn whose_clock_is_ahead_deletes_nothing() {
    let app = TestApp::start().await;
    app.sign_up("ann@example.com").await;
    events_of_age(&app, TimeDelta::days(300), 1).await;
    app.advance(YEAR * 2);
    assert_eq!(purge(&app).await, 0);
    assert_eq!(left(&app).await, 3);
}

// Who may not migrate may be told of another time than the owner: the longer one holds.
#[actix_web::test]
async fn of_two_retentions_the_longer_one_holds() {
    let app = TestApp::start().await;
    events_of_age(&app, YEAR * 2, 1).await;
    let serving = |retention: TimeDelta| {
        app.replica_with(move |config| {
            config.database.migrate_on_start = false;
            config.events.retention = retention;
        })
    };
    let (longer, shorter) = (serving(YEAR * 3).await, serving(TimeDelta::days(7)).await);
    events_of_age(&app, TimeDelta::days(8), 1).await;
    assert_eq!((purge(&longer).await, left(&app).await), (0, 2));
    assert_eq!((purge(&shorter).await, left(&app).await), (1, 1));
}

#[actix_web::test]
async fn without_the_owners_word_nothing_is_deleted() {
    let app = TestApp::start().await;
    events_of_age(&app, YEAR * 30, 1).await;
    app.tamper("delete from event_retention").await;
    assert_eq!(purge(&app).await, 0);
}

#[actix_web::test]
async fn what_is_purged_at_once_from_two_replicas_is_purged_once() {
    let app = TestApp::start().await;
    let other = app.replica().await;
    events_of_age(&app, YEAR * 2, 1200).await;
    let (one, two) = futures_util::future::join(purge(&app), purge(&other)).await;
    assert_eq!((one + two, left(&app).await), (1200, 0));
}
