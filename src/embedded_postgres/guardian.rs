//! The thread that owns the server: starts it, watches it, starts it again, stops it.
//! It must not end before the server has: the kernel stops the server when this thread is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use super::server::{Launch, Server};

const WATCH: Duration = Duration::from_millis(200);
const WITHIN: Duration = Duration::from_mins(1);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Guardian {
    thread: Option<JoinHandle<Result<()>>>,
    stop: Stop,
}

impl Guardian {
    /// Returns when the server accepts connections.
    pub(super) fn start(launch: Launch) -> Result<Self> {
        let stop = Stop::default();
        let (report, started) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("postgres-guardian".to_owned())
            .spawn({
                let stop = stop.clone();
                move || match launch.start(&|| stop.is_asked()) {
                    Ok(server) => {
                        let _ = report.send(Ok(()));
                        watch_over(server, &launch, &stop)
                    }
                    Err(error) => {
                        let _ = report.send(Err(error));
                        Ok(())
                    }
                }
            })
            .context("cannot start a thread for PostgreSQL")?;
        let started = started
            .recv()
            .context("the thread that starts PostgreSQL broke off")?;
        started.map(|()| Self {
            thread: Some(thread),
            stop,
        })
    }

    pub(super) fn stop(&mut self) -> Result<()> {
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        self.stop.ask();
        thread.thread().unpark();
        thread
            .join()
            .map_err(|_| anyhow!("the thread that watches PostgreSQL broke off"))?
    }
}

#[derive(Clone, Debug, Default)]
struct Stop(Arc<AtomicBool>);

impl Stop {
    fn ask(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_asked(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn is_asked_within(&self, pause: Duration) -> bool {
        if !self.is_asked() {
            thread::park_timeout(pause);
        }
        self.is_asked()
    }
}

fn watch_over(mut server: Server, launch: &Launch, stop: &Stop) -> Result<()> {
    let mut restarts = Restarts::default();
    loop {
        if stop.is_asked_within(WATCH) {
            return server.stop();
        }
        let Some(status) = server.exited()? else {
            continue;
        };
        tracing::error!(%status, "PostgreSQL ended by itself: {}", launch.reason(&server));
        match restart(launch, &mut restarts, stop) {
            Some(restarted) => server = restarted,
            None => return Ok(()),
        }
    }
}

/// Tries until it runs, or is not wanted any more: what keeps it from running may pass, as a full disk does, and a service
/// that ended would help nobody.
fn restart(launch: &Launch, restarts: &mut Restarts, stop: &Stop) -> Option<Server> {
    while !stop.is_asked_within(restarts.pause(Instant::now())) {
        match launch.start(&|| stop.is_asked()) {
            Ok(server) => {
                tracing::warn!("PostgreSQL runs again");
                return Some(server);
            }
            Err(error) => tracing::error!("cannot restart PostgreSQL: {error:#}"),
        }
    }
    None
}

#[derive(Debug, Default)]
struct Restarts(Vec<Instant>);

impl Restarts {
    /// How long to wait before one more.
    fn pause(&mut self, now: Instant) -> Duration {
        self.0.retain(|then| now.duration_since(*then) < WITHIN);
        let times = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.0.push(now);
        FIRST_PAUSE
            .saturating_mul(4_u32.saturating_pow(times))
            .min(LONGEST_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn within_a_minute_each_restart_waits_longer_and_none_longer_than_five_seconds() {
        let mut restarts = Restarts::default();
        let start = Instant::now();
        let mut after = |seconds| restarts.pause(start + Duration::from_secs(seconds));
        let millis = Duration::from_millis;
        let pauses = [0, 1, 2, 3, 4].map(&mut after);
        assert_eq!(pauses, [100, 400, 1600, 5000, 5000].map(millis));
        assert_eq!(after(62), millis(1600));
        assert_eq!(after(200), millis(100));
    }

    #[test]
    fn a_stop_cuts_a_pause_short() {
        let stop = Stop::default();
        assert!(!stop.is_asked_within(Duration::from_millis(1)));
        stop.ask();
        let began = Instant::now();
        assert!(stop.is_asked_within(Duration::from_mins(1)));
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}
