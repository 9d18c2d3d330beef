//! Which connections are used no more: those to a database that took no writes. A session that began so may stay so, also
//! when the database takes them again; and after a failover it may lead to what is now the replica.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

/// How often statements may retire all connections: each of many that are refused at once would close what the others
/// have just opened.
const EVERY: Duration = Duration::from_secs(1);

/// When a connection last could not write. Clones share it.
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

    /// Looks at the outcome of a statement; whether it tells of a database that takes no writes.
    pub(super) fn look_at<T>(&self, outcome: &Result<T, sqlx::Error>) -> bool {
        let read_only = match outcome {
            Err(sqlx::Error::Database(answer)) => answer.code().as_deref() == Some("25006"),
            _ => false,
        };
        let since = self.0.load().as_ref().map(|at| at.elapsed());
        if read_only && since.is_none_or(|since| since >= EVERY) {
            self.retire_all();
        }
        read_only
    }
}
