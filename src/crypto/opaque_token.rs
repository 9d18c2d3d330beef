//! The outside of every opaque token: a prefix for its kind, base64url of a fixed length, and a MAC over prefix and
//! content. Garbage and tokens of another kind are refused without asking the database.

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::{KeyRing, Purpose, RingError};

const MAC: usize = 16;

/// A kind of token.
pub(super) struct Kind {
    /// What it begins with.
    pub(super) prefix: &'static str,
    /// Bytes of its content.
    pub(super) length: usize,
    /// What its MAC is by.
    pub(super) purpose: Purpose,
}

impl Kind {
    /// The text callers hold.
    pub(super) fn encode(
        &self,
        content: &[u8],
        ring: &KeyRing,
        now: DateTime<Utc>,
    ) -> Result<SecretString, RingError> {
        let mac = self.mac(content, ring.active(self.purpose, now)?);
        let bytes = Zeroizing::new([content, &mac].concat());
        let mut encoded = URL_SAFE_NO_PAD.encode(&*bytes);
        let text = format!("{}{encoded}", self.prefix).into();
        encoded.zeroize();
        Ok(text)
    }

    /// The content of a text, if its MAC is by a key of the ring.
    pub(super) fn decode(
        &self,
        text: &str,
        ring: &KeyRing,
        now: DateTime<Utc>,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let encoded = text.strip_prefix(self.prefix)?;
        let expected = (self.length + MAC) * 4;
        if encoded.len() != expected.div_ceil(3) {
            return None;
        }
        let mut bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded).ok()?);
        let (content, mac) = bytes.split_at_checked(self.length)?;
        let ours = ring
            .all(self.purpose, now)
            .any(|key| self.mac(content, key).ct_eq(mac).into());
        bytes.truncate(self.length);
        ours.then_some(bytes)
    }

    fn mac(&self, content: &[u8], key: &[u8; 32]) -> [u8; MAC] {
        let mut signing = hmac::Context::with_key(&hmac::Key::new(HMAC_SHA256, key));
        signing.update(self.prefix.as_bytes());
        signing.update(content);
        let mut mac = [0; MAC];
        mac.copy_from_slice(&signing.sign().as_ref()[..MAC]);
        mac
    }
}
