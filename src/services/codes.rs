//! Codes shown as the second factor: counted, compared, and then spent once, in the transaction of what they allow.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::throttle::{CodeFrom, Guess};
use super::{Caller, Ground, Keys, Result, Seams, Throttle, note_alone};
use crate::crypto::{TotpSecret, backup_code_digests};
use crate::domain::{ClientInfo, Code, EventKind, SecondFactor, UserId};
use crate::repositories::{Conn, Db, Tx};

/// Compares codes and spends them.
pub(super) struct Codes {
    db: Db,
    keys: Arc<Keys>,
    throttle: Arc<Throttle>,
    seams: Seams,
}

/// A code that is right, as far as it has been compared. Whether it still is, spending it tells.
pub(super) struct RightCode {
    user_id: UserId,
    kind: Kind,
}

enum Kind {
    /// Of the secret drawn under this version of the credentials, and this time step.
    Totp(i32, i64),
    /// With one of these hashes.
    Backup(Vec<[u8; 32]>),
}

impl Codes {
    pub(super) fn new(ground: &Ground, throttle: Arc<Throttle>) -> Self {
        let Ground {
            db, keys, seams, ..
        } = ground.clone();
        Self {
            db,
            keys,
            throttle,
            seams,
        }
    }

    /// Compares a code that is counted by the caller. What was accepted before is wrong by now.
    pub(super) async fn compare(
        &self,
        user_id: UserId,
        shown: &SecondFactor,
        now: DateTime<Utc>,
    ) -> Result<Option<RightCode>> {
        let mut conn = self.db.conn().await?;
        let kind = match shown {
            SecondFactor::Totp(code) => {
                let factor = conn.totp_factors().of(user_id).await?;
                let Some(factor) = factor.filter(|factor| factor.confirmed_at.is_some()) else {
                    return Ok(None);
                };
                let secret = TotpSecret::open(&factor.secret, user_id, &self.keys.ring())?;
                let step = secret.step_of(code, now)?;
                step.filter(|step| *step > factor.last_step)
                    .map(|step| Kind::Totp(factor.credential_version, step))
            }
            SecondFactor::BackupCode(code) => {
                let digests = backup_code_digests(code, user_id, &self.keys.ring(), now);
                let known = conn.backup_codes().has(user_id, &digests).await?;
                known.then_some(Kind::Backup(digests))
            }
        };
        Ok(kind.map(|kind| RightCode { user_id, kind }))
    }

    /// Compares a code asked for inside a session. Every wrong one is counted, apart from logins, and leaves a trace.
    pub(super) async fn prove(
        &self,
        caller: &Caller,
        shown: &SecondFactor,
        client: &ClientInfo,
    ) -> Result<RightCode> {
        let user_id = caller.user().id;
        let compare = async |now| self.compare(user_id, shown, now).await;
        self.counted(caller, client, compare).await
    }

    /// Counts a code asked for inside a session and compares it as it is told to.
    pub(super) async fn counted<T>(
        &self,
        caller: &Caller,
        client: &ClientInfo,
        compare: impl AsyncFnOnce(DateTime<Utc>) -> Result<Option<T>>,
    ) -> Result<T> {
        let from = CodeFrom::Session(caller.user().id);
        let in_a_row = Guess::CodesInARow(from);
        let guesses = [&Guess::Code(from), &in_a_row];
        let reserved = self.throttle.reserve(&guesses).await?;
        let compared = compare(self.seams.clock.now()).await;
        if !matches!(compared, Ok(None)) {
            self.throttle.give_back(&reserved).await?;
        }
        match compared? {
            Some(right) => {
                self.throttle.forget(&in_a_row).await?;
                Ok(right)
            }
            None => self.refuse(caller, client).await,
        }
    }

    /// Refuses a code inside a session, once the trace is durable.
    pub(super) async fn refuse<T>(&self, caller: &Caller, client: &ClientInfo) -> Result<T> {
        let (user_id, session_id) = (caller.user().id, caller.session().id);
        let (kind, now) = (EventKind::CodeRefused, self.seams.clock.now());
        let event = self
            .seams
            .event(kind, Some(user_id), Some(session_id), client, now);
        note_alone(&self.db, event).await?;
        Err(Code::WrongCode.into())
    }

    /// Spends a code; whether nobody was faster. The caller commits.
    pub(super) async fn spend(tx: &mut Tx, right: &RightCode) -> Result<bool> {
        let conn: &mut Conn = tx;
        Ok(match &right.kind {
            Kind::Totp(version, step) => {
                let factors = conn.totp_factors();
                factors.spend(right.user_id, *version, *step).await?
            }
            Kind::Backup(digests) => conn.backup_codes().spend(right.user_id, digests).await?,
        })
    }
}

impl RightCode {
    /// What is to be remembered of its use.
    pub(super) fn event(&self) -> Option<EventKind> {
        match self.kind {
            Kind::Totp(..) => None,
            Kind::Backup(_) => Some(EventKind::BackupCodeUsed),
        }
    }
}
