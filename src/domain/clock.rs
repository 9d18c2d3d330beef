//! Time, handed in. The one place that asks the system what time it is.

use chrono::{DateTime, SubsecRound, Utc};

/// Where a use case reads the time, once, before it passes `now` down.
pub trait Clock: Send + Sync {
    /// Now, in UTC, to the microsecond, which is what PostgreSQL keeps.
    fn now(&self) -> DateTime<Utc>;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that may")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }
}
