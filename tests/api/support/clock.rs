//! A clock that stands still until the test moves it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use keyward::domain::{Clock, SystemClock};

pub(crate) struct TestClock {
    now: Mutex<DateTime<Utc>>,
    broken: AtomicBool,
}

impl TestClock {
    /// Stopped at the present moment, so that the database agrees with it.
    pub(crate) fn stopped() -> Self {
        Self {
            now: Mutex::new(SystemClock.now()),
            broken: AtomicBool::new(false),
        }
    }

    pub(crate) fn advance(&self, by: TimeDelta) {
        *self.now.lock().unwrap() += by;
    }

    /// Goes to the present moment, where what the test waited for has taken a while.
    pub(crate) fn catch_up(&self) {
        *self.now.lock().unwrap() = SystemClock.now();
    }

    /// What it shows.
    pub(crate) fn time(&self) -> DateTime<Utc> {
        *self.now.lock().unwrap()
    }

    /// From now on whoever asks for the time panics, or no longer does.
    pub(crate) fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        assert!(!self.broken.load(Ordering::SeqCst), "broken by the test");
        *self.now.lock().unwrap()
    }
}
