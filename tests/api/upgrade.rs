//! The release before works on the schema of this one: a rolling deploy and a way back need it. What it asks of the
//! database is in `upgrade/statements.json`, and is tried on the schema it was written for and on today's. That both
//! releases serve from one database is shown by `scripts/previous-release serve`.

use std::collections::BTreeSet;

use serde::Deserialize;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Column, Either, Executor, FromRow, SqlSafeStr, Statement, TypeInfo};

use crate::support::database::TestDatabase;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// What `scripts/previous-release statements` writes.
#[derive(Deserialize)]
struct Previous {
    release: Option<String>,
    /// The newest that there was.
    migration: i64,
    statements: Vec<String>,
}

impl Previous {
    fn read() -> Self {
        serde_json::from_str(include_str!("upgrade/statements.json")).unwrap()
    }
}

/// What the database promises to a statement: its parameters and its columns.
async fn promises(schema: &PgPool, statement: &str) -> Result<Vec<String>, sqlx::Error> {
    let safe = AssertSqlSafe(statement.to_owned()).into_sql_str();
    let prepared = schema.prepare(safe).await?;
    let mut promises = Vec::new();
    if let Some(Either::Left(parameters)) = prepared.parameters() {
        promises.extend(
            parameters
                .iter()
                .map(|kind| format!("takes {}", kind.name())),
        );
    }
    let columns = prepared.columns().iter();
    promises.extend(
        columns.map(|column| format!("gives {} {}", column.name(), column.type_info().name())),
    );
    Ok(promises)
}

/// What the database asks of who writes to a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, FromRow)]
struct Demand {
    table: String,
    columns: Vec<String>,
    text: String,
    /// Whether it is met by not knowing the columns.
    met_unknowing: bool,
}

async fn demands(schema: &PgPool) -> BTreeSet<Demand> {
    let demands = "
        with tables as (select * from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace),
        named as (
            select attrelid, attname, attnum, attnotnull, atthasdef or attidentity <> '' as given
            from pg_attribute where attnum > 0 and not attisdropped
        ),
        asked as (
            select attrelid as oid, array[attnum] as numbers, attname || ' not null' as text, given as met_unknowing
            from named where attnotnull
            union all
            select conrelid, conkey, pg_get_constraintdef(oid), true from pg_constraint
            where contype in ('c', 'f', 'p', 'u', 'x') and conrelid <> 0
            union all
            select indrelid, indkey, pg_get_indexdef(indexrelid), true from pg_index where indisunique
            union all
            select tgrelid, tgattr, pg_get_triggerdef(oid), false from pg_trigger where not tgisinternal
        )
        select relname::text as table, text, met_unknowing, array(
            select attname::text from named where attrelid = oid and attnum = any(numbers) order by attname
        ) as columns
        from asked join tables using (oid)";
    let demands = sqlx::query_as(demands).fetch_all(schema).await.unwrap();
    demands.into_iter().collect()
}

/// Every column there is, with its table.
async fn columns(schema: &PgPool) -> BTreeSet<(String, String)> {
    let columns = "select table_name::text, column_name::text from information_schema.columns
         where table_schema = 'public'";
    let columns = sqlx::query_as(columns).fetch_all(schema).await.unwrap();
    columns.into_iter().collect()
}

/// What the new schema asks of tables that were there, and was not asked before; what is asked of new columns alone is met
/// by who does not know them, unless they have to be given.
async fn new_demands(old: &PgPool, new: &PgPool) -> Vec<String> {
    let (known, before) = (columns(old).await, demands(old).await);
    let is_known = |table: &str| known.iter().any(|(name, _)| name == table);
    let concerns = |demand: &Demand| {
        let of_it = |column: &String| known.contains(&(demand.table.clone(), column.clone()));
        !demand.met_unknowing || demand.columns.is_empty() || demand.columns.iter().any(of_it)
    };
    let after = demands(new).await;
    let added = after.difference(&before);
    let added = added.filter(|demand| is_known(&demand.table) && concerns(demand));
    added
        .map(|demand| format!("{}: {}", demand.table, demand.text))
        .collect()
}

/// Columns that could not be null and can be now: who gives one, or something made of it, may not expect that.
async fn loosened(old: &PgPool, new: &PgPool) -> Vec<(String, String)> {
    let (before, after) = (demands(old).await, demands(new).await);
    let left = columns(new).await;
    let gone = before
        .difference(&after)
        .filter(|demand| demand.text.ends_with(" not null"));
    let gone = gone.map(|demand| (demand.table.clone(), demand.columns[0].clone()));
    gone.filter(|column| left.contains(column)).collect()
}

fn mentions(statement: &str, word: &str) -> bool {
    let is_of_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    statement
        .split(|letter| !is_of_word(letter))
        .any(|other| other == word)
}

/// What breaks the previous release on the new schema.
async fn broken(previous: &Previous, old: &PgPool, new: &PgPool) -> Vec<String> {
    let mut broken = new_demands(old, new).await;
    let loosened = loosened(old, new).await;
    for statement in &previous.statements {
        let before = promises(old, statement).await;
        let before = before.unwrap_or_else(|error| {
            panic!(
                "not of migration {}: {error}\n{statement}",
                previous.migration
            )
        });
        match promises(new, statement).await {
            Ok(now) if now == before => {}
            Ok(now) => broken.push(format!("{before:?} is {now:?} now: {statement}")),
            Err(error) => broken.push(format!("{error}: {statement}")),
        }
        let gives = before.iter().any(|promise| promise.starts_with("gives"));
        let read = loosened.iter().filter(|(table, column)| {
            gives && mentions(statement, table) && mentions(statement, column)
        });
        broken.extend(
            read.map(|(table, column)| format!("{table}: {column} may be null: {statement}")),
        );
    }
    broken
}

/// A database as it was when this migration was the newest.
async fn at(version: i64) -> (TestDatabase, PgPool) {
    let database = TestDatabase::create().await;
    let pool = database.pool();
    let empty = "drop schema public cascade; create schema public";
    sqlx::raw_sql(empty).execute(&pool).await.unwrap();
    let migrations = MIGRATIONS
        .iter()
        .filter(|migration| migration.version <= version);
    let migrator = Migrator {
        migrations: migrations.cloned().collect(),
        ..Migrator::DEFAULT
    };
    migrator.run(&pool).await.unwrap();
    (database, pool)
}

#[actix_web::test]
async fn the_release_before_works_on_the_schema_of_this_one() {
    let previous = Previous::read();
    let (_before, old) = at(previous.migration).await;
    let today = TestDatabase::create().await;
    let broken = broken(&previous, &old, &today.pool()).await;
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Changes of the schema, each with what is said of it.
#[rustfmt::skip]
const BREAKING: [(&str, &str); 8] = [
    ("alter table users drop column locale", "column \"locale\""),
    ("alter table users alter column roles drop not null", "users: roles may be null"),
    ("alter table throttles alter column tries type bigint", "gives count INT8"),
    ("alter table users alter column username set not null", "users: username not null"),
    ("alter table users add plan text not null", "users: plan not null"),
    ("alter table users add constraint users_display_name_check check (display_name <> '')", "users: CHECK"),
    ("create unique index sessions_user_id_key on sessions (user_id)", "sessions: CREATE UNIQUE INDEX"),
    ("drop function purge_security_events", "function purge_security_events"),
];

#[actix_web::test]
async fn what_breaks_the_release_before_is_found() {
    let previous = Previous::read();
    let (_before, old) = at(previous.migration).await;
    let changed = TestDatabase::create().await;
    let pool = changed.pool();
    for (change, _) in BREAKING {
        pool.execute(change).await.unwrap();
    }
    let broken = broken(&previous, &old, &pool).await;
    for (change, said) in BREAKING {
        let found = broken.iter().any(|text| text.contains(said));
        assert!(found, "{change}:\n{}", broken.join("\n"));
    }
}

#[actix_web::test]
async fn what_is_only_added_breaks_nothing() {
    let previous = Previous::read();
    let (_before, old) = at(previous.migration).await;
    let changed = TestDatabase::create().await;
    let pool = changed.pool();
    let added = "alter table users add plan text not null default 'free', add since timestamptz;
        alter table users add constraint users_plan_check check (plan <> '');
        create table plans (id uuid not null, constraint plans_pkey primary key (id))";
    sqlx::raw_sql(added).execute(&pool).await.unwrap();
    assert_eq!(broken(&previous, &old, &pool).await, Vec::<String>::new());
}

/// The newest release, or in that release itself the one before it; before the first one the state before the newest
/// migration.
#[test]
fn what_is_tried_is_the_release_before() {
    const RENEW: &str = "run scripts/previous-release statements";
    let Previous {
        release, migration, ..
    } = Previous::read();
    let changelog = include_str!("../../CHANGELOG.md");
    let heading = |line: &'static str| line.strip_prefix("## [")?.split(']').next();
    let releases = changelog.lines().filter_map(heading).map(Some);
    let mut allowed = releases.chain([None]).take(2);
    assert!(
        allowed.any(|allowed| allowed == release.as_deref()),
        "{RENEW}"
    );
    let newest = MIGRATIONS.iter().map(|migration| migration.version).max();
    assert!(
        release.is_some() || Some(migration + 1) == newest,
        "{RENEW}"
    );
}
