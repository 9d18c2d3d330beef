//! The key ring in use: opened at start, completed where keys are missing, looked at again from time to time.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::{Result, Seams};
use crate::config::{MasterKey, SigningAlgorithm};
use crate::crypto::{KeyRing, PublicKey};
use crate::domain::{ClientInfo, EventKind};
use crate::repositories::Db;

/// Holds the ring.
pub struct Keys {
    ring: ArcSwap<KeyRing>,
    masters: Vec<MasterKey>,
    db: Db,
    seams: Seams,
}

impl Keys {
    /// Whether no key was ever made: a new database.
    pub async fn is_ring_empty(db: &Db) -> Result<bool> {
        Ok(db.conn().await?.keys().list().await?.is_empty())
    }

    /// Opens the ring, and makes what it lacks, one replica at a time. The first master key seals.
    pub async fn open(
        db: Db,
        masters: Vec<MasterKey>,
        algorithm: SigningAlgorithm,
        seams: Seams,
    ) -> Result<Self> {
        let mut tx = db.begin().await?;
        tx.keys().lock().await?;
        let mut sealed = tx.keys().list().await?;
        let ring = KeyRing::open(&sealed, &masters)?;
        if let Some(master) = masters.first() {
            let (now, nobody) = (seams.clock.now(), ClientInfo::default());
            let is_first = sealed.is_empty();
            for key in ring.missing(algorithm, master, now, &*seams.entropy)? {
                tx.keys().add(&key).await?;
                if !is_first {
                    let event = seams.event(EventKind::KeyAdded, None, None, &nobody, now);
                    tx.security_events().add(&event).await?;
                }
                sealed.push(key);
            }
        }
        tx.commit().await?;
        let ring = ArcSwap::from_pointee(KeyRing::open(&sealed, &masters)?);
        Ok(Self {
            ring,
            masters,
            db,
            seams,
        })
    }

    /// The ring as it was last seen.
    pub(super) fn ring(&self) -> Guard<Arc<KeyRing>> {
        self.ring.load()
    }

    /// Takes over what other replicas have added.
    pub async fn reload(&self) -> Result<()> {
        let sealed = self.db.conn().await?.keys().list().await?;
        self.ring
            .store(Arc::new(KeyRing::open(&sealed, &self.masters)?));
        Ok(())
    }

    /// The public signing keys, for other services to verify with.
    pub fn published(&self) -> Vec<PublicKey> {
        self.ring().published(self.seams.clock.now())
    }
}
