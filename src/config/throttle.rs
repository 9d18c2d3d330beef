//! Whether guesses are counted. How many are allowed is not configured: see `domain::Limit`.

use super::env::Env;
use super::names::Name;
use super::{Profile, parse};

pub(super) const LOGIN: Name = Name::plain(
    "KEYWARD_LOGIN_THROTTLE",
    "on",
    "Whether guesses are counted and slowed down, and floods refused: on, or off for tests",
);

/// Whether guesses are counted.
#[derive(Debug, Clone, Copy)]
pub struct Throttle {
    /// Off only outside production.
    pub enabled: bool,
}

impl Throttle {
    pub(super) fn read(env: &mut Env, profile: Profile) -> Option<Self> {
        let enabled = env.parsed(&LOGIN, parse::switch)?;
        if profile.is_production() && !enabled {
            env.problem(&LOGIN, "must be on in production");
            return None;
        }
        Some(Self { enabled })
    }
}
