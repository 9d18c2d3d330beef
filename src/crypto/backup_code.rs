//! Backup codes at rest: a keyed hash, bound to whose they are. With 120 random bits each, more is not needed.

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use chrono::{DateTime, Utc};

use super::{KeyRing, Purpose, RingError};
use crate::domain::{BackupCode, KeyId, UserId};

/// What the database keeps of new codes.
pub struct HashedCodes {
    /// The key of the ring that hashed them.
    pub key_id: KeyId,
    /// One for each.
    pub digests: Vec<[u8; 32]>,
}

/// Hashes new codes.
pub fn hash_backup_codes(
    codes: &[BackupCode],
    user_id: UserId,
    ring: &KeyRing,
    now: DateTime<Utc>,
) -> Result<HashedCodes, RingError> {
    let (key_id, key) = ring.active_named(Purpose::BackupCode, now)?;
    let digests = codes.iter().map(|code| digest(code, user_id, key));
    Ok(HashedCodes {
        key_id,
        digests: digests.collect(),
    })
}

/// What it may have kept of a code that is shown: one for each key of the ring.
pub fn backup_code_digests(
    code: &BackupCode,
    user_id: UserId,
    ring: &KeyRing,
    now: DateTime<Utc>,
) -> Vec<[u8; 32]> {
    ring.all(Purpose::BackupCode, now)
        .map(|key| digest(code, user_id, key))
        .collect()
}

fn digest(code: &BackupCode, user_id: UserId, key: &[u8; 32]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(HMAC_SHA256, key));
    context.update(user_id.uuid().as_bytes());
    context.update(code.canonical().as_bytes());
    let mut out = [0; 32];
    out.copy_from_slice(context.sign().as_ref());
    out
}
