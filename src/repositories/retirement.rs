//! Which connections are used no more: all that there were when one of them was found cut off, or to lead to a database that
//! takes no writes. A session that began so may stay so, also when the database takes them again; and after a failover it may
//! lead to what is now the replica.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// How often statements may retire all connections: each of many that are refused at once would close what the others
/// have just opened.
const EVERY: Duration = Duration::from_secs(1);

/// When a connection was last found so. Clones share it.
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
        let spent = outcome.as_ref().is_err_and(is_of_a_spent_connection);
        let since = self.0.load().as_ref().map(|at| at.elapsed());
        if spent && since.is_none_or(|since| since >= EVERY) {
            self.retire_all();
        }
        spent
    }
}

/// It was cut off, or leads to a database that takes no writes.
fn is_of_a_spent_connection(error: &sqlx::Error) -> bool {
    use sqlx::Error as E;
    match error {
        E::Database(answer) => {
            let answer = answer.try_downcast_ref::<PgDatabaseError>();
            answer.is_some_and(|answer| {
                matches!(answer.severity(), PgSeverity::Fatal | PgSeverity::Panic)
                    || answer.code() == "25006"
            })
        }
        E::Io(_) | E::Tls(_) | E::Protocol(_) => true,
        _ => false,
    }
}
