//! Sessions: one signed-in device or browser each. The row is the truth; tokens only point at it.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};

use super::{DeviceId, SessionId, UserId};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The word for the database and for callers.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The variant of a word that `as_str` gave.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words! {
    /// Where a session's refresh token travels. It never changes.
    Transport {
        /// In JSON bodies.
        Body = "body",
        /// In an `HttpOnly` cookie.
        Cookie = "cookie",
    }
}

words! {
    /// How somebody proved who they are; the words of `amr` (RFC 8176).
    AuthMethod {
        /// A password.
        Password = "pwd",
        /// A one-time password.
        Otp = "otp",
    }
}

words! {
    /// Why a session is over.
    EndReason {
        /// Its owner logged out.
        LoggedOut = "logged_out",
        /// A refresh token that had been replaced was shown again.
        RefreshTokenReused = "refresh_token_reused",
        /// Its owner ended it from the list.
        Revoked = "revoked",
        /// Its owner signed in on more devices than may be signed in at once.
        Evicted = "evicted",
        /// Somebody logged in with a browser that held its cookie.
        Replaced = "replaced",
    }
}

/// One signed-in device or browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The `sid` of its access tokens.
    pub id: SessionId,
    /// Whose.
    pub user_id: UserId,
    /// The device it was opened on.
    pub device_id: DeviceId,
    /// Where its refresh token travels.
    pub transport: Transport,
    /// How it was opened.
    pub auth_methods: Vec<AuthMethod>,
    /// When it was opened, which is when its user was authenticated.
    pub created_at: DateTime<Utc>,
    /// When it was last refreshed.
    pub last_seen_at: DateTime<Utc>,
    /// When its refresh token was last replaced: what idle time is counted from.
    pub rotated_at: DateTime<Utc>,
    /// When it ends, however active it is.
    pub absolute_expires_at: DateTime<Utc>,
    /// The address last seen.
    pub ip: Option<IpAddr>,
    /// The program last seen.
    pub user_agent: Option<String>,
    /// When it ended, if it did.
    pub ended_at: Option<DateTime<Utc>>,
}

impl Session {
    /// When it ends if it is not refreshed again.
    pub fn expires_at(&self, idle: TimeDelta) -> DateTime<Utc> {
        self.absolute_expires_at.min(self.rotated_at + idle)
    }

    /// Whether it may still be used.
    pub fn is_alive(&self, idle: TimeDelta, now: DateTime<Utc>) -> bool {
        self.ended_at.is_none() && now < self.expires_at(idle)
    }
}
