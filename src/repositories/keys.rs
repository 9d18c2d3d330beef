//! The key ring's rows: sealed keys, never an open one.

use super::{Conn, DbError};
use crate::domain::{KeyId, SealedKey};

/// Statements on `keys`.
pub struct Keys<'c>(pub(super) &'c mut Conn);

impl Keys<'_> {
    /// Lets one replica at a time look at the ring and add to it, until the transaction ends.
    pub async fn lock(self) -> Result<(), DbError> {
        let (connection, bound) = self.0.statement("keys.lock")?;
        let statement = sqlx::query!("lock table keys in share row exclusive mode");
        bound.run(statement.execute(connection)).await?;
        Ok(())
    }

    /// The whole ring, oldest first.
    pub async fn list(self) -> Result<Vec<SealedKey>, DbError> {
        let (connection, bound) = self.0.statement("keys.list")?;
        let statement = sqlx::query_as!(
            SealedKey,
            "select id, purpose, algorithm, master_key_id, sealed, created_at, active_from, revoked_at
             from keys order by active_from, id"
        );
        bound.run(statement.fetch_all(connection)).await
    }

    /// Adds a key.
    pub async fn add(self, key: &SealedKey) -> Result<(), DbError> {
        let (connection, bound) = self.0.statement("keys.add")?;
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

    /// Has all others of its purpose refused from when this one is active; how many.
    pub async fn revoke_others(self, key: &SealedKey) -> Result<u64, DbError> {
        let (connection, bound) = self.0.statement("keys.revoke_others")?;
        let statement = sqlx::query!(
            "update keys set revoked_at = $3
             where purpose = $2 and id <> $1 and (revoked_at is null or revoked_at > $3)",
            key.id.uuid(),
            key.purpose,
            key.active_from,
        );
        bound.changed(statement.execute(connection)).await
    }

    /// Keeps a key as another master key has sealed it.
    pub async fn replace_seal(self, key: &SealedKey) -> Result<(), DbError> {
        let (connection, bound) = self.0.statement("keys.replace_seal")?;
        let statement = sqlx::query!(
            "update keys set master_key_id = $2, sealed = $3 where id = $1",
            key.id.uuid(),
            key.master_key_id,
            key.sealed,
        );
        bound.run(statement.execute(connection)).await?;
        Ok(())
    }

    /// Deletes a key, unless there is something that only it opens or, where it is not revoked, compares; whether it did.
    pub async fn remove(self, id: KeyId) -> Result<bool, DbError> {
        let (connection, bound) = self.0.statement("keys.remove")?;
        let statement = sqlx::query!(
            "delete from keys k where k.id = $1
                 and not (k.purpose = 'totp_secret' and exists (select from totp_factors where key_id = k.id))
                 and not (k.purpose = 'backup_code' and k.revoked_at is null
                     and (exists (select from backup_codes where key_id = k.id)
                         or exists (select from backup_codes where key_id is null)))",
            id.uuid(),
        );
        Ok(bound.changed(statement.execute(connection)).await? == 1)
    }
}
