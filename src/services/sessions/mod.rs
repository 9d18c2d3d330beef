//! Sessions: the one door every way in ends at, and the look-up behind every authenticated call.

mod ending;

pub(super) use ending::Cause;
pub use ending::{ListedSession, LogOut};

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;

use super::{Ground, Keys, Result, Seams};
use crate::crypto::{AccessTokenRules, DeviceToken, Issued, RefreshToken};
use crate::domain::{
    ClientInfo, Code, DeviceId, Event, EventKind, Proof, RefreshRules, Session, SessionId,
    Transport, User,
};
use crate::metrics::Metrics;
use crate::repositories::{Db, NewSession, SignedIn, Tx};

/// A completed sign-up, login or refresh: the tokens, and what they are for.
pub struct Authenticated {
    /// The access token.
    pub access: Issued,
    /// The refresh token.
    pub refresh_token: SecretString,
    /// Seconds until the session ends if it is not refreshed again.
    pub refresh_expires_in: i64,
    /// Says that this user has logged in on this device.
    pub device_token: SecretString,
    /// Seconds until it says so no more.
    pub device_expires_in: i64,
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

/// A session to be opened.
pub(super) struct Opening<'a> {
    /// What was proven.
    pub(super) proof: &'a Proof,
    /// The device, where it is a known one.
    pub(super) device_id: Option<DeviceId>,
    /// Where the refresh token is to travel.
    pub(super) transport: Transport,
    /// The refresh token in the browser's cookie, which that of the new session replaces.
    pub(super) replaces: Option<&'a str>,
    /// Who asks.
    pub(super) client: &'a ClientInfo,
    /// Now.
    pub(super) now: DateTime<Utc>,
}

/// What is made for a session before it is opened.
struct Prepared<'a> {
    token: RefreshToken,
    device_id: DeviceId,
    login: Event<'a>,
}

impl Prepared<'_> {
    fn session<'s>(&'s self, opening: &'s Opening<'_>, limits: SessionLimits) -> NewSession<'s> {
        NewSession {
            id: self.token.session_id,
            proof: opening.proof,
            device_id: self.device_id,
            transport: opening.transport,
            digest: self.token.digest(),
            absolute_expires_at: opening.now + limits.absolute_ttl,
            login: &self.login,
        }
    }
}

/// How long and how many.
#[derive(Debug, Clone, Copy)]
pub struct SessionLimits {
    /// Ends a session however active it is.
    pub absolute_ttl: TimeDelta,
    /// How many a person may have at once.
    pub per_user: u32,
}

/// Opens, authenticates and ends sessions.
pub struct Sessions {
    db: Db,
    keys: Arc<Keys>,
    rules: RefreshRules,
    seams: Seams,
    tokens: AccessTokenRules,
    limits: SessionLimits,
    metrics: Metrics,
}

impl Sessions {
    /// Over the database and the key ring.
    pub fn new(
        ground: &Ground,
        tokens: AccessTokenRules,
        rules: RefreshRules,
        limits: SessionLimits,
    ) -> Self {
        let Ground {
            db,
            keys,
            seams,
            metrics,
            ..
        } = ground.clone();
        Self {
            db,
            keys,
            rules,
            seams,
            tokens,
            limits,
            metrics,
        }
    }

    /// The one door. Makes a session of what was proven, unless the account changed since; the caller commits. It
    /// locks users: whoever locks one before begins with `hold`.
    pub(super) async fn open(&self, tx: &mut Tx, opening: Opening<'_>) -> Result<Authenticated> {
        self.make_way(tx, &opening).await?;
        let prepared = self.prepare(&opening);
        let opened = tx
            .sessions()
            .open(&prepared.session(&opening, self.limits))
            .await?
            .ok_or(Code::InvalidCredentials)?;
        self.evict(tx, &opened.session, opening.client, opening.now)
            .await?;
        self.answer(opened, &prepared.token, opening.now)
    }

    /// The same in one statement, where no other session has to give way for it; `None` where that, or anything else,
    /// is left for `open` to decide.
    pub(super) async fn open_at_once(
        &self,
        opening: &Opening<'_>,
    ) -> Result<Option<Authenticated>> {
        if opening.replaces.is_some() {
            return Ok(None);
        }
        let (prepared, most) = (self.prepare(opening), self.limits.per_user.into());
        let new = prepared.session(opening, self.limits);
        let alive = self.alive(opening.proof.user_id, opening.now);
        let mut conn = self.db.conn().await?;
        let opened = conn.sessions().open_below(&new, alive, most).await?;
        drop(conn);
        opened
            .map(|opened| self.answer(opened, &prepared.token, opening.now))
            .transpose()
    }

    fn prepare<'a>(&self, opening: &Opening<'a>) -> Prepared<'a> {
        let (client, now, entropy) = (opening.client, opening.now, &*self.seams.entropy);
        let token = RefreshToken::first(SessionId::new(now, entropy), entropy.bytes());
        let (kind, user_id) = (EventKind::LoggedIn, Some(opening.proof.user_id));
        Prepared {
            device_id: opening
                .device_id
                .unwrap_or_else(|| DeviceId::new(now, entropy)),
            login: self
                .seams
                .event(kind, user_id, Some(token.session_id), client, now),
            token,
        }
    }

    /// Tokens for a session that is alive.
    pub(super) fn answer(
        &self,
        signed_in: SignedIn,
        token: &RefreshToken,
        now: DateTime<Utc>,
    ) -> Result<Authenticated> {
        let SignedIn {
            session,
            user,
            credential_version,
            ..
        } = signed_in;
        let ring = self.keys.ring();
        let access = self
            .tokens
            .issue(&ring, &session, &user.roles, now, &*self.seams.entropy)?;
        let session_expires_at = session.expires_at(self.rules.idle);
        let (user_id, device_id) = (user.id, session.device_id);
        let device = DeviceToken {
            user_id,
            device_id,
            credential_version,
            given_at: now,
        };
        Ok(Authenticated {
            access,
            refresh_token: token.encode(&ring, now)?,
            refresh_expires_in: (session_expires_at - now).num_seconds(),
            device_token: device.encode(&ring, now)?,
            device_expires_in: DeviceToken::LIFE.num_seconds(),
            session,
            session_expires_at,
            user,
        })
    }

    /// The device that a token names.
    pub(super) fn device(&self, token: &str, now: DateTime<Utc>) -> Option<DeviceToken> {
        DeviceToken::parse(token, &self.keys.ring(), now)
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
}
