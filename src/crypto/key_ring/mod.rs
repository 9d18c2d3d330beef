//! The key ring: every key the service uses, opened. A key's state follows from the time alone, so that replicas
//! agree on it without telling each other: next until `active_from`, active until a later one is, then retired, and
//! from `revoked_at` on it is as if it had never been.

mod making;
mod purpose;

use chrono::{DateTime, TimeDelta, Utc};
use zeroize::Zeroizing;

pub use making::{KeyMaker, rewrapped};
pub use purpose::Purpose;

use super::signing_key::{PublicKey, SigningKey};
use crate::config::{MasterKey, SigningAlgorithm};
use crate::domain::{KeyId, SealedKey};

/// How long a key is known before it is used: the time a JWKS answer may be cached.
pub const PUBLISHED_AHEAD: TimeDelta = TimeDelta::seconds(300);

/// How long after its revocation a key is kept: no request that began before it is still under way.
const REVOKED_FOR: TimeDelta = TimeDelta::minutes(1);

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

/// A key of the ring and its times.
struct Timed<T> {
    id: KeyId,
    active_from: DateTime<Utc>,
    revoked_at: Option<DateTime<Utc>>,
    key: T,
}

struct Symmetric {
    purpose: Purpose,
    bytes: Zeroizing<[u8; 32]>,
}

/// Every key, opened; each list newest first.
#[derive(Default)]
pub struct KeyRing {
    signing: Vec<Timed<SigningKey>>,
    symmetric: Vec<Timed<Symmetric>>,
}

impl KeyRing {
    /// Opens sealed keys with the master keys at hand.
    pub fn open(sealed: &[SealedKey], masters: &[MasterKey]) -> Result<Self, RingError> {
        let mut ring = Self::default();
        for row in sealed {
            let plain = making::open(row, masters)?;
            // Revoked before it was ever used, it takes over from no other.
            if row.revoked_at.is_none_or(|at| row.active_from < at) {
                ring.add(row, &plain)?;
            }
        }
        newest_first(&mut ring.signing);
        newest_first(&mut ring.symmetric);
        Ok(ring)
    }

    /// The keys this ring needs before it can serve: all of them for a new ring, a signing key of another algorithm when
    /// the configuration has changed. A first key is active at once; a later one once everybody can have seen it
    /// published.
    pub fn missing(&self, maker: &KeyMaker<'_>) -> Result<Vec<SealedKey>, RingError> {
        let mut made = Vec::new();
        let newest = self.signing.first();
        if newest.is_none_or(|newest| newest.key.alg() != maker.algorithm.as_str()) {
            let ahead = newest.map_or(TimeDelta::zero(), |_| PUBLISHED_AHEAD);
            made.push(maker.make(Purpose::AccessToken, maker.now + ahead)?);
        }
        for purpose in Purpose::symmetric() {
            if self.of(purpose).next().is_none() {
                made.push(maker.make(purpose, maker.now)?);
            }
        }
        Ok(made)
    }

    /// Whether the newest signing key has signed for longer than it should.
    pub fn is_signing_key_due(&self, period: TimeDelta, now: DateTime<Utc>) -> bool {
        let newest = self.signing.first();
        newest.is_some_and(|newest| newest.active_from + period <= now)
    }

    /// How the newest signing key signs: those that follow do alike, until the configuration has changed.
    pub fn algorithm(&self) -> Option<SigningAlgorithm> {
        self.signing.first().map(|newest| newest.key.algorithm())
    }

    /// The public signing keys: next, active, and retired ones whose last token may still be alive.
    pub fn published(&self, now: DateTime<Utc>) -> Vec<PublicKey> {
        self.verifying(now).map(SigningKey::public).collect()
    }

    pub(super) fn signing(&self, now: DateTime<Utc>) -> Result<&SigningKey, RingError> {
        let active = active(self.signing.iter(), now);
        active
            .map(|active| &active.key)
            .ok_or(RingError::Missing(Purpose::AccessToken))
    }

    pub(super) fn verifying(&self, now: DateTime<Utc>) -> impl Iterator<Item = &SigningKey> {
        let after = std::iter::once(None).chain(self.signing.iter().map(Some));
        let kept = Purpose::AccessToken.kept_for();
        self.signing
            .iter()
            .zip(after)
            .filter(move |(key, after)| {
                key.is_good(now) && after.is_none_or(|after| now < after.active_from + kept)
            })
            .map(|(key, _)| &key.key)
    }

    /// The keys of a purpose, newest first.
    pub(super) fn all(
        &self,
        purpose: Purpose,
        now: DateTime<Utc>,
    ) -> impl Iterator<Item = &[u8; 32]> {
        let good = self.of(purpose).filter(move |key| key.is_good(now));
        good.map(|key| &*key.key.bytes)
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
        active(self.of(purpose), now)
            .map(|key| (key.id, &*key.key.bytes))
            .ok_or(RingError::Missing(purpose))
    }

    /// The name of the key that new values are made with.
    pub fn active_id(&self, purpose: Purpose, now: DateTime<Utc>) -> Result<KeyId, RingError> {
        self.active_named(purpose, now).map(|(id, _)| id)
    }

    /// How many keys of a purpose there are, whatever their state.
    pub fn count(&self, purpose: Purpose) -> usize {
        self.of(purpose).count()
    }

    /// The key of a purpose and a name, also a revoked one: what it seals is lost without it.
    pub(super) fn named(&self, purpose: Purpose, id: KeyId) -> Option<&[u8; 32]> {
        self.of(purpose)
            .find(|key| key.id == id)
            .map(|key| &*key.key.bytes)
    }

    fn of(&self, purpose: Purpose) -> impl DoubleEndedIterator<Item = &Timed<Symmetric>> + Clone {
        self.symmetric
            .iter()
            .filter(move |key| key.key.purpose == purpose)
    }

    fn add(&mut self, row: &SealedKey, plain: &[u8]) -> Result<(), RingError> {
        let unknown = || RingError::Unknown(row.id);
        match Purpose::from_word(&row.purpose) {
            Some(Purpose::AccessToken) => {
                let algorithm = [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa]
                    .into_iter()
                    .find(|algorithm| algorithm.as_str() == row.algorithm)
                    .ok_or_else(unknown)?;
                let key = SigningKey::new(row.id, algorithm, plain).map_err(|_| unknown())?;
                self.signing.push(Timed::of(row, key));
            }
            Some(purpose) => {
                let bytes = Zeroizing::new(<[u8; 32]>::try_from(plain).map_err(|_| unknown())?);
                let key = Symmetric { purpose, bytes };
                self.symmetric.push(Timed::of(row, key));
            }
            // A newer release's keys are passed over: a rollback must still start.
            None => {}
        }
        Ok(())
    }
}

impl<T> Timed<T> {
    fn of(row: &SealedKey, key: T) -> Self {
        Self {
            id: row.id,
            active_from: row.active_from,
            revoked_at: row.revoked_at,
            key,
        }
    }

    /// What was made with it is accepted.
    fn is_good(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none_or(|at| now < at)
    }
}

fn newest_first<T>(keys: &mut [Timed<T>]) {
    keys.sort_by_key(|key| std::cmp::Reverse((key.active_from, key.id)));
}

/// The one that makes new values. A clock behind the one that made the first key must not stop the service.
fn active<'a, T>(
    newest_first: impl DoubleEndedIterator<Item = &'a Timed<T>> + Clone,
    now: DateTime<Utc>,
) -> Option<&'a Timed<T>> {
    let mut good = newest_first.filter(move |key| key.is_good(now));
    let first = good.clone().next_back();
    good.find(|key| key.active_from <= now).or(first)
}

/// Whether nothing that is alive can have been made with a key any more, as far as time tells.
pub fn is_over(row: &SealedKey, ring: &[SealedKey], now: DateTime<Utc>) -> bool {
    let Some(purpose) = Purpose::from_word(&row.purpose) else {
        return false;
    };
    let superseded = row.superseded_at(ring).map(|at| at + purpose.kept_for());
    let revoked = row.revoked_at.map(|at| at + REVOKED_FOR);
    [superseded, revoked]
        .into_iter()
        .flatten()
        .any(|at| at <= now)
}
