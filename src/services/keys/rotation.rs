//! Replacing keys, and sealing them by another master key: what an operator asks for.

use chrono::{DateTime, Utc};

use super::Keys;
use crate::crypto::{KeyRing, PUBLISHED_AHEAD, Purpose, rewrapped};
use crate::domain::{EventKind, KeyId, KeyState, SealedKey};
use crate::services::Result;

/// How a key is replaced.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rotation {
    /// As soon as every replica knows the new one, and not only when every cache does.
    pub now: bool,
    /// What was made with the older ones is refused from then on.
    pub revoke: bool,
}

/// A key that was replaced.
pub struct Rotated {
    /// The new one.
    pub key: ListedKey,
    /// How many older ones are refused once it is active.
    pub revoked: u64,
}

/// A key as it may be shown: all but the key.
#[derive(Debug, Clone)]
pub struct ListedKey {
    /// Its id; a signing key's `kid`.
    pub id: KeyId,
    /// What it is for.
    pub purpose: String,
    /// What it is used with.
    pub algorithm: String,
    /// How far it has got.
    pub state: KeyState,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when it is used.
    pub active_from: DateTime<Utc>,
    /// From when what was made with it is refused, if so.
    pub revoked_at: Option<DateTime<Utc>>,
    /// The master key that sealed it.
    pub master_key_id: String,
}

impl Keys {
    /// Every key and how far it has got, by purpose, newest first.
    pub async fn list(&self) -> Result<Vec<ListedKey>> {
        let now = self.seams.clock.now();
        let mut ring = self.db.conn().await?.keys().list().await?;
        ring.sort_by(|a, b| {
            let newest_first = (b.active_from, b.id).cmp(&(a.active_from, a.id));
            a.purpose.cmp(&b.purpose).then(newest_first)
        });
        Ok(ring.iter().map(|key| listed(key, &ring, now)).collect())
    }

    /// Adds a key that takes over from the others of its purpose.
    pub async fn rotate(&self, purpose: Purpose, how: Rotation) -> Result<Rotated> {
        let now = self.seams.clock.now();
        let ahead = if how.now {
            Self::FOLLOWED_WITHIN
        } else {
            PUBLISHED_AHEAD
        };
        let mut tx = self.db.begin().await?;
        tx.keys().lock().await?;
        let ring = KeyRing::open(&tx.keys().list().await?, &self.rules.masters)?;
        let key = self.maker(&ring, now)?.make(purpose, now + ahead)?;
        tx.keys().add(&key).await?;
        self.note(&mut tx, EventKind::KeyAdded, now).await?;
        let mut revoked = 0;
        if how.revoke {
            revoked = tx.keys().revoke_others(&key).await?;
            self.note(&mut tx, EventKind::KeyRevoked, now).await?;
        }
        tx.commit().await?;
        self.reload().await?;
        let key = listed(&key, &[], now);
        Ok(Rotated { key, revoked })
    }

    /// Seals every key by the first master key; how many were sealed by another one.
    pub async fn rewrap(&self) -> Result<usize> {
        let now = self.seams.clock.now();
        let (maker, masters) = (self.maker(&self.ring(), now)?, &self.rules.masters);
        let mut tx = self.db.begin().await?;
        tx.keys().lock().await?;
        let mut changed = 0;
        for key in tx.keys().list().await? {
            if let Some(key) = rewrapped(&key, masters, maker.master, maker.entropy)? {
                tx.keys().replace_seal(&key).await?;
                changed += 1;
            }
        }
        if changed > 0 {
            self.note(&mut tx, EventKind::KeysRewrapped, now).await?;
        }
        tx.commit().await?;
        self.reload().await?;
        Ok(changed)
    }
}

fn listed(key: &SealedKey, ring: &[SealedKey], now: DateTime<Utc>) -> ListedKey {
    ListedKey {
        id: key.id,
        purpose: key.purpose.clone(),
        algorithm: key.algorithm.clone(),
        state: key.state(ring, now),
        created_at: key.created_at,
        active_from: key.active_from,
        revoked_at: key.revoked_at,
        master_key_id: key.master_key_id.clone(),
    }
}
