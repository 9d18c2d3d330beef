//! What the ring needs from time to time: a new signing key, secrets sealed anew, and the end of keys that nothing
//! needs any more. Any replica may do it, and several at once do no harm.

use chrono::{DateTime, Utc};

use super::Keys;
use crate::crypto::{KeyRing, PUBLISHED_AHEAD, Purpose, TotpSecret, is_over};
use crate::domain::{EventKind, KeyId, SealedKey, SealedSecret, UserId};
use crate::services::{Result, in_batches};

impl Keys {
    /// Makes the next signing key where one is due, one replica at a time; whether it did.
    pub async fn rotate_when_due(&self) -> Result<bool> {
        let (now, period) = (self.seams.clock.now(), self.rules.period);
        if !self.ring().is_signing_key_due(period, now) {
            return Ok(false);
        }
        let mut tx = self.db.begin().await?;
        tx.keys().lock().await?;
        // Another replica may have been faster.
        let ring = KeyRing::open(&tx.keys().list().await?, &self.rules.masters)?;
        let is_due = ring.is_signing_key_due(period, now);
        if is_due {
            let maker = self.maker(&ring, now)?;
            let key = maker.make(Purpose::AccessToken, now + PUBLISHED_AHEAD)?;
            tx.keys().add(&key).await?;
            self.note(&mut tx, EventKind::KeyAdded, now).await?;
        }
        tx.commit().await?;
        self.reload().await?;
        Ok(is_due)
    }

    /// Seals the TOTP secrets that an older key has sealed by the one that is active; how many.
    pub async fn reseal(&self) -> Result<u64> {
        const BATCH: i64 = 100;
        if self.ring().count(Purpose::TotpSecret) < 2 {
            return Ok(0);
        }
        let (mut done, mut after) = (0, None);
        loop {
            let active = self
                .ring()
                .active_id(Purpose::TotpSecret, self.seams.clock.now())?;
            let mut conn = self.db.conn().await?;
            let batch = conn
                .totp_factors()
                .sealed_by_others(active, after, BATCH)
                .await?;
            drop(conn);
            let Some((last, _)) = batch.last() else {
                return Ok(done);
            };
            after = Some(*last);
            for (user_id, sealed) in &batch {
                done += u64::from(self.reseal_one(*user_id, sealed).await?);
            }
        }
    }

    /// One that does not open is left as it is, and keeps its key.
    async fn reseal_one(&self, user_id: UserId, sealed: &SealedSecret) -> Result<bool> {
        let now = self.seams.clock.now();
        let entropy = &*self.seams.entropy;
        let again = {
            let ring = self.ring();
            TotpSecret::open(sealed, user_id, &ring)
                .and_then(|secret| secret.seal(user_id, &ring, now, entropy))
        };
        match again {
            Ok(again) => {
                let mut conn = self.db.conn().await?;
                Ok(conn.totp_factors().reseal(user_id, sealed, &again).await?)
            }
            Err(error) => {
                tracing::error!(%error, "a TOTP secret is not sealed anew");
                Ok(false)
            }
        }
    }

    /// Deletes the keys that nothing needs any more; how many.
    pub async fn retire(&self) -> Result<u64> {
        let now = self.seams.clock.now();
        let ring = self.db.conn().await?.keys().list().await?;
        let mut retired = 0;
        for key in ring.iter().filter(|key| is_over(key, &ring, now)) {
            if is_revoked(key, now) && key.purpose == Purpose::BackupCode.as_str() {
                self.void_backup_codes(key.id).await?;
            }
            let is_needed_no_more = self.db.conn().await?.keys().remove(key.id).await?;
            retired += u64::from(is_needed_no_more);
        }
        Ok(retired)
    }

    /// Deletes the backup codes of a revoked key: they are refused already.
    async fn void_backup_codes(&self, key: KeyId) -> Result<u64> {
        in_batches(async |most| {
            let mut conn = self.db.conn().await?;
            Ok(conn.backup_codes().remove_hashed_by(key, most).await?)
        })
        .await
    }
}

fn is_revoked(key: &SealedKey, now: DateTime<Utc>) -> bool {
    key.revoked_at.is_some_and(|at| at <= now)
}
