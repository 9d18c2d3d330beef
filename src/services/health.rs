//! Whether this replica can serve: the database answers, is migrated, and agrees on the time.

use chrono::TimeDelta;

use super::{Error, Result, Seams};
use crate::domain::Refusal;
use crate::repositories::{Db, SchemaState};

/// How far our clock and the database's may differ.
const SKEW: TimeDelta = TimeDelta::seconds(5);

/// Tells readiness.
pub struct Health {
    db: Db,
    seams: Seams,
}

impl Health {
    /// Over the pool that serves.
    pub fn new(db: Db, seams: Seams) -> Self {
        Self { db, seams }
    }

    /// Succeeds when requests can be served.
    pub async fn ready(&self) -> Result<()> {
        let mut conn = self.db.conn().await?;
        if conn.health().schema().await? == SchemaState::Behind {
            return Err(not_ready(
                "the schema is older than this release; migrate it",
            ));
        }
        let skew = conn.health().clock().await? - self.seams.clock.now();
        if skew.abs() > SKEW {
            return Err(not_ready(
                "our clock and the database's differ by more than 5 seconds",
            ));
        }
        Ok(())
    }
}

fn not_ready(reason: &'static str) -> Error {
    tracing::warn!(reason, "not ready");
    Refusal::unavailable().into()
}
