//! The only place that speaks SQL: one file per table family, one statement per method.
//! It knows no rules; absence is `None`, and a violated constraint keeps its name.

mod backup_codes;
mod connection;
mod error;
mod keys;
mod login_challenges;
mod password_history;
mod retirement;
mod schema;
mod security_events;
mod sessions;
mod throttles;
mod totp_factors;
mod users;

use std::time::{Duration, Instant};

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::runtime::Handle;

use crate::metrics::Metrics;
use retirement::Retirement;

pub use backup_codes::BackupCodes;
pub use connection::{Conn, Tx};
pub use error::DbError;
pub use keys::Keys;
pub use login_challenges::LoginChallenges;
pub use password_history::PasswordHistory;
pub use schema::{Health, PendingMigration, SchemaState};
pub use security_events::SecurityEvents;
pub use sessions::{Alive, NewSession, Rotation, Sessions, SignedIn};
pub use throttles::{Subject, Throttles, Tries};
pub use totp_factors::{TotpFactor, TotpFactors};
pub use users::{NewUser, Users};

/// Longest wait for the database, getting a connection included.
const DEADLINE: Duration = Duration::from_millis(2500);

/// The only door to PostgreSQL: a pool of connections.
#[derive(Clone)]
pub struct Db {
    pool: PgPool,
    options: PgConnectOptions,
    /// The runtime that every connection belongs to, whoever asks for it: it outlives the threads that serve, of which one
    /// may end while another still uses what it has opened.
    home: Handle,
    retirement: Retirement,
    metrics: Option<Metrics>,
}

impl Db {
    /// A pool of at most `size` connections, which belong to the runtime this is called on. It connects when it is first
    /// used.
    pub fn new(url: &str, size: u32) -> Result<Self, DbError> {
        let options: PgConnectOptions = url.parse()?;
        let serving = options.clone().application_name("keyward").options([
            ("statement_timeout", "2500"),
            ("lock_timeout", "2000"),
            ("idle_in_transaction_session_timeout", "5000"),
        ]);
        let retirement = Retirement::default();
        let retired = retirement.clone();
        let pool = PgPoolOptions::new()
            .max_connections(size)
            .acquire_timeout(DEADLINE)
            .before_acquire(move |_, meta| {
                let fit = !retired.includes(meta.age);
                Box::pin(std::future::ready(Ok(fit)))
            })
            .connect_lazy_with(serving);
        Ok(Self {
            pool,
            options,
            retirement,
            home: Handle::current(),
            metrics: None,
        })
    }

    /// The same, with its waits measured.
    #[must_use]
    pub fn measured(mut self, metrics: Metrics) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// How many connections are lent, and how many are there to be lent.
    pub fn connections(&self) -> (i64, i64) {
        let idle = i64::try_from(self.pool.num_idle()).unwrap_or(i64::MAX);
        let all = i64::from(self.pool.size());
        ((all - idle).max(0), idle)
    }

    /// A connection for a use case of one statement.
    pub async fn conn(&self) -> Result<Conn, DbError> {
        let asked = Instant::now();
        let lent = Conn::acquire(&self.pool, &self.home, &self.retirement, DEADLINE).await;
        if let Some(metrics) = &self.metrics {
            metrics.database_waited(asked.elapsed());
        }
        lent
    }

    /// A transaction. Dropped without `commit`, it rolls back.
    pub async fn begin(&self) -> Result<Tx, DbError> {
        self.conn().await?.begin().await
    }

    /// Closes every connection, once those in use are given back.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
