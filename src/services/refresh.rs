//! Refreshing: the protocol of `domain::judge`, carried out. The good path is one statement.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::error::refuse_and_keep;
use super::sessions::Cause;
use super::{Authenticated, Error, Ground, Keys, Result, Seams, Sessions, Throttle};
use crate::crypto::RefreshToken;
use crate::domain::{
    ClientInfo, Code, EndReason, EventKind, Flow, RefreshRules, Refusal, ShownToken, Transport,
    Verdict, judge,
};
use crate::metrics::Metrics;
use crate::repositories::{Db, Rotation, SignedIn};

/// How often a swap that was lost to another caller is judged again before we give up.
const ATTEMPTS: usize = 8;

/// Trades refresh tokens.
pub struct Refresh {
    db: Db,
    keys: Arc<Keys>,
    sessions: Arc<Sessions>,
    throttle: Arc<Throttle>,
    rules: RefreshRules,
    seams: Seams,
    metrics: Metrics,
}

/// The case, and what was done in it.
type Judged = (Verdict, Result<Authenticated>);

/// One refresh under way.
struct Attempt<'a> {
    token: RefreshToken,
    shown: ShownToken,
    client: &'a ClientInfo,
    now: DateTime<Utc>,
}

impl Refresh {
    /// Over the sessions.
    pub fn new(
        ground: &Ground,
        sessions: Arc<Sessions>,
        throttle: Arc<Throttle>,
        rules: RefreshRules,
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
            sessions,
            throttle,
            rules,
            seams,
            metrics,
        }
    }

    /// Trades a refresh token for new tokens. A retry is always safe; a token that was replaced ends its session.
    pub async fn refresh(
        &self,
        shown: &str,
        transport: Transport,
        client: &ClientInfo,
    ) -> Result<Authenticated> {
        let (verdict, answer) = match self.trade(shown, transport, client).await {
            Ok((verdict, answer)) => (Some(verdict), answer),
            Err(error) => (None, Err(error)),
        };
        match (verdict, &answer) {
            (Some(verdict), Ok(_) | Err(Error::Refused(_))) => self.metrics.judged(verdict),
            (None, Ok(_)) => {}
            (_, Err(error)) => self.metrics.refresh_failed(error.outcome()),
        }
        answer
    }

    async fn trade(
        &self,
        shown: &str,
        transport: Transport,
        client: &ClientInfo,
    ) -> Result<Judged> {
        self.throttle.pass(Flow::Refresh, client)?;
        let now = self.seams.clock.now();
        let token =
            RefreshToken::parse(shown, &self.keys.ring(), now).ok_or(Code::RefreshTokenInvalid)?;
        let shown = ShownToken {
            generation: token.generation,
            digest: token.digest(),
            transport,
        };
        let attempt = Attempt {
            token,
            shown,
            client,
            now,
        };
        for _ in 0..ATTEMPTS {
            if let Some(judged) = self.attempt(&attempt).await? {
                return Ok(judged);
            }
        }
        Err(Refusal::unavailable().into())
    }

    /// `None` when another caller was faster, and the token has to be judged again.
    async fn attempt(&self, attempt: &Attempt<'_>) -> Result<Option<Judged>> {
        if let Some(answer) = self.rotate(attempt).await? {
            return Ok(Some((Verdict::Rotate, Ok(answer))));
        }
        let id = attempt.token.session_id;
        let found = self.db.conn().await?.sessions().by_id(id).await?;
        let Some(found) = found else {
            return Ok(Some((
                Verdict::Refuse,
                Err(Code::RefreshTokenInvalid.into()),
            )));
        };
        let verdict = judge(&found.held, &attempt.shown, &self.rules, attempt.now);
        let answer = match verdict {
            Verdict::Refuse => Some(Err(Code::RefreshTokenInvalid.into())),
            Verdict::Rotate => None,
            Verdict::SameToken => self.same_token(attempt, found).await.transpose(),
            Verdict::SameSuccessor => match self.derive_again(attempt, &found) {
                Some(successor) => Some(self.same_successor(attempt, found, &successor).await),
                None => return Ok(Some((Verdict::OurFault, Err(our_fault(attempt))))),
            },
            Verdict::Recover => self.recover(attempt, &found).await.transpose(),
            Verdict::OurFault => Some(Err(our_fault(attempt))),
            Verdict::Theft => Some(self.end_stolen(attempt).await),
        };
        Ok(answer.map(|answer| (verdict, answer)))
    }

    async fn rotate(&self, attempt: &Attempt<'_>) -> Result<Option<Authenticated>> {
        let (successor, rotation) = self.rotation(attempt, attempt.token.generation + 1)?;
        let rotated = self
            .db
            .conn()
            .await?
            .sessions()
            .rotate(&rotation, &self.rules)
            .await?;
        rotated
            .map(|found| self.sessions.answer(found, &successor, attempt.now))
            .transpose()
    }

    async fn same_token(
        &self,
        attempt: &Attempt<'_>,
        found: SignedIn,
    ) -> Result<Option<Authenticated>> {
        let (id, current) = (found.session.id, found.held.current);
        if !found.held.seen
            && !self
                .db
                .conn()
                .await?
                .sessions()
                .mark_seen(id, &current)
                .await?
        {
            return Ok(None);
        }
        self.note_elsewhere(attempt, &found).await?;
        self.sessions
            .answer(found, &attempt.token, attempt.now)
            .map(Some)
    }

    async fn same_successor(
        &self,
        attempt: &Attempt<'_>,
        found: SignedIn,
        successor: &RefreshToken,
    ) -> Result<Authenticated> {
        self.note_elsewhere(attempt, &found).await?;
        self.sessions.answer(found, successor, attempt.now)
    }

    fn derive_again(&self, attempt: &Attempt<'_>, found: &SignedIn) -> Option<RefreshToken> {
        let (salt, held) = (found.salt.as_ref()?, &found.held);
        let ring = self.keys.ring();
        attempt
            .token
            .successor_again(held.generation, salt, &held.current, &ring, attempt.now)
    }

    async fn recover(
        &self,
        attempt: &Attempt<'_>,
        found: &SignedIn,
    ) -> Result<Option<Authenticated>> {
        let (successor, rotation) = self.rotation(attempt, found.held.generation + 1)?;
        let mut tx = self.db.begin().await?;
        tx.users().hold_owner(found.session.id).await?;
        let Some(recovered) = tx.sessions().recover(&rotation, &found.held).await? else {
            return Ok(None);
        };
        let (user, session) = (recovered.user.id, recovered.session.id);
        let kind = EventKind::RefreshRetriedLate;
        let event = self
            .seams
            .event(kind, Some(user), Some(session), attempt.client, attempt.now);
        tx.security_events().add(&event).await?;
        let answer = self.sessions.answer(recovered, &successor, attempt.now)?;
        tx.commit().await?;
        Ok(Some(answer))
    }

    async fn end_stolen<T>(&self, attempt: &Attempt<'_>) -> Result<T> {
        let reason = EndReason::RefreshTokenReused;
        let cause = Cause {
            reason,
            client: attempt.client,
            now: attempt.now,
        };
        let mut tx = self.db.begin().await?;
        self.sessions
            .end(&mut tx, attempt.token.session_id, None, cause)
            .await?;
        refuse_and_keep(tx, Code::RefreshTokenInvalid).await
    }

    /// A grace answer that goes to another address or program than the rotation's is remembered, once a rotation.
    async fn note_elsewhere(&self, attempt: &Attempt<'_>, found: &SignedIn) -> Result<()> {
        let (session, client) = (&found.session, attempt.client);
        let elsewhere = session.ip != client.ip || session.user_agent != client.user_agent;
        if !elsewhere || found.seen_elsewhere {
            return Ok(());
        }
        let mut tx = self.db.begin().await?;
        tx.users().hold_owner(session.id).await?;
        if tx
            .sessions()
            .mark_seen_elsewhere(session.id, &found.held.current)
            .await?
        {
            let kind = EventKind::RefreshedFromElsewhere;
            let (user, id) = (Some(session.user_id), Some(session.id));
            let event = self.seams.event(kind, user, id, client, attempt.now);
            tx.security_events().add(&event).await?;
        }
        Ok(tx.commit().await?)
    }

    fn rotation<'a>(
        &self,
        attempt: &'a Attempt<'_>,
        generation: i32,
    ) -> Result<(RefreshToken, Rotation<'a>)> {
        let ring = self.keys.ring();
        let salt = self.seams.entropy.bytes();
        let successor = attempt
            .token
            .successor(generation, &salt, &ring, attempt.now)?;
        let rotation = Rotation {
            id: attempt.token.session_id,
            shown: &attempt.shown,
            successor: successor.digest(),
            salt,
            client: attempt.client,
            now: attempt.now,
        };
        Ok((successor, rotation))
    }
}

/// A genuine token that our own row does not explain: a database restored from a backup. The session is kept.
fn our_fault(attempt: &Attempt<'_>) -> Error {
    let session = attempt.token.session_id;
    tracing::error!(session.id = %session, "a refresh token is newer than its session: was the database restored?");
    Code::RefreshTokenInvalid.into()
}
