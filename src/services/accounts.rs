//! Accounts: signing up, one's own profile, and leaving.

use std::sync::Arc;

use super::sessions::Opening;
use super::{
    Authenticated, Caller, Error, Ground, Proofs, Result, Seams, Sessions, Throttle, TwoFactor,
};
use crate::crypto::PasswordHasher;
use crate::domain::{
    AuthMethod, ClientInfo, Code, EventKind, Flow, NewAccount, PasswordPolicy, ProfileChange,
    Proof, Proven, SignUpForm, Transport, User, UserId,
};
use crate::metrics::Metrics;
use crate::repositories::{Db, DbError, NewUser, Tx};

/// Every account begins with this version of its credentials; the column's default says the same.
const FIRST_VERSION: i32 = 1;

/// Makes, changes and deletes accounts.
pub struct Accounts {
    db: Db,
    hasher: PasswordHasher,
    two_factor: Arc<TwoFactor>,
    throttle: Arc<Throttle>,
    policy: PasswordPolicy,
    sessions: Arc<Sessions>,
    seams: Seams,
    metrics: Metrics,
}

impl Accounts {
    /// With passwords by the rules of `policy`.
    pub fn new(
        ground: &Ground,
        two_factor: Arc<TwoFactor>,
        throttle: Arc<Throttle>,
        sessions: Arc<Sessions>,
        policy: PasswordPolicy,
    ) -> Self {
        let Ground {
            db,
            hasher,
            seams,
            metrics,
            ..
        } = ground.clone();
        Self {
            db,
            hasher,
            two_factor,
            throttle,
            policy,
            sessions,
            seams,
            metrics,
        }
    }

    /// Makes an account and signs its owner in. Of many at once for one address, one makes it. `replaces` is the refresh
    /// token in the browser's cookie, if there is one.
    pub async fn sign_up(
        &self,
        form: SignUpForm,
        transport: Transport,
        replaces: Option<&str>,
        client: &ClientInfo,
    ) -> Result<Authenticated> {
        let made = self.make(form, transport, replaces, client).await;
        self.metrics
            .signed_up(made.as_ref().map_or_else(Error::outcome, |_| "created"));
        made
    }

    async fn make(
        &self,
        form: SignUpForm,
        transport: Transport,
        replaces: Option<&str>,
        client: &ClientInfo,
    ) -> Result<Authenticated> {
        self.throttle.pass(Flow::SignUp, client)?;
        let policy = self.policy;
        let hasher = self.hasher.queued_as(client.network());
        let account = hasher
            .labour(move || NewAccount::judge(form, &policy))
            .await??;
        let salt = self.seams.entropy.bytes();
        let password_hash = hasher.hash(account.password.clone(), salt).await?;
        let now = self.seams.clock.now();
        let id = UserId::new(now, &*self.seams.entropy);
        let proof = Proof {
            user_id: id,
            credential_version: FIRST_VERSION,
            methods: vec![AuthMethod::Password],
        };
        let user = NewUser {
            id,
            account: &account,
            password_hash: &password_hash,
            now,
        };
        let mut tx = self.db.begin().await?;
        // Whose session gives way is locked before the new names are.
        self.sessions.hold(&mut tx, id, replaces).await?;
        tx.users().add(&user).await.map_err(taken)?;
        let kind = EventKind::AccountCreated;
        let event = self.seams.event(kind, Some(id), None, client, now);
        tx.security_events().add(&event).await?;
        let opening = Opening {
            proof: &proof,
            device_id: None,
            transport,
            replaces,
            client,
            now,
        };
        let opened = self.sessions.open(&mut tx, opening).await?;
        tx.commit().await?;
        Ok(opened)
    }

    /// Changes the caller's profile.
    pub async fn change_profile(
        &self,
        caller: Caller,
        change: &ProfileChange,
        client: &ClientInfo,
    ) -> Result<User> {
        let now = self.seams.clock.now();
        let (user_id, session_id) = (caller.user().id, caller.session().id);
        self.throttle.pass_person(Flow::Change, user_id)?;
        let mut tx = self.db.begin().await?;
        let changed = tx
            .users()
            .change_profile(user_id, change, now)
            .await
            .map_err(taken)?;
        let Some(changed) = changed else {
            return Ok(caller.into_user());
        };
        let kind = EventKind::ProfileChanged;
        let event = self
            .seams
            .event(kind, Some(user_id), Some(session_id), client, now);
        tx.security_events().add(&event).await?;
        tx.commit().await?;
        Ok(changed)
    }

    /// Deletes the caller's account and all that hangs on it.
    pub async fn delete(&self, caller: &Caller, proofs: Proofs, client: &ClientInfo) -> Result<()> {
        let proved = self.two_factor.prove(caller, proofs, client).await?;
        let delete = async |tx: &mut Tx, proven: &Proven| -> Result<bool> {
            Ok(tx.users().delete(proven).await?)
        };
        let mut tx = self
            .two_factor
            .with_proofs(caller, proved, client, delete)
            .await?;
        let now = self.seams.clock.now();
        // The row outlives the account it was about, so it names none.
        let event = self
            .seams
            .event(EventKind::AccountDeleted, None, None, client, now);
        tx.security_events().add(&event).await?;
        Ok(tx.commit().await?)
    }
}

fn taken(error: DbError) -> Error {
    if error.is_on("users_email_key") {
        Code::EmailTaken.into()
    } else if error.is_on("users_username_key") {
        Code::UsernameTaken.into()
    } else {
        error.into()
    }
}
