//! The schema: bringing it up to date, and telling whether it is.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::migrate::{Migration, Migrator};
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

use super::{Conn, Db, DbError};

/// Every migration, built into the binary.
static MIGRATIONS: Migrator = {
    let mut migrations = sqlx::migrate!();
    // A newer release may have migrated already: a rolling deploy and a rollback both meet that.
    migrations.ignore_missing = true;
    migrations
};

/// Longest wait for a connection to migrate over. The migrations themselves take what they take.
const CONNECTING: Duration = Duration::from_secs(10);

/// Whether the schema serves this release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaState {
    /// It is ours, or a newer one.
    Current,
    /// Migrations of ours are missing.
    Behind,
}

/// A migration that was not applied yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingMigration {
    /// The number that its file begins with.
    pub version: i64,
    /// The rest of the file's name.
    pub description: String,
}

impl PendingMigration {
    /// Every migration: what a new database lacks.
    pub fn all() -> Vec<Self> {
        MIGRATIONS.iter().map(Self::of).collect()
    }

    fn of(migration: &Migration) -> Self {
        Self {
            version: migration.version,
            description: migration.description.to_string(),
        }
    }
}

impl Db {
    /// Applies what is missing, one replica at a time.
    pub async fn migrate(&self) -> Result<(), DbError> {
        let connecting = PgConnection::connect_with(&self.options);
        let mut connection = timeout(CONNECTING, connecting)
            .await
            .map_err(|_| DbError::late())??;
        MIGRATIONS
            .run_direct(None, &mut connection, false)
            .await
            .map_err(DbError::Migration)?;
        connection.close().await?;
        Ok(())
    }

    /// The checksums of the migrations, in order: the identity of this release's schema.
    pub fn schema_identity() -> String {
        use std::fmt::Write;
        let bytes = MIGRATIONS
            .iter()
            .flat_map(|migration| migration.checksum.iter().take(4));
        bytes.fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// Statements on the database itself.
pub struct Health<'c>(pub(super) &'c mut Conn);

impl Health<'_> {
    /// The database's own clock: the one statement that tells the time.
    pub async fn clock(self) -> Result<DateTime<Utc>, DbError> {
        let (connection, bound) = self.0.statement("schema.clock")?;
        let statement = sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#);
        bound.run(statement.fetch_one(connection)).await
    }

    /// Whether the database takes no writes: a replica, or one that was switched so, as when its disk runs full.
    pub async fn is_read_only(self) -> Result<bool, DbError> {
        let (connection, bound) = self.0.statement("schema.is_read_only")?;
        let statement = sqlx::query_scalar!(
            r#"select current_setting('transaction_read_only') = 'on' as "read_only!""#
        );
        let read_only = bound.run(statement.fetch_one(connection)).await?;
        if read_only {
            self.0.retire();
        }
        Ok(read_only)
    }

    /// What was not applied yet, in order.
    pub async fn pending(self) -> Result<Vec<PendingMigration>, DbError> {
        let (connection, bound) = self.0.statement("schema.pending")?;
        let statement = sqlx::query_scalar!("select version from _sqlx_migrations where success");
        let applied = match bound.run(statement.fetch_all(connection)).await {
            Err(error) if error.is_missing_table() => Vec::new(),
            outcome => outcome?,
        };
        let pending = MIGRATIONS
            .iter()
            .filter(|migration| !applied.contains(&migration.version));
        Ok(pending.map(PendingMigration::of).collect())
    }

    /// Compares what was applied with what this release needs.
    pub async fn schema(self) -> Result<SchemaState, DbError> {
        let newest = MIGRATIONS
            .iter()
            .map(|migration| migration.version)
            .max()
            .unwrap_or_default();
        let (connection, bound) = self.0.statement("schema.schema")?;
        let statement = sqlx::query_scalar!(
            r#"select exists (select from _sqlx_migrations where version >= $1 and success) as "current!""#,
            newest,
        );
        match bound.run(statement.fetch_one(connection)).await {
            Ok(true) => Ok(SchemaState::Current),
            Ok(false) => Ok(SchemaState::Behind),
            Err(error) if error.is_missing_table() => Ok(SchemaState::Behind),
            Err(error) => Err(error),
        }
    }
}

impl DbError {
    fn is_missing_table(&self) -> bool {
        let Self::Failed(sqlx::Error::Database(answer)) = self else {
            return false;
        };
        answer.code().as_deref() == Some("42P01")
    }
}
