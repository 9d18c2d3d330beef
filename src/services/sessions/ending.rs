//! The way out: logging out, ending sessions from the list, and the ones that give way.

use chrono::{DateTime, Utc};

use super::{Caller, Opening, Result, Sessions};
use crate::crypto::RefreshToken;
use crate::domain::{
    ClientInfo, Code, EndReason, EventId, EventKind, Session, SessionId, ShownToken, Transport,
    UserId, Verdict, judge,
};
use crate::repositories::{Alive, Tx};
use crate::services::in_batches;

/// What somebody logs out with. Whatever of it proves a session ends that session.
#[derive(Default)]
pub struct LogOut<'a> {
    /// An access token, expired or not.
    pub access_token: Option<&'a str>,
    /// A refresh token in a body.
    pub refresh_token: Option<&'a str>,
    /// Those in cookies.
    pub cookies: &'a [String],
}

/// A session as its owner sees it in the list.
pub struct ListedSession {
    /// The session.
    pub session: Session,
    /// When it ends if it is not refreshed again.
    pub expires_at: DateTime<Utc>,
}

/// Why sessions end, by whose hand, and when.
#[derive(Clone, Copy)]
pub(in crate::services) struct Cause<'a> {
    pub(in crate::services) reason: EndReason,
    pub(in crate::services) client: &'a ClientInfo,
    pub(in crate::services) now: DateTime<Utc>,
}

impl Sessions {
    /// The caller's sessions that are alive, newest activity first.
    pub async fn list(&self, caller: &Caller) -> Result<Vec<ListedSession>> {
        let alive = self.alive(caller.user().id, self.seams.clock.now());
        let sessions = self.db.conn().await?.sessions().alive(alive).await?;
        let listed = |session: Session| {
            let expires_at = session.expires_at(self.rules.idle);
            ListedSession {
                session,
                expires_at,
            }
        };
        Ok(sessions.into_iter().map(listed).collect())
    }

    /// Ends one of the caller's sessions. Somebody else's looks like none.
    pub async fn end_one(&self, caller: &Caller, id: SessionId, client: &ClientInfo) -> Result<()> {
        let cause = self.revoked(client);
        let user_id = caller.user().id;
        let mut tx = self.db.begin().await?;
        tx.users().hold(user_id).await?;
        let alive = self.alive(user_id, cause.now);
        if !tx.sessions().end_own(alive, id, cause.reason).await? {
            return Err(Code::SessionNotFound.into());
        }
        self.note_ends(&mut tx, user_id, &[id], cause).await?;
        Ok(tx.commit().await?)
    }

    /// Ends the caller's sessions, but for the one to keep; how many they were.
    pub async fn end_all(
        &self,
        caller: &Caller,
        keep: Option<SessionId>,
        client: &ClientInfo,
    ) -> Result<usize> {
        let mut tx = self.db.begin().await?;
        let cause = self.revoked(client);
        let ended = self
            .end_others(&mut tx, caller.user().id, keep, cause)
            .await?;
        tx.commit().await?;
        Ok(ended)
    }

    /// The same inside another use case, which commits.
    pub(in crate::services) async fn end_others(
        &self,
        tx: &mut Tx,
        user_id: UserId,
        keep: Option<SessionId>,
        cause: Cause<'_>,
    ) -> Result<usize> {
        tx.users().hold(user_id).await?;
        let alive = self.alive(user_id, cause.now);
        let ended = tx.sessions().end_all(alive, keep, cause.reason).await?;
        self.note_ends(tx, user_id, &ended, cause).await?;
        Ok(ended.len())
    }

    /// Lets the sessions unused for longest give way to the one just opened.
    pub(super) async fn evict(
        &self,
        tx: &mut Tx,
        opened: &Session,
        client: &ClientInfo,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let cause = Cause {
            reason: EndReason::Evicted,
            client,
            now,
        };
        let (user_id, most) = (opened.user_id, self.limits.per_user.into());
        let alive = self.alive(user_id, now);
        let ended = tx
            .sessions()
            .end_beyond(alive, opened.id, most, cause.reason)
            .await?;
        self.note_ends(tx, user_id, &ended, cause).await
    }

    /// Holds whom opening a session locks, in the one order: its user, and the one whose session it replaces. A use case
    /// that locks the user before `open` begins with this.
    pub(in crate::services) async fn hold(
        &self,
        tx: &mut Tx,
        user_id: UserId,
        replaces: Option<&str>,
    ) -> Result<()> {
        match self.replaced(replaces) {
            Some(token) => {
                let users = tx.users();
                users.hold_with_owner(user_id, token.session_id).await?;
            }
            None => tx.users().hold(user_id).await?,
        }
        Ok(())
    }

    /// Ends the session whose cookie that of the new one replaces, if the cookie works. One that was replaced long ago is
    /// here what it is everywhere: a copy in other hands.
    pub(super) async fn make_way(&self, tx: &mut Tx, opening: &Opening<'_>) -> Result<()> {
        let Some(token) = self.replaced(opening.replaces) else {
            return Ok(());
        };
        let (transport, now) = (Transport::Cookie, opening.now);
        self.hold(tx, opening.proof.user_id, opening.replaces)
            .await?;
        let Some(found) = tx.sessions().by_id(token.session_id).await? else {
            return Ok(());
        };
        let shown = ShownToken {
            generation: token.generation,
            digest: token.digest(),
            transport,
        };
        let reason = match judge(&found.held, &shown, &self.rules, now) {
            Verdict::Refuse | Verdict::OurFault => return Ok(()),
            Verdict::Theft => EndReason::RefreshTokenReused,
            Verdict::Rotate | Verdict::SameToken | Verdict::SameSuccessor | Verdict::Recover => {
                EndReason::Replaced
            }
        };
        let cause = Cause {
            reason,
            client: opening.client,
            now,
        };
        self.end(tx, token.session_id, Some(transport), cause).await
    }

    fn replaced(&self, token: Option<&str>) -> Option<RefreshToken> {
        RefreshToken::parse(token?, &self.keys.ring(), self.seams.clock.now())
    }

    /// Deletes the rows of sessions that are over for good, in small batches; how many.
    pub async fn purge(&self) -> Result<u64> {
        let now = self.seams.clock.now();
        in_batches(async |most| {
            let mut conn = self.db.conn().await?;
            Ok(conn.sessions().purge(now, most).await?)
        })
        .await
    }

    /// Ends every session that is proven. What proves nothing is passed over in silence.
    pub async fn log_out(&self, shown: LogOut<'_>, client: &ClientInfo) -> Result<()> {
        let now = self.seams.clock.now();
        let proven = self.proven(&shown, now);
        if proven.is_empty() {
            return Ok(());
        }
        let mut tx = self.db.begin().await?;
        let sessions: Vec<_> = proven.iter().map(|(id, _)| *id).collect();
        tx.users().hold_owners(&sessions).await?;
        let cause = Cause {
            reason: EndReason::LoggedOut,
            client,
            now,
        };
        for (id, transport) in proven {
            self.end(&mut tx, id, transport, cause).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Ends a session, where a transport is given only one of that, and writes the event if it was alive; the caller
    /// commits.
    pub(in crate::services) async fn end(
        &self,
        tx: &mut Tx,
        id: SessionId,
        transport: Option<Transport>,
        cause: Cause<'_>,
    ) -> Result<()> {
        let Some(user_id) = tx.users().hold_owner(id).await? else {
            return Ok(());
        };
        if tx
            .sessions()
            .end(id, transport, cause.reason, cause.now)
            .await?
        {
            self.note_ends(tx, user_id, &[id], cause).await?;
        }
        Ok(())
    }

    /// What is proven: by a refresh token only a session of the transport that it came by.
    fn proven(
        &self,
        shown: &LogOut<'_>,
        now: DateTime<Utc>,
    ) -> Vec<(SessionId, Option<Transport>)> {
        let ring = self.keys.ring();
        let access = shown
            .access_token
            .and_then(|token| self.tokens.verify(&ring, token, now).ok());
        let in_body = shown.refresh_token.map(|token| (token, Transport::Body));
        let in_cookies = shown
            .cookies
            .iter()
            .map(|token| (&**token, Transport::Cookie));
        let refresh = in_body.into_iter().chain(in_cookies);
        let refresh = refresh.filter_map(|(token, transport)| {
            Some((
                RefreshToken::parse(token, &ring, now)?.session_id,
                Some(transport),
            ))
        });
        let access = access.map(|verified| (verified.session_id, None));
        let mut proven = Vec::new();
        for one in access.into_iter().chain(refresh) {
            if !proven.contains(&one) {
                proven.push(one);
            }
        }
        proven
    }

    async fn note_ends(
        &self,
        tx: &mut Tx,
        user_id: UserId,
        ended: &[SessionId],
        Cause {
            reason,
            client,
            now,
        }: Cause<'_>,
    ) -> Result<()> {
        if ended.is_empty() {
            return Ok(());
        }
        let (metrics, count) = (self.metrics.clone(), ended.len());
        tx.once_durable(move || metrics.sessions_ended(reason, count));
        let kind = match reason {
            EndReason::LoggedOut => EventKind::LoggedOut,
            EndReason::RefreshTokenReused => EventKind::RefreshTokenReused,
            EndReason::Revoked => EventKind::SessionRevoked,
            EndReason::Evicted => EventKind::SessionEvicted,
            EndReason::Replaced => EventKind::SessionReplaced,
        };
        let event = self.seams.event(kind, Some(user_id), None, client, now);
        let new_id = || EventId::new(now, &*self.seams.entropy);
        let each: Vec<_> = ended.iter().map(|session| (new_id(), *session)).collect();
        Ok(tx.security_events().add_each(&event, &each).await?)
    }

    fn revoked<'a>(&self, client: &'a ClientInfo) -> Cause<'a> {
        Cause {
            reason: EndReason::Revoked,
            client,
            now: self.seams.clock.now(),
        }
    }

    pub(super) fn alive(&self, user_id: UserId, now: DateTime<Utc>) -> Alive {
        Alive {
            user_id,
            idle: self.rules.idle,
            now,
        }
    }
}
