//! Makes users and sessions in an empty database, by as many connections as there are cores.

use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::available_parallelism;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use futures_util::future::try_join_all;
use keyward::config::Config;
use keyward::crypto::{OsEntropy, PasswordHasher};
use keyward::domain::{Clock, Entropy, Password, SystemClock};
use keyward::metrics::Metrics;
use keyward::repositories::Db;
use sqlx::{Connection, PgConnection};

/// Of every user.
pub(crate) const PASSWORD: &str = "tall cliff moth ribbon";
pub(crate) const SESSIONS_EACH: i64 = 3;

const FUNCTIONS: &str = include_str!("functions.sql");
const USERS: &str = include_str!("users.sql");
const SESSIONS: &str = include_str!("sessions.sql");
/// Rows made at once.
const CHUNK: i64 = 20_000;

/// What is to be made.
struct Plan<'a> {
    url: &'a str,
    users: i64,
    now: DateTime<Utc>,
    hash: String,
}

/// Migrates the database, and fills it.
pub(crate) async fn seed(url: &str, users: i64) -> Result<()> {
    let db = Db::new(url)?;
    db.migrate().await?;
    db.close();
    let mut connection = PgConnection::connect(url).await?;
    let taken: bool = sqlx::query_scalar("select exists (select from users)")
        .fetch_one(&mut connection)
        .await?;
    ensure!(!taken, "the database has users already: seed an empty one");
    let plan = Plan {
        url,
        users,
        now: SystemClock.now(),
        hash: hash().await?,
    };
    plan.make_all(users, USERS).await?;
    sqlx::query("analyze users")
        .execute(&mut connection)
        .await?;
    plan.make_all(users * SESSIONS_EACH, SESSIONS).await?;
    for command in ["vacuum (analyze)", "checkpoint"] {
        sqlx::query(command)
            .execute(&mut connection)
            .await
            .context(command)?;
    }
    connection.close().await?;
    Ok(())
}

impl Plan<'_> {
    async fn make_all(&self, rows: i64, statement: &'static str) -> Result<()> {
        let cores = available_parallelism().map_or(1, usize::from);
        let made = AtomicI64::new(0);
        try_join_all((0..cores).map(|_| self.make(rows, statement, &made))).await?;
        Ok(())
    }

    /// One connection's part: chunk after chunk, until nothing is left to be made.
    async fn make(&self, rows: i64, statement: &'static str, made: &AtomicI64) -> Result<()> {
        let mut connection = PgConnection::connect(self.url).await?;
        // A superuser need not have each session's user looked up: ids are made alike.
        let unchecked = sqlx::raw_sql("set session_replication_role = replica");
        let _ = unchecked.execute(&mut connection).await;
        sqlx::raw_sql(FUNCTIONS).execute(&mut connection).await?;
        loop {
            let first = made.fetch_add(CHUNK, Ordering::Relaxed);
            if first >= rows {
                return connection.close().await.map_err(Into::into);
            }
            let query = sqlx::query(statement)
                .bind(first)
                .bind(rows.min(first + CHUNK))
                .bind(self.users)
                .bind(self.now);
            let query = match statement {
                USERS => query.bind(&self.hash),
                _ => query,
            };
            query.execute(&mut connection).await?;
        }
    }
}

/// The one hash of them all, by the parameters that are configured where nothing is.
async fn hash() -> Result<String> {
    let passwords = Config::read_without_master_key([])?.passwords;
    let entropy: &dyn Entropy = &OsEntropy;
    let hasher = PasswordHasher::new(&passwords, entropy, Metrics::new()?)?;
    let password = Password::parse(PASSWORD.to_owned())
        .ok()
        .context("a password")?;
    Ok(hasher.hash(password, entropy.bytes()).await?)
}
