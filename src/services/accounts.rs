//! Accounts: signing up, one's own profile, and leaving.

use std::sync::Arc;

use super::sessions::Opening;
use super::{Authenticated, Caller, Error, Passwords, Result, Seams, Sessions, Throttle};
use crate::crypto::PasswordHasher;
use crate::domain::{
    AuthMethod, ClientInfo, Code, EventKind, Flow, NewAccount, Password, ProfileChange, Proof,
    Proven, SignUpForm, Transport, User, UserId,
};
use crate::repositories::{Db, DbError, NewUser, Tx};

/// Every account begins with this version of its credentials; the column's default says the same.
const FIRST_VERSION: i32 = 1;

/// Makes, changes and deletes accounts.
pub struct Accounts {
    db: Db,
    hasher: PasswordHasher,
    passwords: Arc<Passwords>,
    throttle: Arc<Throttle>,
    sessions: Arc<Sessions>,
    seams: Seams,
}

impl Accounts {
    /// Over the accounts and the one door.
    pub fn new(
        db: Db,
        hasher: PasswordHasher,
        passwords: Arc<Passwords>,
        throttle: Arc<Throttle>,
        sessions: Arc<Sessions>,
        seams: Seams,
    ) -> Self {
        Self {
            db,
            hasher,
            passwords,
            throttle,
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
        self.throttle.pass(Flow::SignUp, client)?;
        let policy = self.passwords.policy();
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
        let opening = Opening {
            proof: &proof,
            device_id: None,
            transport,
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
        let passwords = &self.passwords;
        let proven = passwords.prove(caller, password.clone(), client).await?;
        let delete = async |tx: &mut Tx, proven: &Proven| -> Result<bool> {
            Ok(tx.users().delete(proven).await?)
        };
        let (mut tx, _) = passwords
            .with_proof(caller, password, client, proven, delete)
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
