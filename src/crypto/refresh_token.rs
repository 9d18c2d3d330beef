//! Refresh tokens: `kwr_` and base64url(session id 16 ‖ generation 4 ‖ secret 32 ‖ MAC 16), unpadded. The MAC lets
//! garbage be refused without asking the database; a successor is derived, so it can be given again unstored.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::opaque_token::Kind;
use super::{KeyRing, Purpose, RingError};
use crate::domain::SessionId;

const KIND: Kind = Kind {
    prefix: "kwr_",
    length: 16 + 4 + 32,
    purpose: Purpose::RefreshMac,
};

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
    pub fn parse(text: &str, ring: &KeyRing, now: DateTime<Utc>) -> Option<Self> {
        let content = KIND.decode(text, ring, now)?;
        let (id, rest) = content.split_first_chunk::<16>()?;
        let (generation, secret) = rest.split_first_chunk::<4>()?;
        Some(Self {
            session_id: Uuid::from_bytes(*id).into(),
            generation: i32::from_be_bytes(*generation),
            secret: Zeroizing::new(secret.try_into().ok()?),
        })
    }

    /// The text callers hold.
    pub fn encode(&self, ring: &KeyRing, now: DateTime<Utc>) -> Result<SecretString, RingError> {
        let (id, generation) = (self.session_id.uuid(), self.generation.to_be_bytes());
        let parts = [id.as_bytes(), generation.as_slice(), &*self.secret];
        KIND.encode(&Zeroizing::new(parts.concat()), ring, now)
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
        now: DateTime<Utc>,
    ) -> Option<Self> {
        ring.all(Purpose::RefreshDerivation, now)
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
