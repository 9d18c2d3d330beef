//! New keys: drawn, sealed by a master key, opened again, and sealed by another one.

use chrono::{DateTime, Utc};
use zeroize::Zeroizing;

use super::{Purpose, RingError};
use crate::config::{MasterKey, SigningAlgorithm};
use crate::crypto::{seal, signing_key};
use crate::domain::{Entropy, KeyId, SealedKey};

/// What new keys are made with.
#[derive(Clone, Copy)]
pub struct KeyMaker<'a> {
    /// What seals them.
    pub master: &'a MasterKey,
    /// How those that sign do so.
    pub algorithm: SigningAlgorithm,
    /// Now.
    pub now: DateTime<Utc>,
    /// Where randomness comes from.
    pub entropy: &'a dyn Entropy,
}

impl KeyMaker<'_> {
    /// Draws a key that is used from `active_from` on.
    pub fn make(
        &self,
        purpose: Purpose,
        active_from: DateTime<Utc>,
    ) -> Result<SealedKey, RingError> {
        let (algorithm, plain) = match purpose {
            Purpose::AccessToken => {
                let key = signing_key::generate(self.algorithm).map_err(|_| RingError::NotMade)?;
                (self.algorithm.as_str(), key)
            }
            _ => ("HS256", Zeroizing::new(self.entropy.bytes::<32>().to_vec())),
        };
        let row = SealedKey {
            id: KeyId::new(self.now, self.entropy),
            purpose: purpose.as_str().to_owned(),
            algorithm: algorithm.to_owned(),
            master_key_id: String::new(),
            sealed: Vec::new(),
            created_at: self.now,
            active_from,
            revoked_at: None,
        };
        sealed(row, self.master, &plain, self.entropy)
    }
}

/// The same key, sealed by `master` as a row that is to take the place of this one; `None` where it is already.
pub fn rewrapped(
    row: &SealedKey,
    masters: &[MasterKey],
    master: &MasterKey,
    entropy: &dyn Entropy,
) -> Result<Option<SealedKey>, RingError> {
    if row.master_key_id == master.id {
        return Ok(None);
    }
    let plain = open(row, masters)?;
    sealed(row.clone(), master, &plain, entropy).map(Some)
}

pub(super) fn open(
    row: &SealedKey,
    masters: &[MasterKey],
) -> Result<Zeroizing<Vec<u8>>, RingError> {
    let master = masters
        .iter()
        .find(|master| master.id == row.master_key_id)
        .ok_or_else(|| RingError::NoMasterKey(row.id, row.master_key_id.clone()))?;
    seal::open(master.expose(), &identity(row), &row.sealed)
        .map_err(|_| RingError::WrongMasterKey(row.id, master.id.clone()))
}

fn sealed(
    row: SealedKey,
    master: &MasterKey,
    plain: &[u8],
    entropy: &dyn Entropy,
) -> Result<SealedKey, RingError> {
    let sealed = seal::seal(master.expose(), &identity(&row), plain, entropy)
        .map_err(|_| RingError::NotMade)?;
    Ok(SealedKey {
        master_key_id: master.id.clone(),
        sealed,
        ..row
    })
}

/// What a sealed key is bound to: exchanged rows do not open.
fn identity(row: &SealedKey) -> String {
    format!("{}|{}|{}", row.id, row.purpose, row.algorithm)
}
