//! The key ring's rows: sealed keys, never an open one.

use super::{Conn, DbError};
use crate::domain::SealedKey;

/// Statements on `keys`.
pub struct Keys<'c>(pub(super) &'c mut Conn);

impl Keys<'_> {
    /// Lets one replica at a time look at the ring and add to it, until the transaction ends.
    pub async fn lock(self) -> Result<(), DbError> {
        let (connection, bound) = self.0.statement()?;
        let statement = sqlx::query!("lock table keys in share row exclusive mode");
        bound.run(statement.execute(connection)).await?;
        Ok(())
    }

    /// The whole ring, oldest first.
    pub async fn list(self) -> Result<Vec<SealedKey>, DbError> {
        let (connection, bound) = self.0.statement()?;
        let statement = sqlx::query_as!(
            SealedKey,
            "select id, purpose, algorithm, master_key_id, sealed, created_at, active_from
             from keys order by active_from, id"
        );
        bound.run(statement.fetch_all(connection)).await
    }

    /// Adds a key.
    pub async fn add(self, key: &SealedKey) -> Result<(), DbError> {
        let (connection, bound) = self.0.statement()?;
        let statement = sqlx::query!(
            "insert into keys (id, purpose, algorithm, master_key_id, sealed, created_at, active_from)
             values ($1, $2, $3, $4, $5, $6, $7)",
            key.id.uuid(),
            key.purpose,
            key.algorithm,
            key.master_key_id,
            key.sealed,
            key.created_at,
            key.active_from,
        );
        bound.run(statement.execute(connection)).await?;
        Ok(())
    }
}
