//! The thread that owns the server: starts it, watches it, starts it again, stops it.
//! It must not end before the server has: the kernel stops the server when this thread is gone.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use tokio::sync::watch;

use super::server::{Launch, Server};

const WATCH: Duration = Duration::from_millis(200);
const MOST_RESTARTS: usize = 3;
const WITHIN: Duration = Duration::from_mins(1);
const FIRST_PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Guardian {
    thread: Option<JoinHandle<Result<()>>>,
    stop: Stop,
    gave_up: watch::Receiver<bool>,
}

impl Guardian {
    /// Returns when the server accepts connections.
    pub(super) fn start(launch: Launch) -> Result<Self> {
        let stop = Stop::default();
        let (resign, gave_up) = watch::channel(false);
        let (report, started) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("postgres-guardian".to_owned())
            .spawn({
                let stop = stop.clone();
                move || match launch.start(&|| stop.is_asked()) {
                    Ok(server) => {
                        let _ = report.send(Ok(()));
                        watch_over(server, &launch, &stop, &resign)
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
            gave_up,
        })
    }

    pub(super) fn gave_up(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut gave_up = self.gave_up.clone();
        async move {
            if gave_up.wait_for(|it_did| *it_did).await.is_err() {
                // It was stopped, so it never will.
                std::future::pending::<()>().await;
            }
        }
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

fn watch_over(
    mut server: Server,
    launch: &Launch,
    stop: &Stop,
    resign: &watch::Sender<bool>,
) -> Result<()> {
    let mut restarts = Restarts::default();
    loop {
        if stop.is_asked_within(WATCH) {
            return server.stop();
        }
        let Some(status) = server.exited()? else {
            continue;
        };
        tracing::error!(%status, "PostgreSQL ended by itself: {}", server.last_words());
        match restart(launch, &mut restarts, stop) {
            Some(restarted) => server = restarted,
            None if stop.is_asked() => return Ok(()),
            None => break,
        }
    }
    tracing::error!(
        "PostgreSQL does not stay up ({MOST_RESTARTS} restarts within {} s): giving up, look at {}",
        WITHIN.as_secs(),
        launch.home.log().display()
    );
    resign.send_replace(true);
    Ok(())
}

fn restart(launch: &Launch, restarts: &mut Restarts, stop: &Stop) -> Option<Server> {
    while let Some(pause) = restarts.next(Instant::now()) {
        if stop.is_asked_within(pause) {
            return None;
        }
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
    /// How long to wait before one more, if there may be one.
    fn next(&mut self, now: Instant) -> Option<Duration> {
        self.0.retain(|then| now.duration_since(*then) < WITHIN);
        let pause =
            FIRST_PAUSE.saturating_mul(4_u32.saturating_pow(u32::try_from(self.0.len()).ok()?));
        if self.0.len() >= MOST_RESTARTS {
            return None;
        }
        self.0.push(now);
        Some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_restarts_a_minute_each_after_a_longer_pause() {
        let mut restarts = Restarts::default();
        let start = Instant::now();
        let mut after = |seconds| restarts.next(start + Duration::from_secs(seconds));
        assert_eq!(after(0), Some(Duration::from_millis(100)));
        assert_eq!(after(1), Some(Duration::from_millis(400)));
        assert_eq!(after(30), Some(Duration::from_millis(1600)));
        assert_eq!(after(59), None);
        assert_eq!(after(60), Some(Duration::from_millis(1600)));
        assert_eq!(after(60), None);
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
