//! The security events: rows are added in the transaction they describe, and never changed.

use ipnet::IpNet;
use uuid::Uuid;

use super::{Conn, DbError};
use crate::domain::{Event, EventId, SessionId, UserId};

/// Statements on `security_events`.
pub struct SecurityEvents<'c>(pub(super) &'c mut Conn);

impl SecurityEvents<'_> {
    /// Writes one.
    pub async fn add(self, event: &Event<'_>) -> Result<(), DbError> {
        let (connection, bound) = self.0.statement()?;
        let statement = sqlx::query!(
            "insert into security_events
                 (id, user_id, session_id, event, outcome, created_at, ip_address, user_agent, request_id)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
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
        let (connection, bound) = self.0.statement()?;
        let statement = sqlx::query!(
            "insert into security_events
                 (id, session_id, user_id, event, outcome, created_at, ip_address, user_agent, request_id)
             select id, session_id, $3, $4, $5, $6, $7, $8, $9
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
}
