//! A clock that stands still until the test moves it.

use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};
use keyward::domain::{Clock, SystemClock};

pub(crate) struct TestClock(Mutex<DateTime<Utc>>);

impl TestClock {
    /// Stopped at the present moment, so that the database agrees with it.
    pub(crate) fn stopped() -> Self {
        Self(Mutex::new(SystemClock.now()))
    }

    pub(crate) fn advance(&self, by: TimeDelta) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}
