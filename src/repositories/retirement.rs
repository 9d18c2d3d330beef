//! Which connections are used no more: one that was cut off, and all that there were when the database was away or took no
//! writes. A session that began so may stay so, also when the database takes them again; and after a failover it may lead to
//! what is now the replica.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// How often statements may retire all connections: each of many that are refused at once would close what the others
/// have just opened.
const EVERY: Duration = Duration::from_secs(1);

/// When all were last retired. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Retirement(Arc<ArcSwapOption<Instant>>);

impl Retirement {
    /// Retires every connection that there is.
    pub(super) fn retire_all(&self) {
        self.0.store(Some(Arc::new(Instant::now())));
    }

    /// Whether a connection of this age is one of them.
    pub(super) fn includes(&self, age: Duration) -> bool {
        let made = Instant::now().checked_sub(age);
        let retired = self.0.load();
        retired
            .as_ref()
            .is_some_and(|at| made.is_none_or(|made| made <= **at))
    }

    /// Looks at the outcome of a statement; whether the connection it came by is to be used no more.
    pub(super) fn look_at<T>(&self, outcome: &Result<T, sqlx::Error>) -> bool {
        let Err(error) = outcome else {
            return false;
        };
        let since = self.0.load().as_ref().map(|at| at.elapsed());
        if takes_no_writes(error) && since.is_none_or(|since| since >= EVERY) {
            self.retire_all();
        }
        takes_no_writes(error) || is_cut_off(error)
    }
}

fn takes_no_writes(error: &sqlx::Error) -> bool {
    answer(error).is_some_and(|answer| answer.code() == "25006")
}

fn is_cut_off(error: &sqlx::Error) -> bool {
    use sqlx::Error as E;
    let last_words = |answer: &PgDatabaseError| {
        matches!(answer.severity(), PgSeverity::Fatal | PgSeverity::Panic)
    };
    matches!(error, E::Io(_) | E::Tls(_) | E::Protocol(_)) || answer(error).is_some_and(last_words)
}

fn answer(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    let sqlx::Error::Database(answer) = error else {
        return None;
    };
    answer.try_downcast_ref::<PgDatabaseError>()
}
