//! Passwords inside a session: asked for again, and changed.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::sessions::Cause;
use super::throttle::Guess;
use super::{Caller, Ground, Result, Seams, Sessions, Throttle, note_alone};
use crate::crypto::PasswordHasher;
use crate::domain::{
    ClientInfo, Code, EndReason, EventKind, FieldCode, FieldError, FieldErrors, Password,
    PasswordPolicy, Proven, User, UserId,
};
use crate::repositories::{Db, Tx};

/// A change of one's own password, as typed.
pub struct PasswordChange {
    /// The password so far.
    pub current: String,
    /// The password from now on.
    pub new: String,
    /// Whether the other sessions end.
    pub end_other_sessions: bool,
}

/// Asks for passwords and changes them.
pub struct Passwords {
    db: Db,
    hasher: PasswordHasher,
    throttle: Arc<Throttle>,
    policy: PasswordPolicy,
    sessions: Arc<Sessions>,
    seams: Seams,
}

impl Passwords {
    /// By the rules of `policy`.
    pub fn new(
        ground: &Ground,
        throttle: Arc<Throttle>,
        sessions: Arc<Sessions>,
        policy: PasswordPolicy,
    ) -> Self {
        let Ground {
            db, hasher, seams, ..
        } = ground.clone();
        Self {
            db,
            hasher,
            throttle,
            policy,
            sessions,
            seams,
        }
    }

    /// The credentials, once the password has been shown to be their own. Every wrong one is counted, apart from logins,
    /// and leaves a trace.
    pub(super) async fn prove(
        &self,
        caller: &Caller,
        password: Password,
        client: &ClientInfo,
    ) -> Result<Proven> {
        let user_id = caller.user().id;
        let known = self
            .db
            .conn()
            .await?
            .users()
            .credentials_of(user_id)
            .await?;
        let known = known
            .filter(|known| !known.disabled)
            .ok_or(Code::SessionEnded)?;
        let reserved = self.throttle.reserve(&[&Guess::Prompt(user_id)]).await?;
        let hasher = self.hasher.queued_as(client.network());
        let compared = hasher
            .verify(password, known.password_hash.as_deref())
            .await;
        if compared.is_err() {
            self.throttle.give_back(&reserved).await?;
        }
        let right = compared?;
        if let Some(password_hash) = known.password_hash.filter(|_| right) {
            self.throttle.forget(&Guess::Prompt(user_id)).await?;
            return Ok(Proven {
                user_id,
                password_hash,
                version: known.version,
                two_factor_enabled_at: known.two_factor_enabled_at,
            });
        }
        let (kind, session) = (EventKind::PasswordRefused, Some(caller.session().id));
        let event = self
            .seams
            .event(kind, Some(user_id), session, client, self.seams.clock.now());
        note_alone(&self.db, event).await?;
        Err(Code::WrongPassword.into())
    }

    /// A transaction in which `write` was done with what is proven, by a session that is still open. Where a login has
    /// hashed the same password anew meanwhile, it is compared again.
    pub(super) async fn with_proof(
        &self,
        caller: &Caller,
        password: Password,
        client: &ClientInfo,
        mut proven: Proven,
        write: impl AsyncFn(&mut Tx, &Proven) -> Result<bool>,
    ) -> Result<(Tx, Proven)> {
        loop {
            let mut tx = self.db.begin().await?;
            tx.users().hold(proven.user_id).await?;
            if !tx.sessions().is_open(caller.session().id).await? {
                return Err(Code::SessionEnded.into());
            }
            if write(&mut tx, &proven).await? {
                return Ok((tx, proven));
            }
            drop(tx);
            proven = self.prove(caller, password.clone(), client).await?;
        }
    }

    /// Changes the caller's password. Everything that was proven by the old one is void; this session goes on.
    pub async fn change(
        &self,
        caller: &Caller,
        change: PasswordChange,
        client: &ClientInfo,
    ) -> Result<()> {
        let (user_id, session_id) = (caller.user().id, caller.session().id);
        let end_others = change.end_other_sessions;
        let hasher = self.hasher.queued_as(client.network());
        let (current, new) = judge(&hasher, self.policy, change, caller.user()).await?;
        let proven = self.prove(caller, current.clone(), client).await?;
        let known = Some(proven.password_hash.as_str());
        self.refuse_reuse(&hasher, user_id, known, &new).await?;
        let hash = hasher.hash(new, self.seams.entropy.bytes()).await?;
        let now = self.seams.clock.now();
        let replace = async |tx: &mut Tx, proven: &Proven| -> Result<bool> {
            Ok(tx.users().change_password(proven, &hash, now).await?)
        };
        let (mut tx, replaced) = self
            .with_proof(caller, current, client, proven, replace)
            .await?;
        self.remember(&mut tx, user_id, &replaced.password_hash, now)
            .await?;
        if end_others {
            let cause = Cause {
                reason: EndReason::Revoked,
                client,
                now,
            };
            self.sessions
                .end_others(&mut tx, user_id, Some(session_id), cause)
                .await?;
        }
        let kind = EventKind::PasswordChanged;
        let event = self
            .seams
            .event(kind, Some(user_id), Some(session_id), client, now);
        tx.security_events().add(&event).await?;
        Ok(tx.commit().await?)
    }

    /// Sets somebody's password whatever it was, for whoever operates the service. Everything that was proven by the old one
    /// is void, and every session ends; whether there still is such an account.
    pub async fn reset(&self, user: &User, new: String) -> Result<bool> {
        let (user_id, policy) = (user.id, self.policy);
        let context = context(user);
        let judge = move || {
            let context: Vec<&str> = context.iter().map(String::as_str).collect();
            policy.accept(new, &context)
        };
        let new = self.hasher.labour(judge).await??;
        let mut conn = self.db.conn().await?;
        let known = conn.users().credentials_of(user_id).await?;
        drop(conn);
        let current = known.and_then(|known| known.password_hash);
        self.refuse_reuse(&self.hasher, user_id, current.as_deref(), &new)
            .await?;
        let hash = self.hasher.hash(new, self.seams.entropy.bytes()).await?;
        let now = self.seams.clock.now();
        let mut tx = self.db.begin().await?;
        let Some(replaced) = tx.users().reset_password(user_id, &hash, now).await? else {
            return Ok(false);
        };
        if let Some(replaced) = replaced {
            self.remember(&mut tx, user_id, &replaced, now).await?;
        }
        let (client, reason) = (&ClientInfo::default(), EndReason::Revoked);
        let cause = Cause {
            reason,
            client,
            now,
        };
        self.sessions
            .end_others(&mut tx, user_id, None, cause)
            .await?;
        let kind = EventKind::PasswordReset;
        let event = self.seams.event(kind, Some(user_id), None, client, now);
        tx.security_events().add(&event).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Keeps the hash of a password that was replaced; the caller commits.
    async fn remember(
        &self,
        tx: &mut Tx,
        user_id: UserId,
        replaced: &str,
        now: DateTime<Utc>,
    ) -> Result<()> {
        tx.password_history().add(user_id, replaced, now).await?;
        let most = self.remembered();
        Ok(tx.password_history().keep(user_id, most).await?)
    }

    async fn refuse_reuse(
        &self,
        hasher: &PasswordHasher,
        user_id: UserId,
        current: Option<&str>,
        new: &Password,
    ) -> Result<()> {
        if self.policy.history == 0 {
            return Ok(());
        }
        let mut conn = self.db.conn().await?;
        let replaced = conn
            .password_history()
            .last(user_id, self.remembered())
            .await?;
        // No connection is held while passwords are compared.
        drop(conn);
        for stored in current
            .into_iter()
            .chain(replaced.iter().map(String::as_str))
        {
            if hasher.verify(new.clone(), Some(stored)).await? {
                let last = self.policy.history;
                let message = format!("One of your last {last} passwords.");
                let error = FieldError::new(FieldCode::PasswordReused, message).with("last", last);
                return Err(error.at("/new_password").into());
            }
        }
        Ok(())
    }

    /// How many replaced passwords are remembered: the one in use is not among them.
    fn remembered(&self) -> i64 {
        i64::try_from(self.policy.history.saturating_sub(1)).unwrap_or(i64::MAX)
    }
}

/// Both passwords, judged together.
async fn judge(
    hasher: &PasswordHasher,
    policy: PasswordPolicy,
    change: PasswordChange,
    user: &User,
) -> Result<(Password, Password)> {
    let (context, PasswordChange { current, new, .. }) = (context(user), change);
    let judge = move || {
        let context: Vec<&str> = context.iter().map(String::as_str).collect();
        let mut errors = FieldErrors::default();
        let current = errors.keep("/current_password", Password::parse(current));
        let new = errors.keep("/new_password", policy.accept(new, &context));
        current.zip(new).ok_or(errors)
    };
    Ok(hasher.labour(judge).await??)
}

/// What a guesser knows of a person.
fn context(user: &User) -> Vec<String> {
    let names = [&user.email, &user.username, &user.display_name];
    names.into_iter().flatten().cloned().collect()
}
