//! Counted tries. Tries are counted by one statement, or refused by the same one.

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

/// A try that was counted.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    /// Of whom.
    pub subject: Subject,
    /// By which limit.
    pub limit: Limit,
    /// Since when the wait or the window goes now.
    pub since: DateTime<Utc>,
    /// Since when it went before.
    pub before: Option<DateTime<Utc>>,
}

/// What was found of a subject that a try was to be counted of.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// The tries that there were.
    pub before: Option<Tries>,
    /// Since when it goes now. `None`: nothing was counted.
    pub counted: Option<DateTime<Utc>>,
}

/// `query_as!` of the statement that counts. The words say what is done about a subject that has been counted before.
macro_rules! counting {
    ($counted_before:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            AskedRow,
            r#"with unsynced as materialized (select set_config('synchronous_commit', 'off', true)),
             asked as (
                 select * from unnest($1::bytea[], $2::integer[], $3::float8[], $4::float8[], $5::boolean[], $6::boolean[])
                     with ordinality as a (subject, free, first_wait, longest_wait, is_window, kept, nth)
             ), found as (
                 select a.nth, t.tries, t.since, t.subject is null or t.tries < a.free or t.since + make_interval(secs =>
                     least(a.longest_wait, a.first_wait * power(2, least(t.tries - a.free, 20)))) <= $7 as allowed
                 from asked a left join throttles t using (subject)
             ), first as (
                 insert into throttles as t (subject, tries, since, kept)
                 select subject, 1, $7, kept from asked, unsynced
                 where nth = 1 and (select bool_and(allowed) from found) "#
                + $counted_before
                + r#"
             ), others as (
                 insert into throttles as t (subject, tries, since, kept)
                 select subject, 1, $7, kept from asked where nth > 1 and exists (select from first) order by nth "#
                + $counted_before
                + r#"
             ), counted as (select * from first union all select * from others)
             select f.tries as "tries?", f.since as "since?", c.since as "counted?"
             from asked a join found f using (nth) left join counted c using (subject) order by nth"#,
            $($argument),+
        )
    };
}

/// Statements on `throttles`.
pub struct Throttles<'c>(pub(super) &'c mut Conn);

impl Throttles<'_> {
    /// Counts a try of each, in their order, where each has one left; what was found of each. Of many at once, no more
    /// than allowed are counted, and none where the first is not. What is counted may be lost with the database's last moments: nobody waits for its disk.
    pub async fn count(
        self,
        asked: &[(Subject, Limit)],
        now: DateTime<Utc>,
    ) -> Result<Vec<Asked>, DbError> {
        let limits = Limits::of(asked);
        let (connection, bound) = self.0.statement("throttles.count")?;
        let statement = counting!(
            "on conflict (subject) do update set (tries, since) = (
                 select case when over then 1 else t.tries + 1 end, case when is_window and not over then t.since else $7 end
                 from (select is_window, is_window and t.since + make_interval(secs => first_wait) <= $7 as over
                       from asked where subject = t.subject) a
             ) where exists (
                 select from asked a where a.subject = t.subject and (t.tries < a.free or t.since + make_interval(secs =>
                     least(a.longest_wait, a.first_wait * power(2, least(t.tries - a.free, 20)))) <= $7)
             )
             returning subject, since",
            &limits.subjects,
            &limits.free,
            &limits.first_wait,
            &limits.longest_wait,
            &limits.is_window,
            &limits.is_kept,
            now,
        );
        let rows = bound.run(statement.fetch_all(connection)).await?;
        Ok(rows.into_iter().map(Into::into).collect())
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

    /// Takes tries back. A wait goes on from where it was before, unless it has been prolonged meanwhile; a window has the
    /// try again only as long as it is the one that it was counted in. All tries of `forgotten` are forgotten. Rows are
    /// locked in the order in which `count` locks them.
    pub async fn give_back(
        self,
        counted: &[Counted],
        forgotten: Option<&Subject>,
    ) -> Result<(), DbError> {
        let subjects: Vec<Vec<u8>> = counted.iter().map(|one| one.subject.to_vec()).collect();
        let since: Vec<DateTime<Utc>> = counted.iter().map(|one| one.since).collect();
        let before: Vec<Option<DateTime<Utc>>> = counted.iter().map(|one| one.before).collect();
        let windows: Vec<bool> = counted.iter().map(|one| one.limit.is_window()).collect();
        let (connection, bound) = self.0.statement("throttles.give_back")?;
        let statement = sqlx::query!(
            "with unsynced as materialized (select set_config('synchronous_commit', 'off', true)),
             counted as (
                 select * from unnest($1::bytea[], $2::timestamptz[], $3::timestamptz[], $4::boolean[])
                     with ordinality as c (subject, since, before, is_window, nth)
             ),
             locked as materialized (
                 select subject from throttles join counted using (subject), unsynced order by nth for update of throttles
             ),
             forgotten as (delete from throttles where subject = $5 and (select count(*) from locked) >= 0)
             update throttles t set
                 tries = t.tries - 1,
                 since = case when t.since = c.since and not c.is_window then coalesce(c.before, t.since) else t.since end
             from counted c join locked using (subject)
             where t.subject = c.subject and t.tries > 0 and (not c.is_window or t.since = c.since)",
            &subjects,
            &since,
            &before as &[Option<DateTime<Utc>>],
            &windows,
            forgotten as Option<&Subject>,
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

    /// Looks at the next counters after a subject, and deletes those that nobody has added to for long, or that count
    /// nothing any more; `None` after the last.
    pub async fn purge(
        self,
        after: &[u8],
        now: DateTime<Utc>,
        most: i64,
    ) -> Result<Option<Purged>, DbError> {
        let (connection, bound) = self.0.statement("throttles.purge")?;
        let statement = sqlx::query_as!(
            Purged,
            r#"with looked_at as materialized (
                 select subject from throttles where subject > $3 order by subject limit $4
             ), deleted as (
                 delete from throttles t using looked_at l
                 where t.subject = l.subject
                     and ((t.kept and t.since <= $1) or (not t.kept and t.since <= $2) or t.tries = 0)
                 returning t.subject
             )
             select subject as "last!", (select count(*) from deleted) as "deleted!"
             from looked_at order by subject desc limit 1"#,
            now - Limit::forgotten_after(true),
            now - Limit::forgotten_after(false),
            after,
            most,
        );
        bound.run(statement.fetch_optional(connection)).await
    }
}

/// What came of looking at some counters.
pub struct Purged {
    /// The last of them.
    pub last: Vec<u8>,
    /// How many were deleted.
    pub deleted: i64,
}

/// Limits by column, as a statement takes them.
#[derive(Default)]
struct Limits {
    subjects: Vec<Vec<u8>>,
    free: Vec<i32>,
    first_wait: Vec<f64>,
    longest_wait: Vec<f64>,
    is_window: Vec<bool>,
    is_kept: Vec<bool>,
}

impl Limits {
    fn of(asked: &[(Subject, Limit)]) -> Self {
        let mut limits = Self::default();
        for (subject, limit) in asked {
            limits.subjects.push(subject.to_vec());
            limits.free.push(limit.free());
            limits.first_wait.push(limit.first_wait().as_seconds_f64());
            limits
                .longest_wait
                .push(limit.longest_wait().as_seconds_f64());
            limits.is_window.push(limit.is_window());
            limits.is_kept.push(limit.is_kept());
        }
        limits
    }
}

struct AskedRow {
    tries: Option<i32>,
    since: Option<DateTime<Utc>>,
    counted: Option<DateTime<Utc>>,
}

impl From<AskedRow> for Asked {
    fn from(row: AskedRow) -> Self {
        let before = row.tries.zip(row.since);
        Self {
            before: before.map(|(count, since)| Tries { count, since }),
            counted: row.counted,
        }
    }
}
