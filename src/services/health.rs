//! Whether this replica can serve: the database answers, takes writes, is migrated, and agrees on the time.

use std::sync::atomic::{AtomicBool, Ordering};

use chrono::TimeDelta;

use super::{Error, Result, Seams};
use crate::domain::Refusal;
use crate::metrics::Metrics;
use crate::repositories::{Db, SchemaState};

/// How far our clock and the database's may differ.
const SKEW: TimeDelta = TimeDelta::seconds(5);

/// Tells readiness.
pub struct Health {
    db: Db,
    seams: Seams,
    metrics: Metrics,
    stopping: AtomicBool,
}

impl Health {
    /// Over the database. It asks by a connection of the thread that it is asked on.
    pub fn new(db: Db, seams: Seams, metrics: Metrics) -> Self {
        Self {
            db,
            seams,
            metrics,
            stopping: AtomicBool::new(false),
        }
    }

    /// From now on nothing more should be sent here.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether nothing more should be sent here.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// What has been counted and measured, as text. It needs no database.
    pub fn metrics(&self) -> Result<String> {
        let (in_use, idle) = self.db.connections();
        self.metrics.connections(in_use, idle);
        Ok(self.metrics.text()?)
    }

    /// Succeeds when requests can be served.
    pub async fn ready(&self) -> Result<()> {
        if self.is_stopping() {
            return Err(not_ready("the service is stopping"));
        }
        let mut conn = self.db.probe().await?;
        if conn.health().schema().await? == SchemaState::Behind {
            return Err(not_ready(
                "the schema is older than this release; migrate it",
            ));
        }
        if conn.health().is_read_only().await? {
            return Err(not_ready("the database takes no writes"));
        }
        let skew = conn.health().clock().await? - self.seams.clock.now();
        if skew.abs() > SKEW {
            return Err(not_ready(
                "our clock and the database's differ by more than 5 seconds",
            ));
        }
        self.db.found_well();
        Ok(())
    }
}

fn not_ready(reason: &'static str) -> Error {
    tracing::warn!(reason, "not ready");
    Refusal::unavailable().into()
}
