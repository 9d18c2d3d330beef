//! One connection, lent for one use case, and the deadline that every statement on it keeps.

use std::cell::Cell;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::PgConnection;
use sqlx::postgres::PgQueryResult;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout, timeout_at};

use super::pool::{Lent, Pools};
use super::retirement::Retirement;
use super::{
    BackupCodes, DEADLINE, DbError, Health, Keys, LoginChallenges, PasswordHistory, SecurityEvents,
    Sessions, Throttles, TotpFactors, Users,
};
use crate::spans;

tokio::task_local! {
    /// What is left of the time that the task may spend on the database.
    static LEFT: Cell<Duration>;
}

/// Does something that may spend only so much time on the database in all, however often it asks. Without this, each use
/// of a connection may.
pub async fn in_one_deadline<T>(doing: impl Future<Output = T>) -> T {
    LEFT.scope(Cell::new(DEADLINE), doing).await
}

fn left() -> Duration {
    LEFT.try_with(Cell::get).unwrap_or(DEADLINE)
}

fn spent(time: Duration) {
    let _ = LEFT.try_with(|left| left.set(left.get().saturating_sub(time)));
}

/// A connection and its repositories.
pub struct Conn {
    /// `None` only while it is being dropped.
    lent: Option<Lent>,
    retirement: Retirement,
    asked: Instant,
    deadline: Instant,
    /// A statement was sent and its answer has not been read to the end.
    busy: bool,
    /// A transaction is open.
    open: bool,
}

impl Conn {
    pub(super) async fn lent(
        pools: &Pools,
        retirement: &Retirement,
        most: Duration,
    ) -> Result<Self, DbError> {
        if left().is_zero() {
            return Err(DbError::late());
        }
        let asked = Instant::now();
        let deadline = asked + left().min(most);
        let lent = spans::part("connection", async {
            let lent = timeout_at(deadline, pools.lend()).await;
            lent.map_err(|_| DbError::late()).flatten()
        })
        .await;
        Ok(Self {
            lent: Some(lent.inspect_err(|_| spent(asked.elapsed()))?),
            retirement: retirement.clone(),
            asked,
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
        let Some(lent) = self.lent.take() else {
            return;
        };
        spent(self.asked.elapsed());
        if self.busy {
            drop(Lent::take(lent));
        } else if self.open {
            roll_back(lent);
        }
    }
}

/// Gives a connection back without what its transaction has done; where that cannot be, it is closed.
fn roll_back(mut lent: Lent) {
    let Ok(here) = Handle::try_current() else {
        drop(Lent::take(lent));
        return;
    };
    here.spawn(async move {
        let rollback = sqlx::raw_sql("rollback").execute(&mut *lent);
        if !matches!(timeout(DEADLINE, rollback).await, Ok(Ok(_))) {
            drop(Lent::take(lent));
        }
    });
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
            // A spent one is not given back.
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
