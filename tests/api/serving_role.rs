//! Serving as a role with fewer rights than the owner of the tables, made as `docs/serving-role.sql` says.

use std::rc::Rc;
use std::sync::Arc;

use chrono::TimeDelta;
use keyward::app::migrate;
use keyward::crypto::Purpose;
use keyward::services::Rotation;
use reqwest::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::support::app::config;
use crate::support::clock::TestClock;
use crate::support::database::{ServingRole, TestDatabase};
use crate::support::{PASSWORD, Person, TestApp};

/// A service of a database that the owner has migrated. The database goes before the role.
struct Served {
    app: TestApp,
    role: ServingRole,
}

async fn serve() -> Served {
    let mut database = TestDatabase::create().await;
    let url = database.url.clone();
    migrate(&config(&url), &url.into()).await.unwrap();
    let role = ServingRole::of(&mut database).await;
    let clock = Arc::new(TestClock::stopped());
    let app = TestApp::on(Rc::new(database), clock, |config| {
        config.database.migrate_on_start = false;
        config.throttle.enabled = true;
    })
    .await;
    Served { app, role }
}

/// What the database says to this role.
async fn refused(app: &TestApp, statement: &str) -> Option<String> {
    let mut connection = PgConnection::connect(app.database_url()).await.unwrap();
    let done = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(&mut connection)
        .await;
    let code = done.err().map(|error| match error {
        sqlx::Error::Database(error) => error.code().unwrap().into_owned(),
        other => panic!("{statement}: {other}"),
    });
    connection.close().await.unwrap();
    code
}

#[actix_web::test]
async fn everything_works_without_the_rights_of_the_owner() {
    let Served { app, role: _role } = &serve().await;
    let mut ann = app.sign_up("ann@example.com").await;
    app.log_in("ann@example.com", "wrong password, alas")
        .await
        .is(401);
    ann.refresh().await;
    ann.change(json!({ "locale": "de" })).await.is(200);
    let other = ann.log_in_again().await;
    for path in ["sessions", "security-events"] {
        ann.call(Method::GET, &format!("/v1/me/{path}"), None)
            .await
            .is(200);
    }
    other.log_out().await.is(204);
    let new = "amber kettle window 31";
    let change = json!({ "current_password": PASSWORD, "new_password": new });
    ann.call(Method::POST, "/v1/me/password", Some(change))
        .await
        .is(204);
    let ann = Person::new(app, &app.log_in("ann@example.com", new).await.is(200));
    ann.call(Method::DELETE, "/v1/me/sessions/others", None)
        .await
        .is(200);
    app.get("/health/ready").await.is(200);
    operate(app).await;
    // The cascade runs with the rights of the owner.
    ann.delete(new).await.is(204);
    let kinds = app.events().await;
    let of_nobody = [
        "key_added",
        "key_revoked",
        "key_added",
        "key_revoked",
        "account_deleted",
    ];
    assert_eq!(kinds, of_nobody);
    app.advance(TimeDelta::days(31));
    let services = &app.app.services;
    services.sessions.purge().await.unwrap();
    assert!(services.throttle.purge().await.unwrap() > 0);
    assert_eq!(services.security_events.purge().await.unwrap(), 0);
}

#[actix_web::test]
async fn the_second_factor_works_without_the_rights_of_the_owner() {
    let Served { app, role: _role } = &serve().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, codes) = ann.turn_on_two_factor().await;
    let challenge = ann.challenge().await;
    let wrong = authenticator.wrong_code(app);
    app.complete(&challenge, &wrong).await.is(401);
    let code = authenticator.code(app);
    app.complete(&challenge, &code).await.is(200);
    let challenge = ann.challenge().await;
    app.complete_with_backup(&challenge, &codes[0])
        .await
        .is(200);
    for (path, status) in [("backup-codes", 200), ("disable", 204)] {
        app.advance(TimeDelta::seconds(30));
        let body = json!({ "password": PASSWORD, "code": authenticator.code(app) });
        ann.post(&format!("/v1/me/2fa/{path}"), body)
            .await
            .is(status);
    }
    ann.enable_two_factor().await;
    app.advance(TimeDelta::days(2));
    let services = &app.app.services;
    assert_eq!(services.two_factor.purge().await.unwrap(), 1);
    services.login.purge().await.unwrap();
}

/// What operators and jobs do with the keys.
async fn operate(app: &TestApp) {
    let keys = &app.app.services.keys;
    let revoke = Rotation {
        now: true,
        revoke: true,
    };
    keys.rotate(Purpose::ThrottleSubject, revoke).await.unwrap();
    keys.rotate(Purpose::TotpSecret, revoke).await.unwrap();
    app.advance(TimeDelta::minutes(2));
    assert_eq!(keys.reseal().await.unwrap(), 0);
    assert_eq!(keys.retire().await.unwrap(), 2);
    assert_eq!(keys.rewrap().await.unwrap(), 0);
}

// AUD-04, OPS-11
#[actix_web::test]
async fn who_serves_can_neither_change_events_nor_the_schema() {
    const DENIED: &str = "42501";
    let Served { app, role } = &serve().await;
    app.sign_up("ann@example.com").await;
    let before = app.events().await;
    for statement in [
        "update security_events set event = 'logged_out'",
        "delete from security_events",
        "truncate security_events",
        "truncate users cascade",
        "update event_retention set keep = interval '0'",
        "insert into event_retention (keep) values (interval '0')",
        "create table mine ()",
        "create function mine() returns int language sql as 'select 1'",
        "alter table security_events add column mine int",
        "alter table security_events disable trigger all",
        "drop table security_events",
        "create rule mine as on insert to security_events do instead nothing",
        "alter function purge_security_events owner to current_user",
        "create or replace function purge_security_events(before timestamptz, most integer) returns bigint
         language sql as 'select 1::bigint'",
        "insert into _sqlx_migrations select * from _sqlx_migrations",
        "set session_replication_role = replica",
    ] {
        assert_eq!(refused(app, statement).await.as_deref(), Some(DENIED), "{statement}");
    }
    assert_eq!(app.events().await, before);
    // It may not give away its right either, and nobody else has it.
    let executes = format!(
        "select count(*) from pg_roles where has_function_privilege(oid, 'purge_security_events(timestamptz, int)', 'execute')
             and not rolsuper and rolname <> '{}'",
        role.name
    );
    let others: i64 = sqlx::query_scalar(AssertSqlSafe(executes))
        .fetch_one(&app.sql)
        .await
        .unwrap();
    assert_eq!(others, 0);
}

#[actix_web::test]
async fn what_deletes_events_believes_nobody() {
    let Served { app, role: _role } = &serve().await;
    app.sign_up("ann@example.com").await;
    let before = app.events().await;
    for lie in [
        "select purge_security_events('infinity', 1000000)",
        "select purge_security_events('-infinity', 1000000)",
        "select purge_security_events('1900-01-01', 1000000)",
        "select purge_security_events('9999-01-01', 1000000)",
        "select purge_security_events(null, null)",
        "create temp table event_retention (keep interval);
         insert into event_retention values ('-100 years');
         set search_path = pg_temp, public;
         select purge_security_events('infinity', 1000000)",
        "create function pg_temp.statement_timestamp() returns timestamptz
             language sql as $$ select 'infinity'::timestamptz $$;
         set search_path = pg_temp, pg_catalog, public;
         select public.purge_security_events('infinity', 1000000)",
    ] {
        assert_eq!(refused(app, lie).await, None, "{lie}");
        assert_eq!(app.events().await, before, "{lie}");
    }
}

// A new table gets its line in docs/serving-role.sql.
#[actix_web::test]
async fn every_table_is_granted_what_it_needs_and_later_ones_are_usable_at_once() {
    let Served { app, role: _role } = &serve().await;
    let without = "select coalesce(json_agg(relname), '[]')::text from pg_class
        where relnamespace = 'public'::regnamespace and relkind = 'r'
            and not exists (
                select from aclexplode(relacl) g join pg_roles r on r.oid = g.grantee
                where r.rolname like 'serving_' || current_database() and g.privilege_type = 'SELECT'
            )";
    assert_eq!(
        app.json(without).await,
        json!([]),
        "docs/serving-role.sql grants nothing on them"
    );
    app.tamper("create table later (a int)").await;
    let all = "insert into later values (1); update later set a = 2; select * from later; delete from later";
    assert_eq!(refused(app, all).await, None);
    assert!(refused(app, "truncate later").await.is_some());
}
