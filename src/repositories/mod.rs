//! The only place that speaks SQL: one file per table family, one statement per method.
//! It knows no rules; absence is `None`, and a violated constraint keeps its name.

mod backup_codes;
mod connection;
mod error;
mod keys;
mod login_challenges;
mod password_history;
mod schema;
mod security_events;
mod sessions;
mod throttles;
mod totp_factors;
mod users;

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

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
}

impl Db {
    /// A pool of at most `size` connections. It connects when it is first used.
    pub fn new(url: &str, size: u32) -> Result<Self, DbError> {
        let options: PgConnectOptions = url.parse()?;
        let serving = options.clone().application_name("keyward").options([
            ("statement_timeout", "2500"),
            ("lock_timeout", "2000"),
            ("idle_in_transaction_session_timeout", "5000"),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(size)
            .acquire_timeout(DEADLINE)
            .connect_lazy_with(serving);
        Ok(Self { pool, options })
    }

    /// A connection for a use case of one statement.
    pub async fn conn(&self) -> Result<Conn, DbError> {
        Conn::acquire(&self.pool, DEADLINE).await
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
