//! The security events: rows are added in the transaction they describe, and never changed.

use chrono::{DateTime, TimeDelta, Utc};
use ipnet::IpNet;
use uuid::Uuid;

use super::{Conn, DbError};
use crate::domain::{Event, EventId, Page, PastEvent, SessionId, UserId};

/// One row of a person's events.
struct Row {
    id: Uuid,
    event: String,
    outcome: String,
    created_at: DateTime<Utc>,
    ip_address: Option<IpNet>,
    user_agent: Option<String>,
    session_id: Option<Uuid>,
}

impl From<Row> for PastEvent {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.into(),
            event: row.event,
            outcome: row.outcome,
            at: row.created_at,
            ip: row.ip_address.map(|net| net.addr()),
            user_agent: row.user_agent,
            session_id: row.session_id.map(Into::into),
        }
    }
}

/// Statements on `security_events`.
pub struct SecurityEvents<'c>(pub(super) &'c mut Conn);

impl SecurityEvents<'_> {
    /// Writes one.
    pub async fn add(self, event: &Event<'_>) -> Result<(), DbError> {
        let (connection, bound) = self.0.statement("security_events.add")?;
        let statement = sqlx::query!(
            "insert into security_events
                 (id, user_id, session_id, event, outcome, created_at, ip_address, user_agent, request_id)
             values ($1, $2, $3, $4, $5, $6, $7, $8, nullif($9, ''))",
            event.id.uuid(),
            event.user_id.map(UserId::uuid),
            event.session_id.map(SessionId::uuid),
            event.kind.as_str(),
            event.kind.outcome(),
            event.at,
            event.client.ip.map(IpNet::from),
            event.client.user_agent,
            event.client.request_id,
        );
        bound.run(statement.execute(connection)).await?;
        Ok(())
    }

    /// Writes several of one moment: the same thing happened to each of these sessions.
    pub async fn add_each(
        self,
        like: &Event<'_>,
        each: &[(EventId, SessionId)],
    ) -> Result<(), DbError> {
        let (ids, sessions): (Vec<Uuid>, Vec<Uuid>) = each
            .iter()
            .map(|(id, session)| (id.uuid(), session.uuid()))
            .unzip();
        let (connection, bound) = self.0.statement("security_events.add_each")?;
        let statement = sqlx::query!(
            "insert into security_events
                 (id, session_id, user_id, event, outcome, created_at, ip_address, user_agent, request_id)
             select id, session_id, $3, $4, $5, $6, $7, $8, nullif($9, '')
             from unnest($1::uuid[], $2::uuid[]) as each (id, session_id)",
            &ids,
            &sessions,
            like.user_id.map(UserId::uuid),
            like.kind.as_str(),
            like.kind.outcome(),
            like.at,
            like.client.ip.map(IpNet::from) as Option<IpNet>,
            like.client.user_agent,
            like.client.request_id,
        );
        bound.run(statement.execute(connection)).await?;
        Ok(())
    }

    /// A page of a person's events, newest first.
    pub async fn of_user(self, user_id: UserId, page: Page) -> Result<Vec<PastEvent>, DbError> {
        let (connection, bound) = self.0.statement("security_events.of_user")?;
        let statement = sqlx::query_as!(
            Row,
            r#"select id, event, outcome, created_at, ip_address as "ip_address?: ipnet::IpNet", user_agent, session_id
               from security_events where user_id = $1 and id < $2 order by id desc limit $3"#,
            user_id.uuid(),
            page.after.unwrap_or(Uuid::max()),
            page.to_read(),
        );
        let rows = bound.run(statement.fetch_all(connection)).await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// Deletes some of what happened before, as far as the database's own retention allows; how many.
    pub async fn purge(self, before: DateTime<Utc>, most: i64) -> Result<u64, DbError> {
        let (connection, bound) = self.0.statement("security_events.purge")?;
        let statement = sqlx::query_scalar!(
            r#"select purge_security_events($1, $2::bigint::integer) as "purged!""#,
            before,
            most,
        );
        let purged = bound.run(statement.fetch_one(connection)).await?;
        Ok(purged.unsigned_abs())
    }

    /// Whether the database has a retention of its own.
    pub async fn are_limited(self) -> Result<bool, DbError> {
        let (connection, bound) = self.0.statement("security_events.are_limited")?;
        let statement =
            sqlx::query_scalar!(r#"select exists (select from event_retention) as "limited!""#);
        bound.run(statement.fetch_one(connection)).await
    }

    /// Sets the database's own retention. Only the owner may.
    pub async fn retain(self, retention: TimeDelta) -> Result<(), DbError> {
        let (connection, bound) = self.0.statement("security_events.retain")?;
        let statement = sqlx::query!(
            "insert into event_retention as r (keep) values (make_interval(secs => $1))
             on conflict (id) do update set keep = excluded.keep where r.keep <> excluded.keep",
            retention.as_seconds_f64(),
        );
        bound.run(statement.execute(connection)).await?;
        Ok(())
    }
}
