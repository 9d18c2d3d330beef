//! Use cases. A public method begins and commits its transaction; nothing slow runs while one is open.
//!
//! Services use each other one way only:
//! `keys → {throttle, sessions} → {codes, passwords} → two_factor → {refresh, login, accounts}`.

mod accounts;
mod codes;
mod error;
mod flow;
mod health;
mod keys;
mod login;
mod passwords;
mod refresh;
mod security_events;
mod sessions;
mod throttle;
mod two_factor;
mod users;

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use tokio::time::sleep;

use crate::crypto::PasswordHasher;
use crate::domain::{ClientInfo, Clock, Entropy, Event, EventId, EventKind, SessionId, UserId};
use crate::metrics::Metrics;
use crate::repositories::Db;

pub use crate::repositories::in_one_deadline;
pub use accounts::Accounts;
pub(crate) use error::chain;
pub use error::{Error, Result};
pub use health::Health;
pub use keys::{KeyRules, Keys, ListedKey, Rotated, Rotation};
pub use login::{Challenge, LogIn, LoggedIn, Login, SecondStep};
pub use passwords::{PasswordChange, Passwords};
pub use refresh::Refresh;
pub use security_events::SecurityEvents;
pub use sessions::{Authenticated, Caller, ListedSession, LogOut, SessionLimits, Sessions};
pub use throttle::Throttle;
pub use two_factor::{Enrolment, Proofs, TwoFactor, TwoFactorState};
pub use users::Users;

/// What differs between production and a test.
#[derive(Clone)]
pub struct Seams {
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where randomness comes from.
    pub entropy: Arc<dyn Entropy>,
}

/// What services stand on.
#[derive(Clone)]
pub struct Ground {
    /// The database.
    pub db: Db,
    /// The key ring.
    pub keys: Arc<Keys>,
    /// The threads that hash passwords.
    pub hasher: PasswordHasher,
    /// Time and randomness.
    pub seams: Seams,
    /// What is counted.
    pub metrics: Metrics,
}

impl Seams {
    /// An event to be written.
    fn event<'a>(
        &self,
        kind: EventKind,
        user_id: Option<UserId>,
        session_id: Option<SessionId>,
        client: &'a ClientInfo,
        at: DateTime<Utc>,
    ) -> Event<'a> {
        Event {
            id: EventId::new(at, &*self.entropy),
            kind,
            user_id,
            session_id,
            client,
            at,
        }
    }
}

/// Writes an event that nothing else happens with. Whom it is about may have left meanwhile; then it names nobody.
async fn note_alone(db: &Db, mut event: Event<'_>) -> Result<()> {
    let mut conn = db.conn().await?;
    match conn.security_events().add(&event).await {
        Err(error) if error.is_on("security_events_user_id_fkey") => {
            event.user_id = None;
            Ok(conn.security_events().add(&event).await?)
        }
        outcome => Ok(outcome?),
    }
}

/// Rows that one statement purges.
const BATCH: i64 = 100;

/// Purges as many rows as asked for, again and again until none is left; how many they were.
async fn in_batches(purge: impl AsyncFn(i64) -> Result<u64>) -> Result<u64> {
    let mut purged = 0;
    loop {
        let began = Instant::now();
        let batch = purge(BATCH).await?;
        purged += batch;
        if batch == 0 {
            return Ok(purged);
        }
        give_way(began).await;
    }
}

/// Between two batches. What runs beside the requests has the database for a tenth of the time, so that they do not wait.
async fn give_way(began: Instant) {
    sleep(began.elapsed().saturating_mul(9)).await;
}

/// Every use case there is.
#[derive(Clone)]
pub struct Services {
    /// Signing up, one's own account.
    pub accounts: Arc<Accounts>,
    /// Logging in.
    pub login: Arc<Login>,
    /// One's own password.
    pub passwords: Arc<Passwords>,
    /// One's own second factor.
    pub two_factor: Arc<TwoFactor>,
    /// Counted guesses.
    pub throttle: Arc<Throttle>,
    /// Refreshing.
    pub refresh: Arc<Refresh>,
    /// What happened to accounts and sessions.
    pub security_events: Arc<SecurityEvents>,
    /// Sessions: opening, authenticating, ending.
    pub sessions: Arc<Sessions>,
    /// The key ring.
    pub keys: Arc<Keys>,
    /// Whether the service can serve.
    pub health: Arc<Health>,
    /// Everybody's accounts, for whoever operates the service.
    pub users: Arc<Users>,
}
