//! The key ring in use: opened at start, completed where keys are missing, and followed from then on.

mod rotation;
mod upkeep;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use chrono::{DateTime, TimeDelta, Utc};

pub use rotation::{ListedKey, Rotated, Rotation};

use super::{Result, Seams};
use crate::config::{MasterKey, SigningAlgorithm};
use crate::crypto::{KeyMaker, KeyRing, PublicKey, RingError};
use crate::domain::{ClientInfo, EventKind, SealedKey};
use crate::repositories::{Db, Tx};

/// How keys are made.
pub struct KeyRules {
    /// What the ring is sealed with: the first seals, all open.
    pub masters: Vec<MasterKey>,
    /// How new signing keys sign.
    pub algorithm: SigningAlgorithm,
    /// How long a signing key signs until the next one is made.
    pub period: TimeDelta,
}

/// Holds the ring.
pub struct Keys {
    ring: ArcSwap<KeyRing>,
    /// What the ring was opened from.
    sealed: Mutex<Vec<SealedKey>>,
    rules: KeyRules,
    db: Db,
    seams: Seams,
}

impl Keys {
    /// How often a replica looks at the ring.
    pub const FOLLOW_EVERY: Duration = Duration::from_secs(2);
    /// When every replica has seen a change of it. What must not come as a surprise takes effect no earlier.
    pub const FOLLOWED_WITHIN: TimeDelta = TimeDelta::seconds(5);

    /// Whether no key was ever made: a new database.
    pub async fn is_ring_empty(db: &Db) -> Result<bool> {
        Ok(db.conn().await?.keys().list().await?.is_empty())
    }

    /// Opens the ring, and makes what it lacks, one replica at a time.
    pub async fn open(db: Db, rules: KeyRules, seams: Seams) -> Result<Self> {
        let mut tx = db.begin().await?;
        tx.keys().lock().await?;
        let mut sealed = tx.keys().list().await?;
        let ring = KeyRing::open(&sealed, &rules.masters)?;
        let (now, is_first) = (seams.clock.now(), sealed.is_empty());
        for key in ring.missing(&maker(&rules, &seams, now)?)? {
            tx.keys().add(&key).await?;
            if !is_first {
                note(&mut tx, &seams, EventKind::KeyAdded, now).await?;
            }
            sealed.push(key);
        }
        tx.commit().await?;
        Self::of(sealed, db, rules, seams)
    }

    /// Opens the ring and changes nothing: for a command beside a service, whose configuration may be another one.
    pub async fn attach(db: Db, rules: KeyRules, seams: Seams) -> Result<Self> {
        let sealed = db.conn().await?.keys().list().await?;
        Self::of(sealed, db, rules, seams)
    }

    fn of(sealed: Vec<SealedKey>, db: Db, rules: KeyRules, seams: Seams) -> Result<Self> {
        let ring = ArcSwap::from_pointee(KeyRing::open(&sealed, &rules.masters)?);
        Ok(Self {
            ring,
            sealed: Mutex::new(sealed),
            rules,
            db,
            seams,
        })
    }

    /// The ring as it was last seen.
    pub(super) fn ring(&self) -> Guard<Arc<KeyRing>> {
        self.ring.load()
    }

    /// Takes over what others have changed.
    pub async fn reload(&self) -> Result<()> {
        let sealed = self.db.conn().await?.keys().list().await?;
        let mut seen = self.sealed.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen != sealed {
            self.ring
                .store(Arc::new(KeyRing::open(&sealed, &self.rules.masters)?));
            *seen = sealed;
        }
        Ok(())
    }

    /// The public signing keys, for other services to verify with.
    pub fn published(&self) -> Vec<PublicKey> {
        self.ring().published(self.seams.clock.now())
    }

    /// What makes keys that follow those of a ring.
    fn maker(&self, ring: &KeyRing, now: DateTime<Utc>) -> Result<KeyMaker<'_>> {
        let maker = maker(&self.rules, &self.seams, now)?;
        let algorithm = ring.algorithm().unwrap_or(maker.algorithm);
        Ok(KeyMaker { algorithm, ..maker })
    }

    /// Writes what happened to the ring, which nobody in particular did.
    async fn note(&self, tx: &mut Tx, kind: EventKind, now: DateTime<Utc>) -> Result<()> {
        note(tx, &self.seams, kind, now).await
    }
}

fn maker<'a>(rules: &'a KeyRules, seams: &'a Seams, now: DateTime<Utc>) -> Result<KeyMaker<'a>> {
    Ok(KeyMaker {
        master: rules.masters.first().ok_or(RingError::NotMade)?,
        algorithm: rules.algorithm,
        now,
        entropy: &*seams.entropy,
    })
}

async fn note(tx: &mut Tx, seams: &Seams, kind: EventKind, now: DateTime<Utc>) -> Result<()> {
    let nobody = ClientInfo::default();
    let event = seams.event(kind, None, None, &nobody, now);
    Ok(tx.security_events().add(&event).await?)
}
