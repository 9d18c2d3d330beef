//! The connections. Each belongs to the thread that opened it and is lent only there: whoever waits for an answer is
//! woken by nobody else's thread, and a connection never outlives the reactor it is registered with.

use std::collections::HashMap;
use std::thread::{self, ThreadId};
use std::time::Duration;

use arc_swap::ArcSwap;
use deadpool::managed::{self, Metrics, Object, PoolError, QueueMode, RecycleError, RecycleResult};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

use super::DbError;
use super::retirement::Retirement;

/// A connection that was lent less long ago is lent unasked: whoever could cut it off since has no more than met a
/// request under way.
const FRESH: Duration = Duration::from_millis(5);

/// A connection that nobody has needed for this long is closed, and one that was opened this long ago.
const IDLE: Duration = Duration::from_mins(10);
const OLD: Duration = Duration::from_mins(30);

/// For a connection to say that it lives.
const PING: Duration = Duration::from_millis(500);

/// For what a thread that serves no requests does.
const ASIDE: usize = 2;

/// A connection that is lent. Dropped, it is there for the next one at once.
pub(super) type Lent = Object<Lender>;

/// The connections of every thread.
pub(super) struct Pools {
    options: PgConnectOptions,
    retirement: Retirement,
    of: ArcSwap<HashMap<ThreadId, managed::Pool<Lender>>>,
}

impl Pools {
    /// With no connection yet.
    pub(super) fn new(options: PgConnectOptions, retirement: Retirement) -> Self {
        Self {
            options,
            retirement,
            of: ArcSwap::default(),
        }
    }

    /// Gives this thread so many connections, at most.
    pub(super) fn lend_here(&self, most: usize) -> Result<(), DbError> {
        let lender = Lender {
            options: self.options.clone(),
            retirement: self.retirement.clone(),
        };
        let pool = managed::Pool::builder(lender)
            .max_size(most)
            .queue_mode(QueueMode::Lifo)
            .build()
            .map_err(|_| DbError::late())?;
        self.of.rcu(|of| {
            let mut of = HashMap::clone(of);
            of.insert(thread::current().id(), pool.clone());
            of
        });
        Ok(())
    }

    /// One of this thread's connections, as soon as there is one.
    pub(super) async fn lend(&self) -> Result<Lent, DbError> {
        let lent = self.here()?.get().await;
        lent.map_err(|error| match error {
            PoolError::Backend(error) => error.into(),
            _ => DbError::late(),
        })
    }

    fn here(&self) -> Result<managed::Pool<Lender>, DbError> {
        let pool = || self.of.load().get(&thread::current().id()).cloned();
        if let Some(pool) = pool() {
            return Ok(pool);
        }
        self.lend_here(ASIDE)?;
        pool().ok_or_else(DbError::late)
    }

    /// How many connections there are, and how many of them nobody uses.
    pub(super) fn count(&self) -> (usize, usize) {
        let of = self.of.load();
        let each = of.values().map(managed::Pool::status);
        each.fold((0, 0), |(all, idle), here| {
            (all + here.size, idle + here.available)
        })
    }

    /// Closes those that nobody uses, and every other when it is given back.
    pub(super) fn close(&self) {
        self.of.load().values().for_each(managed::Pool::close);
    }
}

/// Opens connections, and says which of them can be lent again.
pub(super) struct Lender {
    options: PgConnectOptions,
    retirement: Retirement,
}

impl managed::Manager for Lender {
    type Type = PgConnection;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<PgConnection, sqlx::Error> {
        // Large, and rarely needed: whoever is lent a connection need not have room for it.
        Box::pin(PgConnection::connect_with(&self.options)).await
    }

    async fn recycle(
        &self,
        connection: &mut PgConnection,
        metrics: &Metrics,
    ) -> RecycleResult<sqlx::Error> {
        let (age, idle) = (metrics.age(), metrics.last_used());
        if self.retirement.includes(age) || age >= OLD || idle >= IDLE {
            return Err(RecycleError::message("retired"));
        }
        if idle < FRESH {
            return Ok(());
        }
        let alive = timeout(PING, Box::pin(connection.ping())).await;
        Ok(alive.map_err(|_| RecycleError::message("does not answer"))??)
    }
}
