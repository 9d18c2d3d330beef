//! One's own second factor: turning it on and off, backup codes, and what is asked for again besides the password.

mod proofs;

use std::sync::Arc;

use chrono::{DateTime, Utc};
pub use proofs::Proofs;
use secrecy::{ExposeSecret, SecretString};

use super::codes::Codes;
use super::sessions::Cause;
use super::{Caller, Ground, Keys, Passwords, Result, Seams, Sessions, Throttle, in_batches};
use crate::crypto::{QrCode, TotpSecret, hash_backup_codes};
use crate::domain::{
    BACKUP_CODES, BackupCode, ClientInfo, Code, EndReason, EventKind, Password, Proven,
    TOTP_PENDING, TotpCode, User, UserId,
};
use crate::repositories::{Db, TotpFactor, Tx};

/// Whether a second factor is on.
pub struct TwoFactorState {
    /// Since when, if it is.
    pub enabled_at: Option<DateTime<Utc>>,
    /// How many backup codes are left.
    pub backup_codes_remaining: i64,
}

/// What an authenticator app is told once.
pub struct Enrolment {
    /// The secret in base 32, to be typed.
    pub secret: SecretString,
    /// The same with all that belongs to it.
    pub uri: SecretString,
    /// The same to be scanned.
    pub qr_code: QrCode,
    /// Seconds until it is forgotten.
    pub expires_in: i64,
}

/// A change that was made, and what follows from it.
struct Change<'a> {
    kind: EventKind,
    end_other_sessions: bool,
    client: &'a ClientInfo,
    now: DateTime<Utc>,
}

/// Keeps people's second factors.
pub struct TwoFactor {
    db: Db,
    keys: Arc<Keys>,
    passwords: Arc<Passwords>,
    codes: Codes,
    sessions: Arc<Sessions>,
    seams: Seams,
    service_name: String,
}

impl TwoFactor {
    /// `service_name`: what authenticator apps show.
    pub fn new(
        ground: &Ground,
        throttle: Arc<Throttle>,
        passwords: Arc<Passwords>,
        sessions: Arc<Sessions>,
        service_name: String,
    ) -> Self {
        let codes = Codes::new(ground, throttle);
        let Ground {
            db, keys, seams, ..
        } = ground.clone();
        Self {
            db,
            keys,
            passwords,
            codes,
            sessions,
            seams,
            service_name,
        }
    }

    /// Whether the caller's second factor is on.
    pub async fn state(&self, caller: &Caller) -> Result<TwoFactorState> {
        let user = caller.user();
        let mut conn = self.db.conn().await?;
        Ok(TwoFactorState {
            enabled_at: user.two_factor_enabled_at,
            backup_codes_remaining: conn.backup_codes().remaining(user.id).await?,
        })
    }

    /// Draws a secret that waits for its first code. Nothing is on yet.
    pub async fn enable(
        &self,
        caller: &Caller,
        password: Password,
        client: &ClientInfo,
    ) -> Result<Enrolment> {
        let user_id = caller.user().id;
        let proven = self
            .passwords
            .prove(caller, password.clone(), client)
            .await?;
        let now = self.seams.clock.now();
        let secret = TotpSecret::draw(&*self.seams.entropy);
        let sealed = secret.seal(user_id, &self.keys.ring(), now, &*self.seams.entropy)?;
        let enrolment = self.enrolment(&secret, caller.user())?;
        let put = async |tx: &mut Tx, proven: &Proven| -> Result<bool> {
            if proven.two_factor_enabled_at.is_some() {
                return Err(Code::TwoFactorAlreadyEnabled.into());
            }
            Ok(tx.totp_factors().put_pending(proven, &sealed, now).await?)
        };
        let (tx, _) = self
            .passwords
            .with_proof(caller, password, client, proven, put)
            .await?;
        tx.commit().await?;
        Ok(enrolment)
    }

    fn enrolment(&self, secret: &TotpSecret, user: &User) -> Result<Enrolment> {
        let names = [&user.email, &user.username];
        let account = names.into_iter().flatten().next().cloned();
        let account = account.unwrap_or_else(|| user.id.to_string());
        let uri = secret.uri(&self.service_name, &account)?;
        Ok(Enrolment {
            secret: secret.base32(),
            qr_code: QrCode::of(uri.expose_secret())?,
            uri,
            expires_in: TOTP_PENDING.num_seconds(),
        })
    }

    /// Turns the second factor on, for whoever can show the first code of the secret that waits; the backup codes.
    pub async fn verify(
        &self,
        caller: &Caller,
        code: &TotpCode,
        end_other_sessions: bool,
        client: &ClientInfo,
    ) -> Result<Vec<BackupCode>> {
        let user_id = caller.user().id;
        let factor = self.pending(user_id).await?;
        let secret = TotpSecret::open(&factor.secret, user_id, &self.keys.ring())?;
        let compare = async |now| Ok(secret.step_of(code, now)?);
        let step = self.codes.counted(caller, client, compare).await?;
        let now = self.seams.clock.now();
        let mut tx = self.db.begin().await?;
        tx.users().hold(user_id).await?;
        if !tx.sessions().is_open(caller.session().id).await? {
            return Err(Code::SessionEnded.into());
        }
        let version = factor.credential_version;
        let confirmed = tx
            .totp_factors()
            .confirm(user_id, &factor.secret, step, now)
            .await?;
        if !confirmed
            || !tx
                .users()
                .change_two_factor(user_id, version, Some(now), now)
                .await?
        {
            return Err(Code::TwoFactorNotPending.into());
        }
        let codes = self.new_backup_codes(&mut tx, user_id, now).await?;
        let change = Change {
            kind: EventKind::TwoFactorEnabled,
            end_other_sessions,
            client,
            now,
        };
        self.finish(tx, caller, change).await?;
        Ok(codes)
    }

    /// Turns the second factor off.
    pub async fn disable(
        &self,
        caller: &Caller,
        proofs: Proofs,
        end_other_sessions: bool,
        client: &ClientInfo,
    ) -> Result<()> {
        let proved = self.prove_both(caller, proofs, client).await?;
        let (user_id, now) = (caller.user().id, self.seams.clock.now());
        let turn_off = async |tx: &mut Tx, proven: &Proven| -> Result<bool> {
            let users = tx.users();
            Ok(users
                .change_two_factor(user_id, proven.version, None, now)
                .await?)
        };
        let mut tx = self.with_proofs(caller, proved, client, turn_off).await?;
        tx.totp_factors().remove(user_id).await?;
        tx.backup_codes().remove(user_id).await?;
        let change = Change {
            kind: EventKind::TwoFactorDisabled,
            end_other_sessions,
            client,
            now,
        };
        self.finish(tx, caller, change).await
    }

    /// New backup codes; the old ones are void.
    pub async fn replace_backup_codes(
        &self,
        caller: &Caller,
        proofs: Proofs,
        end_other_sessions: bool,
        client: &ClientInfo,
    ) -> Result<Vec<BackupCode>> {
        let proved = self.prove_both(caller, proofs, client).await?;
        let (user_id, now) = (caller.user().id, self.seams.clock.now());
        let keep_on = async |tx: &mut Tx, proven: &Proven| -> Result<bool> {
            let since = proven.two_factor_enabled_at;
            let users = tx.users();
            Ok(users
                .change_two_factor(user_id, proven.version, since, now)
                .await?)
        };
        let mut tx = self.with_proofs(caller, proved, client, keep_on).await?;
        tx.backup_codes().remove(user_id).await?;
        let codes = self.new_backup_codes(&mut tx, user_id, now).await?;
        let change = Change {
            kind: EventKind::BackupCodesReplaced,
            end_other_sessions,
            client,
            now,
        };
        self.finish(tx, caller, change).await?;
        Ok(codes)
    }

    /// Deletes secrets that have waited for too long, in small batches; how many.
    pub async fn purge(&self) -> Result<u64> {
        let before = self.seams.clock.now() - TOTP_PENDING;
        in_batches(async |most| {
            let mut conn = self.db.conn().await?;
            Ok(conn.totp_factors().purge(before, most).await?)
        })
        .await
    }

    /// The secret that waits for its first code.
    async fn pending(&self, user_id: UserId) -> Result<TotpFactor> {
        let now = self.seams.clock.now();
        let factor = self.db.conn().await?.totp_factors().of(user_id).await?;
        let waits = |factor: &TotpFactor| {
            factor.confirmed_at.is_none() && now < factor.created_at + TOTP_PENDING
        };
        Ok(factor.filter(waits).ok_or(Code::TwoFactorNotPending)?)
    }

    async fn new_backup_codes(
        &self,
        tx: &mut Tx,
        user_id: UserId,
        now: DateTime<Utc>,
    ) -> Result<Vec<BackupCode>> {
        let drawn = std::iter::repeat_with(|| BackupCode::draw(&*self.seams.entropy));
        let codes: Vec<_> = drawn.take(BACKUP_CODES).collect();
        let hashed = hash_backup_codes(&codes, user_id, &self.keys.ring(), now)?;
        tx.backup_codes()
            .add(user_id, hashed.key_id, &hashed.digests)
            .await?;
        Ok(codes)
    }

    /// What every change ends with: the other sessions, unless they are to go on, and the event.
    async fn finish(&self, mut tx: Tx, caller: &Caller, change: Change<'_>) -> Result<()> {
        let (user_id, session_id) = (caller.user().id, caller.session().id);
        let Change {
            kind, client, now, ..
        } = change;
        if change.end_other_sessions {
            let cause = Cause {
                reason: EndReason::Revoked,
                client,
                now,
            };
            self.sessions
                .end_others(&mut tx, user_id, Some(session_id), cause)
                .await?;
        }
        let event = self
            .seams
            .event(kind, Some(user_id), Some(session_id), client, now);
        tx.security_events().add(&event).await?;
        Ok(tx.commit().await?)
    }
}
