//! The only place that speaks SQL: one file per table family, one statement per method.
//! It knows no rules; absence is `None`, and a violated constraint keeps its name.

mod backup_codes;
mod connection;
mod error;
mod keys;
mod login_challenges;
mod password_history;
mod pool;
mod pulse;
mod retirement;
mod schema;
mod security_events;
mod sessions;
mod throttles;
mod totp_factors;
mod users;

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;

use crate::metrics::Metrics;
use pool::Pools;
use pulse::Pulse;
use retirement::Retirement;

pub use backup_codes::BackupCodes;
pub use connection::{Conn, Tx, in_one_deadline};
pub use error::DbError;
pub use keys::Keys;
pub use login_challenges::LoginChallenges;
pub use password_history::PasswordHistory;
pub use schema::{Health, PendingMigration, SchemaState};
pub use security_events::SecurityEvents;
pub use sessions::{Alive, NewSession, Rotation, Sessions, SignedIn};
pub use throttles::{Asked, Counted, Purged, Subject, Throttles, Tries};
pub use totp_factors::{TotpFactor, TotpFactors};
pub use users::{NewUser, Users};

/// Longest wait for the database, of a request in all, getting connections included.
const DEADLINE: Duration = Duration::from_millis(2500);

/// The same while the database is taken to be away: who asks for readiness may have little patience.
const PROBE: Duration = Duration::from_millis(500);

/// The only door to PostgreSQL.
#[derive(Clone)]
pub struct Db {
    pools: Arc<Pools>,
    options: PgConnectOptions,
    retirement: Retirement,
    pulse: Arc<Pulse>,
    metrics: Option<Metrics>,
}

impl Db {
    /// It connects when it is first used.
    pub fn new(url: &str) -> Result<Self, DbError> {
        let options: PgConnectOptions = url.parse()?;
        let serving = options.clone().application_name("keyward").options([
            ("statement_timeout", "2500"),
            ("lock_timeout", "2000"),
            ("idle_in_transaction_session_timeout", "5000"),
        ]);
        let retirement = Retirement::default();
        Ok(Self {
            pools: Arc::new(Pools::new(serving, retirement.clone())),
            options,
            pulse: Arc::new(Pulse::new(retirement.clone())),
            retirement,
            metrics: None,
        })
    }

    /// The same, with its waits measured.
    #[must_use]
    pub fn measured(mut self, metrics: Metrics) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// Gives the thread that this is called on so many connections, at most. One that serves nobody needs none given.
    pub fn lend_here(&self, most: usize) -> Result<(), DbError> {
        self.pools.lend_here(most)
    }

    /// How many connections are lent, and how many are there to be lent.
    pub fn connections(&self) -> (i64, i64) {
        let (all, idle) = self.pools.count();
        let number = |count| i64::try_from(count).unwrap_or(i64::MAX);
        (number(all.saturating_sub(idle)), number(idle))
    }

    /// From now on it is known whether the database is there, and nobody waits for one that is not.
    pub fn watch(&self) -> std::io::Result<()> {
        let options = self.options.clone().application_name("keyward pulse");
        self.pulse.watch(options)
    }

    /// A connection for a use case of one statement.
    pub async fn conn(&self) -> Result<Conn, DbError> {
        if !self.pulse.is_well() {
            return Err(DbError::late());
        }
        self.probe().await
    }

    /// The same also while the database is taken to be away, for whoever finds out whether it is back. Then it is not
    /// waited for long.
    pub async fn probe(&self) -> Result<Conn, DbError> {
        let asked = Instant::now();
        let most = if self.pulse.is_well() {
            DEADLINE
        } else {
            PROBE
        };
        let lent = Conn::lent(&self.pools, &self.retirement, most).await;
        if let Some(metrics) = &self.metrics {
            metrics.database_waited(asked.elapsed());
        }
        lent
    }

    /// It was found to be back.
    pub fn found_well(&self) {
        self.pulse.found_well();
    }

    /// A transaction. Dropped without `commit`, it rolls back.
    pub async fn begin(&self) -> Result<Tx, DbError> {
        self.conn().await?.begin().await
    }

    /// Lends no more connections, and closes each once nobody uses it.
    pub fn close(&self) {
        self.pools.close();
    }
}
