//! TOTP secrets, sealed: one a person, pending until its first code is shown.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Conn, DbError};
use crate::domain::{SealedSecret, UserId};

/// Somebody's secret, and how far it has got.
pub struct TotpFactor {
    /// The secret.
    pub secret: SealedSecret,
    /// The version of the credentials it was drawn under.
    pub credential_version: i32,
    /// When it was drawn.
    pub created_at: DateTime<Utc>,
    /// When its first code was shown; `None` while it is pending.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// The time step whose code was accepted last.
    pub last_step: i64,
}

/// Statements on `totp_factors`.
pub struct TotpFactors<'c>(pub(super) &'c mut Conn);

impl TotpFactors<'_> {
    /// Keeps a pending secret in place of another pending one; whether there was none that is confirmed.
    pub async fn put_pending(
        self,
        user_id: UserId,
        secret: &SealedSecret,
        credential_version: i32,
        now: DateTime<Utc>,
    ) -> Result<bool, DbError> {
        let (connection, bound) = self.0.statement()?;
        let statement = sqlx::query!(
            "insert into totp_factors as t (user_id, sealed_secret, key_id, credential_version, created_at)
             values ($1, $2, $3, $4, $5)
             on conflict (user_id) do update set
                 sealed_secret = $2, key_id = $3, credential_version = $4, created_at = $5
             where t.confirmed_at is null",
            user_id.uuid(),
            secret.sealed,
            secret.key_id.uuid(),
            credential_version,
            now,
        );
        Ok(bound
            .run(statement.execute(connection))
            .await?
            .rows_affected()
            == 1)
    }

    /// Somebody's, pending or not.
    pub async fn of(self, user_id: UserId) -> Result<Option<TotpFactor>, DbError> {
        let (connection, bound) = self.0.statement()?;
        let statement = sqlx::query_as!(
            TotpFactorRow,
            "select sealed_secret, key_id, credential_version, created_at, confirmed_at, last_step
             from totp_factors where user_id = $1",
            user_id.uuid(),
        );
        Ok(bound
            .run(statement.fetch_optional(connection))
            .await?
            .map(Into::into))
    }

    /// Confirms a pending secret by the code of a step; whether it still is the one that was seen.
    pub async fn confirm(
        self,
        user_id: UserId,
        seen: &SealedSecret,
        step: i64,
        now: DateTime<Utc>,
    ) -> Result<bool, DbError> {
        let (connection, bound) = self.0.statement()?;
        let statement = sqlx::query!(
            "update totp_factors set confirmed_at = $4, last_step = $3
             where user_id = $1 and sealed_secret = $2 and confirmed_at is null",
            user_id.uuid(),
            seen.sealed,
            step,
            now,
        );
        Ok(bound
            .run(statement.execute(connection))
            .await?
            .rows_affected()
            == 1)
    }

    /// Spends the code of a step, and with it all earlier ones; whether none of them was spent before.
    pub async fn spend(self, user_id: UserId, step: i64) -> Result<bool, DbError> {
        let (connection, bound) = self.0.statement()?;
        let statement = sqlx::query!(
            "update totp_factors set last_step = $2
             where user_id = $1 and confirmed_at is not null and last_step < $2",
            user_id.uuid(),
            step,
        );
        Ok(bound
            .run(statement.execute(connection))
            .await?
            .rows_affected()
            == 1)
    }

    /// Forgets somebody's.
    pub async fn remove(self, user_id: UserId) -> Result<(), DbError> {
        let (connection, bound) = self.0.statement()?;
        let statement = sqlx::query!(
            "delete from totp_factors where user_id = $1",
            user_id.uuid()
        );
        bound.run(statement.execute(connection)).await?;
        Ok(())
    }
}

struct TotpFactorRow {
    sealed_secret: Vec<u8>,
    key_id: Uuid,
    credential_version: i32,
    created_at: DateTime<Utc>,
    confirmed_at: Option<DateTime<Utc>>,
    last_step: i64,
}

impl From<TotpFactorRow> for TotpFactor {
    fn from(row: TotpFactorRow) -> Self {
        Self {
            secret: SealedSecret {
                key_id: row.key_id.into(),
                sealed: row.sealed_secret,
            },
            credential_version: row.credential_version,
            created_at: row.created_at,
            confirmed_at: row.confirmed_at,
            last_step: row.last_step,
        }
    }
}
