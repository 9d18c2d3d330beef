//! A key of the ring as it is kept: sealed by the master key. Its state follows from the time.

use chrono::{DateTime, Utc};

use super::KeyId;

/// One sealed key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedKey {
    /// Its id; a signing key's `kid`.
    pub id: KeyId,
    /// What it is for.
    pub purpose: String,
    /// What it is used with.
    pub algorithm: String,
    /// The master key that sealed it.
    pub master_key_id: String,
    /// Nonce, ciphertext and tag.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when it is used, until a later one of its purpose is. Before that it is only published.
    pub active_from: DateTime<Utc>,
    /// From when nothing made with it is accepted, if so.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// How far a key has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Known, and not used yet.
    Next,
    /// New values are made with it.
    Active,
    /// What was made with it is accepted.
    Retired,
    /// What was made with it is refused.
    Revoked,
}

impl KeyState {
    /// The word that people and programs read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
        }
    }
}

impl SealedKey {
    /// When a later key of its purpose takes over, if there is one.
    pub fn superseded_at(&self, ring: &[Self]) -> Option<DateTime<Utc>> {
        let later = |key: &&Self| {
            key.purpose == self.purpose
                && (key.active_from, key.id) > (self.active_from, self.id)
                && key.revoked_at.is_none_or(|at| key.active_from < at)
        };
        let takes_over = ring.iter().filter(later).map(|key| key.active_from);
        takes_over.min()
    }

    /// Its state among the keys of its ring.
    pub fn state(&self, ring: &[Self], now: DateTime<Utc>) -> KeyState {
        let has_come = |at: Option<DateTime<Utc>>| at.is_some_and(|at| at <= now);
        if has_come(self.revoked_at) {
            KeyState::Revoked
        } else if now < self.active_from {
            KeyState::Next
        } else if has_come(self.superseded_at(ring)) {
            KeyState::Retired
        } else {
            KeyState::Active
        }
    }
}
