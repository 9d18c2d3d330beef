//! Device tokens: `kwd_`, and in it the user, the device, the version of the credentials and when it was given. It
//! says that a login of this user was completed here before, and opens nothing.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use uuid::Uuid;

use super::opaque_token::Kind;
use super::{KeyRing, Purpose, RingError};
use crate::domain::{DeviceId, UserId};

const KIND: Kind = Kind {
    prefix: "kwd_",
    length: 16 + 16 + 4 + 8,
    purpose: Purpose::DeviceMac,
};

/// A device that its user is known on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceToken {
    /// Whose.
    pub user_id: UserId,
    /// Which.
    pub device_id: DeviceId,
    /// The version of the credentials it was given under: a change voids it.
    pub credential_version: i32,
    /// When it was given.
    pub given_at: DateTime<Utc>,
}

impl DeviceToken {
    /// How long it is good for.
    pub const LIFE: TimeDelta = TimeDelta::days(180);

    /// Reads a token, if its MAC is by a key of the ring and it is not too old.
    pub fn parse(text: &str, ring: &KeyRing, now: DateTime<Utc>) -> Option<Self> {
        let content = KIND.decode(text, ring, now)?;
        let (user, rest) = content.split_first_chunk::<16>()?;
        let (device, rest) = rest.split_first_chunk::<16>()?;
        let (version, given_at) = rest.split_first_chunk::<4>()?;
        let given_at = i64::from_be_bytes(given_at.try_into().ok()?);
        let token = Self {
            user_id: Uuid::from_bytes(*user).into(),
            device_id: Uuid::from_bytes(*device).into(),
            credential_version: i32::from_be_bytes(*version),
            given_at: DateTime::from_timestamp(given_at, 0)?,
        };
        (now < token.given_at + Self::LIFE).then_some(token)
    }

    /// The text callers hold.
    pub fn encode(&self, ring: &KeyRing, now: DateTime<Utc>) -> Result<SecretString, RingError> {
        let (user, device) = (self.user_id.uuid(), self.device_id.uuid());
        let version = self.credential_version.to_be_bytes();
        let given_at = self.given_at.timestamp().to_be_bytes();
        let content = [
            user.as_bytes().as_slice(),
            device.as_bytes(),
            &version,
            &given_at,
        ];
        KIND.encode(&content.concat(), ring, now)
    }
}
