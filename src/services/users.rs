//! Everybody's accounts, for whoever operates the service. Who may do that is not decided here: it is who can start
//! Keyward's commands.

use std::sync::Arc;

use super::sessions::Cause;
use super::{Result, Seams, Sessions};
use crate::domain::{
    Account, ClientInfo, EndReason, EventKind, Page, Paged, Role, UserId, UserRef,
};
use crate::repositories::{Db, Tx};

/// Lists and changes accounts.
pub struct Users {
    db: Db,
    sessions: Arc<Sessions>,
    seams: Seams,
}

impl Users {
    /// Over the sessions, which end with some changes.
    pub fn new(db: Db, sessions: Arc<Sessions>, seams: Seams) -> Self {
        Self {
            db,
            sessions,
            seams,
        }
    }

    /// The account of that name.
    pub async fn find(&self, who: &UserRef) -> Result<Option<Account>> {
        Ok(self.db.conn().await?.users().find(who).await?)
    }

    /// Accounts, newest first: those whose address or username has this text in it.
    pub async fn list(&self, containing: &str, page: Page) -> Result<Paged<Account>> {
        let containing = containing.to_lowercase();
        let mut conn = self.db.conn().await?;
        let read = conn.users().page(&containing, page).await?;
        Ok(page.of(read, |account| account.user.id.uuid()))
    }

    /// Ends somebody's sessions and lets nobody sign in again; whether that changed anything.
    pub async fn disable(&self, id: UserId) -> Result<bool> {
        let now = self.seams.clock.now();
        let mut tx = self.db.begin().await?;
        if !tx.users().set_disabled(id, true, now).await? {
            return Ok(false);
        }
        self.end_sessions_in(&mut tx, id).await?;
        self.finish(tx, EventKind::AccountDisabled, id).await?;
        Ok(true)
    }

    /// Lets somebody sign in again; whether that changed anything.
    pub async fn enable(&self, id: UserId) -> Result<bool> {
        let now = self.seams.clock.now();
        let mut tx = self.db.begin().await?;
        if !tx.users().set_disabled(id, false, now).await? {
            return Ok(false);
        }
        self.finish(tx, EventKind::AccountEnabled, id).await?;
        Ok(true)
    }

    /// Ends somebody's sessions; how many there were.
    pub async fn end_sessions(&self, id: UserId) -> Result<usize> {
        let mut tx = self.db.begin().await?;
        let ended = self.end_sessions_in(&mut tx, id).await?;
        tx.commit().await?;
        Ok(ended)
    }

    /// Gives somebody these roles and no others: their access tokens have them from the next refresh on. Whether that
    /// changed anything.
    pub async fn set_roles(&self, id: UserId, roles: Vec<Role>) -> Result<bool> {
        let (roles, now) = (Role::set(roles)?, self.seams.clock.now());
        let mut tx = self.db.begin().await?;
        if !tx.users().set_roles(id, &roles, now).await? {
            return Ok(false);
        }
        self.finish(tx, EventKind::RolesChanged, id).await?;
        Ok(true)
    }

    async fn end_sessions_in(&self, tx: &mut Tx, id: UserId) -> Result<usize> {
        let cause = Cause {
            reason: EndReason::Revoked,
            client: &ClientInfo::default(),
            now: self.seams.clock.now(),
        };
        self.sessions.end_others(tx, id, None, cause).await
    }

    async fn finish(&self, mut tx: Tx, kind: EventKind, id: UserId) -> Result<()> {
        let (nobody, now) = (ClientInfo::default(), self.seams.clock.now());
        let event = self.seams.event(kind, Some(id), None, &nobody, now);
        tx.security_events().add(&event).await?;
        Ok(tx.commit().await?)
    }
}
