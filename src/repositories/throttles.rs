//! Counted tries. A try is counted by one statement, or refused by the same one.

use chrono::{DateTime, Utc};

use super::{Conn, DbError};
use crate::domain::Limit;

/// Whose tries are counted: a keyed hash.
pub type Subject = [u8; 16];

/// What is counted of a subject.
#[derive(Debug, Clone, Copy)]
pub struct Tries {
    /// How many tries.
    pub count: i32,
    /// Since when: the last one, or the first of a window.
    pub since: DateTime<Utc>,
}

/// Statements on `throttles`.
pub struct Throttles<'c>(pub(super) &'c mut Conn);

impl Throttles<'_> {
    /// Counts a try, if there is one left; since when the wait or the window goes then. Of many at once, no more than
    /// allowed are counted.
    pub async fn count(
        self,
        subject: &Subject,
        limit: Limit,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, DbError> {
        let (connection, bound) = self.0.statement("throttles.count")?;
        let statement = sqlx::query_scalar!(
            "insert into throttles as t (subject, tries, since, kept) values ($1, 1, $2, $7)
             on conflict (subject) do update set
                 tries = case when $6 and t.since + make_interval(secs => $4) <= $2 then 1 else t.tries + 1 end,
                 since = case when $6 and t.since + make_interval(secs => $4) > $2 then t.since else $2 end
             where t.tries < $3
                 or t.since + make_interval(secs => least($5, $4 * power(2, least(t.tries - $3, 20)))) <= $2
             returning since",
            subject,
            now,
            limit.free(),
            limit.first_wait().as_seconds_f64(),
            limit.longest_wait().as_seconds_f64(),
            limit.is_window(),
            limit.is_kept(),
        );
        bound.run(statement.fetch_optional(connection)).await
    }

    /// How many tries are counted, and since when.
    pub async fn tries(self, subject: &Subject) -> Result<Option<Tries>, DbError> {
        let (connection, bound) = self.0.statement("throttles.tries")?;
        let statement = sqlx::query_as!(
            Tries,
            "select tries as count, since from throttles where subject = $1",
            subject
        );
        bound.run(statement.fetch_optional(connection)).await
    }

    /// Takes a try back. A wait goes on from where it was `before`, unless it has been prolonged meanwhile.
    pub async fn give_back_wait(
        self,
        subject: &Subject,
        since: DateTime<Utc>,
        before: Option<DateTime<Utc>>,
    ) -> Result<(), DbError> {
        let (connection, bound) = self.0.statement("throttles.give_back_wait")?;
        let statement = sqlx::query!(
            "update throttles set
                 tries = tries - 1, since = case when since = $2 then coalesce($3, since) else since end
             where subject = $1 and tries > 0",
            subject,
            since,
            before,
        );
        bound.run(statement.execute(connection)).await?;
        Ok(())
    }

    /// Takes a try back, as long as the window it was counted in is the one that is open.
    pub async fn give_back_window(
        self,
        subject: &Subject,
        since: DateTime<Utc>,
    ) -> Result<(), DbError> {
        let (connection, bound) = self.0.statement("throttles.give_back_window")?;
        let statement = sqlx::query!(
            "update throttles set tries = tries - 1 where subject = $1 and since = $2 and tries > 0",
            subject,
            since,
        );
        bound.run(statement.execute(connection)).await?;
        Ok(())
    }

    /// Forgets all tries.
    pub async fn clear(self, subject: &Subject) -> Result<(), DbError> {
        let (connection, bound) = self.0.statement("throttles.clear")?;
        let statement = sqlx::query!("delete from throttles where subject = $1", subject);
        bound.run(statement.execute(connection)).await?;
        Ok(())
    }

    /// Deletes some of what nobody has added to for long, or nothing is counted of any more; how many.
    pub async fn purge(self, now: DateTime<Utc>, most: i64) -> Result<u64, DbError> {
        let (connection, bound) = self.0.statement("throttles.purge")?;
        let statement = sqlx::query!(
            "delete from throttles where subject in (
                 select subject from throttles
                 where (kept and since <= $1) or (not kept and since <= $2) or tries = 0 limit $3 for update skip locked
             )",
            now - Limit::forgotten_after(true),
            now - Limit::forgotten_after(false),
            most,
        );
        bound.changed(statement.execute(connection)).await
    }
}
