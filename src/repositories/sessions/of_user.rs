//! All the sessions of one person: listing them, ending some, keeping their number bounded. And purging, of everybody's.

use chrono::{DateTime, TimeDelta, Utc};

use super::row::SignedInRow;
use super::{Sessions, signed_in};
use crate::domain::{EndReason, Session, SessionId, UserId};
use crate::repositories::DbError;

/// Whose sessions, which of them are alive, and what is to be noted where they are ended.
#[derive(Clone, Copy)]
pub struct Alive {
    /// Whose.
    pub user_id: UserId,
    /// A session not refreshed for this long is over.
    pub idle: TimeDelta,
    /// Now.
    pub now: DateTime<Utc>,
}

impl Sessions<'_> {
    /// Those that are alive, newest activity first.
    pub async fn alive(self, alive: Alive) -> Result<Vec<Session>, DbError> {
        let (connection, bound) = self.0.statement("sessions.alive")?;
        let statement = signed_in!(
            "select",
            "from sessions s join users u on u.id = s.user_id
             where s.user_id = $1 and s.ended_at is null and s.absolute_expires_at > $2 and s.rotated_at > $3
             order by s.last_seen_at desc, s.id desc",
            alive.user_id.uuid(),
            alive.now,
            alive.now - alive.idle,
        );
        let rows = bound.run(statement.fetch_all(connection)).await?;
        rows.into_iter()
            .map(|row| SignedInRow::read(row).map(|read| read.session))
            .collect()
    }

    /// Ends one, if it is this person's and alive.
    pub async fn end_own(
        self,
        alive: Alive,
        id: SessionId,
        reason: EndReason,
    ) -> Result<bool, DbError> {
        let (connection, bound) = self.0.statement("sessions.end_own")?;
        let statement = sqlx::query!(
            "update sessions set ended_at = $3, end_reason = $4
             where id = $2 and user_id = $1 and ended_at is null and absolute_expires_at > $3 and rotated_at > $5",
            alive.user_id.uuid(),
            id.uuid(),
            alive.now,
            reason.as_str(),
            alive.now - alive.idle,
        );
        Ok(bound.changed(statement.execute(connection)).await? == 1)
    }

    /// Ends all that are alive, but for the one to keep; which they were.
    pub async fn end_all(
        self,
        alive: Alive,
        keep: Option<SessionId>,
        reason: EndReason,
    ) -> Result<Vec<SessionId>, DbError> {
        let (connection, bound) = self.0.statement("sessions.end_all")?;
        let statement = sqlx::query_scalar!(
            "update sessions set ended_at = $2, end_reason = $3
             where user_id = $1 and ended_at is null and absolute_expires_at > $2 and rotated_at > $4
                 and ($5::uuid is null or id <> $5)
             returning id",
            alive.user_id.uuid(),
            alive.now,
            reason.as_str(),
            alive.now - alive.idle,
            keep.map(SessionId::uuid),
        );
        let ended = bound.run(statement.fetch_all(connection)).await?;
        Ok(ended.into_iter().map(Into::into).collect())
    }

    /// Ends those unused for longest, so that at most `most` are left with the one to keep; which they were. Exact only
    /// while the user's row is locked, as it is after `open`.
    pub async fn end_beyond(
        self,
        alive: Alive,
        keep: SessionId,
        most: i64,
        reason: EndReason,
    ) -> Result<Vec<SessionId>, DbError> {
        let (connection, bound) = self.0.statement("sessions.end_beyond")?;
        let statement = sqlx::query_scalar!(
            "update sessions set ended_at = $2, end_reason = $3
             where ended_at is null and id in (
                 select id from sessions
                 where user_id = $1 and id <> $6 and ended_at is null
                     and absolute_expires_at > $2 and rotated_at > $4
                 order by last_seen_at desc, id desc offset $5
             )
             returning id",
            alive.user_id.uuid(),
            alive.now,
            reason.as_str(),
            alive.now - alive.idle,
            most - 1,
            keep.uuid(),
        );
        let ended = bound.run(statement.fetch_all(connection)).await?;
        Ok(ended.into_iter().map(Into::into).collect())
    }

    /// Whether a session is still open, whoever may have ended it a moment ago.
    pub async fn is_open(self, id: SessionId) -> Result<bool, DbError> {
        let (connection, bound) = self.0.statement("sessions.is_open")?;
        let statement = sqlx::query_scalar!(
            r#"select exists (select from sessions where id = $1 and ended_at is null) as "open!""#,
            id.uuid(),
        );
        bound.run(statement.fetch_one(connection)).await
    }

    /// Deletes some of the rows whose session would be over by now however it was used; how many.
    pub async fn purge(self, now: DateTime<Utc>, most: i64) -> Result<u64, DbError> {
        let (connection, bound) = self.0.statement("sessions.purge")?;
        let statement = sqlx::query!(
            "delete from sessions where id in (
                 select id from sessions where absolute_expires_at <= $1
                 order by absolute_expires_at limit $2 for update skip locked
             )",
            now,
            most,
        );
        bound.changed(statement.execute(connection)).await
    }
}
