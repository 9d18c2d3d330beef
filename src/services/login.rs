//! Logging in with a password. What is proven here is worth a session only through `Sessions::open`.

use std::sync::Arc;

use super::{Authenticated, Result, Seams, Sessions};
use crate::crypto::PasswordHasher;
use crate::domain::{
    AuthMethod, ClientInfo, Code, Credentials, Identifier, Password, Proof, Transport,
};
use crate::repositories::Db;

/// What somebody logs in with.
pub struct LogIn {
    /// The account.
    pub who: Identifier,
    /// Its password.
    pub password: Password,
    /// Where the refresh token is to travel.
    pub transport: Transport,
}

/// Logs people in.
pub struct Login {
    db: Db,
    hasher: PasswordHasher,
    sessions: Arc<Sessions>,
    seams: Seams,
}

impl Login {
    /// Over the accounts and the one door.
    pub fn new(db: Db, hasher: PasswordHasher, sessions: Arc<Sessions>, seams: Seams) -> Self {
        Self {
            db,
            hasher,
            sessions,
            seams,
        }
    }

    /// Compares the password and opens a session. An account that does not exist costs the same work and gets the
    /// same answer as a wrong password.
    pub async fn log_in(&self, login: LogIn, client: &ClientInfo) -> Result<Authenticated> {
        let LogIn {
            who,
            password,
            transport,
        } = login;
        let known = self.db.conn().await?.users().credentials(&who).await?;
        let stored = known
            .as_ref()
            .and_then(|known| known.password_hash.as_deref());
        let right = self.hasher.verify(password.clone(), stored).await?;
        let known = known.filter(|_| right).ok_or(Code::InvalidCredentials)?;
        if known.disabled {
            return Err(Code::AccountDisabled.into());
        }
        let rehashed = self.rehashed(&known, password).await;
        let now = self.seams.clock.now();
        let methods = vec![AuthMethod::Password];
        let proof = Proof {
            user_id: known.user_id,
            credential_version: known.version,
            methods,
        };
        let mut tx = self.db.begin().await?;
        let opened = self
            .sessions
            .open(&mut tx, &proof, transport, client, now)
            .await?;
        if let (Some(hash), Some(seen)) = (rehashed, &known.password_hash) {
            tx.users().rehash(known.user_id, seen, &hash).await?;
        }
        tx.commit().await?;
        Ok(opened)
    }

    /// A hash by today's parameters, where the stored one is by others. Nobody's login fails for want of it.
    async fn rehashed(&self, known: &Credentials, password: Password) -> Option<String> {
        let stored = known.password_hash.as_deref()?;
        if !self.hasher.is_outdated(stored) {
            return None;
        }
        self.hasher
            .hash(password, self.seams.entropy.bytes())
            .await
            .ok()
    }
}
