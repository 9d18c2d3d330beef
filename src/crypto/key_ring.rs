//! The key ring: every key the service uses, opened. A key's state follows from the time alone, so that replicas
//! agree on it without telling each other: next until `active_from`, active until a later one is, then retired.

use chrono::{DateTime, TimeDelta, Utc};
use zeroize::Zeroizing;

use super::signing_key::{self, PublicKey, SigningKey};
use super::{AccessTokenRules, seal};
use crate::config::{MasterKey, SigningAlgorithm};
use crate::domain::{Entropy, KeyId, SealedKey};

/// How long a signing key is published before it signs: the time a JWKS answer may be cached.
const PUBLISHED_AHEAD: TimeDelta = TimeDelta::seconds(300);

/// What a key is for. No key serves two purposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Signs access tokens.
    AccessToken,
    /// Tells our refresh tokens from garbage.
    RefreshMac,
    /// Derives a refresh token from its parent.
    RefreshDerivation,
    /// Tells our device tokens from garbage.
    DeviceMac,
    /// Names whose tries are counted.
    ThrottleSubject,
    /// Tells our login challenges from garbage.
    ChallengeMac,
    /// Seals people's TOTP secrets.
    TotpSecret,
    /// Hashes backup codes.
    BackupCode,
}

impl Purpose {
    /// Those of symmetric keys.
    const SYMMETRIC: [Self; 7] = [
        Self::RefreshMac,
        Self::RefreshDerivation,
        Self::DeviceMac,
        Self::ThrottleSubject,
        Self::ChallengeMac,
        Self::TotpSecret,
        Self::BackupCode,
    ];

    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "access_token",
            Self::RefreshMac => "refresh_mac",
            Self::RefreshDerivation => "refresh_derivation",
            Self::DeviceMac => "device_mac",
            Self::ThrottleSubject => "throttle_subject",
            Self::ChallengeMac => "challenge_mac",
            Self::TotpSecret => "totp_secret",
            Self::BackupCode => "backup_code",
        }
    }
}

/// Why a ring cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// No configured master key is the one that sealed it.
    #[error(
        "key {0} was sealed by master key {1}, which is not configured; every replica needs the same"
    )]
    NoMasterKey(KeyId, String),
    /// The master key of that name does not open it.
    #[error("key {0} cannot be opened by master key {1}: it is not the key that sealed it")]
    WrongMasterKey(KeyId, String),
    /// It opens, and holds something this release does not know.
    #[error("key {0} is of a purpose or algorithm this release does not know")]
    Unknown(KeyId),
    /// No key of this purpose is active.
    #[error("the ring has no active key for {0:?}")]
    Missing(Purpose),
    /// Drawing or sealing a key failed.
    #[error("a key could not be made")]
    NotMade,
}

struct Symmetric {
    id: KeyId,
    purpose: Purpose,
    active_from: DateTime<Utc>,
    key: Zeroizing<[u8; 32]>,
}

/// Every key, opened; each list newest first.
#[derive(Default)]
pub struct KeyRing {
    signing: Vec<(DateTime<Utc>, SigningKey)>,
    symmetric: Vec<Symmetric>,
}

impl KeyRing {
    /// Opens sealed keys with the master keys at hand.
    pub fn open(sealed: &[SealedKey], masters: &[MasterKey]) -> Result<Self, RingError> {
        let mut ring = Self::default();
        for row in sealed {
            ring.add(row, &open_one(row, masters)?)?;
        }
        ring.signing
            .sort_by_key(|(active_from, key)| std::cmp::Reverse((*active_from, key.id)));
        ring.symmetric
            .sort_by_key(|key| std::cmp::Reverse(key.active_from));
        Ok(ring)
    }

    /// The keys this ring needs before it can serve, drawn and sealed: all of them for a new ring, a signing key of
    /// another algorithm when the configuration has changed. A first key is active at once; a later one once
    /// everybody can have seen it published.
    pub fn missing(
        &self,
        algorithm: SigningAlgorithm,
        master: &MasterKey,
        now: DateTime<Utc>,
        entropy: &dyn Entropy,
    ) -> Result<Vec<SealedKey>, RingError> {
        let mut made = Vec::new();
        if self
            .signing
            .first()
            .is_none_or(|(_, key)| key.alg() != algorithm.as_str())
        {
            let ahead = if self.signing.is_empty() {
                TimeDelta::zero()
            } else {
                PUBLISHED_AHEAD
            };
            let key = signing_key::generate(algorithm).map_err(|_| RingError::NotMade)?;
            let row = unsealed(
                Purpose::AccessToken,
                algorithm.as_str(),
                now,
                ahead,
                entropy,
            );
            made.push(sealed(row, master, &key, entropy)?);
        }
        for purpose in Purpose::SYMMETRIC {
            if self.all(purpose).next().is_none() {
                let key = Zeroizing::new(entropy.bytes::<32>());
                let row = unsealed(purpose, "HS256", now, TimeDelta::zero(), entropy);
                made.push(sealed(row, master, key.as_slice(), entropy)?);
            }
        }
        Ok(made)
    }

    /// The public signing keys: next, active, and retired ones whose last token may still be alive.
    pub fn published(&self, now: DateTime<Utc>) -> Vec<PublicKey> {
        self.verifying(now).map(SigningKey::public).collect()
    }

    pub(super) fn signing(&self, now: DateTime<Utc>) -> Result<&SigningKey, RingError> {
        let active = self
            .signing
            .iter()
            .find(|(active_from, _)| *active_from <= now);
        // A clock behind the one that made the first key must not stop the service.
        let key = active.or(self.signing.last()).map(|(_, key)| key);
        key.ok_or(RingError::Missing(Purpose::AccessToken))
    }

    pub(super) fn verifying(&self, now: DateTime<Utc>) -> impl Iterator<Item = &SigningKey> {
        let superseded =
            std::iter::once(None).chain(self.signing.iter().map(|(from, _)| Some(*from)));
        self.signing
            .iter()
            .zip(superseded)
            .filter_map(move |((_, key), superseded)| {
                let alive = superseded.is_none_or(|at| {
                    now < at + AccessTokenRules::MAX_TTL + AccessTokenRules::LEEWAY
                });
                alive.then_some(key)
            })
    }

    /// The keys of a purpose, newest first.
    pub(super) fn all(&self, purpose: Purpose) -> impl Iterator<Item = &[u8; 32]> {
        self.of(purpose).map(|key| &*key.key)
    }

    /// The key of a purpose that new values are made with.
    pub(super) fn active(
        &self,
        purpose: Purpose,
        now: DateTime<Utc>,
    ) -> Result<&[u8; 32], RingError> {
        self.active_named(purpose, now).map(|(_, key)| key)
    }

    /// The same, with its name.
    pub(super) fn active_named(
        &self,
        purpose: Purpose,
        now: DateTime<Utc>,
    ) -> Result<(KeyId, &[u8; 32]), RingError> {
        let active = self.of(purpose).find(|key| key.active_from <= now);
        let key = active.or_else(|| self.of(purpose).last());
        key.map(|key| (key.id, &*key.key))
            .ok_or(RingError::Missing(purpose))
    }

    /// The key of a purpose and a name.
    pub(super) fn named(&self, purpose: Purpose, id: KeyId) -> Option<&[u8; 32]> {
        self.of(purpose)
            .find(|key| key.id == id)
            .map(|key| &*key.key)
    }

    fn of(&self, purpose: Purpose) -> impl Iterator<Item = &Symmetric> {
        self.symmetric
            .iter()
            .filter(move |key| key.purpose == purpose)
    }

    fn add(&mut self, row: &SealedKey, plain: &[u8]) -> Result<(), RingError> {
        let unknown = || RingError::Unknown(row.id);
        if row.purpose == Purpose::AccessToken.as_str() {
            let algorithm = [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa]
                .into_iter()
                .find(|algorithm| algorithm.as_str() == row.algorithm)
                .ok_or_else(unknown)?;
            let key = SigningKey::new(row.id, algorithm, plain).map_err(|_| unknown())?;
            self.signing.push((row.active_from, key));
            return Ok(());
        }
        // A newer release's keys are passed over: a rollback must still start.
        let known = Purpose::SYMMETRIC
            .into_iter()
            .find(|known| known.as_str() == row.purpose);
        if let Some(purpose) = known {
            let key = Zeroizing::new(<[u8; 32]>::try_from(plain).map_err(|_| unknown())?);
            self.symmetric.push(Symmetric {
                id: row.id,
                purpose,
                active_from: row.active_from,
                key,
            });
        }
        Ok(())
    }
}

fn unsealed(
    purpose: Purpose,
    algorithm: &str,
    now: DateTime<Utc>,
    ahead: TimeDelta,
    entropy: &dyn Entropy,
) -> SealedKey {
    SealedKey {
        id: KeyId::new(now, entropy),
        purpose: purpose.as_str().to_owned(),
        algorithm: algorithm.to_owned(),
        master_key_id: String::new(),
        sealed: Vec::new(),
        created_at: now,
        active_from: now + ahead,
    }
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

fn open_one(row: &SealedKey, masters: &[MasterKey]) -> Result<Zeroizing<Vec<u8>>, RingError> {
    let master = masters
        .iter()
        .find(|master| master.id == row.master_key_id)
        .ok_or_else(|| RingError::NoMasterKey(row.id, row.master_key_id.clone()))?;
    seal::open(master.expose(), &identity(row), &row.sealed)
        .map_err(|_| RingError::WrongMasterKey(row.id, master.id.clone()))
}

/// What a sealed key is bound to: exchanged rows do not open.
fn identity(row: &SealedKey) -> String {
    format!("{}|{}|{}", row.id, row.purpose, row.algorithm)
}
