//! How fast requests of a kind may come from one source, whoever makes them, or from one person. Guesses have limits of their own: `Limit`.

use chrono::{DateTime, TimeDelta, Utc};

/// A kind of request with its budget, which refills by time alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flow {
    /// Making an account.
    SignUp,
    /// Logging in, and completing a login that was challenged.
    LogIn,
    /// Refreshing.
    Refresh,
    /// Changing one's profile: each change is an event, which is kept.
    Change,
}

impl Flow {
    /// How many may come at once. An office or a school behind one address has to fit.
    fn burst(self) -> i32 {
        match self {
            Self::SignUp | Self::Change => 30,
            Self::LogIn => 60,
            Self::Refresh => 300,
        }
    }

    /// After how long there is one more.
    fn every(self) -> TimeDelta {
        match self {
            Self::SignUp | Self::Change => TimeDelta::seconds(10),
            Self::LogIn => TimeDelta::seconds(1),
            Self::Refresh => TimeDelta::milliseconds(100),
        }
    }

    /// One more request of a source whose budget is whole at `whole_at`: when it is whole then, or else how long the
    /// request has to wait. This is the generic cell rate algorithm.
    pub fn take(
        self,
        whole_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, TimeDelta> {
        let latest = now + self.every() * self.burst();
        // Clocks go back, too; no budget is further from whole than an empty one.
        let whole_at = whole_at.map_or(now, |at| at.clamp(now, latest)) + self.every();
        if whole_at > latest {
            return Err(whole_at - latest);
        }
        Ok(whole_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOWS: [Flow; 4] = [Flow::SignUp, Flow::LogIn, Flow::Refresh, Flow::Change];

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    /// How many pass at once, when the budget is whole at last.
    fn burst(flow: Flow, mut whole_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> i32 {
        let mut passed = 0;
        while let Ok(next) = flow.take(whole_at, now) {
            (whole_at, passed) = (Some(next), passed + 1);
        }
        passed
    }

    #[test]
    fn a_burst_passes_and_then_one_at_a_time() {
        for flow in FLOWS {
            assert_eq!(burst(flow, None, now()), flow.burst(), "{flow:?}");
            let empty = Some(now() + flow.every() * flow.burst());
            assert_eq!(flow.take(empty, now()), Err(flow.every()));
            let almost = now() + flow.every() - TimeDelta::milliseconds(1);
            assert_eq!(flow.take(empty, almost), Err(TimeDelta::milliseconds(1)));
            assert_eq!(burst(flow, empty, now() + flow.every()), 1);
            assert_eq!(burst(flow, empty, now() + flow.every() * 7), 7);
        }
    }

    #[test]
    fn a_budget_is_never_more_than_whole() {
        for flow in FLOWS {
            let long_ago = Some(now() - TimeDelta::days(400));
            assert_eq!(burst(flow, long_ago, now()), flow.burst(), "{flow:?}");
        }
    }

    #[test]
    fn a_clock_that_went_back_prolongs_no_wait() {
        for flow in FLOWS {
            let whole_at = Some(now() + TimeDelta::days(400));
            assert_eq!(flow.take(whole_at, now()), Err(flow.every()), "{flow:?}");
        }
    }
}
