//! The statements of `invariants.sql`, each by its name. What they find is wrong.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::world::World;

const TEXT: &str = include_str!("invariants.sql");

/// Each name with its statement.
fn statements() -> impl Iterator<Item = (String, &'static str)> {
    // The first block says what the file is.
    TEXT.split("\n\n").skip(1).map(|block| {
        let at = block.lines().take_while(|line| line.starts_with("-- "));
        let comment: Vec<&str> = at.collect();
        let statement = &block[comment.iter().map(|line| line.len() + 1).sum()..];
        let name = comment.join(" ").replace("-- ", "");
        (name, statement.trim_end().trim_end_matches(';'))
    })
}

/// All in one snapshot: the service goes on meanwhile.
pub(crate) async fn check(world: &World) {
    let mut database = PgConnection::connect(&world.database_url).await.unwrap();
    let begin = "begin isolation level repeatable read read only";
    sqlx::raw_sql(begin).execute(&mut database).await.unwrap();
    let mut wrong = Vec::new();
    for (name, statement) in statements() {
        let rows = format!("select to_jsonb(found)::text from ({statement}) found limit 5");
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(rows))
            .fetch_all(&mut database)
            .await
            .unwrap_or_else(|error| panic!("{name} {error}"));
        if !rows.is_empty() {
            wrong.push(format!("{name}\n  {}", rows.join("\n  ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    world.note("looks at every invariant", 1);
    world.rehashed(hashes(&mut database).await);
}

/// Of each account: the version of its credentials, and how its password is hashed.
async fn hashes(database: &mut PgConnection) -> BTreeMap<String, (i32, String)> {
    let rows: Vec<(String, i32, String)> = sqlx::query_as(
        "select id::text, credential_version, split_part(password_hash, '$', 4) from users",
    )
    .fetch_all(database)
    .await
    .unwrap();
    rows.into_iter()
        .map(|(id, version, how)| (id, (version, how)))
        .collect()
}

/// Of each account, how often what has happened; of nobody, by the empty name.
pub(crate) async fn events(world: &World) -> BTreeMap<String, BTreeMap<String, u32>> {
    let mut database = PgConnection::connect(&world.database_url).await.unwrap();
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "select coalesce(user_id::text, ''), event, count(*) from security_events group by 1, 2",
    )
    .fetch_all(&mut database)
    .await
    .unwrap();
    let mut events: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for (user, event, count) in rows {
        let of_user = events.entry(user).or_default();
        of_user.insert(event, u32::try_from(count).unwrap());
    }
    events
}
