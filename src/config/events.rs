//! How long security events are kept. It must not delete any.

use chrono::TimeDelta;

use super::env::Env;
use super::names::Name;
use super::parse;

pub(super) const RETENTION: Name = Name::plain(
    "KEYWARD_EVENT_RETENTION",
    "365d",
    "How long security events are kept, 7d to 3650d; a shorter time takes effect when migrating",
);

const DAY: u64 = 86_400;

/// How long security events are kept.
#[derive(Debug, Clone, Copy)]
pub struct Events {
    /// 7 days to 10 years.
    pub retention: TimeDelta,
}

impl Events {
    pub(super) fn read(env: &mut Env) -> Option<Self> {
        let retention = env.parsed(&RETENTION, parse::time(7 * DAY..=3650 * DAY))?;
        Some(Self { retention })
    }
}
