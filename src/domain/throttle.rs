//! How often somebody may guess, and how long they wait when they have.

use chrono::{DateTime, TimeDelta, Utc};

/// A kind of guess with its budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// At one account, from outside: some tries, then longer and longer waits. Only a completed login clears it.
    Account,
    /// From one address, at whatever account. Only time refills it.
    Source,
    /// A password asked for again inside a session.
    Prompt,
    /// A second factor, at login or inside a session. Only time refills it.
    Code,
    /// The same without a right one in between: after so many (NIST SP 800-63B-4, section 3.2.2), one a day.
    CodesInARow,
}

impl Limit {
    /// Tries before the first wait.
    pub fn free(self) -> i32 {
        match self {
            Self::Account | Self::Prompt => 5,
            Self::Source => 30,
            Self::Code => 10,
            Self::CodesInARow => 100,
        }
    }

    /// The first wait.
    pub fn first_wait(self) -> TimeDelta {
        match self {
            Self::Account | Self::Prompt => TimeDelta::seconds(30),
            Self::Source => TimeDelta::minutes(5),
            Self::Code => TimeDelta::hours(1),
            Self::CodesInARow => TimeDelta::days(1),
        }
    }

    /// The longest wait; each is twice the one before.
    pub fn longest_wait(self) -> TimeDelta {
        match self {
            Self::Account | Self::Prompt | Self::Code => TimeDelta::hours(1),
            Self::Source => TimeDelta::minutes(5),
            Self::CodesInARow => TimeDelta::days(1),
        }
    }

    /// After how long with no try a counter is forgotten. Longer than any wait.
    pub fn forgotten_after(is_kept: bool) -> TimeDelta {
        TimeDelta::days(if is_kept { 400 } else { 1 })
    }

    /// Whether a counter outlasts a day without a try.
    pub fn is_kept(self) -> bool {
        self == Self::CodesInARow
    }

    /// Whether the budget is of a window of time, which begins with its first try and is whole again after it.
    pub fn is_window(self) -> bool {
        matches!(self, Self::Source | Self::Code)
    }

    /// How long from `since` until the next try, after so many.
    pub fn wait(self, tries: i32) -> TimeDelta {
        let doublings = (tries - self.free()).clamp(0, 20);
        (self.first_wait() * (1 << doublings)).min(self.longest_wait())
    }

    /// Whether a try is left.
    pub fn allows(self, tries: i32, since: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        tries < self.free() || since + self.wait(tries) <= now
    }

    /// Seconds until the next try is allowed, at least 1.
    pub fn retry_after(self, tries: i32, since: DateTime<Utc>, now: DateTime<Utc>) -> u32 {
        if self.allows(tries, since, now) {
            return 1;
        }
        let left = since + self.wait(tries) - now;
        u32::try_from(left.num_milliseconds().max(1).div_euclid(1000) + 1).unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_an_hour() {
        let seconds: Vec<i64> = (5..=13)
            .map(|tries| Limit::Account.wait(tries).num_seconds())
            .collect();
        assert_eq!(seconds, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
        assert_eq!(Limit::Account.wait(i32::MAX), TimeDelta::hours(1));
        assert_eq!(Limit::Source.wait(i32::MAX), TimeDelta::minutes(5));
        assert_eq!(Limit::Code.wait(i32::MAX), TimeDelta::hours(1));
        assert_eq!(Limit::CodesInARow.wait(100), TimeDelta::days(1));
        assert_eq!(Limit::CodesInARow.wait(i32::MAX), TimeDelta::days(1));
    }

    #[test]
    fn after_the_seconds_told_a_try_is_allowed() {
        let since = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        for millis in [0, 1, 999, 1000, 29_999, 30_000, 31_000] {
            let now = since + TimeDelta::milliseconds(millis);
            let told = Limit::Account.retry_after(5, since, now);
            assert!(told >= 1);
            assert!(
                now + TimeDelta::seconds(told.into()) >= since + Limit::Account.wait(5),
                "{millis}"
            );
        }
    }
}
