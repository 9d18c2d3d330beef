//! The security events: one's own, and the end of old ones. They are written where they happen.

use chrono::TimeDelta;

use super::{Caller, Result, Seams, in_batches};
use crate::domain::{Page, Paged, PastEvent};
use crate::repositories::Db;

/// Shows events, and deletes what is too old.
pub struct SecurityEvents {
    db: Db,
    retention: TimeDelta,
    seams: Seams,
}

impl SecurityEvents {
    /// `retention`: how long they are kept.
    pub fn new(db: Db, retention: TimeDelta, seams: Seams) -> Self {
        Self {
            db,
            retention,
            seams,
        }
    }

    /// What happened to the caller's account, newest first.
    pub async fn list(&self, caller: &Caller, page: Page) -> Result<Paged<PastEvent>> {
        let mut conn = self.db.conn().await?;
        let read = conn
            .security_events()
            .of_user(caller.user().id, page)
            .await?;
        Ok(page.of(read, |event| event.id.uuid()))
    }

    /// Tells the database how long they are kept, which is the owner's right.
    pub async fn retain(db: &Db, retention: TimeDelta) -> Result<()> {
        Ok(db.conn().await?.security_events().retain(retention).await?)
    }

    /// Says so where the owner has not told the database how long they are kept: then nothing is ever deleted.
    pub async fn warn_if_kept_for_ever(db: &Db) -> Result<()> {
        if !db.conn().await?.security_events().are_limited().await? {
            tracing::warn!(
                "security events are kept for ever, because the database was not told for how long: run `keyward migrate` \
                 as its owner"
            );
        }
        Ok(())
    }

    /// Deletes what is older than the retention, ours and the database's, in small batches; how many.
    pub async fn purge(&self) -> Result<u64> {
        let before = self.seams.clock.now() - self.retention;
        in_batches(async |most| {
            let mut conn = self.db.conn().await?;
            Ok(conn.security_events().purge(before, most).await?)
        })
        .await
    }
}
