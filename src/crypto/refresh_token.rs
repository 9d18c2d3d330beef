//! Refresh tokens: `kwr_` and base64url(session id 16 ‖ generation 4 ‖ secret 32 ‖ MAC 16), unpadded. The MAC lets
//! garbage be refused without asking the database; a successor is derived, so it can be given again unstored.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::{Zeroize, Zeroizing};

use super::{KeyRing, Purpose, RingError};
use crate::domain::SessionId;

const PREFIX: &str = "kwr_";
const SIGNED: usize = 16 + 4 + 32;
const MAC: usize = 16;
/// Characters after the prefix.
const ENCODED: usize = 91;

/// A refresh token. Prints without its secret.
pub struct RefreshToken {
    /// The session it refreshes.
    pub session_id: SessionId,
    /// How many replacements came before it.
    pub generation: i32,
    secret: Zeroizing<[u8; 32]>,
}

impl RefreshToken {
    /// The first token of a session.
    pub fn first(session_id: SessionId, secret: [u8; 32]) -> Self {
        Self {
            session_id,
            generation: 0,
            secret: Zeroizing::new(secret),
        }
    }

    /// Reads a token, if its MAC is by a key of the ring.
    pub fn parse(text: &str, ring: &KeyRing) -> Option<Self> {
        let encoded = text
            .strip_prefix(PREFIX)
            .filter(|rest| rest.len() == ENCODED)?;
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded).ok()?);
        let (signed, mac) = bytes.split_at_checked(SIGNED)?;
        let ours = ring
            .all(Purpose::RefreshMac)
            .any(|key| mac_of(signed, key).ct_eq(mac).into());
        ours.then(|| Self::from_signed(signed)).flatten()
    }

    fn from_signed(signed: &[u8]) -> Option<Self> {
        let (id, rest) = signed.split_first_chunk::<16>()?;
        let (generation, secret) = rest.split_first_chunk::<4>()?;
        Some(Self {
            session_id: Uuid::from_bytes(*id).into(),
            generation: i32::from_be_bytes(*generation),
            secret: Zeroizing::new(secret.try_into().ok()?),
        })
    }

    /// The text callers hold.
    pub fn encode(&self, ring: &KeyRing, now: DateTime<Utc>) -> Result<SecretString, RingError> {
        let key = ring.active(Purpose::RefreshMac, now)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(SIGNED + MAC));
        bytes.extend_from_slice(self.session_id.uuid().as_bytes());
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes.extend_from_slice(self.secret.as_slice());
        let mac = mac_of(&bytes, key);
        bytes.extend_from_slice(&mac);
        let mut encoded = URL_SAFE_NO_PAD.encode(&*bytes);
        let text = format!("{PREFIX}{encoded}").into();
        encoded.zeroize();
        Ok(text)
    }

    /// What the database keeps of it.
    pub fn digest(&self) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(digest(&SHA256, self.secret.as_slice()).as_ref());
        out
    }

    /// The token of `generation` that follows this one under a new salt.
    pub fn successor(
        &self,
        generation: i32,
        salt: &[u8; 32],
        ring: &KeyRing,
        now: DateTime<Utc>,
    ) -> Result<Self, RingError> {
        Ok(self.derive(
            generation,
            salt,
            ring.active(Purpose::RefreshDerivation, now)?,
        ))
    }

    /// The successor that was made before, if a key of the ring derives the one with this digest.
    pub fn successor_again(
        &self,
        generation: i32,
        salt: &[u8; 32],
        digest: &[u8; 32],
        ring: &KeyRing,
    ) -> Option<Self> {
        ring.all(Purpose::RefreshDerivation)
            .map(|key| self.derive(generation, salt, key))
            .find(|successor| successor.digest() == *digest)
    }

    fn derive(&self, generation: i32, salt: &[u8; 32], key: &[u8; 32]) -> Self {
        let mut context = hmac::Context::with_key(&hmac::Key::new(HMAC_SHA256, key));
        context.update(self.session_id.uuid().as_bytes());
        context.update(&generation.to_be_bytes());
        context.update(salt);
        context.update(self.secret.as_slice());
        let mut secret = Zeroizing::new([0; 32]);
        secret.copy_from_slice(context.sign().as_ref());
        Self {
            session_id: self.session_id,
            generation,
            secret,
        }
    }
}

impl std::fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "RefreshToken {{ session {}, generation {} }}",
            self.session_id, self.generation
        )
    }
}

fn mac_of(signed: &[u8], key: &[u8; 32]) -> [u8; MAC] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(HMAC_SHA256, key));
    context.update(PREFIX.as_bytes());
    context.update(signed);
    let mut mac = [0; MAC];
    mac.copy_from_slice(&context.sign().as_ref()[..MAC]);
    mac
}
