//! A key of the ring as it is kept: sealed by the master key.

use chrono::{DateTime, Utc};

use super::KeyId;

/// One sealed key.
#[derive(Debug, Clone)]
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
}
