//! Login challenges: `kwc_` and base64url(transport 1 ‖ secret 32 ‖ MAC 16), unpadded. One says that a password was
//! right, and is good for nothing but showing the second factor.

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::opaque_token::Kind;
use super::{KeyRing, Purpose, RingError};
use crate::domain::Transport;

const KIND: Kind = Kind {
    prefix: "kwc_",
    length: 1 + 32,
    purpose: Purpose::ChallengeMac,
};

/// A challenge token. Prints without its secret.
pub struct ChallengeToken {
    /// Where the refresh token is to travel: chosen with the password, and kept.
    pub transport: Transport,
    secret: Zeroizing<[u8; 32]>,
}

impl ChallengeToken {
    /// A new one.
    pub fn new(transport: Transport, secret: [u8; 32]) -> Self {
        Self {
            transport,
            secret: Zeroizing::new(secret),
        }
    }

    /// Reads a token, if its MAC is by a key of the ring.
    pub fn parse(text: &str, ring: &KeyRing, now: DateTime<Utc>) -> Option<Self> {
        let content = KIND.decode(text, ring, now)?;
        let (transport, secret) = content.split_first()?;
        let transport = match transport {
            0 => Transport::Body,
            1 => Transport::Cookie,
            _ => return None,
        };
        Some(Self::new(transport, secret.try_into().ok()?))
    }

    /// The text callers hold.
    pub fn encode(&self, ring: &KeyRing, now: DateTime<Utc>) -> Result<SecretString, RingError> {
        let transport = match self.transport {
            Transport::Body => 0,
            Transport::Cookie => 1,
        };
        let content = [&[transport], self.secret.as_slice()].concat();
        KIND.encode(&Zeroizing::new(content), ring, now)
    }

    /// What the database keeps of it.
    pub fn digest(&self) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(digest(&SHA256, self.secret.as_slice()).as_ref());
        out
    }
}

impl std::fmt::Debug for ChallengeToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ChallengeToken {{ {} }}", self.transport.as_str())
    }
}
