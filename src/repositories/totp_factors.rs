//! TOTP secrets, sealed: one a person, pending until its first code is shown.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Conn, DbError};
use crate::domain::{KeyId, Proven, SealedSecret, UserId};

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
    /// Keeps a secret that waits to be confirmed, in place of any other, if the credentials are what was proven and no
    /// second factor is on; whether so.
    pub async fn put_pending(
        self,
        proven: &Proven,
        secret: &SealedSecret,
        now: DateTime<Utc>,
    ) -> Result<bool, DbError> {
        let (connection, bound) = self.0.statement("totp_factors.put_pending")?;
        let statement = sqlx::query!(
            "insert into totp_factors (user_id, sealed_secret, key_id, credential_version, created_at)
             select u.id, $3, $4, u.credential_version, $5 from users u
             where u.id = $1 and u.credential_version = $2 and u.disabled_at is null
                 and u.two_factor_enabled_at is null
             on conflict (user_id) do update set
                 sealed_secret = excluded.sealed_secret, key_id = excluded.key_id,
                 credential_version = excluded.credential_version, created_at = excluded.created_at,
                 confirmed_at = null, last_step = 0",
            proven.user_id.uuid(),
            proven.version,
            secret.sealed,
            secret.key_id.uuid(),
            now,
        );
        Ok(bound.changed(statement.execute(connection)).await? == 1)
    }

    /// Somebody's, pending or not.
    pub async fn of(self, user_id: UserId) -> Result<Option<TotpFactor>, DbError> {
        let (connection, bound) = self.0.statement("totp_factors.of")?;
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
        let (connection, bound) = self.0.statement("totp_factors.confirm")?;
        let statement = sqlx::query!(
            "update totp_factors set confirmed_at = $4, last_step = $3
             where user_id = $1 and sealed_secret = $2 and confirmed_at is null",
            user_id.uuid(),
            seen.sealed,
            step,
            now,
        );
        Ok(bound.changed(statement.execute(connection)).await? == 1)
    }

    /// Spends the code of a step, and with it all earlier ones; whether none of them was spent before, and the secret still
    /// is the one that was seen. That is told by the version, which is another one for each: what is sealed changes also
    /// where the secret does not.
    pub async fn spend(
        self,
        user_id: UserId,
        seen_version: i32,
        step: i64,
    ) -> Result<bool, DbError> {
        let (connection, bound) = self.0.statement("totp_factors.spend")?;
        let statement = sqlx::query!(
            "update totp_factors set last_step = $3
             where user_id = $1 and credential_version = $2 and confirmed_at is not null and last_step < $3",
            user_id.uuid(),
            seen_version,
            step,
        );
        Ok(bound.changed(statement.execute(connection)).await? == 1)
    }

    /// Some of those that are confirmed and sealed by other keys than this one, in the order of their owners.
    pub async fn sealed_by_others(
        self,
        key: KeyId,
        after: Option<UserId>,
        most: i64,
    ) -> Result<Vec<(UserId, SealedSecret)>, DbError> {
        let (connection, bound) = self.0.statement("totp_factors.sealed_by_others")?;
        let statement = sqlx::query!(
            "select user_id, sealed_secret, key_id from totp_factors
             where key_id <> $1 and confirmed_at is not null and user_id > $2
             order by user_id limit $3",
            key.uuid(),
            after.map_or_else(Uuid::nil, UserId::uuid),
            most,
        );
        let rows = bound.run(statement.fetch_all(connection)).await?;
        let secrets = rows.into_iter().map(|row| {
            let secret = SealedSecret {
                key_id: row.key_id.into(),
                sealed: row.sealed_secret,
            };
            (row.user_id.into(), secret)
        });
        Ok(secrets.collect())
    }

    /// Keeps a secret as another key has sealed it, if it still is the one that was seen; whether so.
    pub async fn reseal(
        self,
        user_id: UserId,
        seen: &SealedSecret,
        again: &SealedSecret,
    ) -> Result<bool, DbError> {
        let (connection, bound) = self.0.statement("totp_factors.reseal")?;
        let statement = sqlx::query!(
            "update totp_factors set sealed_secret = $3, key_id = $4 where user_id = $1 and sealed_secret = $2",
            user_id.uuid(),
            seen.sealed,
            again.sealed,
            again.key_id.uuid(),
        );
        Ok(bound.changed(statement.execute(connection)).await? == 1)
    }

    /// Deletes some of those that nobody has confirmed; how many.
    pub async fn purge(self, drawn_before: DateTime<Utc>, most: i64) -> Result<u64, DbError> {
        let (connection, bound) = self.0.statement("totp_factors.purge")?;
        let statement = sqlx::query!(
            "delete from totp_factors where user_id in (
                 select user_id from totp_factors
                 where confirmed_at is null and created_at <= $1
                 order by created_at limit $2 for update skip locked
             )",
            drawn_before,
            most,
        );
        bound.changed(statement.execute(connection)).await
    }

    /// Forgets somebody's.
    pub async fn remove(self, user_id: UserId) -> Result<(), DbError> {
        let (connection, bound) = self.0.statement("totp_factors.remove")?;
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
