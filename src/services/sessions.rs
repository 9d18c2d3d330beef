//! Sessions: the one door every way in ends at, the look-up behind every authenticated call, and the way out.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;

use super::{Keys, Result, Seams};
use crate::crypto::{AccessTokenRules, Issued, RefreshToken};
use crate::domain::{
    ClientInfo, Code, EndReason, EventKind, Proof, RefreshRules, Session, SessionId, Transport,
    User,
};
use crate::repositories::{Db, NewSession, SignedIn, Tx};

/// A completed sign-up, login or refresh: the tokens, and what they are for.
pub struct Authenticated {
    /// The access token.
    pub access: Issued,
    /// The refresh token.
    pub refresh_token: SecretString,
    /// Seconds until the session ends if it is not refreshed again.
    pub refresh_expires_in: i64,
    /// The session.
    pub session: Session,
    /// When it ends if it is not refreshed again.
    pub session_expires_at: DateTime<Utc>,
    /// Its user.
    pub user: User,
}

/// Who calls. Only `Sessions::authenticate` makes one, so that holding it is the proof.
pub struct Caller {
    session: Session,
    user: User,
}

impl Caller {
    /// The session called from.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The account.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// The account, for whoever needs nothing else.
    pub fn into_user(self) -> User {
        self.user
    }
}

/// What somebody logs out with. Whatever of it proves a session ends that session.
#[derive(Default)]
pub struct LogOut<'a> {
    /// An access token, expired or not.
    pub access_token: Option<&'a str>,
    /// A refresh token.
    pub refresh_token: Option<&'a str>,
}

/// Opens, authenticates and ends sessions.
pub struct Sessions {
    db: Db,
    keys: Arc<Keys>,
    rules: RefreshRules,
    seams: Seams,
    tokens: AccessTokenRules,
    absolute_ttl: TimeDelta,
}

impl Sessions {
    /// `absolute_ttl` ends a session however active it is.
    pub fn new(
        db: Db,
        keys: Arc<Keys>,
        tokens: AccessTokenRules,
        rules: RefreshRules,
        absolute_ttl: TimeDelta,
        seams: Seams,
    ) -> Self {
        Self {
            db,
            keys,
            rules,
            seams,
            tokens,
            absolute_ttl,
        }
    }

    /// The one door. Makes a session of what was proven, unless the account changed since; the caller commits.
    pub(super) async fn open(
        &self,
        tx: &mut Tx,
        proof: &Proof,
        transport: Transport,
        client: &ClientInfo,
        now: DateTime<Utc>,
    ) -> Result<Authenticated> {
        let entropy = &*self.seams.entropy;
        let token = RefreshToken::first(SessionId::new(now, entropy), entropy.bytes());
        let absolute_expires_at = now + self.absolute_ttl;
        let (id, digest) = (token.session_id, token.digest());
        let new = NewSession {
            id,
            proof,
            transport,
            digest,
            absolute_expires_at,
            client,
            now,
        };
        let opened = tx
            .sessions()
            .open(&new)
            .await?
            .ok_or(Code::InvalidCredentials)?;
        let event = self.seams.event(
            EventKind::LoggedIn,
            Some(proof.user_id),
            Some(id),
            client,
            now,
        );
        tx.security_events().add(&event).await?;
        self.answer(opened, &token, now)
    }

    /// Tokens for a session that is alive.
    pub(super) fn answer(
        &self,
        signed_in: SignedIn,
        token: &RefreshToken,
        now: DateTime<Utc>,
    ) -> Result<Authenticated> {
        let SignedIn { session, user, .. } = signed_in;
        let ring = self.keys.ring();
        let access = self
            .tokens
            .issue(&ring, &session, &user.roles, now, &*self.seams.entropy)?;
        let session_expires_at = session.expires_at(self.rules.idle);
        Ok(Authenticated {
            access,
            refresh_token: token.encode(&ring, now)?,
            refresh_expires_in: (session_expires_at - now).num_seconds(),
            session,
            session_expires_at,
            user,
        })
    }

    /// Who holds an access token. The session is looked up each time, so that its end takes effect at once.
    pub async fn authenticate(&self, access_token: &str) -> Result<Caller> {
        let now = self.seams.clock.now();
        let verified = self
            .tokens
            .verify(&self.keys.ring(), access_token, now)
            .map_err(|_| Code::TokenInvalid)?;
        if verified.expired {
            return Err(Code::TokenExpired.into());
        }
        let found = self
            .db
            .conn()
            .await?
            .sessions()
            .by_id(verified.session_id)
            .await?;
        let found = found.filter(|found| {
            found.session.is_alive(self.rules.idle, now)
                && found.session.user_id == verified.user_id
                && !found.user_disabled
        });
        let SignedIn { session, user, .. } = found.ok_or(Code::SessionEnded)?;
        Ok(Caller { session, user })
    }

    /// Ends every session that is proven. What proves nothing is passed over in silence.
    pub async fn log_out(&self, shown: LogOut<'_>, client: &ClientInfo) -> Result<()> {
        let now = self.seams.clock.now();
        let proven = self.proven(&shown, now);
        if proven.is_empty() {
            return Ok(());
        }
        let mut tx = self.db.begin().await?;
        for id in proven {
            self.end(&mut tx, id, EndReason::LoggedOut, client, now)
                .await?;
        }
        Ok(tx.commit().await?)
    }

    /// Ends a session, and writes the event if it was alive; the caller commits.
    pub(super) async fn end(
        &self,
        tx: &mut Tx,
        id: SessionId,
        reason: EndReason,
        client: &ClientInfo,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let Some(user_id) = tx.users().hold_owner(id).await? else {
            return Ok(());
        };
        if tx.sessions().end(id, reason, now).await? {
            let kind = match reason {
                EndReason::LoggedOut => EventKind::LoggedOut,
                EndReason::RefreshTokenReused => EventKind::RefreshTokenReused,
            };
            let event = self.seams.event(kind, Some(user_id), Some(id), client, now);
            tx.security_events().add(&event).await?;
        }
        Ok(())
    }

    fn proven(&self, shown: &LogOut<'_>, now: DateTime<Utc>) -> Vec<SessionId> {
        let ring = self.keys.ring();
        let access = shown
            .access_token
            .and_then(|token| self.tokens.verify(&ring, token, now).ok());
        let refresh = shown
            .refresh_token
            .and_then(|token| RefreshToken::parse(token, &ring));
        let refresh = refresh.map(|token| token.session_id);
        let mut ids: Vec<_> = access
            .map(|verified| verified.session_id)
            .into_iter()
            .chain(refresh)
            .collect();
        // In one order, so that two log-outs of the same pair do not wait for each other.
        ids.sort();
        ids.dedup();
        ids
    }
}
