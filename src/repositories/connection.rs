//! One connection, lent for one use case, and the deadline that every statement on it keeps.

use std::future::{Future, poll_fn};
use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgQueryResult;
use sqlx::{PgConnection, PgPool, Postgres};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout, timeout_at};

use super::retirement::Retirement;
use super::{
    BackupCodes, DbError, Health, Keys, LoginChallenges, PasswordHistory, SecurityEvents, Sessions,
    Throttles, TotpFactors, Users,
};
use crate::spans;

/// A connection and its repositories.
pub struct Conn {
    /// `None` only while it is being dropped.
    lent: Option<PoolConnection<Postgres>>,
    home: Handle,
    retirement: Retirement,
    deadline: Instant,
    /// A statement was sent and its answer has not been read to the end.
    busy: bool,
    /// A transaction is open.
    open: bool,
}

impl Conn {
    pub(super) async fn acquire(
        pool: &PgPool,
        home: &Handle,
        retirement: &Retirement,
        wait: Duration,
    ) -> Result<Self, DbError> {
        let deadline = Instant::now() + wait;
        let mut acquiring = pin!(pool.acquire());
        let at_home = poll_fn(|context| {
            let _home = home.enter();
            acquiring.as_mut().poll(context)
        });
        let lent = spans::part("connection", async {
            let lent = timeout_at(deadline, at_home).await;
            Ok::<_, DbError>(lent.map_err(|_| DbError::late())??)
        })
        .await?;
        Ok(Self {
            lent: Some(lent),
            home: home.clone(),
            retirement: retirement.clone(),
            deadline,
            busy: false,
            open: false,
        })
    }

    pub(super) async fn begin(mut self) -> Result<Tx, DbError> {
        self.open = true;
        self.run("begin").await?;
        Ok(Tx {
            conn: self,
            once_durable: Vec::new(),
        })
    }

    /// The connection to give a statement to, and what runs it within the deadline. The name is for those who trace.
    pub(super) fn statement(
        &mut self,
        name: &'static str,
    ) -> Result<(&mut PgConnection, Bound<'_>), DbError> {
        let connection = self.lent.as_deref_mut().ok_or_else(DbError::late)?;
        Ok((
            connection,
            Bound {
                name,
                deadline: self.deadline,
                busy: &mut self.busy,
                retirement: &self.retirement,
            },
        ))
    }

    /// The database takes no writes: this connection, and those that are there, are used no more.
    pub(super) fn retire(&mut self) {
        self.retirement.retire_all();
        self.busy = true;
    }

    async fn run(&mut self, command: &'static str) -> Result<(), DbError> {
        let (connection, bound) = self.statement(command)?;
        bound
            .run(sqlx::raw_sql(command).execute(connection))
            .await?;
        Ok(())
    }

    /// The key ring.
    pub fn keys(&mut self) -> Keys<'_> {
        Keys(self)
    }

    /// Accounts.
    pub fn users(&mut self) -> Users<'_> {
        Users(self)
    }

    /// Sessions.
    pub fn sessions(&mut self) -> Sessions<'_> {
        Sessions(self)
    }

    /// Passwords that were replaced.
    pub fn password_history(&mut self) -> PasswordHistory<'_> {
        PasswordHistory(self)
    }

    /// TOTP secrets.
    pub fn totp_factors(&mut self) -> TotpFactors<'_> {
        TotpFactors(self)
    }

    /// Backup codes.
    pub fn backup_codes(&mut self) -> BackupCodes<'_> {
        BackupCodes(self)
    }

    /// Logins that wait for the second factor.
    pub fn login_challenges(&mut self) -> LoginChallenges<'_> {
        LoginChallenges(self)
    }

    /// Counted tries.
    pub fn throttles(&mut self) -> Throttles<'_> {
        Throttles(self)
    }

    /// Security events.
    pub fn security_events(&mut self) -> SecurityEvents<'_> {
        SecurityEvents(self)
    }

    /// The database itself.
    pub fn health(&mut self) -> Health<'_> {
        Health(self)
    }
}

impl Drop for Conn {
    /// A connection cut off in the middle of a statement is closed: nothing of it can reach a later use case.
    fn drop(&mut self) {
        let Some(mut lent) = self.lent.take() else {
            return;
        };
        if self.busy {
            lent.close_on_drop();
        } else {
            self.home.spawn(give_back(lent, self.open));
        }
    }
}

/// The pool asks a connection that comes back whether it still lives, and would wait for the answer for ever.
async fn give_back(mut lent: PoolConnection<Postgres>, open: bool) {
    if open {
        let rollback = sqlx::raw_sql("rollback").execute(&mut *lent);
        if !matches!(timeout(super::DEADLINE, rollback).await, Ok(Ok(_))) {
            lent.close_on_drop();
            return;
        }
    }
    // Cut off, it is dropped, and its place in the pool is free again.
    let _ = timeout(super::DEADLINE, lent.return_to_pool()).await;
}

/// Runs one statement within the use case's deadline.
pub(super) struct Bound<'a> {
    name: &'static str,
    deadline: Instant,
    busy: &'a mut bool,
    retirement: &'a Retirement,
}

impl Bound<'_> {
    pub(super) async fn run<T>(
        self,
        statement: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, DbError> {
        *self.busy = true;
        spans::statement(self.name, async {
            let answer = timeout_at(self.deadline, statement)
                .await
                .map_err(|_| DbError::late())?;
            // One that cannot write is not given back.
            *self.busy = self.retirement.look_at(&answer);
            Ok(answer?)
        })
        .await
    }

    /// The same of a statement that gives nothing back: how many rows it has changed.
    pub(super) async fn changed(
        self,
        statement: impl Future<Output = Result<PgQueryResult, sqlx::Error>>,
    ) -> Result<u64, DbError> {
        Ok(self.run(statement).await?.rows_affected())
    }
}

/// A transaction and its repositories.
#[must_use]
pub struct Tx {
    conn: Conn,
    once_durable: Vec<Afterwards>,
}

type Afterwards = Box<dyn FnOnce() + Send + Sync>;

impl Tx {
    /// Makes everything durable. When this fails, whether it did is not known.
    pub async fn commit(mut self) -> Result<(), DbError> {
        self.conn.run("commit").await?;
        self.conn.open = false;
        for then in self.once_durable {
            then();
        }
        Ok(())
    }

    /// What is done when everything is durable, and only then.
    pub fn once_durable(&mut self, then: impl FnOnce() + Send + Sync + 'static) {
        self.once_durable.push(Box::new(then));
    }
}

impl Deref for Tx {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        &self.conn
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.conn
    }
}
