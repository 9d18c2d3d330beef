//! What keys are for, and how long a key that is replaced is still needed.

use chrono::TimeDelta;

use crate::crypto::{AccessTokenRules, DeviceToken};

macro_rules! purposes {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $kept:expr;)+) => {
        /// What a key is for. No key serves two purposes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Purpose { $($(#[$doc])* $name,)+ }

        impl Purpose {
            /// Every purpose.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The word in the database and on the command line.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// How long a key is kept after the next one has taken over: as long as anything made with it may live.
            pub(super) fn kept_for(self) -> TimeDelta {
                match self { $(Self::$name => $kept,)+ }
            }
        }
    };
}

/// For what lives for minutes, or is looked for in the database before its key goes.
const SHORT: TimeDelta = TimeDelta::hours(1);
/// The longest that a session may be configured to live, and so its refresh tokens.
const LONGEST_SESSION: TimeDelta = TimeDelta::days(400);

purposes! {
    /// Signs access tokens.
    AccessToken = "access_token", AccessTokenRules::MAX_TTL + AccessTokenRules::LEEWAY;
    /// Tells our refresh tokens from garbage.
    RefreshMac = "refresh_mac", LONGEST_SESSION + AccessTokenRules::LEEWAY;
    /// Derives a refresh token from its parent; again only within the grace.
    RefreshDerivation = "refresh_derivation", SHORT;
    /// Tells our device tokens from garbage.
    DeviceMac = "device_mac", DeviceToken::LIFE + AccessTokenRules::LEEWAY;
    /// Names whose tries are counted. With another key, counting begins anew.
    ThrottleSubject = "throttle_subject", SHORT;
    /// Tells our login challenges from garbage.
    ChallengeMac = "challenge_mac", SHORT;
    /// Seals people's TOTP secrets.
    TotpSecret = "totp_secret", SHORT;
    /// Hashes backup codes.
    BackupCode = "backup_code", SHORT;
}

impl Purpose {
    /// The purpose of a word that `as_str` gave.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|purpose| purpose.as_str() == word)
    }

    /// Those of symmetric keys.
    pub(super) fn symmetric() -> impl Iterator<Item = Self> {
        let all = Self::ALL.iter().copied();
        all.filter(|purpose| *purpose != Self::AccessToken)
    }
}
