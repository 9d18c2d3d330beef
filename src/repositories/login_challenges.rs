//! Logins that wait for the second factor. A challenge has so much time and so many tries, holds while the account is
//! what was proven, and is spent once.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Conn, DbError};
use crate::domain::{AuthMethod, DeviceId, LoginChallenge};

/// Of a challenge's secret.
type Digest = [u8; 32];

/// Statements on `login_challenges`.
pub struct LoginChallenges<'c>(pub(super) &'c mut Conn);

impl LoginChallenges<'_> {
    /// Adds one, if the account is what was proven; whether it is. The user's row is locked by it.
    pub async fn add(
        self,
        digest: &Digest,
        challenge: &LoginChallenge,
        expires_at: DateTime<Utc>,
    ) -> Result<bool, DbError> {
        let methods: Vec<String> = challenge
            .methods
            .iter()
            .map(|method| method.as_str().to_owned())
            .collect();
        let (connection, bound) = self.0.statement("login_challenges.add")?;
        let statement = sqlx::query!(
            "insert into login_challenges (digest, user_id, credential_version, auth_methods, device_id, expires_at)
             select $1, u.id, $3, $4, $5, $6 from users u
             where u.id = $2 and u.credential_version = $3 and u.disabled_at is null for no key update of u",
            digest,
            challenge.user_id.uuid(),
            challenge.credential_version,
            &methods,
            challenge.device_id.map(DeviceId::uuid),
            expires_at,
        );
        Ok(bound.changed(statement.execute(connection)).await? == 1)
    }

    /// Deletes all but the newest of a person and a device (or of no known device), and never the one just added. Exact
    /// only while the user's row is locked, as it is after `add`.
    pub async fn keep_newest(
        self,
        added: &Digest,
        challenge: &LoginChallenge,
        most: i64,
    ) -> Result<(), DbError> {
        let (connection, bound) = self.0.statement("login_challenges.keep_newest")?;
        let statement = sqlx::query!(
            "delete from login_challenges where digest in (
                 select digest from login_challenges
                 where user_id = $2 and device_id is not distinct from $3 and digest <> $1
                 order by expires_at desc, digest offset $4
             )",
            added,
            challenge.user_id.uuid(),
            challenge.device_id.map(DeviceId::uuid),
            most - 1,
        );
        bound.run(statement.execute(connection)).await?;
        Ok(())
    }

    /// One that has time and tries left, and whether the account still is what was proven.
    pub async fn waiting(
        self,
        digest: &Digest,
        now: DateTime<Utc>,
    ) -> Result<Option<(LoginChallenge, bool)>, DbError> {
        let (connection, bound) = self.0.statement("login_challenges.waiting")?;
        let statement = sqlx::query_as!(
            ChallengeRow,
            r#"select c.user_id, c.credential_version, c.auth_methods, c.device_id,
                   u.credential_version = c.credential_version and u.disabled_at is null as "holds!"
               from login_challenges c join users u on u.id = c.user_id
               where c.digest = $1 and c.expires_at > $2 and c.tries < $3"#,
            digest,
            now,
            LoginChallenge::TRIES,
        );
        let row = bound.run(statement.fetch_optional(connection)).await?;
        row.map(ChallengeRow::read).transpose()
    }

    /// Counts a try, if there is one left. Of many at once, no more than that are counted.
    pub async fn count_try(self, digest: &Digest) -> Result<bool, DbError> {
        let (connection, bound) = self.0.statement("login_challenges.count_try")?;
        let statement = sqlx::query!(
            "update login_challenges set tries = tries + 1 where digest = $1 and tries < $2",
            digest,
            LoginChallenge::TRIES,
        );
        Ok(bound.changed(statement.execute(connection)).await? == 1)
    }

    /// Spends one, if the account is what was proven. Its user's row is to be held before.
    pub async fn spend(self, digest: &Digest) -> Result<bool, DbError> {
        let (connection, bound) = self.0.statement("login_challenges.spend")?;
        let statement = sqlx::query!(
            "delete from login_challenges c using users u
             where c.digest = $1 and u.id = c.user_id and u.credential_version = c.credential_version
                 and u.disabled_at is null",
            digest,
        );
        Ok(bound.changed(statement.execute(connection)).await? == 1)
    }

    /// Deletes some of those whose time is over; how many.
    pub async fn purge(self, now: DateTime<Utc>, most: i64) -> Result<u64, DbError> {
        let (connection, bound) = self.0.statement("login_challenges.purge")?;
        let statement = sqlx::query!(
            "delete from login_challenges where digest in (
                 select digest from login_challenges where expires_at <= $1
                 order by expires_at limit $2 for update skip locked
             )",
            now,
            most,
        );
        bound.changed(statement.execute(connection)).await
    }
}

struct ChallengeRow {
    user_id: Uuid,
    credential_version: i32,
    auth_methods: Vec<String>,
    device_id: Option<Uuid>,
    holds: bool,
}

impl ChallengeRow {
    fn read(self) -> Result<(LoginChallenge, bool), DbError> {
        let methods = self
            .auth_methods
            .iter()
            .map(|word| AuthMethod::from_word(word));
        let challenge = LoginChallenge {
            user_id: self.user_id.into(),
            credential_version: self.credential_version,
            methods: methods
                .collect::<Option<_>>()
                .ok_or(DbError::Unreadable("login_challenges.auth_methods"))?,
            device_id: self.device_id.map(Into::into),
        };
        Ok((challenge, self.holds))
    }
}
