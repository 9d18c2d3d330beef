//! Identifiers: UUIDv7 (RFC 9562), one type per thing, so that a session's id cannot be passed for a user's.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::{Builder, Uuid};

use super::Entropy;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        pub struct $name(Uuid);

        impl $name {
            /// A new one, ordered by `now`.
            pub fn new(now: DateTime<Utc>, entropy: &dyn Entropy) -> Self {
                Self(uuid_v7(now, entropy))
            }

            /// The plain UUID, for the database and for tokens.
            pub fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A person's account.
    UserId
);
id!(
    /// One signed-in device or browser.
    SessionId
);
id!(
    /// A row of the security events.
    EventId
);
id!(
    /// A device or browser that somebody has logged in on.
    DeviceId
);
id!(
    /// A key of the ring; a signing key's `kid`.
    KeyId
);

fn uuid_v7(now: DateTime<Utc>, entropy: &dyn Entropy) -> Uuid {
    let millis = u64::try_from(now.timestamp_millis()).unwrap_or_default();
    Builder::from_unix_timestamp_millis(millis, &entropy.bytes()).into_uuid()
}
