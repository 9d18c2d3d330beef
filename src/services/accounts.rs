//! Accounts: signing up, one's own profile, and leaving.

use std::sync::Arc;

use super::{Authenticated, Caller, Error, Result, Seams, Sessions};
use crate::crypto::PasswordHasher;
use crate::domain::{
    AuthMethod, ClientInfo, Code, EventKind, NewAccount, Password, PasswordPolicy, ProfileChange,
    Proof, SignUpForm, Transport, User, UserId,
};
use crate::repositories::{Db, DbError, NewUser};

/// Every account begins with this version of its credentials; the column's default says the same.
const FIRST_VERSION: i32 = 1;

/// Makes, changes and deletes accounts.
pub struct Accounts {
    db: Db,
    hasher: PasswordHasher,
    policy: PasswordPolicy,
    sessions: Arc<Sessions>,
    seams: Seams,
}

impl Accounts {
    /// Over the accounts and the one door.
    pub fn new(
        db: Db,
        hasher: PasswordHasher,
        policy: PasswordPolicy,
        sessions: Arc<Sessions>,
        seams: Seams,
    ) -> Self {
        Self {
            db,
            hasher,
            policy,
            sessions,
            seams,
        }
    }

    /// Makes an account and signs its owner in. Of many at once for one address, one makes it.
    pub async fn sign_up(
        &self,
        form: SignUpForm,
        transport: Transport,
        client: &ClientInfo,
    ) -> Result<Authenticated> {
        let policy = self.policy;
        let account = self
            .hasher
            .labour(move || NewAccount::judge(form, &policy))
            .await??;
        let salt = self.seams.entropy.bytes();
        let password_hash = self.hasher.hash(account.password.clone(), salt).await?;
        let now = self.seams.clock.now();
        let id = UserId::new(now, &*self.seams.entropy);
        let user = NewUser {
            id,
            account: &account,
            password_hash: &password_hash,
            now,
        };
        let methods = vec![AuthMethod::Password];
        let proof = Proof {
            user_id: id,
            credential_version: FIRST_VERSION,
            methods,
        };
        let mut tx = self.db.begin().await?;
        tx.users().add(&user).await.map_err(taken)?;
        let event = self
            .seams
            .event(EventKind::AccountCreated, Some(id), None, client, now);
        tx.security_events().add(&event).await?;
        let opened = self
            .sessions
            .open(&mut tx, &proof, transport, client, now)
            .await?;
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
    pub async fn delete(
        &self,
        caller: &Caller,
        password: Password,
        client: &ClientInfo,
    ) -> Result<()> {
        let user_id = caller.user().id;
        let mut tx = loop {
            let stored = self.prove(user_id, password.clone()).await?;
            let mut tx = self.db.begin().await?;
            if tx.users().delete(user_id, &stored).await? {
                break tx;
            }
            // The hash was replaced while the password was compared with it: compare again.
        };
        let now = self.seams.clock.now();
        // The row outlives the account it was about, so it names none.
        let event = self
            .seams
            .event(EventKind::AccountDeleted, None, None, client, now);
        tx.security_events().add(&event).await?;
        Ok(tx.commit().await?)
    }

    /// The stored hash, once the password has been shown to be its own.
    async fn prove(&self, user_id: UserId, password: Password) -> Result<String> {
        let known = self
            .db
            .conn()
            .await?
            .users()
            .credentials_of(user_id)
            .await?;
        let stored = known.ok_or(Code::SessionEnded)?.password_hash;
        let right = self.hasher.verify(password, stored.as_deref()).await?;
        Ok(stored.filter(|_| right).ok_or(Code::WrongPassword)?)
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
