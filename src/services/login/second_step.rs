//! The second step of a login: a challenge is given for a right password, and answered with the second factor. Nothing
//! session-like exists in between.

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::{AUTHENTICATED, Attempt, LoggedIn, Login};
use crate::crypto::ChallengeToken;
use crate::domain::{
    AuthMethod, ClientInfo, Code, Credentials, EventKind, Flow, LoginChallenge, Proof,
    SecondFactor, Transport,
};
use crate::repositories::Tx;
use crate::services::codes::{Codes, RightCode};
use crate::services::sessions::Opening;
use crate::services::throttle::{CodeFrom, Guess, Reservation};
use crate::services::{Authenticated, Error, Result, in_batches, note_alone};

/// A login that waits for the second factor.
pub struct Challenge {
    /// What is shown together with it.
    pub token: SecretString,
    /// Seconds it waits.
    pub expires_in: i64,
}

/// The second step, as it is sent.
pub struct SecondStep {
    /// The challenge.
    pub challenge_token: String,
    /// The second factor.
    pub code: SecondFactor,
    /// The refresh token of the session that gives way, where a cookie holds one.
    pub replaces: Option<String>,
}

/// A challenge that was answered with a right code. Neither is spent yet.
struct Answered {
    digest: [u8; 32],
    transport: Transport,
    challenge: LoginChallenge,
    right: RightCode,
}

impl Login {
    /// Where the refresh token of the login is to travel; `None` for what is no challenge of ours.
    pub fn transport_of(&self, challenge_token: &str) -> Option<Transport> {
        self.challenge(challenge_token).map(|token| token.transport)
    }

    /// Completes a login with the second factor. A challenge is good for so many tries, an account for so many wrong codes
    /// whatever the challenges, and a right code for one login.
    pub async fn complete(&self, step: SecondStep, client: &ClientInfo) -> Result<Authenticated> {
        let completed = self.second_step(step, client).await;
        let outcome = completed
            .as_ref()
            .map_or_else(Error::outcome, |_| AUTHENTICATED);
        self.metrics.logged_in(outcome);
        completed
    }

    async fn second_step(&self, step: SecondStep, client: &ClientInfo) -> Result<Authenticated> {
        self.throttle.pass(Flow::LogIn, client)?;
        let now = self.seams.clock.now();
        let answered = self.compare_code(&step, client, now).await?;
        let (challenge, replaces) = (&answered.challenge, step.replaces.as_deref());
        let mut tx = self.db.begin().await?;
        self.sessions
            .hold(&mut tx, challenge.user_id, replaces)
            .await?;
        if !tx.login_challenges().spend(&answered.digest).await? {
            drop(tx);
            self.waiting(&answered.digest, client, now).await?;
            return Err(Code::ChallengeExpired.into());
        }
        if !Codes::spend(&mut tx, &answered.right).await? {
            drop(tx);
            return self.refuse_code(challenge, client).await;
        }
        let opened = self
            .enter(&mut tx, &answered, replaces, client, now)
            .await?;
        tx.commit().await?;
        Ok(opened)
    }

    /// The challenge, if it is alive and the code is right.
    async fn compare_code(
        &self,
        step: &SecondStep,
        client: &ClientInfo,
        now: DateTime<Utc>,
    ) -> Result<Answered> {
        let token = self
            .challenge(&step.challenge_token)
            .ok_or(Code::ChallengeExpired)?;
        let digest = token.digest();
        let challenge = self.waiting(&digest, client, now).await?;
        let reserved = self.count_code(&digest, &challenge, client).await?;
        let compared = self.codes.compare(challenge.user_id, &step.code, now).await;
        if !matches!(compared, Ok(None)) {
            self.throttle.give_back(&reserved).await?;
        }
        let Some(right) = compared? else {
            return self.refuse_code(&challenge, client).await;
        };
        Ok(Answered {
            digest,
            transport: token.transport,
            challenge,
            right,
        })
    }

    /// The challenge, if it may be answered. One that waits for nothing, because the account has changed since, is refused
    /// like one that does not exist, and leaves a trace for each of its tries.
    async fn waiting(
        &self,
        digest: &[u8; 32],
        client: &ClientInfo,
        now: DateTime<Utc>,
    ) -> Result<LoginChallenge> {
        let mut conn = self.db.conn().await?;
        let found = conn.login_challenges().waiting(digest, now).await?;
        let (challenge, holds) = found.ok_or(Code::ChallengeExpired)?;
        if holds {
            return Ok(challenge);
        }
        let counted = conn.login_challenges().count_try(digest).await?;
        drop(conn);
        if counted {
            let (kind, user_id) = (EventKind::LoginRefused, Some(challenge.user_id));
            note_alone(&self.db, self.seams.event(kind, user_id, None, client, now)).await?;
        }
        Err(Code::ChallengeExpired.into())
    }

    /// Gives a challenge for a right password.
    pub(super) async fn ask_for_second_factor(
        &self,
        attempt: &Attempt<'_>,
        known: &Credentials,
        transport: Transport,
        rehashed: Option<String>,
    ) -> Result<LoggedIn> {
        let now = self.seams.clock.now();
        let token = ChallengeToken::new(transport, self.seams.entropy.bytes());
        let challenge = LoginChallenge {
            user_id: known.user_id,
            credential_version: known.version,
            methods: vec![AuthMethod::Password],
            device_id: attempt.device_id,
        };
        let expires_at = now + LoginChallenge::LIFE;
        let answer = Challenge {
            token: token.encode(&self.keys.ring(), now)?,
            expires_in: LoginChallenge::LIFE.num_seconds(),
        };
        let mut tx = self.db.begin().await?;
        let digest = token.digest();
        let challenges = tx.login_challenges();
        if !challenges.add(&digest, &challenge, expires_at).await? {
            return Err(Code::InvalidCredentials.into());
        }
        tx.login_challenges()
            .keep_newest(&digest, &challenge, LoginChallenge::AT_ONCE)
            .await?;
        let (kind, user_id) = (EventKind::LoginChallenged, Some(known.user_id));
        let event = self.seams.event(kind, user_id, None, attempt.client, now);
        tx.security_events().add(&event).await?;
        Self::keep_rehashed(&mut tx, known, rehashed).await?;
        tx.commit().await?;
        Ok(LoggedIn::TwoFactorRequired(answer))
    }

    fn challenge(&self, token: &str) -> Option<ChallengeToken> {
        ChallengeToken::parse(token, &self.keys.ring(), self.seams.clock.now())
    }

    /// Counts a try of the address, of the account and of the challenge.
    async fn count_code(
        &self,
        digest: &[u8; 32],
        challenge: &LoginChallenge,
        client: &ClientInfo,
    ) -> Result<Reservation> {
        let source = client.network().map(Guess::Source);
        let from = code_from(challenge);
        let account = [Guess::Code(from), Guess::CodesInARow(from)];
        let guesses: Vec<&Guess<'_>> = source.iter().chain(&account).collect();
        let reserved = self.throttle.reserve(&guesses).await?;
        let mut conn = self.db.conn().await?;
        let counted = conn.login_challenges().count_try(digest).await?;
        drop(conn);
        if !counted {
            self.throttle.give_back(&reserved).await?;
            return Err(Code::ChallengeExpired.into());
        }
        Ok(reserved)
    }

    async fn enter(
        &self,
        tx: &mut Tx,
        answered: &Answered,
        replaces: Option<&str>,
        client: &ClientInfo,
        now: DateTime<Utc>,
    ) -> Result<Authenticated> {
        let challenge = &answered.challenge;
        let mut methods = challenge.methods.clone();
        methods.push(AuthMethod::Otp);
        let proof = Proof {
            user_id: challenge.user_id,
            credential_version: challenge.credential_version,
            methods,
        };
        let opening = Opening {
            proof: &proof,
            device_id: challenge.device_id,
            transport: answered.transport,
            replaces,
            client,
            now,
        };
        let opened = self.sessions.open(tx, opening).await?;
        if let Some(kind) = answered.right.event() {
            let (user, session) = (Some(challenge.user_id), Some(opened.session.id));
            let event = self.seams.event(kind, user, session, client, now);
            tx.security_events().add(&event).await?;
        }
        let account = challenge
            .device_id
            .map_or(Guess::Account(challenge.user_id), Guess::KnownDevice);
        self.throttle.clear(tx, &account).await?;
        let in_a_row = Guess::CodesInARow(code_from(challenge));
        self.throttle.clear(tx, &in_a_row).await?;
        Ok(opened)
    }

    async fn refuse_code<T>(&self, challenge: &LoginChallenge, client: &ClientInfo) -> Result<T> {
        let (kind, user_id) = (EventKind::SecondFactorFailed, Some(challenge.user_id));
        let now = self.seams.clock.now();
        let event = self.seams.event(kind, user_id, None, client, now);
        note_alone(&self.db, event).await?;
        Err(Code::InvalidCode.into())
    }

    /// Deletes challenges whose time is over, in small batches; how many.
    pub async fn purge(&self) -> Result<u64> {
        let now = self.seams.clock.now();
        in_batches(async |most| {
            let mut conn = self.db.conn().await?;
            Ok(conn.login_challenges().purge(now, most).await?)
        })
        .await
    }
}

fn code_from(challenge: &LoginChallenge) -> CodeFrom {
    let unknown = CodeFrom::Login(challenge.user_id);
    challenge.device_id.map_or(unknown, CodeFrom::KnownDevice)
}
