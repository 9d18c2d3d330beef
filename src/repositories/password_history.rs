//! Hashes of passwords that were replaced.

use chrono::{DateTime, Utc};

use super::{Conn, DbError};
use crate::domain::UserId;

/// Statements on `password_history`.
pub struct PasswordHistory<'c>(pub(super) &'c mut Conn);

impl PasswordHistory<'_> {
    /// The hashes replaced last, newest first.
    pub async fn last(self, user_id: UserId, most: i64) -> Result<Vec<String>, DbError> {
        let (connection, bound) = self.0.statement("password_history.last")?;
        let statement = sqlx::query_scalar!(
            "select password_hash from password_history
             where user_id = $1 order by replaced_at desc limit $2",
            user_id.uuid(),
            most,
        );
        bound.run(statement.fetch_all(connection)).await
    }

    /// Adds the hash that is being replaced.
    pub async fn add(
        self,
        user_id: UserId,
        password_hash: &str,
        now: DateTime<Utc>,
    ) -> Result<(), DbError> {
        let (connection, bound) = self.0.statement("password_history.add")?;
        let statement = sqlx::query!(
            "insert into password_history (user_id, replaced_at, password_hash) values ($1, $2, $3)",
            user_id.uuid(),
            now,
            password_hash,
        );
        bound.run(statement.execute(connection)).await?;
        Ok(())
    }

    /// Forgets all but the newest.
    pub async fn keep(self, user_id: UserId, most: i64) -> Result<(), DbError> {
        let (connection, bound) = self.0.statement("password_history.keep")?;
        let statement = sqlx::query!(
            "delete from password_history where user_id = $1 and password_hash in (
                 select password_hash from password_history
                 where user_id = $1 order by replaced_at desc offset $2
             )",
            user_id.uuid(),
            most,
        );
        bound.run(statement.execute(connection)).await?;
        Ok(())
    }
}
