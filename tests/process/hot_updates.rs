//! What requests update all the time finds room on the page it is on (heap-only tuples), so that no index hears of it: a
//! refresh, and a login's note in the account. Being asked who one is updates nothing. For this PostgreSQL must have nobody
//! else to care for: rows that any transaction on the server might still see stay where they are.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::keyward::{Keyward, PASSWORD, home};

/// More than fit on a page.
const PEOPLE: i64 = 60;
const ROUNDS: i64 = 3;

fn start(home: &std::path::Path) -> Keyward {
    Keyward::start_with(home, |command| {
        command
            .env("KEYWARD_REFRESH_GRACE", "0s")
            .env("KEYWARD_ARGON2_MEMORY_KIB", "7168")
            .env("KEYWARD_ARGON2_ITERATIONS", "5");
    })
}

/// By table, how many rows were updated, and how many of them beside themselves.
type Updates = BTreeMap<String, (i64, i64)>;

/// The updates once so many of a table have been reported: a connection reports when it ends.
async fn updates(database: &mut PgConnection, table: &str, updates: i64) -> Updates {
    const COUNTED: &str = "select relname::text, n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where n_tup_upd > 0";
    let end = "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'keyward'";
    sqlx::raw_sql(end).execute(&mut *database).await.unwrap();
    let found = async {
        loop {
            let rows = sqlx::query_as(COUNTED).fetch_all(&mut *database).await;
            let rows: Vec<(String, i64, i64)> = rows.unwrap();
            let rows = rows
                .into_iter()
                .map(|(table, all, hot)| (table, (all, hot)));
            let found: Updates = rows.collect();
            if found.get(table).is_some_and(|(all, _)| *all >= updates) {
                return found;
            }
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(20), found).await;
    found.unwrap_or_else(|_| panic!("{updates} of {table} are not reported"))
}

#[tokio::test]
async fn what_is_updated_finds_room_beside_itself() {
    let home = home();
    let keyward = start(home.path());
    let mut database = PgConnection::connect(&keyward.database_url())
        .await
        .unwrap();
    // It would hold rows where they are for a moment.
    let off = "alter table sessions set (autovacuum_enabled = off); alter table users set (autovacuum_enabled = off)";
    sqlx::raw_sql(off).execute(&mut database).await.unwrap();
    let person =
        |number| json!({ "email": format!("p{number}@example.com"), "password": PASSWORD });
    let mut people: Vec<Value> = Vec::new();
    for number in 0..PEOPLE {
        let (status, answer) = keyward.post("/v1/auth/signup", &person(number)).await;
        assert_eq!(status, 201, "{answer}");
        people.push(answer);
    }
    let signed_up = updates(&mut database, "users", PEOPLE).await;
    assert_eq!(signed_up.get("sessions"), None, "{signed_up:?}");
    for _ in 0..ROUNDS {
        for person in &mut people {
            let (status, answer) = keyward.refresh(&person["refresh_token"]).await;
            assert_eq!(status, 200, "{answer}");
            *person = answer;
        }
    }
    for (number, answer) in (0..PEOPLE).zip(&people) {
        assert_eq!(keyward.get("/v1/me", &answer["access_token"]).await, 200);
        assert_eq!(keyward.post("/v1/auth/login", &person(number)).await.0, 200);
    }
    let found = updates(&mut database, "users", 2 * PEOPLE).await;
    assert_eq!(found["sessions"].0, ROUNDS * PEOPLE, "{found:?}");
    for (table, (all, hot)) in found {
        assert_eq!(hot, all, "{table}");
    }
    assert!(keyward.stop().success());
}
