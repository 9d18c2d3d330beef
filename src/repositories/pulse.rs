//! The pulse of the database: whether it answers and takes writes, as one connection knows that does nothing else. While it
//! does not, whoever needs the database is refused at once, rather than each after a wait of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};

use super::retirement::Retirement;

/// Between two beats.
const EVERY: Duration = Duration::from_millis(500);
/// For a beat. A statement of a request has little more.
const BEAT: Duration = Duration::from_secs(2);
/// For a new connection.
const CONNECTING: Duration = Duration::from_secs(1);
/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(100);

/// What is known of the database.
pub(super) struct Pulse {
    well: AtomicBool,
    retirement: Retirement,
}

/// Why a connection feels it no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// The connection ended, or hangs. Whether there can be another will tell more.
    CutOff,
    /// The database is there, but not for this connection: others may go on.
    Refused,
    Away,
    ReadOnly,
}

impl Found {
    /// How long to leave it alone.
    fn pause(self) -> Duration {
        match self {
            Self::CutOff => Duration::ZERO,
            Self::Refused | Self::Away => PAUSE,
            Self::ReadOnly => EVERY,
        }
    }
}

impl Pulse {
    /// Taken to be well until it is found to be otherwise.
    pub(super) fn new(retirement: Retirement) -> Self {
        Self {
            well: AtomicBool::new(true),
            retirement,
        }
    }

    pub(super) fn is_well(&self) -> bool {
        self.well.load(Ordering::Relaxed)
    }

    pub(super) fn found_well(&self) {
        if !self.well.swap(true, Ordering::Relaxed) {
            tracing::info!("the database is back");
        }
    }

    fn found(&self, found: Found) {
        let what = match found {
            Found::CutOff => return,
            Found::Refused => return self.found_well(),
            Found::Away => "does not answer",
            Found::ReadOnly => "takes no writes",
        };
        self.retirement.retire_all();
        if self.well.swap(false, Ordering::Relaxed) {
            tracing::error!("the database {what}: what needs it is refused until it is back");
        }
    }

    /// Feels it from now on, for as long as anybody else holds it: on a thread of its own, which nothing keeps from it.
    pub(super) fn watch(self: &Arc<Self>, options: PgConnectOptions) -> std::io::Result<()> {
        let pulse = Arc::downgrade(self);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("pulse".to_owned());
        thread.spawn(move || runtime.block_on(keep_feeling(&options, &pulse)))?;
        Ok(())
    }
}

async fn keep_feeling(options: &PgConnectOptions, pulse: &Weak<Pulse>) {
    while pulse.strong_count() > 0 {
        let found = feel(options, pulse).await;
        if let Some(pulse) = pulse.upgrade() {
            pulse.found(found);
        }
        sleep(found.pause()).await;
    }
}

/// Feels it by one connection, until that is of no use any more.
async fn feel(options: &PgConnectOptions, pulse: &Weak<Pulse>) -> Found {
    // Its failures are told in the words above.
    let options = options.clone().disable_statement_logging();
    // A pool each: one that hangs must not be in the way of the next.
    let connections = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(CONNECTING)
        .connect_lazy_with(options.clone());
    let Ok(mut connection) = PgListener::connect_with(&connections).await else {
        return why_not(&options).await;
    };
    connection.eager_reconnect(false);
    let mut beats = false;
    loop {
        match timeout(BEAT, is_read_only(&mut connection)).await {
            Ok(Ok(false)) => pulse.upgrade().inspect(|pulse| pulse.found_well()),
            Ok(Ok(true)) => return Found::ReadOnly,
            _ if beats => return Found::CutOff,
            Ok(Err(_)) => return Found::Refused,
            Err(_) => return Found::Away,
        };
        beats = true;
        // Nothing is ever sent on it: what ends the wait early is its end.
        let cut_off = timeout(EVERY, connection.try_recv()).await.is_ok();
        if cut_off || pulse.strong_count() == 0 {
            return Found::CutOff;
        }
    }
}

/// Why there is no connection. The pool does not tell: it tries again for as long as it may.
async fn why_not(options: &PgConnectOptions) -> Found {
    let answer = timeout(CONNECTING, PgConnection::connect_with(options)).await;
    match answer {
        Ok(Ok(_)) => Found::CutOff,
        Ok(Err(sqlx::Error::Database(answer))) if !is_leaving(&*answer) => Found::Refused,
        _ => Found::Away,
    }
}

/// It shuts down, or has not started yet.
fn is_leaving(answer: &dyn DatabaseError) -> bool {
    answer.code().is_none_or(|code| code.starts_with("57"))
}

async fn is_read_only(connection: &mut PgListener) -> Result<bool, sqlx::Error> {
    let statement = sqlx::query_scalar!(
        r#"select current_setting('transaction_read_only') = 'on' as "read_only!""#
    );
    statement.fetch_one(connection).await
}
