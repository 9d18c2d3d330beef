//! Backup codes, as keyed hashes. One that is used is gone.

use super::{Conn, DbError};
use crate::domain::{KeyId, UserId};

/// Statements on `backup_codes`.
pub struct BackupCodes<'c>(pub(super) &'c mut Conn);

impl BackupCodes<'_> {
    /// Adds new ones.
    pub async fn add(
        self,
        user_id: UserId,
        hashed_by: KeyId,
        digests: &[[u8; 32]],
    ) -> Result<(), DbError> {
        let (connection, bound) = self.0.statement("backup_codes.add")?;
        let statement = sqlx::query!(
            "insert into backup_codes (user_id, key_id, digest)
             select $1, $3, digest from unnest($2::bytea[]) as each (digest)",
            user_id.uuid(),
            &array(digests),
            hashed_by.uuid(),
        );
        bound.run(statement.execute(connection)).await?;
        Ok(())
    }

    /// Whether there is one that has one of these hashes.
    pub async fn has(self, user_id: UserId, digests: &[[u8; 32]]) -> Result<bool, DbError> {
        let (connection, bound) = self.0.statement("backup_codes.has")?;
        let statement = sqlx::query_scalar!(
            r#"select exists (select from backup_codes where user_id = $1 and digest = any($2)) as "has!""#,
            user_id.uuid(),
            &array(digests),
        );
        bound.run(statement.fetch_one(connection)).await
    }

    /// Spends the one that has one of these hashes; whether there was one.
    pub async fn spend(self, user_id: UserId, digests: &[[u8; 32]]) -> Result<bool, DbError> {
        let (connection, bound) = self.0.statement("backup_codes.spend")?;
        let statement = sqlx::query!(
            "delete from backup_codes where user_id = $1 and digest = any($2)",
            user_id.uuid(),
            &array(digests),
        );
        Ok(bound.changed(statement.execute(connection)).await? == 1)
    }

    /// How many are left.
    pub async fn remaining(self, user_id: UserId) -> Result<i64, DbError> {
        let (connection, bound) = self.0.statement("backup_codes.remaining")?;
        let statement = sqlx::query_scalar!(
            r#"select count(*) as "count!" from backup_codes where user_id = $1"#,
            user_id.uuid(),
        );
        bound.run(statement.fetch_one(connection)).await
    }

    /// Deletes some of those that a key has hashed; how many.
    pub async fn remove_hashed_by(self, key: KeyId, most: i64) -> Result<u64, DbError> {
        let (connection, bound) = self.0.statement("backup_codes.remove_hashed_by")?;
        let statement = sqlx::query!(
            "delete from backup_codes where (user_id, digest) in (
                 select user_id, digest from backup_codes where key_id = $1 limit $2 for update skip locked
             )",
            key.uuid(),
            most,
        );
        bound.changed(statement.execute(connection)).await
    }

    /// Forgets all of somebody's.
    pub async fn remove(self, user_id: UserId) -> Result<(), DbError> {
        let (connection, bound) = self.0.statement("backup_codes.remove")?;
        let statement = sqlx::query!(
            "delete from backup_codes where user_id = $1",
            user_id.uuid()
        );
        bound.run(statement.execute(connection)).await?;
        Ok(())
    }
}

fn array(digests: &[[u8; 32]]) -> Vec<Vec<u8>> {
    digests.iter().map(|digest| digest.to_vec()).collect()
}
