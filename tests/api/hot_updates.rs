//! What requests update all the time is in no index: a refresh, and what a login notes of the account and of guesses. That the
//! new row then finds room beside the old one is seen in `tests/process/hot_updates.rs`.

use std::rc::Rc;
use std::sync::Arc;

use chrono::TimeDelta;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::support::clock::TestClock;
use crate::support::database::{ServingRole, TestDatabase};
use crate::support::{PASSWORD, TestApp};

/// The columns of a table that no index needs: not as its key, not beside it, not in an expression or a condition.
const UNINDEXED: &str = "select string_agg(quote_ident(a.attname), ', ') from pg_attribute a
    where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped and not exists (
        select from pg_index i left join pg_depend d
            on d.classid = 'pg_class'::regclass and d.objid = i.indexrelid
                and d.refclassid = 'pg_class'::regclass and d.refobjid = i.indrelid
        where i.indrelid = a.attrelid and (a.attnum = any(i.indkey) or a.attnum = d.refobjsubid)
    )";

async fn run(database: &mut PgConnection, sql: String) {
    let done = sqlx::raw_sql(AssertSqlSafe(sql.clone()))
        .execute(database)
        .await;
    done.expect(&sql);
}

async fn unindexed(database: &mut PgConnection, table: &str) -> String {
    let columns = sqlx::query_scalar(UNINDEXED)
        .bind(table)
        .fetch_one(database)
        .await;
    columns.unwrap()
}

/// A service that may update only what no index needs. The role goes last.
async fn restricted() -> (ServingRole, TestApp) {
    let mut database = TestDatabase::create().await;
    let mut owner = PgConnection::connect(&database.url).await.unwrap();
    let role = ServingRole::of(&mut database).await;
    let name = &role.name;
    for table in ["users", "sessions", "throttles"] {
        let columns = unindexed(&mut owner, table).await;
        let revoke = format!("revoke update on {table} from {name}");
        let grant = format!("grant update ({columns}) on {table} to {name}");
        run(&mut owner, format!("{revoke}; {grant}")).await;
    }
    owner.close().await.unwrap();
    let app = TestApp::on(
        Rc::new(database),
        Arc::new(TestClock::stopped()),
        |config| {
            config.database.migrate_on_start = false;
            config.throttle.enabled = true;
        },
    );
    (role, app.await)
}

#[actix_web::test]
async fn what_requests_update_all_the_time_is_in_no_index() {
    let (_role, app) = restricted().await;
    let mut ann = app.sign_up("ann@example.com").await;
    app.log_in("ann@example.com", "wrong password, alas")
        .await
        .is(401);
    app.log_in("ann@example.com", PASSWORD).await.is(200);
    ann.me().await.is(200);
    let shown = ann.refresh_token.clone();
    ann.refresh().await;
    app.refresh(&shown).await.is(200);
    ann.refresh().await;
    let shown = ann.refresh_token.clone();
    app.advance(TimeDelta::seconds(31));
    ann.refresh().await;
    app.advance(TimeDelta::seconds(31));
    app.refresh(&shown).await.is(200);
    app.refresh(&shown).await.is(200);
    ann.log_out().await.is(204);
}

// So the test above can fail, and fails for the index.
#[actix_web::test]
async fn an_index_on_what_a_refresh_updates_is_found() {
    let database = TestDatabase::create().await;
    let mut owner = PgConnection::connect(&database.url).await.unwrap();
    let before = unindexed(&mut owner, "sessions").await;
    for (index, column) in [
        ("(last_seen_at)", "last_seen_at"),
        ("(created_at) include (seen)", "seen"),
        ("(upper(user_agent))", "user_agent"),
        (
            "(created_at) where rotated_at > '2020-01-01Z'",
            "rotated_at",
        ),
    ] {
        let columns = |list: &str| list.split(", ").map(str::to_owned).collect::<Vec<_>>();
        assert!(
            columns(&before).iter().any(|found| found == column),
            "{column}"
        );
        run(&mut owner, format!("create index on sessions {index}")).await;
        let after = unindexed(&mut owner, "sessions").await;
        assert!(
            !columns(&after).iter().any(|found| found == column),
            "{index}"
        );
    }
    owner.close().await.unwrap();
}
