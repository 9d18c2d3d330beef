//! Logging in with a password, and with a second factor where there is one. What is proven here is worth a session only
//! through `Sessions::open`.

mod second_step;

use std::sync::Arc;

pub use second_step::{Challenge, SecondStep};

use super::codes::Codes;
use super::sessions::Opening;
use super::throttle::{Guess, Reservation};
use super::{Authenticated, Error, Ground, Keys, Result, Seams, Sessions, Throttle, note_alone};
use crate::crypto::PasswordHasher;
use crate::domain::{
    AuthMethod, ClientInfo, Code, Credentials, DeviceId, EventKind, Flow, Identifier, Password,
    Proof, Transport,
};
use crate::metrics::Metrics;
use crate::repositories::{Db, Tx};

/// How a login that is complete is counted.
const AUTHENTICATED: &str = "authenticated";

/// What somebody logs in with.
pub struct LogIn {
    /// The account.
    pub who: Identifier,
    /// Its password.
    pub password: Password,
    /// Where the refresh token is to travel.
    pub transport: Transport,
    /// The refresh token in the browser's cookie, which that of the new session replaces.
    pub replaces: Option<String>,
    /// What the device says of itself.
    pub device_token: Option<String>,
}

/// How far a right password gets.
pub enum LoggedIn {
    /// All the way.
    Authenticated(Box<Authenticated>),
    /// To the question for the second factor.
    TwoFactorRequired(Challenge),
}

/// Logs people in.
pub struct Login {
    db: Db,
    keys: Arc<Keys>,
    hasher: PasswordHasher,
    throttle: Arc<Throttle>,
    codes: Codes,
    sessions: Arc<Sessions>,
    seams: Seams,
    metrics: Metrics,
}

/// A login under way: whose it is, and what was counted for it.
struct Attempt<'a> {
    known: Option<Credentials>,
    device_id: Option<DeviceId>,
    account: Guess<'a>,
    reserved: Reservation,
    client: &'a ClientInfo,
}

impl Login {
    /// Over the counted tries and the one door.
    pub fn new(ground: &Ground, throttle: Arc<Throttle>, sessions: Arc<Sessions>) -> Self {
        let codes = Codes::new(ground, throttle.clone());
        let Ground {
            db,
            keys,
            hasher,
            seams,
            metrics,
        } = ground.clone();
        Self {
            db,
            keys,
            hasher,
            throttle,
            codes,
            sessions,
            seams,
            metrics,
        }
    }

    /// Compares the password, and opens a session or asks for the second factor. An account that does not exist is counted
    /// alike, costs the same work and gets the same answer as a wrong password.
    pub async fn log_in(&self, login: LogIn, client: &ClientInfo) -> Result<LoggedIn> {
        let outcome = self.first_step(login, client).await;
        self.metrics.logged_in(match &outcome {
            Ok(LoggedIn::Authenticated(_)) => AUTHENTICATED,
            Ok(LoggedIn::TwoFactorRequired(_)) => "two_factor_required",
            Err(error) => error.outcome(),
        });
        outcome
    }

    async fn first_step(&self, login: LogIn, client: &ClientInfo) -> Result<LoggedIn> {
        self.throttle.pass(Flow::LogIn, client)?;
        let LogIn {
            who,
            password,
            transport,
            replaces,
            device_token,
        } = login;
        let attempt = self.begin(&who, device_token.as_deref(), client).await?;
        let known = self.compare(&attempt, password.clone()).await?;
        let rehashed = self.rehashed(known, password, client).await;
        let outcome = if known.two_factor_enabled_at.is_some() {
            self.ask_for_second_factor(&attempt, known, transport, rehashed)
                .await
        } else {
            self.open(&attempt, known, transport, replaces.as_deref(), rehashed)
                .await
        };
        match outcome {
            Ok(logged_in) => {
                let complete = matches!(logged_in, LoggedIn::Authenticated(_));
                let account = complete.then_some(&attempt.account);
                self.throttle.settle(&attempt.reserved, account).await;
                Ok(logged_in)
            }
            Err(error) => {
                let error = self.overtaken(known, client, error).await?;
                self.throttle.settle(&attempt.reserved, None).await;
                Err(error)
            }
        }
    }

    /// Opens a session for a right password.
    async fn open(
        &self,
        attempt: &Attempt<'_>,
        known: &Credentials,
        transport: Transport,
        replaces: Option<&str>,
        rehashed: Option<String>,
    ) -> Result<LoggedIn> {
        let methods = vec![AuthMethod::Password];
        let proof = Proof {
            user_id: known.user_id,
            credential_version: known.version,
            methods,
        };
        let opening = Opening {
            proof: &proof,
            device_id: attempt.device_id,
            transport,
            replaces,
            client: attempt.client,
            now: self.seams.clock.now(),
        };
        if rehashed.is_none()
            && let Some(opened) = self.sessions.open_at_once(&opening).await?
        {
            return Ok(LoggedIn::Authenticated(Box::new(opened)));
        }
        let mut tx = self.db.begin().await?;
        let opened = self.sessions.open(&mut tx, opening).await?;
        Self::keep_rehashed(&mut tx, known, rehashed).await?;
        tx.commit().await?;
        Ok(LoggedIn::Authenticated(Box::new(opened)))
    }

    /// Finds the account, and counts the try.
    async fn begin<'a>(
        &self,
        who: &'a Identifier,
        device_token: Option<&str>,
        client: &'a ClientInfo,
    ) -> Result<Attempt<'a>> {
        let known = self.db.conn().await?.users().credentials(who).await?;
        let device_id = known
            .as_ref()
            .and_then(|known| self.known_device(known, device_token?));
        let account = match (&known, device_id) {
            (Some(_), Some(device)) => Guess::KnownDevice(device),
            (Some(known), None) => Guess::Account(known.user_id),
            (None, _) => Guess::NoAccount(who),
        };
        let source = client.network().map(Guess::Source);
        // The address first: one that has used up its own tries reaches no account's.
        let guesses: Vec<&Guess<'_>> = source.iter().chain([&account]).collect();
        let reserved = self.throttle.reserve(&guesses).await?;
        Ok(Attempt {
            known,
            device_id,
            account,
            reserved,
            client,
        })
    }

    /// The account, if the password is its own and it may sign in; what was counted is given back by the caller then.
    async fn compare<'a>(
        &self,
        attempt: &'a Attempt<'_>,
        password: Password,
    ) -> Result<&'a Credentials> {
        let known = attempt.known.as_ref();
        let stored = known.and_then(|known| known.password_hash.as_deref());
        let compared = self
            .hasher
            .queued_as(attempt.client.network())
            .verify(password, stored)
            .await;
        let may_enter = known.filter(|known| matches!(compared, Ok(true)) && !known.disabled);
        if compared.is_err() {
            // Not compared at all, it was no guess.
            self.throttle.give_back(&attempt.reserved).await?;
        }
        if let Some(known) = may_enter {
            return Ok(known);
        }
        let (kind, code) = if compared? {
            (EventKind::LoginRefused, Code::AccountDisabled)
        } else {
            (EventKind::LoginFailed, Code::InvalidCredentials)
        };
        // The trace is durable before the answer. There is one also where there is no account: the work is the same, and
        // how many there can be is bounded by what is counted.
        let user_id = known.map(|known| known.user_id);
        let now = self.seams.clock.now();
        let event = self.seams.event(kind, user_id, None, attempt.client, now);
        note_alone(&self.db, event).await?;
        Err(code.into())
    }

    /// A right password that came to nothing leaves a trace: the account has changed since it was compared.
    async fn overtaken(
        &self,
        known: &Credentials,
        client: &ClientInfo,
        error: Error,
    ) -> Result<Error> {
        if matches!(error, Error::Refused(_)) {
            let (kind, user_id) = (EventKind::LoginRefused, Some(known.user_id));
            let now = self.seams.clock.now();
            note_alone(&self.db, self.seams.event(kind, user_id, None, client, now)).await?;
        }
        Ok(error)
    }

    /// The device, if its token is of this user and of these credentials.
    fn known_device(&self, known: &Credentials, device_token: &str) -> Option<DeviceId> {
        let now = self.seams.clock.now();
        let device = self.sessions.device(device_token, now)?;
        let fits = device.user_id == known.user_id && device.credential_version == known.version;
        fits.then_some(device.device_id)
    }

    /// A hash by today's parameters, where the stored one is by others. Nobody's login fails for want of it.
    async fn rehashed(
        &self,
        known: &Credentials,
        password: Password,
        client: &ClientInfo,
    ) -> Option<String> {
        let stored = known.password_hash.as_deref()?;
        if !self.hasher.is_outdated(stored) {
            return None;
        }
        let hasher = self.hasher.queued_as(client.network());
        let hash = hasher.hash(password, self.seams.entropy.bytes());
        hash.await.ok()
    }

    async fn keep_rehashed(
        tx: &mut Tx,
        known: &Credentials,
        rehashed: Option<String>,
    ) -> Result<()> {
        if let (Some(hash), Some(seen)) = (rehashed, &known.password_hash) {
            tx.users().rehash(known.user_id, seen, &hash).await?;
        }
        Ok(())
    }
}
