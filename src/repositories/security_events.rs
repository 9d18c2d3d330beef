//! The security events: rows are added in the transaction they describe, and never changed.

use ipnet::IpNet;

use super::{Conn, DbError};
use crate::domain::{Event, SessionId, UserId};

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
}
